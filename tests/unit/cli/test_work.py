"""What is shown of work on blobs, and how signals stop it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from ocilayout.cli.columns import cell_width
from ocilayout.cli.work import Hashing, Work
from ocilayout.model.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

MIB = 2**20
DIGESTS = [Digest.of(bytes([number])) for number in range(40)]


def busy() -> Work:
    """Return work on forty blobs of 4 MiB: one is done, the others are at a half."""
    work = Work()
    for digest in DIGESTS:
        work.plan(digest, 4 * MIB)
        work.begin(digest, 4 * MIB)
        work.move(digest, 2 * MIB)
    work.end(DIGESTS[0], 4 * MIB)
    return work


@pytest.mark.parametrize("width", [120, 79, 39, 20])
@pytest.mark.parametrize("height", [40, 23, 2, 1])
def test_it_fits_one_screen(width: int, height: int) -> None:
    """There is a line for each running blob while there is room, and the total is always last."""
    lines = busy().lines(width, height)
    assert len(lines) == min(height, 40)
    assert max(map(cell_width, lines)) <= width
    assert all(" 50%" in line for line in lines[:-1])
    assert lines[-1].startswith("1 of 40 blobs")
    for line, digest in zip(lines[:-1], DIGESTS[1:], strict=False):
        assert digest.encoded[:12] in line


def test_nothing_is_shown_before_it_begins() -> None:
    """So that a prompt for a password is not drawn over."""
    assert Work().lines(80, 24) == []


def test_sizes_that_are_not_known(tmp_path: Path) -> None:
    """A check does not know what is to come, and blobs may vanish; it shows what was done."""
    work = Hashing(tmp_path)
    work.tell(DIGESTS[0], 0)
    work.tell(DIGESTS[0], MIB)
    blob, total = work.lines(80, 24)
    assert "1.0 MiB" in blob
    assert total.startswith("0 blobs ")
    assert "%" not in total
    work.tell(DIGESTS[0], None)
    (total,) = work.lines(80, 24)
    assert total.startswith("1 blob ")
    assert "1.0 MiB" in total


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_stops_the_work_before_its_own_handler(name: str) -> None:
    """The handler is that of before afterwards, and the next step of any thread ends it."""
    number = getattr(signal, name)
    stopped: list[bool] = []
    work = Work()

    def handler(number: int, frame: FrameType | None) -> None:
        del number, frame
        with pytest.raises(KeyboardInterrupt):
            work.require_going()
        stopped.append(True)

    before = signal.signal(number, handler)
    try:
        with work.shown():
            work.require_going()
            os.kill(os.getpid(), number)
        assert stopped == [True]
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
