"""Every error that this library raises, and `Problem`, a finding about a document or a layout.

`OSError` is not wrapped: a full disk or a missing permission reaches the caller as the operating
system reported it.
"""

from __future__ import annotations

import copyreg
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args

from attrs import evolve, field, frozen
from attrs.validators import in_, instance_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Severity = Literal["error", "warning", "note"]

MAX_PROBLEMS: Final = 100
"""The most problems of one document that are collected; reading stops there."""

# What a document says ends in messages, so their length is bounded.
_MOST_SHOWN: Final = 10  # problems in the message of an error
MOST_LISTED: Final = 4  # names or digests in the message of an error
_LONGEST_MESSAGE: Final = 1000  # in characters


def shortened(text: str, longest: int = _LONGEST_MESSAGE) -> str:
    """Return a text that a document says, cut to a number of characters."""
    return text if len(text) <= longest else f"{text[:longest]}\u2026"


class Described(Protocol):
    """A descriptor, which is defined in a module above."""

    @property
    def media_type(self) -> str:
        """The media type of the content."""
        ...

    @property
    def digest(self) -> object:
        """The digest of the content."""
        ...

    @property
    def size(self) -> int:
        """The size of the content, in bytes."""
        ...


@frozen(kw_only=True)
class Problem:
    """A finding about a document or a layout.

    Attributes:
        code: A stable identifier in kebab case, such as `missing-property`.
        message: One sentence for a person, cut after 1,000 characters.
        place: A JSON path that starts with `$`, or a path relative to the layout.
        severity: `error` breaks a MUST, `warning` a SHOULD, and `note` is a state that the spec
            allows; `ocilayout.check.finding` has the exact rules.
        requirement: The id of a row in spec-notes, or empty.
        count: The number of problems that it stands for, >= 1; above 1 only where problems are
            counted and not listed.
    """

    code: str = field(validator=instance_of(str))
    message: str = field(validator=instance_of(str))
    place: str = field(default="$", validator=instance_of(str))
    severity: Severity = field(default="error", validator=in_(get_args(Severity)))
    requirement: str = field(default="", validator=instance_of(str))
    count: int = field(default=1, validator=instance_of(int))

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message))

    def under(self, place: str) -> Problem:
        """Return the same problem with its place in an enclosing document.

        Args:
            place: The JSON path of the value that has the problem.
        """
        above = evolve(self, place=place)
        return evolve(above, place=above.place + self.place.removeprefix("$"))

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.code}]"


class OciLayoutError(Exception):
    """The base class of every error of this library, never raised itself.

    Errors can be pickled, so they pass between processes.
    """

    # `Exception` would call the constructor with the message alone, and lose the attributes.
    def __reduce__(self) -> tuple[object, ...]:
        make = copyreg.__newobj__  # type: ignore[attr-defined] # typeshed does not have it
        return make, (type(self), *self.args), self.__dict__


class ArgumentError(OciLayoutError, TypeError):
    """An argument has a type that the function does not take; the message names both."""


class DocumentError(OciLayoutError, ValueError):
    """Bytes or values break the specification.

    Attributes:
        problems: The problems, each with its JSON path; never empty, and 100 at most. Where there
            are 100, reading stopped, and more may be wrong.
        source: The path of the file or the digest of the blob, or empty.

    Spec: considerations:json, considerations:property-types.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str = "") -> None:
        self.problems = tuple(islice(problems, MAX_PROBLEMS))
        self.source = source
        listed = "; ".join(map(str, self.problems[:_MOST_SHOWN]))
        if len(self.problems) >= MAX_PROBLEMS:
            listed += f"; and more: reading stopped at {MAX_PROBLEMS} problems"
        elif len(self.problems) > _MOST_SHOWN:
            listed += f"; and {len(self.problems) - _MOST_SHOWN} more"
        super().__init__(f"{source}: {listed}" if source else listed)

    @classmethod
    def of(cls, code: str, message: str, place: str = "$") -> DocumentError:
        """Return the error of a single problem."""
        return cls([Problem(code=code, message=message, place=place)])

    def at(self, place: str) -> DocumentError:
        """Return the same error with its places in an enclosing document.

        Args:
            place: The JSON path of the value that the error is about.
        """
        return type(self)((problem.under(place) for problem in self.problems), source=self.source)

    def read_from(self, source: str) -> DocumentError:
        """Return the same error with its source in the message, unless it has a source already."""
        return self if self.source else type(self)(self.problems, source=source)


class UnsupportedVersionError(DocumentError):
    """The document has a version that this library does not read.

    Spec: image-layout:version, image-index:schema-version, manifest:schema-version.
    """


class LimitExceededError(OciLayoutError):
    """Content is larger than a limit.

    Attributes:
        what: The property that was measured, such as `document` or `depth`.
        limit: The limit, in bytes or in the unit that the message names.
        source: The path of the file or the digest of the blob, or empty.

    Spec: considerations:limits.
    """

    def __init__(self, message: str, *, what: str, limit: int, source: str = "") -> None:
        self.what = what
        self.limit = limit
        self.source = source
        super().__init__(f"{source}: {message}" if source else message)

    def read_from(self, source: str) -> LimitExceededError:
        """Return the same error with its source in the message, unless it has a source already."""
        if self.source:
            return self
        return type(self)(str(self), what=self.what, limit=self.limit, source=source)


@contextmanager
def read_from(source: str) -> Iterator[None]:
    """Name the source of a document in the errors of a block.

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
    """Content does not match its descriptor.

    Attributes:
        descriptor: The descriptor.
        actual: The actual digest, or the actual size in bytes, as text.

    Spec: descriptor:verify, descriptor:size-trust.
    """

    def __init__(self, message: str, *, descriptor: Described, actual: str) -> None:
        self.descriptor = descriptor
        self.actual = actual
        super().__init__(message)


class DigestMismatchError(IntegrityError):
    """The digest of the bytes is not the one in the descriptor.

    Spec: descriptor:verify.
    """


class SizeMismatchError(IntegrityError):
    """The number of bytes is not the size in the descriptor.

    Spec: descriptor:size-first, descriptor:size-trust.
    """


class NotFoundError(OciLayoutError, LookupError):
    """A blob or a reference does not exist."""


class BlobNotFoundError(NotFoundError):
    """The store has no blob with that digest.

    Spec: image-layout:external-store.
    """


class ReferenceNotFoundError(NotFoundError):
    """No entry has that reference name or digest.

    Spec: annotations:ref-name-place.
    """


def some(texts: Iterable[str]) -> str:
    """Return a list for the message of an error: the first four texts, and how many more."""
    listed = list(texts)
    more = len(listed) - MOST_LISTED
    return ", ".join(listed[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


class AmbiguousReferenceError(OciLayoutError):
    """A name matches entries with different content.

    Attributes:
        name: The name.
        digests: The digests of the entries, in document order.
        full_names: The full name of each entry, as containerd and Docker write it, or `None`.
        platforms: The platform of each of the first entries; empty where it is not known.

    Spec: annotations:same-name.
    """

    def __init__(
        self,
        name: str,
        digests: Iterable[str],
        *,
        full_names: Iterable[str | None] = (),
        platforms: Iterable[str] = (),
        advice: str = "",
    ) -> None:
        self.name = name
        self.digests = tuple(digests)
        self.full_names = tuple(full_names) or (None,) * len(self.digests)
        self.platforms = (*platforms, *[""] * len(self.digests))[: len(self.digests)]
        said: dict[tuple[str, str | None], str] = {}
        known = zip(self.digests, self.full_names, self.platforms, strict=True)
        for digest, full, platform in known:
            said.setdefault((digest, full), platform)
        apart = len({full for _, full in said}) == len(said)  # then no platform is needed
        content = some(
            f"{digest} ({', '.join(filter(None, more))})" if any(more) else digest
            for (digest, full), platform in said.items()
            for more in [(full, "" if full and apart else platform)]
        )
        if not advice:
            full = next((full for _, full in said if full and full != name), None)
            by_full = f" by its full name, such as {full}, or" if full else ""
            advice = f"name one{by_full} as {name}@{self.digests[0] if said else 'DIGEST'}"
        super().__init__(f"{name!r} names different content: {content}; {advice}")


class InvalidNameError(OciLayoutError, ValueError):
    """A name or a reference is outside its grammar.

    Spec: annotations:ref-name, distribution:name, distribution:tag.
    """


class UnsupportedDigestError(OciLayoutError):
    """The algorithm of a digest cannot be computed here, so content cannot be verified.

    Spec: descriptor:digest-algorithm.
    """


class NotALayoutError(OciLayoutError):
    """The path is not an OCI image layout.

    Spec: image-layout:oci-layout-file, image-layout:index-json.
    """


class LayoutExistsError(OciLayoutError):
    """A layout cannot be created, because the path exists and is not an empty folder.

    Spec: image-layout:unknown-files.
    """


class LockTimeoutError(OciLayoutError, TimeoutError):
    """Another writer held the lock of a layout for too long.

    Spec: image-layout:writers.
    """


class RegistryError(OciLayoutError):
    """A registry refused a request, failed, or broke the distribution-spec.

    Attributes:
        status: The HTTP status, or `None` where the registry did not answer.
        codes: The error codes of the distribution-spec in the body, such as `MANIFEST_UNKNOWN`.
        repository: The repository that the request was for, `host/path`, or `None` where that is
            not known.

    Spec: distribution:errors.
    """

    def __init__(
        self, message: str, *, status: int | None = None, codes: Iterable[str] = ()
    ) -> None:
        self.status = status
        self.repository: str | None = None
        self.codes = tuple(codes)
        super().__init__(message)


class AuthError(RegistryError):
    """The registry requires credentials, or refused them.

    Spec: distribution:authentication.
    """


class RateLimitedError(RegistryError):
    """The registry received too many requests.

    Attributes:
        retry_after: The time to wait, in seconds, or `None` where the registry does not say.

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
    """The connection could not be made, broke, or was not trusted.

    Spec: distribution:redirects.
    """


class TlsError(TransportError):
    """TLS failed: the certificate is not trusted, or the other side does not speak it.

    Attributes:
        failure: What failed, without what to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        failure: str = "",
        status: int | None = None,
        codes: Iterable[str] = (),
    ) -> None:
        self.failure = failure or message
        super().__init__(message, status=status, codes=codes)
