"""The check of a layout: its problems in their order, reported while they are found.

First come the files that make a folder a layout, then the entries, the graph, and the other files.
Nothing is locked and nothing written, so a change that another process makes meanwhile may be
missed.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from attrs import evolve

from ocilayout.check import probe
from ocilayout.check.finding import classified, problem_at, problems_of, summed
from ocilayout.check.holding import Holding
from ocilayout.check.reading import RootReading, read_header
from ocilayout.check.survey import Survey, unreadable
from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.layout import MAX_ROOT_INDEX, acting
from ocilayout.model import MAX_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocilayout.check.probe import Outlook
    from ocilayout.errors import Problem

_MAX_JOBS: Final = 8
_PAUSE: Final = 0.05
_PATIENCE: Final = 20


def iter_problems(
    root: Path, *, content: bool = True, jobs: int | None = None
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

    Raises:
        OSError: The folder cannot be read.
        ValueError: `jobs` is less than 1.
    """
    if jobs is None:
        jobs = min(_MAX_JOBS, os.cpu_count() or 1)
    if jobs < 1:
        raise ValueError(f"jobs is 1 or more, not {jobs}")
    with acting("list", root), os.scandir(root):  # fails here, not when a problem is asked for
        return _problems(root, Survey(root, content=content), content=content, jobs=jobs)


def iter_left(root: Path, outlook: Outlook) -> Iterator[Problem]:
    """Report the problems that remain after a repair, or that would.

    Only documents are hashed, and blobs that are known to be damaged are passed over.

    Args:
        root: The folder of the layout.
        outlook: What the repair knows and would do.
    """
    return _problems(root, Survey(root, content=False, outlook=outlook), content=False, jobs=1)


def _problems(root: Path, survey: Survey, *, content: bool, jobs: int) -> Iterator[Problem]:
    yield from _header(root)
    yield from summed(_root_index(root, survey), "index.json")
    yield from survey.graph()
    yield from survey.unlisted()
    yield from Holding(root, survey, content=content, jobs=jobs).problems()


def _header(root: Path) -> Iterator[Problem]:
    try:
        data = probe.read(root / "oci-layout", limit=MAX_HEADER, follow=True)
        yield from (classified(problem, "oci-layout") for problem in read_header(data))
    except FileNotFoundError:
        yield problem_at("missing-header", "is missing", "oci-layout")
    except OSError as error:
        yield unreadable(error, "oci-layout")
    except (DocumentError, LimitExceededError) as error:
        yield from (classified(problem, "oci-layout") for problem in problems_of(error))


def _root_index(root: Path, survey: Survey) -> Iterator[Problem]:
    data = survey.outlook.index
    try:
        reading = _read(root / "index.json") if data is None else RootReading(data)
    except FileNotFoundError:
        survey.complete = False
        yield problem_at("missing-index", "is missing", "index.json")
        return
    except OSError as error:
        survey.complete = False
        yield unreadable(error, "index.json")
        return
    except (DocumentError, LimitExceededError) as error:
        survey.complete = False
        yield from (classified(problem, "index.json") for problem in problems_of(error))
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
