"""SKILL.md: its frontmatter and its body, from bytes to one frozen value.

Scalars are taken by their source text, as ToolHive takes them: `version: 1.0` is the string
`1.0`. So nothing here knows YAML's numbers, dates or objects: the events of the YAML parser
become a small tree, and the known keys are read from it. Whether the values make a good skill is
the matter of `validation`.
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

from ocilayout import FrozenMap
from skills.errors import FrontmatterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.events import Event

MAX_FRONTMATTER: Final = 65536
"""The largest frontmatter, in bytes between the two delimiters."""

MAX_REQUIRES: Final = 100
"""The most skills that one may require."""

MAX_DEPTH: Final = 64
"""The deepest nesting of lists and mappings in the frontmatter."""

MAX_ALIASED: Final = 10_000
"""The most YAML nodes that aliases may stand for, each counted where it is used."""

# White space as Go's unicode.IsSpace knows it; Python's also takes U+001C to U+001F.
_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SPACES = re.compile(f"[{_SPACE}]+")
_DELIMITER = re.compile(r"^---[ \t\r]*$", re.MULTILINE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_BINARY, _NULL, _MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("binary", "null", "merge"))
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@frozen(kw_only=True)
class SkillMd:
    """A SKILL.md; a string is empty where the frontmatter does not have the key.

    Attributes:
        name: The name of the skill.
        description: What the skill is for.
        version: Its version, of whatever form.
        license: Its licence.
        compatibility: What it needs of its environment.
        allowed_tools: The tools, in document order; `None` where the key is absent or empty.
        tools_by_comma: Whether the tools stand in one string and are separated by commas.
        metadata: Further keys of the author.
        requires: References of the skills that this one needs: those of the key
            `toolhive.requires`, then those of the same key in the metadata, each once.
        body: The text behind the frontmatter, without white space at its end.
    """

    name: str = ""
    description: str = ""
    version: str = ""
    license: str = ""
    compatibility: str = ""
    allowed_tools: tuple[str, ...] | None = None
    tools_by_comma: bool = False
    metadata: FrozenMap[str, str] = field(factory=FrozenMap, converter=FrozenMap[str, str])
    requires: tuple[str, ...] = ()
    body: str = ""


def parse(data: bytes) -> SkillMd:
    """Read a SKILL.md.

    Keys that are not known are ignored; what is wrong with one is still an error, where no two
    readers of YAML would agree about it.

    Args:
        data: The whole file.

    Raises:
        FrontmatterError: The file is no UTF-8, has no frontmatter or one that is not closed, that
            is larger than `MAX_FRONTMATTER`, that is no YAML mapping, that says a key twice, or
            that holds a value of another kind than the key takes.
    """
    text, first_line, body = _split(_decode(data))
    composer = _Composer(first_line)
    for event in _events(text, first_line):
        composer.add(event)
    root = composer.root
    if isinstance(root, _Collection) and root.mapping:
        return _read(_pairs(root), body)
    if root is None or (isinstance(root, _Scalar) and root.null):
        return SkillMd(body=body)
    raise FrontmatterError(
        "the frontmatter must be keys with values, such as `name: my-skill`", line=root.line
    )


def _decode(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise FrontmatterError(
            "the file begins with a byte order mark (BOM); save it as UTF-8 without one", line=1
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise FrontmatterError(
            f"the byte {data[error.start]:#04x} is no UTF-8; save the file as UTF-8", line=line
        ) from None


def _split(text: str) -> tuple[str, int, str]:
    """Return the frontmatter, the number of its first line, and the body."""
    start = len(text) - len(text.lstrip(_SPACE))
    line = 1 + text.count("\n", 0, start)
    text = text.strip(_SPACE)
    opening = _DELIMITER.match(text)
    if opening is None:
        raise FrontmatterError(
            "the file must begin with frontmatter; make `---` the first line", line=line
        )
    closing = _DELIMITER.search(text, opening.end())
    if closing is None:
        raise FrontmatterError(
            "the frontmatter is not closed; put a line `---` behind it", line=line
        )
    front = text[opening.end() + 1 : closing.start()]
    size = len(front.encode())
    if size > MAX_FRONTMATTER:
        raise FrontmatterError(
            f"the frontmatter has {size} bytes, the limit is {MAX_FRONTMATTER};"
            " move text into the body",
            line=line,
        )
    return front, line + 1, text[closing.end() + 1 :]


def _read(pairs: dict[str, _Node], body: str) -> SkillMd:
    texts = {
        name: _text(name, pairs[name])
        for name in ("name", "description", "version", "license", "compatibility")
        if name in pairs
    }
    metadata: dict[str, str] = {}
    if "metadata" in pairs:
        metadata = _metadata(pairs["metadata"])
    tools = pairs.get("allowed-tools")
    return SkillMd(
        **texts,
        allowed_tools=None if tools is None else _words("allowed-tools", tools),
        tools_by_comma=isinstance(tools, _Scalar) and "," in tools.text,
        metadata=metadata,
        requires=_requires(pairs, metadata),
        body=body,
    )


def _requires(pairs: dict[str, _Node], metadata: dict[str, str]) -> tuple[str, ...]:
    # ToolHive's parser reads the first of these keys and its packager the second.
    listed: tuple[str, ...] = ()
    node = pairs.get("toolhive.requires")
    if node is not None:
        listed = _words("toolhive.requires", node) or ()
    lines = (text.strip(_SPACE) for text in metadata.get("toolhive.requires", "").split("\n"))
    found = tuple(dict.fromkeys(text for text in (*listed, *lines) if text))
    if max(len(listed), len(found)) > MAX_REQUIRES:
        raise FrontmatterError(f"a skill may require {MAX_REQUIRES} others, no more")
    return found


def _metadata(node: _Node) -> dict[str, str]:
    if isinstance(node, _Collection) and node.mapping:
        return {name: _text(name, value) for name, value in _pairs(node).items()}
    if isinstance(node, _Scalar) and node.null:
        return {}
    raise FrontmatterError("metadata must be keys with values", line=node.line)


def _text(name: str, node: _Node) -> str:
    if isinstance(node, _Scalar):
        return node.text
    kind = "a mapping" if node.mapping else "a list"
    raise FrontmatterError(f"{name} must be a string, found {kind}; quote it", line=node.line)


def _words(name: str, node: _Node) -> tuple[str, ...] | None:
    """Return the members of a list as they are, or the parts of a string; `None` for none."""
    if isinstance(node, _Scalar):
        if not node.text:
            return None
        parts = node.text.split(",") if "," in node.text else _SPACES.split(node.text)
        return tuple(part for part in (part.strip(_SPACE) for part in parts) if part)
    if node.mapping:
        raise FrontmatterError(f"{name} must be a list or a string", line=node.line)
    return tuple(
        _text(f"each of {name}", item)
        for item in node.children
        if not (isinstance(item, _Scalar) and item.null)
    )


# ---------------------------------------------------------------- YAML


@frozen
class _Scalar:
    """A scalar by its text; an unquoted one may be null or the key of a merge."""

    text: str
    line: int
    null: bool = False
    merge: bool = False
    weight: int = 1


@define(eq=False)
class _Collection:
    """A list, or a mapping whose children are its keys and values in turn.

    `weight` is the number of nodes in it with all aliases written out; 0 until it is complete.
    """

    mapping: bool
    line: int
    children: list[_Node] = field(factory=list)
    pairs: list[tuple[_Scalar, _Node]] = field(factory=list)
    weight: int = 0


_Node: TypeAlias = _Scalar | _Collection


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
        self.root: _Node | None = None
        self._first_line = first_line
        self._open: list[_Collection] = []
        self._anchors: dict[str, _Node] = {}
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
        node = _Collection(isinstance(event, MappingStartEvent), line)
        self._attach(node, event.anchor)
        self._open.append(node)
        if len(self._open) > MAX_DEPTH:
            raise FrontmatterError(f"the YAML is nested deeper than {MAX_DEPTH}", line=line)

    def _attach(self, node: _Node, anchor: str | None = None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node

    def _resolve(self, name: str, line: int) -> _Node:
        node = self._anchors.get(name)
        if node is None or not node.weight:
            reason = "has no anchor" if node is None else "contains itself"
            raise FrontmatterError(f"the YAML alias *{name} {reason}", line=line)
        self._aliased += node.weight
        if self._aliased > MAX_ALIASED:
            raise FrontmatterError(f"the aliases stand for over {MAX_ALIASED} nodes", line=line)
        return node


def _complete(node: _Collection) -> None:
    node.weight = 1 + sum(child.weight for child in node.children)
    seen: set[str] = set()
    turns = node.children if node.mapping else []
    for key, value in zip(turns[::2], turns[1::2], strict=True):
        if isinstance(key, _Collection):
            raise FrontmatterError("a key must be a string", line=key.line)
        if key.text in seen:
            raise FrontmatterError(f"the key {key.text!r} stands here twice", line=key.line)
        seen.add(key.text)
        node.pairs.append((key, value))


def _scalar(event: ScalarEvent, line: int) -> _Scalar:
    text, tag = event.value, event.tag
    plain = tag is None and not event.style
    if tag == _BINARY:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode()
        except ValueError:  # of base64, and of UTF-8
            raise FrontmatterError("the !!binary value is no base64 of UTF-8", line=line) from None
    elif tag == _NULL or (plain and text in _NULLS):
        return _Scalar("", line, null=True)
    if _SURROGATE.search(text):
        raise FrontmatterError("a string holds half of a surrogate pair", line=line)
    return _Scalar(text, line, merge=text == "<<" and (plain or tag == _MERGE))


def _pairs(node: _Collection) -> dict[str, _Node]:
    """Return the values of a mapping by key; its own come before those of merges."""
    found = {key.text: value for key, value in node.pairs if not key.merge}
    for merge in (value for key, value in node.pairs if key.merge):
        sources = [merge] if isinstance(merge, _Scalar) or merge.mapping else merge.children
        for source in sources:
            if not isinstance(source, _Collection) or not source.mapping:
                raise FrontmatterError("`<<` merges mappings only", line=source.line)
            found = _pairs(source) | found
    return found
