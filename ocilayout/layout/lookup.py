"""Lookup: the entries that a reference means, by their digests, their names and their full names.

Every verb looks entries up here; `RootIndex.matching` has the rules. Entries are given by their
positions in an `EntryList`. Only this module changes that list, so the maps of its names and
digests cannot go stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocilayout.errors import AmbiguousReferenceError, ReferenceNotFoundError, some
from ocilayout.layout.rootentry import entry_full_name, entry_name
from ocilayout.model import CONTAINERD_IMAGE_NAME, is_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocilayout.layout.entrylist import EntryList
    from ocilayout.layout.rootentry import RawEntry


class Lookup:
    """Finds the positions of entries by references.

    Digests and full names are mapped when they are first needed.

    Attributes:
        names: The positions of each reference name.
    """

    def __init__(self, entries: EntryList) -> None:
        self._entries = entries
        self.names = Positions(entries.names)
        self._by_digest: Positions | None = None
        self._by_full_name: Positions | None = None

    @property
    def digests(self) -> Positions:
        """The positions of each digest."""
        if self._by_digest is None:
            self._by_digest = Positions(self._entries.digests)
        return self._by_digest

    @property
    def full_names(self) -> Positions:
        """The positions of each full name."""
        if self._by_full_name is None:
            full: list[str | None] = [None] * len(self._entries.names)
            for position, entry in self._entries.iter_entries(CONTAINERD_IMAGE_NAME):
                full[position] = entry_full_name(entry)
            self._by_full_name = Positions(full)
        return self._by_full_name

    # ------------------------------------------------------------ the rule

    def matching(self, ref: str) -> list[int]:
        """Return the positions of the entries that a reference means; see `RootIndex.matching`."""
        positions = self._of_digest(ref) or self.names.of(ref)
        if len(self._contents(positions)) > 1:
            full = [position for position in positions if self.full_name(position) == ref]
            positions = full or positions
        return positions or self.full_names.of(ref) or self._pinned(ref) or self.digests.of(ref)

    def named(self, name: str) -> list[int]:
        """Return the positions of a reference name; none if it reads as the digest of an entry."""
        return [] if self._of_digest(name) else self.names.of(name)

    def one(self, ref: str) -> list[int]:
        """Return the positions of the entries that a reference means, which must have one content.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
        """
        positions = self.matching(ref)
        if not positions:
            raise ReferenceNotFoundError(self._missing(ref))
        return self.alike(ref, positions)

    def alike(self, ref: str, positions: list[int]) -> list[int]:
        """Return positions; refuse them if their entries have different content.

        Raises:
            AmbiguousReferenceError: The content differs.
        """
        if len(self._contents(positions)) > 1:
            raise AmbiguousReferenceError(
                ref,
                [self._entries.digests[position] for position in positions],
                full_names=[self.full_name(position) for position in positions],
            )
        return positions

    def refs(self, entries: Iterable[tuple[int, RawEntry]]) -> Iterator[str]:
        """Yield for each entry a reference that means its content alone; see `RootIndex.refs`."""
        meant: dict[str, str | None] = {}  # the digest, `None` if it means several or none
        for position, entry in entries:
            digest = self._entries.digests[position]
            names = [name for name in (entry_name(entry), entry_full_name(entry)) if name]
            refs = [name for name in names if not is_digest(name)]
            refs += [f"{name}@{digest}" for name in names[:1]]
            for ref in refs:
                if ref not in meant:
                    contents = self._contents(self.matching(ref))
                    meant[ref] = contents.pop() if len(contents) == 1 else None
                if meant[ref] == digest:
                    yield ref
                    break
            else:
                yield digest

    # ------------------------------------------------------------ entries

    def full_name(self, position: int) -> str | None:
        """Return the full name of an entry, if it has one."""
        return entry_full_name(self._entries[position])

    def is_named(self, position: int) -> bool:
        """Return whether an entry has a reference name or a full name."""
        return bool(self._entries.names[position] or self.full_name(position))

    def is_last(self, position: int) -> bool:
        """Return whether no other entry has the content of this one."""
        return self.digests.count(self._entries.digests[position]) == 1

    def replace(self, position: int, entry: RawEntry) -> None:
        """Replace an entry. Nothing else changes entries, so all maps are kept here."""
        entries = self._entries
        name, digest = entries.names[position], entries.digests[position]
        if self._by_full_name is not None:
            self._by_full_name.move(position, self.full_name(position), entry_full_name(entry))
        entries[position] = entry
        self.names.move(position, name, entries.names[position])
        if self._by_digest is not None:
            self._by_digest.move(position, digest, entries.digests[position])

    # ------------------------------------------------------------ inside

    def _contents(self, positions: Iterable[int]) -> set[str]:
        return {self._entries.digests[position] for position in positions}

    def _of_digest(self, ref: str) -> list[int]:
        return self.digests.of(ref) if is_digest(ref) else []

    def _pinned(self, ref: str) -> list[int]:
        """Return the positions of the entries that `NAME@DIGEST` means."""
        name, _, digest = ref.rpartition("@")
        for named in (self.names, self.full_names):
            positions = named.shared(name, self.digests, digest)
            if positions:
                return positions
        return []

    def _missing(self, ref: str) -> str:
        """Return the message that a reference means no entry."""
        name, _, digest = ref.rpartition("@")
        if name and is_digest(digest):
            others = self._contents(self.names.of(name) or self.full_names.of(name))
            if others:
                return f"{name!r} does not name {digest}, it names {some(sorted(others))}"
        return f"there is no entry {'of' if is_digest(ref) else 'named'} {ref!r}"


class Positions:
    """The positions of texts in a list.

    Most texts have one position, so a text maps to its position itself, and to a set of positions
    only while it has several: a map of a set for each name would take several times the memory.
    There is one map and not two, so that no position can stay behind in the other. `None` and the
    empty text are skipped.
    """

    def __init__(self, texts: Iterable[str | None]) -> None:
        self._positions: dict[str, int | set[int]] = {}
        positions = self._positions
        for position, text in enumerate(texts):
            if text:
                if text in positions:
                    self._add(text, position)
                else:
                    positions[text] = position

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def of(self, text: str) -> list[int]:
        """Return the positions of a text, in order."""
        found = self._positions.get(text)
        if found is None:
            return []
        return [found] if isinstance(found, int) else sorted(found)

    def count(self, text: str) -> int:
        """Return how many positions a text has."""
        found = self._positions.get(text)
        if found is None:
            return 0
        return 1 if isinstance(found, int) else len(found)

    def shared(self, text: str, others: Positions, other: str) -> list[int]:
        """Return the positions that a text here shares with one of another list, in order.

        The cost is that of the text with fewer positions.
        """
        mine, theirs = self._set(text), others._set(other)  # of the same class
        return sorted(mine & theirs)  # an intersection iterates over the smaller set

    def move(self, position: int, before: str | None, after: str | None) -> None:
        """Record that the text at a position was replaced; empty or `None` for no text."""
        if before:
            self._remove(before, position)
        if after:
            self._add(after, position)

    def _set(self, text: str) -> set[int]:
        found = self._positions.get(text, set())
        return {found} if isinstance(found, int) else found

    def _add(self, text: str, position: int) -> None:
        found = self._positions.setdefault(text, position)
        if isinstance(found, set):
            found.add(position)
        elif found != position:
            self._positions[text] = {found, position}

    def _remove(self, text: str, position: int) -> None:
        found = self._positions[text]
        if isinstance(found, int):
            del self._positions[text]
            return
        found.remove(position)
        if len(found) == 1:
            self._positions[text] = found.pop()
