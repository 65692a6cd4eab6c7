"""A layout written as a tar: as a stream, without a temporary copy of content."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from ocilayout.archive.reader import BLOBS, HEADER, INDEX
from ocilayout.archive.tarstream import TarStream, open_target
from ocilayout.errors import AmbiguousReferenceError, OciLayoutError
from ocilayout.layout import View, entries_of, resolve_for, target_names
from ocilayout.model import (
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
    walk,
    with_referrers,
)
from ocilayout.signature import checked
from ocilayout.transfer import (
    Event,
    LeftBehind,
    ReportingStream,
    ignore,
    in_batches,
    missing_parts,
    opener,
    require_chosen,
    without_missing,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from ocilayout.archive.tarstream import Writable
    from ocilayout.model import Platform, Source
    from ocilayout.transfer import MissingPart, Report


@checked
def write_archive(  # noqa: PLR0913 # as for `copy`
    source: Source,
    names: Iterable[str] | Mapping[str, str | None] | None,
    file: str | os.PathLike[str] | Writable,
    *,
    platform: Platform | str | None = None,
    referrers: bool = False,
    sparse: bool = False,
    on_event: Report | None = None,
    on_error: Callable[[str, OciLayoutError], None] | None = None,
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
        sparse: Leave out what an index lists and the source does not have whole, as `copy` does.
        on_event: Called with every step, as by `copy`; nothing is skipped.
        on_error: Called with each reference whose content is not there whole, as by `copy_all`. If
            that is all of them, nothing is written.
        limits: How large and how many the documents may be, and the other blobs how large; as for
            `copy_all`.

    Raises:
        TypeError: An argument has another type, as one string has where names are taken.
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
    named = target_names(source, names, platform)
    left = LeftBehind(remote=not isinstance(source, View))
    report = on_event or ignore
    chosen: list[tuple[str, Descriptor]] = []  # with their names; empty for an untagged entry
    blobs: dict[Digest, Descriptor] = {}

    def plan(some: list[str]) -> None:
        for name in (named[ref] for ref in some):
            if name is not None:
                require_ref_name(name)
        roots = [resolve_for(source, ref, platform) for ref in some]
        budget = Budget(
            source.blobs.read, limits=limits, of="what is written", size=source.blobs.size
        )
        for ref, root in zip(some, roots, strict=True):
            require_chosen(ref, root, platform, budget.read_if_there)
        found, others = _plan(
            source, roots, budget, left, report, limits=limits, referrers=referrers, sparse=sparse
        )
        blobs.update(found)
        left.note_entries(entries_of(source, [*some, *(other.digest for other in others)]))
        names = (named[ref] or "" for ref in some)
        chosen.extend([*zip(names, roots, strict=True), *(("", other) for other in others)])

    in_batches(named, plan, on_error)
    if named and not chosen:  # an archive with nothing in it would replace one that may have all
        return
    roots = _entries(chosen)
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
    budget: Budget,
    left: LeftBehind,
    report: Report,
    *,
    limits: Limits,
    referrers: bool,
    sparse: bool,
) -> tuple[dict[Digest, Descriptor], list[Descriptor]]:
    """Return all content of some roots, found to be there in its size, and the referrers."""
    others: list[Descriptor] = []
    for root in roots if referrers else ():
        others += with_referrers(root, budget.read_if_there, source.referrers, limits=limits)[1:]
    blobs: dict[Digest, Descriptor] = {}

    def is_missing(blob: Descriptor) -> bool:
        return not blob.urls and blob.data is None and blob.digest not in source.blobs

    def missing() -> list[MissingPart]:
        return missing_parts([*roots, *others], budget.read_if_there, is_missing)

    with without_missing(missing, report, sparse=sparse) as out:
        for descriptor in walk([*roots, *others], budget.read, but=out):
            if descriptor.urls and descriptor.digest not in source.blobs:
                continue
            new_hasher(descriptor.digest.algorithm)  # raises for content that cannot be verified
            if descriptor.media_type not in DOCUMENT_TYPES:  # those are read on the walk
                name = str(descriptor.digest)
                require_at_most(limits.blob, descriptor.size, of=name, unit="bytes")
                if descriptor.data is None:  # else it has its size, also where the blob is missing
                    require_size(descriptor, source.blobs.size(descriptor.digest))
            elif descriptor.digest in blobs:  # and once only, whatever sizes they are given
                require_size(descriptor, blobs[descriptor.digest].size)
            blobs[descriptor.digest] = descriptor
    documents = {digest: known[2] for digest, known in budget.documents.items()}
    open_blob = opener(source.blobs, remote=not isinstance(source, View))
    left.note(blobs.values(), documents, open_blob)
    return blobs, others
