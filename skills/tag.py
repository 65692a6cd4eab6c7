"""The names that a build may have: a bare tag, or a full registry reference."""

from __future__ import annotations

import re

from ocilayout import InvalidNameError, Reference
from skills.errors import InvalidTagError

# A bare tag, as ToolHive has it: a leading dot or dash is allowed.
_BARE = re.compile(r"[A-Za-z0-9_.-]{1,128}")


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
    if not slash or reference.host != host or not (reference.tag or reference.digest):
        raise InvalidTagError(tag)


def is_tag(name: str) -> bool:
    """Tell whether a build may have a name; see `require_tag`."""
    try:
        require_tag(name)
    except InvalidTagError:
        return False
    return True


def parse_source(name: str) -> Reference | None:
    """Return the reference by which the content of a name could be pulled again, if there is one.

    That is a repository with a tag or a digest. Without a registry it is one of Docker Hub, where
    ToolHive pulls it from.
    """
    if "/" not in name:
        return None
    try:
        reference = Reference.parse(name)
    except InvalidNameError:
        return None
    return reference if reference.tag or reference.digest else None
