"""Packaging: the recorded bytes, the rules of the tar, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Digest,
    ImageConfig,
    Index,
    Manifest,
    decode,
)
from skills.errors import (
    FrontmatterError,
    InvalidEpochError,
    SkillFolderError,
    TooLargeError,
)
from skills.packaging.folder import MAX_FILES, MAX_LAYER, MAX_SIZE
from skills.packaging.skill_package import (
    ARTIFACT_TYPE,
    MAX_EPOCH,
    REQUIRES,
    package,
    source_date_epoch,
)

VECTORS = Path(__file__).parents[3] / "vectors" / "toolhive"
PACKAGES: list[dict[str, Any]] = json.loads((VECTORS / "packages.json").read_bytes())


def make(parent: Path, *lines: str) -> Path:
    folder = parent / "my-skill"
    folder.mkdir()
    text = "\n".join(["---", *(lines or ("name: my-skill",)), "---", "# Body", ""])
    (folder / "SKILL.md").write_bytes(text.encode())
    return folder


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    return make(tmp_path)


@pytest.mark.parametrize(
    "vector", PACKAGES, ids=lambda item: f"{item['skill']}-{item['source_date_epoch']}"
)
class TestVectors:
    @pytest.mark.spec("config:diff-id-value", "layer:gzip")
    def test_the_tar_is_that_of_toolhive(self, vector: dict[str, Any]) -> None:
        made = package(VECTORS / "skills" / vector["skill"], epoch=vector["source_date_epoch"])
        tar = gzip.decompress(made.layer.data)
        assert len(tar) == vector["tar_size"]
        assert str(made.diff_id) == f"sha256:{vector['tar_sha256']}"
        assert Digest.of(tar) == made.diff_id

    def test_the_configs_are_those_of_toolhive(self, vector: dict[str, Any]) -> None:
        made = package(VECTORS / "skills" / vector["skill"], epoch=vector["source_date_epoch"])
        configs = [decode(blob.data, ImageConfig) for blob in made.configs]
        assert [f"{config.os}/{config.architecture}" for config in configs] == list(
            vector["configs"]
        )
        for blob, expected in zip(made.configs, vector["configs"].values(), strict=True):
            assert blob.data.decode() == expected["text"]
            assert str(blob.descriptor.digest) == expected["digest"]
            assert blob.descriptor.size == expected["size"]

    @pytest.mark.spec("annotations:created")
    def test_manifests_and_index_have_the_recorded_annotations(
        self, vector: dict[str, Any]
    ) -> None:
        made = package(VECTORS / "skills" / vector["skill"], epoch=vector["source_date_epoch"])
        assert decode(made.root.data, Index).annotations == vector["annotations"]
        for blob in made.manifests:
            assert decode(blob.data, Manifest).annotations == vector["annotations"]

    def test_the_gzip_header_is_that_of_toolhive(self, vector: dict[str, Any]) -> None:
        made = package(VECTORS / "skills" / vector["skill"], epoch=vector["source_date_epoch"])
        assert made.layer.data[:10].hex() == vector["gzip_header_hex"]


class TestArtifact:
    @pytest.mark.spec(
        "manifest:artifact-config",
        "manifest:artifact-layer",
        "manifest:portable-layers",
        "image-index:portable",
        "image-index:platform-set",
    )
    def test_documents_are_those_of_a_store_that_toolhive_left_but_for_the_layer(self) -> None:
        made = package(VECTORS / "skills" / "release-notes", epoch=0)
        store = VECTORS / "stores" / "built" / "blobs" / "sha256"
        layer = "6d85193bc606724d071a3a6bd3973f1191eceb50bf1c7c48ff045d6b3889f8ec"
        theirs = {
            "a6892493053f6b2ad99d09f9c1883a1bdd69369111d846001f12e04e33310ef7": made.manifests[0],
            "76a830d8eefbccd62c4be028a52a50423e949f1e5e60fd6be93d7e7d41d5e39a": made.manifests[1],
            "12cc50d91e976323195d863a5e2ef035e1e453aee99e861c6369662f2a2bf079": made.root,
        }
        digests = {
            layer: made.layer.descriptor.digest.encoded,
            f'"size":{(store / layer).stat().st_size}': f'"size":{made.layer.descriptor.size}',
        }
        for digest, blob in theirs.items():
            text = (store / digest).read_text()
            for old, new in digests.items():
                text = text.replace(old, new)
            assert blob.data.decode() == text
            digests[digest] = blob.descriptor.digest.encoded

    def test_the_fixture_of_toolhives_own_packager_gives_its_digests(self, tmp_path: Path) -> None:
        folder = tmp_path / "test-skill"
        folder.mkdir()
        (folder / "SKILL.md").write_text(
            "---\nname: test-skill\ndescription: A test skill for packaging\nversion: 1.0.0\n"
            "allowed-tools:\n  - Read\n  - Grep\n---\n# Test Skill\n\nThis is a test skill.\n"
        )
        made = package(folder, epoch=0)
        assert made.diff_id.encoded == (
            "6f088fd1373ad80a221577b59bf112dd07ceb0a26f2859c972c1ab008b77252b"
        )
        assert [blob.descriptor.digest.encoded for blob in made.configs] == [
            "e7adae49d15ccf9fc74afee3f61c0b32114fe775a041d78c1ae83952456274ce",
            "c5ae49da4790970acb489652b0b931249133ba28a843e4ece9f01d098689f02e",
        ]

    def test_a_blob_comes_after_those_it_refers_to(self, skill: Path) -> None:
        made = package(skill, epoch=0)
        known: set[Digest] = set()
        for descriptor, data in made.blobs:
            assert descriptor == descriptor.plain()
            assert (descriptor.digest, descriptor.size) == (Digest.of(data), len(data))
            if descriptor.media_type == OCI_MANIFEST:
                manifest = decode(data, Manifest)
                assert {manifest.config.digest, manifest.layers[0].digest} <= known
                assert manifest.artifact_type == ARTIFACT_TYPE
            if descriptor.media_type == OCI_INDEX:
                assert {child.digest for child in decode(data, Index).manifests} <= known
            known.add(descriptor.digest)
        assert [blob.descriptor.media_type for blob in made.blobs] == [
            OCI_LAYER_GZIP,
            *[OCI_CONFIG] * 2,
            *[OCI_MANIFEST] * 2,
            OCI_INDEX,
        ]
        assert made.index == made.blobs[-1].descriptor
        assert made.name == made.skill.name == "my-skill"

    def test_required_skills_of_both_keys_are_in_one_annotation(self, tmp_path: Path) -> None:
        folder = make(
            tmp_path,
            "name: my-skill",
            'metadata: {toolhive.requires: "b\\nc&"}',
            "toolhive.requires: [a, b]",
        )
        annotations = decode(package(folder, epoch=0).root.data, Index).annotations
        assert annotations[REQUIRES] == '["a","b","c\\u0026"]'

    def test_labels_escape_as_go_does(self, tmp_path: Path) -> None:
        folder = make(tmp_path, "name: my-skill", 'allowed-tools: ["<\\u2028\\u007fé\\t\\""]')
        config = decode(package(folder, epoch=0).configs[0].data, ImageConfig)
        assert config.config is not None
        label = config.config.labels["dev.toolhive.skills.allowedTools"]
        assert label == '["\\u003c\\u2028\x7fé\\t\\""]'

    def test_an_empty_list_of_tools_is_not_none(self, tmp_path: Path) -> None:
        config = decode(
            package(make(tmp_path, "name: n", "allowed-tools: []"), epoch=0).configs[0].data,
            ImageConfig,
        )
        assert config.config is not None
        assert config.config.labels["dev.toolhive.skills.allowedTools"] == "[]"

    def test_a_skill_that_breaks_the_rules_of_names_can_be_packaged(self, tmp_path: Path) -> None:
        assert package(make(tmp_path, "name: Not Allowed"), epoch=0).name == "Not Allowed"


class TestRefused:
    def test_problems_of_the_folder_are_refused(self, skill: Path) -> None:
        (skill / "link").symlink_to("SKILL.md")
        with pytest.raises(SkillFolderError, match="symbolic link") as caught:
            package(skill, epoch=0)
        assert caught.value.path == "link"

    def test_a_missing_folder_and_a_missing_skill_md(self, skill: Path) -> None:
        with pytest.raises(SkillFolderError, match="does not exist"):
            package(skill / "none", epoch=0)
        (skill / "SKILL.md").unlink()
        with pytest.raises(SkillFolderError, match=r"has no file SKILL\.md"):
            package(skill, epoch=0)

    @pytest.mark.parametrize("line", ["name: ~", "name: ''", "x: y"])
    def test_a_skill_without_a_name(self, tmp_path: Path, line: str) -> None:
        with pytest.raises(FrontmatterError, match="name is required"):
            package(make(tmp_path, line), epoch=0)

    def test_a_broken_frontmatter(self, tmp_path: Path) -> None:
        with pytest.raises(FrontmatterError, match="is not YAML"):
            package(make(tmp_path, "name: ["), epoch=0)

    def test_too_many_files_and_too_many_bytes(self, skill: Path) -> None:
        with (skill / "big").open("wb") as file:
            file.truncate(MAX_SIZE)
        with pytest.raises(TooLargeError) as caught:
            package(skill, epoch=0)
        assert (caught.value.what, caught.value.limit) == ("size", MAX_SIZE)
        (skill / "big").unlink()
        for number in range(MAX_FILES):
            (skill / str(number)).touch()
        with pytest.raises(TooLargeError) as caught:
            package(skill, epoch=0)
        assert (caught.value.what, caught.value.limit) == ("files", MAX_FILES)

    def test_a_layer_that_does_not_compress_enough(self, skill: Path) -> None:
        (skill / "noise").write_bytes(random.Random(0).randbytes(MAX_LAYER))
        with pytest.raises(TooLargeError) as caught:
            package(skill, epoch=0)
        assert (caught.value.what, caught.value.limit) == ("layer", MAX_LAYER)

    @pytest.mark.parametrize("epoch", [-1, MAX_EPOCH + 1, 2**63, -(2**63)])
    def test_an_epoch_that_does_not_fit(self, skill: Path, epoch: int) -> None:
        with pytest.raises(InvalidEpochError, match="SOURCE_DATE_EPOCH"):
            package(skill, epoch=epoch)


class TestEpoch:
    @pytest.mark.parametrize(
        ("text", "epoch"),
        [
            ("0", 0),
            ("1700000000", 1700000000),
            ("+5", 5),
            ("-5", -5),
            ("0" * 5000 + "7", 7),
            (str(2**63 - 1), 2**63 - 1),
            (str(-(2**63)), -(2**63)),
            (str(2**63), 0),
            (str(-(2**63) - 1), 0),
            ("9" * 5000, 0),
            ("", 0),
            (" 1", 0),
            ("1\n", 0),
            ("1_0", 0),
            ("1.5", 0),
            ("0x10", 0),
            ("٣", 0),
        ],
    )
    def test_it_is_parsed_as_go_parses_it(self, text: str, epoch: int) -> None:
        assert source_date_epoch({"SOURCE_DATE_EPOCH": text}) == epoch

    def test_it_is_0_by_default(self) -> None:
        assert source_date_epoch({}) == 0

    def test_the_latest_epoch_is_used_everywhere(self, skill: Path) -> None:
        made = package(skill, epoch=MAX_EPOCH)
        assert made.layer.data[4:8] == b"\xff" * 4
        config = decode(made.configs[0].data, ImageConfig)
        assert config.created == config.history[0].created == "2106-02-07T06:28:15Z"
        with tarfile.open(fileobj=io.BytesIO(made.layer.data)) as tar:
            assert {member.mtime for member in tar} == {MAX_EPOCH}

    def test_the_environment_is_not_read(
        self, skill: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = package(skill, epoch=0)
        monkeypatch.setitem(os.environ, "SOURCE_DATE_EPOCH", "5")
        assert package(skill, epoch=0) == before


ELSEWHERE = """
import os, sys, time
from pathlib import Path
time.tzset()
os.umask(int(os.environ["MASK"], 8))
from skills import SkillService
source, target, store, order = sys.argv[1:]
files = sorted(path for path in Path(source).rglob("*") if path.is_file())
for path in reversed(files) if order == "reversed" else files:
    copied = Path(target, path.relative_to(source))
    copied.parent.mkdir(parents=True, exist_ok=True)
    copied.write_bytes(path.read_bytes())
print(SkillService.open(store).build(target).digest)
"""


def test_a_build_depends_on_neither_place_nor_time_nor_user(tmp_path: Path) -> None:
    """Two builds of copies under other umask, time zone, locale, hash seed, home and file order
    have the same digest."""
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "SKILL.md").write_text("---\nname: my-skill\ndescription: é\n---\n")
    for name in ("a", "Z", "é", "deep/x", "deep/er/y", "deep-er"):
        (source / name).write_bytes(name.encode() * 1000)
    digests = set()
    for number, (zone, mask, locale, order) in enumerate(
        [("Pacific/Kiritimati", "000", "C", "sorted"), ("UTC+11", "077", "tr_TR.UTF-8", "reversed")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", ELSEWHERE, str(source), str(folder / "my-skill"),
             str(folder / "store"), order],
            env={"TZ": zone, "MASK": mask, "LC_ALL": locale, "HOME": str(folder),
                 "PYTHONHASHSEED": str(number), "SOURCE_DATE_EPOCH": "1700000000",
                 "COLUMNS": "3", "USER": f"user{number}"},
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1
