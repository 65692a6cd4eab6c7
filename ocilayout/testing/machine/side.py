"""One of the two layouts of the machine: its handles, its model, and what must hold of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from ocilayout.model import REF_NAME
from ocilayout.testing.machine.outside import blob_path, fill, list_blobs

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.model import Digest
    from ocilayout.testing.machine.adapter import Adapter, Store
    from ocilayout.testing.machine.oracle import Model
    from ocilayout.testing.machine.sample import Content


def require_same(what: str, found: object, wanted: object) -> None:
    """Require that what was found is what must be.

    Raises:
        AssertionError: It is not.
    """
    if found != wanted:  # no assert statement: Python may be told to leave those out
        raise AssertionError(f"{what}: there is {found!r}, there must be {wanted!r}")


@define
class Side:
    """A layout.

    Attributes:
        adapter: Opens handles.
        path: Where it is.
        model: What it must hold.
        stores: Its handles.
        put: The digests that were put through each handle, there or not.
        opened: How many acts there were when each handle was opened.
        acts: How many rules chose a handle of this layout.
    """

    adapter: Adapter
    path: Path
    model: Model
    stores: list[Store] = field(factory=list)
    put: list[set[Digest]] = field(factory=list)
    opened: list[int] = field(factory=list)
    acts: int = 0
    _shell: dict[str, Any] = field(factory=dict)
    _mode: int = 0
    _seen: bytes = b""
    _asked: int = 0
    _verified: set[tuple[Digest, int]] = field(factory=set)

    def begin(self, *, filled: bool, full_names: bool) -> None:
        """Make the layout, let another program write to it first, and open the handles.

        Args:
            filled: Whether another program has written to it.
            full_names: Whether that program gives full names.
        """
        self.adapter.create(self.path)
        if filled:
            fill(self.path, self.model, full_names=full_names)
        self._shell = self.model.shell = _read_index(self.path)[0]
        plain = self.path / "plain"
        plain.touch()
        self._mode = plain.stat().st_mode
        plain.unlink()
        self.stores = [
            self.adapter.open(self.path, number) for number in range(self.adapter.handles)
        ]
        self.put = [set() for _ in self.stores]
        self.opened = [0 for _ in self.stores]

    def reopen(self, number: int) -> None:
        """Give up a handle for a new one."""
        self.stores[number] = self.adapter.open(self.path, number)
        self.put[number] = set()
        self.opened[number] = self.acts

    def require(self) -> None:
        """Require that the files, and what the store says of them, are what the model says.

        Raises:
            AssertionError: Something is not.
        """
        if self.adapter.exact:
            self._require_files()
        else:
            self._require_names()
        self._require_whole()
        self._require_view()

    def _require_files(self) -> None:
        shell, entries = _read_index(self.path)
        require_same("the index apart from its entries", shell, self._shell)
        require_same("entries", entries, [entry.value for entry in self.model.entries])
        require_same("blobs", list_blobs(self.path), self.model.blobs)
        temporaries = [*self.path.glob("ingest/*"), *self.path.glob("*.tmp")]
        require_same("temporaries", temporaries, [])

    def _require_names(self) -> None:
        entries = _read_index(self.path)[1]
        found = {name: digest for name, digest, *_ in entries if name is not None}
        names = {
            entry.name: str(entry.digest) for entry in self.model.entries if entry.name is not None
        }
        require_same("names", found, names)

    def _require_whole(self) -> None:
        """Require that all content is there, to the byte; what was so before, may be so."""
        for entry in self.model.entries:
            if entry.name is None and not self.adapter.exact:
                continue
            for descriptor, data in self.model.known[entry.digest].blobs:
                self._require_blob(descriptor.digest, data)

    def _require_blob(self, digest: Digest, data: bytes) -> None:
        path = blob_path(self.path, digest)
        try:
            status = path.stat()
        except FileNotFoundError:
            raise AssertionError(f"content {digest} is gone") from None
        seen = (digest, status.st_mtime_ns)
        if seen not in self._verified:
            require_same(f"content of {digest}", path.read_bytes(), data)
            if self.adapter.exact:
                require_same(f"mode of {digest}", oct(status.st_mode), oct(self._mode))
            self._verified.add(seen)

    def _require_view(self) -> None:
        state = (self.path / "index.json").read_bytes()
        if state == self._seen:
            return  # what the handles say of it was compared already
        self._seen = state
        self._asked = (self._asked + 1) % len(self.stores)
        view = self.stores[self._asked].look()  # by turns, so that each has missed some changes
        names = self.model.names()
        by_full_name = "full_names" in self.adapter.verbs
        named = self.model.meant((*names, *(self.model.full_names() if by_full_name else ())))
        known = self.model.known
        roots = {name: known[entry.digest].root for name, entry in named.items()}
        # A store may say what full names mean without being asked by them.
        asked = view.meant if by_full_name else view.meant.keys() & {*names}
        require_same("names", sorted(view.names), list(names))
        require_same("what names mean", {name: view.meant[name] for name in asked}, roots)
        if self.adapter.exact:
            require_same("order of names", view.names, names)
            notes = {name: entry.notes for name, entry in named.items()}
            require_same("annotations", {name: view.notes[name] for name in asked}, notes)
        if view.referrers is not None:
            referrers = {digest: tuple(self.model.referrers(digest)) for digest in view.referrers}
            require_same("referrers", view.referrers, referrers)


@frozen
class Handle:
    """One of the handles on a layout.

    Attributes:
        side: The layout.
        number: Which handle, from 0.
    """

    side: Side
    number: int

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # noqa: ANN401, FBT001 # Hypothesis asks
        printer.text(f"<handle {self.number} on {self.side.path.name}>")

    @property
    def model(self) -> Model:
        """What the layout must hold."""
        return self.side.model

    @property
    def store(self) -> Store:
        """The store behind it."""
        return self.side.stores[self.number]

    def beside(self, other: int) -> Handle:
        """Return one of the handles on the same layout."""
        return Handle(self.side, other % len(self.side.stores))

    def put(self, content: Content) -> None:
        """Bring content through it, without a name."""
        self.store.put(content)
        self.model.put(content)
        self.side.put[self.number] |= content.placed


def _read_index(
    path: Path,
) -> tuple[dict[str, Any], list[tuple[str | None, str, dict[str, str], dict[str, Any]]]]:
    document: dict[str, Any] = json.loads((path / "index.json").read_bytes())
    found = []
    for entry in document.get("manifests") or ():
        notes = dict(entry.pop("annotations", {}))
        digest = entry.pop("digest")
        for known in ("mediaType", "size"):
            del entry[known]
        found.append((notes.pop(REF_NAME, None), digest, notes, entry))
    if document.get("manifests") is not None:  # null is another way to say that there are none
        del document["manifests"]
    return document, found
