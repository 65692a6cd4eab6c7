"""YAML as a small tree of texts, for the frontmatter of a SKILL.md.

Of YAML's types only null is told apart: a scalar is its source text, so nothing here knows
numbers, dates or objects. The tree is made of the parser's events without recursion, bounded in
depth and in what aliases stand for.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final, TypeAlias

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

from skills.errors import FrontmatterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.events import Event

MAX_DEPTH: Final = 64
"""The deepest nesting of lists and mappings."""

MAX_ALIASED: Final = 10_000
"""The most YAML nodes that aliases may stand for, each counted where it is used."""

_SURROGATE = re.compile("[\ud800-\udfff]")
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


def compose(text: str, first_line: int) -> Node | None:
    """Read a YAML document.

    Args:
        text: The document.
        first_line: The number of its first line in the file, for errors.

    Returns:
        The root; `None` where there is nothing but comments.

    Raises:
        FrontmatterError: The text is no YAML, holds a second document, says a key twice, is
            nested too deeply, or its aliases stand for too much.
    """
    composer = _Composer(first_line)
    for event in _events(text, first_line):
        composer.add(event)
    return composer.root


def _events(text: str, first_line: int) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _no_yaml(error.problem or error.context, first_line + mark.line) from None
    except ReaderError as error:
        line = first_line + text.count("\n", 0, error.position)
        raise _no_yaml(f"the character U+{error.character:04X} is not allowed", line) from None
    except (ValueError, ArithmeticError):
        # The scanner gives the number of an escape to chr(), whatever its size.
        raise _no_yaml("an escape names a character that does not exist") from None


def _no_yaml(reason: str, line: int | None = None) -> FrontmatterError:
    return FrontmatterError(f"the frontmatter is no YAML: {' '.join(reason.split())}", line=line)


class _Composer:
    """Makes a tree of events; without recursion, so that no input can exhaust the stack."""

    def __init__(self, first_line: int) -> None:
        self.root: Node | None = None
        self._first_line = first_line
        self._open: list[Collection] = []
        self._anchors: dict[str, Node] = {}
        self._aliased = 0

    def add(self, event: Event) -> None:
        line = self._first_line + event.start_mark.line
        if isinstance(event, DocumentStartEvent) and self.root is not None:
            raise FrontmatterError("the frontmatter holds a second YAML document", line=line)
        if isinstance(event, CollectionEndEvent):
            _complete(self._open.pop())
        elif isinstance(event, AliasEvent):
            self._attach(self._resolve(event.anchor, line))
        elif isinstance(event, NodeEvent):
            self._start(event, line)

    def _start(self, event: NodeEvent, line: int) -> None:
        if isinstance(event, ScalarEvent):
            self._attach(_scalar(event, line), event.anchor)
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
        node = self._anchors.get(name)
        if node is None or not node.weight:
            reason = "has no anchor" if node is None else "contains itself"
            raise FrontmatterError(f"the YAML alias *{name} {reason}", line=line)
        self._aliased += node.weight
        if self._aliased > MAX_ALIASED:
            raise FrontmatterError(f"the aliases stand for over {MAX_ALIASED} nodes", line=line)
        return node


def _complete(node: Collection) -> None:
    node.weight = 1 + sum(child.weight for child in node.children)
    seen: set[str] = set()
    turns = node.children if node.mapping else []
    for key, value in zip(turns[::2], turns[1::2], strict=True):
        if isinstance(key, Collection):
            raise FrontmatterError("a key must be a string", line=key.line)
        if key.text in seen:
            raise FrontmatterError(f"the key {key.text!r} stands here twice", line=key.line)
        seen.add(key.text)
        node.pairs.append((key, value))


def _scalar(event: ScalarEvent, line: int) -> Scalar:
    text, tag = event.value, event.tag
    plain = tag is None and not event.style
    if tag == _BINARY:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode()
        except ValueError:  # of base64, and of UTF-8
            raise FrontmatterError("the !!binary value is no base64 of UTF-8", line=line) from None
    elif tag == _NULL or (plain and text in _NULLS):
        return Scalar("", line, null=True)
    if _SURROGATE.search(text):
        raise FrontmatterError("a string holds half of a surrogate pair", line=line)
    return Scalar(text, line, merge=text == "<<" and (plain or tag == _MERGE))


def pairs_of(node: Collection) -> dict[str, Node]:
    """Return the values of a mapping by key; its own come before those of merges."""
    found = {key.text: value for key, value in node.pairs if not key.merge}
    for merge in (value for key, value in node.pairs if key.merge):
        sources = [merge] if isinstance(merge, Scalar) or merge.mapping else merge.children
        for source in sources:
            if not isinstance(source, Collection) or not source.mapping:
                raise FrontmatterError("`<<` merges mappings only", line=source.line)
            found = pairs_of(source) | found
    return found
