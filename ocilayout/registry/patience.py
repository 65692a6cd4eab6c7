"""How long to wait for a registry, and which requests to send again, how often and when.

Pure, apart from the sleep, the clock and the random source, which callers may replace.
"""

from __future__ import annotations

import math
import random
import re
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from attrs import frozen

from ocilayout.signature import checked

_SECONDS: Final = re.compile(r"[0-9]{1,9}")

TRANSIENT: Final[frozenset[int]] = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""The statuses of failures that may be over when the request is sent again."""


@checked
@frozen(kw_only=True)
class Timeouts:
    """The longest waits for a registry, in seconds, each above 0, and the least rate of bodies.

    Attributes:
        connect: For a connection, including TLS.
        read: For the whole head of a response, and for each single read of its body.
        stall: The time over which a body has to bring `least_rate` on average. A body that is
            slower has stalled, even if single bytes keep arriving.
        least_rate: In bytes a second, 0 or more.

    Raises:
        ValueError: A timeout is not above 0 or longer than the system can wait, which is centuries;
            or the rate is below 0 or not finite.
    """

    connect: float = 30.0
    read: float = 30.0
    stall: float = 60.0
    least_rate: float = 1024.0

    def __attrs_post_init__(self) -> None:
        for value in (self.connect, self.read, self.stall):
            # Not `value <= 0`, which is false for NaN.
            if not 0 < value <= threading.TIMEOUT_MAX:
                raise ValueError(f"a timeout is a finite number of seconds above 0, not {value!r}")
        if not 0 <= self.least_rate < math.inf:
            raise ValueError(f"a rate is in bytes a second, 0 or more, not {self.least_rate!r}")

    @classmethod
    def of(cls, timeout: float | Timeouts) -> Timeouts:
        """Return the timeouts; a number stands for all three.

        Raises:
            ValueError: The number is not above 0.
        """
        if isinstance(timeout, Timeouts):
            return timeout
        return cls(connect=timeout, read=timeout, stall=timeout)


@checked
@frozen(kw_only=True)
class Patience:
    """When to send a request again, and how long to wait before.

    With the defaults a failure is outlasted that is over in six seconds.

    Attributes:
        attempts: How often a request is sent in all, 1 or more; half as often to a host that is not
            reached at all. For a transfer that broke off: how often in sequence without making
            progress.
        pause: The longest wait before the second attempt, in seconds; doubled for each further
            one. The actual wait is a random part of it, at least half, so that many clients do not
            come back at once.
        longest: The longest wait before any attempt, in seconds. A registry that asks for a longer
            wait with `Retry-After` is not asked again.
        statuses: The statuses after which a request that may be sent twice is sent again.
        sleep: Waits for a number of seconds.
        uniform: Returns a random number from 0 to 1.
        now: Returns the time in seconds since 1970, for a `Retry-After` with a date.

    Raises:
        ValueError: There is no attempt, or a wait is below 0 or not finite.
    """

    attempts: int = 8
    pause: float = 0.1
    longest: float = 60.0
    statuses: Collection[int] = TRANSIENT
    sleep: Callable[[float], object] = time.sleep
    uniform: Callable[[], float] = random.random
    now: Callable[[], float] = time.time

    def __attrs_post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"a request is sent once at least, not {self.attempts!r} times")
        for value in (self.pause, self.longest):
            if not 0 <= value <= threading.TIMEOUT_MAX:
                raise ValueError(f"a wait is a finite number of seconds, 0 or more, not {value!r}")

    def backoff(self, attempt: int) -> float:
        """Return how long to wait after a failed attempt, by its number from 1, in seconds."""
        longest = min(self.pause * 2.0 ** min(attempt - 1, 64), self.longest)
        return longest * (1 + self.uniform()) / 2

    def delay(self, attempt: int, asked: float | None) -> float | None:
        """Return how long to wait after an attempt that got a response, in seconds.

        Args:
            attempt: The number of that attempt, from 1.
            asked: The wait that the response asks for, in seconds, or `None`.

        Returns:
            The wait, or `None` if the registry asks for more than `longest`.
        """
        if asked is None:
            return self.backoff(attempt)
        return None if asked > self.longest else min(asked + self.backoff(attempt), self.longest)

    def parse_retry_after(self, text: str | None) -> float | None:
        """Return the wait that a `Retry-After` header asks for, in seconds, or `None`.

        RFC 9110: a number of seconds, or a date.

        Spec: distribution:retry-after.
        """
        if text is None:
            return None
        if _SECONDS.fullmatch(text):
            return float(text)
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
        if date.tzinfo is None:  # the zone is -0000; dates of HTTP are in UTC
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - self.now())
