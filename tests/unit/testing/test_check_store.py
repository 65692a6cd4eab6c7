"""What `check_store` shows of a bug, and what it leaves behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

from ocilayout.testing.machine import LayoutAdapter, LayoutStore, StoreMachine, check_store, verbs
from ocilayout.testing.machine.workplace import workplace

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.testing.machine import Content


class Forgetful(LayoutStore):
    """A store with two bugs: it loses the order of entries, and content that is put."""

    def put(self, content: Content) -> None:
        if len(content.blobs) > 4:
            return
        super().put(content)

    def untag(self, name: str) -> None:
        super().untag(name)
        path = self.layout.path / "index.json"
        document = json.loads(path.read_bytes())
        document["manifests"].reverse()
        path.write_text(json.dumps(document))


class ForgetfulAdapter(LayoutAdapter):
    handles = 2

    def open(self, path: Path, number: int) -> LayoutStore:
        del number
        return Forgetful(path)


def _lines(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    monkeypatch.setattr(verbs, "_WHOLE", 1.0)
    monkeypatch.setattr(verbs, "_SHRINKING", 1.0)
    with pytest.raises((AssertionError, LookupError)) as caught:
        check_store(ForgetfulAdapter(), settings=settings(derandomize=True), folder=folder)
    assert not isinstance(caught.value, BaseExceptionGroup)  # one bug at a time
    return "\n".join(caught.value.__notes__).splitlines()


def test_a_bug_is_shown_alone_by_what_was_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A failing sequence has a line for each verb and none for the invariant; no folder stays."""
    lines = _lines(monkeypatch, tmp_path)
    assert any(line.startswith("state.create(") for line in lines)
    assert not any("layouts_are_what_they_must_be" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_bug_that_does_not_show_again_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run that found a bug never passes, even if the sequence passes when it is run again."""
    ran = []

    def run(begin: object, how: settings) -> None:
        del begin
        ran.append(how.phases)
        if len(ran) == 1:
            raise verbs._EnoughError

    monkeypatch.setattr(verbs, "_run", run)
    with pytest.raises(AssertionError, match="the same one passed"):
        check_store(ForgetfulAdapter(), folder=tmp_path)
    assert ran[1] == (Phase.reuse,)


def test_a_handle_is_opened_again_where_that_makes_a_difference(tmp_path: Path) -> None:
    """A new handle is not given up for another before anything was done."""
    machine = StoreMachine(ForgetfulAdapter(), folder=tmp_path, on_step=lambda: None)
    machine.create(("empty", "empty"))
    assert machine.stale_handles() == []
    by = machine.handle(0, 0)
    first, second = machine.stale_handles()
    assert first == by
    machine.reopen(first)
    assert machine.stale_handles() == [second]
    machine.teardown()


KILLED = """
import os, signal, sys
from pathlib import Path
from ocilayout.testing.machine.workplace import workplace
with workplace(Path(sys.argv[1])) as path:
    (path / "file").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock to tell who lives")
def test_the_folder_of_a_killed_process_is_deleted_by_the_next(tmp_path: Path) -> None:
    """A folder is deleted with its process, or by the next one; that of a living one stays."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (killed,) = tmp_path.iterdir()
    with workplace(tmp_path) as first, workplace(tmp_path) as second:
        assert {*tmp_path.iterdir()} == {first, second}
        assert killed not in (first, second)
    assert list(tmp_path.iterdir()) == []
