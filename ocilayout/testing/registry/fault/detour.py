"""What happens before and after the registry answers, and what it does not get to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.testing.registry.exchange import Answer, Request
    from ocilayout.testing.registry.rule import Fault

    Proceed = Callable[[], Answer]


def before(action: Callable[[], object]) -> Fault:
    """Do something else first, then answer in order.

    Args:
        action: What to do, such as `registry.uploads.clear`, or `expire` of a `TokenAuth`.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        action()
        return proceed()

    return fault


def after(action: Callable[[], object]) -> Fault:
    """Do what was asked, then something else, then answer.

    Args:
        action: What to do.
    """

    def fault(_request: Request, proceed: Proceed) -> Answer:
        found = proceed()
        action()
        return found

    return fault


def ignore(*, header: str | None = None, query: str | None = None) -> Fault:
    """Do as if a part of the request were not there.

    Args:
        header: A header that is not regarded, such as `Range`.
        query: An argument that is not regarded, such as `mount`.
    """

    def fault(request: Request, proceed: Proceed) -> Answer:
        if header is not None:
            del request.headers[header]
        if query is not None:
            request.query.pop(query, None)
        return proceed()

    return fault
