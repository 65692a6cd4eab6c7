"""The list of a repository's tags, from the first page to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from ocilayout.errors import DocumentError, LimitExceededError, RegistryError
from ocilayout.ijson import MAX_DOCUMENT, parse
from ocilayout.registry.address import join, origin
from ocilayout.registry.session import OK, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.registry.answer import Answer

_MAX_PAGES: Final = 10_000
_MAX_TAGS: Final = 1_000_000


def list_tags(session: Session) -> set[str]:
    """Return all tags.

    Raises:
        LimitExceededError: There are too many, or they come on too many pages.
        RegistryError: The registry refused or failed, or its list cannot be read, leads to
            another host or does not end.

    Spec: distribution-spec, Listing tags.
    """
    found: set[str] = set()
    visited: set[str] = set()
    url: str | None = f"{session.base}/tags/list"
    while url is not None:
        if url in visited:
            raise RegistryError("the registry's list of tags leads in a circle", status=OK)
        visited.add(url)
        _require_below("pages", len(visited), _MAX_PAGES)
        with session.request("GET", url, accept={OK}) as answer:
            found.update(_read_tags(answer))
            url = _next_page(answer, session.base)
        _require_below("tags", len(found), _MAX_TAGS)
    return found


def _require_below(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise LimitExceededError(
            f"the registry's list of tags has more than {limit} {what}", what=what, limit=limit
        )


def _read_tags(answer: Answer) -> list[str]:
    try:
        tags = parse(answer.read_all(MAX_DOCUMENT)).get("tags")
    except DocumentError as error:
        raise RegistryError(f"the list of tags cannot be read: {error}", status=OK) from error
    if tags is None:  # what Go writes for an empty list
        return []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryError("the list of tags is no array of strings", status=OK)
    return cast("list[str]", tags)


def _next_page(answer: Answer, base: str) -> str | None:
    for target, relations in _links(answer.header("Link") or ""):
        if "next" not in relations:
            continue
        url = join(answer.url, target, status=answer.status)
        if origin(url) != origin(base):
            raise RegistryError(
                f"the list of tags goes on at {origin(url)}, another host; not followed",
                status=answer.status,
            )
        return url
    return None


def _links(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the targets of a `Link` header with their relations in lower case.

    RFC 8288, but that no parameter may hold `<` or `;`. The parameters of pages have no need to.
    """
    for piece in text.split("<")[1:]:
        target, _, parameters = piece.partition(">")
        relations: list[str] = []
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "rel":
                relations = value.strip(" \t,").strip('"').lower().split()
        yield target, relations
