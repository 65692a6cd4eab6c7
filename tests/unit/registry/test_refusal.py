"""The errors of failed responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import (
    AuthError,
    RateLimitedError,
    RegistryError,
)
from tests.unit.registry.example import BLOB, failing
from tests.unit.registry.scripted import Reply, Scripted

if TYPE_CHECKING:
    from ocilayout.registry import Repository


@pytest.mark.spec("distribution:errors", "distribution:docker-codes")
@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (failing(403, "DENIED"), AuthError, "DENIED"),
        (failing(429, "TOOMANYREQUESTS", Retry_After="30"), RateLimitedError, "in 30 seconds"),
        (failing(429, Retry_After="soon"), RateLimitedError, "later"),
        (failing(500, "UNKNOWN", "X", "lower", "A" * 100), RegistryError, "UNKNOWN, X\\)"),
        (Reply(503, body=b"<html>"), RegistryError, "answers 503"),
        (Reply(500, body=b'{"errors":{}}'), RegistryError, "answers 500"),
        (Reply(500, body=b'{"errors":[1,{"code":7},{}]}'), RegistryError, "answers 500"),
        (Reply(500, body=b"[" * 100_000), RegistryError, "answers 500"),
        (Reply(500, {"Content-Length": "9"}, b"", bare=True), RegistryError, "answers 500"),
        (Reply(304), RegistryError, "answers 304"),
    ],
)
def test_a_status_that_is_not_accepted_is_an_error(
    registry: Scripted,
    ann: Repository,
    reply: Reply,
    error: type[RegistryError],
    text: str,
) -> None:
    """A status that is not accepted is the error that names it, with codes and without secrets."""
    registry.default = reply
    with pytest.raises(error, match=text) as caught:
        ann.blobs.read(BLOB)
    assert type(caught.value) is error
    assert caught.value.status == reply.status
    assert "sesame" not in str(caught.value)
    assert all(len(code) < 65 and code.isupper() for code in caught.value.codes)


def test_no_more_codes_than_a_few_are_kept(registry: Scripted, repo: Repository) -> None:
    """A body full of codes does not fill the error."""
    registry.default = failing(500, *["UNKNOWN"] * 100)
    with pytest.raises(RegistryError) as caught:
        repo.tags()
    assert len(caught.value.codes) == 16
