"""The root index as a check reads it, entry by entry.

Pure. It may be large: it is parsed once, and a broken entry does not hide the problems of others.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from itertools import chain, islice
from typing import TYPE_CHECKING

from ocilayout.check import advice
from ocilayout.check.bearer import Bearers
from ocilayout.check.finding import MAX_OF_KIND, bounded, problem_at, problems_of, with_errors
from ocilayout.check.occurrence import occurrence_if_digest, occurrence_of
from ocilayout.errors import MAX_PROBLEMS, DocumentError, LimitExceededError, Problem
from ocilayout.layout import DEPTH, MAX_ROOT_INDEX, find_array, iter_parts, parse_root
from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    REF_NAME,
    Descriptor,
    Digest,
    Index,
    decode_text,
    dump_json,
    extra_mentions,
    join_place,
    parse_json,
    require_ijson,
    require_without,
    structure,
    wrong_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.check.occurrence import Occurrence, Role
    from ocilayout.model import Json


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
                chain(advice.on_document(index), advice.on_nulls(self._raw, ["manifests"]))
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
                reference = occurrence_if_digest(entry, place, _role(entry))
                self.complete = self.complete and reference is not None
                careless = islice(careless, MAX_PROBLEMS)
                problems = [*problems, *with_errors(careless, error.at(place).problems)]
                problems = bounded(problems, place)
                yield problems, reference
                continue
            name = descriptor.annotations.get(REF_NAME)
            full = descriptor.annotations.get(CONTAINERD_IMAGE_NAME)
            self.named |= extra_mentions(descriptor)
            if first:
                unwise = chain(careless, self._on_entry(descriptor, name, place))
                problems = bounded(unwise, place)
            yield problems, occurrence_of(descriptor, place, "named" if name or full else "unnamed")

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


def _has_digest(entry: Json) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("digest"), str)


def _role(entry: Json) -> Role:
    annotations = entry.get("annotations") if isinstance(entry, dict) else None
    named = annotations if isinstance(annotations, dict) else {}
    return "named" if named.get(REF_NAME) or named.get(CONTAINERD_IMAGE_NAME) else "unnamed"
