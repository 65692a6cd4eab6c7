"""How the machine drives a store, and one way to do it, for our own.

An adapter opens stores. Each verb of a store that it names in `verbs` is put under test; the others
are never called. Whoever has a store of their own writes one class for it.
"""

from __future__ import annotations

import io
import multiprocessing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from attrs import frozen

from ocilayout.copy import copy
from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest
from ocilayout.errors import AmbiguousReferenceError
from ocilayout.layout import Layout
from ocilayout.mediatype import DOCUMENT_TYPES
from ocilayout.testing.machine.content import CONTENTS, NAMES, UNCOMMON
from ocilayout.testing.machine.model import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path
    from types import TracebackType

    from ocilayout.testing.machine.content import Content

VERBS: Final = frozenset(
    {
        *("put", "read", "bring", "tag", "retag", "untag", "annotate", "remove", "collect"),
        *("copy", "copy_digest", "copy_referrers"),
        *("full_names", "repair"),
    }
)
"""What a store may be asked for, besides `look`, which all have.

`copy_digest` and `copy_referrers` are `copy` with a digest, and with `referrers`. With `full_names`
other programs give full names to entries, and one name to several; and `retag`, `untag`,
`annotate` and `remove` are asked by full names, by digests and by `NAME@DIGEST`, too, and `copy` by
full names."""


class Store(Protocol):
    """One open handle on a layout in a folder.

    A verb that is asked for a name that is not there must raise `LookupError` and change nothing.
    So must `tag`, if the content is gone, and whatever the model refuses. Where a name means
    entries of different content, a verb must raise, whatever that is. What else a verb raises is a
    finding.
    """

    def put(self, content: Content, /) -> None:
        """Store all blobs of a content, and those beside it, without an entry."""
        ...

    def read(self, descriptor: Descriptor, /) -> bytes:
        """Return a blob; one that is damaged must be refused."""
        ...

    def bring(self, name: str, content: Content, /) -> None:
        """Store content under a name."""
        ...

    def tag(self, name: str, target: Descriptor, notes: Mapping[str, str], /) -> None:
        """Let a name mean content that is there, with annotations at its entry."""
        ...

    def retag(self, old: str, name: str, /) -> None:
        """Let a name mean what another name means, with nothing noted at its entry."""
        ...

    def untag(self, name: str, /) -> None:
        """Take a name away and keep the content."""
        ...

    def annotate(self, name: str, changes: Mapping[str, str | None], /) -> None:
        """Set annotations at the entry of a name; `None` takes one away."""
        ...

    def remove(self, name: str, /) -> None:
        """Take a name away and delete what only it reached."""
        ...

    def collect(self, *, prune: bool, grace: bool, dry_run: bool) -> Removed:
        """Delete what nothing reaches.

        Args:
            prune: Whether entries without names go that nothing needs.
            grace: Whether what is young stays; all content is.
            dry_run: Whether to change nothing, and say what would go.
        """
        ...

    def copy(self, source: Path, ref: str, *, name: str | None, referrers: bool) -> None:
        """Copy what a name or a digest means in the layout of another folder into this one.

        Args:
            source: The other folder.
            ref: The name or the digest.
            name: What to call it here; by default `ref`, if that is a name.
            referrers: Whether what refers to it comes along.
        """
        ...

    def repair(self) -> None:
        """Mend what needs no guess.

        Exact repetitions of entries go. What no entry lists, and stays for its subject alone, gets
        an entry, as far as it is not a part of another one. A link in the place of a blob becomes
        a copy. Nothing else changes.
        """
        ...

    def look(self) -> View:
        """Return what the store says that it holds."""
        ...


@frozen
class Removed:
    """What a collection says that it removed, or would.

    Attributes:
        blobs: The digests of blobs.
        entries: The digests of entries without a name, in document order.
        unlisted: The digests of manifests that stay for their subject alone; `None` if it does not
            say.
    """

    blobs: frozenset[Digest]
    entries: tuple[Digest, ...]
    unlisted: tuple[Digest, ...] | None = None


@frozen
class View:
    """What a store says that it holds, by its own verbs of reading.

    Attributes:
        names: All names, in the order in which the store gives them.
        meant: What each name means, but for those that mean several things; of a store that may
            be asked by full names, also what each of these means.
        notes: What is noted at the entry of each of these names.
        referrers: What refers to each of some digests; `None` if it cannot tell.
    """

    names: tuple[str, ...]
    meant: Mapping[str, Descriptor]
    notes: Mapping[str, Mapping[str, str]]
    referrers: Mapping[Digest, tuple[Digest, ...]] | None = None


class Adapter(ABC):
    """A store to put under the machine. A subclass says what is different with it.

    Attributes:
        verbs: Those of `VERBS` that it has.
        exact: Whether all that is in `index.json` and `blobs/` must be what the model says. If not,
            names must mean what the model says, and be whole.
        handles: How many handles are used side by side.
        model: What the store must do; a subclass of `Model` knows better.
        contents: What is put into it; every manifest and index inside of one must be another one.
        names: What it is called there.
    """

    verbs: Collection[str] = VERBS
    exact: bool = True
    handles: int = 1
    model: type[Model] = Model
    contents: Sequence[Content] = CONTENTS
    names: Sequence[str] = NAMES

    @abstractmethod
    def create(self, path: Path) -> None:
        """Make an empty layout in a folder that is not there."""

    @abstractmethod
    def open(self, path: Path, number: int) -> Store:
        """Open a handle on a layout.

        Args:
            path: The folder.
            number: Which handle, from 0 to `handles` - 1.
        """


# ---------------------------------------------------------------- our own


class LayoutStore:
    """A `Layout` as the machine drives it."""

    def __init__(self, path: Path) -> None:
        self.layout = Layout.open(path, durability="none")

    def put(self, content: Content) -> None:
        """See `Store`."""
        for descriptor, data in (*content.beside, *content.blobs):
            if descriptor.digest == content.digest and descriptor.media_type in DOCUMENT_TYPES:
                algorithm = descriptor.digest.algorithm
                self.layout.put_manifest(
                    data, media_type=descriptor.media_type, algorithm=algorithm
                )
                continue
            source = io.BytesIO(data)
            self.layout.blobs.put(source, media_type=descriptor.media_type, expected=descriptor)

    def read(self, descriptor: Descriptor) -> bytes:
        """See `Store`."""
        return self.layout.blobs.read(descriptor)

    def bring(self, name: str, content: Content) -> None:
        """See `Store`."""
        self.put(content)
        self.tag(name, content.root, {})

    def tag(self, name: str, target: Descriptor, notes: Mapping[str, str]) -> None:
        """See `Store`."""
        self.layout.tag(name, target, annotations=notes)

    def retag(self, old: str, name: str) -> None:
        """See `Store`."""
        self.layout.tag(name, self.layout.resolve(old).digest)

    def untag(self, name: str) -> None:
        """See `Store`."""
        self.layout.untag(name)

    def annotate(self, name: str, changes: Mapping[str, str | None]) -> None:
        """See `Store`."""
        self.layout.annotate(name, changes)

    def remove(self, name: str) -> None:
        """See `Store`."""
        self.layout.remove(name)

    def collect(self, *, prune: bool, grace: bool, dry_run: bool) -> Removed:
        """See `Store`."""
        report = self.layout.collect(
            grace=timedelta(hours=grace),
            untagged="prune" if prune else "keep",
            dry_run=dry_run,
        )
        return Removed(
            frozenset(report.removed),
            tuple(entry.digest for entry in report.dropped),
            tuple(manifest.digest for manifest in report.unlisted),
        )

    def repair(self) -> None:
        """See `Store`."""
        self.layout.repair()

    def copy(self, source: Path, ref: str, *, name: str | None, referrers: bool) -> None:
        """See `Store`."""
        copy(Layout.open(source), ref, self.layout, name=name, referrers=referrers, jobs=1)

    def look(self) -> View:
        """See `Store`."""
        names = self.layout.tags()
        full_names = {entry.full_name for entry in self.layout.entries() if entry.full_name}
        meant: dict[str, Descriptor] = {}
        for name in (*names, *full_names):
            with suppress(AmbiguousReferenceError):
                meant[name] = self.layout.resolve(name)
        return View(
            names=names,
            meant=meant,
            notes={name: dict(self.layout.entry(name).annotations) for name in meant},
            referrers={
                digest: tuple(found.digest for found in self.layout.referrers(digest))
                for digest in {descriptor.digest for descriptor in meant.values()}
            },
        )


class LayoutAdapter(Adapter):
    """Puts `Layout` under the machine: two handles here and one in another process.

    A context manager: the other process lives from entering to leaving it.
    """

    handles = 3
    contents = (*CONTENTS, *UNCOMMON)

    def __init__(self) -> None:
        self._process: _Process | None = None

    def __enter__(self) -> Self:
        self._process = _Process()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def create(self, path: Path) -> None:
        """See `Adapter`."""
        Layout.create(path, durability="none")

    def open(self, path: Path, number: int) -> Store:
        """See `Adapter`; the last handle is that of the other process."""
        if number < self.handles - 1:
            return LayoutStore(path)
        if self._process is None:
            raise RuntimeError("the other process lives only inside the with block")
        return _Elsewhere(self._process, path)


class _Process:
    """Another process with one open store, which does what it is told, one thing at a time."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, path: Path, verb: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 # those of the verb
        """Let it do one thing with a layout, and return or raise what that does."""
        self._pipe.send((path, verb, arguments, options))
        error, answer = self._pipe.recv()
        if error is not None:
            raise error
        return answer

    def end(self) -> None:
        """End it."""
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection) -> None:
    stores: dict[Path, LayoutStore] = {}
    while True:
        try:
            path, verb, arguments, options = pipe.recv()
        except EOFError:
            return
        try:
            if verb == "open":
                stores = {kept: store for kept, store in stores.items() if kept.exists()}
                stores[path], answer = LayoutStore(path), None
            else:
                answer = getattr(stores[path], verb)(*arguments, **options)
        except Exception as error:  # noqa: BLE001 # it is raised on the other side
            pipe.send((error, None))
        else:
            pipe.send((None, answer))


class _Elsewhere:
    """A store in another process."""

    def __init__(self, process: _Process, path: Path) -> None:
        self._process, self._path = process, path
        self._ask("open")

    def _ask(self, verb: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 # those of the verb
        return self._process.ask(self._path, verb, *arguments, **options)

    def put(self, content: Content) -> None:
        self._ask("put", content)

    def read(self, descriptor: Descriptor) -> bytes:
        data: bytes = self._ask("read", descriptor)
        return data

    def bring(self, name: str, content: Content) -> None:
        self._ask("bring", name, content)

    def tag(self, name: str, target: Descriptor, notes: Mapping[str, str]) -> None:
        self._ask("tag", name, target, notes)

    def retag(self, old: str, name: str) -> None:
        self._ask("retag", old, name)

    def untag(self, name: str) -> None:
        self._ask("untag", name)

    def annotate(self, name: str, changes: Mapping[str, str | None]) -> None:
        self._ask("annotate", name, changes)

    def remove(self, name: str) -> None:
        self._ask("remove", name)

    def collect(self, *, prune: bool, grace: bool, dry_run: bool) -> Removed:
        removed: Removed = self._ask("collect", prune=prune, grace=grace, dry_run=dry_run)
        return removed

    def copy(self, source: Path, ref: str, *, name: str | None, referrers: bool) -> None:
        self._ask("copy", source, ref, name=name, referrers=referrers)

    def repair(self) -> None:
        self._ask("repair")

    def look(self) -> View:
        view: View = self._ask("look")
        return view
