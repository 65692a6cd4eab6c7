"""Marking, listing, deleting and adopting, example by example."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from ocilayout import (
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_LAYER_GZIP,
    AmbiguousReferenceError,
    Descriptor,
    Digest,
    ImageConfig,
    Index,
    InvalidNameError,
    Layout,
    Manifest,
    OciLayoutError,
    ReferenceNotFoundError,
    RootFs,
    encode,
)
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, REF_NAME
from skills import (
    LOCAL_BUILD,
    LocalBuildConflictError,
    NotALocalBuildError,
    NotASkillError,
    SkillError,
    SkillService,
)
from skills.store.builds import LocalBuild, may_retag

MARK = {LOCAL_BUILD: "true"}
SKILL = "dev.toolhive.skills.v1"
STORES = Path(__file__).parents[3] / "vectors" / "toolhive" / "stores"
ANSWERS = json.loads((STORES.parent / "stores.json").read_text())


def write_skill(folder: Path, name: str, version: str = "1.0") -> Path:
    """Write a small skill and return its folder."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    path.joinpath("SKILL.md").write_text(
        f"---\nname: {name}\ndescription: Does {name}\nversion: {version}\n---\n"
    )
    return path


@pytest.fixture
def service(tmp_path: Path) -> SkillService:
    return SkillService.open(tmp_path / "store", durability="none")


def put_config(layout: Layout, labels: dict[str, str] | None = None) -> Descriptor:
    """Store an image config with labels, or one without any execution parameters."""
    document: dict[str, object] = json.loads(
        encode(ImageConfig(architecture="amd64", os="linux", rootfs=RootFs()))
    )
    if labels is not None:
        document["config"] = {"Labels": labels}
    return layout.blobs.put(json.dumps(document).encode(), media_type=OCI_CONFIG)


@pytest.mark.parametrize("store", sorted(ANSWERS))
def test_stores_of_the_go_program_give_its_answers(store: str, tmp_path: Path) -> None:
    """Every tag of a store that ToolHive left has its digest, and its builds are the builds."""
    shutil.copytree(STORES / store, tmp_path / store)
    service = SkillService.open(tmp_path / store, durability="none")
    tags = {tag: service.layout.resolve(tag).digest for tag in service.layout.tags()}
    assert tags == ANSWERS[store]["tags"]
    assert [build.tag for build in service.list_builds()] == ANSWERS[store]["builds"]


def test_the_list_says_what_the_root_says(service: SkillService, tmp_path: Path) -> None:
    """A build is listed with tag, digest, and name, description and version of the skill."""
    built = service.build(write_skill(tmp_path, "alpha"), tag="ghcr.io/org/alpha:v1")
    assert service.list_builds() == [
        LocalBuild(
            tag="ghcr.io/org/alpha:v1",
            digest=built.digest,
            name="alpha",
            description="Does alpha",
            version="1.0",
        )
    ]


def test_the_list_reads_the_root_of_a_build_and_nothing_else(
    service: SkillService, tmp_path: Path
) -> None:
    """With every blob gone but the roots of the builds, the list is the same."""
    service.build(write_skill(tmp_path, "alpha"))
    pulled = service.build(write_skill(tmp_path, "beta"))
    service.layout.tag("pulled", pulled.digest)
    service.layout.untag("beta")
    before = service.list_builds()
    for digest in list(service.layout.blobs):
        if digest != before[0].digest:
            service.layout.blobs.delete(digest)
    assert service.list_builds() == before
    assert [build.tag for build in before] == ["alpha"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (
            {
                "dev.toolhive.skills.name": "x",
                "dev.toolhive.skills.description": "y",
                "dev.toolhive.skills.version": "z",
            },
            ("x", "y", "z"),
        ),
        ({}, ("", "", "")),
        (None, ("", "", "")),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_root_without_annotations_is_described_by_its_config(
    service: SkillService,
    labels: dict[str, str] | None,
    expected: tuple[str, str, str],
    *,
    nested: bool,
) -> None:
    """Where the root has no name, it is taken from the config labels of the first manifest."""
    layout = service.layout
    config = put_config(layout, labels)
    root = layout.put_manifest(Manifest(artifact_type=SKILL, config=config))
    if nested:
        root = layout.put_manifest(Index(artifact_type=SKILL, manifests=[root]))
    layout.tag("t", root, annotations=MARK)
    (build,) = service.list_builds()
    assert (build.name, build.description, build.version) == expected


def test_an_index_is_described_by_its_first_manifest(service: SkillService) -> None:
    """Of an index for several platforms, the config of the first manifest has the metadata."""
    layout = service.layout
    manifests = [
        layout.put_manifest(
            Manifest(
                artifact_type=SKILL, config=put_config(layout, {"dev.toolhive.skills.name": name})
            )
        )
        for name in ("first", "second")
    ]
    root = layout.put_manifest(Index(artifact_type=SKILL, manifests=manifests))
    layout.tag("t", root, annotations=MARK)
    assert [build.name for build in service.list_builds()] == ["first"]


def put_twice(layout: Layout, tag: str) -> list[Descriptor]:
    """Give one name to two builds, as a program does that only appends entries."""
    roots = [
        layout.put_manifest(
            Manifest(artifact_type=SKILL, config=put_config(layout), annotations={"n": name})
        )
        for name in "12"
    ]
    for number, root in enumerate(roots):
        layout.tag(f"{number}", root, annotations=MARK)
    path = layout.path / "index.json"
    path.write_text(path.read_text().replace('"0"', f'"{tag}"').replace('"1"', f'"{tag}"'))
    return roots


def test_of_two_builds_with_one_name_the_later_is_listed(service: SkillService) -> None:
    """The digest is that of the last entry."""
    _, later = put_twice(service.layout, "t")
    assert [(build.tag, build.digest) for build in service.list_builds()] == [("t", later.digest)]


class TestMayRetag:
    """Whether a tag moves to content that was not built here."""

    def test_a_tag_that_has_the_content_is_not_moved(self, service: SkillService) -> None:
        """Neither a build nor a pulled tag changes when the same content is copied again."""
        root = service.layout.put_manifest(Index())
        for noted in (MARK, {}):
            service.layout.tag("t", root, annotations=noted)
            entries = service.layout.entries(name="t")
            for replace in (False, True):
                assert may_retag(entries, "t", root, replace=replace) is False

    def test_other_content_takes_a_free_or_pulled_tag(self, service: SkillService) -> None:
        layout = service.layout
        root, other = layout.put_manifest(Index()), Descriptor.of(b"other", OCI_CONFIG)
        assert may_retag((), "t", root, replace=False) is True
        layout.tag("t", root)
        assert may_retag(layout.entries(name="t"), "t", other, replace=False) is True

    def test_other_content_takes_the_tag_of_a_build_only_with_replace(
        self, service: SkillService
    ) -> None:
        """The error has the digests of the last build and of the other content."""
        _, later = put_twice(service.layout, "t")
        entries = service.layout.entries(name="t")
        other = Descriptor.of(b"other", OCI_CONFIG)
        with pytest.raises(LocalBuildConflictError) as caught:
            may_retag(entries, "t", other, replace=False)
        assert caught.value.local_digest == later.digest
        assert caught.value.remote_digest == other.digest
        assert may_retag(entries, "t", other, replace=True) is True

    def test_an_ambiguous_tag_that_includes_the_content_is_moved(
        self, service: SkillService
    ) -> None:
        """Copied content makes the tag unambiguous, unless a build would lose it."""
        first, _ = put_twice(service.layout, "t")
        entries = service.layout.entries(name="t")
        with pytest.raises(LocalBuildConflictError):
            may_retag(entries, "t", first, replace=False)
        assert may_retag(entries, "t", first, replace=True) is True


def test_a_build_whose_config_cannot_be_read_is_listed_without_metadata(
    service: SkillService,
) -> None:
    """Missing, damaged or foreign content below the root empties the fields, not the list."""
    layout = service.layout
    missing = Descriptor.of(b"gone", OCI_CONFIG)
    foreign = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    roots: list[Manifest | Index] = [
        Manifest(artifact_type=SKILL, config=missing),
        Manifest(artifact_type=SKILL, config=foreign),
        Index(artifact_type=SKILL, manifests=[]),
        Index(artifact_type=SKILL, manifests=[foreign]),
    ]
    for number, root in enumerate(roots):
        layout.tag(f"t{number}", layout.put_manifest(root), annotations=MARK)
    found = service.list_builds()
    assert [build.tag for build in found] == ["t0", "t1", "t2", "t3"]
    assert {(build.name, build.description, build.version) for build in found} == {("", "", "")}


@pytest.mark.parametrize("value", ["True", "TRUE", "1", "", "false", " true"])
def test_only_true_is_the_mark(service: SkillService, tmp_path: Path, value: str) -> None:
    """Any other value of the annotation does not list the name."""
    built = service.build(write_skill(tmp_path, "alpha"))
    service.layout.tag("alpha", built.digest, annotations={LOCAL_BUILD: value})
    assert service.list_builds() == []


def test_a_marked_tag_that_is_not_a_skill_is_not_listed(service: SkillService) -> None:
    """The root must exist and have the artifact type of skills."""
    layout = service.layout
    config = put_config(layout)
    layout.tag("image", layout.put_manifest(Manifest(config=config)), annotations=MARK)
    layout.tag("blob", layout.blobs.put(b"x", media_type="a/b"), annotations=MARK)
    root = layout.put_manifest(Manifest(artifact_type=SKILL, config=config))
    layout.tag("damaged", root, annotations=MARK)
    layout.blobs.path(root.digest).write_bytes(b"?" * root.size)
    assert service.list_builds() == []


def duplicate(path: Path, entries: list[dict[str, object]]) -> None:
    """Add entries to an index as another program might."""
    document = json.loads((path / "index.json").read_text())
    document["manifests"].extend(entries)
    (path / "index.json").write_text(json.dumps(document))


def test_every_entry_of_a_tag_must_be_marked(service: SkillService, tmp_path: Path) -> None:
    """A name with a marked and an unmarked entry is not listed, with marked ones it is."""
    built = service.build(write_skill(tmp_path, "alpha"))
    (entry,) = json.loads((tmp_path / "store" / "index.json").read_text())["manifests"]
    duplicate(tmp_path / "store", [entry])
    service = SkillService.open(tmp_path / "store", durability="none")
    assert [build.digest for build in service.list_builds()] == [built.digest]
    plain = {**entry, "annotations": {"org.opencontainers.image.ref.name": "alpha"}}
    duplicate(tmp_path / "store", [plain])
    service = SkillService.open(tmp_path / "store", durability="none")
    assert service.list_builds() == []
    with pytest.raises(NotALocalBuildError):
        service.delete_build("alpha")


def test_deleting_a_build_keeps_shared_blobs(service: SkillService, tmp_path: Path) -> None:
    """The child manifest, config and layer that another name needs stay whole."""
    built = service.build(write_skill(tmp_path, "alpha"))
    child = next(
        found
        for found in service.layout.walk(service.layout.resolve("alpha"))
        if found.digest != built.digest
    )
    service.layout.tag("child", child)
    service.delete_build("alpha")
    assert service.layout.tags() == ("child",)
    parts = list(service.layout.walk(service.layout.resolve("child")))
    assert len(parts) == 3
    for part in parts:
        service.layout.blobs.read(part)
    assert sorted(service.layout.blobs) == sorted(part.digest for part in parts)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("shared", ["child", "config", "layer"])
def test_deleting_a_build_leaves_roots_that_share_blobs_complete(
    service: SkillService,
    tmp_path: Path,
    shared: str,
    named: bool,  # noqa: FBT001 # a parameter
) -> None:
    """Another root that shares any part, tagged or not, can be read in full afterwards."""
    layout = service.layout
    service.build(write_skill(tmp_path, "alpha"))
    child, config, layer, *_ = list(layout.walk(layout.resolve("alpha")))[1:]
    assert (config.media_type, layer.media_type) == (OCI_CONFIG, OCI_LAYER_GZIP)
    empty = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    others: dict[str, Manifest | Index] = {
        "child": Index(manifests=[child]),
        "config": Manifest(config=config, layers=[empty]),
        "layer": Manifest(config=empty, layers=[layer]),
    }
    root = layout.put_manifest(others[shared])
    with layout.edit() as edit:
        if named:
            edit.tag("stays", root)
        else:
            edit.add(root)
    service.delete_build("alpha")
    parts = list(layout.walk(root))
    assert all(layout.blobs.read(part) is not None for part in parts)
    assert set(layout.blobs) == {empty.digest, *(part.digest for part in parts)}
    assert [entry.name for entry in layout.entries()] == ["stays" if named else None]


def test_deleting_the_last_build_leaves_nothing(service: SkillService, tmp_path: Path) -> None:
    """Blobs that only the build used are deleted, with its entry in the index."""
    service.build(write_skill(tmp_path, "alpha"))
    service.delete_build("alpha")
    assert service.layout.entries() == ()
    assert list(service.layout.blobs) == []


def test_a_build_under_two_tags_is_deleted_one_by_one(
    service: SkillService, tmp_path: Path
) -> None:
    """Deleting one tag of a digest leaves the other listed and whole."""
    skill = write_skill(tmp_path, "alpha")
    service.build(skill)
    service.build(skill, tag="second")
    service.delete_build("alpha")
    assert [build.tag for build in service.list_builds()] == ["second"]
    for part in service.layout.walk(service.layout.resolve("second")):
        service.layout.blobs.read(part)


@pytest.mark.parametrize("tag", ["nothing", "pulled", "sha256:" + "0" * 64, ""])
def test_only_local_builds_are_deleted(service: SkillService, tmp_path: Path, tag: str) -> None:
    """A name that was pulled, a digest and an unknown name are refused, and nothing changes."""
    built = service.build(write_skill(tmp_path, "alpha"))
    service.layout.tag("pulled", built.digest)
    with pytest.raises(NotALocalBuildError, match="not a local build"):
        service.delete_build(tag)
    assert service.layout.tags() == ("alpha", "pulled")


def test_a_build_over_a_build_keeps_the_old_content(service: SkillService, tmp_path: Path) -> None:
    """The name is listed with the new digest, the old content stays without name and mark."""
    old = service.build(write_skill(tmp_path, "alpha", "1"))
    new = service.build(write_skill(tmp_path, "alpha", "2"))
    assert [(build.tag, build.digest) for build in service.list_builds()] == [("alpha", new.digest)]
    entries = service.layout.entries()
    assert [(entry.name, entry.descriptor.digest) for entry in entries] == [
        (None, old.digest),
        ("alpha", new.digest),
    ]
    assert entries[0].annotations == {}
    for part in service.layout.walk(entries[0].descriptor):
        service.layout.blobs.read(part)


def test_an_adopted_tag_is_listed(service: SkillService, tmp_path: Path) -> None:
    """A skill without the mark is listed after it was adopted, and keeps its other annotations."""
    built = service.build(write_skill(tmp_path, "alpha"))
    service.layout.tag("alpha", built.digest, annotations={"com.example.note": "x"})
    assert service.list_builds() == []
    service.adopt("alpha")
    assert [build.tag for build in service.list_builds()] == ["alpha"]
    assert service.layout.entry("alpha").annotations == {"com.example.note": "x", **MARK}
    assert service.layout.resolve("alpha").digest == built.digest


def test_adopting_is_refused(service: SkillService, tmp_path: Path) -> None:
    """A tag that is missing, ambiguous, or not a skill is refused, with the reason."""
    layout = service.layout
    layout.tag("image", layout.put_manifest(Manifest(config=put_config(layout))))
    with pytest.raises(NotASkillError, match="artifact type"):
        service.adopt("image")
    with pytest.raises(ReferenceNotFoundError, match="adopt"):
        service.adopt("nothing")
    with pytest.raises(InvalidNameError):
        service.adopt("")
    first = service.build(write_skill(tmp_path, "alpha", "1"))
    second = service.build(write_skill(tmp_path, "alpha", "2"), tag="other")
    service.layout.tag("alpha", first.digest)
    entry = {
        "mediaType": layout.resolve("other").media_type,
        "digest": str(second.digest),
        "size": layout.resolve("other").size,
        "annotations": {"org.opencontainers.image.ref.name": "alpha"},
    }
    duplicate(tmp_path / "store", [entry])
    with pytest.raises(AmbiguousReferenceError):
        SkillService.open(tmp_path / "store", durability="none").adopt("alpha")


def test_a_tag_that_is_removed_during_the_listing_is_left_out(
    service: SkillService, tmp_path: Path
) -> None:
    """The list holds no name whose mark was taken away in between."""
    built = service.build(write_skill(tmp_path, "alpha"))

    class Racing(Layout):
        """A layout whose marked name is pulled right after the names were asked for."""

        def tags(self, *, annotations: object = None) -> tuple[str, ...]:
            del annotations
            found = super().tags(annotations=MARK)
            Layout.open(self.path).tag("alpha", Digest.parse(built.digest))
            return found

    assert SkillService(Racing(tmp_path / "store")).list_builds() == []


def test_a_sparse_config_hides_no_build(service: SkillService, tmp_path: Path) -> None:
    """A config of 1 TiB that takes no space on disk costs its own labels, and no memory."""
    layout = service.layout
    service.build(write_skill(tmp_path, "good"), tag="good")
    config = Descriptor(media_type=OCI_CONFIG, digest="sha256:" + "0" * 64, size=2**40)
    path = layout.blobs.path(config.digest)
    path.write_bytes(b"")
    try:
        os.truncate(path, 2**40)
    except OSError:
        pytest.skip("the file system has no files with holes of this size")
    root = layout.put_manifest(Manifest(artifact_type=SKILL, config=config, layers=[]))
    layout.tag("huge", root, annotations=MARK)
    assert [(build.tag, build.name) for build in service.list_builds()] == [
        ("good", "good"),
        ("huge", ""),
    ]
    layer = layout.blobs.put(b"x", media_type=OCI_LAYER_GZIP)
    layout.tag(
        "huge",
        layout.put_manifest(Manifest(artifact_type=SKILL, config=config, layers=[layer])),
        annotations=MARK,
    )
    with pytest.raises(NotASkillError, match="its config cannot be read"):
        service.get_content("huge")


# ---------------------------------------------------------------- not a reference name


def write_entries(service: SkillService, *entries: tuple[Digest, dict[str, str]]) -> None:
    """Let the root index have these entries, as another program may write them."""
    path = service.layout.path / "index.json"
    document = json.loads(path.read_bytes())
    known = {entry["digest"]: entry for entry in document["manifests"]}
    document["manifests"] = [{**known[digest], "annotations": noted} for digest, noted in entries]
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("built", "pulled"),
    [
        ({REF_NAME: "b"}, {REF_NAME: "p", CONTAINERD_IMAGE_NAME: "b"}),
        ({REF_NAME: "b", CONTAINERD_IMAGE_NAME: "p"}, {REF_NAME: "p"}),
        ({REF_NAME: "b", CONTAINERD_IMAGE_NAME: "p"}, {CONTAINERD_IMAGE_NAME: "p"}),
        ({REF_NAME: "PULLED"}, {REF_NAME: "p"}),
        ({REF_NAME: "p@PULLED"}, {REF_NAME: "p"}),
        ({REF_NAME: "p"}, {REF_NAME: "p", CONTAINERD_IMAGE_NAME: "p"}),
        ({REF_NAME: "p", CONTAINERD_IMAGE_NAME: "p"}, {REF_NAME: "p"}),
    ],
    ids=["full", "other full", "both full", "digest", "pinned", "pulled full", "built full"],
)
def test_a_pulled_artifact_is_never_deleted_or_listed_as_a_build(
    service: SkillService, tmp_path: Path, built: dict[str, str], pulled: dict[str, str]
) -> None:
    """No full name, digest or NAME@DIGEST makes a pulled entry pass for the build of its name."""
    ours = service.build(write_skill(tmp_path, "alpha"), tag="one").digest
    theirs = service.build(write_skill(tmp_path, "beta"), tag="two").digest
    named = {key: text.replace("PULLED", theirs) for key, text in built.items()}
    write_entries(service, (ours, {**named, **MARK}), (theirs, pulled))
    refs = ["b", "p", str(theirs), f"p@{theirs}", f"b@{theirs}", f"p@{ours}", named[REF_NAME]]
    assert theirs not in {build.digest for build in service.list_builds()}
    for ref in refs:
        with suppress(OciLayoutError, SkillError):
            service.delete_build(ref)
        assert [entry.descriptor.digest for entry in service.layout.entries()][-1] == theirs
        assert {entry.descriptor.digest for entry in service.layout.entries()} <= {ours, theirs}
        assert theirs in service.layout.blobs


def test_content_that_was_pulled_is_not_bound_by_a_full_name_alone(
    service: SkillService, tmp_path: Path
) -> None:
    """Whether a reference is bound is asked of its reference name; a full name binds nothing."""
    theirs = service.build(write_skill(tmp_path, "beta"), tag="two").digest
    content = service.layout.resolve(theirs)
    write_entries(service, (theirs, {CONTAINERD_IMAGE_NAME: "ghcr.io/org/beta:v1", **MARK}))
    with service.layout.edit() as edit:
        edit.tag(
            "ghcr.io/org/beta:v1",
            content,
            when=lambda root: may_retag(
                root.named("ghcr.io/org/beta:v1"), "ghcr.io/org/beta:v1", content, replace=False
            ),
        )
    assert service.layout.tags() == ("ghcr.io/org/beta:v1",)
    assert service.list_builds() == []
