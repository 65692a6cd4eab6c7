"""The account of a copy."""

from __future__ import annotations

import signal
import threading
from typing import Literal

import pytest
from attrs import evolve

from ocilayout.cli.progress import Account, accounted
from ocilayout.model.descriptor import Descriptor
from ocilayout.transfer.event import Event

A, B, C = (Descriptor.of(text * 1024, "text/plain") for text in (b"a", b"bb", b"ccc"))
Kind = Literal["planned", "started", "bytes", "skipped", "done"]


def tell(account: Account, descriptor: Descriptor, *kinds: Kind) -> None:
    for kind in kinds:
        count = descriptor.size // 2 if kind == "bytes" else 0
        account.tell(Event(kind=kind, descriptor=descriptor, count=count))


def test_totals() -> None:
    """Copied and skipped content is counted in blobs and bytes."""
    account = Account()
    assert account.text() == "0 blobs copied (0 B)"
    for descriptor in (A, B, C):
        tell(account, descriptor, "planned")
    tell(account, A, "started", "bytes", "bytes", "done")
    tell(account, B, "skipped")
    tell(account, C, "skipped")
    assert account.data() == {
        "copied": 1, "copiedBytes": 1024, "skipped": 2, "skippedBytes": 5120, "missing": [],
    }  # fmt: skip
    assert account.text() == "1 blob copied (1.0 KiB), 2 there already (5.0 KiB)"


def test_foreign_layers() -> None:
    """Content that only its `urls` lead to is not called content that the target has."""
    account = Account()
    foreign = evolve(B, urls=["https://example.com/b"])
    for descriptor in (A, foreign):
        tell(account, descriptor, "planned", "skipped")
    assert account.text() == (
        "0 blobs copied (0 B), 1 there already (1.0 KiB),"
        " 1 not copied, which `urls` lead to (2.0 KiB)"
    )


def test_what_comes_again_counts_once() -> None:
    """A copy that is repeated, since another process deleted content, is one copy."""
    account = Account()
    seen: list[tuple[int, int]] = []
    account.watcher = lambda moved, planned: seen.append((moved, planned))
    tell(account, A, "planned", "started", "bytes", "bytes", "done")
    tell(account, A, "planned", "started", "bytes")
    assert seen == [
        (0, 1024), (0, 1024), (512, 1024), (1024, 1024), (1024, 1024),
        (1024, 1024), (0, 1024), (512, 1024),
    ]  # fmt: skip
    tell(account, A, "bytes", "done")
    assert account.data()["copied"] == 1
    tell(account, A, "planned", "skipped")
    assert account.text() == "1 blob copied (1.0 KiB)"


def test_an_account_that_is_stopped() -> None:
    """After a stop the next step of any transfer ends it."""
    account = Account()
    tell(account, A, "planned")
    account.stop()
    with pytest.raises(KeyboardInterrupt):
        tell(account, A, "started")


def test_the_signal() -> None:
    """Ctrl-C stops the account, and its old handler is restored afterwards."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), accounted() as account:
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        tell(account, A, "planned")
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread() -> None:
    """An account works in a thread that is not the main one, too."""
    found: list[str] = []

    def work() -> None:
        with accounted() as account:
            tell(account, A, "planned", "skipped")
            found.append(account.text())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["0 blobs copied (0 B), 1 there already (1.0 KiB)"]
