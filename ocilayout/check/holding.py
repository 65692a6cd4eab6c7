"""The files of a layout, compared with their names and with what refers to them.

Several threads hash blobs, a few ahead of the reports, which come in the order of the names.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from threading import Event
from typing import TYPE_CHECKING

from attrs import define, field

from ocilayout.check import probe
from ocilayout.check.finding import failure, problem_at
from ocilayout.check.probe import place_of
from ocilayout.check.survey import mismatch
from ocilayout.errors import DocumentError
from ocilayout.layout import is_beside_blobs, temporary_files, thread_pool
from ocilayout.model import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from ocilayout.check.survey import Survey
    from ocilayout.errors import Problem

    Step = tuple[list[Problem], Digest | None]

# descriptor.md, algorithm; see `digest`.
_ALGORITHM = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*")
_READ_FILE = stat.S_IRGRP | stat.S_IROTH
_READ_FOLDER = _READ_FILE | stat.S_IXGRP | stat.S_IXOTH


@define
class Holding:
    """The files of a layout.

    Args:
        root: The folder of the layout.
        survey: The references to blobs, after the graph was walked to the end.
        content: Whether blobs are hashed.
        jobs: How many are hashed at once, >= 1.

    Spec: image-layout:blob-names, image-layout:blob-content, image-layout:links.
    """

    root: Path
    survey: Survey
    content: bool = field(kw_only=True)
    jobs: int = field(kw_only=True)
    _shared: int = field(default=0, init=False)
    """The bits of a mode that let others than its owner read `index.json`."""

    def problems(self) -> Iterator[Problem]:
        """Report problems of folders and blobs by their names, then temporary files."""
        try:
            self._shared = (self.root / "index.json").stat().st_mode & _READ_FILE
        except OSError:
            self._shared = 0
        yield from self._blobs()
        for leftover in temporary_files(self.root):
            place = path_text(leftover.place)
            whose = "this library" if leftover.ours else "another program"
            yield problem_at(
                "leftover", f"a temporary file of {whose} that no writer has locked", place
            )

    def _blobs(self) -> Iterator[Problem]:
        stop = Event()
        window: deque[tuple[list[Problem], Digest | None, Future[Digest | None] | None]] = deque()

        def settle() -> Iterator[Problem]:
            problems, digest, task = window.popleft()
            yield from problems
            if digest is None or task is None:
                return
            try:
                actual = task.result()
            except FileNotFoundError:  # collected meanwhile
                return
            except OSError as error:
                yield from failure(error, place_of(digest))
                return
            if actual not in (None, digest):
                yield mismatch(digest, Digest(str(actual)))

        with thread_pool(self.jobs) as workers:
            try:
                for problems, digest in self._steps():
                    task = None
                    if digest is not None:
                        path = self.root / place_of(digest)
                        task = workers.submit(
                            probe.fingerprint, path, digest.algorithm, stopped=stop.is_set
                        )
                    window.append((problems, digest, task))
                    while window and (len(window) > 2 * self.jobs or window[0][2] is None):
                        yield from settle()
                while window:
                    yield from settle()
            finally:  # the caller may stop early
                stop.set()
                workers.shutdown(cancel_futures=True)

    def _steps(self) -> Iterator[Step]:
        """Give the problems of each file, and its digest if it is to be hashed."""
        outlook = self.survey.outlook
        problems, algorithms = self._list("blobs")
        yield problems, None
        for algorithm in algorithms:
            place = f"blobs/{algorithm}"
            if _ALGORITHM.fullmatch(algorithm) is None:
                yield [_stray(place, "the name is not that of an algorithm")], None
                continue
            problems, names = self._list(place)
            yield problems, None
            for name in names:
                try:
                    digest = Digest(f"{algorithm}:{name}")
                except DocumentError:
                    if not is_beside_blobs(name):
                        yield [_stray(f"{place}/{name}", "the name is not a digest")], None
                    continue
                if digest in outlook.moved:
                    continue
                if digest in outlook.copied:
                    yield self._on_reference(digest), None
                    continue
                try:
                    yield self._look(digest)
                except OSError as error:
                    yield [*failure(error, place_of(digest))], None

    def _list(self, place: str) -> tuple[list[Problem], list[str]]:
        folder = self.root / place
        try:
            status = folder.stat()
            names = sorted(os.listdir(folder))  # noqa: PTH208 # pathlib would make a path of each
        except (FileNotFoundError, NotADirectoryError):
            if place == "blobs":
                return [problem_at("missing-blobs-folder", "is not a folder", place)], []
            return [_stray(place, "only folders of blobs belong here")], []
        except OSError as error:
            return [*failure(error, place)], []
        problems = self._on_mode(status, _READ_FOLDER, place)
        if folder.is_symlink():
            problems.append(
                problem_at("linked-folder", "is a symbolic link; it is followed", place)
            )
        return problems, names

    def _on_mode(self, status: os.stat_result, wanted: int, place: str) -> list[Problem]:
        # Every user who may read index.json should be able to read the blobs, too.
        wanted &= self._shared | self._shared >> 2
        if status.st_mode & wanted == wanted:
            return []
        mode = stat.S_IMODE(status.st_mode)
        return [problem_at("unreadable-to-others", f"has the mode {mode:04o}", place)]

    def _on_reference(self, digest: Digest) -> list[Problem]:
        if not self.survey.complete or digest in self.survey:
            return []
        return [problem_at("unreferenced-blob", "nothing refers to it", place_of(digest))]

    def _look(self, digest: Digest) -> Step:
        place = place_of(digest)
        try:
            status = os.lstat(f"{self.root}/{place}")  # for every blob; a `Path` takes longer
        except (FileNotFoundError, NotADirectoryError):  # collected meanwhile
            return [], None
        if not stat.S_ISREG(status.st_mode):
            noun = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a regular file"
            return [problem_at("irregular-blob", f"is {noun}; it is not followed", place)], None
        problems = self._on_mode(status, _READ_FILE, place)
        problems += self._on_reference(digest)
        if not digest.verifiable:
            problems.append(
                problem_at("unverifiable", f"{digest.algorithm} cannot be computed here", place)
            )
        wanted = self.content and digest.verifiable and digest not in self.survey.judged
        return problems, digest if wanted else None


def path_text(path: str) -> str:
    """Return a path as text, also if it is not valid in the encoding of the file system."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _stray(place: str, message: str) -> Problem:
    return problem_at("stray-file", message, path_text(place))
