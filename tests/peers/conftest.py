"""Real programs to test with: how they are found, run, started and stopped, and their input."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ocilayout import OCI_CONFIG, OCI_LAYER, Descriptor, Index, Layout, Manifest, Platform
from tests.missing import missing, require_blake3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_DEADLINE = 20.0  # the time in which a program must listen, in seconds
_STARTS = 3  # a free port may be taken before the program has it


class StartRegistry(Protocol):
    """Starts a CNCF distribution registry and returns its `host:port`."""

    def __call__(
        self, *, auth: Mapping[str, Any] | None = None, tls: Mapping[str, str] | None = None
    ) -> str: ...


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """Return a function that returns the path of a program.

    If the program is missing, the test is skipped with its name; with
    OCILAYOUT_REQUIRE_PEERS=1 in the environment it fails.
    """

    def find(program: str) -> str:
        path = shutil.which(program)
        if path is None:
            missing(f"the program {program} is not installed")
        return path

    return find


class Attempt(Protocol):
    """Runs a program and returns its result, success or failure."""

    def __call__(
        self, program: str, *arguments: str | Path, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session")
def attempt(
    require: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Attempt]:
    """Return a function that runs a program; all tests share one store of buildah and podman.

    That store needs neither mounts nor a daemon, so root needs no privileges beyond the file
    system.
    """
    store = tmp_path_factory.mktemp("buildah")
    stored = ("--root", store / "root", "--storage-driver", "vfs")
    short = TemporaryDirectory()  # podman takes no path of more than 50 characters here
    options = dict.fromkeys(("buildah", "podman"), (*stored, "--runroot", short.name))

    def attempt(
        program: str, *arguments: str | Path, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [require(program), *options.get(program, ()), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env={**os.environ, "TMPDIR": str(store)},
        )

    with short:
        yield attempt


@pytest.fixture(scope="session")
def run(attempt: Attempt) -> Callable[..., str]:
    """Return a function that runs a program, which must succeed, and returns its output."""

    def run(program: str, *arguments: str | Path, cwd: Path | None = None) -> str:
        done = attempt(program, *arguments, cwd=cwd)
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def put_image() -> Callable[..., Descriptor]:
    """Return a function that stores an image of one file, which any tool accepts.

    Its layer is a tar with the text as `file`, packed by `pack` if that is given. The image and its
    parts have digests of the given algorithms. Further arguments are properties of its manifest.
    """

    def put_image(
        layout: Layout,
        text: str,
        *,
        architecture: str = "amd64",
        layer_type: str = OCI_LAYER,
        config_type: str = OCI_CONFIG,
        pack: Callable[[bytes], bytes] = bytes,
        algorithms: tuple[str, str] = ("sha256", "sha256"),
        **manifest: Any,
    ) -> Descriptor:
        if "blake3" in algorithms:
            require_blake3()
        tar = _tar(text)
        diff_id = "sha256:" + hashlib.sha256(tar).hexdigest()
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }

        def put(data: bytes, media_type: str, algorithm: str) -> Descriptor:
            expected = Descriptor.of(data, media_type, algorithm)
            return layout.blobs.put(data, media_type=media_type, expected=expected)

        return layout.put_manifest(
            Manifest(
                config=put(json.dumps(config).encode(), config_type, algorithms[0]),
                layers=[put(pack(tar), layer_type, algorithms[1])],
                **manifest,
            )
        )

    return put_image


@pytest.fixture(scope="session")
def put_platforms(put_image: Callable[..., Descriptor]) -> Callable[..., Descriptor]:
    """Return a function that stores an index of two images; its arguments go into the index."""

    def put_platforms(layout: Layout, **index: Any) -> Descriptor:
        children = []
        for architecture in ("amd64", "arm64"):
            child = put_image(layout, architecture, architecture=architecture)
            children.append(
                Descriptor(
                    media_type=child.media_type,
                    digest=child.digest,
                    size=child.size,
                    platform=Platform(architecture=architecture, os="linux"),
                )
            )
        return layout.put_manifest(Index(manifests=children, **index))

    return put_platforms


def _tar(text: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return file.getvalue()


@pytest.fixture
def start_registry(require: Callable[[str], str], tmp_path: Path) -> Iterator[StartRegistry]:
    """Return a function that starts `docker-registry` on loopback; all stop with the test."""
    program = require("docker-registry")
    with ExitStack() as stack:
        count = 0

        def start(
            *, auth: Mapping[str, Any] | None = None, tls: Mapping[str, Any] | None = None
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
    """Return the `host:port` of an empty registry without authentication, over plain HTTP."""
    return start_registry()


def _start(
    stack: ExitStack,
    program: str,
    folder: Path,
    auth: Mapping[str, Any],
    tls: Mapping[str, Any],
) -> str | None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    host = f"127.0.0.1:{port}"
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
        },
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
            time.sleep(0.02)  # the pause between two attempts
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
