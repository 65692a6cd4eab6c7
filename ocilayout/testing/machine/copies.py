"""Rules of the machine for copies from one layout into the other."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ocilayout.testing.machine.mishap import Mishaps
from ocilayout.testing.machine.outside import blob_path
from ocilayout.testing.machine.side import Handle, Side, require_same
from ocilayout.testing.machine.stage import both, handles, has, is_exact, many, names, some


class Copies(Mishaps):
    """What is copied, by a name and by a digest."""

    @precondition(has("copy"))
    @rule(by=handles, which=some, renamed=st.none() | names, referrers=st.booleans())
    def copy_a_name(self, by: Handle, which: int, renamed: str | None, *, referrers: bool) -> None:
        """Copy what a name means from the other layout, which shares with what is here."""
        self._copy_a_name(by, self.other(by), which, renamed, referrers=referrers)

    @precondition(is_exact)
    @precondition(has("copy"))
    @rule(by=handles, which=some, part=some)
    def copy_what_was_lost(self, by: Handle, which: int, part: int) -> None:
        """Lose a part of what is here, and copy it again."""
        source = self.other(by)
        name = self._name_to_copy(source, which)
        entry = source.model.meant([name]).get(name)
        parts = [] if entry is None else source.model.reach([entry.digest])
        there = [digest for digest in parts if digest in by.model.blobs]
        if there:
            path = blob_path(by.side.path, there[part % len(there)])
            data = path.read_bytes()
            path.unlink()
            if self._copy_a_name(by, source, which, None, referrers=False):
                require_same("what was lost is there", path.exists(), True)  # noqa: FBT003 # a value
            else:
                path.write_bytes(data)

    @precondition(has("copy_digest"))
    @rule(by=handles, choice=many, renamed=st.none() | names, referrers=st.booleans())
    def copy_a_digest(
        self, by: Handle, choice: int, renamed: str | None, *, referrers: bool
    ) -> None:
        """Copy an entry of the other layout by its digest."""
        source = self.other(by)
        referrers = referrers and has("copy_referrers")(self)
        if source.model.entries:
            digest = source.model.entries[choice % len(source.model.entries)].digest
            if renamed is not None and by.model.is_ambiguous(renamed):
                return  # as in a copy by name
            both(
                lambda: by.model.copy(source.model, digest, renamed, referrers=referrers),
                lambda: by.store.copy(source.path, str(digest), name=renamed, referrers=referrers),
            )

    def _name_to_copy(self, source: Side, which: int) -> str:
        """Choose a name, or a full name."""
        full = source.model.full_names() if has("full_names")(self) else ()
        found = (*source.model.names(), *full, *self.adapter.names)
        return found[which % len(found)]

    def _copy_a_name(
        self,
        by: Handle,
        source: Side,
        which: int,
        renamed: str | None,
        *,
        referrers: bool,
    ) -> bool:
        name = self._name_to_copy(source, which)
        referrers = referrers and has("copy_referrers")(self)
        if by.model.is_ambiguous(renamed or name):
            return False  # it is refused, but what is brought before that is the store's own choice

        def must() -> None:
            digest = source.model.require(name).digest
            by.model.copy(source.model, digest, renamed or name, referrers=referrers)

        return both(
            must, lambda: by.store.copy(source.path, name, name=renamed, referrers=referrers)
        )
