"""Places: what a locator leads to, opened, and the content that is meant there."""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from attrs import field, frozen

from ocilayout.archive import Archive
from ocilayout.cli.connection import Access
from ocilayout.cli.locator import STREAM, InArchive, InLayout, Locator
from ocilayout.cli.terminal import counted, one_line
from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest, is_digest
from ocilayout.disk import acting
from ocilayout.errors import DocumentError, OciLayoutError, ReferenceNotFoundError
from ocilayout.frozenmap import FrozenMap
from ocilayout.layout import Layout
from ocilayout.mediatype import OCTET_STREAM
from ocilayout.pool import pool
from ocilayout.stream import pour

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
        name: Its reference name or tag, or `None`.
        full_name: The full name of an image, as containerd and Docker write it, or `None`.
        descriptor: The content; `None` if a registry does not say.
        ref: A reference that means this content alone; a name where there is one that does.
        annotations: The annotations of the entry; none for a tag.
        error: Why there is no descriptor, or empty.
    """

    name: str | None
    full_name: str | None = None
    descriptor: Descriptor | None
    ref: str
    annotations: FrozenMap[str, str] = field(default=FrozenMap())
    error: str = ""

    @property
    def is_named(self) -> bool:
        """Whether it has a reference name, a full name or a tag."""
        return bool(self.name or self.full_name)

    @property
    def label(self) -> str:
        """What tables call it: its full name where the reference name is missing or ambiguous."""
        known = self.name if self.ref == self.name else self.full_name or self.name
        return known or "(no name)"


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

        Without one it is that of the only entry. A digest may be abbreviated; see `whole`.

        Raises:
            ReferenceNotFoundError: There is no entry, or more than one, and no name was given;
                or several digests begin so.
            OciLayoutError: The source cannot be read.
        """
        name = self.locator.name
        if name is None:
            return self._only(source)
        return whole(source, name) if isinstance(source, Layout | Archive) else name

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

        A digest means content, whatever names it has; any other name means entries.

        Raises:
            OciLayoutError: The name is not there, or the source cannot be read.
        """
        if self.locator.name is None:
            return self.all_roots(source)
        ref = self.choose(source)
        return _meant(source, ref) or (_content(ref, self.resolve(source)),)

    def root(self, source: Source, content: Descriptor) -> Root:
        """Return the entry or the tag that is meant; for a digest, content without a name.

        Args:
            source: The place, opened.
            content: What `resolve` returned.

        Raises:
            OciLayoutError: As `choose` says.
        """
        ref = self.choose(source)
        return next(iter(_meant(source, ref)), _content(ref, content))

    def all_roots(self, source: Source) -> tuple[Root, ...]:
        """Return all entries or tags, by name; untagged entries last, in document order.

        Raises:
            OciLayoutError: The source cannot be read.
        """
        if isinstance(source, Layout | Archive):
            found = (_entered(*pair) for pair in source.refs())
            return tuple(sorted(found, key=_order))
        with pool(_JOBS) as workers:
            return tuple(workers.map(lambda tag: _tagged(source, tag), source.tags()))

    def names(self, source: Source, *, untagged: bool) -> list[str]:
        """Return references to the roots, each to one content, without reading any of them.

        Args:
            source: The place, opened.
            untagged: Whether to give the digests of untagged entries.

        Raises:
            OciLayoutError: The name is not there, or the source cannot be read.
        """
        if self.locator.name is None and not isinstance(source, Layout | Archive):
            return list(source.tags())
        return [root.ref for root in self.roots(source) if untagged or root.is_named]

    def _only(self, source: Source) -> str:
        found: dict[str, RootEntry | None]
        if isinstance(source, Layout | Archive):
            found = {**dict(source.refs())}  # a repeated entry is one
        else:
            found = dict.fromkeys(source.tags())
        if len(found) == 1:
            return next(iter(found))
        if not found:
            raise ReferenceNotFoundError(f"{self.locator} has no entry")
        names = [ref if entry is None or entry.is_named else None for ref, entry in found.items()]
        raise ReferenceNotFoundError(
            f"{self.locator} has {len(names)} entries; say which: {_names(names)}"
        )


def whole(source: Layout | Archive, name: str) -> str:
    """Return a reference with its digest in full, if that is abbreviated.

    The beginning of a digest, alone or as in `NAME@DIGEST`, means the only one that begins so,
    unless it is a name.

    Raises:
        ReferenceNotFoundError: Several digests begin so.
        OciLayoutError: The source cannot be read.
    """
    before, sign, beginning = name.rpartition("@")
    if not _ABBREVIATED.fullmatch(beginning) or is_digest(beginning) or source.entries(name=name):
        return name
    known: set[str] = {
        entry.descriptor.digest for entry in source.entries(name=before if sign else None)
    }
    if not sign:
        known.update(source.blobs)
    found = sorted(digest for digest in known if digest.startswith(beginning))
    if len(found) > 1:
        raise ReferenceNotFoundError(f"{len(found)} digests begin with {beginning}; give more")
    return f"{before}{sign}{found[0]}" if found else name


def each_whole(source: Layout | Archive, names: Iterable[str]) -> list[str]:
    """Return references with their digests in full, each once; see `whole`.

    Raises:
        ReferenceNotFoundError: Several digests begin as one that is abbreviated does.
        OciLayoutError: The source cannot be read.
    """
    return list(dict.fromkeys(whole(source, name) for name in names))


@contextmanager
def naming(source: Layout | Archive) -> Iterator[None]:
    """Let an error about a name that is not there say which names are.

    Raises:
        ReferenceNotFoundError: The block raised it.
    """
    try:
        yield
    except ReferenceNotFoundError as error:
        try:
            known = [ref for ref, entry in source.refs() if entry.is_named]
        except DocumentError:  # an entry that was not asked for is broken
            known = list(source.tags())
        names = _names(known) or "no names"
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


def _meant(source: Source, ref: str) -> tuple[Root, ...]:
    """Return the entries that a name means; none for a digest, which means content."""
    if not isinstance(source, Layout | Archive) or is_digest(ref):
        return ()
    return tuple(_entered(*pair) for pair in source.refs(name=ref))


def _content(ref: str, content: Descriptor) -> Root:
    return Root(name=None if is_digest(ref) else ref, descriptor=content, ref=ref)


def _order(root: Root) -> tuple[bool, str]:
    return (False, root.ref) if root.is_named else (True, "")


def _entered(ref: str, entry: RootEntry) -> Root:
    return Root(
        name=entry.name,
        full_name=entry.full_name,
        descriptor=entry.descriptor,
        ref=ref,
        annotations=entry.annotations,
    )


def _tagged(repository: Repository, tag: str) -> Root:
    try:
        return Root(name=tag, descriptor=repository.resolve(tag), ref=tag)
    except OciLayoutError as error:
        return Root(name=tag, descriptor=None, ref=tag, error=one_line(error))


def _names(entries: Sequence[str | None]) -> str:
    names = sorted({name for name in entries if name})
    nameless = sum(not name for name in entries)
    shown = [repr(name) for name in names[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        shown.append(f"{len(names) - _MOST_NAMES} more")
    if nameless:
        shown.append(f"{counted(nameless, 'entry', 'entries')} without a name")
    return ", ".join(shown)
