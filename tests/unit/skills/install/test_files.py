"""The files of a skill on disk: written, compared and removed."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from skills.install.files import Changes, compare, remove_tree, write_tree
from skills.packaging.tar_reader import open_layer
from skills.packaging.tar_writer import compress, write_tar

if TYPE_CHECKING:
    from skills.install.files import InstalledFile

FILES = {"SKILL.md": b"x", "docs/a": b"a" * 3_000_000, "docs/deep/er/b": b""}


def write(folder: Path, files: dict[str, bytes] | None = None) -> tuple[InstalledFile, ...]:
    with open_layer(compress(write_tar(files or FILES, 0), 0)) as layer:
        return write_tree(layer, folder, durable=True)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class TestTree:
    def test_written_files_have_the_content_of_the_layer(self, tmp_path: Path) -> None:
        """Every file is written with its size and digest, and compares as unchanged."""
        files = write(tmp_path / "skill")
        assert content(tmp_path / "skill") == FILES
        assert [(file.path, file.size) for file in files] == [
            (path, len(data)) for path, data in FILES.items()
        ]
        assert compare(tmp_path / "skill", files) == Changes()
        assert not compare(tmp_path / "skill", files)

    def test_an_existing_folder_is_not_written_to(self, tmp_path: Path) -> None:
        """A staged tree is always a new one."""
        (tmp_path / "skill").mkdir()
        with pytest.raises(FileExistsError):
            write(tmp_path / "skill")
        assert content(tmp_path / "skill") == {}

    @pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "link", "shorter", "other"])
    def test_anything_else_in_the_place_of_a_file_is_an_edit(
        self, tmp_path: Path, kind: str
    ) -> None:
        """No link is followed, and no FIFO blocks."""
        files = write(tmp_path / "skill")
        path = tmp_path / "skill" / "docs" / "a"
        if kind == "shorter":
            path.write_bytes(b"a")
        elif kind == "other":
            path.write_bytes(b"b" * 3_000_000)
        else:
            path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to("../SKILL.md")
        elif kind == "socket":
            before = Path.cwd()
            os.chdir(path.parent)
            with socket.socket(socket.AF_UNIX) as server:
                server.bind("a")
            os.chdir(before)
        assert compare(tmp_path / "skill", files) == Changes(edited=("docs/a",))

    def test_a_file_that_disappears_during_the_comparison_is_an_edit(self, tmp_path: Path) -> None:
        """A file that is listed and then cannot be opened was changed."""
        files = write(tmp_path / "skill")
        real = os.open

        def racing(path: Any, flags: int, *args: Any, **options: Any) -> int:
            if path == "a":
                raise FileNotFoundError(errno.ENOENT, "gone")
            return real(path, flags, *args, **options)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "open", racing)
            assert compare(tmp_path / "skill", files).edited == ("docs/a",)

    def test_a_missing_folder_or_a_file_in_its_place(self, tmp_path: Path) -> None:
        """If the folder is missing, so are all files; a file or a link at its path is an edit."""
        files = write(tmp_path / "skill")
        everything = tuple(sorted(FILES))
        assert compare(tmp_path / "none", files) == Changes(missing=everything)
        (tmp_path / "link").symlink_to("skill")
        (tmp_path / "file").touch()
        for name in ("link", "file"):
            assert compare(tmp_path / name, files) == Changes(edited=(".",), missing=everything)

    def test_files_links_and_folders_are_removed(self, tmp_path: Path) -> None:
        """A tree, a file, a link, and nothing; what a link leads to stays."""
        write(tmp_path / "skill")
        (tmp_path / "kept").mkdir()
        (tmp_path / "link").symlink_to("kept")
        (tmp_path / "file").touch()
        for name in ("skill", "link", "file", "nothing"):
            remove_tree(tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]
