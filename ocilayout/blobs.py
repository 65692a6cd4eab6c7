"""The blobs of a layout: files named by the digest of what they hold.

A blob is written under another name, hashed on the way, compared, and only then given its own;
nothing under `blobs/` is ever opened for writing. Bytes are verified when they are read.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocilayout.descriptor import Descriptor, Verifier, require_size, verify
from ocilayout.digest import Digest, new_hasher
from ocilayout.disk import fsync, open_quietly
from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    IntegrityError,
)
from ocilayout.pool import pool
from ocilayout.stream import PIECE, VerifiedReader, pour

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ocilayout.stream import Readable, Source

_FEW: Final = 4  # blobs that are synced one by one
_SYNCS: Final = 8  # how many are synced at a time, of more
_WRITE_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL


_Version = tuple[int, int]
"""The inode of a file, and when it was written or refreshed last, in nanoseconds."""


class Blobs:
    """The content-addressed files of one layout.

    Iterating gives the digests of all blobs, sorted; files whose name is no digest are passed
    over. A symbolic link, or anything else that is no regular file, is no blob.

    Spec: image-layout:blob-names, image-layout:blobs-folder, image-layout:links.
    """

    def __init__(self, root: Path) -> None:
        """Look at the blobs of a layout; nothing is read or written yet.

        Args:
            root: The folder of the layout.
        """
        self._root = root
        self._folder = str(root / "blobs")
        self._held: set[Digest] = set()
        self._synced: dict[Digest, _Version] = {}

    def path(self, digest: Digest) -> Path:
        """Return where the blob of a digest lies, whether it is there or not."""
        return Path(self._name(digest))

    def __contains__(self, digest: object) -> bool:
        if isinstance(digest, str):
            try:
                digest = Digest.parse(digest)
            except DocumentError:
                return False
        return isinstance(digest, Digest) and self._stat(digest) is not None

    def __iter__(self) -> Iterator[Digest]:
        return iter(self.others(()))

    def others(self, known: Collection[str]) -> list[Digest]:
        """Return the digests of all blobs but some, sorted.

        Args:
            known: The digests of those that are left out, whether they are there or not.
        """
        found: list[Digest] = []
        for folder in _scan(self._folder):
            for file in _scan(folder.path):
                text = f"{folder.name}:{file.name}"
                if text not in known:
                    with suppress(DocumentError):
                        digest = Digest(text)
                        if file.is_file(follow_symlinks=False):
                            found.append(digest)
        return sorted(found)

    def size(self, digest: Digest) -> int:
        """Return the size of a blob on disk, in bytes.

        Raises:
            BlobNotFoundError: There is no such blob.
        """
        return self._status(digest).st_size

    def modified(self, digest: Digest) -> float:
        """Return when a blob was put last, in seconds since 1970.

        Raises:
            BlobNotFoundError: There is no such blob.
        """
        return self._status(digest).st_mtime

    def holds(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there in its right size, and if so keep it for the next commit.

        Its modification time is refreshed, which keeps it from a collection with a grace period,
        and an edit through this handle that reaches it makes sure that it is still there.
        """
        status = self._stat(descriptor.digest)
        if status is None or status.st_size != descriptor.size:
            return False
        try:
            os.utime(self.path(descriptor.digest))
        except FileNotFoundError:
            return False
        except PermissionError:
            pass  # somebody else's file cannot be refreshed; the check at the edit still holds
        self._held.add(descriptor.digest)
        return True

    def put(
        self, source: Source, *, media_type: str, expected: Descriptor | None = None
    ) -> Descriptor:
        """Store content.

        A blob that is there in its right size is kept; then the source may stay unread. A blob
        of another size is replaced.

        Args:
            source: Bytes, the path of a file, or an open binary file, read from where it stands.
            media_type: What the returned descriptor says that the content is.
            expected: What the content must be; its digest also chooses the algorithm, which is
                sha256 otherwise.

        Returns:
            A plain descriptor of the content.

        Raises:
            IntegrityError: The content is not the expected one; nothing was stored.
            UnsupportedDigestError: The expected digest cannot be computed here.
            DocumentError: The media type is none.
            OSError: The file system refused; nothing was stored.

        Spec: image-layout:blob-content, considerations:no-change.
        """
        if isinstance(source, bytes | bytearray | memoryview):
            data = bytes(source)
            if expected is None and len(data) < PIECE:  # maybe it need not be written
                expected = Descriptor.of(data, media_type)
            elif expected is not None:
                verify(data, expected)
            source = io.BytesIO(data)
        if expected is not None:
            result = Descriptor(media_type=media_type, digest=expected.digest, size=expected.size)
            if self.holds(result):
                return result
            new_hasher(expected.digest.algorithm)  # what cannot be verified is not stored
        if isinstance(source, str | os.PathLike):
            with Path(source).open("rb") as file:
                return self._put_file(file, media_type, expected)
        return self._put_file(source, media_type, expected)

    def read(self, descriptor: Descriptor, *, verify: bool = True) -> bytes:
        """Return a blob's bytes.

        Args:
            descriptor: Which blob.
            verify: Whether to compare the digest. Without it only the size is compared, which is
                enough to see what a document refers to, and never enough to hand it on.

        Raises:
            BlobNotFoundError: There is no such blob.
            IntegrityError: It is not what the descriptor says, or no regular file.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.

        Spec: descriptor:verify, descriptor:digest-algorithm.
        """
        verifier = Verifier(descriptor) if verify else None  # else it is not even opened
        with self._open(descriptor) as file:
            data = file.readall()
        if verifier is not None:
            verifier.update(data)
            verifier.finish()
        return data

    def open(self, descriptor: Descriptor) -> VerifiedReader:
        """Open a blob for reading; it is verified at the end of the stream.

        Raises:
            BlobNotFoundError: There is no such blob.
            IntegrityError: Its size is not what the descriptor says, or it is no regular file;
                or, from the stream's `read`, its content is another.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.

        Spec: descriptor:verify, descriptor:size-first.
        """
        new_hasher(descriptor.digest.algorithm)  # what cannot be verified is not opened
        return VerifiedReader(self._open(descriptor), descriptor)

    def open_unverified(self, descriptor: Descriptor) -> io.FileIO:
        """Open a blob to see what is in it; never enough to hand its content on.

        Raises:
            BlobNotFoundError: There is no such blob.
            IntegrityError: Its size is not what the descriptor says, or it is not a regular file.
        """
        return self._open(descriptor)

    def quarantine_path(self, digest: Digest) -> Path:
        """Return where a repair puts the blob of a digest if it is damaged."""
        return self._root / "quarantine" / digest.replace(":", "-", 1)

    def is_quarantined(self, digest: Digest) -> bool:
        """Tell whether a damaged blob of a digest was put aside by a repair."""
        return os.path.lexists(self.quarantine_path(digest))

    def _name(self, digest: Digest) -> str:
        # For every blob that is looked at; a `Path` takes longer to make than a file to open.
        return f"{self._folder}/{digest.replace(':', '/', 1)}"

    def _open(self, descriptor: Descriptor) -> io.FileIO:
        try:
            number = open_quietly(self._name(descriptor.digest))
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(descriptor.digest) from None
        except OSError:
            path = self.path(descriptor.digest)
            if path.is_symlink():
                raise _irregular(descriptor, "a symbolic link") from None
            if path.is_socket():
                raise _irregular(descriptor, "no regular file") from None
            raise
        try:
            _require_whole(os.fstat(number), descriptor)
        except IntegrityError:
            os.close(number)
            raise
        return io.FileIO(number)

    def delete(self, digest: Digest) -> None:
        """Remove a blob, whoever may need it; `Layout.remove` knows better.

        Raises:
            BlobNotFoundError: There is no such blob.
        """
        try:
            self.path(digest).unlink()
        except FileNotFoundError:
            raise _missing(digest) from None
        self._held.discard(digest)

    def held(self, digests: Iterable[Digest]) -> set[Digest]:
        """Return those of the digests that were put through this handle, or found by a put."""
        return self._held.intersection(digests)

    @property
    def holding(self) -> bool:
        """Whether anything was put through this handle."""
        return bool(self._held)

    def sweep(self, digests: Iterable[Digest]) -> None:
        """Delete blobs that nothing needs. Whoever has put one and needs it still will be told."""
        for digest in digests:
            if digest in self:
                self.path(digest).unlink(missing_ok=True)

    def sync(self, digests: Iterable[Digest]) -> None:
        """Force blobs onto the disk, and the folders that name them; missing ones are skipped.

        Raises:
            OSError: The disk reported an error; nothing may be said to be stored.
        """
        pending: dict[Digest, _Version] = {}
        for digest in digests:
            status = self._stat(digest)
            # Somebody may have deleted what was synced, and put it anew. The new file may have the
            # inode of the old one, but not its time, too.
            version = None if status is None else (status.st_ino, status.st_mtime_ns)
            if version is not None and self._synced.get(digest) != version:
                pending[digest] = version
        if len(pending) <= _FEW:
            done = list(filter(self._sync, pending))
        else:
            # A file system writes its journal once for all that wait for it at the same time.
            with pool(_SYNCS) as workers:
                synced = workers.map(self._sync, pending)
                done = [digest for digest, there in zip(pending, synced, strict=True) if there]
        folders = {self.path(digest).parent for digest in done}
        for folder in sorted(folders):
            fsync(folder)
        if folders:
            fsync(self._root / "blobs")
        self._synced |= {digest: pending[digest] for digest in done}

    def _sync(self, digest: Digest) -> bool:
        """Force a blob onto the disk; tell whether it was there."""
        try:
            fsync(self.path(digest))
        except FileNotFoundError:
            return False
        return True

    def _status(self, digest: Digest) -> os.stat_result:
        status = self._stat(digest)
        if status is None:
            raise _missing(digest)
        return status

    def _stat(self, digest: Digest) -> os.stat_result | None:
        try:
            status = os.lstat(self._name(digest))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # no file system has it, so it is not here
                return None
            raise
        return status if stat.S_ISREG(status.st_mode) else None

    def _put_file(
        self, source: Readable, media_type: str, expected: Descriptor | None
    ) -> Descriptor:
        algorithm = "sha256" if expected is None else expected.digest.algorithm
        with self._temporary() as temporary:
            if expected is None:
                digest, size = _copy_hashing(source, temporary, algorithm)
                result = Descriptor(media_type=media_type, digest=digest, size=size)
            else:
                _copy_verifying(source, temporary, expected)
                result = Descriptor(
                    media_type=media_type, digest=expected.digest, size=expected.size
                )
            if not self.holds(result):
                path = self.path(result.digest)
                path.parent.mkdir(parents=True, exist_ok=True)
                Path(str(temporary.name)).replace(path)
                self._held.add(result.digest)
        return result

    @contextmanager
    def _temporary(self) -> Iterator[io.FileIO]:
        """Give a file of our own; locked while it is alive, removed unless it was renamed."""
        file = self._begin()
        path = Path(str(file.name))
        try:
            with file:
                yield file
        finally:
            path.unlink(missing_ok=True)

    def _begin(self) -> io.FileIO:
        folder = self._root / "ingest"
        folder.mkdir(exist_ok=True)
        while True:
            path = folder / f"{os.getpid()}-{secrets.token_hex(8)}"
            file = io.FileIO(
                str(path), "wb+", opener=lambda name, _: os.open(name, _WRITE_FLAGS, 0o666)
            )
            fcntl.flock(file, fcntl.LOCK_EX)
            # A collection may have taken it for that of a dead writer before it was locked.
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()


def _copy_hashing(source: Readable, target: io.FileIO, algorithm: str) -> tuple[Digest, int]:
    hasher = new_hasher(algorithm)
    size = pour(source, target, hasher.update)
    return Digest(f"{algorithm}:{hasher.hexdigest()}"), size


def _copy_verifying(source: Readable, target: io.FileIO, expected: Descriptor) -> None:
    verifier = Verifier(expected)
    pour(source, target, verifier.update, wanted=expected.size)
    verifier.finish()


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _require_whole(status: os.stat_result, descriptor: Descriptor) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _irregular(descriptor, "no regular file")
    require_size(descriptor, status.st_size)


def _missing(digest: Digest) -> BlobNotFoundError:
    return BlobNotFoundError(f"there is no blob {digest}")


def _irregular(descriptor: Descriptor, what: str) -> IntegrityError:
    return IntegrityError(
        f"in the place of {descriptor.digest} is {what}; it is not followed",
        descriptor=descriptor,
        actual=what,
    )
