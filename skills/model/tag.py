"""Tags of a store: which names a build may have, and which of them are references to a registry."""

from __future__ import annotations

import re
from typing import Final

from ocilayout import InvalidNameError, Reference
from skills.errors import InvalidTagError

# ToolHive's rule, not that of the distribution-spec: a leading dot or dash is allowed.
_BARE: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def require_tag(tag: str) -> None:
    """Refuse a name that is neither a bare tag nor a full registry reference.

    A full reference names its registry, and a tag or a digest: `ghcr.io/org/skill:v1`. Without a
    registry (`org/skill:v1`) it could mean several things, so it is refused.

    Raises:
        InvalidTagError: The name is neither.
    """
    if _BARE.fullmatch(tag):
        return
    host, slash, _ = tag.partition("/")
    try:
        reference = Reference.parse(tag)
    except InvalidNameError:
        raise InvalidTagError(tag) from None
    # `Reference` puts the registry of Docker Hub before a text that names none.
    if not slash or reference.host != host or not (reference.tag or reference.digest):
        raise InvalidTagError(tag)


def is_tag(name: str) -> bool:
    """Tell whether a build may have a name. See `require_tag`."""
    try:
        require_tag(name)
    except InvalidTagError:
        return False
    return True


def parse_reference(text: str) -> Reference:
    """Parse a reference to a registry.

    Raises:
        InvalidNameError: The text does not name a repository, or is not a valid reference.
    """
    if "/" not in text:
        raise InvalidNameError(
            f"{text!r} does not name a registry; write host/repository:tag,"
            " such as ghcr.io/org/skill:v1"
        )
    return Reference.parse(text)


def with_latest(text: str) -> str:
    """Return a reference without tag and digest with the tag `latest`; other text as it is."""
    try:
        parsed = parse_reference(text)
    except InvalidNameError:
        return text
    return text if parsed.tag or parsed.digest else f"{text}:latest"


def origin_of(tag: str) -> Reference | None:
    """Return the reference by which the content of a tag can be pulled again, if there is one.

    That is a repository with a tag or a digest. Without a registry it is one of Docker Hub, where
    ToolHive pulls it from.
    """
    try:
        reference = parse_reference(tag)
    except InvalidNameError:
        return None
    return reference if reference.tag or reference.digest else None
