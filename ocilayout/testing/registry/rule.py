"""Which requests a fault is for, and how often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ocilayout.testing.registry.endpoint import ENDPOINTS

if TYPE_CHECKING:
    from ocilayout.testing.registry.exchange import Answer, Request

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""The methods of the API."""


Fault = Callable[["Request", Callable[[], "Answer"]], "Answer"]
"""A way to misbehave: given a request, and how to have it answered in order, it answers.

If it does not have it answered in order, then nothing is stored, deleted or begun.
"""


class Rule:
    """A fault, and the requests that meet it.

    Attributes:
        fault: The fault.
        count: How many requests have met it so far.
    """

    def __init__(  # what a request is told by
        self,
        on: str,
        fault: Fault,
        *,
        name: str | None = None,
        reference: str | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> None:
        """Make a rule; `LoopbackRegistry.misbehave` does it for you and says what is what.

        Raises:
            ValueError: `on` names no method or no endpoint.
        """
        self._method, self._endpoint = _parse(on)
        self._name = name
        self._reference = reference
        self._skip = skip
        self._times = times
        self._lock = threading.Lock()
        self.fault = fault
        self.count = 0

    def takes(self, request: Request) -> bool:
        """Tell whether a request meets the fault, and count it."""
        wanted = (
            (self._method, request.method),
            (self._endpoint, request.endpoint),
            (self._name, request.name),
            (self._reference, request.reference),
        )
        if any(want not in (None, have) for want, have in wanted):
            return False
        with self._lock:
            if self._skip > 0:
                self._skip -= 1
                return False
            if self._times is not None and self.count >= self._times:
                return False
            self.count += 1
            return True


def _parse(on: str) -> tuple[str | None, str | None]:
    words = on.split()
    method = words.pop(0) if words and words[0] in METHODS else None
    endpoint = words.pop(0) if words and words[0] in ENDPOINTS else None
    if words or not on.strip():
        raise ValueError(
            f"{on!r} is no kind of request; say a method ({', '.join(METHODS)}), an endpoint"
            f" ({', '.join(ENDPOINTS)}), or one after the other, such as 'GET blob'"
        )
    return method, endpoint
