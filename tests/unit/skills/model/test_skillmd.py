"""SKILL.md: how it is cut, what its YAML means, and what every broken one is answered with."""

from __future__ import annotations

import pytest

from ocilayout import FrozenMap
from skills.errors import FrontmatterError
from skills.model.skillmd import (
    MAX_FRONTMATTER,
    MAX_REQUIRES,
    SkillMd,
    parse,
)
from skills.model.yamltree import MAX_ALIASED, MAX_DEPTH


def front(*lines: str) -> SkillMd:
    return parse("\n".join(["---", *lines, "---", ""]).encode())


def refused(data: bytes) -> FrontmatterError:
    with pytest.raises(FrontmatterError) as caught:
        parse(data)
    return caught.value


def refused_front(*lines: str) -> FrontmatterError:
    return refused("\n".join(["---", *lines, "---", ""]).encode())


class TestDelimiters:
    def test_the_whole_file_is_read(self) -> None:
        found = parse(
            b"---\nname: n\ndescription: d\nversion: 1.2.0\nlicense: MIT\ncompatibility: c\n"
            b"allowed-tools: Read Grep\nmetadata:\n  author: a\ntoolhive.requires: [x]\n"
            b"other: ignored\n---\n\n# Title\n\nText.  \n\n"
        )
        assert found == SkillMd(
            name="n",
            description="d",
            version="1.2.0",
            license="MIT",
            compatibility="c",
            allowed_tools=("Read", "Grep"),
            metadata=FrozenMap({"author": "a"}),
            requires=("x",),
            body="\n# Title\n\nText.",
        )

    def test_a_parsed_skill_is_immutable(self) -> None:
        found = front("metadata: {a: b}", "allowed-tools: [c]")
        assert isinstance(found.metadata, FrozenMap)
        assert {found, front("metadata: {a: b}", "allowed-tools: c")} == {found}

    @pytest.mark.parametrize("value", ["a---b", "---- x", "a --- b", "'---'"])
    def test_three_hyphens_within_a_line_close_nothing(self, value: str) -> None:
        assert front(f"description: {value}", "version: 2").version == "2"

    def test_an_indented_line_of_hyphens_closes_nothing(self) -> None:
        assert front("description: |", "  a", "  ---", "  b").description == "a\n---\nb\n"

    @pytest.mark.parametrize("end", ["---", "--- ", "---\t", "---\r", "---\r\n", "---\nbody"])
    def test_trailing_white_space_belongs_to_the_closing_line(self, end: str) -> None:
        assert parse(f"---\nname: n\n{end}".encode()).name == "n"

    def test_windows_line_ends_are_taken(self) -> None:
        found = parse(b"---\r\nname: n\r\ndescription: d\r\n---\r\nbody\r\n")
        assert (found.name, found.description, found.body) == ("n", "d", "body")

    def test_blank_lines_before_the_frontmatter_are_skipped(self) -> None:
        assert parse("\n \u3000\n---\nname: n\n---\n".encode()).name == "n"

    def test_lines_are_counted_from_the_first_of_the_file(self) -> None:
        assert refused(b"\n\n---\nname: n\nname: m\n---\n").line == 5

    @pytest.mark.parametrize("data", [b"", b"# Title\n", b"----\nname: n\n---\n", b"--- x\n---\n"])
    def test_a_file_without_frontmatter_is_refused(self, data: bytes) -> None:
        error = refused(data)
        assert error.line == 1
        assert "must begin with frontmatter" in str(error)

    @pytest.mark.parametrize("data", [b"---", b"---\nname: n\n", b"---\nname: n\n--- x\n"])
    def test_a_frontmatter_that_is_not_closed_is_refused(self, data: bytes) -> None:
        assert "is not closed" in str(refused(data))

    @pytest.mark.parametrize("lines", [[], ["# only a comment"], ["~"], ["null"]])
    def test_a_frontmatter_may_be_empty(self, lines: list[str]) -> None:
        assert front(*lines) == SkillMd()

    def test_the_largest_frontmatter_is_taken_and_one_byte_more_is_not(self) -> None:
        filler = "#" + "é" * ((MAX_FRONTMATTER - 2) // 2)
        assert len(filler.encode()) + 1 == MAX_FRONTMATTER
        assert front(filler) == SkillMd()
        error = refused_front(filler + "#")
        assert str(MAX_FRONTMATTER + 1) in str(error)
        assert error.line == 1

    def test_a_byte_order_mark_is_named(self) -> None:
        error = refused(b"\xef\xbb\xbf---\nname: n\n---\n")
        assert "byte order mark" in str(error)
        assert error.line == 1

    def test_bytes_that_are_not_utf_8_are_refused_with_their_line(self) -> None:
        error = refused(b"---\nname: n\n---\nbody\n\xff\n")
        assert error.line == 5
        assert "0xff" in str(error)


class TestScalars:
    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("1.0", "1.0"),
            ("010", "010"),
            ("true", "true"),
            ("2024-01-01", "2024-01-01"),
            ("nULL", "nULL"),
            ("'~'", "~"),
            ('"null"', "null"),
            ("! null", "null"),
            ("!!str null", "null"),
            ("!!int 7", "7"),
            ("!local x", "x"),
            ("!!binary aGkg\n  w6k=", "hi é"),
            ('"\\u00e9 \\U0001f600 😀"', "é 😀 😀"),
            ("|\n  a\n  b", "a\nb\n"),
            (">\n  a\n  b", "a b\n"),
        ],
    )
    def test_a_scalar_is_its_source_text(self, source: str, text: str) -> None:
        assert front(f"version: {source}").version == text

    @pytest.mark.parametrize("source", ["", "~", "null", "Null", "NULL", "!!null x"])
    def test_null_is_the_empty_string(self, source: str) -> None:
        assert front(f"version: {source}").version == ""

    @pytest.mark.parametrize(
        ("source", "kind"), [("[a]", "a list"), ("{a: b}", "a mapping"), ("[]", "a list")]
    )
    @pytest.mark.parametrize("key", ["name", "description", "version", "license", "compatibility"])
    def test_a_collection_is_not_a_string(self, key: str, source: str, kind: str) -> None:
        error = refused_front("a: b", f"{key}: {source}")
        assert error.line == 3
        assert f"{key} must be a string, found {kind}" in str(error)

    @pytest.mark.parametrize("source", ["!!binary '*'", "!!binary /w==", "!!binary YQ"])
    def test_binary_that_is_not_text_is_refused(self, source: str) -> None:
        assert refused_front(f"name: {source}").line == 2

    @pytest.mark.parametrize("escape", ["\\ud800", "\\ud83d\\ude00"])
    def test_half_a_surrogate_pair_is_refused(self, escape: str) -> None:
        assert "surrogate" in str(refused_front(f'name: "{escape}"'))

    @pytest.mark.parametrize("escape", ["\\UFFFFFFFF", "\\U00110000"])
    def test_an_escape_beyond_unicode_is_refused(self, escape: str) -> None:
        assert "does not exist" in str(refused_front(f'name: "{escape}"'))


class TestYaml:
    @pytest.mark.parametrize("lines", [["- a"], ["text"], ["[a]"], ["'~'"]])
    def test_the_top_level_must_be_a_mapping(self, lines: list[str]) -> None:
        error = refused_front(*lines)
        assert "must be keys with values" in str(error)
        assert error.line == 2

    @pytest.mark.parametrize(
        ("lines", "line"),
        [
            (["name: a: b"], 2),
            (["name: n", "  x: y"], 3),
            (["name: n", "other: [a"], 4),
            (["name: n", "\tx: y"], 3),
            (["name: n", "other: \x01"], 3),
            ([">", " ", "    text"], 4),
        ],
    )
    def test_text_that_is_not_yaml_is_refused_with_its_line(
        self, lines: list[str], line: int
    ) -> None:
        error = refused_front(*lines)
        assert "is not YAML" in str(error)
        assert error.line == line

    @pytest.mark.parametrize(
        "lines",
        [
            ["name: a", "name: a"],
            ["name: a", "'name': b"],
            ["other: 1", "other: 2"],
            ["x:", "  - {a: 1, a: 2}"],
            ["metadata: {a: 1, a: 2}"],
            ["a: &a {x: y}", "<<: *a", "<<: *a"],
        ],
    )
    def test_a_key_twice_is_refused_wherever_it_is(self, lines: list[str]) -> None:
        assert "is here twice" in str(refused_front(*lines))

    def test_a_key_that_is_a_collection_is_refused(self) -> None:
        assert "a key must be a string" in str(refused_front("? [a]", ": b"))

    def test_a_second_document_is_refused(self) -> None:
        error = refused_front("name: a", "...", "version: 2")
        assert "second YAML document" in str(error)

    def test_an_alias_stands_for_what_has_its_anchor(self) -> None:
        found = front("name: &n x", "description: *n", "allowed-tools: &t [a]", "x: &n y", "y: *n")
        assert (found.name, found.description) == ("x", "x")
        assert front("x: &t [a, b]", "allowed-tools: *t").allowed_tools == ("a", "b")

    def test_the_last_anchor_of_a_name_counts(self) -> None:
        assert front("a: &n x", "b: &n y", "name: *n").name == "y"

    @pytest.mark.parametrize(
        ("line", "reason"), [("a: *b", "has no anchor"), ("a: &a [*a]", "contains itself")]
    )
    def test_an_alias_to_nothing_or_to_itself_is_refused(self, line: str, reason: str) -> None:
        error = refused_front("name: n", line)
        assert reason in str(error)
        assert error.line == 3

    def test_merged_keys_give_way_to_own_ones_and_later_to_earlier(self) -> None:
        found = front(
            "a: &a {name: a, version: 1, license: A}",
            "b: &b {<<: *a, version: 2}",
            "<<: [*b, {license: C, description: c}]",
            "name: own",
        )
        assert (found.name, found.version, found.license) == ("own", "2", "A")
        assert found.description == "c"

    def test_a_quoted_merge_key_merges_nothing(self) -> None:
        assert front("'<<': {name: a}") == SkillMd()
        assert front("!!merge '<<': {name: a}").name == "a"

    @pytest.mark.parametrize("value", ["x", "[x]", "[[{a: b}]]"])
    def test_only_mappings_can_be_merged(self, value: str) -> None:
        error = refused_front("a: b", f"<<: {value}")
        assert "merges mappings only" in str(error)
        assert error.line == 3

    def test_aliases_that_multiply_are_refused(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9)]
        assert str(MAX_ALIASED) in str(refused_front(*lines))

    def test_aliases_may_stand_for_as_many_nodes_as_the_limit_says(self) -> None:
        # Of a list of 9 nodes and itself, a thousand times.
        lines = ["a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]", f"b: [{', '.join(['*a'] * 1000)}]"]
        assert front("name: n", *lines).name == "n"
        assert "aliases" in str(refused_front(*lines, "c: *a"))

    def test_the_deepest_nesting_is_taken_and_one_more_is_not(self) -> None:
        deep = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
        assert front(f"x: {deep}") == SkillMd()
        assert "nested deeper" in str(refused_front(f"x: [{deep}]"))

    @pytest.mark.parametrize("text", ["[", "{a: ", "- ", "? "])
    def test_nesting_without_end_is_refused(self, text: str) -> None:
        assert "nested deeper" in str(refused_front(text * (60_000 // len(text))))


class TestAllowedTools:
    @pytest.mark.parametrize(
        ("source", "tools"),
        [
            ("", None),
            ("~", None),
            ("''", None),
            ("[]", ()),
            ("' '", ()),
            ("', ,'", ()),
            ("Read", ("Read",)),
            ("Read  Grep\u3000Glob", ("Read", "Grep", "Glob")),
            ("Read,Glob Grep", ("Read", "Glob Grep")),
            ("' a , , b '", ("a", "b")),
            ("123", ("123",)),
            ("[Read, ' b ', ~, 'x,y', '']", ("Read", " b ", "x,y", "")),
            ("['~']", ("~",)),
            ('"a\\x1cb"', ("a\x1cb",)),
        ],
    )
    def test_the_forms_are_read_as_toolhive_reads_them(
        self, source: str, tools: tuple[str, ...] | None
    ) -> None:
        assert front(f"allowed-tools: {source}").allowed_tools == tools

    def test_without_the_key_there_is_no_list(self) -> None:
        assert front("name: n").allowed_tools is None

    @pytest.mark.parametrize(
        ("source", "by_comma"), [("a, b", True), ("a b", False), ("[a, 'b,c']", False)]
    )
    def test_only_a_string_can_be_separated_by_commas(self, source: str, by_comma: bool) -> None:  # noqa: FBT001
        assert front(f"allowed-tools: {source}", "x: a,b").tools_by_comma is by_comma

    @pytest.mark.parametrize("source", ["{a: b}", "[[a]]", "[{a: b}]"])
    def test_other_collections_are_refused(self, source: str) -> None:
        error = refused_front(f"allowed-tools: {source}")
        assert "allowed-tools must be" in str(error)
        assert error.line == 2


class TestMetadata:
    def test_values_are_text(self) -> None:
        found = front("metadata:", "  a: 1.0", "  b: ~", "  ~: c", "  d: 'x'")
        assert found.metadata == {"a": "1.0", "b": "", "": "c", "d": "x"}

    def test_null_is_not_metadata(self) -> None:
        assert front("metadata: ~").metadata == {}

    @pytest.mark.parametrize("source", ["text", "[a]", "''"])
    def test_it_must_be_a_mapping(self, source: str) -> None:
        assert "metadata must be" in str(refused_front(f"metadata: {source}"))

    def test_its_values_must_be_strings(self) -> None:
        assert refused_front("metadata:", "  a: b", "  c: [d]").line == 4


class TestRequires:
    def test_top_level_comes_before_metadata_and_nothing_twice(self) -> None:
        found = front(
            "metadata:",
            "  toolhive.requires: |",
            "    c",
            "",
            "      a  ",
            "    d",
            "toolhive.requires: [a, '', b, a]",
        )
        assert found.requires == ("a", "b", "c", "d")

    def test_a_string_is_split_as_allowed_tools_is(self) -> None:
        assert front("toolhive.requires: a b").requires == ("a", "b")
        assert front("toolhive.requires: ~").requires == ()

    def test_as_many_as_the_limit_are_taken_and_one_more_is_not(self) -> None:
        names = [f"n{number}" for number in range(MAX_REQUIRES + 1)]
        assert len(front(f"toolhive.requires: {' '.join(names[1:])}").requires) == MAX_REQUIRES
        assert str(MAX_REQUIRES) in str(refused_front(f"toolhive.requires: {' '.join(names)}"))

    def test_both_keys_count_together_and_repetitions_of_the_list_count_too(self) -> None:
        names = " ".join(f"n{number}" for number in range(MAX_REQUIRES))
        error = refused_front(f"toolhive.requires: {names}", "metadata: {toolhive.requires: x}")
        assert str(MAX_REQUIRES) in str(error)
        error = refused_front(f"toolhive.requires: [{', '.join(['x'] * (MAX_REQUIRES + 1))}]")
        assert str(MAX_REQUIRES) in str(error)
