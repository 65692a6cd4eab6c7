"""Operands: what a verb works on. A locator is opened, and the entry or content in it found."""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from attrs import evolve, field, frozen

from ocilayout.archive import Archive
from ocilayout.cli.argument import STREAM, InArchive, InLayout, Locator
from ocilayout.cli.connection import Access
from ocilayout.cli.terminal import counted, one_line
from ocilayout.errors import DocumentError, OciLayoutError, ReferenceNotFoundError
from ocilayout.layout import Layout, acting, thread_pool, write_hashed
from ocilayout.model import OCTET_STREAM, Descriptor, Digest, FrozenMap, is_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocilayout.layout import RootEntry
    from ocilayout.registry import Repository

    Source = Layout | Archive | Repository

_JOBS: Final = 8  # how many tags of a registry are resolved at once
_MOST_NAMES: Final = 10  # that an error lists
# The beginning of a digest, as tables show it. A name may look like one, too, and comes first.
_ABBREVIATED: Final = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{6,}")


@frozen(kw_only=True)
class Root:
    """The root of a graph: an entry of a layout, or a tag of a registry.

    Attributes:
        name: Its reference name or tag, or `None`.
        full_name: The full name of an image, as containerd and Docker write it, or `None`.
        descriptor: The content; `None` if the registry failed to tell.
        ref: A reference that means this content alone; a name where one does.
        shares_name: Whether an entry with another full name has the same reference name.
        annotations: The annotations of the entry; empty for a tag.
        error: Why there is no descriptor; empty if there is one.
    """

    name: str | None
    full_name: str | None = None
    descriptor: Descriptor | None
    ref: str
    shares_name: bool = False
    annotations: FrozenMap[str, str] = field(default=FrozenMap())
    error: str = ""

    @property
    def is_named(self) -> bool:
        """Whether it has a reference name, a full name or a tag."""
        return bool(self.name or self.full_name)

    @property
    def label(self) -> str:
        """What tables call it: its full name where the reference name is missing or shared."""
        alone = self.ref == self.name and not self.shares_name
        known = self.name if alone else self.full_name or self.name
        return known or "(no name)"


@frozen
class Operand:
    """What a verb works on: a layout, an archive or a repository, and perhaps a name in it.

    Attributes:
        locator: The locator that was given.
        access: How a registry is reached.
    """

    locator: Locator
    access: Access

    @contextmanager
    def open(self) -> Iterator[Source]:
        """Open the source until the end of the block.

        Raises:
            UsageError: An option does not apply to the locator, or credentials are not complete.
            OciLayoutError: The source does not exist, or is broken.
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
        """Return the name or the digest of the locator, or else the reference of the only entry.

        A digest may be abbreviated; see `in_full`.

        Raises:
            ReferenceNotFoundError: No name was given, and there is not exactly one entry; or
                several digests begin with the abbreviated one.
            OciLayoutError: The source cannot be read.
        """
        name = self.locator.name
        if name is None:
            return self._only(source)
        return in_full(source, name) if isinstance(source, Layout | Archive) else name

    def resolve(self, source: Source) -> Descriptor:
        """Return the plain descriptor of a manifest, an index or any other blob.

        Raises:
            ReferenceNotFoundError: The source does not have it; see `choose`, too.
            OciLayoutError: As `resolve` of the source says.
        """
        name = self.choose(source)
        if isinstance(source, Layout | Archive):
            with suggesting_names(source):
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
        """Return the roots that the name means, or without a name all; see `all_roots`.

        A digest means content, whatever names it has; any other name means entries.

        Raises:
            OciLayoutError: The source does not have the name, or cannot be read.
        """
        if self.locator.name is None:
            return self.all_roots(source)
        ref = self.choose(source)
        return _entry_roots(source, ref) or (_content_root(ref, self.resolve(source)),)

    def root(self, source: Source, content: Descriptor) -> Root:
        """Return the entry or the tag that the name means; for a digest, content without a name.

        Args:
            source: The source, opened.
            content: What `resolve` returned.

        Raises:
            OciLayoutError: As `choose` says.
        """
        ref = self.choose(source)
        return next(iter(_entry_roots(source, ref)), _content_root(ref, content))

    def all_roots(self, source: Source) -> tuple[Root, ...]:
        """Return all entries or tags, by name; untagged entries last, in document order.

        Raises:
            OciLayoutError: The source cannot be read.
        """
        if isinstance(source, Layout | Archive):
            roots = [_entry_root(*pair) for pair in source.refs()]
            named = {(root.name, root.full_name) for root in roots}
            times = Counter(name for name, _ in named)
            roots = [evolve(root, shares_name=times[root.name] > 1) for root in roots]
            return tuple(sorted(roots, key=_order))
        with thread_pool(_JOBS) as workers:
            return tuple(workers.map(lambda tag: _tag_root(source, tag), source.tags()))

    def names(self, source: Source, *, untagged: bool) -> list[str]:
        """Return a reference to each root that means its content alone, without reading any.

        Args:
            source: The source, opened.
            untagged: Whether to give the digests of untagged entries.

        Raises:
            OciLayoutError: As `roots` says.
        """
        if self.locator.name is None and not isinstance(source, Layout | Archive):
            return list(source.tags())
        return [root.ref for root in self.roots(source) if untagged or root.is_named]

    def _only(self, source: Source) -> str:
        roots: dict[str, RootEntry | None]
        if isinstance(source, Layout | Archive):
            roots = {**dict(source.refs())}  # an entry that is repeated counts once
        else:
            roots = dict.fromkeys(source.tags())
        if len(roots) == 1:
            return next(iter(roots))
        if not roots:
            raise ReferenceNotFoundError(f"{self.locator} has no entry")
        names = [ref if entry is None or entry.is_named else None for ref, entry in roots.items()]
        raise ReferenceNotFoundError(
            f"{self.locator} has {len(names)} entries; say which: {_names(names)}"
        )


def in_full(source: Layout | Archive, name: str) -> str:
    """Return a reference with its digest in full where it is abbreviated.

    The beginning of a digest, alone or as in `NAME@DIGEST`, means the only digest that begins with
    it, unless it is a name.

    Raises:
        ReferenceNotFoundError: Several digests begin with it.
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
    matches = sorted(digest for digest in known if digest.startswith(beginning))
    if len(matches) > 1:
        raise ReferenceNotFoundError(f"{len(matches)} digests begin with {beginning}; give more")
    return f"{before}{sign}{matches[0]}" if matches else name


@contextmanager
def suggesting_names(source: Layout | Archive) -> Iterator[None]:
    """Add to an error about a missing name which names there are.

    Raises:
        ReferenceNotFoundError: The block raised it.
    """
    try:
        yield
    except ReferenceNotFoundError as error:
        try:
            known = [ref for ref, entry in source.refs() if entry.is_named]
        except DocumentError:  # an entry that the caller did not ask for is broken
            known = list(source.tags())
        names = _names(known) or "no names"
        raise ReferenceNotFoundError(f"{error}; there are {names}") from None


@contextmanager
def _input(path: str) -> Iterator[str | BinaryIO]:
    """Give the file of an archive; of a pipe, a copy that can be read in any order."""
    if path != STREAM:
        yield path
    elif sys.stdin.buffer.seekable():
        yield sys.stdin.buffer
    else:
        act = acting("write a copy of standard input to the folder", tempfile.gettempdir())
        with ExitStack() as stack:
            with act:
                # Without a buffer: on a full disk, closing a buffered file would fail once more.
                copy = stack.enter_context(tempfile.TemporaryFile(buffering=0))
                write_hashed(sys.stdin.buffer, copy, len)
                copy.seek(0)
            yield copy


def _entry_roots(source: Source, ref: str) -> tuple[Root, ...]:
    """Return the entries that a name means; none for a digest, which means content."""
    if not isinstance(source, Layout | Archive) or is_digest(ref):
        return ()
    return tuple(_entry_root(*pair) for pair in source.refs(name=ref))


def _content_root(ref: str, content: Descriptor) -> Root:
    return Root(name=None if is_digest(ref) else ref, descriptor=content, ref=ref)


def _order(root: Root) -> tuple[bool, str]:
    return (False, root.ref) if root.is_named else (True, "")


def _entry_root(ref: str, entry: RootEntry) -> Root:
    return Root(
        name=entry.name,
        full_name=entry.full_name,
        descriptor=entry.descriptor,
        ref=ref,
        annotations=entry.annotations,
    )


def _tag_root(repository: Repository, tag: str) -> Root:
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
