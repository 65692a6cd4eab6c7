"""The kinds of problems that a check of a layout can find: what each means, and how it is repaired.

One table, so that programs, tests and spec-notes have the same codes.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ocilayout.errors import MAX_PROBLEMS, DocumentError, LimitExceededError, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


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
        meaning: What is wrong, in one sentence.
        repair: What a repair does about it; empty where it would have to guess.
    """

    severity: Severity
    requirement: str
    meaning: str
    repair: str = ""


def classified(problem: Problem, file: str) -> Problem:
    """Return a problem of a document as one of a layout: with its kind and the path of the file.

    Args:
        problem: The problem, its place a JSON path.
        file: The path of the document, relative to the layout.
    """
    kind = KINDS.get(problem.code)
    place = file + ("" if problem.place == "$" else problem.place)
    if kind is None:
        return evolve(problem, place=place)
    return evolve(problem, place=place, severity=kind.severity, requirement=kind.requirement)


def problem_at(code: str, message: str, place: str) -> Problem:
    """Return a problem of a known kind.

    Args:
        code: One of the codes of the table.
        message: One sentence for a person.
        place: A path relative to the layout, with a JSON path behind it where there is one.

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


def problems_of(error: DocumentError | LimitExceededError) -> Iterable[Problem]:
    """Return the problems of an error of reading a document, each with its JSON path."""
    if isinstance(error, DocumentError):
        return bounded(error.problems)
    code = {"depth": "too-deep", "nodes": "too-many-nodes"}.get(error.what, "too-large")
    return [Problem(code=code, message=str(error))]


def bounded(problems: Iterable[Problem], place: str = "$") -> list[Problem]:
    """Return the first 100 problems of a document, and one more if there may be others.

    Args:
        problems: The problems; only the first 100 are taken.
        place: The JSON path of their document or entry.
    """
    some = list(islice(problems, MAX_PROBLEMS))
    if len(some) == MAX_PROBLEMS:
        some.append(
            Problem(
                code="more-problems",
                message=f"the first {MAX_PROBLEMS} problems are reported, and there may be more",
                place=place,
            )
        )
    return some


def summed(problems: Iterable[Problem], file: str) -> Iterator[Problem]:
    """Give the first 10,000 problems of each kind in one file, and then the number of the others.

    This bounds the report of a file of any size, and no kind hides another.

    Args:
        problems: The problems; those of other files are all given.
        file: The path of the file, relative to the layout.
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
_EXACT = "considerations:numbers-and-texts"
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
_QUARANTINE = "moves it to `quarantine/`, so that a pull can bring the right content"

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        # ------------------------------------------------ the files that make a folder a layout
        "missing-header": Kind("error", _HEADER, "There is no `oci-layout`."),
        "missing-index": Kind("error", _INDEX, "There is no `index.json`."),
        "missing-blobs-folder": Kind(
            "error",
            _BLOBS,
            "There is no folder `blobs`.",
            "creates the folder, unless something else has its name",
        ),
        "unsupported-version": Kind(
            "error", "image-layout:version", "The layout is of a version other than 1.0.0."
        ),
        "unreadable-file": Kind(
            "error", "", "A file or a folder cannot be read, or is of another kind."
        ),
        # ------------------------------------------------ any document
        "bad-encoding": Kind(
            "error", _JSON, "The document is not in UTF-8, or has a byte order mark."
        ),
        "bad-json": Kind("error", _JSON, "The document is not JSON, or something follows it."),
        "bad-number": Kind("error", _EXACT, "A number is out of range."),
        "bad-unicode": Kind("error", _EXACT, "A string has half of a surrogate pair."),
        "duplicate-property": Kind(
            "error", "considerations:duplicate-keys", "An object has a property twice."
        ),
        "case-variant": Kind(
            "error",
            "considerations:case",
            "A property is a known one in another case, which some readers take for it.",
        ),
        "too-deep": Kind(
            "warning", _LIMITS, "The document is nested deeper than this library reads."
        ),
        "too-large": Kind(
            "warning", _LIMITS, "The document has more bytes than this library reads."
        ),
        "too-many-nodes": Kind(
            "warning", _LIMITS, "The document has more values than this library reads."
        ),
        "more-problems": Kind(
            "warning",
            _LIMITS,
            "A document or an entry has more problems than are reported; further ones of one kind"
            " are counted with its severity.",
        ),
        "wrong-type": Kind("error", _TYPES, "A value has the wrong JSON type."),
        "missing-property": Kind("error", _TYPES, "A required property is absent."),
        "wrong-value": Kind("error", _TYPES, "A property has a value that is not allowed."),
        "bad-version": Kind("error", "image-index:schema-version", "`schemaVersion` is not 2."),
        "bad-time": Kind("error", "config:created", "A time is not an RFC 3339 date-time."),
        "null-list": Kind(
            "warning",
            "image-index:manifests",
            "`manifests`, `layers` or `diff_ids` is null or absent, which readers take for empty.",
        ),
        # ------------------------------------------------ descriptors
        "bad-media-type": Kind(
            "error", "descriptor:media-type", "A media type is not a valid one of RFC 6838."
        ),
        "bad-digest": Kind(
            "error", "descriptor:digest-grammar", "A digest is outside the grammar."
        ),
        "bad-size": Kind("error", "descriptor:size", "A size is negative or not a 64-bit number."),
        "bad-base64": Kind("error", "descriptor:data", "`data` is not base64."),
        "bad-data": Kind("error", "descriptor:data", "`data` differs from the digest or the size."),
        "size-mismatch": Kind(
            "error",
            "descriptor:size",
            "The content has the digest, and not the size, that a descriptor gives.",
        ),
        "size-conflict": Kind(
            "error", "descriptor:size", "Descriptors give missing content different sizes."
        ),
        "media-type-conflict": Kind(
            "warning",
            _INDEPENDENT,
            "One descriptor gives content the type of a manifest, and another does not.",
        ),
        "several-media-types": Kind(
            "note", _INDEPENDENT, "Descriptors give opaque content different media types."
        ),
        "wrong-empty": Kind(
            "warning",
            "manifest:empty-descriptor",
            "A descriptor of the empty media type is not that of `{}`.",
        ),
        "url-form": Kind("error", "descriptor:urls", "An entry of `urls` is not a URI."),
        "url-scheme": Kind(
            "warning", "descriptor:urls-scheme", "An entry of `urls` is neither http nor https."
        ),
        "empty-platform": Kind("warning", _PLATFORM, "`os` or `architecture` is empty."),
        "unknown-platform": Kind(
            "warning",
            _PLATFORM,
            "`os` is not a known GOOS, or `architecture` not a known GOARCH.",
        ),
        "artifact-type-form": Kind(
            "warning", "manifest:artifact-type-form", "An artifact type is not a media type."
        ),
        "annotation-key-form": Kind(
            "warning", "annotations:key-form", "A key is not in reverse domain notation."
        ),
        "empty-annotation-key": Kind("warning", "annotations:key-form", "A key is empty."),
        # ------------------------------------------------ manifests and indexes
        "ambiguous-document": Kind(
            "error",
            "manifest:unambiguous",
            "The document has properties of a manifest and an index.",
        ),
        "media-type-differs": Kind(
            "error",
            "manifest:media-type",
            "The document and its descriptor have different media types.",
        ),
        "missing-artifact-type": Kind(
            "error",
            "manifest:artifact-type",
            "The config is the empty one, and there is no artifact type.",
        ),
        "absent-subject": Kind("note", "manifest:subject", "The subject of a manifest is missing."),
        # ------------------------------------------------ entries of the root index
        "duplicate-entry": Kind(
            "note",
            "image-layout:several-entries",
            "An entry repeats an earlier one exactly.",
            "drops the later entry",
        ),
        "duplicate-name": Kind(
            "warning", _SAME_NAME, "Entries of different content have the same name."
        ),
        "shared-name": Kind(
            "note",
            _SAME_NAME,
            "Entries of different content have the same name, and `io.containerd.image.name`"
            " tells them apart.",
        ),
        "name-form": Kind("warning", "annotations:ref-name", "A name is outside the grammar."),
        "digest-name": Kind(
            "warning", "annotations:digest-name", "A name has the form of a digest."
        ),
        "dangling-name": Kind("warning", _SPARSE, "The content of a named entry is missing."),
        "dangling-entry": Kind(
            "warning",
            _SPARSE,
            "The content of an untagged entry is missing.",
            "drops the entry, unless the content is in `quarantine/`, or all blobs of its"
            " algorithm are absent",
        ),
        # ------------------------------------------------ blobs
        "missing-blob": Kind("note", _SPARSE, "Content that a document refers to is missing."),
        "digest-mismatch": Kind(
            "error",
            _CONTENT,
            "The content of a blob has another digest than its name.",
            _QUARANTINE,
        ),
        "irregular-blob": Kind(
            "error",
            _CONTENT,
            "In the place of a blob is a link, or something else that is not a regular file.",
            "replaces a link to the right content by a copy, leaves a dangling link, and moves"
            " anything else to `quarantine/`",
        ),
        "quarantined-blob": Kind(
            "error", _CONTENT, "Content that is referred to is damaged and in `quarantine/`."
        ),
        "unlisted-referrer": Kind(
            "warning",
            "image-layout:unlisted-referrers",
            "A manifest has a subject in the layout, and no entry reaches the manifest.",
            "makes it an untagged entry",
        ),
        "unverifiable": Kind(
            "note",
            "descriptor:digest-algorithm",
            "The algorithm of a digest cannot be computed here.",
        ),
        "unreferenced-blob": Kind(
            "note",
            "image-layout:unreferenced-blobs",
            "No entry reaches a blob; a collection may delete it.",
        ),
        "stray-file": Kind(
            "error", _NAMES, "A name in `blobs/` is not a digest, or not that of an algorithm."
        ),
        "linked-folder": Kind(
            "note", "image-layout:links", "`blobs`, or a folder in it, is a symbolic link."
        ),
        "unreadable-to-others": Kind(
            "warning", "", "Others may read `index.json`, but not this file or folder."
        ),
        "leftover": Kind(
            "note",
            "",
            "A temporary file that no writer has locked.",
            "removes those of this library, and those of other programs that are older than a day",
        ),
    }
)
"""All kinds by their codes."""
