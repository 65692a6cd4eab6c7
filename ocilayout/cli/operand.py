"""Operands: what a verb works on. A locator is opened, and the entry or content in it found."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

import click
from attrs import evolve, field, frozen

from ocilayout.archive import Archive, DockerArchive
from ocilayout.cli.argument import (
    STREAM,
    InArchive,
    InDockerArchive,
    InLayout,
    Locator,
    begins_digest,
)
from ocilayout.cli.connection import Access
from ocilayout.cli.terminal import one_line
from ocilayout.errors import DocumentError, OciLayoutError, ReferenceNotFoundError
from ocilayout.layout import (
    Layout,
    View,
    acting,
    are_one_image,
    embedded,
    thread_pool,
    write_hashed,
)
from ocilayout.model import (
    OCTET_STREAM,
    Descriptor,
    Digest,
    FrozenMap,
    choose,
    is_digest,
    platform_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ocilayout.layout import RootEntry
    from ocilayout.model import Platform
    from ocilayout.registry import Repository

    Source = Layout | Archive | DockerArchive | Repository

_JOBS: Final = 8  # how many tags of a registry are resolved at once
_MOST_NAMES: Final = 10  # that an error lists
_MORE: Final = 4  # digits that an error shows of digests with the same beginning, behind it


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
            kind = DockerArchive if isinstance(self.locator, InDockerArchive) else Archive
            with (
                _input(self.locator.path) as file,
                kind.open(file, unpack_limit=self.access.unpack_limit) as archive,
            ):
                yield archive
        else:
            with self.access.repository(self.locator) as repository:
                yield repository

    def choose(self, source: Source, platform: Platform | None = None) -> str:
        """Return the name or the digest of the locator, or else the reference of the only entry.

        A digest in a layout may be abbreviated; see `in_full`. Entries for several platforms that
        are one image count as one entry if a platform is given.

        Raises:
            ReferenceNotFoundError: No name was given, and there is not exactly one entry; or
                several digests begin with the abbreviated one.
            AmbiguousReferenceError: No name was given, and several entries are for the platform.
            OciLayoutError: The source cannot be read.
        """
        name = self.locator.name
        if name is None:
            return self._only(source, platform)
        if isinstance(source, View):
            return in_full(source, name)
        if ":" in name and begins_digest(name) and not is_digest(name):
            raise ReferenceNotFoundError(
                f"{name} is the beginning of a digest, and a registry finds content by a whole one;"
                " give a tag, or the digest that `ocilayout ls --json` shows"
            )
        return name

    def resolve(self, source: Source, platform: Platform | None = None) -> Descriptor:
        """Return the plain descriptor of a manifest, an index or any other blob.

        Args:
            source: The source, opened.
            platform: Of an index, choose the manifest for this platform.

        Raises:
            ReferenceNotFoundError: The source does not have it; see `choose`, too.
            OciLayoutError: As `resolve` and `alternatives` of the source say.
        """
        name = self.choose(source, platform)
        if isinstance(source, View):
            with suggesting_names(source):
                if platform is None:
                    return embedded(source, source.resolve(name))
                roots = source.alternatives(name)
        else:
            roots = (_resolve_remote(source, name),)
        return roots[0] if platform is None else choose(name, roots, platform, source.blobs.read)[0]

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

    def root(self, source: Source, content: Descriptor, platform: Platform | None = None) -> Root:
        """Return the entry or the tag that the name means; for a digest, `content` without a name.

        Raises:
            OciLayoutError: As `choose` says.
        """
        ref = self.choose(source, platform)
        roots = _entry_roots(source, ref) or (_content_root(ref, content),)
        return next((one for one in roots if one.descriptor == content), roots[0])

    def all_roots(self, source: Source) -> tuple[Root, ...]:
        """Return all entries or tags, by name; untagged entries last, in document order.

        Raises:
            OciLayoutError: The source cannot be read.
        """
        if isinstance(source, View):
            roots = [_entry_root(*pair) for pair in source.refs()]
            named = {(root.name, root.full_name) for root in roots}
            times = Counter(name for name, _ in named)
            roots = [evolve(root, shares_name=times[root.name] > 1) for root in roots]
            return tuple(sorted(roots, key=_order))
        with thread_pool(_JOBS) as workers:
            return tuple(workers.map(lambda tag: _tag_root(source, tag), source.tags()))

    def names(self, source: Source, *, untagged: bool) -> list[str]:
        """Return a reference to each root that means its content alone, without reading any.

        For untagged entries, if they are wanted, it is the digest.

        Raises:
            OciLayoutError: As `roots` says.
        """
        if self.locator.name is None and not isinstance(source, View):
            return list(source.tags())
        return [root.ref for root in self.roots(source) if untagged or root.is_named]

    def _only(self, source: Source, platform: Platform | None) -> str:
        roots: dict[str, RootEntry | None]
        if isinstance(source, View):
            roots = {**dict(source.refs())}  # an entry that is repeated counts once
        else:
            roots = dict.fromkeys(source.tags())
        if len(roots) == 1 or (isinstance(source, DockerArchive) and len(source.images) == 1):
            return next(iter(roots))
        if not roots:
            raise ReferenceNotFoundError(f"{self.locator} has no entry")
        entries = [entry for entry in roots.values() if entry is not None]
        one_image = bool(entries) and are_one_image(entries)
        if platform is not None and one_image:
            parts = [entry.descriptor for entry in entries]
            name = entries[0].name or entries[0].full_name
            return name or choose(str(self.locator), parts, platform, source.blobs.read)[1].digest
        by = one_image and "platform" in click.get_current_context().params
        listed = _listed(roots, lambda ref: _shown(source, ref, roots[ref]))
        raise ReferenceNotFoundError(
            f"{self.locator} has {len(roots)} entries; say which{' or give --platform' * by}:"
            f" {listed}"
        )


def in_full(source: Layout | Archive | DockerArchive, name: str) -> str:
    """Return a reference with its digest in full where it is abbreviated.

    The beginning of a digest, alone or as in `NAME@DIGEST`, with or without its algorithm, means
    the only digest that begins with it, unless it is a name; see `begins_digest`.

    Raises:
        ReferenceNotFoundError: Several digests begin with it.
        OciLayoutError: The source cannot be read.
    """
    before, sign, beginning = name.rpartition("@")
    if not begins_digest(beginning) or is_digest(beginning) or source.entries(name=name):
        return name
    known: set[str] = {
        entry.descriptor.digest for entry in source.entries(name=before if sign else None)
    }
    if not sign:
        known.update(source.blobs)
    _, colon, _ = beginning.rpartition(":")
    matches = sorted(
        digest
        for digest in known
        if digest.startswith(beginning)
        or (not colon and digest.partition(":")[2].startswith(beginning))
    )
    if len(matches) > 1:
        digits = [match.rpartition(":")[2] for match in matches]
        shown = len(os.path.commonprefix(digits)) + _MORE  # noqa: RUF071 # characters are meant
        listed = _listed((_cut(match, shown) for match in matches), str)
        raise ReferenceNotFoundError(
            f"{len(matches)} digests begin with {beginning}; write more of one: {listed}"
        )
    return f"{before}{sign}{matches[0]}" if matches else name


@contextmanager
def suggesting_names(source: Layout | Archive | DockerArchive) -> Iterator[None]:
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
        names = _listed(known, repr) or "no names"
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
    if not isinstance(source, View) or is_digest(ref):
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


def _resolve_remote(repository: Repository, name: str) -> Descriptor:
    try:
        return repository.resolve(name)
    except ReferenceNotFoundError:
        if not is_digest(name):
            raise
        digest = Digest.parse(name)
        size = repository.blobs.size(digest)
        return Descriptor(media_type=OCTET_STREAM, digest=digest, size=size)


def _shown(source: Source, ref: str, entry: RootEntry | None) -> str:
    """Return a reference for a message: with a platform if it is not a name alone."""
    if entry is None or ref in (entry.name, entry.full_name):
        return repr(ref)
    platform = platform_text(entry.descriptor, source.blobs.read)
    return f"{ref} ({platform})" if platform else ref


def _cut(digest: str, digits: int) -> str:
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm}:{encoded[:digits]}"


def _listed(refs: Iterable[str], show: Callable[[str], str]) -> str:
    """Return the first references for a message, digests last, and how many more there are."""
    listed = sorted(set(refs), key=lambda ref: (is_digest(ref), ref))
    more = len(listed) - _MOST_NAMES
    shown = [show(ref) for ref in listed[:_MOST_NAMES]]
    return ", ".join([*shown, *([f"{more} more"] if more > 0 else [])])
