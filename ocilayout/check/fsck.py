"""The check of a layout: its problems in their order, reported while they are found.

First come the files that make a folder a layout, then the entries, the graph, and the other files.
Nothing is locked and nothing written, so a change that another process makes meanwhile may be
missed.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from ocilayout.check import probe
from ocilayout.check.finding import classified, failure, problem_at, summed
from ocilayout.check.probe import path_text, place_of
from ocilayout.check.reading import read_header
from ocilayout.check.rootreading import RootReading
from ocilayout.check.survey import Survey, mismatch
from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.layout import (
    MAX_ROOT_INDEX,
    acting,
    is_beside_blobs,
    temporary_files,
    thread_pool,
)
from ocilayout.model import MAX_HEADER, Digest

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from ocilayout.check.probe import Outlook
    from ocilayout.errors import Problem

    Step = tuple[list[Problem], Digest | None]

OnHash = Callable[[Digest, int | None], object]

# descriptor.md, algorithm; see `digest`.
_ALGORITHM = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*")
_READ_FILE = stat.S_IRGRP | stat.S_IROTH
_READ_FOLDER = _READ_FILE | stat.S_IXGRP | stat.S_IXOTH
_MAX_JOBS: Final = 8
_PAUSE: Final = 0.05
_PATIENCE: Final = 20


def iter_problems(
    root: Path,
    *,
    content: bool = True,
    jobs: int | None = None,
    on_hash: OnHash | None = None,
) -> Iterator[Problem]:
    """Report what is wrong with a folder as a layout, also if it is not one.

    The order depends on the content of the folder alone: `oci-layout`, the root index, its entries
    in document order, the documents that they reach, breadth first, then blobs by their names, then
    temporary files. The place of a problem is the path of a file, with a JSON path behind it where
    the file is a document: `index.json$.manifests[3].size`. The first 10,000 problems of each kind
    in one document are reported, and one more counts the others.

    Args:
        root: The folder.
        content: Whether to hash blobs that are not documents. Documents are always verified.
        jobs: How many blobs are hashed at once, >= 1; by default one for each processor, 8 at most.
        on_hash: Called by the threads that hash, for each blob that is not a document: with its
            digest and 0, then with the number of bytes of each piece, at last with `None`. What it
            raises ends the iteration.

    Raises:
        OSError: The folder cannot be read.
        ValueError: `jobs` is less than 1.
    """
    if jobs is None:
        jobs = min(_MAX_JOBS, os.cpu_count() or 1)
    if jobs < 1:
        raise ValueError(f"jobs is 1 or more, not {jobs}")
    with acting("list", root), os.scandir(root):  # fails here, not when a problem is asked for
        survey = Survey(root, content=content)
        return _problems(root, survey, content=content, jobs=jobs, on_hash=on_hash)


def iter_left(root: Path, outlook: Outlook) -> Iterator[Problem]:
    """Report the problems that remain after a repair, or that would.

    Only documents are hashed, and blobs that are known to be damaged are passed over.
    """
    return _problems(root, Survey(root, content=False, outlook=outlook), content=False, jobs=1)


def _problems(
    root: Path, survey: Survey, *, content: bool, jobs: int, on_hash: OnHash | None = None
) -> Iterator[Problem]:
    yield from _header(root)
    yield from summed(_root_index(root, survey), "index.json")
    yield from survey.graph()
    yield from survey.unlisted()
    yield from Holding(root, survey, content=content, jobs=jobs, on_hash=on_hash).problems()


def _ignore(digest: Digest, count: int | None) -> None:
    del digest, count


def _header(root: Path) -> Iterator[Problem]:
    try:
        data = probe.read(root / "oci-layout", limit=MAX_HEADER, follow=True)
        yield from (classified(problem, "oci-layout") for problem in read_header(data))
    except (OSError, DocumentError, LimitExceededError) as error:
        yield from failure(error, "oci-layout", missing="missing-header")


def _root_index(root: Path, survey: Survey) -> Iterator[Problem]:
    data = survey.outlook.index
    try:
        reading = _read(root / "index.json") if data is None else RootReading(data)
    except (OSError, DocumentError, LimitExceededError) as error:
        survey.complete = False
        yield from failure(error, "index.json", missing="missing-index")
        return
    yield from (classified(problem, "index.json") for problem in reading.shell())
    for problems, reference in reading.entries():
        yield from (classified(problem, "index.json") for problem in problems)
        if reference is not None:
            yield from survey.note(evolve(reference, place=f"index.json{reference.place}"))
    survey.name(reading.named)
    survey.complete = survey.complete and reading.complete


def _read(path: Path) -> RootReading:
    """Read the root index; again if it does not parse, as another program may be writing it."""
    data = probe.read(path, limit=MAX_ROOT_INDEX, follow=True)
    for _ in range(_PATIENCE):
        try:
            return RootReading(data)
        except DocumentError:
            before = data
            time.sleep(_PAUSE)
        data = probe.read(path, limit=MAX_ROOT_INDEX, follow=True)
        if data == before:
            break
    return RootReading(data)


@define
class Holding:
    """The files of a layout, compared with their names and with what refers to them.

    Several threads hash blobs, a few ahead of the reports, which come in the order of the names.

    Args:
        root: The folder of the layout.
        survey: The references to blobs, after the graph was walked to the end.
        content: Whether blobs are hashed.
        jobs: How many are hashed at once, >= 1.
        on_hash: As for `iter_problems`.

    Spec: image-layout:blob-names, image-layout:blob-content, image-layout:links.
    """

    root: Path
    survey: Survey
    content: bool = field(kw_only=True)
    jobs: int = field(kw_only=True)
    on_hash: OnHash | None = field(default=None, kw_only=True)
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
                yield mismatch(digest, Digest.parse(str(actual)))

        with thread_pool(self.jobs) as workers:
            try:
                for problems, digest in self._steps():
                    task = None
                    if digest is not None:
                        task = workers.submit(self._hash, digest, stop)
                    window.append((problems, digest, task))
                    while window and (len(window) > 2 * self.jobs or window[0][2] is None):
                        yield from settle()
                while window:
                    yield from settle()
            finally:  # the caller may stop early
                stop.set()
                workers.shutdown(cancel_futures=True)

    def _hash(self, digest: Digest, stop: Event) -> Digest | None:
        tell = partial(self.on_hash or _ignore, digest)
        tell(0)
        try:
            path = self.root / place_of(digest)
            return probe.fingerprint(path, digest.algorithm, stopped=stop.is_set, on_bytes=tell)
        finally:
            tell(None)

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
                    digest = Digest.parse(f"{algorithm}:{name}")
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


def _stray(place: str, message: str) -> Problem:
    return problem_at("stray-file", message, path_text(place))
