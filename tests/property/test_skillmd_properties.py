"""Laws of SKILL.md: any input is read or raises our error, and a written file is read back."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skills.errors import FrontmatterError
from skills.model.skillmd import SkillMd, draft, parse
from skills.model.yamltree import MAX_DEPTH

LAW = settings(deadline=None)  # no test asserts a time
KEYS = (
    "name",
    "description",
    "version",
    "license",
    "compatibility",
    "allowed-tools",
    "metadata",
    "toolhive.requires",
)

# Pieces of YAML; most combinations of them are nearly a frontmatter.
PIECES = st.sampled_from(
    [
        *KEYS,
        *(
            ": ",
            ":",
            "- ",
            "? ",
            ",",
            "[",
            "]",
            "{",
            "}",
            "\n",
            "\n  ",
            "\n    ",
            "\r\n",
            " ",
            "\t",
        ),
        *("&a ", "*a", "&b ", "*b", "<<: ", "<<", "!!binary ", "!!null ", "!!str ", "! ", "!x!y "),
        *("|", "|2-", ">", ">+9", "'", '"', "\\x", "\\uD800", "\\UFFFFFFFF", "#", " #", "%", "%ff"),
        *("%YAML 1.1\n", "%TAG ! tag:x,2000:\n", "---", "\n---\n", "...", "\n...\n", "~", "null"),
        *("aGk=", "1.0", "é", "😀", "\x00", "\x1c", "\x7f", "\x85", "\u2028", "\ufeff", "`", "@"),
    ]
)


def parse_or_refuse(data: bytes) -> SkillMd | None:
    """Return the parsed file, or None if it was refused; every other outcome is a failure."""
    found = draft(data)
    lines = data.count(b"\n") + 1
    assert all(1 <= line <= lines for line in found.lines.values())
    assert all(problem.line is None or 1 <= problem.line <= lines for problem in found.problems)
    if found.skill is not None and not found.problems:
        assert not found.broken
        assert parse(data) == found.skill
        return found.skill
    with pytest.raises(FrontmatterError) as caught:
        parse(data)
    assert len(caught.value.problems) == len(found.problems) > 0
    assert "\n" not in str(caught.value)
    return None


class TestNothingElseEscapes:
    @LAW
    @given(st.binary())
    def test_from_any_bytes(self, data: bytes) -> None:
        parse_or_refuse(data)

    @LAW
    @given(st.binary())
    def test_from_any_bytes_between_delimiters(self, data: bytes) -> None:
        parse_or_refuse(b"---\n" + data + b"\n---\nbody\n")

    @LAW
    @given(st.text())
    def test_from_any_text_between_delimiters(self, text: str) -> None:
        parse_or_refuse(f"---\n{text}\n---\nbody\n".encode("utf-8", "surrogatepass"))

    @LAW
    @given(st.lists(PIECES, max_size=30).map("".join))
    @example('name: "\\UFFFFFFFF"')
    @example("> #\n \n    x")
    @example("a: &a [*a]")
    def test_from_near_yaml(self, text: str) -> None:
        parse_or_refuse(f"---\n{text}\n---\nbody\n".encode())

    @LAW
    @given(st.sampled_from(KEYS), st.lists(PIECES, max_size=12).map("".join))
    def test_from_near_values(self, key: str, text: str) -> None:
        parse_or_refuse(f"---\nx: &a [b]\n{key}: {text}\n---\n".encode())


# A JSON string is a YAML string, unless a character is escaped as a surrogate pair.
TEXTS = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF))
# YAML ends a key on one line at 1,024 characters, and JSON may write six for one.
NAMES = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=150)


@LAW
@given(
    texts=st.fixed_dictionaries(dict.fromkeys(KEYS[:5], TEXTS)),
    tools=st.none() | st.lists(TEXTS),
    metadata=st.dictionaries(NAMES, TEXTS),
    body=st.text(st.characters(codec="utf-8"), max_size=50),
)
def test_a_written_file_is_read_back(
    texts: dict[str, str], tools: list[str] | None, metadata: dict[str, str], body: str
) -> None:
    front = json.dumps({**texts, "allowed-tools": tools, "metadata": metadata})
    found = parse_or_refuse(f"---\n{front}\n---\n{body}|".encode())
    assert found is not None
    assert {key: getattr(found, key) for key in texts} == texts
    assert found.allowed_tools == (None if tools is None else tuple(tools))
    assert found.metadata == metadata
    assert found.body == body + "|"


@LAW
@given(st.integers(0, 2 * MAX_DEPTH), st.sampled_from(["[]", "{}"]))
def test_depth_is_refused_exactly_beyond_the_limit(depth: int, kind: str) -> None:
    opening = "[" if kind == "[]" else "{a: "
    text = f"x: {opening * depth}{kind[1] * depth}"
    refused = parse_or_refuse(f"---\n{text}\n---\n".encode()) is None
    assert refused == (depth + 1 > MAX_DEPTH)


@LAW
@given(st.lists(st.sampled_from(["a", "b", "c", "d"])), st.lists(st.sampled_from(["a", "b", "e"])))
def test_requirements_are_a_union_in_order(top: list[str], lines: list[str]) -> None:
    front = json.dumps(
        {"metadata": {"toolhive.requires": "\n".join(lines)}, "toolhive.requires": top}
    )
    found = parse_or_refuse(f"---\n{front}\n---\n".encode())
    assert found is not None
    assert list(found.requires) == list(dict.fromkeys([*top, *lines]))


@LAW
@given(st.lists(st.sampled_from(["\n", " ", "\t", "\r\n", "x", "---", "é"])).map("".join))
def test_a_body_is_kept_but_for_white_space_at_its_end(body: str) -> None:
    with suppress(FrontmatterError):
        assert parse(f"---\nname: n\n---\n{body}".encode()).body == body.rstrip()
