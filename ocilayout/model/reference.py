"""References to a registry, and the reference names of entries in a layout.

They have different grammars. A reference name is any text of the ref.name grammar, possibly a whole
reference to a registry; a reference to a registry has parts and a meaning on the network.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from ocilayout.errors import DocumentError, InvalidNameError
from ocilayout.model.digest import Digest, is_digest
from ocilayout.signature import checked

# image-spec annotations.md, org.opencontainers.image.ref.name:
#   ref       ::= component ("/" component)*
#   component ::= alphanum (separator alphanum)*
#   alphanum  ::= [A-Za-z0-9]+
#   separator ::= [-._:@+] | "--"
_COMPONENT = r"[A-Za-z0-9]+(?:(?:--|[-._:@+])[A-Za-z0-9]+)*"
_REF_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")

# github.com/distribution/reference, the grammar that Docker and containerd use:
#   domain         ::= domain-name [":" port] | "[" IPv6 "]" [":" port]
#   path-component ::= alpha-numeric (separator alpha-numeric)*
#   separator      ::= [_.] | "__" | "-"+
#   tag            ::= [\w][\w.-]{0,127}
# Deviation: an IPv6 host is checked for its characters only.
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PATH}(?:/{_PATH})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_REPOSITORY = 255

DOCKER_HUB = "docker.io"

# Other names of Docker Hub's host, for the same repositories.
_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io"})


def is_ref_name(text: str) -> bool:
    """Return whether text is in the ref.name grammar."""
    return _REF_NAME.fullmatch(text) is not None


def require_ref_name(name: str, *, strict: bool = True) -> None:
    """Raise an error for a reference name that must not be written into a layout.

    Args:
        name: The name.
        strict: Whether the name must be in the ref.name grammar.

    Raises:
        InvalidNameError: The name is empty, reads as a digest, or is outside the grammar.

    Spec: annotations:ref-name, annotations:digest-name.
    """
    if not name:
        raise InvalidNameError("a name must not be empty")
    if ":" in name and is_digest(name):
        raise InvalidNameError(f"{name!r} reads as a digest and cannot name anything else")
    if strict and not is_ref_name(name):
        raise InvalidNameError(
            f"{name!r} is outside the ref.name grammar: letters and digits, joined by one of"
            " - . _ : @ + or by --, in components separated by /"
        )


def require_repository(path: str) -> None:
    """Raise an error for text that is not the path of a repository.

    Raises:
        InvalidNameError: The path is outside the grammar, or too long.

    Spec: distribution:name, distribution:name-length.
    """
    if _REPOSITORY.fullmatch(path) is None or len(path) > _MAX_REPOSITORY:
        raise InvalidNameError(
            f"{path!r} is not a valid repository: lower-case letters and digits, joined by"
            f" . _ __ or dashes, in components separated by /, {_MAX_REPOSITORY} characters"
            " at most"
        )


def is_tag(text: str) -> bool:
    """Return whether text is a valid tag of a registry."""
    return _TAG.fullmatch(text) is not None


def require_tag(tag: str) -> None:
    """Raise an error for text that is not a valid tag of a registry.

    Raises:
        InvalidNameError: The tag is outside the grammar.

    Spec: distribution:tag.
    """
    if not is_tag(tag):
        raise InvalidNameError(
            f"{tag!r} is not a valid tag: a letter, digit or _, then up to 127 of these, . and -"
        )


def _canonical_host(host: str) -> str:
    return DOCKER_HUB if host in _HUB_NAMES else host


def _to_digest(digest: Digest | str | None) -> Digest | None:
    try:
        return None if digest is None else Digest.parse(digest)
    except DocumentError as error:
        raise InvalidNameError(error.problems[0].message) from None


@checked
@frozen(kw_only=True)
class Reference:
    """A reference to content in a registry.

    Attributes:
        host: The host of the registry with its port, such as `ghcr.io` or `127.0.0.1:5000`; for
            Docker Hub always `docker.io`, also where it was given as `index.docker.io`.
        repository: The path of the repository, such as `org/skill`.
        tag: The tag, or `None`.
        digest: The digest, or `None`; if both are given, the digest decides, the tag is a comment.
            The constructor accepts its text.

    Raises:
        InvalidNameError: A part is outside its grammar.

    Spec: distribution:name, distribution:name-length, distribution:tag.
    """

    host: str = field(converter=_canonical_host)
    repository: str
    tag: str | None = None
    digest: Digest | None = field(default=None, converter=_to_digest)

    def __attrs_post_init__(self) -> None:
        if _HOST.fullmatch(self.host) is None or not _is_host(self.host):
            raise InvalidNameError(
                f"{self.host!r} is not a valid registry host: it needs a dot, a port or a capital,"
                " or must be localhost"
            )
        if self.host == DOCKER_HUB and "/" not in self.repository:
            raise InvalidNameError(
                f"{self.repository!r} is not a repository of Docker Hub, but"
                f" library/{self.repository} is"
            )
        require_repository(self.repository)
        if self.tag is not None:
            require_tag(self.tag)

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference of the form `host/repository[:tag][@digest]`.

        The first component is a host if it holds a dot, a colon or a capital, or is `localhost`.
        Without a host the reference is to Docker Hub, where a repository of one component is in
        `library`; the other names of its host mean `docker.io`. There is no default tag.

        Raises:
            InvalidNameError: The text is not such a reference.
        """
        rest, at, digest_text = text.partition("@")
        try:
            digest = Digest.parse(digest_text) if at else None
        except DocumentError as error:
            raise InvalidNameError(f"{text!r}: {error.problems[0].message}") from error
        first, slash, path = rest.partition("/")
        if slash and _is_host(first):
            host = _canonical_host(first)
        else:
            host, path = DOCKER_HUB, rest
        repository, colon, tag = path.partition(":")
        if host == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        return cls(host=host, repository=repository, tag=tag if colon else None, digest=digest)

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.host}/{self.repository}{tag}{digest}"


def _is_host(component: str) -> bool:
    """Return whether a first component is a host, not part of a repository of Docker Hub."""
    return (
        component == "localhost"
        or "." in component
        or ":" in component
        or component != component.lower()
    )


_NO_TAG = re.compile(r"[^A-Za-z0-9_.-]")


def fallback_tag(digest: Digest) -> str:
    """Return the tag of the list of referrers to a digest, such as `sha256-<hex>`.

    Spec: distribution:referrers-tag.
    """
    return _NO_TAG.sub("-", f"{digest.algorithm[:32]}-{digest.encoded[:64]}")
