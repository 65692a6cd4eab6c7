"""The blobs of a layout: files named by the digest of their content.

A blob is written as a temporary file, hashed on the way, compared, and only then renamed into
place; nothing under `blobs/` is ever opened for writing. Bytes are verified when they are read.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocilayout.errors import BlobNotFoundError, DocumentError, IntegrityError, LimitExceededError
from ocilayout.layout.clock import changed
from ocilayout.layout.disk import File, acting, look_and_open, noun_of, path_of
from ocilayout.layout.durability import SyncedFiles, version_of
from ocilayout.layout.newblob import PIECE, new_blob
from ocilayout.layout.realfolder import ABSENT, Folder, scan
from ocilayout.model import (
    Descriptor,
    Digest,
    VerifiedReader,
    Verifier,
    new_hasher,
    require_size,
    verify,
)
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ocilayout.model import BlobSource, Readable

_UNREFRESHABLE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

MAX_READ: Final = 1024**3
"""The largest blob that `Blobs.read` returns unless it is told otherwise, in bytes."""


_MAX_NAME: Final = 255
"""The longest name of a file that file systems have, in bytes."""


def cannot_exist(digest: Digest) -> bool:
    """Return whether the parts of a digest are too long for names, so that its blob is missing."""
    return max(len(digest.algorithm), len(digest.encoded)) > _MAX_NAME


@checked
class Blobs:
    """The content-addressed files of one layout.

    Iterating gives the digests of all blobs, sorted; files whose name is not a digest are skipped.
    Only a regular file is a blob, or with `follow_links` a symbolic link to one.

    Programs need `put`, `read`, `open`, `size`, `modified`, `path`, `holds` and `delete`. The rest
    is not private only because edits, garbage collection, `ocilayout.check` and repairs use it.

    Attributes:
        put_here: The digests of blobs that were put through this handle, or that `put` or `holds`
            found. An edit through it requires that those it reaches still exist.

    Raises:
        BlobNotFoundError: A method got the digest of a missing blob.
        DocumentError: A method got text that is not a digest.

    Spec: image-layout:blob-names, image-layout:blobs-folder, image-layout:links.
    """

    def __init__(self, root: Path, *, follow_links: bool = False) -> None:
        self._root = root
        self._folder = str(root / "blobs")
        self._follow = follow_links
        self.put_here: set[Digest] = set()
        self._synced = SyncedFiles(root / "blobs")

    def path(self, digest: Digest | str) -> Path:
        """Return the path of the blob of a digest, whether it exists or not."""
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

    @cached_property
    def following(self) -> Blobs:
        """The same blobs, with links in place of blobs followed."""
        return self if self._follow else Blobs(self._root, follow_links=True)

    def others(self, known: Collection[str], *, links: bool = False) -> list[Digest]:
        """Return the digests of all blobs but some, sorted.

        Args:
            known: The digests that are left out, whether their blobs exist or not.
            links: Whether a link in place of a blob is listed as well, wherever it leads.
        """
        digests: list[Digest] = []
        for folder in scan(self._folder):
            for file in scan(folder.path):
                text = f"{folder.name}:{file.name}"
                if text not in known:
                    with suppress(DocumentError):
                        digest = Digest.parse(text)
                        if (links and file.is_symlink()) or (
                            digest in self if self._follow else file.is_file(follow_symlinks=False)
                        ):
                            digests.append(digest)
        return sorted(digests)

    def size(self, digest: Digest | str) -> int:
        """Return the size of a blob on disk, in bytes."""
        return self._status(digest).st_size

    def modified(self, digest: Digest | str) -> float:
        """Return the modification time of a blob, in seconds since 1970: when it was put last."""
        return self._status(digest).st_mtime

    def changed(self, digest: Digest | str) -> float:
        """Return when a blob was written, placed or refreshed last; see `clock.changed`.

        Returns:
            The time, in seconds since 1970; in place of a blob, that of a link.
        """
        status = self._status(digest)
        return changed(os.lstat(self._name(digest)) if self._follow else status)

    def holds(self, descriptor: Descriptor) -> bool:
        """Return whether a blob exists in the right size, and keep it for the next edit if so.

        Its modification time is refreshed, which keeps it from a collection with a grace period,
        and it counts as put here: see `put_here`.
        """
        status = self._stat(descriptor.digest)
        if status is None or status.st_size != descriptor.size:
            return False
        path = self.path(descriptor.digest)
        try:
            with acting("refresh the time of", path):
                os.utime(path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            # A file of another owner, or on a disk that can only be read, cannot be refreshed;
            # the check at the edit still holds.
            if error.errno not in _UNREFRESHABLE:
                raise
        self.put_here.add(descriptor.digest)
        return True

    def put(
        self, source: BlobSource, *, media_type: str, expected: Descriptor | None = None
    ) -> Descriptor:
        """Store content.

        A blob that exists in the right size is kept; then the source may stay unread. A blob of
        another size is replaced.

        Args:
            source: Bytes, the path of a file, or an open binary file, read from its position.
            media_type: The media type of the returned descriptor.
            expected: The digest and size that the content must have. The digest also gives the
                algorithm, which is sha256 otherwise.

        Returns:
            A plain descriptor of the content.

        Raises:
            IntegrityError: The content is not as expected; nothing was stored.
            UnsupportedDigestError: The expected digest cannot be computed here.
            DocumentError: The media type is not a valid one.
            OSError: The file system refused; nothing was stored.

        Spec: image-layout:blob-content, considerations:no-change.
        """
        if isinstance(source, bytes | bytearray | memoryview):
            data = bytes(source)
            if expected is None and len(data) < PIECE:  # the blob may exist already
                expected = Descriptor.of(data, media_type)
            elif expected is not None:
                verify(data, expected)
            source = io.BytesIO(data)
        if expected is not None:
            result = Descriptor(media_type=media_type, digest=expected.digest, size=expected.size)
            if self.holds(result):
                return result
            new_hasher(expected.digest.algorithm)  # content that cannot be verified is not stored
        if isinstance(source, str | os.PathLike):
            with File.open(path_of(source)) as file:
                return self._put_file(file, media_type, expected)
        return self._put_file(source, media_type, expected)

    def read(self, descriptor: Descriptor, *, verify: bool = True, limit: int = MAX_READ) -> bytes:
        """Return a blob's bytes, or those that are embedded in the descriptor of a missing blob.

        Args:
            descriptor: Which blob.
            verify: Whether to compare the digest. Otherwise only the size is compared, which is
                enough to see what a document refers to, but never enough to pass content on.
            limit: How large the blob may be, in bytes: a file with holes may claim any size.

        Raises:
            IntegrityError: It is not as the descriptor says, or not a regular file.
            LimitExceededError: It is larger than the limit.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.

        Spec: descriptor:verify, descriptor:digest-algorithm, descriptor:data,
            considerations:limits.
        """
        verifier = Verifier(descriptor) if verify else None  # before the file is opened
        try:
            file = self._open(descriptor)
        except BlobNotFoundError:
            if descriptor.data is None:
                raise
            return descriptor.data
        with file:
            if descriptor.size > limit:
                raise LimitExceededError(
                    f"the blob {descriptor.digest} has {descriptor.size} bytes, and no more than"
                    f" {limit} are read into memory; open() reads it in pieces",
                    what="blob",
                    limit=limit,
                )
            data = file.readall()
        if verifier is not None:
            verifier.update(data)
            verifier.finish()
        return data

    def open(self, descriptor: Descriptor) -> VerifiedReader:
        """Open a blob, or the bytes in the descriptor of a missing one; verified at the end.

        Raises:
            BlobNotFoundError: There is no such blob, and the descriptor does not embed it.
            IntegrityError: Its size is not as the descriptor says, or it is not a regular file;
                or, from the stream's `read`, its content is not that of the digest.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.

        Spec: descriptor:verify, descriptor:size-first, descriptor:data.
        """
        new_hasher(descriptor.digest.algorithm)  # content that cannot be verified is not opened
        try:
            file: Readable = self._open(descriptor)
        except BlobNotFoundError:
            if descriptor.data is None:
                raise
            file = io.BytesIO(descriptor.data)
        return VerifiedReader(file, descriptor)

    def open_unverified(self, descriptor: Descriptor) -> File:
        """Open a blob to see what it refers to; never enough to pass its content on.

        Raises:
            IntegrityError: Its size is not as the descriptor says, or it is not a regular file.
        """
        return self._open(descriptor)

    def _open(self, descriptor: Descriptor) -> File:
        path = self._name(descriptor.digest)
        try:
            number, status = look_and_open(path, follow=self._follow)
        except OSError as error:
            if error.errno in ABSENT:
                raise _missing(descriptor.digest) from None
            found = self._lstat(descriptor.digest)
            if found is not None and not stat.S_ISREG(found.st_mode):
                raise _irregular(descriptor, found.st_mode) from None
            with acting("read", path):
                raise
        try:
            require_size(descriptor, status.st_size)
        except IntegrityError:
            os.close(number)
            raise
        return File(number, "rb", path)

    def quarantine_path(self, digest: Digest | str) -> Path:
        """Return the path to which a repair moves the blob of a digest if it is damaged."""
        return self._root / "quarantine" / Digest.parse(digest).replace(":", "-", 1)

    def is_quarantined(self, digest: Digest | str) -> bool:
        """Return whether a repair moved a damaged blob of a digest to quarantine."""
        return os.path.lexists(self.quarantine_path(digest))

    def _name(self, digest: Digest | str) -> str:
        # A string: a check or a collection asks for every blob, and a `Path` takes longer to make
        # than a file to open.
        return f"{self._folder}/{Digest.parse(digest).replace(':', '/', 1)}"

    def delete(self, digest: Digest | str) -> None:
        """Delete a blob, whether an entry needs it or not; see `Layout.remove`.

        Raises:
            NotADirectoryError: Its folder is a symbolic link. The blobs behind it are shared with
                other layouts, and not deleted.
            OSError: The file system refused.
        """
        digest = Digest.parse(digest)
        if self._lstat(digest) is None:
            raise _missing(digest)
        with (
            Folder.open(self._root) as root,
            root.enter("blobs") as blobs,
            blobs.enter(digest.algorithm) as folder,
        ):
            if not folder.unlink(digest.encoded):
                raise _missing(digest)
        self.put_here.discard(digest)

    def sync(self, digests: Iterable[Digest]) -> set[Digest]:
        """Force blobs onto the disk, and the folders that name them, unless that was done already.

        An edit does so for all that it reaches; a `put` alone does not. A blob that was put anew
        since it was synced is synced again. A blob that may not be opened is skipped.

        Returns:
            The digests of missing blobs.

        Raises:
            OSError: The disk reported an error; the blobs do not count as stored.
        """
        statuses = {digest: self._stat(digest) for digest in digests}
        self._synced.force(
            {
                self._name(digest): version_of(status)
                for digest, status in statuses.items()
                if status is not None
            }
        )
        return {digest for digest, status in statuses.items() if status is None}

    def _status(self, digest: Digest | str) -> os.stat_result:
        status = self._stat(digest)
        if status is None:
            raise _missing(digest)
        return status

    def _stat(self, digest: Digest | str) -> os.stat_result | None:
        """Return the status of the file of a blob, or `None` if there is no blob."""
        status = self._lstat(digest)
        return status if status is not None and stat.S_ISREG(status.st_mode) else None

    def _lstat(self, digest: Digest | str) -> os.stat_result | None:
        """Return the status of whatever file has the path of a blob, or `None` if there is none."""
        look = os.stat if self._follow else os.lstat
        try:
            return look(self._name(digest))
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise

    def _put_file(
        self, source: Readable, media_type: str, expected: Descriptor | None
    ) -> Descriptor:
        with new_blob(self._root) as new:
            digest, size = new.fill(source, expected)
            result = Descriptor(media_type=media_type, digest=digest, size=size)
            # Another writer may have stored it meanwhile; a blob that is whole is never replaced.
            if not self.holds(result):
                new.place(self.path(result.digest))
                self.put_here.add(result.digest)
        return result


def _missing(digest: Digest | str) -> BlobNotFoundError:
    return BlobNotFoundError(f"there is no blob {digest}")


def _irregular(descriptor: Descriptor, mode: int) -> IntegrityError:
    noun = noun_of(mode)
    way_out = "; `ocilayout repair` puts a copy in its place" if stat.S_ISLNK(mode) else ""
    return IntegrityError(
        f"in place of the blob {descriptor.digest} is {noun}; it is not followed{way_out}",
        descriptor=descriptor,
        actual=noun,
    )
