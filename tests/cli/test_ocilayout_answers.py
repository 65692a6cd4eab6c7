"""What `ocilayout` answers to programs, held against the page that documents it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocilayout import OCI_CONFIG, Descriptor, Digest, Layout, Manifest
from ocilayout.cli import main
from tests.cli.conftest import sparse_layout

if TYPE_CHECKING:
    from tests.cli.conftest import Command

PAGE = (Path(__file__).parents[2] / "spec-notes/answers.md").read_text()
CODE = re.compile(r"`([^`]+)`")
_, ANSWERS, MEANINGS = PAGE.split("\n|---|---|\n")


def rows(table: str) -> list[list[str]]:
    """Return the rows of a table."""
    lines = table.partition("\n\n")[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines]


def parts(answers: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """Return the objects at a path such as `tree.nodes[].parts[]` in the answers."""
    found = [answers]
    for step in path.split("."):
        inner = [one[step.removesuffix("[]")] for one in found]
        found = [one for many in inner for one in many] if step.endswith("[]") else inner
    return found


def test_every_key_is_documented(command: Command, layout: Layout) -> None:
    """Each verb's answer has exactly the keys that the page says, and each key has a meaning."""
    run = command.answer
    sparse = sparse_layout(command.folder / "sparse")
    absent = Descriptor.of(b"absent", OCI_CONFIG)
    sparse.tag("lost", sparse.put_manifest(Manifest(config=absent, layers=[])))
    layout.tag("moved", layout.resolve("solo"))
    answers = {
        "init": run("init", "new"),
        "ls": run("ls", "lay"),
        "inspect": run("inspect", "lay", "v1"),
        "tree": run("tree", "lay"),
        "referrers": run("referrers", "lay", "v1"),
        "tag": run("tag", "lay", "v1", "v2", "moved"),
        "untag": run("untag", "lay", "v2"),
        "annotate": run("annotate", "lay", "v1", "a=b"),
        "cp": run("cp", "--sparse", "--all", "--keep-going", "oci:sparse", "oci:other", status=1),
        "rm": run("rm", "lay", "solo"),
        "gc": run("gc", "lay"),
        "explain": run("explain", "image-layout:blob-content"),
    }
    layout.blobs.path(Digest.of(b"one")).write_bytes(b"two")
    answers["check"] = run("check", "lay", status=1)
    answers["repair"] = run("repair", "lay", status=1)
    documented = {CODE.findall(answer)[0]: CODE.findall(keys) for answer, keys in rows(ANSWERS)}
    assert {path.partition(".")[0].removesuffix("[]") for path in documented} == set(answers)
    for path, keys in documented.items():
        found = parts(answers, path)
        assert found, path
        assert {tuple(one) for one in found} == {tuple(keys)}, path
    explained = [key for cell, _ in rows(MEANINGS) for key in CODE.findall(cell)]
    assert len(explained) == len(set(explained))
    assert set(explained) == {key for keys in documented.values() for key in keys}


def test_every_verb_that_answers_has_it() -> None:
    """All verbs but those that give bytes take `--json`."""
    context = click.Context(main)
    verbs = {name: main.get_command(context, name) for name in main.list_commands(context)}
    without = [
        name
        for name, verb in verbs.items()
        if verb and "as_json" not in {param.name for param in verb.params}
    ]
    assert without == ["cat"]
