"""Every error that this library raises, and `Problem`, one finding about a document or a layout.

`OSError` is not wrapped: a full disk or a missing permission reaches the caller as the
operating system named it.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, Protocol

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Severity = Literal["error", "warning", "note"]

MAX_PROBLEMS: Final = 100
"""The most problems of one document that are collected; reading stops there."""

_MOST_SHOWN: Final = 10  # problems in the message of an error
_LONGEST_NAME: Final = 200  # of a property in a place, in characters
_LONGEST_MESSAGE: Final = 1000  # in characters


def _shortened(text: str, longest: int = _LONGEST_MESSAGE) -> str:
    return text if len(text) <= longest else f"{text[:longest]}\u2026"


class Described(Protocol):
    """What an integrity error needs to know of the descriptor that was not met."""

    @property
    def media_type(self) -> str:
        """The media type that was promised."""
        ...

    @property
    def digest(self) -> object:
        """The digest that was promised."""
        ...

    @property
    def size(self) -> int:
        """The size that was promised, in bytes."""
        ...


@frozen(kw_only=True)
class Problem:
    """One thing that is wrong with a document or a layout.

    Attributes:
        code: A stable identifier in kebab case, such as `missing-property`.
        message: One sentence for a person, cut after 1,000 characters.
        place: A JSON path that starts with `$`, or a path relative to the layout.
        severity: `error` breaks a MUST, `warning` a SHOULD, `note` is a state the spec allows; to
            the letter in `ocilayout.check.finding`.
        requirement: The id of the row in spec-notes, empty where there is none.
        count: How many problems it stands for, >= 1; more than one only for problems that are
            counted and not told.
    """

    code: str
    message: str = field(converter=_shortened)
    place: str = "$"
    severity: Severity = "error"
    requirement: str = ""
    count: int = 1

    def under(self, place: str) -> Problem:
        """Return the same problem as seen from an enclosing document.

        Args:
            place: The JSON path of the value that this problem was found in.
        """
        return evolve(self, place=place + self.place.removeprefix("$"))

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.code}]"


class OciLayoutError(Exception):
    """The base of every error of this library; never raised itself.

    Errors can be pickled, so they pass between processes.
    """

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[OciLayoutError], arguments: tuple[object, ...], attributes: dict[str, object]
) -> OciLayoutError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class DocumentError(OciLayoutError, ValueError):
    """Bytes or values break the specification.

    Attributes:
        problems: All that was found, each with its JSON path; never empty, and 100 at most: then
            reading stopped there, and more may be wrong.
        source: The file or the digest of the bytes, empty where neither is known.

    Spec: considerations:json, considerations:property-types.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str = "") -> None:
        self.problems = tuple(islice(problems, MAX_PROBLEMS))
        self.source = source
        found = "; ".join(map(str, self.problems[:_MOST_SHOWN]))
        if len(self.problems) >= MAX_PROBLEMS:
            found += f"; and more: reading stopped at {MAX_PROBLEMS} problems"
        elif len(self.problems) > _MOST_SHOWN:
            found += f"; and {len(self.problems) - _MOST_SHOWN} more"
        super().__init__(f"{source}: {found}" if source else found)

    @classmethod
    def of(cls, code: str, message: str, place: str = "$") -> DocumentError:
        """Make an error of a single problem."""
        return cls([Problem(code=code, message=message, place=place)])

    def at(self, place: str) -> DocumentError:
        """Return the same error as seen from an enclosing document.

        Args:
            place: The JSON path of the value that the error is about.
        """
        return type(self)((problem.under(place) for problem in self.problems), source=self.source)

    def read_from(self, source: str) -> DocumentError:
        """Return the same error, whose message says what the bytes are; one that does stays.

        Args:
            source: The path of the file, or the digest of the blob.
        """
        if self.source:
            return self
        return type(self)(self.problems, source=source)


def join_place(place: str, name: str) -> str:
    """Return the JSON path of a property, given that of its object.

    Of a name longer than 200 characters only the beginning is told, so that places stay short.
    """
    if len(name) <= _LONGEST_NAME and _PLAIN_NAME.fullmatch(name):
        return f"{place}.{name}"
    return f"{place}[{json.dumps(_shortened(name, _LONGEST_NAME))}]"


_JSON_NOUNS = {
    "NoneType": "null",
    "bool": "a boolean",
    "dict": "an object",
    "float": "a number",
    "int": "an integer",
    "list": "an array",
    "str": "a string",
}


def wrong_type(expected: str, value: object) -> DocumentError:
    """Make the error of a value of another type, named as JSON names it."""
    found = type(value).__name__
    return DocumentError.of(
        "wrong-type", f"expected {expected}, found {_JSON_NOUNS.get(found, found)}"
    )


class UnsupportedVersionError(DocumentError):
    """The document is of a version that this library does not read.

    Spec: image-layout:version, image-index:schema-version, manifest:schema-version.
    """


class LimitExceededError(OciLayoutError):
    """Something is larger than a limit.

    Attributes:
        what: What was measured, such as `document` or `depth`.
        limit: The limit, in bytes or in the unit that the message names.
        source: The file or the digest of what was measured, empty where neither is known.

    Spec: considerations:limits.
    """

    def __init__(self, message: str, *, what: str, limit: int, source: str = "") -> None:
        self.what = what
        self.limit = limit
        self.source = source
        super().__init__(f"{source}: {message}" if source else message)

    def read_from(self, source: str) -> LimitExceededError:
        """Return the same error, whose message says what was read; one that does stays.

        Args:
            source: The path of the file, or the digest of the blob.
        """
        if self.source:
            return self
        return type(self)(str(self), what=self.what, limit=self.limit, source=source)


@contextmanager
def read_from(source: str) -> Iterator[None]:
    """Let errors about a document say which one it is.

    Args:
        source: The path of the file, or the digest of the blob.

    Raises:
        DocumentError: The block raised it.
        LimitExceededError: The block raised it.
    """
    try:
        yield
    except (DocumentError, LimitExceededError) as error:
        raise error.read_from(source) from None


class IntegrityError(OciLayoutError):
    """Content is not what its descriptor says.

    Attributes:
        descriptor: The descriptor that was not met.
        actual: The digest or the size in bytes that was found, as text.

    Spec: descriptor:verify, descriptor:size-trust.
    """

    def __init__(self, message: str, *, descriptor: Described, actual: str) -> None:
        self.descriptor = descriptor
        self.actual = actual
        super().__init__(message)


class DigestMismatchError(IntegrityError):
    """The bytes hash to another digest.

    Spec: descriptor:verify.
    """


class SizeMismatchError(IntegrityError):
    """There are more or fewer bytes than the descriptor says.

    Spec: descriptor:size-first, descriptor:size-trust.
    """


class NotFoundError(OciLayoutError, LookupError):
    """Something that was asked for is not there."""


class BlobNotFoundError(NotFoundError):
    """The store holds no blob of that digest.

    Spec: image-layout:external-store.
    """


class ReferenceNotFoundError(NotFoundError):
    """No entry has that name or digest.

    Spec: annotations:ref-name-place.
    """


_SHOWN: Final = 4  # of a list in an error


def some(texts: Iterable[str]) -> str:
    """Return texts as a list for an error, which is one line: the first few, and how many more."""
    found = list(texts)
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


class AmbiguousReferenceError(OciLayoutError):
    """A name means entries of different content.

    Attributes:
        name: The name that was asked for.
        digests: The digests of the entries, in document order.
        full_names: The full name of each, as containerd and Docker write it, or `None`.

    Spec: annotations:same-name.
    """

    def __init__(
        self,
        name: str,
        digests: Iterable[str],
        *,
        full_names: Iterable[str | None] = (),
        advice: str = "",
    ) -> None:
        self.name = name
        self.digests = tuple(digests)
        self.full_names = tuple(full_names) or (None,) * len(self.digests)
        pairs = dict.fromkeys(zip(self.digests, self.full_names, strict=True))
        found = some(f"{digest} ({full})" if full else digest for digest, full in pairs)
        if not advice:
            full = next((full for _, full in pairs if full and full != name), None)
            by_full = f" by its full name, such as {full}, or" if full else ""
            advice = f"name one{by_full} as {name}@{self.digests[0] if pairs else 'DIGEST'}"
        super().__init__(f"{name!r} names different content: {found}; {advice}")


class InvalidNameError(OciLayoutError, ValueError):
    """A name or a reference is outside its grammar.

    Spec: annotations:ref-name, distribution:name, distribution:tag.
    """


class UnsupportedDigestError(OciLayoutError):
    """The digest's algorithm cannot be computed here, so nothing can be verified against it.

    Spec: descriptor:digest-algorithm.
    """


class NotALayoutError(OciLayoutError):
    """The path holds no OCI image layout.

    Spec: image-layout:oci-layout-file, image-layout:index-json.
    """


class LayoutExistsError(OciLayoutError):
    """A layout was to be created where there is something already.

    Spec: image-layout:unknown-files.
    """


class LockTimeoutError(OciLayoutError, TimeoutError):
    """The writer lock of a layout was held by somebody else for too long.

    Spec: image-layout:writers.
    """


class RegistryError(OciLayoutError):
    """A registry refused, failed or answered what it must not.

    Attributes:
        status: The HTTP status, or `None` where there was no answer.
        codes: The error codes of the distribution-spec in the body, such as `MANIFEST_UNKNOWN`.

    Spec: distribution:errors.
    """

    def __init__(
        self, message: str, *, status: int | None = None, codes: Iterable[str] = ()
    ) -> None:
        self.status = status
        self.codes = tuple(codes)
        super().__init__(message)


class AuthError(RegistryError):
    """The registry wants other credentials, or any.

    Spec: distribution:authentication.
    """


class RateLimitedError(RegistryError):
    """The registry asks to come back later.

    Attributes:
        retry_after: How much later, in seconds, or `None` if it does not say.

    Spec: distribution:errors.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        codes: Iterable[str] = (),
        retry_after: float | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, status=status, codes=codes)


class TransportError(RegistryError):
    """The connection failed, broke or was not trusted.

    Spec: distribution:redirects.
    """
