"""Files of settings: whatever lies at their path, nothing hangs, and the error names the file."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from ocilayout.errors import AuthError
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.registry import Repository, find_credentials
from ocilayout.registry import trust as trust_module
from ocilayout.registry.setting import MAX_CERTIFICATES, read_setting
from ocilayout.registry.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "registry.example/org/app"


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound, at(path.parent):
        bound.bind(path.name)  # the path of a socket is short


@contextmanager
def at(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole


def make_link_to_fifo(path: Path) -> None:
    os.mkfifo(path.parent / "pipe")
    path.symlink_to("pipe")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def open_descriptors() -> int:
    """How many descriptors this process has; 0 where the system does not say."""
    listed = Path("/proc/self/fd")
    return sum(1 for _ in listed.iterdir()) if listed.exists() else 0


STRANGE: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a link to a FIFO": make_link_to_fifo,
    "a socket": make_socket,
    "a folder": lambda path: path.mkdir(),
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "an empty device": lambda path: path.symlink_to("/dev/null"),
    "a terminal": lambda path: path.symlink_to("/dev/ptmx"),
    "a huge file": make_huge,
    "a link to itself": make_loop,
}

strange = pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)


@strange
def test_only_regular_files_of_a_bounded_size_are_read(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    """Anything else is an OSError with the path in it, and no descriptor stays open."""
    path = tmp_path / "setting"
    make(path)
    before = open_descriptors()
    with pytest.raises(OSError, match=r".") as caught:
        read_setting(path, limit=100)
    assert caught.value.filename == str(path)
    assert open_descriptors() == before


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    """As mounted secrets are; a file as large as the limit is whole."""
    (tmp_path / "real").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("real")
    assert read_setting(tmp_path / "link", limit=100) == b"x" * 100


def test_a_file_that_became_a_pipe_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is what was opened, not what was at the path before."""
    path = tmp_path / "setting"
    path.write_text("{}")
    honest = os.open

    def swap(name: str, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return honest(name, flags)

    monkeypatch.setattr("ocilayout.registry.setting.os.open", swap)
    with pytest.raises(OSError, match="Not a regular file"):
        read_setting(path, limit=100)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A file of logins without the right to read it is an error that names it."""
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(0)
    with pytest.raises(AuthError, match=r"config\.json cannot be read: Permission denied"):
        find_credentials(NAME, files=(path,))


PLACES: dict[str, tuple[str, Callable[[Path], dict[str, str]]]] = {
    "Docker's file at home": (".docker/config.json", lambda root: {"HOME": str(root)}),
    "Docker's file elsewhere": ("d/config.json", lambda root: {"DOCKER_CONFIG": f"{root}/d"}),
    "Podman's file of the session": (
        "run/containers/auth.json",
        lambda root: {"XDG_RUNTIME_DIR": f"{root}/run"},
    ),
    "Podman's file at home": (".config/containers/auth.json", lambda root: {"HOME": str(root)}),
    "Podman's file elsewhere": (
        "c/containers/auth.json",
        lambda root: {"XDG_CONFIG_HOME": f"{root}/c"},
    ),
    "a file by name": ("auth", lambda root: {"REGISTRY_AUTH_FILE": f"{root}/auth"}),
}


@strange
@pytest.mark.parametrize(("where", "environ"), PLACES.values(), ids=PLACES)
def test_logins_are_regular_files(
    tmp_path: Path,
    where: str,
    environ: Callable[[Path], dict[str, str]],
    make: Callable[[Path], object],
) -> None:
    """Whatever lies where logins are kept is an error that names it, by default and by name."""
    path = tmp_path / where
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    for files in (None, (path,)):
        with pytest.raises(AuthError) as caught:
            find_credentials(NAME, files=files, environ=environ(tmp_path))
        assert str(path) in str(caught.value)


def test_a_large_file_of_logins_is_said_to_be(tmp_path: Path) -> None:
    """The limit is in the message, in bytes."""
    path = tmp_path / "auth.json"
    path.write_bytes(b" " * (MAX_DOCUMENT + 1))
    with pytest.raises(AuthError, match=f"Larger than {MAX_DOCUMENT} bytes"):
        find_credentials(NAME, files=(path,))


CERTIFICATES: dict[str, tuple[str, Callable[[Path], dict[str, Any]]]] = {
    "authorities": ("x", lambda path: {"ca_certs": path}),
    "authorities as text": ("x", lambda path: {"ca_certs": str(path)}),
    "a certificate of ours": ("x", lambda path: {"client_cert": path}),
    "its certificate of two files": (
        "x",
        lambda path: {"client_cert": (path, path.parent / "whole.pem")},
    ),
    "its key of two files": (
        "x",
        lambda path: {"client_cert": (path.parent / "whole.pem", path)},
    ),
    "an authority of a folder": ("c/x.crt", lambda path: {"certs": path.parent}),
    "a certificate of a folder": ("c/x.cert", lambda path: {"certs": path.parent}),
    "a key of a folder": ("c/whole.key", lambda path: {"certs": path.parent}),
}


@pytest.fixture(scope="module")
def pem() -> bytes:
    """A certificate with its key."""
    return trustme.CA().issue_cert("ann@example.com").private_key_and_cert_chain_pem.bytes()


@strange
@pytest.mark.parametrize(("where", "options"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_certificates_are_regular_files(
    tmp_path: Path,
    pem: bytes,
    where: str,
    options: Callable[[Path], dict[str, Any]],
    make: Callable[[Path], object],
) -> None:
    """Whatever lies in their place is an error that names it, before anything is sent."""
    path = tmp_path / where
    path.parent.mkdir(exist_ok=True)
    (tmp_path / "whole.pem").write_bytes(pem)
    if path.name == "whole.key":
        path.with_suffix(".cert").write_bytes(pem)
    make(path)
    with pytest.raises(OSError, match=r".") as caught:
        Repository(NAME, **options(path))
    assert str(path) in str(caught.value)
    assert str(path) in str(caught.value.filename)


@pytest.mark.parametrize(("where", "options"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_what_is_not_a_certificate_is_named(
    tmp_path: Path, pem: bytes, where: str, options: Callable[[Path], dict[str, Any]]
) -> None:
    """The error names the file, which errors of OpenSSL do not, in one sentence."""
    path = tmp_path / where
    path.parent.mkdir(exist_ok=True)
    (tmp_path / "whole.pem").write_bytes(pem)
    if path.parent.name == "c":
        path.with_suffix(".cert").write_bytes(pem)
        path.with_suffix(".key").write_bytes(pem)
    path.write_text("nothing of the kind")
    with pytest.raises(OSError, match="Holds no certificate or key that can be used") as caught:
        Repository(NAME, **options(path))
    assert str(path) in str(caught.value.filename)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.write_text("")], ids=["FIFO", "file"]
)
def test_a_folder_of_certificates_is_a_folder(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    """Anything else, and nothing, is an error that names it."""
    path = tmp_path / "certs"
    with pytest.raises(FileNotFoundError, match="certs"):
        Repository(NAME, certs=path)
    make(path)
    with pytest.raises(NotADirectoryError, match="certs"):
        Repository(NAME, certs=path)


@pytest.mark.parametrize("make", [STRANGE["a FIFO"], STRANGE["a folder"], STRANGE["a huge file"]])
def test_the_authorities_of_the_system_are_a_regular_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    """A pipe that SSL_CERT_FILE names hangs nothing."""
    path = tmp_path / "authorities"
    make(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    trust_module._system.cache_clear()
    with pytest.raises(OSError, match=r".") as caught:
        Trust().context(own=False)
    assert caught.value.filename == str(path)


def test_a_limit_for_certificates_is_far_above_those_of_systems() -> None:
    """A bundle of a system has some hundred KiB."""
    assert MAX_CERTIFICATES >= 16 * 1024 * 1024
