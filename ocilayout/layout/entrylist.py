"""The entries of a root index, kept as the text of their JSON array.

An index may have a hundred thousand entries, of which an edit changes one. So all entries are
checked when the text is read, one part of it after another, but only the names and digests of each
part are kept. A large index then takes little more memory than its text, and Python's cyclic
garbage collector does not visit millions of objects again and again. A part is parsed again when
one of its entries is needed. Changed entries are put into the old text; the rest of it stays, but
for white space.

The rest of the document belongs to `rootindex`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.layout.rootentry import RawEntry, check_entries, entry_annotations, entry_digest
from ocilayout.model import (
    MAX_NODES,
    REF_NAME,
    compact,
    count_nodes,
    dump_json,
    require_ijson,
    require_nodes,
    scan,
    scan_bounded,
    scan_cut,
    surely_ijson,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.model import Json

PART: Final = 32 * 1024
"""How much text is parsed at a time, in characters: enough that the parser does nearly all of the
work, and little enough that a part is quickly parsed again for one entry."""

DEPTH: Final = 1
"""How many objects and arrays the array is nested in: the document alone."""

DENSE: Final = 8
"""How many characters of text there must be for each node of entries that have more in them than
names, digests and annotations. A node such as `[]` takes far more memory than its text; those of
real entries are longer."""

_OPEN = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*")
# Possessive, since a string without an end would otherwise be searched again from every backslash.
_NAME = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*:[ \t\n\r]*')
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
# Between two entries, but also inside of a string or a nested array: see `iter_parts`.
_BOUNDARY = re.compile(r"\}[ \t\n\r]*,[ \t\n\r]*\{")


class Part(NamedTuple):
    """Adjacent entries.

    Attributes:
        start: The offset of the first entry in the text of the document.
        text: The text of the entries as an array, with its brackets.
        entries: The parsed entries.
        end: The offset of the end of the whole array, if these are its last entries.
    """

    start: int
    text: str
    entries: list[Json]
    end: int


def find_array(text: str) -> int | None:
    """Return the offset of the array of entries in a document, or `None` if it has none.

    Raises:
        DocumentError: The text before the array is not JSON.
        LimitExceededError: The text before the array is nested too deeply, or holds too many
            values.
    """
    match = _OPEN.match(text)
    while match and (name := _NAME.match(text, match.end())):
        if scan(name[1])[0] == "manifests":  # which may be written with escapes
            return name.end() if text.startswith("[", name.end()) else None
        match = _COMMA.match(text, scan_bounded(text, name.end())[1])
    return None


def iter_parts(text: str, start: int) -> Iterator[Part]:
    """Parse the array of entries that starts at an offset of a document, a part at a time.

    The text is cut where one entry seems to end and the next to begin. If the text before the cut
    parses as an array, the cut was between two entries: had it gone through a string or a nested
    array, a bracket or a quote would be missing. Otherwise the complete entries before the cut are
    parsed one by one, and if there are none, twice as much text is tried. So memory is bounded by
    the largest entry.

    Raises:
        DocumentError: The array is not JSON.
        LimitExceededError: An entry is nested too deeply, or holds more than 262,144 values.

    Spec: considerations:limits.
    """
    start += 1
    size = PART
    while (cut := _BOUNDARY.search(text, start + size)) is not None:
        part = f"[{text[start : cut.start() + 1]}]"
        parsed = _scan_part(part)
        if parsed is None:
            entries, end, following = _complete_entries(part[:-1])
            if entries:
                yield Part(start, f"{part[:end]}]", entries, 0)
                start, size = start + following - 1, PART
            else:
                size = 2 * (cut.start() - start)
        elif parsed[1] < len(part):  # the array ended before the cut
            yield _last(start, part, *parsed)
            return
        else:
            yield Part(start, part, parsed[0], 0)
            start, size = cut.end() - 1, PART  # from the brace of the next entry
    rest = f"[{text[start:]}"
    _require_nodes(rest)
    yield _last(start, rest, *_array(*scan(rest)))


def _last(start: int, text: str, entries: list[Json], length: int) -> Part:
    return Part(start, text[:length], entries, start + length - 1)


def _scan_part(part: str) -> tuple[list[Json], int] | None:
    _require_nodes(part)
    parsed = scan_cut(part)
    return None if parsed is None else _array(*parsed)


def _complete_entries(part: str) -> tuple[list[Json], int, int]:
    """Return the complete entries of an array that is cut at any offset.

    The offset of their end is returned as well, and that of the next entry.
    """
    entries: list[Json] = []
    end = following = len("[")
    with suppress(DocumentError):
        while True:
            entry, position = scan(part, following)
            comma = _COMMA.match(part, position)
            if comma is None:
                break
            entries.append(entry)
            end, following = position, comma.end()
    return entries, end, following


def _array(value: Json, length: int) -> tuple[list[Json], int]:
    return cast("list[Json]", value), length


def _require_nodes(part: str) -> None:
    if len(part) > MAX_NODES:  # less text has fewer nodes anyway
        require_nodes(part)


class EntryList:
    """Entries by their positions.

    A dropped entry is replaced by an empty one, so that the positions of the others stay.

    Attributes:
        names: The name of each entry, if it has one.
        digests: The digest of each entry; empty for a dropped entry.
        end: The offset of the end of the array in the text.
    """

    def __init__(self, text: str, start: int) -> None:
        """Check all entries.

        Raises:
            DocumentError: The array is not I-JSON, or `check_entry` refuses an entry.
            LimitExceededError: As for `iter_parts`; or all entries together hold too many values
                for their text.
        """
        self.names: list[str | None] = []
        self.digests: list[str] = []
        self.end = start
        self._text = text
        self._spans: list[tuple[int, int]] = []  # of the parts, without brackets
        self._firsts: list[int] = []  # the position of the first entry of each part
        self._parsed: dict[int, list[RawEntry]] = {}  # parts that were parsed again, by number
        self._changed: dict[int, RawEntry] = {}  # changed, dropped and new entries, by position
        self._nodes = 0
        for part in iter_parts(text, start):
            if part.entries:
                self._take(part)
            self.end = part.end
        self._read = len(self.names)  # entries from this position on were appended

    def __getitem__(self, position: int) -> RawEntry:
        if position in self._changed:
            return self._changed[position]
        number = self._part_of(position)
        if number not in self._parsed:
            self._parsed[number] = self._parse(number)
        return self._parsed[number][position - self._firsts[number]]

    def __setitem__(self, position: int, entry: RawEntry) -> None:
        self._changed[position] = entry
        name = entry_annotations(entry).get(REF_NAME)
        self.names[position] = name if isinstance(name, str) else None
        self.digests[position] = entry_digest(entry) if entry else ""

    def append(self) -> int:
        """Append an empty entry, and return its position."""
        position = len(self.names)
        self.names.append(None)
        self.digests.append("")
        self._changed[position] = {}
        return position

    def iter_entries(self, word: str = "") -> Iterator[tuple[int, RawEntry]]:
        """Yield the positions and entries, in document order, without dropped entries.

        Args:
            word: Text of the entries that matter, such as the name of a property. Entries without
                it may be left out, which saves parsing them.
        """
        changed: dict[int, list[int]] = {}
        for position in sorted(self._changed):
            if position < self._read:
                changed.setdefault(self._part_of(position), []).append(position)
        for number, (start, end) in enumerate(self._spans):
            # With a backslash in the text, the word may be written with escapes.
            if any(self._text.find(sought, start, end) >= 0 for sought in (word, "\\")):
                yield from self._present(number)
            else:  # the text is that of before the edits, and an edit may have added the word
                for position in changed.get(number, ()):
                    if self._changed[position]:
                        yield position, self._changed[position]
        for position in range(self._read, len(self.names)):
            if self._changed[position]:
                yield position, self._changed[position]

    def encode(self) -> str:
        """Return the text of the array as it is now, without white space between its tokens."""
        return f"[{','.join(map(compact, self._pieces()))}]"

    # ------------------------------------------------------------ reading

    def _take(self, part: Part) -> None:
        first = len(self.names)
        checked = check_entries(part.entries, first)
        objects = [*cast("list[RawEntry]", part.entries), *filter(None, checked.annotations)]
        # The parser drops all but the last of duplicate keys. If the objects that flat entries have
        # account for all of the text, none was dropped; only other entries need a closer look.
        if not surely_ijson(objects, part.text):
            self._count(part.text)
            require_ijson(part.entries, part.text, depth=DEPTH)
        self.names += checked.names
        self.digests += checked.digests
        self._spans.append((part.start, part.start + len(part.text) - 2))
        self._firsts.append(first)

    def _count(self, text: str) -> None:
        """Count the nodes of entries that are not flat, and refuse too many for their text.

        `RootIndex.entries` holds all entries at once, parsed.
        """
        self._nodes += count_nodes(text)
        limit = max(MAX_NODES, len(self._text) // DENSE)
        if self._nodes > limit:
            raise LimitExceededError(
                f"the entries hold more than {limit} values", what="nodes", limit=limit
            )

    def _parse(self, number: int) -> list[RawEntry]:
        start, end = self._spans[number]
        return cast("list[RawEntry]", scan(f"[{self._text[start:end]}]")[0])

    def _part_of(self, position: int) -> int:
        return bisect_right(self._firsts, position) - 1

    def _present(self, number: int) -> Iterator[tuple[int, RawEntry]]:
        for position, entry in enumerate(self._parse(number), self._firsts[number]):
            present = self._changed.get(position, entry)
            if present:
                yield position, present

    # ------------------------------------------------------------ writing

    def _pieces(self) -> Iterator[str]:
        """Yield the texts of entries: of one entry, or of a whole part that did not change."""
        touched = {self._part_of(position) for position in self._changed if position < self._read}
        for number, (start, end) in enumerate(self._spans):
            if number in touched:
                yield from self._split(number)
            else:
                yield self._text[start:end]
        added = [self._changed[position] for position in range(self._read, len(self.names))]
        if any(added):
            yield dump_json([entry for entry in added if entry])[1:-1].decode()

    def _split(self, number: int) -> Iterator[str]:
        """Yield the text of each entry of a part that changed."""
        start, end = self._spans[number]
        part = compact(self._text[start:end])
        position = self._firsts[number]
        start = 0
        while start < len(part):
            _, stop = scan(part, start)
            if position not in self._changed:
                yield part[start:stop]
            elif self._changed[position]:
                yield dump_json(self._changed[position]).decode()
            start = stop + len(",")
            position += 1
