"""A layout written as a tar: a stream, without a temporary copy of any content."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ocilayout.annotations import REF_NAME
from ocilayout.archive.inventory import BLOBS, HEADER, INDEX
from ocilayout.archive.tarstream import TarStream, open_target
from ocilayout.codec import encode
from ocilayout.descriptor import Descriptor, require_size
from ocilayout.digest import Digest, is_digest, new_hasher
from ocilayout.errors import AmbiguousReferenceError
from ocilayout.graph import walk
from ocilayout.header import Header
from ocilayout.index import Index

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from ocilayout.manifest import Manifest
    from ocilayout.rootentry import RootEntry
    from ocilayout.stream import Readable


class SourceBlobs(Protocol):
    """The content of what is written into an archive."""

    def __contains__(self, digest: object, /) -> bool: ...

    def size(self, digest: Digest, /) -> int:
        """Return the size of a blob, in bytes."""
        ...

    def open(self, descriptor: Descriptor, /) -> Readable:
        """Return a stream that is verified at its end."""
        ...


class ArchiveSource(Protocol):
    """What can be written into an archive: a `Layout`, or another `Archive`."""

    @property
    def blobs(self) -> SourceBlobs:
        """The content."""
        ...

    def entries(self) -> tuple[RootEntry, ...]:
        """Return all entries."""
        ...

    def resolve(self, name_or_digest: str, /) -> Descriptor:
        """Return a plain descriptor."""
        ...

    def read_manifest(self, descriptor: Descriptor, /) -> Manifest | Index:
        """Return a manifest or an index, verified."""
        ...


def write_archive(
    layout: ArchiveSource,
    names: Iterable[str] | None,
    file: str | os.PathLike[str] | BinaryIO,
) -> None:
    """Write content with its names into an archive, as a stream.

    The bytes depend on names and content alone. First come `oci-layout` and `index.json`, then
    `blobs/` with a folder for each algorithm and the blobs in the order of their digests; owner
    and times are 0, the mode of files is 0644. The index has an entry for each name, sorted, then
    one for each content that was chosen and has no name among them. It says media type, digest
    and size: what is noted at an entry stays in its layout. Content that is missing and has
    `urls` is left out.

    Nothing is written before all content was found to be there in its size. It is verified on the
    way; should it be damaged, the archive is left without its end, and is none.

    Args:
        layout: A `Layout`, or another `Archive`.
        names: Names in the layout; a digest makes an entry without a name. `None` for all entries,
            named or not.
        file: A path, or an open binary file, which is not closed; a pipe will do. A file at the
            path is replaced when the archive is whole; a FIFO is written to.

    Raises:
        TypeError: The names are one text.
        ReferenceNotFoundError: A name or a digest is not in the layout.
        AmbiguousReferenceError: Entries have one name, for different content.
        BlobNotFoundError: Content is missing.
        IntegrityError: Content is damaged.
        UnsupportedDigestError: Content cannot be verified here.
        DocumentError: An entry or a manifest breaks the specification.
        LimitExceededError: A manifest is larger than 4 MiB.
        OSError: The file cannot be written.

    Spec: image-layout.md, Content.
    """
    if isinstance(names, str):
        raise TypeError(f"names are given one by one; for one, give [{names!r}]")
    roots = _choose(layout, names)
    blobs = _plan(layout, roots)
    with open_target(file) as target:
        tar = TarStream(target)
        tar.add(HEADER, encode(Header()))
        tar.add(INDEX, encode(Index(manifests=roots)))
        tar.add_folder(BLOBS)
        algorithm = ""
        for digest in sorted(blobs):
            if digest.algorithm != algorithm:
                algorithm = digest.algorithm
                tar.add_folder(f"{BLOBS}/{algorithm}")
            with closing(layout.blobs.open(blobs[digest])) as content:
                tar.add_stream(f"{BLOBS}/{algorithm}/{digest.encoded}", blobs[digest].size, content)
        tar.finish()


def _choose(layout: ArchiveSource, names: Iterable[str] | None) -> list[Descriptor]:
    """Return the entries of an archive: sorted by name, those without a name last."""
    if names is None:
        found = [(entry.name or "", entry.descriptor) for entry in layout.entries()]
    else:
        found = [("" if is_digest(name) else name, layout.resolve(name)) for name in names]
    chosen: dict[str, dict[Digest, Descriptor]] = {}
    for name, descriptor in found:
        chosen.setdefault(name, {}).setdefault(descriptor.digest, descriptor)
    nameless = chosen.pop("", {})
    for name, entries in chosen.items():
        if len(entries) > 1:
            raise AmbiguousReferenceError(name, entries)
        for digest in entries:
            nameless.pop(digest, None)
    return [
        Descriptor(
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size=descriptor.size,
            annotations={REF_NAME: name} if name else {},
        )
        for name, entries in [*sorted(chosen.items()), ("", nameless)]
        for _, descriptor in sorted(entries.items())
    ]


def _plan(layout: ArchiveSource, roots: Iterable[Descriptor]) -> dict[Digest, Descriptor]:
    """Return all content, of which each was found to be there in its size."""
    blobs: dict[Digest, Descriptor] = {}
    for descriptor in walk(roots, layout.read_manifest):
        if descriptor.urls and descriptor.digest not in layout.blobs:
            continue
        new_hasher(descriptor.digest.algorithm)  # what cannot be verified is not written
        require_size(descriptor, layout.blobs.size(descriptor.digest))
        blobs[descriptor.digest] = descriptor
    return blobs
