"""Patience: how long a registry is waited for, and when a request is sent again.

Pure but for the clock, the sleep and the random source, which a caller may replace.
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

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@frozen(kw_only=True)
class Timeouts:
    """The longest waits for a registry, in seconds, each above 0.

    Attributes:
        connect: For a connection, TLS included.
        read: For the beginning of an answer, and for each single read.
        stall: For content to go on: a body that brings less than 1 KiB a second over so long a
            time has stalled, however often it brings a byte.

    Raises:
        ValueError: One is not above 0.
    """

    connect: float = 30.0
    read: float = 30.0
    stall: float = 60.0

    def __attrs_post_init__(self) -> None:
        for value in (self.connect, self.read, self.stall):
            # So that one that is no number is refused, too.
            if not value > 0:
                raise ValueError(f"a timeout is a number of seconds above 0, not {value!r}")

    @classmethod
    def of(cls, timeout: float | Timeouts) -> Timeouts:
        """Return timeouts; a number stands for all three.

        Raises:
            ValueError: It is not above 0.
        """
        if isinstance(timeout, Timeouts):
            return timeout
        return cls(connect=timeout, read=timeout, stall=timeout)


@frozen(kw_only=True)
class Retry:
    """When to send a request again, and what to do until then.

    Attributes:
        attempts: How often a request is sent in all, 1 or more; of a transfer that broke off, how
            often in sequence without coming any further.
        pause: The longest wait before the second attempt, in seconds; doubled for each more. What
            is waited is a random part of it, so that many clients do not come back at once.
        longest: The longest wait before any attempt, in seconds. A registry that asks for a
            longer one with `Retry-After` is not asked again.
        sleep: Waits for so many seconds.
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
        """Return how long to wait behind an attempt that failed, in seconds.

        Args:
            attempt: Which one it was, from 1.
        """
        return self.uniform() * min(self.pause * 2.0 ** (attempt - 1), self.longest)

    def delay(self, attempt: int, asked: float | None) -> float | None:
        """Return how long to wait behind an attempt that was answered, in seconds.

        Args:
            attempt: Which one it was, from 1.
            asked: What the answer asks for, in seconds, or `None`.

        Returns:
            The wait, or `None` if the registry asks for a longer one than is waited.
        """
        if asked is None:
            return self.backoff(attempt)
        return None if asked > self.longest else min(asked + self.backoff(attempt), self.longest)

    def asked(self, text: str | None) -> float | None:
        """Return what a `Retry-After` asks for, in seconds; `None` if it says nothing of use.

        Args:
            text: Its value: RFC 9110, a number of seconds or a date.
        """
        if text is None:
            return None
        if _SECONDS.fullmatch(text):
            return float(text)
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
        if date.tzinfo is None:  # what says -0000; a date of HTTP is in UTC
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - self.now())
