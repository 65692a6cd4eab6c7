"""A layout written as a tar: as a stream, without a temporary copy of content."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from ocilayout.archive.reader import BLOBS, HEADER, INDEX
from ocilayout.archive.tarstream import TarStream, open_target
from ocilayout.errors import AmbiguousReferenceError
from ocilayout.layout import View, entries_of, target_names
from ocilayout.model import (
    AT_A_TIME,
    DEFAULT_LIMITS,
    DOCUMENT_TYPES,
    REF_NAME,
    Budget,
    Descriptor,
    Digest,
    Header,
    Index,
    Limits,
    encode,
    new_hasher,
    require_at_most,
    require_ref_name,
    require_size,
    select,
    walk,
    with_referrers,
)
from ocilayout.transfer import Event, LeftBehind, ReportingStream, ignore, opener

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from ocilayout.model import Platform, Source
    from ocilayout.transfer import Report


def write_archive(
    source: Source,
    names: Iterable[str] | Mapping[str, str | None] | None,
    file: str | os.PathLike[str] | BinaryIO,
    *,
    platform: Platform | str | None = None,
    referrers: bool = False,
    on_event: Report | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Write content with its names into an archive, as a stream.

    The bytes depend on names and content alone. First come `oci-layout` and `index.json`, then
    `blobs/` with a folder for each algorithm and the blobs in the order of their digests; owner
    and times are 0, the mode of files is 0644. The index has an entry for each name, sorted, then
    one for each chosen content without a name. An entry has media type, digest and size: other
    annotations of an entry stay in its layout. Missing content that has `urls` is left out.

    Before anything is written, all content is found to be there in its size. It is verified on the
    way; if it is damaged, the archive is left without its end, and so is not valid.

    Args:
        source: A `Layout`, another `Archive`, or a `Repository`.
        names: References in the source; a digest makes an untagged entry. A mapping has the name
            of each in the archive, `None` for an untagged entry. Without names, all entries of a
            layout, or all tags of a repository, are written; an entry whose reference name is
            missing or ambiguous has its full name.
        file: A path, or an open binary file, such as a pipe, which is not closed. A file at the
            path is replaced when the archive is whole; a FIFO is written to.
        platform: Write the manifests for this platform alone, as `copy` does.
        referrers: Write the referrers of the content, too, as untagged entries.
        on_event: Called with every step, as by `copy`; nothing is skipped.
        limits: How large and how many the documents may be, and the other blobs how large; as for
            `copy_all`.

    Raises:
        TypeError: The names are one text.
        InvalidNameError: A name in the archive breaks the grammar of names.
        ReferenceNotFoundError: The source does not have a name, a digest or the platform.
        AmbiguousReferenceError: Entries of different content have one name.
        BlobNotFoundError: Content is missing.
        IntegrityError: Content is damaged.
        UnsupportedDigestError: Content cannot be verified here.
        DocumentError: An entry or a manifest breaks the specification.
        LimitExceededError: A document or a blob is too large, or there are too many.
        RegistryError: A registry failed or refused.
        OSError: The file cannot be written.

    Spec: image-layout:transports, image-layout:archive.
    """
    left = LeftBehind(remote=not isinstance(source, View))
    chosen = _choose(source, names, left)
    if platform is not None:
        chosen = [(name, select(root, platform, source.blobs.read)) for name, root in chosen]
    blobs: dict[Digest, Descriptor] = {}
    others: list[Descriptor] = []
    for start in range(0, len(chosen), AT_A_TIME):
        some = [root for _, root in chosen[start : start + AT_A_TIME]]
        found, more = _plan(source, some, limits, left, referrers=referrers)
        blobs |= found
        others += more
        left.note_entries(entries_of(source, [other.digest for other in more]))
    roots = _entries([*chosen, *(("", other) for other in others)])
    report = on_event or ignore
    for descriptor in blobs.values():
        report(Event(kind="planned", descriptor=descriptor))
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
            descriptor = blobs[digest]
            report(Event(kind="started", descriptor=descriptor))
            opening = partial(source.blobs.open, descriptor)
            with closing(ReportingStream(opening, descriptor, report)) as content:
                tar.add_stream(f"{BLOBS}/{algorithm}/{digest.encoded}", descriptor.size, content)
            report(Event(kind="done", descriptor=descriptor))
        tar.finish()
    for event in left.events(source.blobs):
        report(event)


def _choose(
    source: Source,
    names: Iterable[str] | Mapping[str, str | None] | None,
    left: LeftBehind,
) -> list[tuple[str, Descriptor]]:
    """Return the chosen content with its names in the archive; empty for an untagged entry."""
    chosen = target_names(source, names)
    for name in chosen.values():
        if name is not None:
            require_ref_name(name)
    left.note_entries(entries_of(source, chosen))
    return [(name or "", source.resolve(ref)) for ref, name in chosen.items()]


def _entries(chosen: Iterable[tuple[str, Descriptor]]) -> list[Descriptor]:
    """Return the entries of an archive: sorted by name, those without a name last."""
    found: dict[str, dict[Digest, Descriptor]] = {}
    for name, descriptor in chosen:
        found.setdefault(name, {}).setdefault(descriptor.digest, descriptor)
    nameless = found.pop("", {})
    for name, entries in found.items():
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
        for name, entries in [*sorted(found.items()), ("", nameless)]
        for _, descriptor in sorted(entries.items())
    ]


def _plan(
    source: Source,
    roots: list[Descriptor],
    limits: Limits,
    left: LeftBehind,
    *,
    referrers: bool,
) -> tuple[dict[Digest, Descriptor], list[Descriptor]]:
    """Return all content of some roots, found to be there in its size, and the referrers."""
    budget = Budget(source.blobs.read, limits=limits, of="what is written", size=source.blobs.size)
    others: list[Descriptor] = []
    for root in roots if referrers else ():
        others += with_referrers(root, budget.read_if_there, source.referrers, limits=limits)[1:]
    blobs: dict[Digest, Descriptor] = {}
    for descriptor in walk([*roots, *others], budget.read):
        if descriptor.urls and descriptor.digest not in source.blobs:
            continue
        new_hasher(descriptor.digest.algorithm)  # which raises for content that cannot be verified
        if descriptor.media_type not in DOCUMENT_TYPES:  # those are read on the walk
            name = str(descriptor.digest)
            require_at_most(limits.blob, descriptor.size, of=name, unit="bytes")
            require_size(descriptor, source.blobs.size(descriptor.digest))
        elif descriptor.digest in blobs:  # and once only, whatever sizes they are given
            require_size(descriptor, blobs[descriptor.digest].size)
        blobs[descriptor.digest] = descriptor
    documents = {digest: known[2] for digest, known in budget.documents.items()}
    open_blob = opener(source.blobs, remote=not isinstance(source, View))
    left.note(blobs.values(), documents, open_blob)
    return blobs, others
