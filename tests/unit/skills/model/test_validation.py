"""Validation: every rule at its edge, all errors at once, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from skills.model.skillmd import MAX_REQUIRES
from skills.model.validation import (
    MANY_LINES,
    MAX_COMPATIBILITY,
    MAX_DESCRIPTION,
    ValidationResult,
    check_name,
)
from skills.packaging import validate
from skills.packaging.folder import MAX_LAYER

VECTORS = Path(__file__).parents[3] / "vectors" / "toolhive" / "skills"


def make(parent: Path, *lines: str, name: str = "my-skill", body: str = "# Body\n") -> Path:
    folder = parent / name
    folder.mkdir()
    front = lines or (f"name: {name}", "description: d")
    text = "\n".join(["---", *front, "---", body])
    (folder / "SKILL.md").write_bytes(text.encode())
    return folder


def only_error(path: Path) -> str:
    result = validate(path)
    assert not result.valid
    (error,) = result.errors
    return error


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    return make(tmp_path)


class TestFields:
    def test_a_good_skill_has_neither_errors_nor_warnings(self, skill: Path) -> None:
        assert validate(skill) == ValidationResult()
        assert validate(str(skill)).valid

    def test_of_the_recorded_skills_only_the_one_without_a_description_is_refused(self) -> None:
        assert validate(VECTORS / "release-notes") == ValidationResult()
        assert validate(VECTORS / "sql-review") == ValidationResult()
        assert only_error(VECTORS / "minimal") == "SKILL.md line 3: description is required"

    @pytest.mark.parametrize("name", ["ab", "a1", "0-9", "a-b-c", "x" * 64])
    def test_these_names_are_allowed(self, name: str) -> None:
        assert check_name(name) is None

    @pytest.mark.parametrize(
        "name", ["a", "x" * 65, "-ab", "ab-", "a--b", "A-b", "a_b", "a b", "ab\n", "ä-b", "a٣"]
    )
    def test_these_names_are_not(self, name: str) -> None:
        assert repr(name) in str(check_name(name))

    def test_a_name_is_required(self, tmp_path: Path) -> None:
        assert check_name("") == "name is required"
        assert only_error(make(tmp_path, "description: d")) == "name is required"

    def test_the_name_must_be_that_of_the_folder(self, tmp_path: Path) -> None:
        folder = make(tmp_path, "name: other", "description: d")
        error = only_error(folder)
        assert "'other'" in error
        assert "'my-skill'" in error

    def test_the_folders_name_is_known_however_the_path_is_written(
        self, skill: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(skill)
        for path in (".", "../my-skill/", f"{skill}/", f"{skill}/../my-skill"):
            assert validate(path).valid

    @pytest.mark.parametrize(
        ("line", "place"),
        [
            ("x: y", ""),
            ("description: ''", "SKILL.md line 3: "),
            ("description: ' '", "SKILL.md line 3: "),
        ],
    )
    def test_a_description_is_required(self, tmp_path: Path, line: str, place: str) -> None:
        error = only_error(make(tmp_path, "name: my-skill", line))
        assert error == f"{place}description is required"

    @pytest.mark.parametrize(
        ("key", "limit"), [("description", MAX_DESCRIPTION), ("compatibility", MAX_COMPATIBILITY)]
    )
    def test_lengths_are_counted_in_characters(self, tmp_path: Path, key: str, limit: int) -> None:
        lines = ["name: my-skill"] + ["description: d"] * (key != "description")
        folder = make(tmp_path, *lines, f"{key}: {'é' * limit}")
        assert validate(folder).valid
        (folder / "SKILL.md").write_text(
            "\n".join(["---", *lines, f"{key}: {'é' * (limit + 1)}", "---"]), encoding="utf-8"
        )
        error = only_error(folder)
        line = len(lines) + 2
        assert error.startswith(f"SKILL.md line {line}: {key} has {limit + 1} characters")

    def test_all_errors_come_at_once(self, tmp_path: Path) -> None:
        folder = make(tmp_path, "name: Bad", f"compatibility: {'c' * 501}")
        (folder / "b").symlink_to("SKILL.md")
        (folder / "a").symlink_to("SKILL.md")
        starts = ["'a' is a symbolic", "'b' is a symbolic"]
        starts += ["SKILL.md line 2: name 'Bad' is", "SKILL.md line 2: name 'Bad' must"]
        starts += ["description is", "SKILL.md line 3: compatibility has"]
        errors = validate(folder).errors
        assert len(errors) == len(starts)
        assert all(map(str.startswith, errors, starts))

    def test_values_that_cannot_be_read_are_reported_with_the_rest(self, tmp_path: Path) -> None:
        folder = make(
            tmp_path,
            "name: Bad",
            "description: [a]",
            "name: other",
            "metadata: {a: [b], c: [d]}",
            "allowed-tools: {a: b}",
            f"compatibility: {'c' * 501}",
            f"toolhive.requires: [{', '.join(['x'] * (MAX_REQUIRES + 1))}]",
            "<<: text",
            "version: !!binary '*'",
            "? [a]",
            ": b",
            'license: "\\ud800"',
        )
        expected = [
            (3, "description must be a string, found a list"),
            (4, "the key 'name' is here twice, first in line 2"),
            (5, "metadata 'a' must be a string"),
            (5, "metadata 'c' must be a string"),
            (6, "allowed-tools must be a list or a string"),
            (8, f"a skill may require {MAX_REQUIRES} others"),
            (9, "`<<` merges mappings only"),
            (10, "the !!binary value is not UTF-8 in base64"),
            (11, "a key must be a string"),
            (13, "a string holds half of a surrogate pair"),
        ]
        found = validate(folder).findings
        unread = found[: len(expected)]
        assert [finding.line for finding in unread] == [line for line, _ in expected]
        for finding, (_, start) in zip(unread, expected, strict=True):
            assert finding.message.startswith(start)
        rules = [str(finding) for finding in found[len(unread) :]]
        assert [rule[:29] for rule in rules] == [
            "SKILL.md line 2: name 'Bad' i",
            "SKILL.md line 2: name 'Bad' m",
            "SKILL.md line 7: compatibilit",
        ]

    def test_a_broken_value_is_not_called_missing_as_well(self, tmp_path: Path) -> None:
        folder = make(tmp_path, "name: [my-skill]", "description: {a: b}")
        assert [finding.line for finding in validate(folder).findings] == [2, 3]

    def test_a_byte_order_mark_does_not_hide_the_other_errors(self, tmp_path: Path) -> None:
        folder = make(tmp_path, "name: my-skill")
        file = folder / "SKILL.md"
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
        mark, description = validate(folder).errors
        assert "byte order mark" in mark
        assert description == "description is required"

    @pytest.mark.parametrize("separator", ["\x85", "\u2028", "\r\n"])
    def test_lines_are_those_of_an_editor(self, tmp_path: Path, separator: str) -> None:
        front = (f"x: 'a{separator}b'", "name: my-skill", "description: [d]")
        text = "\n".join(["---", *front, "---", ""])
        folder = make(tmp_path)
        (folder / "SKILL.md").write_bytes(text.encode())
        (finding,) = validate(folder).findings
        assert finding.line == 1 + text[: text.index("[d]")].count("\n")

    def test_a_broken_skill_md_does_not_hide_the_other_errors(self, tmp_path: Path) -> None:
        folder = make(tmp_path, "name: [")
        (folder / "link").symlink_to("SKILL.md")
        link, yaml = validate(folder).errors
        assert "'link'" in link
        assert yaml.startswith("SKILL.md line")


class TestWarnings:
    def test_commas_between_tools_are_warned_of(self, tmp_path: Path) -> None:
        lines = ("name: my-skill", "description: d")
        result = validate(make(tmp_path, *lines, "allowed-tools: Read, Grep"))
        assert result.valid
        assert [(found.line, found.severity) for found in result.findings] == [(4, "warning")]
        assert result.warnings[0].startswith("SKILL.md line 4: allowed-tools")
        assert result.errors == ()

    @pytest.mark.parametrize("tools", ["[Read, Grep]", "Read Grep"])
    def test_other_commas_are_not(self, tmp_path: Path, tools: str) -> None:
        lines = ("name: my-skill", "description: 'a, b'", f"allowed-tools: {tools}")
        assert validate(make(tmp_path, *lines, body="a, b\n")) == ValidationResult()

    def test_many_lines_are_warned_of_and_one_less_is_not(self, tmp_path: Path) -> None:
        folder = make(tmp_path, body="x\n" * (MANY_LINES - 4))
        assert validate(folder) == ValidationResult()
        with (folder / "SKILL.md").open("a") as file:
            file.write("no line end")
        result = validate(folder)
        assert result.valid
        assert f"{MANY_LINES + 1} lines" in result.warnings[0]

    def test_files_that_may_compress_to_too_much_are_warned_of(self, skill: Path) -> None:
        with (skill / "big").open("wb") as file:
            file.truncate(MAX_LAYER)
        result = validate(skill)
        assert result.valid
        assert "compressed" in result.warnings[0]


class TestFolder:
    def test_a_missing_folder_is_an_error(self, tmp_path: Path) -> None:
        assert "does not exist" in only_error(tmp_path / "none")

    @pytest.mark.parametrize("path", ["", "a\0b"])
    def test_an_impossible_path_is_an_error(self, path: str) -> None:
        result = validate(path)
        assert not result.valid
        assert "does not exist" in result.errors[0]

    def test_a_path_that_is_too_long_is_an_error(self, tmp_path: Path) -> None:
        (error,) = validate(tmp_path / ("x" * 300)).errors
        assert "is longer than a path can be" in error

    def test_a_file_is_not_a_folder(self, skill: Path) -> None:
        assert "is not a folder" in only_error(skill / "SKILL.md")
        assert "is not a folder" in only_error(skill / "SKILL.md" / "x")

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_a_link_to_a_folder_is_refused(self, skill: Path, slash: str) -> None:
        link = skill.parent / "link"
        link.symlink_to(skill)
        result = validate(f"{link}{slash}")
        assert "is a symbolic link" in result.errors[0]

    def test_a_link_above_the_folder_is_followed(self, skill: Path) -> None:
        link = skill.parent / "link"
        link.symlink_to(skill.parent)
        assert validate(link / "my-skill").valid

    def test_a_failure_of_the_file_system_passes(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(OSError, match="symbolic links"):
            validate(tmp_path / "loop" / "x")

    @pytest.mark.parametrize("kind", ["nothing", "folder", "other case"])
    def test_skill_md_is_required(self, skill: Path, kind: str) -> None:
        (skill / "SKILL.md").rename(skill / "skill.md" if kind == "other case" else skill / "x")
        if kind == "folder":
            (skill / "SKILL.md").mkdir()
        assert "has no file SKILL.md" in only_error(skill)
