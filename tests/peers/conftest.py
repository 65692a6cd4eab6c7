"""Real programs to test against: how they are found, started and ended."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_DEADLINE = 20.0  # how long a program may take to listen, in seconds
_STARTS = 3  # a free port may be taken before the program has it


class StartRegistry(Protocol):
    """Starts a CNCF distribution registry of its own and returns its `host:port`."""

    def __call__(
        self, *, auth: Mapping[str, Any] | None = None, tls: Mapping[str, str] | None = None
    ) -> str: ...


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """Return a function that gives the path of a program.

    Where the program is missing the test is skipped with its name; with
    OCILAYOUT_REQUIRE_PEERS=1 in the environment it fails.
    """

    def find(program: str) -> str:
        path = shutil.which(program)
        if path is not None:
            return path
        message = f"the program {program} is not installed"
        if os.environ.get("OCILAYOUT_REQUIRE_PEERS") == "1":
            pytest.fail(message)
        pytest.skip(message)

    return find


@pytest.fixture
def start_registry(require: Callable[[str], str], tmp_path: Path) -> Iterator[StartRegistry]:
    """Return a function that starts `docker-registry` on loopback; all end with the test."""
    program = require("docker-registry")
    with ExitStack() as stack:
        count = 0

        def start(
            *, auth: Mapping[str, Any] | None = None, tls: Mapping[str, str] | None = None
        ) -> str:
            nonlocal count
            for _ in range(_STARTS):
                count += 1
                folder = tmp_path / f"registry-{count}"
                folder.mkdir()
                host = _start(stack, program, folder, auth or {}, tls or {})
                if host is not None:
                    return host
            pytest.fail(f"docker-registry did not start: {(folder / 'log').read_text()}")

        yield start


@pytest.fixture
def docker_registry(start_registry: StartRegistry) -> str:
    """Return the `host:port` of an empty registry that serves everybody over plain HTTP."""
    return start_registry()


def _start(
    stack: ExitStack,
    program: str,
    folder: Path,
    auth: Mapping[str, Any],
    tls: Mapping[str, str],
) -> str | None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    host = f"127.0.0.1:{port}"
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host, "secret": "of the test", "tls": dict(tls)},
        "auth": dict(auth),
    }
    path = folder / "config.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    log = stack.enter_context((folder / "log").open("wb"))
    process = subprocess.Popen(
        [program, "serve", str(path)], env={}, stdout=log, stderr=subprocess.STDOUT
    )
    stack.callback(_end, process)
    return host if _listens(port, process) else None


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            time.sleep(0.02)  # between two attempts, not in place of one
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
