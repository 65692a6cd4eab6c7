"""The row of an entry in a listing."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout import (
    CREATED,
    DOCKER_CONFIG,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Digest,
    FrozenMap,
    Index,
    Layout,
    Manifest,
    Platform,
)
from ocilayout.cli.listing import Row, age_text, row_of
from ocilayout.cli.operand import Root
from ocilayout.model.limit import MAX_DOCUMENT

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


def put(
    layout: Layout, config: bytes, media_type: str = OCI_CONFIG, **properties: Any
) -> Descriptor:
    """Store a manifest with a config of these bytes."""
    descriptor = layout.blobs.put(config, media_type=media_type)
    return layout.put_manifest(Manifest(config=descriptor, **properties))


def row(layout: Layout, descriptor: Descriptor, **annotations: str) -> Row:
    noted = FrozenMap({CREATED: annotations["created"]} if annotations else {})
    return row_of(layout, Root(name="v1", ref="v1", descriptor=descriptor, annotations=noted))


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(milliseconds=900), "now"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=59), "59 seconds"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=30), "30 days"),
        (timedelta(days=31), "1 month"),
        (timedelta(days=366), "1 year"),
        (timedelta(days=800), "2 years"),
    ],
)
def test_ages(ago: timedelta, text: str) -> None:
    """An age is shown in its largest unit, rounded down."""
    assert age_text(NOW - ago, NOW) == text


@pytest.mark.parametrize(
    "time",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime(1979, 12, 31, tzinfo=UTC),
        datetime(1980, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime(1, 1, 2, tzinfo=UTC),
    ],
)
def test_a_time_of_reproducible_builds_has_no_age(layout: Layout, time: datetime) -> None:
    """A dash is shown for the epoch of Unix or of DOS, whoever says it; programs get the time."""
    config = b'{"os":"x","architecture":"y","rootfs":{"type":"layers"},"created":"%s"}'
    said = row(layout, put(layout, config % time.isoformat().encode()))
    assert "-" in said.cells(NOW)
    assert not any("year" in cell for cell in said.cells(NOW))
    assert said.data()["created"] == time.isoformat()
    undated = put(layout, b"{}")
    os.utime(layout.blobs.path(undated.digest), (1, 1))
    assert "-" in row(layout, undated).cells(NOW)


def test_who_says_when(layout: Layout) -> None:
    """The time is that of the entry, else of the document, the config, or the file."""
    config = b'{"os":"x","architecture":"y","rootfs":{"type":"layers","diff_ids":[]},"created":'
    dated = put(layout, config + b'"2021-01-01T00:00:00Z"}', annotations={CREATED: "2022-01-01"})
    plain = put(layout, config + b'"2021-01-01T00:00:00.123456789+02:00"}')
    zero = put(layout, config + b'"0001-01-01T00:00:00Z"}')
    os.utime(layout.blobs.path(zero.digest), (0, 0))
    found = [
        (said.created_from, None if said.created is None else said.created.isoformat())
        for said in (
            row(layout, dated, created="2023-01-01T00:00:00Z"),
            row(layout, dated, created="yesterday"),
            row(layout, plain),
            row(layout, zero),
        )
    ]
    assert found == [
        ("entry", "2023-01-01T00:00:00+00:00"),
        ("document", "2022-01-01T00:00:00+00:00"),
        ("config", "2021-01-01T00:00:00.123456+02:00"),
        ("file", "1970-01-01T00:00:00+00:00"),
    ]


def test_a_time_that_is_none(layout: Layout) -> None:
    """A missing file does not have a time."""
    descriptor = put(layout, b"{}")
    layout.blobs.delete(descriptor.digest)
    assert row(layout, descriptor).created is None


def test_platforms(layout: Layout) -> None:
    """An index has the platforms of its manifests, without attestations; a manifest its own."""
    manifest = put(
        layout,
        b'{"os":"linux","architecture":"arm","variant":"v7","rootfs":{"type":"layers","diff_ids":[]}}',
    )
    platforms = [
        Platform(os="linux", architecture="arm", variant="v7"),
        Platform(os="unknown", architecture="unknown"),
        Platform(os="linux", architecture="arm", variant="v7"),
        None,
        *(Platform(os="linux", architecture=name) for name in ("amd64", "arm64", "s390x")),
    ]
    children = [
        Descriptor(media_type=OCI_MANIFEST, digest=manifest.digest, size=manifest.size, platform=p)
        for p in platforms
    ]
    index = row(layout, layout.put_manifest(Index(manifests=children)))
    assert index.platforms == ("linux/arm/v7", "linux/amd64", "linux/arm64", "linux/s390x")
    assert index.cells(NOW)[3] == (
        "linux/arm/v7, linux/amd64, linux/arm64 and 1 more",
        "linux/arm/v7 +3",
    )
    assert row(layout, manifest).platforms == ("linux/arm/v7",)
    assert row(layout, put(layout, b"{}", OCI_EMPTY)).platforms == ()
    # What an entry says counts where the config says nothing.
    assert row(layout, Descriptor(
        media_type=OCI_MANIFEST, digest=(other := put(layout, b"[]")).digest, size=other.size,
        platform=Platform(os="linux", architecture="arm64"),
    )).platforms == ("linux/arm64",)  # fmt: skip


@pytest.mark.parametrize(
    "rest",
    [
        b'"rootfs":{"type":"layers","diff_ids":null},"history":null,"config":null',
        b'"rootfs":{"type":"layers"},"config":{"Labels":null,"Env":null},"os.features":null',
        b'"rootfs":null',
        b'"config":{"Labels":{"a":null}}',
        b'"created":"yesterday"',
        b'"x":0',
    ],
)
def test_the_platform_of_an_odd_config(layout: Layout, rest: bytes) -> None:
    """The platform is shown wherever a copy for a platform finds it."""
    descriptor = put(layout, b'{"os":"linux","architecture":"s390x",' + rest + b"}")
    assert row(layout, descriptor).platforms == ("linux/s390x",)


def test_configs_that_are_not_read(layout: Layout) -> None:
    """A config that is invalid, missing or too large is ignored; a damaged one is an error."""
    odd = put(layout, b"no json", DOCKER_CONFIG)
    assert (row(layout, odd).error, row(layout, odd).missing) == ("", 0)
    absent = put(layout, b"{}")
    layout.blobs.delete(Digest.of(b"{}"))
    assert (row(layout, absent).error, row(layout, absent).missing) == ("", 1)
    large = put(layout, b" " * (MAX_DOCUMENT + 1))
    assert row(layout, large).error == ""
    damaged = put(layout, b"[0]")
    layout.blobs.path(Digest.of(b"[0]")).write_bytes(b"[1]")
    assert "was promised" in row(layout, damaged).error


def test_artifacts(layout: Layout) -> None:
    """An artifact type is that of the document, or of a config that is not an image's."""
    assert row(layout, put(layout, b"{}", OCI_EMPTY, artifact_type="a/b")).artifact_type == "a/b"
    assert row(layout, put(layout, b"{}", "c/d")).artifact_type == "c/d"
    assert row(layout, put(layout, b"{}")).artifact_type is None
    index = layout.put_manifest(Index(artifact_type="e/f"))
    assert row(layout, index).artifact_type == "e/f"
    assert row(layout, index).kind == "index"


def test_what_is_elsewhere(layout: Layout) -> None:
    """Content with `urls` may be missing; content of another size is not missing."""
    absent = Descriptor.of(b"absent", OCI_LAYER)
    external = Descriptor(
        media_type=OCI_LAYER, digest=absent.digest, size=absent.size, urls=["https://x.example"]
    )
    assert row(layout, put(layout, b"{}", layers=[external])).missing == 0
    assert row(layout, put(layout, b"{}", layers=[absent])).missing == 1
    layout.blobs.path(layout.blobs.put(b"cut", media_type=OCI_LAYER).digest).write_bytes(b"cu")
    cut = row(layout, put(layout, b"{}", layers=[Descriptor.of(b"cut", OCI_LAYER)]))
    assert (cut.missing, cut.wrong_size, cut.complete) == (0, 1, False)
    assert cut.cells(datetime.now(UTC))[-1] == "1 of wrong size"


def test_a_blob_that_is_not_a_document(layout: Layout) -> None:
    """A name may mean any blob, whose row has its size alone."""
    blob = layout.blobs.put(b"text", media_type="text/plain")
    found = row(layout, blob)
    assert (found.kind, found.size, found.complete, found.artifact_type) == ("blob", 4, True, None)
