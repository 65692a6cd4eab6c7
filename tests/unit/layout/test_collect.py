"""Collection: what only dropped roots reach goes, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import BlobNotFoundError
from ocilayout.layout.garbage import only_reached
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.graph import walk
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST

if TYPE_CHECKING:
    from ocilayout.model.digest import Digest
    from ocilayout.model.graph import Document, Read

CONFIG = Descriptor.of(b"config", OCI_CONFIG)
SHARED, OWN = (Descriptor.of(data, OCI_LAYER) for data in (b"shared", b"own"))
ONE, TWO, SIGNATURE = (Descriptor.of(data, OCI_MANIFEST) for data in (b"1", b"2", b"signature"))
LIST, OUTER = (Descriptor.of(data, OCI_INDEX) for data in (b"list", b"outer"))
DOCUMENTS: dict[Digest, Document] = {
    ONE.digest: Manifest(config=CONFIG, layers=[SHARED, OWN]),
    TWO.digest: Manifest(config=CONFIG, layers=[SHARED]),
    SIGNATURE.digest: Manifest(config=CONFIG, subject=ONE),
    LIST.digest: Index(manifests=[ONE]),
    OUTER.digest: Index(manifests=[ONE, LIST]),
}


def read(descriptor: Descriptor) -> Document | None:
    return DOCUMENTS.get(descriptor.digest)


def goes(dropped: list[Descriptor], kept: list[Descriptor], read: Read = read) -> list[Digest]:
    """Return what goes with dropped roots where the others hold what they reach."""

    def hold(more: list[Descriptor]) -> set[Digest]:
        return {found.digest for found in walk([*kept, *more], read, subjects=True)}

    return only_reached(dropped, read, hold)


def test_what_others_share_stays() -> None:
    assert set(goes([ONE], [TWO])) == {OWN.digest, ONE.digest}


def test_with_no_root_left_everything_goes_once_and_the_root_first() -> None:
    gone = goes([LIST], [])
    below = (ONE, CONFIG, SHARED, OWN)
    assert gone[0] == LIST.digest
    assert sorted(gone[1:]) == sorted(descriptor.digest for descriptor in below)


@pytest.mark.parametrize("dropped", [[OUTER], [LIST, OUTER], [ONE, LIST, OUTER]])
def test_nothing_goes_before_any_document_that_holds_it(dropped: list[Descriptor]) -> None:
    """Whoever is killed in between leaves no document without its parts."""
    gone = goes(dropped, [])
    assert gone.index(OUTER.digest) < gone.index(LIST.digest) < gone.index(ONE.digest)
    assert gone.index(ONE.digest) < gone.index(OWN.digest)


def test_what_cannot_be_verified_here_is_never_deleted() -> None:
    foreign = Descriptor(media_type=OCI_LAYER, digest="newhash:abc", size=1)
    assert goes([foreign, TWO], [ONE]) == [TWO.digest]


def test_the_subject_of_a_kept_root_stays_with_all_that_it_is_made_of() -> None:
    assert goes([ONE], [SIGNATURE]) == []


def test_the_subject_of_a_dropped_root_is_not_taken_along() -> None:
    assert goes([SIGNATURE], []) == [SIGNATURE.digest]


def test_a_subject_that_goes_along_anyway_is_not_held() -> None:
    asked: list[list[Descriptor]] = []

    def hold(more: list[Descriptor]) -> set[Digest]:
        asked.append(more)
        return set()

    only_reached([SIGNATURE], read, hold)
    only_reached([SIGNATURE, ONE], read, hold)
    assert asked == [[ONE], []]


def test_documents_that_hold_each_other_stop_nothing() -> None:
    """Digests that nobody can verify may lie, so a document can be a part of its own part."""
    first, second = (
        Descriptor(media_type=OCI_INDEX, digest=f"newhash:{name}", size=1) for name in "ab"
    )
    documents: dict[Digest, Document] = {
        **DOCUMENTS,
        first.digest: Index(manifests=[second, TWO]),
        second.digest: Index(manifests=[first]),
    }
    gone = goes([first], [ONE], lambda descriptor: documents.get(descriptor.digest))
    assert gone == [TWO.digest]


def test_what_is_dropped_and_kept_stays() -> None:
    assert goes([ONE], [TWO, ONE]) == []


@pytest.mark.parametrize(("dropped", "kept"), [([ONE], [TWO]), ([TWO], [ONE])])
def test_an_unreadable_document_stops_it(dropped: list[Descriptor], kept: list[Descriptor]) -> None:
    def refuse(descriptor: Descriptor) -> Document | None:
        if descriptor == TWO:
            raise BlobNotFoundError
        return read(descriptor)

    with pytest.raises(BlobNotFoundError):
        goes(dropped, kept, refuse)
