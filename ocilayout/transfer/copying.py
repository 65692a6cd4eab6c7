"""Copies: tags or digests of a source, with all that they reach, into a target.

A copy carries blobs and plain descriptors. The annotations of an entry cannot travel: no function
of this module ever holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ocilayout.errors import InvalidNameError, OciLayoutError, some
from ocilayout.layout import (
    Layout,
    arriving_name,
    entries_of,
    resolve_for,
    target_names,
    thread_pool,
)
from ocilayout.model import (
    AT_A_TIME,
    DEFAULT_LIMITS,
    Limits,
    Remote,
    is_tag,
    require_ref_name,
    with_referrers,
)
from ocilayout.signature import checked
from ocilayout.transfer.event import ignore
from ocilayout.transfer.left_behind import LeftBehind
from ocilayout.transfer.missing import require_chosen
from ocilayout.transfer.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor

    from ocilayout.model import Descriptor, Digest, Platform, Source
    from ocilayout.transfer.event import Report

_MOST_ASKED: Final = 50
"""For how many digests a registry is asked, to find out what was left behind."""

JOBS: Final = 4
"""How many transfers run at a time by default."""


@checked
def copy(  # noqa: PLR0913 # each is an option by its name
    source: Source,
    ref: str,
    target: Layout | Remote,
    *,
    name: str | None = None,
    platform: Platform | str | None = None,
    referrers: bool = False,
    sparse: bool = False,
    jobs: int = JOBS,
    on_event: Report | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Descriptor:
    """Copy a manifest, an index or a blob with all that it reaches, and tag it in the target.

    Between two repositories of one registry, blobs are mounted rather than sent, if the registry
    can do that.

    Args:
        source: A `Layout`, an `Archive`, a `DockerArchive` or a `Repository`.
        ref: A name, a full name, a digest or `NAME@DIGEST` in the source.
        target: A `Layout` or a `Repository`.
        name: The tag in the target. By default `ref` if that is a name or a full name, NAME for
            `NAME@DIGEST`, and no tag for a digest. A tag that points to this content already
            stays as it is, with its annotations.
        platform: Copy the manifest for this platform alone, without the index that leads to it:
            a `Platform`, or text that `Platform.parse` reads, such as `linux/arm64`. Entries of a
            layout that have one name for several platforms are such an index together.
        referrers: Copy the referrers of every manifest that is copied, and their referrers:
            signatures, bills of materials and such. In a layout they become untagged entries.
            Referrers that are listed and missing are left out.
        sparse: Leave out what an index lists and the source does not have whole, such as the other
            platforms of an image that `docker save` wrote; the index stays as it is.
        jobs: How many transfers run at a time.
        on_event: Called for every step, from several threads if there are several jobs. It is also
            told of content of the source that is named where a document is not understood, and
            was not copied.
        limits: Bounds on the size and the number of documents.

    Returns:
        A plain descriptor of the copied content.

    Raises:
        InvalidNameError: The target cannot have this tag: it is outside the ref.name grammar for a
            layout, or is not a valid tag for a repository. Nothing was copied.
        ReferenceNotFoundError: The source does not have the reference, or nothing for the platform.
        AmbiguousReferenceError: The reference means entries of different content, or the tag does
            in the target.
        BlobNotFoundError: The source lacks a blob or a manifest.
        IntegrityError: A blob or a manifest differs from its descriptor. It was not stored.
        DocumentError: A manifest breaks the specification.
        LimitExceededError: A document is too large, or there are too many.
        RegistryError: A registry failed or refused.
        OSError: The file system failed.

    Spec: considerations:no-change, descriptor:data-intact, descriptor:download,
        image-index:unknown-entries, manifest:unknown-artifact-type, manifest:unknown-config-type,
        manifest:unknown-layers, manifest:layer-types.
    """
    found = copy_all(
        source,
        {ref: name},
        target,
        platform=platform,
        referrers=referrers,
        sparse=sparse,
        jobs=jobs,
        on_event=on_event,
        limits=limits,
    )
    return found[ref]


@checked
def copy_all(  # noqa: PLR0913 # as for `copy`
    source: Source,
    names: Iterable[str] | Mapping[str, str | None] | None,
    target: Layout | Remote,
    *,
    platform: Platform | str | None = None,
    referrers: bool = False,
    sparse: bool = False,
    jobs: int = JOBS,
    on_event: Report | None = None,
    on_error: Callable[[str, OciLayoutError], None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Descriptor]:
    """Copy several references as `copy` does, faster than one by one.

    They are taken some dozens at a time. If one of these fails, none of them is tagged; those
    before have their tags, and what was stored is not transferred again by the next call.

    Args:
        source: A `Layout`, an `Archive`, a `DockerArchive` or a `Repository`.
        names: References in the source. A mapping gives the tag of each in the target, `None`
            as for `copy`. `None` for all entries of a layout or an archive, tagged or not, and all
            tags of a repository; an entry whose reference name is missing or ambiguous goes by its
            full name.
        target: A `Layout` or a `Repository`.
        platform: As for `copy`.
        referrers: As for `copy`.
        sparse: As for `copy`.
        jobs: How many transfers run at a time.
        on_event: As for `copy`.
        on_error: Called with each reference that cannot be copied, and the error; the others are
            copied all the same. By default the first error ends the copy.
        limits: As for `copy`, for the references that are taken at a time.

    Returns:
        A plain descriptor of each that was copied, by its reference in the source.

    Raises:
        TypeError: An argument has another type, as one string has where names are taken.
        AmbiguousReferenceError: All entries are copied, and some have one reference name for
            different content, without full names that tell them apart. Nothing was copied.
        OciLayoutError: As for `copy`.
        OSError: The file system failed.

    Spec: annotations:same-name.
    """
    names = _names(source, names, platform)
    if on_error is None:
        _require_names(target, names.values())
    else:
        names = _allowed_names(target, names, on_error)
    done: dict[str, Descriptor] = {}
    left = LeftBehind(remote=isinstance(source, Remote))
    report = on_event or ignore

    def copy_some(some: list[str], workers: Executor) -> None:
        plan = Plan(source, target, workers, report, limits, sparse=sparse)

        def find(ref: str) -> tuple[Descriptor, list[Descriptor]]:
            root = resolve_for(source, ref, platform, resolve=plan.resolve, read=plan.load)
            require_chosen(ref, root, platform, plan.read_if_there)
            if not referrers:
                return root, []
            found = with_referrers(root, plan.read_if_there, source.referrers, limits=limits)
            return root, found[1:]

        found = dict(zip(some, workers.map(find, some), strict=True))
        named = [(names[ref], found[ref][0]) for ref in some]
        others = [other for _, more in found.values() for other in more]
        left.note_entries(entries_of(source, [*some, *(other.digest for other in others)]))
        plan.run(named, others)
        plan.note_named(left)
        done.update((ref, root.plain()) for ref, (root, _) in found.items())

    with thread_pool(jobs) as workers:
        in_batches(names, lambda some: copy_some(some, workers), on_error)
    for event in left.events(source.blobs, _has(target)):
        report(event)
    return done


def in_batches(
    refs: Iterable[str],
    do: Callable[[list[str]], None],
    on_error: Callable[[str, OciLayoutError], None] | None = None,
) -> None:
    """Call a function with some dozens of references at a time.

    Args:
        refs: The references.
        do: The function. If it fails for several references, it is called with each of these alone.
        on_error: As for `copy_all`.

    Raises:
        OciLayoutError: The function raised it, and there is no `on_error`.
    """
    every = list(refs)
    for start in range(0, len(every), AT_A_TIME):
        batch = every[start : start + AT_A_TIME]
        try:
            do(batch)
        except OciLayoutError as error:
            if on_error is None:
                raise
            if len(batch) == 1:
                on_error(batch[0], error)
                continue
            for ref in batch:
                in_batches([ref], do, on_error)


def transfer(
    source: Source,
    root: Descriptor,
    target: Layout | Remote,
    *,
    jobs: int = JOBS,
    on_event: Report | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Transfer content with all that it reaches, without tagging it.

    Content whose root is in the target and whose parts are missing is completed. Arguments and
    errors are those of `copy`.
    """
    left = LeftBehind(remote=isinstance(source, Remote))
    report = on_event or ignore
    with thread_pool(jobs) as workers:
        plan = Plan(source, target, workers, report, limits)
        plan.carry_out([root])
        plan.note_named(left)
    for event in left.events(source.blobs, _has(target)):
        report(event)


def _has(target: Layout | Remote) -> Callable[[Digest], bool]:
    """Return a test for digests in the target, which asks a registry a few times only."""
    if isinstance(target, Layout):
        return target.blobs.__contains__
    asked: set[Digest] = set()

    def has(digest: Digest) -> bool:
        asked.add(digest)
        if len(asked) > _MOST_ASKED:
            return False
        try:  # the digest may be that of a blob or of a manifest
            return digest in target.blobs or bool(target.resolve(digest))
        except (OciLayoutError, OSError):
            return False

    return has


def _names(
    source: Source,
    names: Iterable[str] | Mapping[str, str | None] | None,
    platform: Platform | str | None,
) -> dict[str, str | None]:
    """Return the tag of each in the target, by its reference in the source."""
    chosen = target_names(source, names, platform)
    if isinstance(names, Mapping):  # where `None` is the default name, not no tag
        return {ref: name or arriving_name(source, ref) for ref, name in chosen.items()}
    return chosen


def _allowed_names(
    target: Layout | Remote,
    names: Mapping[str, str | None],
    on_error: Callable[[str, OciLayoutError], None],
) -> dict[str, str | None]:
    """Return the references whose names the target can have; the others are reported."""
    allowed = {}
    for ref, name in names.items():
        try:
            _require_names(target, [name])
        except InvalidNameError as error:
            on_error(ref, error)
        else:
            allowed[ref] = name
    return allowed


def _require_names(target: Layout | Remote, names: Iterable[str | None]) -> None:
    """Raise an error for names that the target cannot have, before anything is sent."""
    written = [name for name in names if name is not None]
    if isinstance(target, Layout):
        for name in written:
            require_ref_name(name, strict=target.strict_names)
        return
    bad = [name for name in written if not is_tag(name)]
    if bad:
        raise InvalidNameError(
            f"a registry cannot have these as tags: {some(map(repr, bad))}; copy each by itself"
            " and give it a tag"
        )
