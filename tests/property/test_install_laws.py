"""Laws of installing: the packaged files are installed, and the old state comes back."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills import LocalEditsError, SkillService, package
from skills.install.clients import CLIENTS
from skills.packaging.tar_reader import open_layer

if TYPE_CHECKING:
    from collections.abc import Iterable

LAW = settings(deadline=None, max_examples=settings().max_examples // 2)  # each creates a store
SKILL_MD = b"---\nname: hello\ndescription: d\n---\n"
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=20
).filter(lambda name: not name.startswith(".") and len(name.encode()) <= 255)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CHOSEN = st.sets(st.sampled_from([client.name for client in CLIENTS]), min_size=1, max_size=4)


def is_tree(paths: Iterable[str]) -> bool:
    """Tell whether no path goes through another one."""
    known = set(paths)
    return not any(
        str(above) in known for path in known for above in Path(path).parents if str(above) != "."
    )


FILES = (
    st.dictionaries(PATHS, st.binary(max_size=600), max_size=5)
    .map(lambda files: {**files, "SKILL.md": SKILL_MD})
    .filter(is_tree)
)
# Content of a home folder: folders of clients, empty or not, and other files.
PLACES = st.dictionaries(
    st.sampled_from(
        [
            *{client.user for client in CLIENTS},
            *{client.user.partition("/")[0] for client in CLIENTS},
            ".claude/skills/other",
            ".local/state",
            "work",
        ]
    ),
    st.none() | st.binary(max_size=20),
    max_size=6,
)


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def tree(folder: Path) -> dict[str, tuple[int, bytes | str | None]]:
    """Return the tree of a folder: modes, and the bytes of files."""
    return {
        os.fsdecode(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else None,
        )
        for path in folder.rglob("*")
    }


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def service_in(folder: Path) -> SkillService:
    return SkillService.open(folder / "store", home=folder / "home", durability="none")


@LAW
@given(files=FILES)
def test_packaged_files_are_read_back(files: dict[str, bytes]) -> None:
    """The layer of a package gives the packaged files, in their order."""
    with TemporaryDirectory() as place:
        write(Path(place), files)
        made = package(place, epoch=0)
    with open_layer(made.layer.data, diff_id=made.diff_id) as layer:
        assert {file.path: layer.read(file) for file in layer.files} == files
        assert [file.path for file in layer.files] == sorted(files, key=str.encode)
        assert all(file.size == len(files[file.path]) for file in layer.files)


@LAW
@given(files=FILES, more=FILES, places=PLACES, first=CHOSEN, second=CHOSEN)
def test_installing_and_removing_leaves_the_home_as_it_was(
    files: dict[str, bytes],
    more: dict[str, bytes],
    places: dict[str, bytes | None],
    first: set[str],
    second: set[str],
) -> None:
    """Whatever is in the home folder, an install adds the skill's files, and a removal removes them
    with all folders that were created for them."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        home = folder / "home"
        home.mkdir()
        for name, data in places.items():
            (home / name).mkdir(parents=True, exist_ok=True)
            if data is not None:
                (home / name / "mine").write_bytes(data)
        before = tree(home)
        service = service_in(folder)
        for version, (skill_files, clients) in enumerate(((files, first), (more, second))):
            skill = folder / f"v{version}" / "hello"
            write(skill, skill_files)
            service.build(skill)
            installed = service.install("hello", clients=sorted(clients))
            assert service.list_installed() == [installed]
            for target in installed.folders:
                assert content(target) == skill_files
            # The rest is unchanged.
            inside = {str(target.relative_to(home)) for target in installed.folders}
            for name, found in before.items():
                assert tree(home)[name] == found
                assert not any(name == path or name.startswith(f"{path}/") for path in inside)
        assert set(installed.clients) == first | second
        service.uninstall("hello")
        assert service.list_installed() == []
        assert tree(home) == before


@LAW
@given(
    files=FILES,
    data=st.data(),
    how=st.sampled_from(["change", "add", "remove", "nothing"]),
)
def test_an_edit_is_noticed_exactly_if_there_is_one(
    files: dict[str, bytes], data: st.DataObject, how: str
) -> None:
    """Changing or adding any file is an edit; removing one, or doing nothing, is not."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "home").mkdir()
        service = service_in(folder)
        write(folder / "hello", files)
        service.build(folder / "hello")
        (target,) = service.install("hello", clients=["codex"]).folders
        victim = target / data.draw(st.sampled_from(sorted(files)))
        if how == "change":
            victim.write_bytes(victim.read_bytes() + b"!")
        elif how == "add":
            (victim.parent / ".added").write_bytes(b"")
        elif how == "remove":
            victim.unlink()
        if how in {"remove", "nothing"}:
            service.install("hello", clients=["codex"])
            assert content(target) == files
            return
        with pytest.raises(LocalEditsError) as caught:
            service.install("hello", clients=["codex"])
        named = {"change": victim, "add": victim.parent / ".added"}[how]
        assert caught.value.changes == (named.relative_to(target).as_posix(),)
