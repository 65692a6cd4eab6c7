"""The store of skills with a registry of another project."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from skills import SkillService
from tests.peers.conftest import _end, _listens

if TYPE_CHECKING:
    from collections.abc import Callable

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_skills_are_pushed_to_and_pulled_from_the_registry_of_the_readme(
    tmp_path: Path, require: Callable[[str], str]
) -> None:
    """The line in the README, with a free port, starts a registry; a skill that is pushed to it is
    pulled unchanged, and counts as a pull."""
    require("docker-registry")
    (line,) = re.findall(r"^printf .* && docker-registry .*$", README, re.MULTILINE)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    write, start = line.replace("127.0.0.1:5000", f"127.0.0.1:{port}").split(" && ")
    subprocess.run(["sh", "-c", write], cwd=tmp_path, check=True)
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(shlex.split(start), cwd=tmp_path, stdout=log, stderr=log) as process,
    ):
        try:
            assert _listens(port, process), (tmp_path / "log").read_text()
            skill = tmp_path / "hello"
            skill.mkdir()
            skill.joinpath("SKILL.md").write_text("---\nname: hello\ndescription: d\n---\n")
            reference = f"127.0.0.1:{port}/team/hello:v1"
            here, there = (
                SkillService.open(tmp_path / name, durability="none") for name in ("here", "there")
            )
            built = here.build(skill, tag=reference)
            assert here.push(reference) == built
            assert there.pull(reference).digest == built.digest
            assert there.get_content(reference) == here.get_content(reference)
            assert (there.list_builds(), len(here.list_builds())) == ([], 1)
        finally:
            _end(process)
