"""Requirements of the page image-layout that no other test covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout import Descriptor, Layout, copy

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"<component/>"


@pytest.mark.spec("image-layout:entry-types")
class TestEntryTypes:
    def test_an_entry_of_an_unknown_type_is_like_any_other(self, tmp_path: Path) -> None:
        """It is listed, resolved, walked, copied, checked and kept by a collection."""
        layout = Layout.create(tmp_path / "a", durability="none")
        notes = layout.blobs.put(CONTENT, media_type="application/xml")
        layout.tag("notes", notes)
        opened = Layout.open(layout.path, durability="none")
        assert [entry.descriptor for entry in opened.entries()] == [notes]
        assert opened.resolve("notes") == notes
        assert list(opened.walk(notes)) == [notes]
        assert opened.check() == ()
        target = Layout.create(tmp_path / "b", durability="none")
        copy(opened, "notes", target)
        assert target.blobs.read(target.resolve("notes")) == CONTENT
        target.collect()
        assert notes.digest in target.blobs

    def test_an_untagged_entry_of_an_unknown_type_is_like_any_other(self, tmp_path: Path) -> None:
        """Its content is found by its digest, with the type of the entry."""
        layout = Layout.create(tmp_path / "a", durability="none")
        notes = layout.blobs.put(CONTENT, media_type="application/xml")
        with layout.edit() as edit:
            edit.add(notes)
        assert layout.resolve(Descriptor.of(CONTENT, "a/b").digest) == notes
