"""Validation: every rule at its edge, all errors at once, and folders that are read safely."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from skills.errors import SkillFolderError
from skills.validation import (
    MANY_LINES,
    MAX_COMPATIBILITY,
    MAX_DESCRIPTION,
    MAX_FILES,
    MAX_LAYER,
    MAX_SIZE,
    Folder,
    ValidationResult,
    check_name,
    read,
    scan,
    validate,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "toolhive" / "skills"


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


def step(folder: int, name: str) -> int:
    below = os.open(name, os.O_RDONLY, dir_fd=folder)
    os.close(folder)
    return below


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
        assert only_error(VECTORS / "minimal") == "description is required"

    @pytest.mark.parametrize("name", ["ab", "a1", "0-9", "a-b-c", "x" * 64])
    def test_these_names_are_allowed(self, name: str) -> None:
        assert check_name(name) == ()

    @pytest.mark.parametrize(
        "name", ["a", "x" * 65, "-ab", "ab-", "a--b", "A-b", "a_b", "a b", "ab\n", "ä-b", "a٣"]
    )
    def test_these_names_are_not(self, name: str) -> None:
        (message,) = check_name(name)
        assert repr(name) in message

    def test_a_name_is_required(self, tmp_path: Path) -> None:
        assert check_name("") == ("name is required",)
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

    @pytest.mark.parametrize("line", ["x: y", "description: ''", "description: '  '"])
    def test_a_description_is_required(self, tmp_path: Path, line: str) -> None:
        assert only_error(make(tmp_path, "name: my-skill", line)) == "description is required"

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
        assert error.startswith(f"{key} has {limit + 1} characters")

    def test_all_errors_come_at_once(self, tmp_path: Path) -> None:
        folder = make(tmp_path, "name: Bad", f"compatibility: {'c' * 501}")
        (folder / "b").symlink_to("SKILL.md")
        (folder / "a").symlink_to("SKILL.md")
        starts = ["'a' is a symbolic", "'b' is a symbolic", "name 'Bad' is", "name 'Bad' must"]
        starts += ["description is", "compatibility has"]
        errors = validate(folder).errors
        assert len(errors) == len(starts)
        assert all(map(str.startswith, errors, starts))

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
        (warning,) = result.warnings
        assert "allowed-tools" in warning

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


class TestFiles:
    def test_files_are_in_bytewise_order_of_their_paths(self, skill: Path) -> None:
        names = ["a/b", "a-b", "Z", "é", "😀", "\uffff", "a\nb", "a/c/d"]
        for name in names:
            (skill / name).parent.mkdir(exist_ok=True)
            (skill / name).write_bytes(name.encode())
        found = scan(skill)
        assert found.problems == ()
        assert list(found.files) == sorted([*names, "SKILL.md"], key=str.encode)
        assert found.files["😀"] == 4
        assert {name: read(found, name) for name in names} == {
            name: name.encode() for name in names
        }

    def test_what_is_hidden_is_left_out_whatever_it_is(self, skill: Path) -> None:
        (skill / ".link").symlink_to("nowhere")
        os.mkfifo(skill / ".fifo")
        (skill / ".git").mkdir()
        (skill / ".git" / "link").symlink_to("nowhere")
        (skill / ".git" / "SKILL.md").write_text("x")
        Path(os.fsdecode(os.fsencode(skill) + b"/.\xff")).write_text("x")
        found = scan(skill)
        assert list(found.files) == ["SKILL.md"]
        assert found.problems == ()

    def test_the_folder_itself_may_be_hidden(self, tmp_path: Path) -> None:
        assert list(scan(make(tmp_path, name=".hidden")).files) == ["SKILL.md"]

    def test_a_symbolic_link_is_refused_wherever_it_is(self, skill: Path) -> None:
        (skill / "deep").mkdir()
        (skill / "deep" / "link").symlink_to(skill / "SKILL.md")
        assert only_error(skill).startswith("'deep/link' is a symbolic link")
        (skill / "deep" / "link").unlink()
        (skill / "deep" / "link").symlink_to(skill.parent)
        assert only_error(skill).startswith("'deep/link' is a symbolic link")

    def test_a_skill_md_that_is_a_link_is_refused_as_one(self, skill: Path) -> None:
        (skill / "SKILL.md").rename(skill / "real.md")
        (skill / "SKILL.md").symlink_to("real.md")
        assert only_error(skill).startswith("'SKILL.md' is a symbolic link")

    def test_special_files_are_refused(self, skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(skill)  # the path of a socket must be short
        os.mkfifo("fifo")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("socket")
        errors = validate(skill).errors
        assert [error.partition(";")[0] for error in errors] == [
            "'fifo' is no regular file",
            "'socket' is no regular file",
        ]

    def test_names_that_are_no_utf_8_are_refused(self, skill: Path) -> None:
        Path(os.fsdecode(os.fsencode(skill) + b"/a\xff")).write_text("x")
        folder = Path(os.fsdecode(os.fsencode(skill) + b"/b\xff"))
        folder.mkdir()
        (folder / "file").write_text("x")
        first, second = validate(skill).errors
        assert first == "'a\\udcff' is no UTF-8 name; rename the file"
        assert second == "'b\\udcff/file' is no UTF-8 name; rename the file"

    def test_names_with_a_backslash_are_refused(self, skill: Path) -> None:
        (skill / "a\\b").write_text("x")
        assert "has a backslash" in only_error(skill)

    def test_folders_may_be_nested_deeper_than_python_can_recurse(self, skill: Path) -> None:
        depth = sys.getrecursionlimit()
        at = os.open(skill, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=at)
            at = step(at, "d")
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        found = scan(skill)
        assert list(found.files) == ["SKILL.md", "d/" * depth + "file"]
        assert read(found, "d/" * depth + "file") == b""
        # What removes the folders of tests does recurse.
        os.unlink("file", dir_fd=at)
        for _ in range(depth):
            at = step(at, "..")
            os.rmdir("d", dir_fd=at)
        os.close(at)

    def test_as_many_files_as_the_limit_are_taken_and_one_more_is_not(self, skill: Path) -> None:
        for number in range(MAX_FILES - 1):
            (skill / str(number)).touch()
        assert validate(skill).valid
        (skill / "more").touch()
        assert only_error(skill).startswith(f"the folder has {MAX_FILES + 1} files")

    def test_the_sum_of_sizes_counts_skill_md(self, skill: Path) -> None:
        room = MAX_SIZE - (skill / "SKILL.md").stat().st_size
        with (skill / "big").open("wb") as file:
            file.truncate(room)
            assert validate(skill).valid
            file.truncate(room + 1)
        assert only_error(skill).startswith(f"the files have {MAX_SIZE + 1} bytes")

    def test_a_skill_md_that_is_too_large_is_not_read(self, skill: Path) -> None:
        with (skill / "SKILL.md").open("r+b") as file:
            file.truncate(MAX_SIZE + 1)
        assert only_error(skill).startswith("the files have")


class TestFolder:
    def test_a_missing_folder_is_an_error(self, tmp_path: Path) -> None:
        assert "does not exist" in only_error(tmp_path / "none")

    @pytest.mark.parametrize("path", ["", "a\0b"])
    def test_a_path_that_can_be_none_is_an_error(self, path: str) -> None:
        result = validate(path)
        assert not result.valid
        assert "does not exist" in result.errors[0]

    def test_a_file_is_no_folder(self, skill: Path) -> None:
        assert "is no folder" in only_error(skill / "SKILL.md")
        assert "is no folder" in only_error(skill / "SKILL.md" / "x")

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
        for path, reason in (("x" * 300, "name too long"), ("loop/x", "symbolic links")):
            with pytest.raises(OSError, match=reason):
                validate(tmp_path / path)

    @pytest.mark.parametrize("kind", ["nothing", "folder", "other case"])
    def test_skill_md_is_required(self, skill: Path, kind: str) -> None:
        (skill / "SKILL.md").rename(skill / "skill.md" if kind == "other case" else skill / "x")
        if kind == "folder":
            (skill / "SKILL.md").mkdir()
        assert "has no file SKILL.md" in only_error(skill)


class TestRead:
    @pytest.mark.parametrize("how", ["longer", "gone", "link", "folder", "fifo", "parent"])
    def test_a_file_that_changed_since_the_scan_is_refused(self, skill: Path, how: str) -> None:
        file = skill / "dir" / "file"
        file.parent.mkdir()
        file.write_bytes(b"data")
        found = scan(skill)
        change(how, file)
        with pytest.raises(SkillFolderError, match="changed while it was read") as caught:
            read(found, "dir/file")
        assert caught.value.path == "dir/file"

    def test_a_pipe_in_the_place_of_an_empty_file_is_refused(self, skill: Path) -> None:
        file = skill / "file"
        file.touch()
        found = scan(skill)
        change("fifo", file)
        with pytest.raises(SkillFolderError, match="changed while it was read"):
            read(found, "file")

    def test_a_folder_that_is_gone_is_refused(self, skill: Path) -> None:
        found = scan(skill)
        skill.rename(skill.parent / "away")
        with pytest.raises(SkillFolderError, match="does not exist"):
            read(found, "SKILL.md")

    @pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs /proc")
    def test_a_file_with_more_bytes_than_its_size_is_refused(self) -> None:
        folder = Folder(path="/proc", files={"version": 0})
        with pytest.raises(SkillFolderError, match="changed while it was read"):
            read(folder, "version")

    def test_a_failure_of_the_file_system_passes(self, skill: Path) -> None:
        folder = Folder(path=str(skill), files={"x" * 300: 0})
        with pytest.raises(OSError, match="name too long"):
            read(folder, "x" * 300)


def change(how: str, file: Path) -> None:
    if how == "longer":
        file.write_bytes(file.read_bytes() + b"more")
        return
    if how == "parent":
        file.parent.rename(file.parents[1] / "moved")
        file.parent.symlink_to("moved")
        return
    file.rename(file.parent / "was")
    if how == "link":
        file.symlink_to("was")
    elif how == "folder":
        file.mkdir()
    elif how == "fifo":
        os.mkfifo(file)
