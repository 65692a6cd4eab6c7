"""What a reference means: entries by their digests, their names and their full names.

Here is the one rule that every verb keeps. Positions are those of an `EntryList`, of which this is
the only writer, so nothing that is kept beside the entries goes stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocilayout.errors import AmbiguousReferenceError, ReferenceNotFoundError, some
from ocilayout.layout.entrylist import Positions
from ocilayout.layout.rootentry import entry_full_name, entry_name
from ocilayout.model import CONTAINERD_IMAGE_NAME, is_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocilayout.layout.entrylist import EntryList
    from ocilayout.layout.rootentry import RawEntry


class Meanings:
    """Where the entries stand that a reference means.

    Attributes:
        names: Where each reference name stands.
    """

    def __init__(self, entries: EntryList) -> None:
        """Note where names stand; for digests and full names that is done when they are needed."""
        self._entries = entries
        self.names = Positions(entries.names)
        self._by_digest: Positions | None = None
        self._by_full_name: Positions | None = None

    @property
    def digests(self) -> Positions:
        """Where each digest stands."""
        if self._by_digest is None:
            self._by_digest = Positions(self._entries.digests)
        return self._by_digest

    @property
    def full_names(self) -> Positions:
        """Where each full name stands."""
        if self._by_full_name is None:
            full: list[str | None] = [None] * len(self._entries.names)
            for position, entry in self._entries.holding(CONTAINERD_IMAGE_NAME):
                full[position] = entry_full_name(entry)
            self._by_full_name = Positions(full)
        return self._by_full_name

    # ------------------------------------------------------------ the rule

    def matching(self, ref: str) -> list[int]:
        """Return where the entries stand that a reference means; see `RootIndex.matching`."""
        positions = self._of_digest(ref) or self.names.of(ref)
        if len(self._contents(positions)) > 1:
            full = [position for position in positions if self.full_name(position) == ref]
            positions = full or positions
        return positions or self.full_names.of(ref) or self._pinned(ref) or self.digests.of(ref)

    def named(self, name: str) -> list[int]:
        """Return where a reference name stands; nowhere if it reads as the digest of an entry."""
        return [] if self._of_digest(name) else self.names.of(name)

    def one(self, ref: str) -> list[int]:
        """Return where the entries stand that a reference means, which have one content.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
        """
        positions = self.matching(ref)
        if not positions:
            raise ReferenceNotFoundError(self._missing(ref))
        return self.alike(ref, positions)

    def alike(self, ref: str, positions: list[int]) -> list[int]:
        """Return positions, and refuse those of entries with different content.

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
        """Give for each entry a reference that means its content alone; see `RootIndex.refs`.

        Args:
            entries: Entries with their positions.
        """
        meant: dict[str, str | None] = {}  # its one content, `None` where it has several or none
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
        """Tell whether an entry has a reference name or a full name."""
        return bool(self._entries.names[position] or self.full_name(position))

    def is_last(self, position: int) -> bool:
        """Tell whether no other entry has the content of this one."""
        return self.digests.count(self._entries.digests[position]) == 1

    def replace(self, position: int, entry: RawEntry) -> None:
        """Replace an entry; the one place that changes any."""
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
        """Return where `NAME@DIGEST` stands."""
        name, _, digest = ref.rpartition("@")
        for named in (self.names, self.full_names):
            found = named.shared(name, self.digests, digest)
            if found:
                return found
        return []

    def _missing(self, ref: str) -> str:
        """Say that a reference means no entry."""
        name, _, digest = ref.rpartition("@")
        if name and is_digest(digest):
            others = self._contents(self.names.of(name) or self.full_names.of(name))
            if others:
                return f"{name!r} does not name {digest}, it names {some(sorted(others))}"
        return f"there is no entry {'of' if is_digest(ref) else 'named'} {ref!r}"
