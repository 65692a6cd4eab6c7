"""Our own store under the machine: handles on a `Layout`, here and in another process."""

from __future__ import annotations

import io
import multiprocessing
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ocilayout.errors import AmbiguousReferenceError
from ocilayout.layout import Layout
from ocilayout.model import DOCUMENT_TYPES
from ocilayout.testing.machine.adapter import Adapter, Removed, View
from ocilayout.testing.machine.sample import CONTENTS, NAME_ANNOTATION, UNCOMMON
from ocilayout.transfer import copy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path
    from types import TracebackType

    from ocilayout.model import Descriptor
    from ocilayout.testing.machine.adapter import Step, Store
    from ocilayout.testing.machine.sample import Content


class LayoutStore:
    """A `Layout` as the machine drives it."""

    def __init__(self, path: Path) -> None:
        self.layout = Layout.open(path, durability="none", name_annotations=[NAME_ANNOTATION])

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

    def edit(self, steps: Sequence[Step]) -> None:
        """See `Store`."""
        with self.layout.edit() as edit:
            for step in steps:
                if step.verb == "tag":
                    edit.tag(step.ref, step.target, annotations=step.notes)
                elif step.verb == "untag":
                    edit.untag(step.ref)
                else:
                    edit.annotate(step.ref, step.notes)

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
                for digest in {meant[name].digest for name in names if name in meant}
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
        elsewhere: Any = _Elsewhere(self._process, path)  # with any verb
        store: Store = elsewhere
        return store


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
    """A store in another process, which has the verbs of `Store`."""

    def __init__(self, process: _Process, path: Path) -> None:
        self._process, self._path = process, path
        process.ask(path, "open")

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        return partial(self._process.ask, self._path, verb)
