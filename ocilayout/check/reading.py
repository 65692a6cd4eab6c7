"""A document as a check reads it: all problems in it, and all references.

Pure. Other code refuses an invalid document; here its valid parts are still read, so that one flaw
is one problem and not one for each blob behind it. Places are JSON paths.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import evolve, frozen

from ocilayout.check import advice
from ocilayout.check.bearer import Bearers
from ocilayout.check.finding import MAX_OF_KIND, bounded, problem_at, problems_of
from ocilayout.errors import (
    MAX_PROBLEMS,
    DocumentError,
    LimitExceededError,
    Problem,
    join_place,
    wrong_type,
)
from ocilayout.layout import DEPTH, MAX_ROOT_INDEX, find_array, iter_parts, parse_root
from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    DOCUMENT_TYPES,
    MODELS,
    REF_NAME,
    ArtifactManifest,
    Descriptor,
    Digest,
    Header,
    ImageConfig,
    Index,
    Manifest,
    Mentions,
    Schema1Manifest,
    decode_text,
    document_mentions,
    dump_json,
    extra_mentions,
    parse_json,
    require_ijson,
    require_without,
    structure,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ocilayout.model import Document, Json

Role = Literal["named", "unnamed", "part", "subject"]

_LISTS: Final[dict[type, tuple[str, ...]]] = {Index: ("manifests",), Manifest: ("layers",)}
_PARTS: Final = ("manifests", "layers", "blobs")


@frozen(kw_only=True)
class Occurrence:
    """A descriptor at one place of the layout.

    Attributes:
        digest: The content.
        media_type: Its media type, empty where the descriptor does not have one.
        size: Its size in bytes, `None` where the descriptor does not have one.
        place: The place of the descriptor.
        role: What the descriptor is: an entry with or without a name, a part, or a subject.
        attestation: Whether it is an attestation or a part of one, without a platform.
    """

    digest: Digest
    media_type: str
    size: int | None
    place: str
    role: Role
    attestation: bool = False


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
        problems = _besides(problems, problems_of(error))
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
    references = tuple(_reference(descriptor, place, role) for place, descriptor, role in parts)
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
        return tuple(_besides(careless, problems_of(error)))
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


def _besides(problems: Iterable[Problem], errors: Collection[Problem]) -> list[Problem]:
    """Return problems and then errors, but no other problem where an error is."""
    places = {error.place for error in errors}
    return [*(problem for problem in problems if problem.place not in places), *errors]


class RootReading:
    """The root index, which may be large: parsed once, and reported entry by entry.

    Args:
        data: The bytes of `index.json`.

    Attributes:
        complete: Whether every entry so far has a digest.
        named: The digests that unknown properties name so far, and that of the subject.

    Raises:
        DocumentError: They are not I-JSON, or not an object.
        LimitExceededError: They are more than 256 MiB, or nested too deeply; one entry, or the rest
            of the document, has too many values.

    Spec: image-layout:index-json.
    """

    def __init__(self, data: bytes) -> None:
        self._text = decode_text(data, limit=MAX_ROOT_INDEX)
        self._careless = advice.may_be_careless(self._text)
        self._start: int | None = None
        try:
            self._raw = self._look()
        except DocumentError:
            with suppress(LimitExceededError):
                parse_root(data)  # which raises it with the place in the whole document
            raise
        self.complete = True
        self.named: set[Digest] = set()
        self._seen: dict[bytes, int] = {}  # by a hash of the entry
        self._names: dict[str, Bearers] = {}
        self._attested = False

    def shell(self) -> Iterator[Problem]:
        """Report what is wrong with the document apart from its entries."""
        shell = {name: value for name, value in self._raw.items() if name != "manifests"}
        if self._careless:
            yield from bounded(advice.on_json(shell))
        try:
            index = structure(shell, Index)
            require_without(index.extra, "config", "layers")
        except DocumentError as error:
            yield from problems_of(error)
        else:
            subject = () if index.subject is None else (index.subject,)
            self.named |= extra_mentions(index, *subject).union(one.digest for one in subject)
            yield from bounded(
                chain(advice.on_document(index), advice.on_nulls(self._raw, _LISTS[Index]))
            )
        entries = self._raw.get("manifests")
        if entries is not None and not isinstance(entries, list):
            yield from wrong_type("an array", entries).at("$.manifests").problems
            self.complete = False

    def entries(self) -> Iterator[tuple[list[Problem], Occurrence | None]]:
        """Give the problems and the reference of each entry, in document order."""
        bad = 0
        for position, entry in enumerate(self._entries()):
            place = f"$.manifests[{position}]"
            if bad >= MAX_OF_KIND and not _has_digest(entry):
                # A large document has room for millions of them. After so many, each counts as one
                # error, since a report of all problems of each would take too long.
                self.complete = False
                message = "is not an object with a digest"
                yield [problem_at("wrong-type", message, place)], None
                continue
            problems = list(self._on_duplicate(entry, position))
            # Of a repeated entry, the first has been reported.
            first = not problems
            careless = advice.on_json(entry, place) if self._careless and first else ()
            try:
                descriptor = structure(entry, Descriptor)
            except DocumentError as error:
                bad += 1
                reference = _reference_if_digest(entry, place, _role(entry))
                self.complete = self.complete and reference is not None
                careless = islice(careless, MAX_PROBLEMS)
                problems = [*problems, *_besides(careless, error.at(place).problems)]
                problems = bounded(problems, place)
                yield problems, reference
                continue
            name = descriptor.annotations.get(REF_NAME)
            full = descriptor.annotations.get(CONTAINERD_IMAGE_NAME)
            self.named |= extra_mentions(descriptor)
            if first:
                unwise = chain(careless, self._on_entry(descriptor, name, place))
                problems = bounded(unwise, place)
            yield problems, _reference(descriptor, place, "named" if name or full else "unnamed")

    def _look(self) -> dict[str, Json]:
        """Parse all entries once, and return the document without them."""
        text, end = self._text, 0
        start = find_array(text)
        if start is None:
            return parse_json(text.encode())
        for part in iter_parts(text, start):
            require_ijson(part.entries, part.text, depth=DEPTH)
            end = part.end
        self._start = start
        return parse_json(f"{text[:start]}[]{text[end:]}".encode(), limit=MAX_ROOT_INDEX)

    def _entries(self) -> Iterator[Json]:
        if self._start is not None:
            for part in iter_parts(self._text, self._start):
                yield from part.entries

    def _on_entry(self, descriptor: Descriptor, name: str | None, place: str) -> Iterator[Problem]:
        yield from advice.on_descriptor(descriptor, place)
        if not self._attested and advice.is_attestation(descriptor):
            self._attested = True
            yield advice.on_attestation(place)
        if name is not None:
            yield from advice.on_name(name, place)
        if name:
            yield from self._on_name(name, descriptor, place)

    def _on_duplicate(self, entry: Json, position: int) -> Iterator[Problem]:
        first = self._seen.setdefault(sha256(dump_json(entry)).digest(), position)
        if first != position:
            yield problem_at(
                "duplicate-entry",
                f"repeats $.manifests[{first}] exactly",
                f"$.manifests[{position}]",
            )

    def _on_name(self, name: str, descriptor: Descriptor, place: str) -> Iterator[Problem]:
        full = descriptor.annotations.get(CONTAINERD_IMAGE_NAME)
        bearers = self._names.setdefault(name, Bearers())
        other = bearers.other_than(descriptor.digest)
        if other is not None:
            told_apart = full is not None and bearers.are_told_apart(descriptor.digest, full)
            yield problem_at(
                "shared-name" if told_apart else "duplicate-name",
                f"{name!r} also names {other}",
                join_place(f"{place}.annotations", REF_NAME),
            )
        bearers.take(descriptor.digest, full)


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
    return _reference(descriptor, place, "part")


def _reference(descriptor: Descriptor, place: str, role: Role) -> Occurrence:
    return Occurrence(
        digest=descriptor.digest,
        media_type=descriptor.media_type,
        size=descriptor.size,
        place=place,
        role=role,
        attestation=advice.is_attestation(descriptor),
    )


def _valid_references(raw: Mapping[str, Json]) -> Iterator[Occurrence]:
    """Give the references of an invalid document that have a valid digest."""
    places: list[tuple[str, Json]] = [("$.config", raw.get("config"))]
    for name in _PARTS:
        items = raw.get(name)
        if isinstance(items, list):
            places.extend((f"$.{name}[{number}]", item) for number, item in enumerate(items))
    places.append(("$.subject", raw.get("subject")))
    for place, item in places:
        reference = _reference_if_digest(item, place, "subject" if place == "$.subject" else "part")
        if reference is not None:
            yield reference


def _reference_if_digest(value: Json, place: str, role: Role) -> Occurrence | None:
    fields: dict[str, Any] = value if isinstance(value, dict) else {}
    try:
        digest = Digest.parse(fields.get("digest", ""))
    except DocumentError:
        return None
    try:
        return _reference(structure(value, Descriptor), place, role)
    except DocumentError:
        media_type = fields.get("mediaType")
        media_type = media_type if isinstance(media_type, str) else ""
        return Occurrence(digest=digest, media_type=media_type, size=None, place=place, role=role)


def _has_digest(entry: Json) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("digest"), str)


def _role(entry: Json) -> Role:
    annotations = entry.get("annotations") if isinstance(entry, dict) else None
    named = annotations if isinstance(annotations, dict) else {}
    return "named" if named.get(REF_NAME) or named.get(CONTAINERD_IMAGE_NAME) else "unnamed"
