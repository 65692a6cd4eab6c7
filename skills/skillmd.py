"""SKILL.md: its frontmatter and its body, from bytes to one frozen value.

Scalars are taken by their source text, as ToolHive takes them: `version: 1.0` is the string
`1.0`. The known keys are read from a tree that `yamltree` makes. Whether the values make a good
skill is the matter of `validation`.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from ocilayout import FrozenMap
from skills.errors import FrontmatterError
from skills.yamltree import Collection, Node, Scalar, compose, pairs_of

MAX_FRONTMATTER: Final = 65536
"""The largest frontmatter, in bytes between the two delimiters."""

MAX_REQUIRES: Final = 100
"""The most skills that one may require."""

# White space as Go's unicode.IsSpace knows it; Python's also takes U+001C to U+001F.
_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SPACES = re.compile(f"[{_SPACE}]+")
_DELIMITER = re.compile(r"^---[ \t\r]*$", re.MULTILINE)


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
    root = compose(text, first_line)
    if isinstance(root, Collection) and root.mapping:
        return _read(pairs_of(root), body)
    if root is None or (isinstance(root, Scalar) and root.null):
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


def _read(pairs: dict[str, Node], body: str) -> SkillMd:
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
        tools_by_comma=isinstance(tools, Scalar) and "," in tools.text,
        metadata=metadata,
        requires=_requires(pairs, metadata),
        body=body,
    )


def _requires(pairs: dict[str, Node], metadata: dict[str, str]) -> tuple[str, ...]:
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


def _metadata(node: Node) -> dict[str, str]:
    if isinstance(node, Collection) and node.mapping:
        return {name: _text(name, value) for name, value in pairs_of(node).items()}
    if isinstance(node, Scalar) and node.null:
        return {}
    raise FrontmatterError("metadata must be keys with values", line=node.line)


def _text(name: str, node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text
    kind = "a mapping" if node.mapping else "a list"
    raise FrontmatterError(f"{name} must be a string, found {kind}; quote it", line=node.line)


def _words(name: str, node: Node) -> tuple[str, ...] | None:
    """Return the members of a list as they are, or the parts of a string; `None` for none."""
    if isinstance(node, Scalar):
        if not node.text:
            return None
        parts = node.text.split(",") if "," in node.text else _SPACES.split(node.text)
        return tuple(part for part in (part.strip(_SPACE) for part in parts) if part)
    if node.mapping:
        raise FrontmatterError(f"{name} must be a list or a string", line=node.line)
    return tuple(
        _text(f"each of {name}", item)
        for item in node.children
        if not (isinstance(item, Scalar) and item.null)
    )
