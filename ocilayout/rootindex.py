"""The root index of a layout as a document that can be edited without losing anything.

An edit changes the entries that it names and nothing else: unknown properties at every level,
all other entries, and the order of both stay. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from ocilayout.annotations import CONTAINERD_IMAGE_NAME, REF_NAME
from ocilayout.codec import structure
from ocilayout.entrylist import DENSE, EntryList, Positions
from ocilayout.errors import (
    AmbiguousReferenceError,
    DocumentError,
    LimitExceededError,
    ReferenceNotFoundError,
    wrong_type,
)
from ocilayout.field import require_without
from ocilayout.frozenmap import FrozenMap, Json
from ocilayout.ijson import (
    MAX_NODES,
    compact,
    decode_text,
    dump,
    parse,
    scan,
    scan_bounded,
)
from ocilayout.index import Index
from ocilayout.mediatype import OCI_INDEX
from ocilayout.rootentry import (
    RawEntry,
    RootEntry,
    entry_annotations,
    load_entry,
    require_annotations,
    unnamed,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ocilayout.descriptor import Descriptor
    from ocilayout.digest import Digest

_OPEN = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*")
_NAME = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*:[ \t\n\r]*')
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")

MAX_ROOT_INDEX: Final = 256 * 1024 * 1024
"""The largest root index that is read, in bytes."""

EMPTY: Final = dump({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
"""The root index of a new layout."""


class RootIndex:
    """The document in `index.json`.

    Attributes:
        changed: Whether an edit changed anything since the document was read.

    Spec: image-layout:entry-types, image-layout:name-meaning, annotations:unknown-keys,
        considerations:no-change.
    """

    def __init__(self, data: bytes) -> None:
        """Read the document.

        Args:
            data: The bytes of `index.json`.

        Raises:
            DocumentError: They break the specification. Entries are looked at as far as names
                and digests need it; what else is wrong with one shows when it is asked for.
            LimitExceededError: They are more than 256 MiB, or nested too deeply; one entry holds
                more than 262,144 values, or so does everything but the entries.

        Spec: image-layout:index-json, image-index:schema-version, image-index:manifests,
            manifest:unambiguous.
        """
        self._read = text = decode_text(data, limit=MAX_ROOT_INDEX)
        try:
            start = find_array(text)
            if start is None:
                text = _with_array(parse(data, limit=MAX_ROOT_INDEX))
                start = cast("int", find_array(text))
            self._entries = EntryList(text, start)
        except DocumentError as error:
            # What is wrong with the document as a whole is said first.
            with suppress(LimitExceededError):
                _require_shell(parse_root(data))
            raise error.at("$.manifests") from None
        self._around = text[:start], text[self._entries.end :]
        _require_shell(parse("[]".join(self._around).encode(), limit=MAX_ROOT_INDEX))
        self._by_name = Positions(self._entries.names)
        self._by_digest: Positions | None = None
        self.changed = False

    def encode(self) -> bytes:
        """Return the document: as it was read, or if it was changed, as compact JSON.

        Raises:
            LimitExceededError: It was changed and has more bytes than are read again.
        """
        if not self.changed:
            return self._read.encode()
        before, behind = map(compact, self._around)
        data = f"{before}{self._entries.encode()}{behind}".encode()
        if len(data) > MAX_ROOT_INDEX:
            raise LimitExceededError(
                f"with this change the root index has {len(data)} bytes, the limit is"
                f" {MAX_ROOT_INDEX}; nothing is changed. Remove entries first, or begin another"
                " layout",
                what="document",
                limit=MAX_ROOT_INDEX,
            )
        return data

    # ------------------------------------------------------------ reading

    def names(self, annotations: Mapping[str, str] = FrozenMap()) -> tuple[str, ...]:
        """Return the names of all entries, each once, sorted bytewise.

        Args:
            annotations: Leave out names of which not every entry has these annotations.
        """
        if not annotations:
            return tuple(sorted(self._by_name))
        matching: dict[str, set[int]] = {}
        for position, entry in self._entries.holding(next(iter(annotations))):
            if annotations.items() <= entry_annotations(entry).items():
                matching.setdefault(self._entries.names[position] or "", set()).add(position)
        return tuple(
            sorted(
                name
                for name, positions in matching.items()
                if name and len(positions) == self._by_name.count(name)
            )
        )

    def entries(self) -> tuple[RootEntry, ...]:
        """Return all entries in document order.

        Raises:
            DocumentError: One of them breaks the specification.
        """
        return tuple(_load(position, entry) for position, entry in self.raw_entries())

    def named(self, name: str) -> tuple[RootEntry, ...]:
        """Return the entries of a name in document order; mostly one, or none.

        Raises:
            DocumentError: One of them breaks the specification.
        """
        return self._load(self._by_name.of(name))

    def of(self, digest: Digest) -> tuple[RootEntry, ...]:
        """Return the entries of a digest in document order.

        Raises:
            DocumentError: One of them breaks the specification.
        """
        return self._load(self._digests().of(digest))

    def find(self, name: str) -> RootEntry:
        """Return the entry that a name means.

        Where there are several, or none, `io.containerd.image.name` decides: containerd writes
        the tag alone as the name, and there the name of the whole image.

        Raises:
            ReferenceNotFoundError: No entry has that name.
            AmbiguousReferenceError: Several have it, for different content.
            DocumentError: An entry of that name breaks the specification.

        Spec: annotations:same-name.
        """
        positions = self._by_name.of(name)
        if len({self._entries.digests[position] for position in positions}) != 1:
            candidates = (
                ((position, self._entries[position]) for position in positions)
                if positions
                else self._entries.holding(CONTAINERD_IMAGE_NAME)
            )
            full = [
                position
                for position, entry in candidates
                if entry_annotations(entry).get(CONTAINERD_IMAGE_NAME) == name
            ]
            positions = full or positions
        found = self._load(positions)
        digests = [entry.descriptor.digest for entry in found]
        if len(set(digests)) > 1:
            raise AmbiguousReferenceError(name, digests)
        if not found:
            raise ReferenceNotFoundError(f"there is no entry named {name!r}")
        return found[0]

    # ------------------------------------------------------------ editing

    def tag(
        self, name: str, target: Descriptor, annotations: Mapping[str, str] | None = None
    ) -> None:
        """Let a name mean content, and nothing else.

        The new entry says what is given here and no more. An entry that the name had for other
        content stays without its name, if it is the last that holds on to that content.

        Args:
            name: The name.
            target: The content; only media type, digest and size are used.
            annotations: What is noted at the entry besides its name.

        Raises:
            InvalidNameError: The annotations try to set the name.
            DocumentError: An annotation is no text.

        Spec: annotations:travel.
        """
        require_annotations(annotations or {})
        noted = {**(annotations or {}), REF_NAME: name}
        fresh: RawEntry = {
            "mediaType": target.media_type,
            "digest": str(target.digest),
            "size": target.size,
            "annotations": {key: noted[key] for key in sorted(noted)},
        }
        place = None
        for position in self._by_name.of(name):
            same = self._entries.digests[position] == target.digest
            if same or not self._is_last(position):
                self._set(position, {})
                place = position if place is None else place
            else:
                self._set(position, unnamed(self._entries[position]))
        self._set(self._entries.append() if place is None else place, fresh)

    def untag(self, name: str) -> None:
        """Take a name away; the content stays as an entry without one.

        Raises:
            ReferenceNotFoundError: No entry has that name.
        """
        for position in self._positions(name):
            last = self._is_last(position)
            self._set(position, unnamed(self._entries[position]) if last else {})

    def drop(self, name: str) -> None:
        """Take the entries of a name away.

        Raises:
            ReferenceNotFoundError: No entry has that name.
        """
        for position in self._positions(name):
            self._set(position, {})

    def raw_entries(self) -> Iterator[tuple[int, RawEntry]]:
        """Give the entries as they stand, with their positions, in document order."""
        return self._entries.holding()

    def drop_at(self, position: int) -> None:
        """Take one entry away, whatever its name; positions of the others stay what they are."""
        self._set(position, {})

    def drop_untagged(self, digests: Collection[str]) -> None:
        """Take the entries without a name away that are of some digests."""
        for position, name in enumerate(self._entries.names):
            if not name and self._entries.digests[position] in digests:
                self._set(position, {})

    def add(self, target: Descriptor) -> None:
        """Make content an entry without a name, unless it has an entry already."""
        if not self._digests().count(target.digest):
            self._set(
                self._entries.append(),
                {
                    "mediaType": target.media_type,
                    "digest": str(target.digest),
                    "size": target.size,
                },
            )

    def annotate(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Change what is noted at the entry of a name.

        Args:
            name: The name.
            changes: New values by their keys; `None` takes a key away.

        Raises:
            ReferenceNotFoundError: No entry has that name.
            AmbiguousReferenceError: Several have it, for different content.
            InvalidNameError: The changes try to set the name.
            DocumentError: An annotation is no text.

        Spec: annotations:map.
        """
        require_annotations(changes)
        positions = self._positions(name)
        digests = [self._entries.digests[position] for position in positions]
        if len(set(digests)) > 1:
            raise AmbiguousReferenceError(name, digests)
        for position in positions:
            entry = dict(self._entries[position])
            noted = dict(entry_annotations(entry))
            for key, value in changes.items():
                if value is None:
                    noted.pop(key, None)
                else:
                    noted[key] = value
            entry["annotations"] = noted
            if entry != self._entries[position]:
                self._set(position, entry)

    def _positions(self, name: str) -> list[int]:
        positions = self._by_name.of(name)
        if not positions:
            raise ReferenceNotFoundError(f"there is no entry named {name!r}")
        return positions

    def _digests(self) -> Positions:
        if self._by_digest is None:
            self._by_digest = Positions(self._entries.digests)
        return self._by_digest

    def _is_last(self, position: int) -> bool:
        return self._digests().count(self._entries.digests[position]) == 1

    def _set(self, position: int, entry: RawEntry) -> None:
        """Replace an entry; the one place that changes the document."""
        entries = self._entries
        name, digest = entries.names[position], entries.digests[position]
        entries[position] = entry
        self._by_name.move(position, name, entries.names[position])
        if self._by_digest is not None:
            self._by_digest.move(position, digest, entries.digests[position])
        self.changed = True

    def _load(self, positions: Iterable[int]) -> tuple[RootEntry, ...]:
        return tuple(_load(position, self._entries[position]) for position in positions)


def _load(position: int, entry: RawEntry) -> RootEntry:
    try:
        return load_entry(entry)
    except DocumentError as error:
        raise error.at(f"$.manifests[{position}]") from None


def parse_root(data: bytes) -> dict[str, Json]:
    """Read a root index as one JSON object, with everything in it.

    Raises:
        DocumentError: The bytes are no I-JSON, or not an object.
        LimitExceededError: They are more than 256 MiB, nested too deeply, or hold more values than
            a root index of that size needs.
    """
    return parse(data, limit=MAX_ROOT_INDEX, nodes=max(MAX_NODES, len(data) // DENSE))


def find_array(text: str) -> int | None:
    """Return where the array of entries begins in a document, or `None` if none is seen.

    Raises:
        DocumentError: The document is no JSON before that.
        LimitExceededError: What stands before it is nested too deeply, or holds too many values.
    """
    found = _OPEN.match(text)
    while found and (name := _NAME.match(text, found.end())):
        if scan(name[1])[0] == "manifests":
            return name.end() if text.startswith("[", name.end()) else None
        found = _COMMA.match(text, scan_bounded(text, name.end())[1])
    return None


def _with_array(document: dict[str, Json]) -> str:
    """Return the text of a document that has no array of entries, with an empty one."""
    entries = document.get("manifests")
    if entries is not None:  # absent, or null as Go programs write an empty list, is none
        raise wrong_type("an array", entries)
    return dump({**document, "manifests": []}).decode()


def _require_shell(document: dict[str, Json]) -> None:
    """Refuse what is wrong with a document apart from its entries."""
    shell = {name: value for name, value in document.items() if name != "manifests"}
    require_without(structure(shell, Index).extra, "config", "layers")
