"""The files of a skill folder: which belong to it, their limits, and that they are read safely."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from skills.errors import SkillFolderError
from skills.packaging import validate
from skills.packaging.folder import (
    MAX_DEPTH,
    MAX_FILES,
    MAX_PATH,
    MAX_SIZE,
    Folder,
    check_path,
    read,
    scan,
)


def make(parent: Path, name: str = "my-skill") -> Path:
    folder = parent / name
    folder.mkdir()
    (folder / "SKILL.md").write_text(f"---\nname: {name}\ndescription: d\n---\n# Body\n")
    return folder


def only_error(path: Path) -> str:
    (error,) = validate(path).errors
    return error


def step(folder: int, name: str) -> int:
    below = os.open(name, os.O_RDONLY, dir_fd=folder)
    os.close(folder)
    return below


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    return make(tmp_path)


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

    def test_hidden_names_are_left_out(self, skill: Path) -> None:
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
            "'fifo' is not a regular file",
            "'socket' is not a regular file",
        ]

    def test_names_that_are_not_utf_8_are_refused(self, skill: Path) -> None:
        Path(os.fsdecode(os.fsencode(skill) + b"/a\xff")).write_text("x")
        folder = Path(os.fsdecode(os.fsencode(skill) + b"/b\xff"))
        folder.mkdir()
        (folder / "file").write_text("x")
        first, second = validate(skill).errors
        assert first == "'a\\udcff' is not a UTF-8 name; rename the file"
        assert second == "'b\\udcff/file' is not a UTF-8 name; rename the file"

    def test_names_with_a_backslash_are_refused(self, skill: Path) -> None:
        (skill / "a\\b").write_text("x")
        assert "has a backslash" in only_error(skill)

    def test_the_deepest_path_is_taken_and_one_more_folder_is_not(self, skill: Path) -> None:
        deep = skill.joinpath(*"d" * (MAX_DEPTH - 1))
        deep.mkdir(parents=True)
        (deep / "file").touch()
        assert list(scan(skill).files) == ["SKILL.md", "d/" * (MAX_DEPTH - 1) + "file"]
        (deep / "d").mkdir()
        (deep / "d" / "file").touch()
        assert f"lies deeper than {MAX_DEPTH} folders" in only_error(skill)

    def test_folders_may_be_nested_deeper_than_handles_and_stacks_allow(self, skill: Path) -> None:
        depth = 1500
        at = os.open(skill, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=at)
            at = step(at, "d")
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        found = scan(skill)
        assert list(found.files) == ["SKILL.md"]
        assert "has a path of more than" in str(found.problems[0])
        # What removes the folders of tests does recurse.
        os.unlink("file", dir_fd=at)
        for _ in range(depth):
            at = step(at, "..")
            os.rmdir("d", dir_fd=at)
        os.close(at)

    def test_the_longest_path_is_taken_and_one_byte_more_is_not(self) -> None:
        path = "/".join(["é" * 100] * 5)
        path += "x" * (MAX_PATH - len(path.encode()))
        assert check_path(path) is None
        assert "bytes; shorten it" in str(check_path(path + "x"))

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
        errors = [str(problem) for problem in scan(skill).problems]
        assert any("the files have" in error for error in errors)
        assert any("SKILL.md" in error for error in errors)


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

    def test_a_deleted_folder_is_refused(self, skill: Path) -> None:
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
