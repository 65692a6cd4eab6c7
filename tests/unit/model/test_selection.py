"""Which manifest of an index is selected for a platform."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ocilayout import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    AmbiguousReferenceError,
    BlobNotFoundError,
    Descriptor,
    DocumentError,
    Index,
    Layout,
    Manifest,
    Platform,
    ReferenceNotFoundError,
)
from ocilayout.model.selection import choose, platform_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def select(
    root: Descriptor, platform: Platform | str, read: Callable[[Descriptor], bytes]
) -> Descriptor:
    """Return the manifest for a platform that one root means."""
    return choose(root.digest, [root], platform, read)[0]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def put_image(
    layout: Layout, note: str, *, config: bytes = b"{}", config_type: str = OCI_EMPTY
) -> Descriptor:
    """Store a manifest that differs from others by a note."""
    return layout.put_manifest(
        Manifest(
            config=layout.blobs.put(config, media_type=config_type), annotations={"note": note}
        )
    )


def at(descriptor: Descriptor, platform: Platform | str | None) -> Descriptor:
    """Describe content with a platform, as an index does."""
    if isinstance(platform, str):
        platform = Platform.parse(platform)
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        platform=platform,
        annotations={"x": "y"},
    )


def put_index(layout: Layout, *platforms: Platform | str | None) -> Descriptor:
    """Store an index with a manifest for each platform; the manifest's note is its place."""
    return layout.put_manifest(
        Index(
            manifests=[
                at(put_image(layout, str(place)), platform)
                for place, platform in enumerate(platforms)
            ]
        )
    )


def chosen(layout: Layout, root: Descriptor, platform: Platform | str) -> int:
    """Return the note of the selected manifest."""
    found = select(root, platform, layout.blobs.read)
    assert found == found.plain()
    return int(layout.read_manifest(found).annotations["note"])


@pytest.mark.spec("image-index:variant", "image-index:first-match", "image-index:platform-values")
@pytest.mark.parametrize(
    ("offered", "wanted", "place"),
    [
        (["linux/amd64", "linux/arm64"], "linux/arm64", 1),
        (["linux/amd64", "windows/amd64"], "windows/amd64", 1),
        # the first of equals
        (["linux/amd64", "linux/amd64"], "linux/amd64", 0),
        # no variant is v7 for arm, v8 for arm64, v1 for amd64
        (["linux/arm/v6", "linux/arm/v7", "linux/arm/v8"], "linux/arm", 1),
        (["linux/arm/v6", "linux/arm"], "linux/arm/v7", 1),
        (["linux/arm64/v8"], "linux/arm64", 0),
        (["linux/arm64"], "linux/arm64/v8", 0),
        (["linux/amd64/v2", "linux/amd64"], "linux/amd64", 1),
        # the newest variant that the processor takes
        (["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], "linux/arm/v6", 1),
        (["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v3", 1),
        (["linux/arm64/v8", "linux/arm64/v8.5", "linux/arm64/v9"], "linux/arm64/v8.6", 1),
        (["linux/arm64/v8.9", "linux/arm64/v8.5"], "linux/arm64/v9", 1),
        (["linux/arm/7"], "linux/arm/v7", 0),
        # the exact variant before an older one, and that before none
        (["linux/ppc64le", "linux/ppc64le/power9"], "linux/ppc64le/power9", 1),
        (["linux/ppc64le", "linux/ppc64le/power8"], "linux/ppc64le/power9", 1),
        (["linux/riscv64", "linux/riscv64/rva22u64"], "linux/riscv64/rva22u64", 1),
        (["linux/mips64le", "linux/mips64le/softfloat"], "linux/mips64le/softfloat", 1),
        (["linux/riscv64/rva20u64", "linux/riscv64"], "linux/riscv64", 1),
        # two spellings of one platform are equals
        (["linux/arm64/v8", "linux/aarch64"], "linux/arm64", 0),
        (["linux/arm", "linux/armhf"], "linux/arm/v7", 0),
        (["linux/ppc64le/power8", "linux/ppc64le/power9"], "linux/ppc64le/power9", 1),
        (["linux/riscv64"], "linux/riscv64/rva23u64", 0),
    ],
)
def test_the_best_fit_is_selected(
    layout: Layout, offered: list[str], wanted: str, place: int
) -> None:
    """System and architecture are the wanted ones, the variant is the newest that fits."""
    assert chosen(layout, put_index(layout, *offered), wanted) == place


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        (["linux/amd64"], "linux/arm64"),
        (["linux/amd64"], "windows/amd64"),
        (["linux/arm/v7"], "linux/arm64"),  # no step from one architecture to another
        (["linux/arm/v8"], "linux/arm"),
        (["linux/amd64/v3"], "linux/amd64"),
        (["linux/ppc64le/power9"], "linux/ppc64le"),
        (["linux/ppc64le/power9"], "linux/ppc64le/power8"),
        (["unknown/unknown"], "linux/amd64"),
        ([], "linux/amd64"),
    ],
)
def test_platforms_that_do_not_fit_are_refused(
    layout: Layout, offered: list[str], wanted: str
) -> None:
    """The error names the wanted platform and those in the index."""
    root = put_index(layout, *offered)
    with pytest.raises(ReferenceNotFoundError) as caught:
        select(root, wanted, layout.blobs.read)
    assert wanted in str(caught.value)
    assert (", ".join(offered) or "no platforms") in str(caught.value)


@pytest.mark.spec("image-index:os-version", "config:os-version")
def test_a_version_of_the_system_counts_if_it_is_wanted(layout: Layout) -> None:
    """It is the wanted one or begins with it; `10.0.17763` does not begin with `10.0.1`."""
    versions = ["10.0.14393.1", "10.0.17763.5820", None]
    root = put_index(
        layout, *(Platform(os="windows", architecture="amd64", os_version=v) for v in versions)
    )

    def place(version: str | None) -> int:
        wanted = Platform(os="windows", architecture="amd64", os_version=version)
        return chosen(layout, root, wanted)

    assert place("10.0.17763") == place("10.0.17763.5820") == 1
    assert place(None) == 0
    for version in ("10.0.1", "10.0.17763.58"):
        with pytest.raises(ReferenceNotFoundError):
            place(version)


@pytest.mark.spec("image-index:os-features")
def test_features_are_mandatory(layout: Layout) -> None:
    """A manifest that needs a feature which is not wanted is not selected, even if it is alone."""
    root = put_index(
        layout,
        Platform(os="windows", architecture="amd64", os_features=("win32k", "x")),
        Platform(os="windows", architecture="amd64", os_features=("win32k",)),
        Platform(os="windows", architecture="amd64"),
    )
    assert chosen(layout, root, "windows/amd64") == 2
    wanted = Platform(os="windows", architecture="amd64", os_features=("win32k",))
    assert chosen(layout, root, wanted) == 1
    alone = put_index(layout, wanted)
    with pytest.raises(ReferenceNotFoundError, match=r"it has windows\(\+win32k\)/amd64"):
        select(alone, "windows/amd64", layout.blobs.read)


@pytest.mark.spec("image-index:nested", "image-index:consumers")
def test_an_index_in_an_index_is_searched(layout: Layout) -> None:
    """The platform of an inner index is that of its manifests which have none of their own."""
    silent = put_index(layout, None)
    inner = put_index(layout, "linux/s390x", "linux/arm64")
    root = layout.put_manifest(
        Index(manifests=[at(silent, "linux/amd64"), at(inner, None), at(inner, None)])
    )
    assert chosen(layout, root, "linux/arm64") == 1
    assert chosen(layout, root, "linux/amd64") == 0
    lone = layout.put_manifest(Index(manifests=[at(put_image(layout, "7"), "linux/amd64")]))
    assert chosen(layout, lone, "linux/amd64") == 7


def test_a_sparse_layout_is_searched(layout: Layout) -> None:
    """A missing inner index, manifest or config is skipped; the root must exist."""
    gone = put_index(layout, "linux/amd64")
    silent = put_image(layout, "1")
    bare = put_image(layout, "2", config=b"[]", config_type=OCI_CONFIG)
    here = put_image(layout, "3", config=b'{"os":"linux","architecture":"amd64"}',
                     config_type=OCI_CONFIG)  # fmt: skip
    root = layout.put_manifest(Index(manifests=[gone, silent, bare, here]))
    layout.blobs.delete(gone.digest)
    layout.blobs.delete(silent.digest)
    layout.blobs.delete(layout.read_manifest(bare).config.digest)  # type: ignore[union-attr]
    assert chosen(layout, root, "linux/amd64") == 3
    layout.blobs.delete(root.digest)
    with pytest.raises(BlobNotFoundError):
        select(root, "linux/amd64", layout.blobs.read)


@pytest.mark.spec("manifest:config-type", "manifest:unknown-config")
@pytest.mark.parametrize(
    ("config", "config_type", "fits"),
    [
        ({"os": "linux", "architecture": "arm", "variant": "v6"}, OCI_CONFIG, True),
        ({"os": "linux", "architecture": "arm"}, DOCKER_CONFIG, True),
        ({"os": "linux", "architecture": "arm", "variant": "v8"}, OCI_CONFIG, False),
        ({"os": "linux"}, OCI_CONFIG, False),
        ({"os": "linux", "architecture": 7}, OCI_CONFIG, False),
        ({"os": "linux", "architecture": "arm"}, OCI_EMPTY, False),
    ],
)
def test_the_platform_of_a_manifest_is_in_its_config(
    layout: Layout, config: dict[str, object], config_type: str, *, fits: bool
) -> None:
    """The config is read, whether the manifest is in an index or not."""
    data = json.dumps({**config, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    image = put_image(layout, "5", config=data, config_type=config_type)
    root = layout.put_manifest(Index(manifests=[image]))
    for given in (image, root):
        if fits:
            assert chosen(layout, given, "linux/arm/v7") == 5
        else:
            with pytest.raises(ReferenceNotFoundError):
                select(given, "linux/arm/v7", layout.blobs.read)


@pytest.mark.parametrize("empty", [("", ""), ("linux", ""), ("", "amd64")])
def test_an_empty_platform_is_looked_up_in_the_config(
    layout: Layout, empty: tuple[str, str]
) -> None:
    """It says no more than a missing one; an empty one in the config says nothing either."""
    config = b'{"os":"linux","architecture":"arm64"}'
    system, architecture = empty
    image = put_image(layout, "1", config=config, config_type=OCI_CONFIG)
    platform = Platform(os=system, architecture=architecture)
    root = layout.put_manifest(Index(manifests=[at(image, platform)]))
    assert chosen(layout, root, "linux/arm64") == 1
    silent = put_image(layout, "2", config=b'{"os":"","architecture":""}', config_type=OCI_CONFIG)
    with pytest.raises(ReferenceNotFoundError, match="it has no platforms"):
        select(silent, "linux/arm64", layout.blobs.read)


def test_an_index_in_an_index_with_an_empty_platform(layout: Layout) -> None:
    """The platform of the inner index is that of a manifest whose own is empty."""
    empty = Platform(os="", architecture="")
    inner = put_index(layout, empty)
    root = layout.put_manifest(Index(manifests=[at(inner, "linux/s390x")]))
    assert chosen(layout, root, "linux/s390x") == 0


def test_the_platform_in_an_index_counts_more_than_the_config(layout: Layout) -> None:
    """A config is read only where no platform in the index fits."""
    config = b'{"os":"linux","architecture":"amd64"}'
    silent = put_image(layout, "1", config=config, config_type=OCI_CONFIG)
    said = put_image(layout, "2")
    root = layout.put_manifest(Index(manifests=[silent, at(said, "linux/amd64")]))
    assert chosen(layout, root, "linux/amd64") == 2


def test_docker_lists_are_indexes(layout: Layout) -> None:
    """A manifest list is searched like an index."""
    child = at(put_image(layout, "4"), "linux/amd64")
    listed = layout.put_manifest(Index(media_type=DOCKER_INDEX, manifests=[child]))
    assert listed.media_type == DOCKER_INDEX != OCI_INDEX
    assert chosen(layout, listed, "linux/amd64") == 4


def test_content_that_is_not_an_image_has_no_platform(layout: Layout) -> None:
    """A blob fits no platform."""
    blob = layout.blobs.put(b"x", media_type="text/plain")
    with pytest.raises(ReferenceNotFoundError):
        select(blob, "linux/amd64", layout.blobs.read)


def test_a_text_that_is_not_a_platform_is_refused_before_a_blob_is_read(layout: Layout) -> None:
    missing = Descriptor.of(b"x", OCI_INDEX)
    with pytest.raises(DocumentError, match="is not a valid platform"):
        select(missing, "linux/*", layout.blobs.read)


class TestChoose:
    """Roots that are one image index together."""

    def roots(self, layout: Layout, *platforms: Platform | str | None) -> list[Descriptor]:
        return [
            at(put_image(layout, str(place)), platform) for place, platform in enumerate(platforms)
        ]

    def test_the_manifest_and_its_root_are_returned(self, layout: Layout) -> None:
        """A root is a manifest with a platform of its own, or an index."""
        index = put_index(layout, "linux/s390x", "linux/arm64")
        roots = [*self.roots(layout, "linux/amd64", "linux/riscv64"), index]
        found = choose("x", roots, "linux/x86_64", layout.blobs.read)
        assert found == (roots[0].plain(), roots[0])
        manifest, root = choose("x", roots, "linux/arm64", layout.blobs.read)
        assert root == index
        assert isinstance(inside := layout.read_manifest(index), Index)
        assert manifest == inside.manifests[1].plain()

    def test_the_first_of_equals_is_not_meant(self, layout: Layout) -> None:
        """The error shows digests and platforms; a better one of two is chosen."""
        first, second, third = self.roots(layout, "linux/arm/v7", "linux/armhf", "linux/arm/v8")
        with pytest.raises(AmbiguousReferenceError) as caught:
            choose("v1", [first, second, third], "linux/arm/v7", layout.blobs.read)
        assert caught.value.digests == (first.digest, second.digest)
        assert caught.value.platforms == ("linux/arm/v7", "linux/arm/v7")
        for root in (first, second):
            assert f"{root.digest} (linux/arm/v7)" in str(caught.value)
        found = choose("v1", [first, second, third], "linux/arm/v8", layout.blobs.read)
        assert found[1] == third

    def test_equal_roots_are_one(self, layout: Layout) -> None:
        """So are two platforms of one manifest."""
        (root,) = self.roots(layout, "linux/amd64")
        other = at(root, "linux/arm64")
        roots = [root, root, other, at(root, "linux/x86_64")]
        for platform in ("linux/amd64", "linux/arm64"):
            found = choose("v1", roots, platform, layout.blobs.read)[0]
            assert found == root.plain()

    def test_what_fits_nothing_is_named(self, layout: Layout) -> None:
        roots = self.roots(layout, "linux/amd64", "windows(10.0.1+x)/amd64", None)
        with pytest.raises(ReferenceNotFoundError) as caught:
            choose("v1", roots, "windows/amd64", layout.blobs.read)
        assert str(caught.value) == (
            "v1 has nothing for windows/amd64; it has linux/amd64, windows(10.0.1+x)/amd64"
        )


def test_the_platform_of_content_as_text(layout: Layout) -> None:
    """It is in the descriptor or in the config, and empty where neither can be read."""
    config = b'{"os":"linux","architecture":"aarch64"}'
    image = put_image(layout, "1", config=config, config_type=OCI_CONFIG)
    assert platform_text(image, layout.blobs.read) == "linux/arm64"
    assert platform_text(at(image, "linux/s390x"), layout.blobs.read) == "linux/s390x"
    assert platform_text(put_index(layout, "linux/s390x"), layout.blobs.read) == ""
    path = layout.path / "blobs" / "sha256" / image.digest.encoded
    path.write_bytes(b"damaged")
    assert platform_text(image, layout.blobs.read) == ""


class TestMissing:
    """What the source does not have is not chosen where something that it has fits."""

    @pytest.mark.spec("image-layout:missing-blobs")
    @pytest.mark.parametrize(
        ("offered", "missing", "wanted", "place"),
        [
            (["linux/arm/v7", "linux/arm/v6"], [0], "linux/arm/v7", 1),
            (["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], [1, 2], "linux/arm/v7", 0),
            (["linux/amd64/v3", "linux/amd64"], [0], "linux/amd64/v3", 1),
            (["linux/arm64", "linux/arm64"], [0], "linux/arm64", 1),
            (
                ["windows(10.0.20348.2)/amd64", "windows(10.0.20348.1)/amd64"],
                [0],
                "windows/amd64",
                1,
            ),
            (["linux/arm/v7", "linux/arm/v6"], [1], "linux/arm/v7", 0),
            (["linux/arm/v7", "linux/arm/v6"], [0, 1], "linux/arm/v7", 0),
        ],
    )
    def test_what_is_there_is_chosen(
        self, layout: Layout, offered: list[str], missing: list[int], wanted: str, place: int
    ) -> None:
        """The best of what is there is chosen, and the best of all only if nothing is there."""
        root = put_index(layout, *offered)
        index = layout.read_manifest(root)
        assert isinstance(index, Index)
        for one in missing:
            layout.blobs.delete(index.manifests[one].digest)
        assert select(root, wanted, layout.blobs.read) == index.manifests[place].plain()

    def test_a_platform_in_a_config(self, layout: Layout) -> None:
        """What says its platform in the config is chosen where what the index says is missing."""
        config = b'{"os": "linux", "architecture": "arm64"}'
        there = put_image(layout, "0", config=config, config_type=OCI_CONFIG)
        gone = put_image(layout, "1")
        root = layout.put_manifest(Index(manifests=[at(gone, "linux/arm64"), there]))
        assert chosen(layout, root, "linux/arm64") == 1
        layout.blobs.delete(gone.digest)
        assert chosen(layout, root, "linux/arm64") == 0

    def test_a_missing_root(self, layout: Layout) -> None:
        """A root that is missing is not chosen; if nothing else fits, the error is about it."""
        gone = put_index(layout, "linux/amd64")
        layout.blobs.delete(gone.digest)
        there = at(put_image(layout, "x"), "linux/amd64")
        found = choose("name", [gone, there], "linux/amd64", layout.blobs.read)
        assert found == (there.plain(), there)
        with pytest.raises(BlobNotFoundError, match=str(gone.digest)):
            choose("name", [gone, there], "linux/arm64", layout.blobs.read)

    def test_what_is_not_a_manifest_is_not_read(self, layout: Layout) -> None:
        """Only documents are read to see whether they are there: other content may be large."""
        parts = [
            Descriptor(
                media_type="application/x.disk",
                digest=f"sha256:{number:064x}",
                size=2**40,
                platform=Platform.parse("linux/amd64"),
            )
            for number in (1, 2)
        ]
        root = layout.put_manifest(Index(manifests=parts))
        assert select(root, "linux/amd64", layout.blobs.read) == parts[0].plain()

    def test_the_reader_of_a_damaged_manifest_gets_the_error(self, layout: Layout) -> None:
        """A damaged manifest is there, and no other platform is put in its place."""
        root = put_index(layout, "linux/arm/v7", "linux/arm/v6")
        index = layout.read_manifest(root)
        assert isinstance(index, Index)
        layout.blobs.path(index.manifests[0].digest).write_bytes(b"x" * index.manifests[0].size)
        assert select(root, "linux/arm/v7", layout.blobs.read) == index.manifests[0].plain()
