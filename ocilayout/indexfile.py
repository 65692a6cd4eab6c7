"""The file `index.json`: read without a lock, replaced under one.

Writers of any number of processes and threads take turns by an exclusive lock on
`index.json.lock`, the name that BuildKit uses, too. Each reads the file afresh under the lock and
applies its changes to what it finds, so no writer undoes what another did. The file is replaced
by a rename, so a reader needs no lock and sees the old document or the new one.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from ocilayout.disk import fsync, write_new
from ocilayout.errors import DocumentError, LockTimeoutError
from ocilayout.rootindex import MAX_ROOT_INDEX, RootIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_POLL: Final = 0.005
"""How often a lock that is taken is asked for again, in seconds."""

_TORN_READ: Final = 1.0
"""How long a document that does not parse is read again, in seconds: somebody who truncates and
writes in place may be half-way. Many do."""

_TORN_CODES: Final = frozenset({"bad-json", "bad-encoding", "wrong-type"})

_RACY: Final = 100_000_000
"""How recently a file must not have changed for its times to tell that it is unchanged, in
nanoseconds: clocks of file systems tick in steps."""

_Identity = tuple[int, int, int]


class IndexFile:
    """The root index of one layout on disk.

    Attributes:
        durable: Whether a write is forced onto the disk before it counts.

    Spec: image-layout:index-json, image-layout:writers.
    """

    def __init__(self, root: Path, *, durable: bool, lock_timeout: float) -> None:
        """Prepare to read and write; nothing is touched yet.

        Args:
            root: The folder of the layout.
            durable: Whether a write is forced onto the disk before it counts.
            lock_timeout: How long to wait for other writers, in seconds.
        """
        self._root = root
        self._path = root / "index.json"
        self.durable = durable
        self._lock_timeout = lock_timeout
        self._snapshot: tuple[_Identity, RootIndex] | None = None

    def snapshot(self) -> RootIndex:
        """Return the document as it is now; it must not be edited.

        It is parsed anew only if the file is another one than last time.

        Raises:
            DocumentError: The file does not parse, also not after a while.
            LimitExceededError: It is too large.
            FileNotFoundError: There is no such file.
        """
        snapshot = self._snapshot
        if snapshot is not None and snapshot[0] == self._identity():
            return snapshot[1]
        now = time.time_ns()
        identity, document = self._read()
        # The times of a file that changed just now would not tell if it changes again at once.
        self._snapshot = None if abs(now - identity[2]) < _RACY else (identity, document)
        return document

    def fresh(self) -> RootIndex:
        """Return the document as it is now; it is nobody else's and may be edited.

        Raises:
            DocumentError: The file does not parse, also not after a while.
            LimitExceededError: It is too large.
            FileNotFoundError: There is no such file.
        """
        return self._read()[1]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the writer lock.

        Raises:
            LockTimeoutError: Others held it for too long.
            OSError: The lock file cannot be made or locked.
        """
        # The lock file stays: whoever unlinks a lock splits those who wait for it. The library
        # tries again if another program unlinked the file between its opening and its locking.
        lock = FileLock(
            self._root / "index.json.lock",
            timeout=self._lock_timeout,
            poll_interval=_POLL,
            thread_local=False,
            fallback_to_soft=False,
            preserve_lock_file=True,
        )
        try:
            lock.acquire()
        except Timeout:
            raise LockTimeoutError(
                f"{self._root / 'index.json.lock'} was held by another writer for"
                f" {self._lock_timeout} seconds; try again, or wait longer with lock_timeout"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def edit(
        self,
        change: Callable[[RootIndex], None],
        *,
        check: Callable[[RootIndex], None],
        after: Callable[[], None],
    ) -> None:
        """Apply a change to the document as it is now, and replace the file.

        Args:
            change: Edits the document; called again if the file changed meanwhile, which only a
                writer without a lock can bring about.
            check: Called under the lock with the edited document before it is written; raises
                if it must not be.
            after: Called under the lock after the file was replaced.

        Raises:
            LockTimeoutError: Others held the lock for too long.
            DocumentError: The file does not parse. It is left as it is.
            LimitExceededError: It would become too large to be read. It is left as it is.
            Exception: Whatever `change` and `check` raise. The file is left as it is.
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

    def _read(self) -> tuple[_Identity, RootIndex]:
        deadline = time.monotonic() + _TORN_READ
        while True:
            with self._path.open("rb") as file:
                # Of the file that is read: by its path another one may be there already.
                identity = _identity_of(os.fstat(file.fileno()))
                data = file.read(min(identity[1], MAX_ROOT_INDEX) + 1)
            try:
                return identity, RootIndex(data)
            except DocumentError as error:
                torn = {problem.code for problem in error.problems} <= _TORN_CODES
                written = (
                    time.time() - identity[2] / 1e9 < _TORN_READ
                )  # by somebody, in this moment
                if not (torn and written) or time.monotonic() > deadline:
                    raise error.read_from(str(self._path)) from None
                time.sleep(_POLL)

    def _replace(self, identity: _Identity, document: RootIndex) -> bool:
        temporary = self._root / f"index.json.{os.getpid()}-{secrets.token_hex(8)}.tmp"
        try:
            write_new(temporary, document.encode(), durable=self.durable)
            with suppress(PermissionError):  # another owner's mode cannot be carried over
                temporary.chmod(self._path.stat().st_mode & 0o777)
            if self._identity() != identity:
                return False
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)
        if self.durable:
            fsync(self._root)
        return True

    def _identity(self) -> _Identity:
        return _identity_of(self._path.stat())


def _identity_of(status: os.stat_result) -> _Identity:
    return status.st_ino, status.st_size, status.st_mtime_ns
