"""Scripted registries, and repositories that talk to them."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from ocilayout.registry import Repository
from tests.unit.registry.scripted import Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
from tests.unit.registry.example import ANN, AT_ONCE


@pytest.fixture
def registry() -> Iterator[Scripted]:
    with Scripted() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Scripted]:
    with Scripted() as server:
        yield server


@pytest.fixture
def repo(registry: Scripted) -> Iterator[Repository]:
    with Repository(f"{registry.host}/org/app", timeout=60, patience=AT_ONCE) as repository:
        yield repository


@pytest.fixture
def ann(registry: Scripted) -> Iterator[Repository]:
    with Repository(
        f"{registry.host}/org/app", credentials=ANN, timeout=60, patience=AT_ONCE
    ) as repository:
        yield repository


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Scripted]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Scripted(context) as server:
        yield server


@pytest.fixture
def trusting(secure: Scripted, authority: trustme.CA, tmp_path: Path) -> Iterator[Repository]:
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    with Repository(
        f"{secure.host}/org/app",
        plain_http=False,
        ca_certs=pem,
        credentials=ANN,
        timeout=60,
        patience=AT_ONCE,
    ) as repository:
        yield repository
