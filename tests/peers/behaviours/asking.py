"""Asks all programs, each with a folder of its own for every case."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.peers.behaviours.cases import CASES
from tests.peers.behaviours.program import (
    Buildah,
    DockerRegistry,
    OciImageTool,
    OrasPy,
    Ours,
    Skopeo,
    Umoci,
)
from tests.peers.conftest import _start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.peers.behaviours.case import Case
    from tests.peers.behaviours.program import Program
    from tests.peers.behaviours.table import Answers

    Programs = Mapping[str, Program]

_JOBS = 4


@contextmanager
def programs(folder: Path) -> Iterator[Programs]:
    """Give the installed programs by their names, with a running registry."""
    known: list[Program] = [Ours(), Skopeo(), Umoci(), Buildah(), OciImageTool(), OrasPy()]
    with ExitStack() as stack:
        if shutil.which(DockerRegistry.program):
            host = _start(stack, DockerRegistry.program, folder, {}, {})
            if host is None:
                raise RuntimeError(f"docker-registry did not start: {(folder / 'log').read_text()}")
            known.append(DockerRegistry(host))
        yield {
            program.name: program
            for program in known
            if not program.program or shutil.which(program.program)
        }


def versions(found: Programs) -> dict[str, str]:
    """Return the versions of programs, empty for a program without one."""
    return {name: program.version() for name, program in found.items()}


def ask_all(found: Programs, folder: Path) -> Answers:
    """Return the answers of all programs to all cases, with a umask of 022.

    Args:
        found: The programs.
        folder: The folder in which each case gets its own. Its path must be valid in the name of
            an image, since buildah makes a name of it: no part of it may end with `_`.
    """
    pairs = [(case, name) for case in CASES.values() for name in found]
    jobs = [(case, found[name], folder / str(number)) for number, (case, name) in enumerate(pairs)]
    before = os.umask(0o022)
    try:
        with ThreadPoolExecutor(_JOBS) as pool:
            answers = pool.map(lambda job: _ask(*job), jobs)
            return {
                (case.id, name): answer for (case, name), answer in zip(pairs, answers, strict=True)
            }
    finally:
        os.umask(before)


def _ask(case: Case, program: Program, scratch: Path) -> str:
    scratch.mkdir()
    try:
        return case.ask(program, scratch)
    finally:
        shutil.rmtree(scratch)
