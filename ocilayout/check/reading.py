"""A document as a check reads it: all problems in it, and all references.

Pure. Other code refuses an invalid document; here its valid parts are still read, so that one flaw
is one problem and not one for each blob behind it. Places are JSON paths.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ocilayout.check import advice
from ocilayout.check.finding import bounded, problem_at, problems_of, with_errors
from ocilayout.check.occurrence import Occurrence, occurrence_if_digest, occurrence_of
from ocilayout.errors import DocumentError, LimitExceededError, Problem
from ocilayout.model import (
    DOCUMENT_TYPES,
    MODELS,
    ArtifactManifest,
    Digest,
    Header,
    ImageConfig,
    Index,
    Manifest,
    Mentions,
    Schema1Manifest,
    document_mentions,
    parse_json,
    structure,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ocilayout.check.occurrence import Role
    from ocilayout.model import Descriptor, Document, Json

_LISTS: Final[dict[type, tuple[str, ...]]] = {Index: ("manifests",), Manifest: ("layers",)}
_PARTS: Final = ("manifests", "layers", "blobs")


@frozen
class Reading:
    """What was read of a document.

    Attributes:
        problems: Its problems.
        references: Its references, in document order; `None` if the document is not JSON.
        named: The digests that its unknown properties name.
    """

    problems: tuple[Problem, ...]
    references: tuple[Occurrence, ...] | None
    named: frozenset[Digest] = frozenset()


def read_document(data: bytes, media_type: str) -> Reading:
    """Read a manifest or an index.

    Args:
        data: Its bytes, verified already.
        media_type: The media type of its descriptor.
    """
    try:
        raw = parse_json(data)
    except (DocumentError, LimitExceededError) as error:
        return Reading(tuple(problems_of(error)), None)
    problems = _careless(raw, data)
    said = raw.get("mediaType")
    if isinstance(said, str) and said != media_type:
        problems.append(
            problem_at(
                "media-type-differs",
                f"the document says {said!r}, its descriptor {media_type}",
                "$.mediaType",
            )
        )
        # It is read as the type that it gives itself, to see whether it is a valid one.
        media_type = said if said in DOCUMENT_TYPES else media_type
        del raw["mediaType"]
    try:
        document: Document = structure(raw, MODELS[media_type])
    except DocumentError as error:
        problems = with_errors(problems, problems_of(error))
        named = Mentions()
        named.take(data)
        return Reading(tuple(problems), tuple(_valid_references(raw)), frozenset(named.found))
    parts = tuple(_parts(document))
    unwise = chain(
        advice.on_nulls(raw, _LISTS.get(type(document), ())),
        advice.on_document(document),
        *(advice.on_descriptor(descriptor, place) for place, descriptor, _ in parts),
    )
    problems.extend(bounded(unwise))
    references = tuple(occurrence_of(descriptor, place, role) for place, descriptor, role in parts)
    marked = next((to.place for to in references if to.attestation), None)
    if marked is not None:
        problems.append(advice.on_attestation(marked))
    if advice.has_statements(document):
        references = tuple(evolve(to, attestation=True) for to in references)
    if isinstance(document, Schema1Manifest):  # which does not have the sizes of layers
        references = tuple(
            evolve(to, size=None, place=f"$.fsLayers ({to.digest})") for to in references
        )
    return Reading(tuple(problems), references, frozenset(document_mentions(document)))


def read_config(data: bytes, *, attestation: bool = False) -> tuple[Problem, ...]:
    """Return the problems of an image configuration.

    Args:
        data: Its bytes, verified already.
        attestation: Whether it is that of an attestation.
    """
    return _problems_in(data, ImageConfig, attestation=attestation)


def read_header(data: bytes) -> tuple[Problem, ...]:
    """Return the problems of an `oci-layout`."""
    return _problems_in(data, Header)


def _problems_in(
    data: bytes, model: type[ImageConfig | Header], *, attestation: bool = False
) -> tuple[Problem, ...]:
    careless: list[Problem] = []
    try:
        raw = parse_json(data)
        careless = _careless(raw, data)
        document = structure(raw, model)
    except (DocumentError, LimitExceededError) as error:
        return tuple(with_errors(careless, problems_of(error)))
    unwise: Iterable[Problem] = ()
    if isinstance(document, ImageConfig):
        unwise = _on_config(document, raw, attestation=attestation)
    return (*careless, *bounded(unwise))


def _on_config(
    config: ImageConfig, raw: dict[str, Json], *, attestation: bool
) -> Iterator[Problem]:
    if not (attestation and advice.is_unknown(config)):
        yield from advice.on_platform(config, "$")
    rootfs = raw.get("rootfs")
    if isinstance(rootfs, dict):
        yield from advice.on_nulls(rootfs, ("diff_ids",), "$.rootfs")


def _careless(raw: dict[str, Json], data: bytes) -> list[Problem]:
    return bounded(advice.on_json(raw)) if advice.may_be_careless(data.decode()) else []


def _parts(document: Document) -> Iterator[tuple[str, Descriptor, Role]]:
    if isinstance(document, Index):
        name, parts = "manifests", document.manifests
    elif isinstance(document, ArtifactManifest):
        name, parts = "blobs", document.blobs
    else:
        name, parts = "layers", document.layers
    if isinstance(document, Manifest):
        yield "$.config", document.config, "part"
    for number, descriptor in enumerate(parts):
        yield f"$.{name}[{number}]", descriptor, "part"
    if document.subject is not None:
        yield "$.subject", document.subject, "subject"


def reference_to(descriptor: Descriptor, place: str) -> Occurrence:
    """Return a reference to content without a descriptor in the layout."""
    return occurrence_of(descriptor, place, "part")


def _valid_references(raw: Mapping[str, Json]) -> Iterator[Occurrence]:
    """Give the references of an invalid document that have a valid digest."""
    places: list[tuple[str, Json]] = [("$.config", raw.get("config"))]
    for name in _PARTS:
        items = raw.get(name)
        if isinstance(items, list):
            places.extend((f"$.{name}[{number}]", item) for number, item in enumerate(items))
    places.append(("$.subject", raw.get("subject")))
    for place, item in places:
        reference = occurrence_if_digest(item, place, "subject" if place == "$.subject" else "part")
        if reference is not None:
            yield reference
