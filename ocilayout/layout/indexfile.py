"""The file `index.json`: read without a lock, replaced under one.

Writers in any number of processes and threads take turns by the lock of `lockfile`. Each reads the
file again under the lock and applies its changes to the document as it is then, so no writer undoes
the changes of another. The file is replaced by a rename, so a reader needs no lock and sees the old
document or the new one.

Some programs write without the lock, and in place. So a document that does not parse is read again
for a while, and a writer replaces the file only if it is still the one that was read. Between that
look and the rename a change by such a program can be lost.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ocilayout.errors import DocumentError, LimitExceededError, LockTimeoutError, read_from
from ocilayout.layout import clock, lockfile
from ocilayout.layout.disk import acting, open_regular
from ocilayout.layout.newfile import new_file
from ocilayout.layout.rootindex import MAX_ROOT_INDEX, RootIndex
from ocilayout.model import require_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

_POLL: Final = 0.005
"""The time between two reads of a document that does not parse, in seconds."""

_TORN_READ: Final = 1.0
"""How long a document that does not parse is read again, in seconds: another program may be writing
it in place, and have written a part."""

# Of a document that was written in part: it is not JSON, ends within a character, or is empty.
_TORN_CODES: Final = frozenset({"bad-json", "bad-encoding", "wrong-type"})

# A snapshot is used as long as the identity of the file is the same. Two changes within one tick of
# the file system's clock that keep the size have the same times, and a write in place keeps the
# inode. So no snapshot is kept of a file that changed just now: the next call parses it again. git
# calls this problem "racy", and solves it in the same way.
_RACY: Final = 0.1
"""How old the times of a file must be to show later changes, in seconds: the ticks of most file
systems are 1 to 10 ms long."""

_COARSE: Final = 2.1
"""The same for times that are whole seconds: those of FAT tick every two seconds, others every
second. A precise time that is a whole second by chance costs one more parse."""

_SECOND: Final = 1_000_000_000

_Identity = tuple[int, int, int, int]
"""The inode of a file, its size in bytes, and when it was written and when it changed last, in
nanoseconds. The latter cannot be set back, as `cp -p` and `rsync -a` do with the former."""


class IndexFile:
    """The root index of one layout on disk.

    Attributes:
        durable: Whether a write is forced onto the disk before it counts.
        name_annotations: As for `Layout.open`; so is the time to wait for the lock.

    Spec: image-layout:index-json, image-layout:writers.
    """

    def __init__(self, root: Path, *, durable: bool, lock_timeout: float) -> None:
        self._root = root
        self._path = root / "index.json"
        self.durable = durable
        self._lock_timeout = lock_timeout
        self.name_annotations: frozenset[str] = frozenset()
        self._snapshot: tuple[_Identity, RootIndex] | None = None

    def snapshot(self) -> RootIndex:
        """Return the document as it is now, to be read; the caller must not edit it.

        It is parsed only if the file changed since the last call.

        Raises:
            DocumentError: The document does not parse, not even after a while.
            LimitExceededError: It is too large.
            FileNotFoundError: There is no `index.json`.
        """
        snapshot = self._snapshot
        if snapshot is not None and snapshot[0] == self._identity():
            return snapshot[1]
        now = clock.now()
        identity, document = self._read()
        # `now` is from before the read, as the file may have changed in the meantime.
        self._snapshot = None if _is_racy(identity, now) else (identity, document)
        return document

    def fresh(self) -> RootIndex:
        """Return the document as `snapshot` does, but parsed again, so that it may be edited."""
        return self._read()[1]

    def locked(self) -> AbstractContextManager[None]:
        """Hold the writer lock."""
        return lockfile.locked(self._root, timeout=self._lock_timeout)

    def edit(
        self,
        change: Callable[[RootIndex], None],
        *,
        check: Callable[[RootIndex], None],
        after: Callable[[], None],
    ) -> None:
        """Apply a change to the document as it is now, and replace the file.

        Args:
            change: Edits the document; called again if a writer without the lock changed the file
                meanwhile.
            check: Called under the lock with the edited document before it is written; raises an
                error if it must not be written.
            after: Called under the lock after the file was replaced.

        Raises:
            LockTimeoutError: Other writers held the lock for too long.
            DocumentError: The document does not parse. The file stays as it is.
            LimitExceededError: It would become too large to be read. The file stays as it is.
            OSError: The file system refused.
            Exception: An error of `change` or `check`. The file stays as it is.
        """
        with self.locked():
            deadline = time.monotonic() + self._lock_timeout
            while True:
                identity, document = self._read()
                change(document)
                check(document)
                if not document.changed or self._replace(identity, document):
                    break
                if time.monotonic() > deadline:
                    raise LockTimeoutError(
                        f"{self._path} was rewritten without the lock, again and again; stop the"
                        " program that does it, and try again"
                    )
            after()

    def rehearse(
        self, change: Callable[[RootIndex], None], *, check: Callable[[RootIndex], None]
    ) -> None:
        """Do what `edit` does, but lock and write nothing.

        Raises:
            DocumentError: The document does not parse.
            LimitExceededError: It would become too large to be read.
            OSError: The file system refused.
            Exception: An error of `change` or `check`.
        """
        document = self.fresh()
        change(document)
        check(document)
        document.encode()

    def _read(self) -> tuple[_Identity, RootIndex]:
        begun = time.monotonic()
        deadline = begun + _TORN_READ
        last: _Identity | None = None
        while True:
            identity, data = self._load()
            try:
                return identity, RootIndex(data, name_annotations=self.name_annotations)
            except DocumentError as error:
                now = time.monotonic()
                if last not in (None, identity):  # the writer makes progress, so it gets more time
                    deadline = min(now + _TORN_READ, begun + max(self._lock_timeout, _TORN_READ))
                last = identity
                torn = {problem.code for problem in error.problems} <= _TORN_CODES
                # An old file is damaged, and not half-written.
                written = clock.now() - identity[2] / _SECOND < _TORN_READ
                if not (torn and written) or now > deadline:
                    raise error.read_from(str(self._path)) from None
                time.sleep(_POLL)
            except LimitExceededError as error:
                raise error.read_from(str(self._path)) from None

    def _load(self) -> tuple[_Identity, bytes]:
        with (
            acting("read", self._path),
            os.fdopen(open_regular(self._path, follow=True), "rb") as file,
        ):
            # Of the open file: the path may lead to a newer file already.
            identity = _identity_of(os.fstat(file.fileno()))
            with read_from(str(self._path)):
                require_length(identity[1], MAX_ROOT_INDEX)  # before it fills the memory
            return identity, file.read(identity[1] + 1)

    def _replace(self, identity: _Identity, document: RootIndex) -> bool:
        temporary = f"index.json.{os.getpid()}-{secrets.token_hex(8)}.tmp"
        with acting("read", self._path):
            old = self._path.stat()
        data = document.encode()
        with (
            _explaining_space(len(data)),
            new_file(self._path, temporary, root=self._root, like=old) as new,
        ):
            new.write(data)
            if self.durable:
                new.force()
            if self._identity() != identity:
                return False
            new.place(durable=self.durable)
        return True

    def _identity(self) -> _Identity:
        with acting("read", self._path):
            return _identity_of(self._path.stat())


@contextmanager
def _explaining_space(size: int) -> Iterator[None]:
    """Let the error of a full disk say how an edit can be made that would free space.

    The old file is never overwritten in place to do without space: a process that is killed
    meanwhile would leave an index that cannot be read.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            error.strerror = (
                f"{error.strerror}; the index stays as it was, and nothing is deleted before a new"
                f" one is written. Free {size} bytes elsewhere, or collect garbage, which needs no"
                " space to delete what no entry reaches"
            )
        raise


def _identity_of(status: os.stat_result) -> _Identity:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _is_racy(identity: _Identity, now: float) -> bool:
    return any(
        abs(now - at / _SECOND) < (_RACY if at % _SECOND else _COARSE) for at in identity[2:]
    )
