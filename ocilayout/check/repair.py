"""What can be mended in a layout without guessing, and a report of what was.

Nothing that verifies is moved, no named entry is touched but for exact repetitions, and no content
is ever deleted: what is damaged goes to `quarantine/`, where no reader looks. Nothing is dropped
for content that may only be away for now, such as that of a disk which is not mounted. What else
`check` finds takes a person who knows what was meant.
"""

from __future__ import annotations

import os
import stat
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout import clock
from ocilayout.blobs import Blobs
from ocilayout.check import probe
from ocilayout.check.fsck import iter_problems
from ocilayout.check.holding import printable
from ocilayout.check.survey import place_of
from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest
from ocilayout.disk import fsync, make_folder
from ocilayout.errors import (
    DocumentError,
    LimitExceededError,
    Problem,
    UnsupportedDigestError,
)
from ocilayout.ijson import dump
from ocilayout.leftover import leftovers
from ocilayout.mediatype import OCTET_STREAM
from ocilayout.reach import subjects
from ocilayout.realfolder import OwnFolders
from ocilayout.rootentry import entry_digest, is_named

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    from ocilayout.indexfile import IndexFile
    from ocilayout.rootindex import RootIndex

_DAMAGE: Final = frozenset({"digest-mismatch", "irregular-blob"})
_UNREAD: Final = frozenset({"missing-index", "unreadable-file"})
_HASHED: Final = frozenset({"digest-mismatch", "unreadable-file"})


@frozen(kw_only=True)
class Action:
    """One thing that a repair did, or would do.

    Attributes:
        code: The code of the problem that it ends.
        place: Where that was before, relative to the layout.
        message: One sentence for a person.
    """

    code: str
    place: str
    message: str


@frozen(kw_only=True)
class RepairReport:
    """What a repair did, and what it left.

    Attributes:
        actions: What was done, or would be, in this order.
        remaining: The problems that are left; of a dry run, those that no action is about.
    """

    actions: tuple[Action, ...]
    remaining: tuple[Problem, ...]


def repair(
    root: Path, indexfile: IndexFile, blobs: Blobs, *, dry_run: bool = False
) -> RepairReport:
    """Mend what can be mended without guessing.

    Entries that repeat another exactly go, as do untagged ones whose blob is missing and is not in
    quarantine; but where no blob of an algorithm is there at all, the entries of its blobs stay.
    Manifests that stay for their subject alone become untagged entries. A folder `blobs` that is
    missing is made. In the place of a symbolic link to the right content comes a copy of that; a
    link that leads nowhere stays. Blobs that are damaged, and anything else that is not a regular
    file in the place of one, move to `quarantine/`; folders of blobs that are symbolic links belong
    to others and are left alone. Temporary files of dead writers go. An index that does not parse
    is never touched, and a folder with neither `oci-layout` nor `index.json` is not a layout that
    was broken. A second repair finds nothing to do.

    Blobs are hashed without a lock; whatever is changed is looked at again under it.

    Args:
        root: The folder of the layout.
        indexfile: Its root index.
        blobs: Its content.
        dry_run: Whether to change nothing, and say what would be done.

    Raises:
        LockTimeoutError: Another writer held the lock for too long.
        OSError: The folder cannot be read, or the file system refused a change.

    Spec: image-layout:blobs-folder, image-layout:blob-content.
    """
    before = tuple(iter_problems(root))
    if {"missing-header", "missing-index"} <= {problem.code for problem in before}:
        return RepairReport(actions=(), remaining=before)
    work = _Repair(root, indexfile, blobs, dry_run=dry_run)
    actions = [*work.entries(before), *work.files(before)]
    covered = {action.place for action in actions}
    left = [problem for problem in before if not _is_covered(problem.place, covered)]
    if actions and not dry_run:
        # Positions of entries have changed, and what was quarantined is missing now. What the
        # hashes told is still so.
        hashed = [problem for problem in left if problem.code in _HASHED]
        left = list(iter_problems(root, content=False))
        left += [problem for problem in hashed if problem not in left]
    return RepairReport(actions=tuple(actions), remaining=tuple(left))


class _Repair:
    """One repair of a layout."""

    def __init__(self, root: Path, indexfile: IndexFile, blobs: Blobs, *, dry_run: bool) -> None:
        self._root = root
        self._indexfile = indexfile
        self._blobs = blobs
        self._dry_run = dry_run

    def entries(self, before: tuple[Problem, ...]) -> list[Action]:
        """Drop entries from the root index, and add those of unlisted referrers."""
        if any(p.place == "index.json" and p.code in _UNREAD for p in before):
            return []
        unlisted = [_digest_at(p.place) for p in before if p.code == "unlisted-referrer"]
        try:
            actions = self._mend(self._indexfile.fresh(), unlisted)
        except (DocumentError, LimitExceededError):
            return []
        if actions and not self._dry_run:

            def change(index: RootIndex) -> None:
                actions[:] = self._mend(index, unlisted)

            self._indexfile.edit(change, check=lambda _: None, after=lambda: None)
        return actions

    def files(self, before: tuple[Problem, ...]) -> list[Action]:
        """Make what is missing, move what is damaged, remove what was left over."""
        damaged = [_digest_at(problem.place) for problem in before if problem.code in _DAMAGE]
        absent = any(problem.code == "missing-blobs-folder" for problem in before)
        if not (damaged or absent or any(p.code == "leftover" for p in before)):
            return []
        with nullcontext() if self._dry_run else self._indexfile.locked():
            actions = list(self._restore()) if absent else []
            for digest in damaged:
                actions.extend(self._replace(digest))
            actions.extend(self._sweep())
        return actions

    def _mend(self, index: RootIndex, unlisted: Iterable[Digest]) -> list[Action]:
        actions = self._prune(index)
        for digest in unlisted:
            descriptor = self._describe(digest)
            if descriptor is not None and not index.of(digest):
                message = "makes it an untagged entry"
                actions.append(
                    Action(code="unlisted-referrer", place=place_of(digest), message=message)
                )
                index.add(descriptor)
        return actions

    def _describe(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor of a referrer; `None` if it is no longer there."""
        return next((one for _, one in subjects([digest], self._blobs)), None)

    def _prune(self, index: RootIndex) -> list[Action]:
        actions: list[Action] = []
        seen: set[bytes] = set()
        # Where all blobs are absent, they may lie on a disk that is away for now.
        there = {digest.algorithm for digest in self._blobs}
        for position, entry in tuple(index.raw_entries()):
            text = dump(entry)
            code = None
            if text in seen:
                code = "duplicate-entry"
            elif not is_named(entry) and self._is_gone(entry_digest(entry), there):
                code = "dangling-entry"
            seen.add(text)
            if code is not None:
                place = f"index.json$.manifests[{position}]"
                message = f"drops the entry of {entry_digest(entry)}"
                actions.append(Action(code=code, place=place, message=message))
                index.drop_at(position)
        return actions

    def _is_gone(self, text: str, there: Container[str]) -> bool:
        """Tell whether content is neither here nor in quarantine, though others are here."""
        try:
            digest = Digest(text)
            return (
                digest.algorithm in there
                and probe.status(self._blobs.path(digest)) is None
                and not self._blobs.is_quarantined(digest)
            )
        except (DocumentError, OSError):  # that cannot be told
            return False

    def _restore(self) -> Iterator[Action]:
        folder = self._root / "blobs"
        if os.path.lexists(folder):
            return
        if not self._dry_run:
            make_folder(folder, root=self._root)
            self._sync(self._root)
        yield Action(code="missing-blobs-folder", place="blobs", message="makes the folder")

    def _replace(self, digest: Digest) -> Iterator[Action]:
        """Put a copy in the place of a link to the right content; any other damage is put aside."""
        path = self._blobs.path(digest)
        if not path.is_symlink() or self._is_shared(path):
            yield from self._quarantine(digest)
            return
        try:
            whole = probe.fingerprint(path, digest.algorithm, follow=True) == digest
        except (OSError, UnsupportedDigestError):  # what it leads to may only be away for now
            return
        if not whole:
            yield from self._quarantine(digest)
            return
        if not self._dry_run:
            right = Descriptor(media_type=OCTET_STREAM, digest=digest, size=path.stat().st_size)
            # Not through a handle that follows links, to which the link is the blob.
            Blobs(self._root).put(path, media_type=right.media_type, expected=right)
            if self._indexfile.durable:
                self._blobs.sync([digest])
        message = "puts a copy in the place of the link"
        yield Action(code="irregular-blob", place=place_of(digest), message=message)

    def _is_shared(self, path: Path) -> bool:
        """Tell whether the blobs of a folder are those of others, too."""
        return path.parent.is_symlink() or path.parent.parent.is_symlink()

    def _quarantine(self, digest: Digest) -> Iterator[Action]:
        path = self._blobs.path(digest)
        before = probe.status(path)
        if before is None or not _is_damaged(path, digest, before):
            return
        after = probe.status(path)
        # A put, which takes no lock, may have brought the right content while this was hashed.
        if after is None or after.st_ino != before.st_ino:
            return
        with OwnFolders(self._root) as folders:
            source = folders.of("blobs", digest.algorithm)
            if source is None:  # it is shared with other layouts
                return
            top = folders.root
            first = self._blobs.quarantine_path(digest).name
            name, number = first, 0
            with suppress(FileNotFoundError), top.enter("quarantine", make=not self._dry_run) as to:
                while to.status(name) is not None:
                    number += 1
                    name = f"{first}.{number}"
                if not self._dry_run:
                    source.move(digest.encoded, to, name)
                    self._sync(self._root, to.path, source.path)
        code = "digest-mismatch" if stat.S_ISREG(before.st_mode) else "irregular-blob"
        yield Action(code=code, place=place_of(digest), message=f"moves it to quarantine/{name}")

    def _sweep(self) -> Iterator[Action]:
        now = clock.now()
        for leftover in leftovers(self._root):
            if not leftover.is_dead(now):
                continue
            if not self._dry_run:
                leftover.remove()
            place = printable(leftover.place)
            yield Action(code="leftover", place=place, message="removes it")

    def _sync(self, *folders: Path) -> None:
        if self._indexfile.durable:
            for folder in folders:
                fsync(folder)


def _is_damaged(path: Path, digest: Digest, status: os.stat_result) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return True
    try:
        return probe.fingerprint(path, digest.algorithm) != digest
    except OSError:  # what cannot be read may be whole
        return False


def _digest_at(place: str) -> Digest:
    _, algorithm, encoded = place.split("/")
    return Digest(f"{algorithm}:{encoded}")


def _is_covered(place: str, covered: set[str]) -> bool:
    """Tell whether a problem is at one of some files or entries, or within it."""
    file, _, path = place.partition("$")
    entry = f"{file}${path[: path.find(']') + 1]}"
    return not covered.isdisjoint((place, file, entry))
