"""YAML as a small tree of texts, for the frontmatter of a SKILL.md.

Of YAML's types only null is told apart: a scalar is its source text, never a number, a date or an
object. The tree is made of the parser's events without recursion, bounded in depth and in what
aliases stand for. Text that is not YAML ends the reading; a problem of a single node is reported,
and the tree goes on without it.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from attrs import define, field, frozen
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.reader import ReaderError

from ocilayout.model import has_surrogate
from skills.errors import FrontmatterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ruamel.yaml.error import StreamMark
    from ruamel.yaml.events import Event

    Report = Callable[[str, int], None]
    """Takes a problem of a node, and its line."""

MAX_DEPTH: Final = 64
"""The deepest nesting of lists and mappings."""

MAX_ALIASED: Final = 10_000
"""The most YAML nodes that aliases may stand for, each counted where it is used."""

_BINARY, _NULL, _MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("binary", "null", "merge"))
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@frozen
class Scalar:
    """A scalar by its text; an unquoted one may be null or the key of a merge."""

    text: str
    line: int
    null: bool = False
    merge: bool = False
    weight: int = 1


@define(eq=False)
class Collection:
    """A list, or a mapping whose children are its keys and values in turn.

    `weight` is the number of nodes in it with all aliases written out; 0 until it is complete.
    """

    mapping: bool
    line: int
    children: list[Node] = field(factory=list)
    pairs: list[tuple[Scalar, Node]] = field(factory=list)
    weight: int = 0


Node: TypeAlias = Scalar | Collection


class Item(NamedTuple):
    """A value of a mapping, and the line of its key."""

    line: int
    value: Node


def compose(text: str, first_line: int, report: Report) -> Node | None:
    """Read a YAML document.

    Args:
        text: The document.
        first_line: The number of its first line in the file, for errors.
        report: Called with a problem of a single node: a key that is repeated or is not a string,
            or a text that cannot be decoded.

    Returns:
        The root; `None` if there is nothing but comments.

    Raises:
        FrontmatterError: The text is not YAML, holds a second document, is nested too deeply, or
            its aliases have no anchors or stand for too much.
    """
    lines = _Lines(text, first_line)
    composer = _Composer(lines, report)
    for event in _events(text, lines):
        composer.add(event)
    return composer.root


class _Lines:
    """The lines of a file as editors count them; YAML has further characters that end one."""

    def __init__(self, text: str, first: int) -> None:
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._first = first

    def at(self, place: int) -> int:
        """Return the number of the line of a character."""
        return self._first + bisect_left(self._ends, place)

    def of(self, mark: StreamMark) -> int:
        """Return the number of the line of a mark."""
        return self.at(mark.index)


def _events(text: str, lines: _Lines) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _not_yaml(error.problem or error.context, lines.of(mark)) from None
    except ReaderError as error:
        reason = f"the character U+{error.character:04X} is not allowed"
        raise _not_yaml(reason, lines.at(error.position)) from None
    except (ValueError, ArithmeticError):
        # The scanner gives the number of an escape to chr(), whatever its size.
        raise _not_yaml("an escape names a character that does not exist") from None


def _not_yaml(reason: str, line: int | None = None) -> FrontmatterError:
    return FrontmatterError(f"the frontmatter is not YAML: {' '.join(reason.split())}", line=line)


class _Composer:
    """Makes a tree of events; without recursion, so that no input can exhaust the stack."""

    def __init__(self, lines: _Lines, report: Report) -> None:
        self.root: Node | None = None
        self._lines = lines
        self._report = report
        self._open: list[Collection] = []
        self._anchors: dict[str, Node] = {}
        self._aliased = 0

    def add(self, event: Event) -> None:
        line = self._lines.of(event.start_mark)
        if isinstance(event, DocumentStartEvent) and self.root is not None:
            raise FrontmatterError("the frontmatter holds a second YAML document", line=line)
        if isinstance(event, CollectionEndEvent):
            self._complete(self._open.pop())
        elif isinstance(event, AliasEvent):
            self._attach(self._resolve(event.anchor, line))
        elif isinstance(event, NodeEvent):
            self._start(event, line)

    def _start(self, event: NodeEvent, line: int) -> None:
        if isinstance(event, ScalarEvent):
            self._attach(self._scalar(event, line), event.anchor)
            return
        node = Collection(isinstance(event, MappingStartEvent), line)
        self._attach(node, event.anchor)
        self._open.append(node)
        if len(self._open) > MAX_DEPTH:
            raise FrontmatterError(f"the YAML is nested deeper than {MAX_DEPTH}", line=line)

    def _attach(self, node: Node, anchor: str | None = None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node

    def _resolve(self, name: str, line: int) -> Node:
        # A collection that is not complete has no weight yet: an alias in it would be a cycle.
        node = self._anchors.get(name)
        if node is None or not node.weight:
            reason = "has no anchor" if node is None else "contains itself"
            raise FrontmatterError(f"the YAML alias *{name} {reason}", line=line)
        self._aliased += node.weight
        if self._aliased > MAX_ALIASED:
            raise FrontmatterError(f"the aliases stand for over {MAX_ALIASED} nodes", line=line)
        return node

    def _complete(self, node: Collection) -> None:
        node.weight = 1 + sum(child.weight for child in node.children)
        seen: dict[str, int] = {}
        turns = node.children if node.mapping else []
        for key, value in zip(turns[::2], turns[1::2], strict=True):
            if isinstance(key, Collection):
                self._report("a key must be a string", key.line)
            elif key.text in seen:
                first = seen[key.text]
                self._report(f"the key {key.text!r} is here twice, first in line {first}", key.line)
            else:
                seen[key.text] = key.line
                node.pairs.append((key, value))

    def _scalar(self, event: ScalarEvent, line: int) -> Scalar:
        text, tag = event.value, event.tag
        plain = tag is None and not event.style
        if tag == _BINARY:
            try:
                text = base64.b64decode("".join(text.split()), validate=True).decode()
            except ValueError:  # of base64, and of UTF-8
                self._report("the !!binary value is not UTF-8 in base64", line)
                return Scalar("", line)
        elif tag == _NULL or (plain and text in _NULLS):
            return Scalar("", line, null=True)
        if has_surrogate(text):
            self._report("a string holds half of a surrogate pair", line)
            return Scalar("", line)
        return Scalar(text, line, merge=text == "<<" and (plain or tag == _MERGE))


def pairs_of(node: Collection, report: Report) -> dict[str, Item]:
    """Return the values of a mapping by key; its own come before those of merges.

    Args:
        node: The mapping.
        report: Called with a merge of something other than a mapping.
    """
    items = {key.text: Item(key.line, value) for key, value in node.pairs if not key.merge}
    for merge in (value for key, value in node.pairs if key.merge):
        sources = [merge] if isinstance(merge, Scalar) or merge.mapping else merge.children
        for source in sources:
            if isinstance(source, Collection) and source.mapping:
                items = pairs_of(source, report) | items
            else:
                report("`<<` merges mappings only", source.line)
    return items
