"""The root index of a layout as a document that can be edited without losing anything.

An edit changes the entries that it names and nothing else: unknown properties at every level,
all other entries, and the order of both stay. Pure: bytes in, bytes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout.annotations import CONTAINERD_IMAGE_NAME, REF_NAME
from ocilayout.codec import structure
from ocilayout.errors import (
    AmbiguousReferenceError,
    DocumentError,
    ReferenceNotFoundError,
    wrong_type,
)
from ocilayout.field import require_without
from ocilayout.frozenmap import FrozenMap, Json
from ocilayout.ijson import dump, parse
from ocilayout.index import Index
from ocilayout.mediatype import OCI_INDEX
from ocilayout.rootentry import (
    RawEntry,
    RootEntry,
    check_entry,
    entry_annotations,
    entry_digest,
    load_entry,
    require_annotations,
    unnamed,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ocilayout.descriptor import Descriptor
    from ocilayout.digest import Digest

MAX_ROOT_INDEX: Final = 256 * 1024 * 1024
"""The largest root index that is read, in bytes."""

EMPTY: Final = dump({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
"""The root index of a new layout."""


class RootIndex:
    """The document in `index.json`.

    Attributes:
        changed: Whether an edit changed anything since the document was read.
    """

    def __init__(self, data: bytes) -> None:
        """Read the document.

        Args:
            data: The bytes of `index.json`.

        Raises:
            DocumentError: They break the specification. Entries are looked at as far as names
                and digests need it; what else is wrong with one shows when it is asked for.
            LimitExceededError: They are more than 256 MiB, or nested too deeply.

        Spec: image-layout.md, index.json file.
        """
        self._document = parse(data, limit=MAX_ROOT_INDEX)
        # An entry that was dropped leaves an empty object, so that positions stay what they are.
        self._entries: list[RawEntry] = _check_document(self._document)
        self._by_name = _positions(self._entries)
        self._by_digest: dict[str, list[int]] | None = None
        self.changed = False

    def encode(self) -> bytes:
        """Return the document as compact JSON."""
        document = dict(self._document)
        if self.changed:
            document["manifests"] = [entry for entry in self._entries if entry]
        return dump(document)

    # ------------------------------------------------------------ reading

    def names(self, annotations: Mapping[str, str] = FrozenMap()) -> tuple[str, ...]:
        """Return the names of all entries, each once, sorted bytewise.

        Args:
            annotations: Leave out names of which not every entry has these annotations.
        """
        if not annotations:
            return tuple(sorted(self._by_name))
        wanted = annotations.items()
        return tuple(
            sorted(
                name
                for name, positions in self._by_name.items()
                if all(
                    wanted <= entry_annotations(self._entries[position]).items()
                    for position in positions
                )
            )
        )

    def entries(self) -> tuple[RootEntry, ...]:
        """Return all entries in document order.

        Raises:
            DocumentError: One of them breaks the specification.
        """
        return self._load(range(len(self._entries)))

    def named(self, name: str) -> tuple[RootEntry, ...]:
        """Return the entries of a name in document order; mostly one, or none.

        Raises:
            DocumentError: One of them breaks the specification.
        """
        return self._load(self._by_name.get(name, ()))

    def of(self, digest: Digest) -> tuple[RootEntry, ...]:
        """Return the entries of a digest in document order.

        Raises:
            DocumentError: One of them breaks the specification.
        """
        return self._load(self._digests().get(str(digest), ()))

    def find(self, name: str) -> RootEntry:
        """Return the entry that a name means.

        Where there are several, or none, `io.containerd.image.name` decides: containerd writes
        the tag alone as the name, and there the name of the whole image.

        Raises:
            ReferenceNotFoundError: No entry has that name.
            AmbiguousReferenceError: Several have it, for different content.
            DocumentError: An entry of that name breaks the specification.
        """
        positions = self._by_name.get(name, [])
        if len({entry_digest(self._entries[position]) for position in positions}) != 1:
            full = [
                position
                for position in positions or range(len(self._entries))
                if entry_annotations(self._entries[position]).get(CONTAINERD_IMAGE_NAME) == name
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
        for position in self._by_name.pop(name, []):
            same = entry_digest(self._entries[position]) == str(target.digest)
            if same or not self._is_last(position):
                self._set(position, {})
                place = position if place is None else place
            else:
                self._set(position, unnamed(self._entries[position]))
        if place is None:
            place = len(self._entries)
            self._entries.append({})
        self._set(place, fresh)
        self._by_name[name] = [place]

    def untag(self, name: str) -> None:
        """Take a name away; the content stays as an entry without one.

        Raises:
            ReferenceNotFoundError: No entry has that name.
        """
        for position in self._take(name):
            last = self._is_last(position)
            self._set(position, unnamed(self._entries[position]) if last else {})

    def drop(self, name: str) -> None:
        """Take the entries of a name away.

        Raises:
            ReferenceNotFoundError: No entry has that name.
        """
        for position in self._take(name):
            self._set(position, {})

    def raw_entries(self) -> Iterator[tuple[int, RawEntry]]:
        """Give the entries as they stand, with their positions, in document order."""
        return ((position, entry) for position, entry in enumerate(self._entries) if entry)

    def drop_at(self, position: int) -> None:
        """Take one entry away, whatever its name; positions of the others stay what they are."""
        name = entry_annotations(self._entries[position]).get(REF_NAME)
        if name:
            self._by_name[str(name)].remove(position)
            if not self._by_name[str(name)]:
                del self._by_name[str(name)]
        self._set(position, {})

    def drop_untagged(self, digests: Collection[str]) -> None:
        """Take the entries without a name away that are of some digests."""
        for position, entry in enumerate(self._entries):
            if (
                entry
                and entry_digest(entry) in digests
                and not entry_annotations(entry).get(REF_NAME)
            ):
                self._set(position, {})

    def add(self, target: Descriptor) -> None:
        """Make content an entry without a name, unless it has an entry already."""
        if not self._digests().get(str(target.digest)):
            self._entries.append({})
            self._set(
                len(self._entries) - 1,
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
        """
        require_annotations(changes)
        positions = self._by_name.get(name, [])
        digests = [entry_digest(self._entries[position]) for position in positions]
        if not positions:
            raise ReferenceNotFoundError(f"there is no entry named {name!r}")
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

    def _take(self, name: str) -> list[int]:
        positions = self._by_name.pop(name, [])
        if not positions:
            raise ReferenceNotFoundError(f"there is no entry named {name!r}")
        return positions

    def _digests(self) -> dict[str, list[int]]:
        if self._by_digest is None:
            self._by_digest = {}
            for position, entry in enumerate(self._entries):
                if entry:
                    self._by_digest.setdefault(entry_digest(entry), []).append(position)
        return self._by_digest

    def _is_last(self, position: int) -> bool:
        return len(self._digests()[entry_digest(self._entries[position])]) == 1

    def _set(self, position: int, entry: RawEntry) -> None:
        """Replace an entry; the one place that changes the document."""
        digests = self._digests()
        before = self._entries[position]
        if before:
            digests[entry_digest(before)].remove(position)
        if entry:
            digests.setdefault(entry_digest(entry), []).append(position)
        self._entries[position] = entry
        self.changed = True

    def _load(self, positions: Iterable[int]) -> tuple[RootEntry, ...]:
        found: list[RootEntry] = []
        for position in sorted(positions):
            entry = self._entries[position]
            if entry:
                try:
                    found.append(load_entry(entry))
                except DocumentError as error:
                    raise error.at(f"$.manifests[{position}]") from None
        return tuple(found)


def _check_document(document: dict[str, Json]) -> list[RawEntry]:
    shell = {name: value for name, value in document.items() if name != "manifests"}
    require_without(structure(shell, Index).extra, "config", "layers")
    entries = document.get("manifests")
    if entries is None:  # absent, or null as Go programs write an empty list
        return []
    if not isinstance(entries, list):
        raise wrong_type("an array", entries).at("$.manifests")
    return list(entries)  # type: ignore[arg-type] # each is checked next


def _positions(entries: list[RawEntry]) -> dict[str, list[int]]:
    """Return the positions of all names, after a look at every entry."""
    found: dict[str, list[int]] = {}
    position = 0
    try:
        for position, entry in enumerate(entries):
            name = check_entry(entry)
            if name:
                if name in found:
                    found[name].append(position)
                else:
                    found[name] = [position]
    except DocumentError as error:
        raise error.at(f"$.manifests[{position}]") from None
    return found
