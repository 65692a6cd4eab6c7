"""The fsck of a layout: all that is wrong with it, told while it is found.

Here is the order of things: the files that make a folder a layout, the entries, the graph, the
files. What each problem means is in `finding`, what ends some of them in `repair`. Nothing is
locked and nothing is written, so what another process changes meanwhile may be told as it was.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from attrs import evolve

from ocilayout.check import probe
from ocilayout.check.finding import classified, problem_at, problems_of, summed
from ocilayout.check.holding import Holding
from ocilayout.check.reading import RootReading
from ocilayout.check.survey import Survey, unreadable
from ocilayout.codec import decode
from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.header import Header
from ocilayout.ijson import MAX_DOCUMENT
from ocilayout.rootindex import MAX_ROOT_INDEX

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
    """Say what is wrong with a folder as a layout, also if it is none.

    The order depends on what the folder holds and on nothing else: the files in it, the root
    index, its entries in document order, the documents that they lead to, breadth first, then
    blobs by their names, then leftovers. A problem has the path of a file for its place, with a
    JSON path behind it where the file is a document: `index.json$.manifests[3].size`. Of one
    document the first 10,000 problems of each kind are told, and one more counts the others.

    Args:
        root: The folder.
        content: Whether to hash blobs that are no documents. Documents are always verified.
        jobs: How many blobs are hashed at once, >= 1; by default one a processor, 8 at most.

    Raises:
        OSError: The folder cannot be read.
        ValueError: There are to be fewer than one job.
    """
    if jobs is None:
        jobs = min(_MAX_JOBS, os.cpu_count() or 1)
    if jobs < 1:
        raise ValueError(f"jobs is 1 or more, not {jobs}")
    with os.scandir(root):  # so that it fails here, and not with the first problem
        return _problems(root, Survey(root, content=content), content=content, jobs=jobs)


def iter_left(root: Path, outlook: Outlook) -> Iterator[Problem]:
    """Say what is wrong with a layout once a repair has done what it would do.

    No blob is hashed but documents, and blobs that are known to be wrong are passed over.

    Args:
        root: The folder of the layout.
        outlook: What is known of its blobs, and what would be done.
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
        decode(probe.read(root / "oci-layout", limit=MAX_DOCUMENT, follow=True), Header)
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
    """Read the root index; again, while it does not parse and somebody is writing it in place."""
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
