"""The entries of a root index, kept as the text in which they stand.

All entries are looked at when they are read, one part of the text after another, and of a part
nothing is kept but names and digests. So a large index takes little more memory than its text, and
Python's cyclic collector has nothing to go through again and again meanwhile. A part is parsed anew
when one of its entries is asked for. Changed entries are put into the old text, of which nothing
else changes but white space. What stands around the array is not known here.
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
    scan_cut,
    surely_ijson,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocilayout.model import Json

PART: Final = 32 * 1024
"""How much text is parsed at a time, in characters."""

DEPTH: Final = 1
"""In how many objects and arrays the array stands."""

DENSE: Final = 8
"""How much text there is at least for each node of entries that have more in them than names,
digests and annotations, in characters."""

_BOUNDARY = re.compile(r"\}[ \t\n\r]*,[ \t\n\r]*\{")

_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")


class Part(NamedTuple):
    """Some entries, one after another in the text.

    Attributes:
        start: Where the first one begins in the text of the document.
        text: Their text as an array, with its brackets.
        entries: What they are, parsed.
        end: Where the array ends in the text of the document, if these are the last.
    """

    start: int
    text: str
    entries: list[Json]
    end: int


def iter_parts(text: str, start: int) -> Iterator[Part]:
    """Parse the array of entries, a part at a time.

    The text is cut where one entry seems to end and another to begin. If what lies before the
    cut is an array without a flaw, then so it is. Otherwise the cut went through an entry, and
    those before it are taken one by one; if there is none, twice as much is looked at. So memory
    is bounded by the largest entry.

    Args:
        text: A document.
        start: Where the array of entries begins in it.

    Raises:
        DocumentError: The array is no JSON.
        LimitExceededError: An entry is nested too deeply, or holds more than 262,144 values.

    Spec: considerations:limits.
    """
    start += 1
    size = PART
    while (cut := _BOUNDARY.search(text, start + size)) is not None:
        part = f"[{text[start : cut.start() + 1]}]"
        found = _scan_part(part)
        if found is None:
            entries, end, following = _whole_entries(part[:-1])
            if entries:
                yield Part(start, f"{part[:end]}]", entries, 0)
                start, size = start + following - 1, PART
            else:
                size = 2 * (cut.start() - start)
        elif found[1] < len(part):  # the array ended before the cut
            yield _last(start, part, *found)
            return
        else:
            yield Part(start, part, found[0], 0)
            start, size = cut.end() - 1, PART
    rest = f"[{text[start:]}"
    _require_nodes(rest)
    yield _last(start, rest, *_array(*scan(rest)))


def _last(start: int, text: str, entries: list[Json], length: int) -> Part:
    return Part(start, text[:length], entries, start + length - 1)


def _scan_part(part: str) -> tuple[list[Json], int] | None:
    _require_nodes(part)
    found = scan_cut(part)
    return None if found is None else _array(*found)


def _whole_entries(part: str) -> tuple[list[Json], int, int]:
    """Return the entries that are whole in a part, where they end, and where the next one begins.

    Args:
        part: The beginning of an array, cut somewhere.
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
    """Entries by their positions. One that was dropped is empty, so that positions stay.

    Attributes:
        names: The name of each entry, if it has one.
        digests: The digest of each entry; empty for one that was dropped.
        end: Where the array ends in the text.
    """

    def __init__(self, text: str, start: int) -> None:
        """Look at all entries.

        Args:
            text: A document.
            start: Where the array of entries begins in it.

        Raises:
            DocumentError: The array is no I-JSON, or an entry breaks what `check_entry` asks.
            LimitExceededError: It is nested too deeply, or an entry holds too many values, or all
                together do in proportion to their text.
        """
        self.names: list[str | None] = []
        self.digests: list[str] = []
        self.end = start
        self._text = text
        self._spans: list[tuple[int, int]] = []
        self._firsts: list[int] = []
        self._parsed: dict[int, list[RawEntry]] = {}
        self._changed: dict[int, RawEntry] = {}
        self._nodes = 0
        for part in iter_parts(text, start):
            if part.entries:
                self._take(part)
            self.end = part.end
        self._read = len(self.names)

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
        """Make room for one more entry, and return its position."""
        position = len(self.names)
        self.names.append(None)
        self.digests.append("")
        self._changed[position] = {}
        return position

    def holding(self, word: str = "") -> Iterator[tuple[int, RawEntry]]:
        """Give entries and their positions, in document order; some that lack a word are left out.

        Args:
            word: What stands in every entry that matters, such as the name of a property.
        """
        changed: dict[int, list[int]] = {}
        for position in sorted(self._changed):
            if position < self._read:
                changed.setdefault(self._part_of(position), []).append(position)
        for number, (start, end) in enumerate(self._spans):
            # Behind a backslash any word may stand in disguise.
            if any(self._text.find(sought, start, end) >= 0 for sought in (word, "\\")):
                yield from self._present(number)
            else:  # the text is that of before the edits, and an edit may have brought the word
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
        found = check_entries(part.entries, first)
        objects = [*cast("list[RawEntry]", part.entries), *filter(None, found.annotations)]
        if not surely_ijson(objects, part.text):
            self._count(part.text)
            require_ijson(part.entries, part.text, depth=DEPTH)
        self.names += found.names
        self.digests += found.digests
        self._spans.append((part.start, part.start + len(part.text) - 2))
        self._firsts.append(first)

    def _count(self, text: str) -> None:
        """Count the nodes of entries that are not flat: parsed, all of them are held at once."""
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
        """Give the texts of entries: of one, or of some with what is between them."""
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
        """Give the text of each entry of a part."""
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


class Positions:
    """Where texts stand in a list.

    Most texts stand in one place, so a text maps to its position itself, and to a set of
    positions only while there are several. There is one map, so nothing in it can go stale.
    """

    def __init__(self, texts: Iterable[str | None]) -> None:
        """Note where each text stands; `None` and the empty text are passed over."""
        self._places: dict[str, int | set[int]] = {}
        places = self._places
        for position, text in enumerate(texts):
            if text:
                if text in places:
                    self._add(text, position)
                else:
                    places[text] = position

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def of(self, text: str) -> list[int]:
        """Return where a text stands, in order."""
        found = self._places.get(text)
        if found is None:
            return []
        return [found] if isinstance(found, int) else sorted(found)

    def count(self, text: str) -> int:
        """Return in how many places a text stands."""
        found = self._places.get(text)
        if found is None:
            return 0
        return 1 if isinstance(found, int) else len(found)

    def shared(self, text: str, others: Positions, other: str) -> list[int]:
        """Return where a text stands and another one stands too, in order.

        It takes no longer than the rarer of the two has places.

        Args:
            text: The text.
            others: Where the texts of another list stand.
            other: The text in that list.
        """
        mine, theirs = self._set(text), others._set(other)  # it is one of us
        return sorted(mine & theirs)  # which goes through the smaller one

    def move(self, position: int, before: str | None, after: str | None) -> None:
        """Note that the text at a position was replaced.

        Args:
            position: The position.
            before: The text that stood there; empty or `None` for none.
            after: The text that stands there now; empty or `None` for none.
        """
        if before:
            self._remove(before, position)
        if after:
            self._add(after, position)

    def _set(self, text: str) -> set[int]:
        found = self._places.get(text, set())
        return {found} if isinstance(found, int) else found

    def _add(self, text: str, position: int) -> None:
        found = self._places.setdefault(text, position)
        if isinstance(found, set):
            found.add(position)
        elif found != position:
            self._places[text] = {found, position}

    def _remove(self, text: str, position: int) -> None:
        found = self._places[text]
        if isinstance(found, int):
            del self._places[text]
            return
        found.remove(position)
        if len(found) == 1:
            self._places[text] = found.pop()
