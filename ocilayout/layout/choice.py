"""Choosing what is read from a source: all of it, or references, with the names that it gets.

Everything that carries content elsewhere asks here, so that a copy and an archive of the same
references have the same content under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from attrs import evolve

from ocilayout.errors import (
    MOST_LISTED,
    AmbiguousReferenceError,
    InvalidNameError,
    ReferenceNotFoundError,
)
from ocilayout.layout.view import View, are_one_image
from ocilayout.model import choose, is_digest, platform_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ocilayout.layout.rootentry import RootEntry
    from ocilayout.model import Descriptor, Platform, Source, SourceBlobs


def resolve_for(
    source: Source,
    ref: str,
    platform: Platform | str | None,
    *,
    resolve: Callable[[str], Descriptor] | None = None,
    read: Callable[[Descriptor], bytes] | None = None,
) -> Descriptor:
    """Return the descriptor that a reference means: with a platform, of the manifest for it.

    It is plain, but for `data` where an entry or an index embeds the content.

    Args:
        source: A layout, an archive or a repository.
        ref: A reference; with a platform, entries may be one image, see `View.alternatives`.
        platform: The wanted platform, or its text; `None` for all.
        resolve: Called in place of the method of the source; only if the source has no entries.
        read: Called in place of the method of the blobs.

    Raises:
        ReferenceNotFoundError: There is no such reference, or no manifest fits.
        AmbiguousReferenceError: Entries of different content are meant.
        Exception: As `resolve` raises, and as `ocilayout.model.choose` does.
    """
    resolve = resolve or source.resolve
    if platform is None:
        return embedded(source, resolve(ref))
    roots = source.alternatives(ref) if isinstance(source, View) else (resolve(ref),)
    return choose(ref, roots, platform, read or source.blobs.read)[0]


def embedded(source: Source, root: Descriptor) -> Descriptor:
    """Return a descriptor with the `data` of an entry of a source, if there is no such blob.

    Raises:
        DocumentError: The root index or an entry breaks the specification.

    Spec: descriptor:data.
    """
    if not isinstance(source, View) or root.digest in source.blobs:
        return root
    found = (entry.descriptor for entry in source.entries(name=root.digest))
    return next((evolve(root, data=one.data) for one in found if one.data is not None), root)


def all_names(source: Source, platform: Platform | str | None = None) -> dict[str, str | None]:
    """Return the names that the content of a source gets when all of it is copied.

    An entry of a layout keeps its reference name if that means one content, and otherwise its full
    name. Untagged entries come last.

    Args:
        source: A layout, an archive or a repository.
        platform: The only platform to copy, or its text. Then entries that are one image count as
            one, see `View.alternatives`, and untagged entries for other platforms are left out.

    Returns:
        The names in the target by references in the source; `None` for an untagged entry.

    Raises:
        AmbiguousReferenceError: Entries have one reference name for different content, and not all
            of them have full names that tell them apart.
        InvalidNameError: The only name of an entry reads as a digest.
        DocumentError: The root index or an entry breaks the specification.

    Spec: annotations:same-name.
    """
    if not isinstance(source, View):
        return {tag: tag for tag in source.tags()}
    pairs = source.refs()
    if platform is not None:
        pairs = tuple(_pairs_for(source, pairs, platform)) or pairs
    clear = [(ref, entry) for ref, entry in pairs if ref in (entry.name, entry.full_name)]
    done = {(entry.name, entry.descriptor.digest) for _, entry in clear}
    for _, entry in pairs:
        if entry.is_named and (entry.name, entry.descriptor.digest) not in done:
            _refuse_unclear(source, entry, pairs)
    untagged = [entry for _, entry in pairs if not entry.is_named]
    return {
        **{ref: ref for ref, _ in clear},
        **{entry.descriptor.digest: None for entry in untagged},
    }


def target_names(
    source: Source,
    names: Iterable[str] | Mapping[str, str | None] | None,
    platform: Platform | str | None = None,
) -> dict[str, str | None]:
    """Return the name in the target of each chosen reference of a source.

    Args:
        source: A layout, an archive or a repository.
        names: References, whose names are those of `arriving_name`; or a mapping, which is
            returned as it is; or `None` for all that `all_names` returns.
        platform: As for `all_names`.

    Raises:
        AmbiguousReferenceError: As for `all_names`.
        InvalidNameError: As for `all_names`.
        DocumentError: The root index or an entry breaks the specification.
    """
    if names is None:
        return all_names(source, platform)
    if isinstance(names, Mapping):
        return dict(names)
    return {ref: arriving_name(source, ref) for ref in names}


def arriving_name(source: Source, ref: str) -> str | None:
    """Return the name that the content of a reference gets in a target by default.

    Returns:
        The name or full name itself, NAME for `NAME@DIGEST`, and `None` for a digest.

    Raises:
        DocumentError: The root index or an entry breaks the specification.
    """
    if is_digest(ref):
        return None
    entries = source.entries(name=ref) if isinstance(source, View) else ()
    if not entries or any(ref in (entry.name, entry.full_name) for entry in entries):
        return ref
    return ref.rpartition("@")[0] or None if "@" in ref else ref


def entries_of(source: Source, refs: Iterable[str]) -> Iterator[RootEntry]:
    """Yield the entries that references mean; a repository has none.

    Raises:
        DocumentError: The root index or an entry breaks the specification.
    """
    if isinstance(source, View):
        for ref in refs:
            yield from source.entries(name=ref)


def _pairs_for(
    source: View[SourceBlobs],
    pairs: Iterable[tuple[str, RootEntry]],
    platform: Platform | str,
) -> Iterator[tuple[str, RootEntry]]:
    """Yield entries with references, where entries that are one image have a name in common."""
    for ref, entry in pairs:
        known = (entry.name, entry.full_name)
        if ref in known:
            yield ref, entry
        elif entry.is_named:
            shared = (name for name in known if name and are_one_image(source.entries(name=name)))
            yield next(shared, ref), entry
        else:
            try:
                choose(ref, source.alternatives(ref), platform, source.blobs.read)
            except ReferenceNotFoundError:
                continue
            yield ref, entry


def _refuse_unclear(
    source: Source, entry: RootEntry, pairs: Iterable[tuple[str, RootEntry]]
) -> NoReturn:
    """Refuse an entry without a name that it can have in a target."""
    name, digest = entry.name or entry.full_name or "", entry.descriptor.digest
    if is_digest(name):
        raise InvalidNameError(
            f"the name {name} of {digest} reads as a digest, so nothing can be named by it"
            f" elsewhere; untag {name}@{digest} first"
        )
    same = [other for _, other in pairs if name in (other.name, other.full_name)]
    raise AmbiguousReferenceError(
        name,
        [other.descriptor.digest for other in same],
        full_names=[other.full_name for other in same],
        platforms=[
            platform_text(other.descriptor, source.blobs.read) for other in same[:MOST_LISTED]
        ],
        advice=f"untag {name}@{digest} first, or copy it by that reference under another name",
    )
