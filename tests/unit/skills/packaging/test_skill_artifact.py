"""Looking at a skill: from the store without a request, from a registry by one pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    BlobNotFoundError,
    Descriptor,
    Digest,
    DigestMismatchError,
    Index,
    Manifest,
)
from skills import (
    LayerError,
    NotASkillError,
    SkillFile,
    SkillService,
    TooLargeError,
)
from skills.packaging.folder import MAX_LAYER
from skills.packaging.skill_artifact import read_artifact
from tests.unit.skills.example import TEXT, config, layer, write_skill

if TYPE_CHECKING:
    from pathlib import Path


class TestContent:
    def test_content_has_the_metadata_and_all_files(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """Name, description, version, licence, the whole SKILL.md, and every file with its size."""
        service.build(write_skill(tmp_path))
        found = service.get_content("hello")
        assert (found.name, found.description) == ("hello", "Says hello")
        assert (found.version, found.license) == ("1.2", "MIT")
        assert found.body == TEXT
        assert found.files == (
            SkillFile(path="SKILL.md", size=len(TEXT)),
            SkillFile(path="docs/SKILL.md", size=7),
        )

    def test_a_digest_or_a_single_manifest_is_enough(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """Content is resolved by the digest of the index or of one of its manifests."""
        built = service.build(write_skill(tmp_path))
        found = service.get_content("hello")
        index = service.layout.read_manifest(service.layout.resolve("hello"))
        assert isinstance(index, Index)
        for digest in (built.digest, *(child.digest for child in index.manifests)):
            assert service.get_content(digest) == found
        service.layout.tag("one", index.manifests[1])
        assert service.get_content("one") == found

    def test_a_body_that_is_not_utf_8_is_shown(self, service: SkillService) -> None:
        """Bytes that cannot be decoded are replaced."""
        layout = service.layout
        root = Manifest(config=config(layout), layers=[layer(layout, {"SKILL.md": b"a\xff"})])
        layout.tag("hello", layout.put_manifest(root))
        assert service.get_content("hello").body == "a\ufffd"

    def test_empty_labels_are_empty_fields(self, service: SkillService) -> None:
        """A config that names a skill and no more is enough."""
        layout = service.layout
        root = Manifest(
            config=config(layout, {"dev.toolhive.skills.name": "x"}),
            layers=[layer(layout, {"SKILL.md": b""})],
        )
        layout.tag("x", layout.put_manifest(root))
        found = service.get_content("x")
        assert (found.name, found.description, found.version, found.license) == ("x", "", "", "")

    @pytest.mark.parametrize(
        ("text", "requires"),
        [
            ('["a","b"]', ("a", "b")),
            ("[]", ()),
            ("", ()),
            ("{", ()),
            ('"a"', ()),
            ("[1]", ()),
            ("[" * 100_000, ()),
        ],
    )
    def test_unreadable_requirements_are_ignored(
        self, service: SkillService, text: str, requires: tuple[str, ...]
    ) -> None:
        """The annotation is a JSON array of strings; anything else is taken for none."""
        layout = service.layout
        root = Manifest(
            config=config(layout),
            layers=[layer(layout, {"SKILL.md": b""})],
            annotations={"dev.toolhive.skills.requires": text},
        )
        descriptor = layout.put_manifest(root)
        assert read_artifact(layout, descriptor, "x").requires == requires


class TestNoSkill:
    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("blob", "its document cannot be read"),
            ("empty index", "an index without manifests"),
            ("nested index", "an index of indexes"),
            ("no layer", "it has no layer"),
            ("plain layer", f"its layer is {OCI_LAYER}"),
            ("no labels", "has no label dev.toolhive.skills.name"),
            ("no config", "has no label dev.toolhive.skills.name"),
            ("empty name", "has no label dev.toolhive.skills.name"),
            ("bad config", "its config cannot be read"),
            ("no SKILL.md", "it has no file SKILL.md"),
        ],
    )
    def test_an_artifact_that_is_not_a_skill_is_refused_with_the_reason(
        self, service: SkillService, kind: str, reason: str
    ) -> None:
        """Each reason why an artifact is not a skill has its own message."""
        layout = service.layout
        good = layer(layout, {"SKILL.md": b""})
        other = layer(layout, {"docs/SKILL.md": b"", "skill.md": b""})
        roots: dict[str, Manifest | Index] = {
            "empty index": Index(manifests=[]),
            "no layer": Manifest(config=config(layout)),
            "plain layer": Manifest(
                config=config(layout), layers=[layout.blobs.put(b"x", media_type=OCI_LAYER)]
            ),
            "no labels": Manifest(config=config(layout, {}), layers=[good]),
            "no config": Manifest(config=config(layout, config=None), layers=[good]),
            "empty name": Manifest(
                config=config(layout, {"dev.toolhive.skills.name": ""}), layers=[good]
            ),
            "bad config": Manifest(
                config=layout.blobs.put(b"{", media_type=OCI_CONFIG), layers=[good]
            ),
            "no SKILL.md": Manifest(config=config(layout), layers=[other]),
        }
        inner = layout.put_manifest(roots["empty index"])
        roots["nested index"] = Index(manifests=[inner])
        if kind == "blob":
            root = layout.blobs.put(b"x", media_type="text/plain")
        else:
            root = layout.put_manifest(roots[kind])
        layout.tag("thing", root)
        with pytest.raises(NotASkillError, match=reason) as caught:
            service.get_content("thing")
        assert caught.value.reference == "thing"

    def test_a_layer_beyond_the_limit_is_not_opened(self, service: SkillService) -> None:
        """The size in the manifest is enough to refuse a layer."""
        layout = service.layout
        huge = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(b""), size=MAX_LAYER + 1)
        layout.tag("x", layout.put_manifest(Manifest(config=config(layout), layers=[huge])))
        with pytest.raises(TooLargeError, match="the limit is") as caught:
            service.get_content("x")
        assert (caught.value.what, caught.value.limit) == ("layer", MAX_LAYER)

    def test_a_layer_without_the_diff_id_of_the_config_is_refused(
        self, service: SkillService
    ) -> None:
        """The uncompressed tar must have the digest in the config."""
        layout = service.layout
        files = layer(layout, {"SKILL.md": b""})
        rootfs = {"type": "layers", "diff_ids": [str(Digest.of(b"other"))]}
        root = Manifest(config=config(layout, rootfs=rootfs), layers=[files])
        layout.tag("x", layout.put_manifest(root))
        with pytest.raises(LayerError, match="not the one in the config"):
            service.get_content("x")

    def test_missing_and_damaged_blobs_are_errors_of_the_layout(
        self, service: SkillService, tmp_path: Path
    ) -> None:
        """The error of a damaged store names the blob that is missing or differs."""
        service.build(write_skill(tmp_path))
        content = service.layout.resolve("hello")
        found = read_artifact(service.layout, content, "hello")
        path = service.layout.blobs.path(found.layer.digest)
        path.chmod(0o644)
        path.write_bytes(b"?" * found.layer.size)
        with pytest.raises(DigestMismatchError):
            service.get_content("hello")
        path.unlink()
        with pytest.raises(BlobNotFoundError, match=str(found.layer.digest)):
            service.get_content("hello")
