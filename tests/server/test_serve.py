"""`skills serve` as a program: its output, the address it listens on, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ocilayout.testing.registry import BasicAuth, LoopbackRegistry
from skills.server import bind
from skills.store.service import SkillService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A shell has SIGINT ignored by what it starts in its background, and so by what that starts.
RUN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from skills.cli import main; main(prog_name='skills')"
)


@contextmanager
def serving(folder: Path, *arguments: str, given: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run `skills serve` with a store of its own; it is gone at the end."""
    environment = {**os.environ, "OCI_SKILLS_STORE": str(folder / "store"), "HOME": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "serve", *arguments],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdin is not None
            process.stdin.write(given)
            process.stdin.flush()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_serves_until_a_signal_ends_it(
    tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    """Where it listens is said once it does, and it ends as programs do that a signal ends."""
    with serving(tmp_path, "--port", "0", "--json") as process:
        assert process.stdout is not None
        url = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["url"]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/builds") as answer:
            assert answer.read() == b'{"builds":[]}\n'
        process.send_signal(sent)
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == status


def test_it_warns_if_it_listens_beyond_loopback(tmp_path: Path) -> None:
    """It listens on other addresses than loopback only if told to, with a warning."""
    with serving(tmp_path, "--host", "0.0.0.0", "--port", "0") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith(
            "Warning: any program that reaches this address"
        )
        assert process.stdout.readline().startswith("Serving http://0.0.0.0:")


def test_registries_are_reached_by_the_options(tmp_path: Path) -> None:
    """The password is read once, at the start, and used for every request."""
    with LoopbackRegistry(auth=BasicAuth({"ann": "secret"})) as registry:
        reference = f"{registry.host}/team/hello:v1"
        store = SkillService.open(tmp_path / "store", durability="none")
        tmp_path.joinpath("hello").mkdir()
        tmp_path.joinpath("hello/SKILL.md").write_text(
            "---\nname: hello\ndescription: Says it\n---\n"
        )
        store.build(tmp_path / "hello", tag=reference)
        arguments = ("--port", "0", "--username", "ann", "--password-stdin")
        with serving(tmp_path, *arguments, given="secret\n") as process:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("Serving ").rstrip("\n")
            for _ in range(2):
                asked = urllib.request.Request(
                    f"{url}/push",
                    data=json.dumps({"reference": reference}).encode(),
                    headers={"Content-Type": "application/json"},
                )
                with urllib.request.urlopen(asked) as answer:
                    assert answer.status == 204
        assert ("team/hello", "v1") in registry.tags


def test_a_taken_port_is_an_error_of_one_line(tmp_path: Path) -> None:
    """With the address, and exit status 1."""
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path, "--port", str(port)) as process:
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"Error: 127.0.0.1:{port}: Address already in use")
    assert err.count("\n") == 1


def test_a_missing_host_is_an_error_of_one_line(tmp_path: Path) -> None:
    """With its name."""
    with serving(tmp_path, "--host", "nowhere.invalid") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("Error: nowhere.invalid:8080: ")
