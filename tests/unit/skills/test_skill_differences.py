"""The inputs that ToolHive answers differently: what is said of them here, one test a row."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocilayout import Reference
from skills import (
    FrontmatterError,
    InvalidEpochError,
    InvalidTagError,
    SkillFolderError,
    SkillService,
    TooLargeError,
    ValidationError,
    package,
    validate,
)
from skills.model.skillmd import parse
from skills.model.yamltree import MAX_DEPTH as MAX_NESTING
from skills.packaging.folder import MAX_DEPTH, MAX_FILES, MAX_LAYER, MAX_PATH, MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = (Path(__file__).parents[3] / "spec-notes" / "skills.md").read_text()
FRONT = "---\nname: my-skill\ndescription: d\n---\n"

ROWS: dict[str, Callable[[Path], None]] = {}


def row(name: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Say of a function that it holds our answer in a row of the table."""

    def note(check: Callable[[Path], None]) -> Callable[[Path], None]:
        assert name not in ROWS
        ROWS[name] = check
        return check

    return note


def write(folder: Path, text: str | bytes = FRONT) -> None:
    folder.joinpath("SKILL.md").write_bytes(text.encode() if isinstance(text, str) else text)


def only_error(folder: Path) -> str:
    (error,) = validate(folder).errors
    return error


@pytest.mark.parametrize("name", sorted(re.findall(r"^\| (S-[0-9]+) ", TABLE, re.MULTILINE)))
def test_the_answer_is_that_of_the_table(tmp_path: Path, name: str) -> None:
    """This library does what the table has in its column."""
    folder = tmp_path / "my-skill"
    folder.mkdir()
    write(folder)
    ROWS[name](folder)


def test_every_answer_has_a_row() -> None:
    """Every behaviour that is tested here is in the table."""
    assert set(ROWS) == set(re.findall(r"^\| (S-[0-9]+) ", TABLE, re.MULTILINE))


@row("S-01")
def dashes_within_a_line(_: Path) -> None:
    assert parse(b"---\ndescription: a---b\n---\n").description == "a---b"


@row("S-02")
def a_longer_line_of_dashes(_: Path) -> None:
    with pytest.raises(FrontmatterError, match="must begin with frontmatter"):
        parse(b"----\nname: n\n---\n")


@row("S-03")
def a_byte_order_mark(folder: Path) -> None:
    write(folder, b"\xef\xbb\xbf---\nname: my-skill\n---\n")
    mark, description = validate(folder).errors
    assert "byte order mark" in mark
    assert "description" in description


@row("S-04")
def a_body_that_is_not_utf_8(folder: Path) -> None:
    write(folder, FRONT.encode() + b"a\nb\xff\n")
    assert only_error(folder).startswith("SKILL.md line 6: the byte 0xff")


@row("S-05")
def a_description_of_two_byte_characters(folder: Path) -> None:
    write(folder, f"---\nname: my-skill\ndescription: {'é' * 1024}\n---\n")
    assert validate(folder).valid


@row("S-06")
def a_description_of_blanks(folder: Path) -> None:
    write(folder, "---\nname: my-skill\ndescription: '  '\n---\n")
    assert only_error(folder) == "SKILL.md line 3: description is required"


@row("S-07")
def a_comma_elsewhere(folder: Path) -> None:
    write(folder, "---\nname: my-skill\ndescription: d\nallowed-tools: [Read]\n---\na, b\n")
    assert validate(folder).warnings == ()


@row("S-08")
def five_hundred_lines(folder: Path) -> None:
    write(folder, FRONT + "x\n" * (500 - FRONT.count("\n")))
    assert validate(folder).warnings == ()


@row("S-09")
def requirements_under_both_keys(_: Path) -> None:
    front = "---\ntoolhive.requires: [a, b]\nmetadata: {toolhive.requires: b}\n---\n"
    assert parse(front.encode()).requires == ("a", "b")


@row("S-10")
def a_second_document(_: Path) -> None:
    with pytest.raises(FrontmatterError, match="second YAML document"):
        parse(b"---\nname: a\n...\nversion: 2\n---\n")


@row("S-11")
def deep_yaml(_: Path) -> None:
    deep = "[" * MAX_NESTING + "]" * MAX_NESTING
    with pytest.raises(FrontmatterError, match="nested deeper"):
        parse(f"---\nx: {deep}\n---\n".encode())


@row("S-12")
def several_errors(folder: Path) -> None:
    write(folder, "---\nname: my--skill\nversion: [1]\n---\n")
    lines = [finding.line for finding in validate(folder).findings]
    assert lines == [3, 2, 2, None]  # the name is also not that of the folder


@row("S-13")
def two_links(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).symlink_to("SKILL.md")
    assert len(validate(folder).errors) == 2


@row("S-14")
def a_hidden_link(folder: Path) -> None:
    (folder / ".a").symlink_to("SKILL.md")
    assert validate(folder).valid
    package(folder, epoch=0)


@row("S-15")
def a_fifo(folder: Path) -> None:
    os.mkfifo(folder / "a")
    assert "is not a regular file" in only_error(folder)
    with pytest.raises(SkillFolderError, match="is not a regular file"):
        package(folder, epoch=0)


@row("S-16")
def one_file_more(folder: Path) -> None:
    for number in range(MAX_FILES):
        (folder / str(number)).touch()
    assert "the limit is 1000" in only_error(folder)


@row("S-17")
def skill_md_counts(folder: Path) -> None:
    with (folder / "big").open("wb") as file:
        file.truncate(MAX_SIZE)
    assert f"the limit is {MAX_SIZE}" in only_error(folder)


@row("S-18")
def what_does_not_compress(folder: Path) -> None:
    (folder / "noise").write_bytes(random.Random(0).randbytes(MAX_LAYER))
    with pytest.raises(TooLargeError, match="when they are compressed"):
        package(folder, epoch=0)


@row("S-19")
def a_backslash(folder: Path) -> None:
    (folder / "a\\b").touch()
    assert "has a backslash" in only_error(folder)


@row("S-20")
def a_name_of_other_bytes(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    assert "is not a UTF-8 name" in only_error(folder)


@row("S-21")
def long_and_deep_paths(folder: Path) -> None:
    long = folder.joinpath(*["d" * 200] * (MAX_PATH // 200 + 1))
    deep = folder.joinpath(*"d" * MAX_DEPTH)
    for path in (long, deep):
        path.mkdir(parents=True)
        (path / "file").touch()
    first, second = validate(folder).errors
    assert "lies deeper" in first
    assert "has a path of more" in second


@row("S-22")
def two_dots_in_a_name(folder: Path) -> None:
    moved = folder.rename(folder.parent / "my..skill")
    assert package(moved, epoch=0).name == "my-skill"


@row("S-23")
def a_file_for_a_folder(folder: Path) -> None:
    assert "is not a folder" in only_error(folder / "SKILL.md")


@row("S-24")
def a_folder_for_a_file(folder: Path) -> None:
    (folder / "SKILL.md").unlink()
    (folder / "SKILL.md").mkdir()
    assert "has no file SKILL.md" in only_error(folder)


@row("S-25")
def a_relative_path(folder: Path) -> None:
    before = Path.cwd()
    os.chdir(folder.parent)
    try:
        assert validate("my-skill").valid
    finally:
        os.chdir(before)


@row("S-26")
def a_build_without_a_description(folder: Path) -> None:
    write(folder, "---\nname: my-skill\n---\n")
    service = SkillService.open(folder.parent / "store")
    with pytest.raises(ValidationError, match="description is required"):
        service.build(folder)
    assert service.build(folder, validate=False).reference == "my-skill"


@row("S-27")
def a_bad_tag(folder: Path) -> None:
    service = SkillService.open(folder.parent / "store")
    with pytest.raises(InvalidTagError):
        service.build(folder, tag="a b")
    assert list(service.layout.blobs) == []


@row("S-28")
def a_late_epoch(folder: Path) -> None:
    with pytest.raises(InvalidEpochError):
        package(folder, epoch=4294967296)


@row("S-29")
def a_repository_of_one_letter(folder: Path) -> None:
    assert built(folder, "localhost/x:v1") == ["localhost/x:v1"]


@row("S-30")
def a_repository_of_docker_hub_alone(folder: Path) -> None:
    assert built(folder, "docker.io/skill:v1") == ["docker.io/skill:v1"]
    assert Reference.parse("docker.io/skill:v1").repository == "library/skill"


@row("S-31")
def tags_that_no_registry_takes(folder: Path) -> None:
    for tag in ("ghcr.io/a..b/c:v1", "ghcr.io/a/b:.v1"):
        with pytest.raises(InvalidTagError):
            built(folder, tag)


@row("S-32")
def a_digest_of_another_kind(folder: Path) -> None:
    tag = f"ghcr.io/a/b@sha512:{'0' * 128}"
    assert built(folder, tag) == [tag]


def built(folder: Path, tag: str) -> list[str]:
    service = SkillService.open(folder.parent / "store", durability="none")
    service.build(folder, tag=tag)
    return [build.tag for build in service.list_builds()]
