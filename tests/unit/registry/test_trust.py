"""Certificates for TLS: authorities, and a client certificate for the registry alone."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from ocilayout.errors import RegistryError, TransportError
from ocilayout.registry import Patience, Repository, find_certs
from tests.unit.registry.scripted import Reply, Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_ONCE = Patience(sleep=lambda _: None)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certs(authority: trustme.CA, tmp_path: Path) -> Path:
    """A folder as Docker has it: an authority, a certificate, its key; and all in one file."""
    folder = tmp_path / "certs"
    folder.mkdir()
    ours = authority.issue_cert("ann@example.com")
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    ours.cert_chain_pems[0].write_to_path(str(folder / "client.cert"))
    ours.private_key_pem.write_to_path(str(folder / "client.key"))
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    return folder


def wanting(authority: trustme.CA) -> ssl.SSLContext:
    """A server context that requires a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def guarded(authority: trustme.CA) -> Iterator[Scripted]:
    with Scripted(wanting(authority)) as server:
        server.default = Reply(200, body=b'{"tags":["a"]}')
        yield server


def named(name: str = "ghcr.io/org/app", /, **how: Any) -> Repository:
    return Repository(name, plain_http=False, timeout=60, patience=AT_ONCE, **how)


def tags(server: Scripted, **how: Any) -> tuple[str, ...]:
    with named(f"{server.host}/org/app", **how) as repository:
        return repository.tags()


def test_the_client_certificate_is_sent(guarded: Scripted, certs: Path) -> None:
    """In one file, in two, or in a folder as Docker has it; without it the registry refuses."""
    ca = certs / "ca.crt"
    pair = (certs / "client.cert", certs / "client.key")
    assert tags(guarded, ca_certs=ca, client_cert=certs.parent / "both.pem") == ("a",)
    assert tags(guarded, ca_certs=ca, client_cert=pair) == ("a",)
    assert tags(guarded, certs=certs) == ("a",)
    with pytest.raises(TransportError):
        tags(guarded, ca_certs=ca)
    with pytest.raises(TransportError, match="ca_certs"):
        tags(guarded, client_cert=pair)


def test_no_other_host_sees_the_client_certificate(
    guarded: Scripted, authority: trustme.CA, certs: Path
) -> None:
    """A redirect to another host is followed without the client certificate."""
    context = wanting(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    with Scripted(context) as other:
        presented: list[object] = []

        def look(_: object, handler: object) -> Reply:
            presented.append(handler.connection.getpeercert())  # type: ignore[attr-defined]
            return Reply(200, body=b'{"tags":["b"]}')

        other.default = look
        guarded.default = Reply(307, {"Location": f"https://{other.host}/"})
        assert tags(guarded, certs=certs) == ("b",)
    assert presented in ([None], [{}])


@pytest.mark.parametrize("how", ["ca_certs", "client_cert", "certs"])
def test_what_cannot_be_read_is_known_at_once(tmp_path: Path, how: str) -> None:
    """A missing file, or one without a certificate, is an OSError before anything is sent."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "x.crt").write_text("nothing")
    empty = folder if how == "certs" else folder / "x.crt"
    with pytest.raises(OSError, match=r"."):
        named(**{how: empty})
    if how != "certs":
        with pytest.raises(FileNotFoundError):
            named(**{how: tmp_path / "missing"})


def test_an_encrypted_key_is_refused_without_asking(certs: Path) -> None:
    """A key with a password is refused without asking for it on a terminal."""
    key = serialization.load_pem_private_key((certs / "client.key").read_bytes(), None)
    (certs / "client.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )
    with pytest.raises(OSError, match=r"."):
        Repository("ghcr.io/org/app", certs=certs)


def test_the_folder_of_a_registry_is_found(tmp_path: Path) -> None:
    """Its name is the host with its port, and the configuration of the user comes first."""
    folder = tmp_path / "containers/certs.d/registry.example:5000"
    folder.mkdir(parents=True)
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert find_certs("registry.example:5000", environ) == folder
    assert find_certs("registry.example", environ) is None
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    (home / ".config/containers").symlink_to(tmp_path / "containers")
    assert find_certs("registry.example:5000", {"HOME": str(home)}) is not None
    assert find_certs("registry.example:5000", {}) is None


def test_an_empty_folder_changes_nothing(tmp_path: Path) -> None:
    """With an empty folder the operating system's authorities are trusted."""
    with Scripted() as plain, pytest.raises(RegistryError):
        tags(plain, certs=tmp_path)
