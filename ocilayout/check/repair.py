"""The repair of a layout: what can be repaired without guessing, and a report of it.

Blobs that verify are not moved, named entries are not touched except for exact repetitions, and
content is never deleted: damaged blobs go to `quarantine/`, where readers do not look. Entries are
kept where their content may only be away for now, such as on a disk that is not mounted. All other
problems are left to a person who knows what was meant.
"""

from __future__ import annotations

import os
import stat
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field, frozen

from ocilayout.check import probe
from ocilayout.check.fsck import OnHash, iter_left, iter_problems
from ocilayout.check.probe import Outlook, path_text, place_of, referrers_among
from ocilayout.errors import (
    DocumentError,
    IntegrityError,
    LimitExceededError,
    Problem,
    UnsupportedDigestError,
)
from ocilayout.layout import (
    Blobs,
    File,
    OwnFolders,
    cannot_exist,
    describe,
    entry_digest,
    fsync,
    is_worth_keeping,
    make_folders,
    open_regular,
    temporary_files,
)
from ocilayout.model import OCTET_STREAM, Descriptor, Digest, dump_json

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    from ocilayout.layout import IndexFile, RootIndex, TemporaryFile

_DAMAGE: Final = frozenset({"digest-mismatch", "irregular-blob"})
_UNREAD: Final = frozenset({"missing-index", "unreadable-file"})
_HASHED: Final = frozenset({"digest-mismatch", "unreadable-file"})
_ENTRIES: Final = frozenset({"duplicate-entry", "dangling-entry", "unlisted-referrer"})
_FILES: Final = frozenset({"leftover", "missing-blobs-folder"})


@frozen(kw_only=True)
class Action:
    """One action of a repair, done or to be done.

    Attributes:
        code: The code of the problem that it solves.
        place: The place of the problem, relative to the layout.
        message: One sentence for a person.
    """

    code: str
    place: str
    message: str


@frozen(kw_only=True)
class RepairReport:
    """What a repair did, and what remains.

    Attributes:
        actions: The actions that were done, or would be, in this order.
        remaining: The problems that remain, or would.
    """

    actions: tuple[Action, ...]
    remaining: tuple[Problem, ...]


def repair_folder(
    root: Path,
    indexfile: IndexFile,
    blobs: Blobs,
    *,
    dry_run: bool = False,
    on_hash: OnHash | None = None,
) -> RepairReport:
    """Repair what can be repaired without guessing.

    - Entries are dropped that repeat another exactly, and untagged ones whose blob is missing and
      not in quarantine; not if they have `data`, `urls` or unknown properties, or if the layout has
      no blob of their algorithm.
    - Manifests that stay for their subject alone become untagged entries.
    - A missing folder `blobs` is created.
    - A symbolic link to the right content is replaced by a copy; a dangling link stays.
    - Damaged blobs, and anything else in the place of one, move to `quarantine/`, except in folders
      of blobs that are symbolic links, which belong to others.
    - Temporary files left behind by writers that died are removed.

    An index that does not parse is never touched, and a folder with neither `oci-layout` nor
    `index.json` is not taken for a broken layout. Where the file system refuses, the problem
    remains and says why, and the rest is done. A second repair finds nothing to do.

    Blobs are hashed without the lock, `on_hash` being told as by `iter_problems`, and checked again
    under it before they are changed. A dry run reports what would be done.

    Raises:
        LockTimeoutError: Another writer held the lock for too long.
        OSError: The folder cannot be read, or the lock cannot be taken.

    Spec: image-layout:blobs-folder, image-layout:blob-content.
    """
    before = tuple(iter_problems(root, on_hash=on_hash))
    if {"missing-header", "missing-index"} <= {problem.code for problem in before}:
        return RepairReport(actions=(), remaining=before)
    work = _Repair(root, indexfile, blobs, dry_run=dry_run)
    actions = work.files(before)
    left = work.left(before, actions)
    if more := work.entries(left):
        actions += more
        left = work.left(before, actions)
    return RepairReport(actions=tuple(actions), remaining=tuple(map(work.explained, left)))


@define
class _Repair:
    """One repair of a layout."""

    root: Path
    indexfile: IndexFile
    blobs: Blobs
    dry_run: bool = field(kw_only=True)
    _index: bytes | None = field(default=None, init=False)
    _moved: set[Digest] = field(factory=set, init=False)
    _copied: set[Digest] = field(factory=set, init=False)
    _refused: dict[str, str] = field(factory=dict, init=False)

    def entries(self, left: Iterable[Problem]) -> list[Action]:
        """Drop entries from the root index, and add those of unlisted referrers.

        Args:
            left: The problems that remain after its files were repaired.
        """
        if any(p.place == "index.json" and p.code in _UNREAD for p in left):
            return []
        unlisted = [_digest_at(p.place) for p in left if p.code == "unlisted-referrer"]
        try:
            index = self.indexfile.fresh()
            actions = self._change_entries(index, unlisted)
            self._index = index.encode() if actions else None
        except (DocumentError, LimitExceededError):
            return []
        if actions and not self.dry_run:

            def change(index: RootIndex) -> None:
                actions[:] = self._change_entries(index, unlisted)

            try:
                self.indexfile.edit(change, check=lambda _: None, after=lambda: None)
            except OSError as error:
                self._refused["index.json"] = _why(error)
                return []
        return actions

    def files(self, before: tuple[Problem, ...]) -> list[Action]:
        """Create `blobs`, replace or move damaged blobs, remove temporary files."""
        damaged = [_digest_at(problem.place) for problem in before if problem.code in _DAMAGE]
        absent = any(problem.code == "missing-blobs-folder" for problem in before)
        if not (damaged or absent or any(p.code == "leftover" for p in before)):
            return []
        with nullcontext() if self.dry_run else self.indexfile.locked():
            actions = list(self._tried("blobs", self._restore())) if absent else []
            for digest in damaged:
                actions.extend(self._tried(place_of(digest), self._replace(digest)))
            for leftover in temporary_files(self.root):
                place = path_text(leftover.place)
                actions.extend(self._tried(place, self._sweep(leftover)))
        return actions

    def left(self, before: tuple[Problem, ...], actions: list[Action]) -> list[Problem]:
        """Return the problems that remain after some actions, or would."""
        done = {(action.code, action.place) for action in actions}
        if not (actions or self._refused):
            return list(before)
        # Positions of entries have changed, and quarantined blobs are missing now. The results of
        # hashing still hold.
        hashed = [p for p in before if p.code in _HASHED and (p.code, p.place) not in done]
        wrong = (_digest_at(p.place) for p in hashed if p.code == "digest-mismatch")
        outlook = Outlook(wrong=frozenset(wrong))
        if self.dry_run:
            moved, copied = frozenset(self._moved), frozenset(self._copied)
            outlook = evolve(outlook, index=self._index, moved=moved, copied=copied)
        left = list(iter_left(self.root, outlook))
        known = set(left)
        left += [problem for problem in hashed if problem not in known]
        if self.dry_run:
            left = [p for p in left if p.code not in _FILES or (p.code, p.place) not in done]
        return left

    def _tried(self, place: str, actions: Iterator[Action]) -> Iterator[Action]:
        """Give actions until the file system refuses one, and remember why it did."""
        try:
            yield from actions
        except OSError as error:
            self._refused[place] = _why(error)

    def explained(self, problem: Problem) -> Problem:
        """Add to a problem why its repair failed, if it was tried."""
        place = "index.json" if problem.code in _ENTRIES else problem.place
        why = self._refused.get(place)
        if why is None or problem.code not in _DAMAGE | _FILES | _ENTRIES:
            return problem
        return evolve(problem, message=f"{problem.message}; {why}")

    def _change_entries(self, index: RootIndex, unlisted: Iterable[Digest]) -> list[Action]:
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
        """Return the descriptor of a referrer; `None` if it can no longer be read."""
        try:
            referrers = referrers_among([digest], self.blobs)
            return next((descriptor for _, descriptor in referrers), None)
        except OSError:
            return None

    def _prune(self, index: RootIndex) -> list[Action]:
        actions: list[Action] = []
        seen: set[bytes] = set()
        # Where all blobs of an algorithm are absent, their disk may only not be mounted.
        there = self._algorithms()
        for position, entry in tuple(index.raw_entries()):
            text = dump_json(entry)
            code = None
            if text in seen:
                code = "duplicate-entry"
            elif not is_worth_keeping(entry) and self._is_gone(entry_digest(entry), there):
                code = "dangling-entry"
            seen.add(text)
            if code is not None:
                place = f"index.json$.manifests[{position}]"
                message = f"drops the entry of {entry_digest(entry)}"
                actions.append(Action(code=code, place=place, message=message))
                index.drop_at(position)
        return actions

    def _is_gone(self, text: str, there: Container[str]) -> bool:
        """Tell whether content is missing and not in quarantine, though its algorithm has blobs."""
        try:
            digest = Digest.parse(text)
            return cannot_exist(digest) or (
                digest.algorithm in there
                and probe.status(self.blobs.path(digest)) is None
                and probe.status(self.blobs.quarantine_path(digest)) is None
            )
        except (DocumentError, OSError):  # the file system cannot tell
            return False

    def _algorithms(self) -> set[str]:
        """Return the algorithms of which the layout has at least one blob."""
        with suppress(OSError), os.scandir(self.root / "blobs") as found:
            return {folder.name for folder in found if self._has_blob(folder.name)}
        return set()

    def _has_blob(self, algorithm: str) -> bool:
        with suppress(OSError), os.scandir(self.root / "blobs" / algorithm) as found:
            for file in found:
                with suppress(DocumentError):
                    digest = Digest.parse(f"{algorithm}:{file.name}")
                    if digest in self._copied:
                        return True
                    if digest not in self._moved and file.is_file(follow_symlinks=False):
                        return True
        return False

    def _restore(self) -> Iterator[Action]:
        folder = self.root / "blobs"
        if os.path.lexists(folder):
            return
        if not self.dry_run:
            make_folders(self.root, "blobs")
            self._sync(self.root)
        yield Action(code="missing-blobs-folder", place="blobs", message="creates the folder")

    def _replace(self, digest: Digest) -> Iterator[Action]:
        """Replace a link to the right content by a copy, and quarantine any other damage."""
        path = self.blobs.path(digest)
        if path.is_symlink() and not self._is_shared(path):
            try:
                whole = _has_target(path, digest)
            except (OSError, UnsupportedDigestError):  # its target may only be away for now
                return
            if whole:
                yield from self._copy(digest)
                return
        for action in self._quarantine(digest):
            self._moved.add(digest)
            yield action

    def _copy(self, digest: Digest) -> Iterator[Action]:
        """Replace a link by a copy of its target."""
        if not self.dry_run:
            path = self.blobs.path(digest)
            with File(open_regular(path, follow=True), "rb", str(path)) as file:
                size = os.fstat(file.fileno()).st_size
                right = Descriptor(media_type=OCTET_STREAM, digest=digest, size=size)
                try:
                    # Not with `blobs`, which may follow links and take the link for the blob.
                    Blobs(self.root).put(file, media_type=right.media_type, expected=right)
                except IntegrityError:  # another process changed it meanwhile
                    return
            if self.indexfile.durable:
                self.blobs.sync([digest])
        self._copied.add(digest)
        message = "replaces the link by a copy"
        yield Action(code="irregular-blob", place=place_of(digest), message=message)

    def _is_shared(self, path: Path) -> bool:
        """Tell whether a folder of blobs is a symbolic link, and so shared with other layouts."""
        return path.parent.is_symlink() or path.parent.parent.is_symlink()

    def _quarantine(self, digest: Digest) -> Iterator[Action]:
        path = self.blobs.path(digest)
        before = probe.status(path)
        if before is None or not _is_damaged(path, digest, before):
            return
        after = probe.status(path)
        # A put, which takes no lock, may have stored the right content while this was hashed.
        if after is None or after.st_ino != before.st_ino:
            return
        with OwnFolders(self.root) as folders:
            source = folders.of("blobs", digest.algorithm)
            if source is None:  # a symbolic link, and so shared with other layouts
                return
            top = folders.root
            first = self.blobs.quarantine_path(digest).name
            name, number = first, 0
            with suppress(FileNotFoundError), top.enter("quarantine", make=not self.dry_run) as to:
                while to.status(name) is not None:
                    number += 1
                    name = f"{first}.{number}"
                if not self.dry_run:
                    source.move(digest.encoded, to, name)
                    self._sync(self.root, to.path, source.path)
        code = "digest-mismatch" if stat.S_ISREG(before.st_mode) else "irregular-blob"
        yield Action(code=code, place=place_of(digest), message=f"moves it to quarantine/{name}")

    def _sweep(self, leftover: TemporaryFile) -> Iterator[Action]:
        if not leftover.is_dead():
            return
        if not self.dry_run:
            leftover.remove()
        yield Action(code="leftover", place=path_text(leftover.place), message="removes it")

    def _sync(self, *folders: Path) -> None:
        if self.indexfile.durable:
            for folder in folders:
                fsync(folder)


def _is_damaged(path: Path, digest: Digest, status: os.stat_result) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return True
    try:
        return probe.fingerprint(path, digest.algorithm) != digest
    except OSError:  # an unreadable blob may be whole
        return False


def _why(error: OSError) -> str:
    return f"it could not be repaired: {describe(error)}"


def _has_target(link: Path, digest: Digest) -> bool:
    """Tell whether the target of a link is the content of a digest.

    Raises:
        OSError: The target is missing or cannot be read.
        UnsupportedDigestError: The algorithm cannot be computed here.
    """
    if not stat.S_ISREG(link.stat().st_mode):
        return False
    return probe.fingerprint(link, digest.algorithm, follow=True) == digest


def _digest_at(place: str) -> Digest:
    _, algorithm, encoded = place.split("/")
    return Digest.parse(f"{algorithm}:{encoded}")
