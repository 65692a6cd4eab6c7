"""Graphs of content from any source to any target.

What travels is content and plain descriptors. What is noted at an entry of a root index has no
way from here to there: no function of this module ever has it in hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from ocilayout.errors import InvalidNameError, OciLayoutError, some
from ocilayout.layout import Layout, all_names, arriving_name, entries_of, thread_pool
from ocilayout.model import (
    AT_A_TIME,
    DEFAULT_LIMITS,
    Limits,
    is_tag,
    require_ref_name,
    select,
    with_referrers,
)
from ocilayout.transfer.behind import LeftBehind
from ocilayout.transfer.endpoint import (
    CopySource,
    CopyTarget,
    ReadableBlobs,
    RemoteBlobs,
    RemoteSource,
    WritableBlobs,
)
from ocilayout.transfer.event import Event, ignore
from ocilayout.transfer.plan import Plan, means, put_and_bind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ocilayout.model import Descriptor, Digest, Platform
    from ocilayout.transfer.event import Report

__all__ = [
    "CopySource",
    "CopyTarget",
    "Event",
    "Limits",
    "ReadableBlobs",
    "RemoteBlobs",
    "RemoteSource",
    "WritableBlobs",
    "copy",
    "copy_all",
    "means",
    "put_and_bind",
    "transfer",
]

_MOST_ASKED: Final = 50
"""For how many digests a registry is asked, to tell what was left behind."""

JOBS: Final = 4
"""How many transfers run at a time, if nobody says how many."""


def copy(  # noqa: PLR0913 # each is an option by its name
    source: CopySource,
    ref: str,
    target: CopyTarget,
    *,
    name: str | None = None,
    platform: Platform | str | None = None,
    referrers: bool = False,
    jobs: int = JOBS,
    on_event: Report | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Descriptor:
    """Copy what a name or a digest means, with everything that it is made of.

    Between two repositories of one registry blobs are not sent, if it can take them over itself.

    Args:
        source: A `Layout`, an `Archive` or a `Repository`.
        ref: A name or a digest in the source.
        target: A `Layout` or a `Repository`.
        name: What to call it in the target. By default what it was asked for by, if that is a
            name or a full name; NAME of `NAME@DIGEST`; by digest it arrives without one. A name
            that means this content already stays as it is, with its annotations.
        platform: Copy the manifest for this platform alone, without the index that leads to it;
            a text such as `linux/arm64/v8` will do. See `ocilayout.model.platform` for what fits.
        referrers: Copy what refers to any manifest that is copied, too, and what refers to that:
            signatures, bills of materials and such. They arrive in a layout as entries without
            a name. Those that are listed and not there are left out.
        jobs: How many transfers run at a time.
        on_event: Called with every step, from several threads if there are several jobs. It is also
            told what the source has and the copy does not, where content names it in a place that
            is not understood.
        limits: How large and how many the documents may be.

    Returns:
        A plain descriptor of what was copied.

    Raises:
        InvalidNameError: The target cannot have such a name: one outside the ref.name grammar in a
            layout, one that is not a tag in a repository. Nothing was copied.
        ReferenceNotFoundError: The source does not have it, or nothing in it for the platform.
        AmbiguousReferenceError: The reference means entries of different content, or the name does
            in the target.
        BlobNotFoundError: The source does not have all that it is made of.
        IntegrityError: Something is not what its descriptor says. It was not stored.
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
        jobs=jobs,
        on_event=on_event,
        limits=limits,
    )
    return found[ref]


def copy_all(
    source: CopySource,
    names: Iterable[str] | Mapping[str, str | None] | None,
    target: CopyTarget,
    *,
    platform: Platform | str | None = None,
    referrers: bool = False,
    jobs: int = JOBS,
    on_event: Report | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Descriptor]:
    """Copy what several names or digests mean; as `copy` does, but faster than one by one.

    They are taken some dozens at a time. If one of these fails then none of them gets a name;
    what came before has its names, and what was stored is not brought again the next time.

    Args:
        source: A `Layout`, an `Archive` or a `Repository`.
        names: References in the source. A mapping says what each is called in the target, `None`
            as for `copy`. `None` for all entries of a layout or an archive, named or not, and all
            tags of a repository; an entry whose reference name is missing or ambiguous goes by its
            full name.
        target: A `Layout` or a `Repository`.
        platform: As for `copy`.
        referrers: As for `copy`.
        jobs: How many transfers run at a time.
        on_event: As for `copy`.
        limits: As for `copy`, of what is taken at a time.

    Returns:
        A plain descriptor of each, by its reference in the source.

    Raises:
        TypeError: The names are one text.
        AmbiguousReferenceError: All entries are copied, and some have one reference name for
            different content, without full names that tell them apart. Nothing was copied.
        OciLayoutError: As for `copy`.
        OSError: The file system failed.

    Spec: annotations:same-name.
    """
    names = _names(source, names)
    _require_names(target, names.values())
    done: dict[str, Descriptor] = {}
    left = LeftBehind(remote=isinstance(source, RemoteSource))
    report = on_event or ignore
    with thread_pool(jobs) as workers:
        for start in range(0, len(names), AT_A_TIME):
            some = dict(list(names.items())[start : start + AT_A_TIME])
            plan = Plan(source, target, workers, report, limits)

            def find(ref: str, plan: Plan = plan) -> tuple[Descriptor, list[Descriptor]]:
                root = plan.resolve(ref)
                if platform is not None:
                    root = select(root, platform, plan.load)
                if not referrers:
                    return root, []
                found = with_referrers(root, plan.read_if_there, source.referrers, limits=limits)
                return root, found[1:]

            found = dict(zip(some, workers.map(find, some), strict=True))
            named = [(name, found[ref][0]) for ref, name in some.items()]
            others = [other for _, more in found.values() for other in more]
            left.note_entries(entries_of(source, [*some, *(other.digest for other in others)]))
            plan.run(named, others)
            plan.note_named(left)
            done |= {ref: root for ref, (root, _) in found.items()}
    for event in left.events(source.blobs, _has(target)):
        report(event)
    return done


def transfer(
    source: CopySource,
    root: Descriptor,
    target: CopyTarget,
    *,
    jobs: int = JOBS,
    on_event: Report | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Bring content and everything that it is made of, and give it no name.

    What is there already is not brought again, but it is looked at: content whose root is there
    and whose parts are not is completed.

    Args:
        source: A `Layout`, an `Archive` or a `Repository`.
        root: The content.
        target: A `Layout` or a `Repository`.
        jobs: How many transfers run at a time.
        on_event: As for `copy`.
        limits: As for `copy`.

    Raises:
        OciLayoutError: As for `copy`.
        OSError: The file system failed.
    """
    left = LeftBehind(remote=isinstance(source, RemoteSource))
    report = on_event or ignore
    with thread_pool(jobs) as workers:
        plan = Plan(source, target, workers, report, limits)
        plan.carry_out([root])
        plan.note_named(left)
    for event in left.events(source.blobs, _has(target)):
        report(event)


def _has(target: CopyTarget) -> Callable[[Digest], bool]:
    """Return what tells whether a target has content; a registry is asked a few times only."""
    if isinstance(target, Layout):
        return target.blobs.__contains__
    if not isinstance(target.blobs, RemoteBlobs):
        return lambda _: False
    source = cast("RemoteSource", target)  # a repository is both
    asked: set[Digest] = set()

    def has(digest: Digest) -> bool:
        asked.add(digest)
        if len(asked) > _MOST_ASKED:
            return False
        try:  # what is named may be a blob or a manifest
            return digest in source.blobs or bool(source.resolve(digest))
        except (OciLayoutError, OSError):
            return False

    return has


def _names(
    source: CopySource, names: Iterable[str] | Mapping[str, str | None] | None
) -> dict[str, str | None]:
    """Return what each is called in the target, by its reference in the source."""
    if isinstance(names, str):
        raise TypeError(f"names are given one by one; for one, give [{names!r}]")
    if names is None:
        return all_names(source)
    given = names if isinstance(names, Mapping) else dict.fromkeys(names)
    return {ref: name or arriving_name(source, ref) for ref, name in given.items()}


def _require_names(target: CopyTarget, names: Iterable[str | None]) -> None:
    """Refuse names that the target cannot have, before anything is sent."""
    written = [name for name in names if name is not None]
    if isinstance(target, Layout):
        for name in written:
            require_ref_name(name, strict=target.strict_names)
    elif isinstance(target.blobs, RemoteBlobs):
        bad = [name for name in written if not is_tag(name)]
        if bad:
            raise InvalidNameError(
                f"a registry cannot have these as tags: {some(map(repr, bad))}; copy each by itself"
                " and give it a tag"
            )
