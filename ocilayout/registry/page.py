"""Lists that come in pages: from the first to the last, and never to another host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocilayout.errors import RegistryError
from ocilayout.model import require_at_most
from ocilayout.registry.address import join, origin
from ocilayout.registry.session import OK, Session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ocilayout.registry.answer import Answer


def iter_pages(
    session: Session,
    where: str,
    *,
    what: str,
    accept: Collection[int] = frozenset({OK}),
    headers: Mapping[str, str] | None = None,
) -> Iterator[Answer]:
    """Yield the pages of a list, each open until the next is asked for.

    Args:
        session: The conversation with the registry.
        where: The first page, as a path below the repository.
        what: What the list is of, for errors.
        accept: The statuses that the first page may have; those behind it are 200.
        headers: What to send besides what every request has.

    Raises:
        LimitExceededError: There are too many pages.
        RegistryError: The registry refused or failed, or the list leads to another host or in a
            circle.

    Spec: distribution:tags-link, distribution:referrers.
    """
    url: str | None = f"{session.base}/{where}"
    visited: set[str] = set()
    while url is not None:
        if url in visited:
            raise RegistryError(f"the registry's list of {what} leads in a circle", status=OK)
        visited.add(url)
        name = f"the registry's list of {what}"
        require_at_most(session.limits.pages, len(visited), of=name, unit="pages")
        with session.request("GET", url, accept=accept, headers=headers) as answer:
            url = _next_page(answer, session.base, what)
            yield answer
        accept = {OK}


def _next_page(answer: Answer, base: str, what: str) -> str | None:
    for target, relations in _links(answer.header("Link") or ""):
        if "next" not in relations:
            continue
        url = join(answer.url, target, status=answer.status)
        if origin(url) != origin(base):
            raise RegistryError(
                f"the list of {what} goes on at {origin(url)}, another host; not followed",
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
