"""The graph: what documents refer to, in which order, and how walks deal with what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from attrs import evolve

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.graph import successors, walk, with_referrers
from ocilayout.model.limit import Limits
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import DOCKER_INDEX, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = Descriptor.of(b"config", OCI_CONFIG)
LAYERS = tuple(Descriptor.of(f"layer {number}".encode(), OCI_LAYER) for number in range(2))
IMAGE = Descriptor.of(b"image", OCI_MANIFEST)
LIST = Descriptor.of(b"list", OCI_INDEX)
SIGNATURE = Descriptor.of(b"signature", OCI_MANIFEST)
ABOUT = Descriptor.of(b"about", OCI_MANIFEST)
NOTE = Descriptor.of(b"note", OCI_MANIFEST)
DOCUMENTS: dict[Digest, Manifest | Index] = {
    IMAGE.digest: Manifest(config=CONFIG, layers=LAYERS),
    LIST.digest: Index(manifests=[IMAGE], subject=SIGNATURE),
    SIGNATURE.digest: Manifest(config=CONFIG, subject=LIST),
    ABOUT.digest: Manifest(config=CONFIG, subject=IMAGE),
    NOTE.digest: Manifest(config=CONFIG, subject=ABOUT),
}


def read(descriptor: Descriptor) -> Manifest | Index | None:
    return DOCUMENTS.get(descriptor.digest)


@pytest.mark.spec("image-index:manifest-entries")
class TestSuccessors:
    def test_those_of_a_manifest_are_config_and_layers(self) -> None:
        manifest = Manifest(config=CONFIG, layers=LAYERS, subject=LIST)
        assert successors(manifest) == (CONFIG, *LAYERS)

    def test_those_of_an_index_are_its_manifests(self) -> None:
        assert successors(Index(manifests=[LIST, IMAGE], subject=SIGNATURE)) == (LIST, IMAGE)


class TestWalk:
    def test_parents_come_before_children_and_those_in_document_order(self) -> None:
        assert list(walk([LIST], read)) == [LIST, IMAGE, CONFIG, *LAYERS]

    def test_roots_are_walked_in_order(self) -> None:
        assert list(walk([LAYERS[1], SIGNATURE], read)) == [LAYERS[1], SIGNATURE, CONFIG]

    @pytest.mark.spec("manifest:subject")
    def test_a_subject_is_visited_if_asked_for_and_a_cycle_of_them_ends(self) -> None:
        assert list(walk([SIGNATURE], read, subjects=True)) == [
            SIGNATURE,
            CONFIG,
            LIST,
            IMAGE,
            *LAYERS,
        ]

    def test_a_missing_document_is_visited_and_has_no_successors(self) -> None:
        assert list(walk([Descriptor.of(b"gone", DOCKER_INDEX)], read)) == [
            Descriptor.of(b"gone", DOCKER_INDEX)
        ]

    @pytest.mark.spec("descriptor:independent")
    def test_a_manifest_is_read_even_if_another_reference_called_it_opaque_before(
        self,
    ) -> None:
        opaque = evolve(IMAGE, media_type=OCI_LAYER)
        assert list(walk([opaque], read)) == [opaque]
        assert list(walk([opaque, IMAGE], read)) == [opaque, CONFIG, *LAYERS]

    def test_a_walk_without_roots_yields_nothing(self) -> None:
        assert list(walk([], read)) == []

    def test_an_error_of_read_passes(self) -> None:
        def refuse(_: Descriptor) -> Manifest | Index | None:
            raise DocumentError.of("bad-json", "is not JSON")

        with pytest.raises(DocumentError):
            list(walk([IMAGE], refuse))


class TestWithReferrers:
    """Content with all that refers to it, as a copy takes it along."""

    OTHER = Descriptor.of(b"other image", OCI_MANIFEST)
    BOTH = Descriptor.of(b"list of both", OCI_INDEX)
    SIGNED, COUNTERSIGNED, LOST = (
        Descriptor.of(data, OCI_MANIFEST) for data in (b"signed", b"countersigned", b"lost")
    )
    DOCUMENTS: ClassVar[dict[Digest, Manifest | Index]] = {
        IMAGE.digest: Manifest(config=CONFIG, layers=LAYERS),
        OTHER.digest: Manifest(config=CONFIG),
        BOTH.digest: Index(manifests=[IMAGE, OTHER]),
        SIGNED.digest: Manifest(config=CONFIG, subject=OTHER),
        COUNTERSIGNED.digest: Manifest(config=CONFIG, subject=SIGNED),
    }
    REFERRERS: ClassVar[dict[Digest, list[Descriptor]]] = {
        OTHER.digest: [LOST, SIGNED],
        SIGNED.digest: [evolve(COUNTERSIGNED, annotations={"note": "of the list"}), SIGNED],
    }

    def referrers(self, digest: Digest) -> list[Descriptor]:
        self.asked.append(digest)
        return self.REFERRERS.get(digest, [])

    def found(self, root: Descriptor) -> list[Descriptor]:
        self.asked: list[Digest] = []
        return with_referrers(
            root, lambda descriptor: self.DOCUMENTS.get(descriptor.digest), self.referrers
        )

    def test_referrers_to_any_document_inside_and_their_referrers_are_returned(self) -> None:
        assert self.found(self.BOTH) == [self.BOTH, self.SIGNED, self.COUNTERSIGNED]

    def test_referrers_are_requested_once_for_each_document_and_for_nothing_else(self) -> None:
        self.found(self.BOTH)
        documents = [self.BOTH, IMAGE, self.OTHER, self.SIGNED, self.COUNTERSIGNED]
        assert self.asked == [document.digest for document in documents]

    def test_opaque_content_has_no_referrers(self) -> None:
        assert self.found(CONFIG) == [CONFIG]
        assert self.asked == []

    def test_referrers_of_all_documents_follow_with_their_own_referrers(self) -> None:
        about = {IMAGE.digest: [ABOUT], ABOUT.digest: [NOTE]}
        found = with_referrers(LIST, read, lambda digest: about.get(digest, []))
        assert found == [LIST, ABOUT, NOTE]

    def test_a_referrer_that_is_missing_or_has_another_subject_is_left_out(self) -> None:
        """A list of referrers may say anything; a referrer says itself what it is about."""
        listed = [Descriptor.of(b"gone", OCI_MANIFEST), CONFIG, IMAGE, NOTE, ABOUT]
        assert with_referrers(IMAGE, read, lambda _: listed) == [IMAGE, ABOUT, NOTE]
        assert with_referrers(LIST, read, lambda _: [IMAGE, NOTE, CONFIG]) == [LIST]

    def test_a_listed_manifest_with_another_subject_is_left_out(self) -> None:
        """Subjects are equal or they are not; that digests have an order means nothing."""
        others = [CONFIG, *LAYERS, LIST, SIGNATURE]
        assert {other.digest < IMAGE.digest for other in others} == {True, False}
        listed = [Descriptor.of(other.digest.encode(), OCI_MANIFEST) for other in others]
        documents = {
            found.digest: Manifest(config=CONFIG, subject=other)
            for found, other in zip(listed, others, strict=True)
        }
        assert with_referrers(
            IMAGE, lambda descriptor: documents.get(descriptor.digest), lambda _: listed
        ) == [IMAGE]


def test_missing_referrers_are_counted() -> None:
    """A list of referrers that do not exist ends at the limit, and so do referrers of referrers."""
    root = Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(b"root"), size=1)

    def made_up(_: Digest) -> Iterator[Descriptor]:
        for number in range(1_000_000):
            data = b"%d" % number
            yield Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(data), size=1)

    with pytest.raises(LimitExceededError, match="with its referrers has more than 10 documents"):
        with_referrers(root, lambda _: None, made_up, limits=Limits(documents=10))


def test_a_referrer_is_returned_even_if_its_subject_was_visited_as_a_layer_first() -> None:
    """What is opaque to one reference is a manifest to another, and that one has referrers."""
    opaque = evolve(IMAGE, media_type=OCI_LAYER)
    outer = Descriptor.of(b"outer", OCI_INDEX)
    documents = {**DOCUMENTS, outer.digest: Index(manifests=[opaque, IMAGE])}
    about = {IMAGE.digest: [ABOUT]}
    found = with_referrers(
        outer, lambda to: documents.get(to.digest), lambda digest: about.get(digest, [])
    )
    assert found == [outer, ABOUT]
