"""SKILL.md: its frontmatter and its body, from bytes to one frozen value.

Scalars are taken by their source text, as ToolHive takes them: `version: 1.0` is the string
`1.0`. The known keys are read from the tree of `yamltree`. `parse` refuses a broken SKILL.md with
all its problems; `draft` returns the values that can be read all the same. Whether the values make
a good skill is the matter of `validation`.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from ocilayout import FrozenMap
from skills.errors import FrontmatterError
from skills.model.yamltree import Collection, Item, Node, Scalar, compose, pairs_of

SKILL_MD: Final = "SKILL.md"
"""The name of the file."""

MAX_FRONTMATTER: Final = 65536
"""The largest frontmatter, in bytes between the two delimiters."""

MAX_REQUIRES: Final = 100
"""The most skills that a skill may require."""

# White space as Go's unicode.IsSpace knows it; Python's also takes U+001C to U+001F.
_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SPACES = re.compile(f"[{_SPACE}]+")
_BOM: Final = b"\xef\xbb\xbf"
_REQUIRES: Final = "toolhive.requires"
_DELIMITER = re.compile(r"^---[ \t\r]*$", re.MULTILINE)


@frozen(kw_only=True)
class SkillMd:
    """A SKILL.md; a string is empty where the frontmatter does not have the key.

    Attributes:
        name: The name of the skill.
        description: What the skill is for.
        version: The version, in any form.
        license: The licence of the skill.
        compatibility: The environment that the skill needs.
        allowed_tools: The tools, in document order; `None` where the key is absent or empty.
        tools_by_comma: Whether the tools are one string with commas between them.
        metadata: Further keys of the author.
        requires: References of the skills that it needs: those of the key
            `toolhive.requires`, then those of the same key in the metadata, each once.
        body: The text after the frontmatter, without white space at its end.
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


@frozen(kw_only=True)
class Draft:
    """A SKILL.md that may be broken, and its problems.

    Attributes:
        skill: The values; a broken value is empty. `None` if the frontmatter cannot be found or is
            not YAML, so that its values are unknown.
        lines: The line of each key, the first line of the file is 1.
        problems: All problems, in the order of their lines.
        broken: The keys with broken values.
    """

    skill: SkillMd | None = None
    lines: FrozenMap[str, int] = field(factory=FrozenMap, converter=FrozenMap[str, int])
    problems: tuple[FrontmatterError, ...] = ()
    broken: frozenset[str] = frozenset()


def parse(data: bytes) -> SkillMd:
    """Parse a SKILL.md.

    Unknown keys are ignored. Their problems are still errors, since YAML readers disagree on them.

    Args:
        data: The whole file.

    Raises:
        FrontmatterError: The file is not UTF-8 or has no frontmatter, or its frontmatter is not
            closed, is larger than `MAX_FRONTMATTER`, is not a YAML mapping, has a key twice, or
            has a value of another kind than its key takes. The error has all of these problems,
            each with its line.
    """
    parsed = draft(data)
    if parsed.skill is None or parsed.problems:
        raise FrontmatterError.joined(parsed.problems)
    return parsed.skill


def draft(data: bytes) -> Draft:
    """Parse as much of a SKILL.md as possible, without raising an error.

    Args:
        data: The whole file.
    """
    reader = _Reader()
    try:
        skill = reader.read(data)
    except FrontmatterError as error:
        skill = None
        reader.problems.append(error)
    return Draft(
        skill=skill,
        lines=reader.lines,
        problems=tuple(sorted(reader.problems, key=lambda problem: problem.line or 0)),
        broken=frozenset(reader.broken),
    )


def _split(text: str) -> tuple[str, int, str]:
    """Return the frontmatter, the number of its first line, and the body.

    ToolHive strips the whole text first, so empty lines before the first delimiter are allowed.
    """
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
            "the frontmatter is not closed; put a line `---` after it", line=line
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


class _Reader:
    """Reads a SKILL.md, and collects its problems on the way."""

    def __init__(self) -> None:
        self.problems: list[FrontmatterError] = []
        self.lines: dict[str, int] = {}
        self.broken: set[str] = set()

    def read(self, data: bytes) -> SkillMd:
        """Return the values of a SKILL.md.

        Raises:
            FrontmatterError: The frontmatter cannot be found, or is not YAML.
        """
        text, first_line, body = _split(self._decode(data))
        root = compose(text, first_line, self._report)
        pairs: dict[str, Item] = {}
        if isinstance(root, Collection) and root.mapping:
            pairs = pairs_of(root, self._report)
        elif root is not None and not (isinstance(root, Scalar) and root.null):
            raise FrontmatterError(
                "the frontmatter must be keys with values, such as `name: my-skill`",
                line=root.line,
            )
        self.lines = {key: item.line for key, item in pairs.items()}
        return self._skill(pairs, body)

    def _report(self, reason: str, line: int | None) -> None:
        self.problems.append(FrontmatterError(reason, line=line))

    def _decode(self, data: bytes) -> str:
        if data.startswith(_BOM):
            self._report(
                "the file begins with a byte order mark (BOM); save it as UTF-8 without one", 1
            )
            data = data.removeprefix(_BOM)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            line = 1 + data.count(b"\n", 0, error.start)
            raise FrontmatterError(
                f"the byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8", line=line
            ) from None

    def _skill(self, pairs: dict[str, Item], body: str) -> SkillMd:
        texts = {
            name: self._text(name, name, pairs[name].value)
            for name in ("name", "description", "version", "license", "compatibility")
            if name in pairs
        }
        metadata: dict[str, str] = {}
        if "metadata" in pairs:
            metadata = self._metadata(pairs["metadata"].value)
        tools = pairs["allowed-tools"].value if "allowed-tools" in pairs else None
        return SkillMd(
            **texts,
            allowed_tools=None if tools is None else self._words("allowed-tools", tools),
            tools_by_comma=isinstance(tools, Scalar) and "," in tools.text,
            metadata=metadata,
            requires=self._requires(pairs, metadata),
            body=body,
        )

    def _requires(self, pairs: dict[str, Item], metadata: dict[str, str]) -> tuple[str, ...]:
        # ToolHive's parser reads the first of these keys and its packager the second.
        listed: tuple[str, ...] = ()
        if _REQUIRES in pairs:
            listed = self._words(_REQUIRES, pairs[_REQUIRES].value) or ()
        lines = (text.strip(_SPACE) for text in metadata.get(_REQUIRES, "").split("\n"))
        requires = tuple(dict.fromkeys(text for text in (*listed, *lines) if text))
        if max(len(listed), len(requires)) > MAX_REQUIRES:
            place = self.lines.get(_REQUIRES, self.lines.get("metadata"))
            self._report(f"a skill may require {MAX_REQUIRES} others, no more", place)
        return requires

    def _metadata(self, node: Node) -> dict[str, str]:
        if isinstance(node, Collection) and node.mapping:
            return {
                name: self._text("metadata", f"metadata {name!r}", item.value)
                for name, item in pairs_of(node, self._report).items()
            }
        if not (isinstance(node, Scalar) and node.null):
            self._break("metadata", "metadata must be keys with values", node)
        return {}

    def _text(self, key: str, what: str, node: Node) -> str:
        if isinstance(node, Scalar):
            return node.text
        kind = "a mapping" if node.mapping else "a list"
        self._break(key, f"{what} must be a string, found {kind}; quote it", node)
        return ""

    def _words(self, name: str, node: Node) -> tuple[str, ...] | None:
        """Return the members of a list, or the parts of a string; `None` if it is empty."""
        if isinstance(node, Scalar):
            if not node.text:
                return None
            parts = node.text.split(",") if "," in node.text else _SPACES.split(node.text)
            return tuple(part for part in (part.strip(_SPACE) for part in parts) if part)
        if node.mapping:
            self._break(name, f"{name} must be a list or a string", node)
            return None
        return tuple(
            self._text(name, f"each of {name}", item)
            for item in node.children
            if not (isinstance(item, Scalar) and item.null)
        )

    def _break(self, key: str, reason: str, node: Node) -> None:
        self.broken.add(key)
        self._report(reason, node.line)
