"""A folder is swapped for a link while a verb works: nothing behind the link changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.effort import examples
from tests.faults.planted import EPOCH, PLAIN, Content, _write, changes, lay, plain, prepared, room
from tests.faults.verb import Runner, verbs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.planted import Site

RACES = examples(17, 5)  # of each verb for each folder, so 200 or 60 in all
SWAPS = 100_000  # at most, while a verb works
MANY = 30  # temporaries and blobs: what is deleted one by one leaves time for swaps
VERBS = ("gc --grace 0s", "repair", "rm", "cp --all into it")
# Each folder, and what of the canary has files of the same names.
FOLDERS = {"ingest": "old", "blobs/sha256": "store/sha256", "quarantine": "old"}
DEAD = "41943{:02}-0123456789abcdef"


def crowded() -> Content:
    """Return a layout with much to delete: temporaries, garbage, damage, and parts of an image."""
    made = plain()
    made.entries.clear()
    del made.files["index.json"]
    layers = [made.blob(f"layer {at}".encode(), "text/plain") for at in range(MANY)]
    made.add("v1", made.manifest(made.blob(b"{}", "text/json"), layers))
    for at in range(MANY):
        made.blob(f"garbage {at}".encode(), "text/plain")
        made.files[f"ingest/{DEAD.format(at)}"] = b"half a blob"
        made.files[f"blobs/sha256/{at}.tmp"] = b"half"
        damaged = made.blob(f"damaged {at}".encode(), "text/plain")
        made.files[f"blobs/{damaged['digest'].replace(':', '/')}"] = b"damaged"
    return made.finish()


def extend(site: Site, content: Content) -> None:
    """Give the canary files with the names of those that are deleted from the layout."""
    for folder, like in FOLDERS.items():
        for name in content.files:
            if name.startswith(f"{folder}/"):
                _write(site.canary / like / name.removeprefix(f"{folder}/"), b"canary", when=EPOCH)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("label", VERBS)
def test_what_a_folder_is_swapped_for_stays_as_it_is(
    tmp_path: Path, label: str, folder: str
) -> None:
    """However the swaps fall, the verb ends, and touches nothing outside of the layout."""
    content = crowded()
    faults: list[str] = []
    with Runner() as runner, room(tmp_path) as where, prepared(where / "outer") as site:
        extend(site, content)
        for _ in range(RACES):
            lay(site, content)
            before = site.snapshot()
            (verb,) = (each for each in verbs(site) if each.label == label)
            target = str(site.canary / FOLDERS[folder])
            run = runner.run(verb, site, (str(site.root / folder), target, SWAPS))
            faults += run.faults()
            after = site.snapshot()
            if changed := changes(before, after, shares=verb.shares):
                faults.append(f"{label}: it changed {', '.join(changed[:5])}")
                break
    assert not faults, "\n".join(faults)


def test_the_layout_of_the_races_is_valid() -> None:
    """The layout has an entry that verbs find, and each folder that is swapped has files."""
    made = crowded()
    assert len(made.entries) == 1
    assert all(any(name.startswith(f"{folder}/") for name in made.files) for folder in FOLDERS)
    assert len(made.files) > len(PLAIN.files)
