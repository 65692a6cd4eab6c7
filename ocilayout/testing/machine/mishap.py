"""Rules of the machine for what goes wrong: damage on the disk, and what makes no sense.

Each leaves the layout as it found it, so that nothing else need know of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ocilayout.testing.machine.outside import (
    LIE,
    blob_path,
    blobs_away,
    link_to_blob,
    list_blobs,
    repeated_entries,
    second_meaning,
    torn_index,
    write_blob,
    wrong_size,
)
from ocilayout.testing.machine.side import Handle, Side, require_same
from ocilayout.testing.machine.stage import Stage, contents, handles, has, is_exact, refused, some

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.model import Digest
    from ocilayout.testing.machine.sample import Content


class Mishaps(Stage):
    """What must be refused, and must not make anything worse."""

    @precondition(is_exact)
    @precondition(has("tag", "collect"))
    @rule(by=handles, cut=st.integers(0, 200), collect=st.booleans())
    def work_on_a_torn_index(self, by: Handle, cut: int, *, collect: bool) -> None:
        """Try to change a layout whose index was cut short: nothing may be lost."""
        root = self.adapter.contents[0].root
        with torn_index(by.side.path, cut):
            if collect:
                refused(
                    "a collection by a torn index",
                    lambda: by.store.collect(prune=True, grace=False, dry_run=False),
                )
            else:
                refused("a name in a torn index", lambda: by.store.tag("a", root, {}))

    @precondition(is_exact)
    @precondition(has("copy"))
    @rule(by=handles, which=some)
    def copy_what_has_two_meanings(self, by: Handle, which: int) -> None:
        """Copy a name that another program has given twice: nothing tells what it means."""
        source = self.other(by)
        name = self.name_in(source, which)
        others = self._others(source, name)
        if others:
            with second_meaning(source.path, source.model, name, others[which % len(others)]):
                refused(
                    "a copy of one of two things",
                    lambda: by.store.copy(source.path, name, name="a", referrers=False),
                )

    @precondition(is_exact)
    @precondition(has("tag", "full_names"))
    @rule(by=handles, which=some, how=some)
    def edit_what_has_two_meanings(self, by: Handle, which: int, how: int) -> None:
        """Edit a name that another program has given twice: neither may be touched."""
        name = self.name_in(by.side, which)
        others = self._others(by.side, name)
        if others:
            other = others[which % len(others)]
            edits: dict[str, Callable[[], object]] = {
                "untag": lambda: by.store.untag(name),
                "tag": lambda: by.store.tag(name, other.root, {}),
                "remove": lambda: by.store.remove(name),
                "annotate": lambda: by.store.annotate(name, {"org.example.note": "true"}),
            }
            verbs = [verb for verb in edits if has(verb)(self)]
            verb = verbs[how % len(verbs)]
            with second_meaning(by.side.path, by.model, name, other):
                refused(f"{verb} of one of two things", edits[verb])

    def _others(self, side: Side, name: str) -> list[Content]:
        """Return what else a name may mean, if it means something that nothing tells apart."""
        model = side.model
        entry = model.meant(model.names()).get(name)
        return [
            content
            for content in model.known.values()
            if content.digests <= model.blobs
            and entry
            and content.digest != entry.digest
            and all(one.full_name != name for one in model.matching(name))
        ]

    @precondition(is_exact)
    @precondition(has("copy"))
    @rule(by=handles)
    def copy_a_wrong_size(self, by: Handle) -> None:
        """Copy what gives one blob two sizes: only one can be right."""
        source = self.other(by).path
        with wrong_size(source, "two sizes"):
            refused(
                "a copy of what has a wrong size",
                lambda: by.store.copy(source, "two sizes", name="a", referrers=False),
            )
        for digest in list_blobs(by.side.path) - by.model.blobs:  # what was right may have come
            blob_path(by.side.path, digest).unlink()

    @precondition(has("put", "read"))
    @rule(by=handles, content=contents, part=some, cut=st.booleans())
    def damage_and_put_right(self, by: Handle, content: Content, part: int, *, cut: bool) -> None:
        """Damage a blob on the disk: it is not read, nor believed by a collection.

        A put makes what was cut short whole again. Of a blob that has its length, it may believe
        that it is whole: to know would be to read it.
        """
        by.put(content)
        descriptor, data = content.blobs[part % len(content.blobs)]
        require_same("what is read", by.store.read(descriptor), data)
        write_blob(by.side.path, descriptor.digest, data[:-1] if cut else data.swapcase())
        refused("damaged content", lambda: by.store.read(descriptor))
        if has("collect")(self):
            self._collect_by_damage(by, descriptor.digest)
        if cut:
            by.put(content)
            path = blob_path(by.side.path, descriptor.digest)
            require_same("content that was put again", path.read_bytes(), data)
        else:
            write_blob(by.side.path, descriptor.digest, data)

    @precondition(is_exact)
    @precondition(has("put", "collect"))
    @rule(by=handles, content=contents, prune=st.booleans())
    def place_old_files(self, by: Handle, content: Content, *, prune: bool) -> None:
        """Place content with old times, as `rsync -a` and `tar -x` do: it is young all the same."""
        by.put(content)
        for descriptor, _ in (*content.beside, *content.blobs):
            os.utime(blob_path(by.side.path, descriptor.digest), (0, 0))
        by.store.collect(prune=prune, grace=True, dry_run=False)

    @precondition(is_exact)
    @precondition(has("put", "read", "repair"))
    @rule(by=handles, content=contents, part=some)
    def mend_a_link(self, by: Handle, content: Content, part: int) -> None:
        """Let a link stand in the place of a blob: it is not read, and mended by a copy."""
        by.put(content)
        by.model.repair(repeated_entries(by.side.path))
        by.store.repair()
        descriptor, data = content.blobs[part % len(content.blobs)]
        path = blob_path(by.side.path, descriptor.digest)
        with link_to_blob(by.side.path, descriptor.digest):
            refused("a link", lambda: by.store.read(descriptor))
            by.store.repair()
            what = "link" if path.is_symlink() else "file" if path.is_file() else "nothing"
            require_same("what lies there", what, "file")
        require_same("content that was mended", path.read_bytes(), data)

    @precondition(is_exact)
    @precondition(has("repair"))
    @rule(by=handles)
    def repair_without_blobs(self, by: Handle) -> None:
        """Mend a layout whose blobs are away, as where a disk is not mounted: nothing may go."""
        if not repeated_entries(by.side.path):
            with blobs_away(by.side.path):
                by.store.repair()

    def _collect_by_damage(self, by: Handle, digest: Digest) -> None:
        """Require that a collection stops where it cannot tell what an entry reaches."""
        if any(entry.digest == digest for entry in by.model.entries):
            refused(
                "a collection by a damaged manifest",
                lambda: by.store.collect(prune=False, grace=False, dry_run=False),
            )

    @precondition(is_exact)
    @precondition(has("put"))
    @rule(by=handles)
    def put_a_lie(self, by: Handle) -> None:
        """Bring content that is not what it says: nothing of it stays."""
        refused("content that is not what it says", lambda: by.store.put(LIE))
