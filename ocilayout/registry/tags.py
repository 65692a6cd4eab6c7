"""The list of a repository's tags, from the first page to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ocilayout.errors import DocumentError, RegistryError
from ocilayout.model import MAX_DOCUMENT, parse_json, require_at_most
from ocilayout.registry.page import iter_pages
from ocilayout.registry.session import OK, Session

if TYPE_CHECKING:
    from ocilayout.registry.answer import Answer


def list_tags(session: Session) -> set[str]:
    """Return all tags.

    Raises:
        LimitExceededError: There are too many, or they come on too many pages.
        RegistryError: The registry refused or failed, or its list cannot be read, leads to
            another host or does not end.

    Spec: distribution:tags.
    """
    found: set[str] = set()
    for page in iter_pages(session, "tags/list", what="tags"):
        found.update(_read_tags(page))
        require_at_most(
            session.limits.listed, len(found), of="the registry's list of tags", unit="tags"
        )
    return found


def _read_tags(page: Answer) -> list[str]:
    try:
        tags = parse_json(page.read_all(MAX_DOCUMENT)).get("tags")
    except DocumentError as error:
        raise RegistryError(f"the list of tags cannot be read: {error}", status=OK) from error
    if tags is None:  # what Go writes for an empty list
        return []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryError("the list of tags is no array of strings", status=OK)
    return cast("list[str]", tags)
