"""Places: what a locator leads to, opened, and the content that is meant there."""

from __future__ import annotations

import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from attrs import field, frozen

from ocilayout.archive import Archive
from ocilayout.cli.access import Access
from ocilayout.cli.locator import STREAM, InArchive, InLayout, Locator
from ocilayout.cli.terminal import counted, one_line
from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest, is_digest
from ocilayout.disk import acting
from ocilayout.errors import OciLayoutError, ReferenceNotFoundError
from ocilayout.frozenmap import FrozenMap
from ocilayout.layout import Layout
from ocilayout.mediatype import OCTET_STREAM
from ocilayout.stream import pour

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocilayout.registry import Repository
    from ocilayout.rootentry import RootEntry

    Source = Layout | Archive | Repository

_JOBS: Final = 8  # how many tags of a registry are asked for at once
_MOST_NAMES: Final = 10  # that an error lists
# The beginning of a digest, as tables show it. Names may look so, too, and come first.
_ABBREVIATED: Final = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{6,}")


@frozen(kw_only=True)
class Root:
    """Where the content of a place begins: an entry of a layout, or a tag.

    Attributes:
        name: Its name, or `None`.
        descriptor: The content; `None` if a registry does not say.
        annotations: What is noted at the entry; nothing for a tag.
        error: Why there is no descriptor, or empty.
    """

    name: str | None
    descriptor: Descriptor | None
    annotations: FrozenMap[str, str] = field(default=FrozenMap())
    error: str = ""

    @property
    def ref(self) -> str:
        """The name, or the digest where there is none."""
        return self.name or ("" if self.descriptor is None else str(self.descriptor.digest))


@frozen
class Place:
    """Where content is to be looked for.

    Attributes:
        locator: Where, and by what name.
        access: How it is reached.
    """

    locator: Locator
    access: Access

    @contextmanager
    def open(self) -> Iterator[Source]:
        """Open it, until the end of the block.

        Raises:
            UsageError: An option means nothing here, or credentials are not complete.
            OciLayoutError: There is nothing of the kind, or it is broken.
            OSError: It cannot be read.
        """
        self.access.require_use(self.locator)
        if isinstance(self.locator, InLayout):
            yield Layout.open(self.locator.path)
        elif isinstance(self.locator, InArchive):
            with (
                _input(self.locator.path) as file,
                Archive.open(file, unpack_limit=self.access.unpack_limit) as archive,
            ):
                yield archive
        else:
            with self.access.repository(self.locator) as repository:
                yield repository

    def choose(self, source: Source) -> str:
        """Return the name or the digest that is meant.

        Without one it is that of the only entry. The beginning of a digest means the only content
        whose digest begins so, unless it is a name.

        Raises:
            ReferenceNotFoundError: There is no entry, or more than one, and no name was given;
                or several digests begin so.
            OciLayoutError: The source cannot be read.
        """
        name = self.locator.name
        if name is None:
            return self._only(source)
        if (
            isinstance(source, Layout | Archive)
            and _ABBREVIATED.fullmatch(name)
            and not is_digest(name)
        ):
            return _complete(source, name)
        return name

    def resolve(self, source: Source) -> Descriptor:
        """Return a plain descriptor of what is meant: of a manifest, an index or any other blob.

        Raises:
            ReferenceNotFoundError: It is not there, or nothing was said and no single entry is.
            OciLayoutError: As `resolve` of the source says.
        """
        name = self.choose(source)
        if isinstance(source, Layout | Archive):
            with naming(source):
                return source.resolve(name)
        try:
            return source.resolve(name)
        except ReferenceNotFoundError:
            if not is_digest(name):
                raise
            digest = Digest(name)
            size = source.blobs.size(digest)
            return Descriptor(media_type=OCTET_STREAM, digest=digest, size=size)

    def roots(self, source: Source) -> tuple[Root, ...]:
        """Return what the name means, or without one all entries or tags, as `all_roots` does.

        Raises:
            OciLayoutError: The name is not there, or the source cannot be read.
        """
        name = self.locator.name
        if name is None:
            return self.all_roots(source)
        if isinstance(source, Layout | Archive):
            entries = source.entries(name=name)
            return tuple(map(_entered, entries)) or (
                Root(name=None, descriptor=self.resolve(source)),
            )
        return (Root(name=None if is_digest(name) else name, descriptor=self.resolve(source)),)

    def all_roots(self, source: Source) -> tuple[Root, ...]:
        """Return all entries or tags, by name; those without one last, in document order.

        Raises:
            OciLayoutError: The source cannot be read.
        """
        if isinstance(source, Layout | Archive):
            found = map(_entered, source.entries())
            return tuple(sorted(found, key=lambda root: (root.name is None, root.name or "")))
        with ThreadPoolExecutor(_JOBS) as pool:
            return tuple(pool.map(lambda tag: _tagged(source, tag), source.tags()))

    def names(self, source: Source, *, untagged: bool) -> list[str]:
        """Return the names of the roots, without reading any of them.

        Args:
            source: The place, opened.
            untagged: Whether to give digests of those without a name.

        Raises:
            OciLayoutError: The name is not there, or the source cannot be read.
        """
        if self.locator.name is None and not isinstance(source, Layout | Archive):
            return list(source.tags())
        return [root.ref for root in self.roots(source) if untagged or root.name is not None]

    def _only(self, source: Source) -> str:
        if isinstance(source, Layout | Archive):
            entries = source.entries()
            names = [entry.name for entry in entries]
            refs = [entry.name or str(entry.descriptor.digest) for entry in entries]
        else:
            refs = list(source.tags())
            names = [*refs]
        if len(refs) == 1:
            return refs[0]
        if not refs:
            raise ReferenceNotFoundError(f"{self.locator} has no entry")
        raise ReferenceNotFoundError(
            f"{self.locator} has {len(refs)} entries; say which: {_names(names)}"
        )


@contextmanager
def naming(source: Layout | Archive) -> Iterator[None]:
    """Let an error about a name that is not there say which names are.

    Raises:
        ReferenceNotFoundError: The block raised it.
    """
    try:
        yield
    except ReferenceNotFoundError as error:
        names = _names(source.tags()) or "no names"
        raise ReferenceNotFoundError(f"{error}; there are {names}") from None


@contextmanager
def _input(path: str) -> Iterator[str | BinaryIO]:
    """Give what an archive is read from; of a pipe, a copy that can be read in any order."""
    if path != STREAM:
        yield path
    elif sys.stdin.buffer.seekable():
        yield sys.stdin.buffer
    else:
        act = acting("write a copy of standard input to the folder", tempfile.gettempdir())
        with ExitStack() as stack:
            with act:
                # Without a buffer: closing one that the disk has no space for would fail again.
                copy = stack.enter_context(tempfile.TemporaryFile(buffering=0))
                pour(sys.stdin.buffer, copy, len)
                copy.seek(0)
            yield copy


def _complete(source: Layout | Archive, beginning: str) -> str:
    if beginning in source.tags():
        return beginning
    known = {*source.blobs, *(entry.descriptor.digest for entry in source.entries())}
    found = sorted(digest for digest in known if digest.startswith(beginning))
    if len(found) > 1:
        raise ReferenceNotFoundError(f"{len(found)} digests begin with {beginning}; give more")
    return str(found[0]) if found else beginning


def _entered(entry: RootEntry) -> Root:
    return Root(name=entry.name, descriptor=entry.descriptor, annotations=entry.annotations)


def _tagged(repository: Repository, tag: str) -> Root:
    try:
        return Root(name=tag, descriptor=repository.resolve(tag))
    except OciLayoutError as error:
        return Root(name=tag, descriptor=None, error=one_line(error))


def _names(entries: Sequence[str | None]) -> str:
    names = sorted({name for name in entries if name})
    nameless = sum(not name for name in entries)
    shown = [repr(name) for name in names[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        shown.append(f"{len(names) - _MOST_NAMES} more")
    if nameless:
        shown.append(f"{counted(nameless, 'entry', 'entries')} without a name")
    return ", ".join(shown)
