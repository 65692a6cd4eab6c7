"""Lists that come in pages, read to the last and never from another host; among them the tags."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from ocilayout.errors import DocumentError, RegistryError
from ocilayout.model import MAX_DOCUMENT, MAX_NODES, parse_json, require_at_most
from ocilayout.registry.address import join, origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ocilayout.registry.response import Response
    from ocilayout.registry.session import Session
    from ocilayout.registry.transport import Follow

_PAGE: Final = 1000
"""The number of tags to ask for at once: the most that many registries give."""

_TAG_SIZE: Final = 128 + len('"",\n\t\t')
"""The most bytes of a tag in a list."""


def iter_pages(
    session: Session,
    where: str,
    *,
    of: str,
    accept: Collection[int] = frozenset({HTTPStatus.OK}),
    headers: Mapping[str, str] | None = None,
    follow: Follow = "anywhere",
) -> Iterator[Response]:
    """Yield the pages of a list, each open until the next is asked for.

    The first one is at a path below the repository; only it may have a status other than 200. `of`
    names the entries of the list in errors.

    Raises:
        LimitExceededError: There are too many pages.
        RegistryError: The registry refused or failed, or the list leads to another host or in a
            circle.

    Spec: distribution:tags-link, distribution:referrers.
    """
    url: str | None = f"{session.base}/{where}"
    name = f"the registry's list of {of}"
    visited: set[str] = set()
    while url is not None:
        if url in visited:
            raise RegistryError(f"{name} leads in a circle", status=HTTPStatus.OK)
        visited.add(url)
        require_at_most(session.limits.pages, len(visited), of=name, unit="pages")
        with session.request("GET", url, accept=accept, headers=headers, follow=follow) as response:
            url = _next_page(response, session.base, of)
            yield response
        accept = {HTTPStatus.OK}


def _next_page(response: Response, base: str, of: str) -> str | None:
    for target, relations in _links(response.header("Link") or ""):
        if "next" not in relations:
            continue
        url = join(response.url, target, status=response.status)
        if origin(url) != origin(base):
            raise RegistryError(
                f"the list of {of} goes on at {origin(url)}, another host; not followed",
                status=response.status,
            )
        return url
    return None


def _links(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the targets of a `Link` header with their relations in lower case.

    RFC 8288, but without `<` and `;` in parameters, which lists do not need.
    """
    for piece in text.split("<")[1:]:
        target, _, parameters = piece.partition(">")
        relations: list[str] = []
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "rel":
                relations = value.strip(" \t,").strip('"').lower().split()
        yield target, relations


def list_tags(session: Session) -> set[str]:
    """Return all tags of the repository; see `Repository.tags`.

    Spec: distribution:tags.
    """
    tags: set[str] = set()
    for page in _tag_pages(session):
        tags.update(_read_tags(page, session.limits.listed))
        require_at_most(
            session.limits.listed, len(tags), of="the registry's list of tags", unit="tags"
        )
    return tags


def _tag_pages(session: Session) -> Iterator[Response]:
    """Yield the pages of tags: of a size that we ask for, or that the registry likes better."""
    sized = iter_pages(
        session,
        f"tags/list?n={_PAGE}",
        of="tags",
        accept={HTTPStatus.OK, HTTPStatus.BAD_REQUEST},
    )
    for page in sized:
        if page.status == HTTPStatus.BAD_REQUEST:  # fewer are allowed
            yield from iter_pages(session, "tags/list", of="tags")
            return
        yield page


def _read_tags(page: Response, limit: int) -> list[str]:
    """Return the tags of a page, which may be all if the registry knows no pages."""
    size = max(MAX_DOCUMENT, limit * _TAG_SIZE)
    try:
        data = page.read_all(size)
        tags = parse_json(data, limit=size, nodes=max(MAX_NODES, 2 * limit)).get("tags")
    except DocumentError as error:
        raise RegistryError(
            f"the list of tags cannot be read: {error}", status=page.status
        ) from error
    if tags is None:  # Go writes an empty list as null
        return []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryError("the list of tags is not an array of strings", status=page.status)
    return cast("list[str]", tags)
