"""Names: references into a registry, and the names that a layout gives to its entries.

The two are different grammars. A layout's name is any text of the ref.name grammar and may
hold a whole registry reference; a registry reference has parts and a meaning on the network.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from ocilayout.errors import DocumentError, InvalidNameError
from ocilayout.model.digest import Digest, is_digest

# image-spec annotations.md, org.opencontainers.image.ref.name:
#   ref       ::= component ("/" component)*
#   component ::= alphanum (separator alphanum)*
#   alphanum  ::= [A-Za-z0-9]+
#   separator ::= [-._:@+] | "--"
_COMPONENT = r"[A-Za-z0-9]+(?:(?:--|[-._:@+])[A-Za-z0-9]+)*"
_REF_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")

# distribution/reference, the grammar that Docker and containerd use:
#   domain         ::= domain-name [":" port] | "[" IPv6 "]" [":" port]
#   path-component ::= alpha-numeric (separator alpha-numeric)*
#   separator      ::= [_.] | "__" | "-"+
#   tag            ::= [\w][\w.-]{0,127}
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PATH}(?:/{_PATH})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_REPOSITORY = 255

DOCKER_HUB = "docker.io"

# The other names that programs give to Docker Hub; they mean the same repositories.
_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io"})


def is_ref_name(text: str) -> bool:
    """Tell whether text may be written as the name of a layout's entry."""
    return _REF_NAME.fullmatch(text) is not None


def require_ref_name(name: str, *, strict: bool = True) -> None:
    """Refuse a name that must not be written into a layout.

    Args:
        name: The name.
        strict: Whether the name must follow the ref.name grammar.

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
    """Refuse what is no path of a repository.

    Raises:
        InvalidNameError: It is outside the grammar, or too long.

    Spec: distribution:name, distribution:name-length.
    """
    if _REPOSITORY.fullmatch(path) is None or len(path) > _MAX_REPOSITORY:
        raise InvalidNameError(
            f"{path!r} is no repository: lower-case letters and digits, joined by"
            f" . _ __ or dashes, in components separated by /, {_MAX_REPOSITORY} characters"
            " at most"
        )


def is_tag(text: str) -> bool:
    """Tell whether text may be the tag of a registry."""
    return _TAG.fullmatch(text) is not None


def require_tag(tag: str) -> None:
    """Refuse what is no tag.

    Raises:
        InvalidNameError: It is outside the grammar.

    Spec: distribution:tag.
    """
    if not is_tag(tag):
        raise InvalidNameError(
            f"{tag!r} is no tag: a letter, digit or _, then up to 127 of these, . and -"
        )


def _one_name(host: str) -> str:
    return DOCKER_HUB if host in _HUB_NAMES else host


@frozen(kw_only=True)
class Reference:
    """A reference into a registry.

    Attributes:
        host: The registry's host with its port, such as `ghcr.io` or `127.0.0.1:5000`; of Docker
            Hub always `docker.io`, also if it was given as `index.docker.io`.
        repository: The path of the repository, such as `org/skill`.
        tag: The tag, or `None`.
        digest: The digest, or `None`; where there is one it decides and the tag is a comment.

    Raises:
        InvalidNameError: A part is outside its grammar.

    Spec: distribution:name, distribution:name-length, distribution:tag.
    """

    host: str = field(converter=_one_name)
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __attrs_post_init__(self) -> None:
        if _HOST.fullmatch(self.host) is None or not _is_host(self.host):
            raise InvalidNameError(
                f"{self.host!r} is no registry host; one holds a dot, a port or a capital, or is"
                " localhost"
            )
        if self.host == DOCKER_HUB and "/" not in self.repository:
            raise InvalidNameError(
                f"{self.repository!r} is no repository of Docker Hub; library/{self.repository} is"
            )
        if self.digest is not None and not isinstance(self.digest, Digest):
            raise InvalidNameError(f"{self.digest!r} is no digest")
        require_repository(self.repository)
        if self.tag is not None:
            require_tag(self.tag)

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read `host/repository[:tag][@digest]`.

        The first component is a host if it holds a dot, a colon or a capital, or is `localhost`.
        Without a host the reference is Docker Hub's, where a repository of one component belongs
        to `library`; the other names of its host mean `docker.io`. No tag is made up.

        Raises:
            InvalidNameError: The text is no such reference.
        """
        rest, at, digest_text = text.partition("@")
        try:
            digest = Digest.parse(digest_text) if at else None
        except DocumentError as error:
            raise InvalidNameError(f"{text!r}: {error.problems[0].message}") from error
        first, slash, path = rest.partition("/")
        if slash and _is_host(first):
            host = DOCKER_HUB if first in _HUB_NAMES else first
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
    """Tell a host from the first component of a repository on Docker Hub."""
    return (
        component == "localhost"
        or "." in component
        or ":" in component
        or component != component.lower()
    )
