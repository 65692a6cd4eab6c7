"""When a request is sent again, how long the wait is, and when there is none."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocilayout.errors import AuthError, RateLimitedError, RegistryError, TransportError
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.mediatype import OCI_LAYER
from ocilayout.registry import Credentials, Patience, Repository, Timeouts
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = 1_700_000_000.0
TAGS = "GET /v2/org/app/tags/list"
LISTED = Reply(200, body=b'{"tags":["a"]}')
BLOB = Descriptor.of(b"x", OCI_LAYER)


def date(seconds: float) -> str:
    """A date as HTTP writes it, so many seconds from now."""
    return format_datetime(datetime.fromtimestamp(NOW + seconds, UTC), usegmt=True)


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def repo(registry: Scripted, slept: list[float]) -> Iterator[Repository]:
    patience = Patience(attempts=4, sleep=slept.append, uniform=lambda: 0.5, now=lambda: NOW)
    with Repository(f"{registry.host}/org/app", patience=patience, timeout=60) as repository:
        yield repository


@given(st.integers(1, 60), st.floats(0, 1), st.none() | st.floats(0, 200))
def test_no_wait_is_longer_than_the_longest(
    attempt: int, random: float, asked: float | None
) -> None:
    """Every wait is between nothing and the longest, and what is asked for is kept or refused."""
    patience = Patience(uniform=lambda: random, longest=60.0)
    delay = patience.delay(attempt, asked)
    if asked is not None and asked > 60:
        assert delay is None
    else:
        assert delay is not None
        assert (asked or 0) <= delay <= 60


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (None, None),
        ("7", 7.0),
        ("0", 0.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 30, None),
        (date(90), 90.0),
        (date(-90), 0.0),
        (date(90).replace("GMT", "-0000"), 90.0),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, asked: float | None) -> None:
    """Both forms of RFC 9110 are read, and what is neither says nothing."""
    assert Patience(now=lambda: NOW).parse_retry_after(text) == asked


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_failure_that_passes_is_waited_for(
    registry: Scripted, repo: Repository, slept: list[float], status: int
) -> None:
    """A request that can be repeated is, after pauses that grow."""
    registry.routes[TAGS] = [Reply(status), Reply(status), LISTED]
    assert repo.tags() == ("a",)
    assert slept == pytest.approx([0.075, 0.15])


@pytest.mark.spec("distribution:retry-after")
def test_what_the_registry_asks_for_is_waited(
    registry: Scripted, repo: Repository, slept: list[float]
) -> None:
    """Retry-After is kept, with a little on top so that not all come back at once."""
    registry.routes[TAGS] = [
        Reply(429, {"Retry-After": "7"}),
        Reply(503, {"Retry-After": date(20)}),
        LISTED,
    ]
    assert repo.tags() == ("a",)
    assert slept == pytest.approx([7.075, 20.15])


def test_no_wait_is_endless(registry: Scripted, repo: Repository, slept: list[float]) -> None:
    """A registry that asks for an hour is not asked again, and the error says so."""
    registry.routes[TAGS] = Reply(429, {"Retry-After": "3600"})
    with pytest.raises(RateLimitedError, match="in 3600 seconds") as caught:
        repo.tags()
    assert caught.value.retry_after == 3600
    assert (len(registry.seen), slept) == (1, [])


def test_the_number_of_attempts_is_limited(registry: Scripted, repo: Repository) -> None:
    """After four attempts the failure is the answer."""
    registry.routes[TAGS] = Reply(500)
    with pytest.raises(RegistryError, match="answers 500"):
        repo.tags()
    assert len(registry.seen) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 501])
def test_a_refusal_is_not_asked_again(registry: Scripted, repo: Repository, status: int) -> None:
    """What will not pass is not repeated."""
    registry.routes["GET /v2/org/app/manifests/v1"] = Reply(status)
    with pytest.raises((RegistryError, LookupError)):
        repo.fetch("v1")
    assert registry.asked().count("GET /v2/org/app/manifests/v1") == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_upload_is_begun_again(registry: Scripted, repo: Repository, status: int) -> None:
    """An upload that was begun and is not used harms nothing, so the POST is sent again."""
    post = "POST /v2/org/app/blobs/uploads/"
    begun = Reply(202, {"Location": "/v2/org/app/blobs/uploads/1"})
    registry.routes[post] = [Reply(status), hang_up, begun]
    registry.routes["PUT /v2/org/app/blobs/uploads/1"] = Reply(201)
    repo.blobs.put(b"x", media_type=OCI_LAYER)
    assert registry.asked().count(post) == 3


@pytest.mark.parametrize("status", [418, 503, 408, 429])
def test_the_statuses_to_wait_for_are_told(
    registry: Scripted, slept: list[float], status: int
) -> None:
    """Only the statuses of the policy are waited for."""
    registry.routes[TAGS] = [Reply(status), LISTED]
    patience = Patience(statuses={418, 503}, sleep=slept.append)
    with Repository(f"{registry.host}/org/app", patience=patience) as repo:
        if status in {418, 503}:
            assert repo.tags() == ("a",)
        else:
            with pytest.raises(RegistryError):
                repo.tags()
    assert len(slept) == (status in {418, 503})


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_the_default_outlasts_some_seconds(random: list[float]) -> None:
    """Whatever the random part is, the waits add up to 6 seconds and to less than 13."""
    patience = Patience(uniform=iter(random).__next__)
    waited = sum(patience.backoff(attempt) for attempt in range(1, patience.attempts))
    assert 6 <= waited < 13


@pytest.mark.parametrize(
    "how", [{"attempts": 0}, {"pause": -1.0}, {"pause": float("nan")}, {"longest": float("inf")}]
)
def test_a_policy_that_makes_no_sense_is_refused(how: dict[str, Any]) -> None:
    """There is one attempt at least, and no wait is negative or endless."""
    with pytest.raises(ValueError, match=r"once at least|finite"):
        Patience(**how)


def hang_up(_: Seen, handler: Handler) -> None:
    """Close the connection in place of an answer."""
    handler.close_connection = True


LOST: dict[str, list[Reply | Callable[[Seen, Handler], None]]] = {
    **{str(status): [Reply(status)] for status in (408, 500, 502, 503, 504)},
    "broken": [hang_up],
    "504, then 429": [Reply(504), Reply(429)],
    "broken, then 401": [hang_up, Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})],
}


@pytest.mark.spec("distribution:delete-done")
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_deletion_whose_answer_was_lost_is_done(registry: Scripted, lost: list[Any]) -> None:
    """It is sent again, and what is not found then is gone, as was asked for."""

    def fresh() -> Repository:
        ann = Credentials("ann", "open-sesame")
        return Repository(
            f"{registry.host}/org/app", credentials=ann, patience=Patience(sleep=lambda _: None)
        )

    paths = (f"blobs/{BLOB.digest}", "manifests/v1", f"manifests/{BLOB.digest}")
    for path in paths:
        registry.routes[f"DELETE /v2/org/app/{path}"] = [*lost, Reply(404)]
    registry.default = Reply(404)
    with fresh() as first, fresh() as second, fresh() as third:
        first.blobs.delete(BLOB.digest)
        second.untag("v1")
        third.delete(BLOB.digest)
    assert {f"DELETE /v2/org/app/{path}" for path in paths} <= set(registry.asked())


def test_a_deletion_that_was_not_done_before_is_not_found(
    registry: Scripted, repo: Repository
) -> None:
    """Behind 429 nothing was done, so 404 means that there was nothing."""
    registry.routes["DELETE /v2/org/app/manifests/v1"] = [Reply(429), Reply(404)]
    with pytest.raises(LookupError):
        repo.untag("v1")


def test_the_number_of_lost_deletions_is_limited(registry: Scripted, repo: Repository) -> None:
    """A registry that never answers has the error of its connection."""
    registry.default = hang_up
    with pytest.raises(TransportError):
        repo.blobs.delete(BLOB.digest)
    assert len(registry.seen) == 4


def test_a_trickle_is_not_an_answer(registry: Scripted) -> None:
    """A body that brings a byte now and then has stalled, though no read ever times out."""
    over = threading.Event()

    def trickle(_: Seen, handler: Handler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not over.wait(0.01):
            handler.wfile.write(b"x")

    registry.default = trickle
    repo = Repository(
        f"{registry.host}/org/app",
        timeout=Timeouts(connect=60, read=60, stall=0.2),
        patience=Patience(attempts=1),
    )
    wanted = Descriptor(media_type=OCI_LAYER, digest=BLOB.digest, size=1_000_000)
    try:
        with repo, pytest.raises(TransportError, match="stalled"):
            repo.blobs.read(wanted)
    finally:
        over.set()


@pytest.mark.parametrize("name", ["connect", "read", "stall"])
def test_every_timeout_is_above_zero(name: str) -> None:
    """A wait that would not be one is refused."""
    for value in (0, -1, float("inf"), float("nan"), 1e300):
        with pytest.raises(ValueError, match="above 0"):
            Timeouts(**{name: value})
    with pytest.raises(ValueError, match="bytes a second"):
        Timeouts(least_rate=-1)
    with pytest.raises(ValueError, match="above 0"):
        Repository("ghcr.io/org/app", timeout=float("nan"))
    with pytest.raises(ValueError, match="above 0"):
        Repository("ghcr.io/org/app", chunk_size=0)


def test_a_ping_tells_a_registry(registry: Scripted, repo: Repository) -> None:
    """A registry that allows access answers 200 to `/v2/`."""
    registry.routes["GET /v2/"] = [Reply(200), Reply(404), Reply(401)]
    repo.ping()
    with pytest.raises(RegistryError, match="404"):
        repo.ping()
    with pytest.raises(AuthError):
        repo.ping()


@pytest.mark.spec("distribution:warnings")
def test_warnings_are_kept_once_and_for_people(registry: Scripted, repo: Repository) -> None:
    """Each text once, unquoted, printable and short; other codes and agents are not meant."""
    texts = [
        '299 - "old \\"tag\\"", 299 - "second\\\x1b[31m"',
        '299 - "old \\"tag\\""',
        '199 - "other code"',
        '299 host "other agent"',
        f'299 - "{"x" * 1000}"',
    ]
    registry.routes[TAGS] = [Reply(200, {"Warning": text}, b'{"tags":[]}') for text in texts]
    for _ in texts:
        repo.tags()
    old, second, long = repo.warnings
    assert (old, second) == ('old "tag"', "second\N{REPLACEMENT CHARACTER}[31m")
    assert len(long) < 300
