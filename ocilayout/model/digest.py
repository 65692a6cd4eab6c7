"""Digests: the identity of content, `algorithm:encoded`.

A digest whose algorithm cannot be computed here is still parsed, kept and compared;
`Digest.verifiable` tells that content cannot be checked against it. SHA-2 is computed everywhere,
BLAKE3 where the package `blake3` is installed.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Never, Protocol, Self

from ocilayout.errors import DocumentError, UnsupportedDigestError
from ocilayout.model.place import wrong_type
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Callable

# image-spec descriptor.md, Digests:
# digest                ::= algorithm ":" encoded
# algorithm             ::= algorithm-component (algorithm-separator algorithm-component)*
# algorithm-component   ::= [a-z0-9]+
# algorithm-separator   ::= [+._-]
# encoded               ::= [a-zA-Z0-9=_-]+
# Neither part can hold a slash or begin with a dot, so both are safe as path components.
_DIGEST = re.compile(r"(?P<algorithm>[a-z0-9]+(?:[+._-][a-z0-9]+)*):(?P<encoded>[a-zA-Z0-9=_-]+)")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_LOWER_HEX = re.compile(r"[a-f0-9]+")

# Registered algorithms and the length of their encoded part, in lower-case hex digits.
# Deviation: sha384 is not in the table of the image-spec, but Go's libraries support it.
ENCODED_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128, "blake3": 64}
_HASHLIB = frozenset({"sha256", "sha384", "sha512"})


class Hasher(Protocol):
    """A hash object of `hashlib`, or one like it."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Hash more bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the hash of the bytes so far, in lower-case hex."""
        ...


class Digest(str):
    """A valid content identifier.

    It is a string, equal to its text form and sorted like it, so it can be used directly in
    documents and paths. `parse` and `of` make digests; the class itself cannot be called.

    Spec: descriptor:digest-grammar, descriptor:digest-algorithm, descriptor:sha256-encoded,
        descriptor:sha512-encoded, descriptor:blake3-encoded.
    """

    __slots__ = ()

    def __new__(cls, *_: Never) -> Self:
        """Raise an error that names `parse` and `of`, which make digests."""
        raise TypeError("Digest.parse reads a digest from text, Digest.of computes one from bytes")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a digest from its text form.

        Raises:
            DocumentError: The text is outside the grammar, or the length or the alphabet of the
                encoded part is not that of its registered algorithm.
        """
        if type(text) is cls:
            return text
        if not isinstance(text, str):
            raise wrong_type("a digest", text)
        if _SHA256.fullmatch(text):  # nearly all are, and need no look at the general grammar
            return str.__new__(cls, text)
        match = _DIGEST.fullmatch(text)
        if match is None:
            raise DocumentError.of(
                "bad-digest", f"{text!r} is not a valid digest, such as sha256:<64 hex digits>"
            )
        algorithm, encoded = match.groups()
        length = ENCODED_LENGTHS.get(algorithm)
        if length is not None and (len(encoded) != length or _LOWER_HEX.fullmatch(encoded) is None):
            raise DocumentError.of(
                "bad-digest",
                f"{text!r} is not a valid digest: {algorithm} takes {length} lower-case hex digits",
            )
        return str.__new__(cls, text)

    @classmethod
    @checked
    def of(cls, data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> Self:
        """Compute the digest of bytes.

        Raises:
            UnsupportedDigestError: The algorithm cannot be computed here.

        Spec: descriptor:digest-value.
        """
        hasher = new_hasher(algorithm)
        hasher.update(memoryview(data))
        return cls.parse(f"{algorithm}:{hasher.hexdigest()}")

    @property
    def algorithm(self) -> str:
        """The algorithm component, such as `sha256`."""
        return self.partition(":")[0]

    @property
    def encoded(self) -> str:
        """The encoded component; lower-case hex for the registered algorithms."""
        return self.partition(":")[2]

    @property
    def verifiable(self) -> bool:
        """Whether content can be checked against this digest here."""
        return self.algorithm in _HASHLIB or (self.algorithm == "blake3" and _blake3() is not None)

    def __reduce__(self) -> tuple[Callable[[str], Self], tuple[str]]:
        return self.parse, (str(self),)

    def __repr__(self) -> str:
        return f"Digest({str(self)!r})"


def is_digest(text: str) -> bool:
    """Return whether text is a valid digest of a registered algorithm.

    The grammar alone would accept `alpine:latest`, as a digest of the algorithm alpine.
    """
    if isinstance(text, Digest):
        return True
    try:
        return Digest.parse(text).algorithm in ENCODED_LENGTHS
    except DocumentError:
        return False


def new_hasher(algorithm: str) -> Hasher:
    """Return a new hash object.

    Raises:
        UnsupportedDigestError: The algorithm cannot be computed here.

    Spec: descriptor:sha256, descriptor:sha512, descriptor:blake3.
    """
    if algorithm in _HASHLIB:
        return hashlib.new(algorithm, usedforsecurity=False)
    blake3 = _blake3() if algorithm == "blake3" else None
    if blake3 is None:
        raise UnsupportedDigestError(
            f"{algorithm!r} cannot be computed here; known are {', '.join(sorted(_HASHLIB))},"
            " and blake3 where the package of that name is installed"
        )
    return blake3()


@cache
def _blake3() -> Callable[[], Hasher] | None:
    # The package is compiled, so this library does not depend on it, and imports it at the first
    # digest of the algorithm. A folder of that name, as in a layout's blobs, can be imported, too,
    # as a namespace package; it has no attribute `blake3`.
    try:
        hasher: Callable[[], Hasher] | None = getattr(import_module("blake3"), "blake3", None)
    except ImportError:
        return None
    return hasher
