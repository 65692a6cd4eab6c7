"""Functions that look at a layout after a program changed or created it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from tests.peers.behaviours.material import NOTE, REF_NAME
from tests.peers.behaviours.program import entries_of, mode_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def root_property(path: Path) -> str:
    return "keeps it" if "x-root" in json.loads((path / "index.json").read_bytes()) else "drops it"


def entry_property(path: Path) -> str:
    return "keeps it" if any("x-entry" in item for item in entries_of(path)) else "drops it"


def order(path: Path) -> str:
    names = [item.get("annotations", {}).get(REF_NAME, "?") for item in entries_of(path)]
    kept = [name for name in names if name != "b"] == ["z", "a", "m"]
    return "keeps it" if kept else "changes it"


def note_at(name: str | None) -> Callable[[Path], str]:
    """Tell whether the entry of a name has the annotation."""

    def see(path: Path) -> str:
        for item in entries_of(path):
            annotations = item.get("annotations", {})
            if annotations.get(REF_NAME) == name and NOTE in annotations:
                return "yes"
        return "no"

    return see


def old_entry(path: Path) -> str:
    """Tell what became of the entry that had the tag before."""
    left = [item for item in entries_of(path) if REF_NAME not in item.get("annotations", {})]
    if not left:
        return "drops it"
    return "keeps it with the note" if NOTE in left[0].get("annotations", {}) else "keeps it bare"


def twins(path: Path) -> str:
    left = sum(1 for item in entries_of(path) if NOTE in item.get("annotations", {}))
    return f"keeps {left}"


def ignored(path: Path) -> str:
    del path
    return "does not wait"


def added(path: Path) -> str:
    names = {item.get("annotations", {}).get(REF_NAME) for item in entries_of(path)}
    return "adds it" if "a" in names else "loses it"


def blob_modes(path: Path) -> str:
    found = sorted({mode_of(blob) for blob in (path / "blobs").glob("*/*")})
    return ", ".join(found)


def index_mode(path: Path) -> str:
    return mode_of(path / "index.json")


def index_type(path: Path) -> str:
    return "yes" if "mediaType" in json.loads((path / "index.json").read_bytes()) else "no"


def order_of_files(path: Path) -> str:
    return ", ".join(sorted(os.listdir(path)))  # noqa: PTH208 # names are wanted
