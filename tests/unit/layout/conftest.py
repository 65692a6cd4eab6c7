"""An empty layout, and the blobs of one that has no index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout.layout.blobs import Blobs
from ocilayout.layout.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    root = tmp_path / "layout"
    (root / "blobs").mkdir(parents=True)
    return Blobs(root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "layout"
