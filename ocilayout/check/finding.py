"""The kinds of problems that a check of a layout can find.

What each means, and how it is repaired, stands in spec-notes/problems.md.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ocilayout.errors import MAX_PROBLEMS, DocumentError, LimitExceededError, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence


MAX_OF_KIND: Final = 10_000
"""How many problems of one kind are reported of one file."""


@frozen
class Kind:
    """A kind of problem.

    Attributes:
        severity: `error` breaks a MUST, or is what readers disagree about; `warning` breaks a
            SHOULD, is a danger, or breaks a MUST that no reader minds; `note` is allowed.
        requirement: The id of the row in spec-notes, `page:slug`; empty where it is about the
            file system and not about the specification.
    """

    severity: Severity
    requirement: str


def classified(problem: Problem, file: str) -> Problem:
    """Return a problem of a document as one of a layout: with its kind and the path of the file."""
    kind = KINDS.get(problem.code)
    place = file + ("" if problem.place == "$" else problem.place)
    if kind is None:
        return evolve(problem, place=place)
    return evolve(problem, place=place, severity=kind.severity, requirement=kind.requirement)


def problem_at(code: str, message: str, place: str) -> Problem:
    """Return a problem of a known kind, at a place relative to the layout.

    Raises:
        KeyError: The code is not in the table.
    """
    kind = KINDS[code]
    return Problem(
        code=code,
        message=message,
        place=place,
        severity=kind.severity,
        requirement=kind.requirement,
    )


def problems_of(error: DocumentError | LimitExceededError) -> Sequence[Problem]:
    """Return the problems of an error of reading a document, each with its JSON path."""
    if isinstance(error, DocumentError):
        return bounded(error.problems)
    code = {"depth": "too-deep", "nodes": "too-many-nodes"}.get(error.what, "too-large")
    return [Problem(code=code, message=str(error))]


def failure(
    error: OSError | DocumentError | LimitExceededError, file: str, *, missing: str = ""
) -> Iterator[Problem]:
    """Give the problems of a file that could not be read.

    Args:
        error: The error of reading it.
        file: Its path, relative to the layout.
        missing: The code if there is no such file; by default it is unreadable then.
    """
    if missing and isinstance(error, FileNotFoundError):
        yield problem_at(missing, "is missing", file)
    elif isinstance(error, OSError):
        yield problem_at("unreadable-file", f"cannot be read: {error.strerror or error}", file)
    else:
        yield from (classified(problem, file) for problem in problems_of(error))


def bounded(problems: Iterable[Problem], place: str = "$") -> list[Problem]:
    """Return the first 100 problems of a document, and one more if there may be others.

    Args:
        problems: The problems; only the first 100 are taken.
        place: The JSON path of their document or entry.
    """
    some = list(islice(problems, MAX_PROBLEMS))
    if len(some) == MAX_PROBLEMS:
        message = f"the first {MAX_PROBLEMS} problems are reported, and there may be more"
        some.append(problem_at("more-problems", message, place))
    return some


def summed(problems: Iterable[Problem], file: str) -> Iterator[Problem]:
    """Give the first 10,000 problems of each kind in one file, and then the number of the others.

    This bounds the report of a file of any size, and no kind hides another. Problems of other files
    are all given.
    """
    counts: Counter[tuple[str, Severity]] = Counter()
    for problem in problems:
        if problem.place.partition("$")[0] == file:
            kind = problem.code, problem.severity
            counts[kind] += problem.count
            if counts[kind] > MAX_OF_KIND:
                continue
        yield problem
    for (code, severity), count in counts.items():
        if count > MAX_OF_KIND:
            more = count - MAX_OF_KIND
            message = f"{more} more of {code} in it are counted and not reported"
            problem = problem_at("more-problems", message, file)
            yield evolve(problem, severity=severity, count=more)


_JSON = "considerations:json"
_NUMBERS = "considerations:numbers"
_TEXTS = "considerations:texts"
_LIMITS = "considerations:limits"
_TYPES = "considerations:property-types"
_HEADER = "image-layout:oci-layout-file"
_INDEX = "image-layout:index-json"
_BLOBS = "image-layout:blobs-folder"
_CONTENT = "image-layout:blob-content"
_SPARSE = "image-layout:missing-blobs"
_NAMES = "image-layout:blob-names"
_SAME_NAME = "annotations:same-name"
_PLATFORM = "image-index:platform-values"
_INDEPENDENT = "descriptor:independent"

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        # ------------------------------------------------ the files that make a folder a layout
        "missing-header": Kind("error", _HEADER),
        "missing-index": Kind("error", _INDEX),
        "missing-blobs-folder": Kind("error", _BLOBS),
        "unsupported-version": Kind("error", "image-layout:version"),
        "unreadable-file": Kind("error", ""),
        # ------------------------------------------------ any document
        "bad-encoding": Kind("error", _JSON),
        "bad-json": Kind("error", _JSON),
        "bad-number": Kind("error", _NUMBERS),
        "imprecise-number": Kind("warning", _NUMBERS),
        "bad-unicode": Kind("error", _TEXTS),
        "noncharacter": Kind("warning", _TEXTS),
        "duplicate-property": Kind("error", "considerations:duplicate-keys"),
        "case-variant": Kind("error", "considerations:case"),
        "too-deep": Kind("warning", _LIMITS),
        "too-large": Kind("warning", _LIMITS),
        "too-many-nodes": Kind("warning", _LIMITS),
        "more-problems": Kind("warning", _LIMITS),
        "wrong-type": Kind("error", _TYPES),
        "missing-property": Kind("error", _TYPES),
        "wrong-value": Kind("error", _TYPES),
        "bad-version": Kind("error", "image-index:schema-version"),
        "bad-time": Kind("error", "config:created"),
        "null-list": Kind("warning", "image-index:manifests"),
        # ------------------------------------------------ descriptors
        "bad-media-type": Kind("error", "descriptor:media-type"),
        "bad-digest": Kind("error", "descriptor:digest-grammar"),
        "bad-size": Kind("error", "descriptor:size"),
        "bad-base64": Kind("error", "descriptor:data"),
        "bad-data": Kind("error", "descriptor:data"),
        "size-mismatch": Kind("error", "descriptor:size"),
        "size-conflict": Kind("error", "descriptor:size"),
        "media-type-conflict": Kind("warning", _INDEPENDENT),
        "several-media-types": Kind("note", _INDEPENDENT),
        "wrong-empty": Kind("warning", "manifest:empty-descriptor"),
        "url-form": Kind("error", "descriptor:urls"),
        "url-scheme": Kind("warning", "descriptor:urls-scheme"),
        "empty-platform": Kind("warning", _PLATFORM),
        "unknown-platform": Kind("warning", _PLATFORM),
        "attestation-platform": Kind("note", _PLATFORM),
        "artifact-type-form": Kind("warning", "manifest:artifact-type-form"),
        "annotation-key-form": Kind("warning", "annotations:key-form"),
        "empty-annotation-key": Kind("warning", "annotations:key-form"),
        # ------------------------------------------------ manifests and indexes
        "ambiguous-document": Kind("error", "manifest:unambiguous"),
        "media-type-differs": Kind("error", "manifest:media-type"),
        "missing-artifact-type": Kind("error", "manifest:artifact-type"),
        "absent-subject": Kind("note", "manifest:subject"),
        # ------------------------------------------------ entries of the root index
        "duplicate-entry": Kind("note", "image-layout:several-entries"),
        "duplicate-name": Kind("warning", _SAME_NAME),
        "shared-name": Kind("note", _SAME_NAME),
        "name-form": Kind("warning", "annotations:ref-name"),
        "digest-name": Kind("warning", "annotations:digest-name"),
        "dangling-name": Kind("warning", _SPARSE),
        "dangling-entry": Kind("warning", _SPARSE),
        # ------------------------------------------------ blobs
        "missing-blob": Kind("note", _SPARSE),
        "digest-mismatch": Kind("error", _CONTENT),
        "irregular-blob": Kind("error", _CONTENT),
        "quarantined-blob": Kind("error", _CONTENT),
        "unlisted-referrer": Kind("warning", "image-layout:unlisted-referrers"),
        "unverifiable": Kind("note", "descriptor:digest-algorithm"),
        "unreferenced-blob": Kind("note", "image-layout:unreferenced-blobs"),
        "stray-file": Kind("error", _NAMES),
        "linked-folder": Kind("note", "image-layout:links"),
        "unreadable-to-others": Kind("warning", ""),
        "leftover": Kind("note", ""),
    }
)
"""All kinds by their codes."""


def with_errors(problems: Iterable[Problem], errors: Collection[Problem]) -> list[Problem]:
    """Return problems and then errors, without the problems at a place that has an error."""
    places = {error.place for error in errors}
    return [*(problem for problem in problems if problem.place not in places), *errors]
