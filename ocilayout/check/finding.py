"""The kinds of problems that a check of a layout can find: what each means, and what ends it.

One table, so that programs, tests and spec-notes name the same codes. What finds them is not here.
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
"""How many problems of one kind are told of one file."""


@frozen
class Kind:
    """What a code says.

    Attributes:
        severity: `error` breaks a MUST, or is what readers disagree about; `warning` breaks a
            SHOULD, is a danger, or breaks a MUST that no reader minds; `note` is allowed.
        requirement: The id of the row in spec-notes, `page:slug`; empty where it is about the
            file system and not about the specification.
        meaning: What is the case, in one sentence.
        repair: What repair does about it; empty where that would take guessing.
    """

    severity: Severity
    requirement: str
    meaning: str
    repair: str = ""


def classified(problem: Problem, file: str) -> Problem:
    """Return a problem of a document as one of a layout: with its kind, and the file in its place.

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
    """Make a problem of a known kind.

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
    """Return what an error of reading a document says, each problem with its JSON path."""
    if isinstance(error, DocumentError):
        return bounded(error.problems)
    code = {"depth": "too-deep", "nodes": "too-many-nodes"}.get(error.what, "too-large")
    return [Problem(code=code, message=str(error))]


def bounded(problems: Iterable[Problem], place: str = "$") -> list[Problem]:
    """Return the first 100 problems of a document, and say so if there may be more.

    Args:
        problems: The problems; no more than these are asked for.
        place: The JSON path of what they are about.
    """
    some = list(islice(problems, MAX_PROBLEMS))
    if len(some) == MAX_PROBLEMS:
        some.append(
            Problem(
                code="more-problems",
                message=f"the first {MAX_PROBLEMS} problems are told, and there may be more",
                place=place,
            )
        )
    return some


def summed(problems: Iterable[Problem], file: str) -> Iterator[Problem]:
    """Give problems, of one file the first 10,000 of each kind; then say how many more there are.

    So what is told of a file stays bounded however large it is, and no kind hides another.

    Args:
        problems: The problems; those of other files among them are all given.
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
            message = f"{more} more of {code} in it are counted and not told"
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
            "makes the folder, unless something else has its name",
        ),
        "unsupported-version": Kind(
            "error", "image-layout:version", "The layout is of a version other than 1.0.0."
        ),
        "unreadable-file": Kind("error", "", "A file or a folder cannot be read, or is none."),
        # ------------------------------------------------ any document
        "bad-encoding": Kind(
            "error", _JSON, "The document is not in UTF-8, or has a byte order mark."
        ),
        "bad-json": Kind("error", _JSON, "The document is no JSON, or something follows it."),
        "bad-number": Kind("error", _EXACT, "A number is out of range."),
        "bad-unicode": Kind("error", _EXACT, "A string holds half of a surrogate pair."),
        "duplicate-property": Kind(
            "error", "considerations:duplicate-keys", "An object has a property twice."
        ),
        "case-variant": Kind(
            "error",
            "considerations:case",
            "A property is a known one in another case, which some take for it.",
        ),
        "too-deep": Kind("warning", _LIMITS, "The document is nested deeper than is read here."),
        "too-large": Kind("warning", _LIMITS, "The document has more bytes than are read here."),
        "too-many-nodes": Kind(
            "warning", _LIMITS, "The document holds more values than are read here."
        ),
        "more-problems": Kind(
            "warning",
            _LIMITS,
            "A document or an entry has more problems than are told; those of a kind that are"
            " counted have its severity.",
        ),
        "wrong-type": Kind("error", _TYPES, "A value is of another JSON type than it must be."),
        "missing-property": Kind("error", _TYPES, "A required property is absent."),
        "wrong-value": Kind("error", _TYPES, "A property has none of the values that it may have."),
        "bad-version": Kind("error", "image-index:schema-version", "`schemaVersion` is not 2."),
        "bad-time": Kind("error", "config:created", "A time is no RFC 3339 date-time."),
        "null-list": Kind(
            "warning",
            "image-index:manifests",
            "`manifests` or `layers` is null or absent, which readers take for empty.",
        ),
        # ------------------------------------------------ descriptors
        "bad-media-type": Kind(
            "error", "descriptor:media-type", "A media type is none as of RFC 6838."
        ),
        "bad-digest": Kind(
            "error", "descriptor:digest-grammar", "A digest is outside the grammar."
        ),
        "bad-size": Kind("error", "descriptor:size", "A size is negative or no 64-bit number."),
        "bad-base64": Kind("error", "descriptor:data", "`data` is no base64."),
        "bad-data": Kind("error", "descriptor:data", "`data` differs from the digest or the size."),
        "size-mismatch": Kind(
            "error", "descriptor:size", "The content has its digest, the descriptor another size."
        ),
        "size-conflict": Kind(
            "error", "descriptor:size", "Descriptors give content that is not here different sizes."
        ),
        "media-type-conflict": Kind(
            "warning",
            _INDEPENDENT,
            "One descriptor calls content a manifest, another something else.",
        ),
        "several-media-types": Kind(
            "note", _INDEPENDENT, "Descriptors give opaque content different media types."
        ),
        "wrong-empty": Kind(
            "warning",
            "manifest:empty-descriptor",
            "A descriptor of the empty type is not that of `{}`.",
        ),
        "url-form": Kind("error", "descriptor:urls", "An entry of `urls` is no URI."),
        "url-scheme": Kind(
            "warning", "descriptor:urls-scheme", "An entry of `urls` is neither http nor https."
        ),
        "empty-platform": Kind("warning", _PLATFORM, "`os` or `architecture` is an empty text."),
        "unknown-platform": Kind(
            "warning",
            _PLATFORM,
            "`os` is no GOOS, or `architecture` no GOARCH, that is known here.",
        ),
        "artifact-type-form": Kind(
            "warning", "manifest:artifact-type-form", "An artifact type is no media type."
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
            "The document says another media type than its descriptor.",
        ),
        "missing-artifact-type": Kind(
            "error",
            "manifest:artifact-type",
            "The config is the empty one, and no artifact type is.",
        ),
        "absent-subject": Kind(
            "note", "manifest:subject", "The subject of a manifest is not here."
        ),
        # ------------------------------------------------ entries of the root index
        "duplicate-entry": Kind(
            "note",
            "image-layout:several-entries",
            "An entry says exactly what one before it says.",
            "drops the later entry",
        ),
        "duplicate-name": Kind("warning", _SAME_NAME, "One name is given to different content."),
        "shared-name": Kind(
            "note",
            _SAME_NAME,
            "One name is given to different content, and `io.containerd.image.name` decides.",
        ),
        "name-form": Kind("warning", "annotations:ref-name", "A name is outside the grammar."),
        "digest-name": Kind("warning", "annotations:digest-name", "A name reads as a digest."),
        "dangling-name": Kind("warning", _SPARSE, "The content of a name is not here."),
        "dangling-entry": Kind(
            "warning",
            _SPARSE,
            "The content of an untagged entry is not here.",
            "drops the entry, unless the content is in `quarantine/`, or all blobs of its algorithm"
            " are absent",
        ),
        # ------------------------------------------------ blobs
        "missing-blob": Kind("note", _SPARSE, "Content that a document refers to is not here."),
        "digest-mismatch": Kind(
            "error", _CONTENT, "A blob is not what its name says.", _QUARANTINE
        ),
        "irregular-blob": Kind(
            "error",
            _CONTENT,
            "In a blob's place is a link, or something else that is not a regular file.",
            "puts a copy in the place of a link to the right content, leaves a link that leads"
            " nowhere alone, and moves anything else to `quarantine/`",
        ),
        "quarantined-blob": Kind(
            "error", _CONTENT, "Content that is referred to was damaged, and is in `quarantine/`."
        ),
        "unlisted-referrer": Kind(
            "warning",
            "image-layout:unlisted-referrers",
            "A manifest refers to content of the layout, and no entry leads to it.",
            "makes it an untagged entry",
        ),
        "unverifiable": Kind(
            "note", "descriptor:digest-algorithm", "A digest's algorithm cannot be computed here."
        ),
        "unreferenced-blob": Kind(
            "note", "image-layout:unreferenced-blobs", "No entry leads to a blob; a collection may."
        ),
        "stray-file": Kind(
            "error", _NAMES, "A name in `blobs/` is no digest or its folder's name."
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
            "A temporary that nobody has locked.",
            "removes what this library left, and what other programs left more than a day ago",
        ),
    }
)
"""All kinds by their codes."""
