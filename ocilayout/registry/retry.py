"""How long to wait for a registry, and when to send a request again.

Pure, apart from the sleep, the clock and the random source, which callers may replace.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from attrs import frozen

from ocilayout.signature import checked

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@checked
@frozen(kw_only=True)
class Timeouts:
    """The longest waits for a registry, in seconds, each above 0.

    Attributes:
        connect: For a connection, including TLS.
        read: For the beginning of a response, and for each single read.
        stall: The time over which a body has to bring 1 KiB a second on average. A body that is
            slower has stalled, even if single bytes keep arriving.

    Raises:
        ValueError: A timeout is not above 0.
    """

    connect: float = 30.0
    read: float = 30.0
    stall: float = 60.0

    def __attrs_post_init__(self) -> None:
        for value in (self.connect, self.read, self.stall):
            # Not `value <= 0`, which is false for NaN.
            if not value > 0:
                raise ValueError(f"a timeout is a number of seconds above 0, not {value!r}")

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
class Retry:
    """When to send a request again, and how long to wait before.

    Attributes:
        attempts: How often a request is sent in all, 1 or more. For a transfer that broke off:
            how often in sequence without making progress.
        pause: The longest wait before the second attempt, in seconds; doubled for each further
            one. The actual wait is a random part of it, so that many clients do not come back at
            once.
        longest: The longest wait before any attempt, in seconds. A registry that asks for a longer
            wait with `Retry-After` is not asked again.
        sleep: Waits for a number of seconds.
        uniform: Returns a random number from 0 to 1.
        now: Returns the time in seconds since 1970, for a `Retry-After` with a date.
    """

    attempts: int = 4
    pause: float = 0.1
    longest: float = 60.0
    sleep: Callable[[float], object] = time.sleep
    uniform: Callable[[], float] = random.random
    now: Callable[[], float] = time.time

    def backoff(self, attempt: int) -> float:
        """Return how long to wait after a failed attempt, by its number from 1, in seconds."""
        return self.uniform() * min(self.pause * 2.0 ** (attempt - 1), self.longest)

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
