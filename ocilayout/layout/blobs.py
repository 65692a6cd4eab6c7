"""The blobs of a layout: files named by the digest of what they hold.

A blob is written under another name, hashed on the way, compared, and only then given its own;
nothing under `blobs/` is ever opened for writing. Bytes are verified when they are read.
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

from ocilayout.errors import (
    BlobNotFoundError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
)
from ocilayout.layout import ingest
from ocilayout.layout.clock import changed
from ocilayout.layout.disk import File, acting, look_and_open, noun_of, path_of
from ocilayout.layout.ingest import PIECE, copy_hashing, copy_verifying
from ocilayout.layout.realfolder import ABSENT, Folder, OwnFolders, scan
from ocilayout.layout.synced import Synced, version_of
from ocilayout.model import (
    Descriptor,
    Digest,
    VerifiedReader,
    Verifier,
    new_hasher,
    require_size,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ocilayout.model import BlobSource, Readable

_UNREFRESHED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

MAX_READ: Final = 1024**3
"""The largest blob that `Blobs.read` returns unless it is told otherwise, in bytes."""


class Blobs:
    """The content-addressed files of one layout.

    Iterating gives the digests of all blobs, sorted; files whose name is not a digest are passed
    over. Anything but a regular file is not a blob, and neither is a symbolic link, unless links
    are followed.

    Spec: image-layout:blob-names, image-layout:blobs-folder, image-layout:links.
    """

    def __init__(self, root: Path, *, follow_links: bool = False) -> None:
        """Look at the blobs of a layout; nothing is read or written yet.

        Args:
            root: The folder of the layout.
            follow_links: Whether a blob may be a symbolic link to a regular file.
        """
        self._root = root
        self._folder = str(root / "blobs")
        self._follow = follow_links
        self._held: set[Digest] = set()
        self._synced = Synced(root / "blobs")

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

    def is_shared(self, algorithm: str) -> bool:
        """Tell whether a link leads to the blobs of an algorithm; nothing is deleted there."""
        folder = Path(self._folder)
        return folder.is_symlink() or (folder / algorithm).is_symlink()

    @cached_property
    def following(self) -> Blobs:
        """The same blobs, where a link in the place of one is followed."""
        return self if self._follow else Blobs(self._root, follow_links=True)

    def others(self, known: Collection[str], *, links: bool = False) -> list[Digest]:
        """Return the digests of all blobs but some, sorted.

        Args:
            known: The digests of those that are left out, whether they are there or not.
            links: Whether those are listed as well in whose place is a link, wherever it leads.
        """
        found: list[Digest] = []
        for folder in scan(self._folder):
            for file in scan(folder.path):
                text = f"{folder.name}:{file.name}"
                if text not in known:
                    with suppress(DocumentError):
                        digest = Digest(text)
                        if (links and file.is_symlink()) or (
                            digest in self if self._follow else file.is_file(follow_symlinks=False)
                        ):
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

    def changed(self, digest: Digest) -> float:
        """Return when a blob was put, placed or refreshed last, as `clock.changed` has it.

        Returns:
            The time, in seconds since 1970. Of a link, it is that of the link.

        Raises:
            BlobNotFoundError: There is no such blob.
        """
        status = self._status(digest)
        return changed(os.lstat(self._name(digest)) if self._follow else status)

    def holds(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there in its right size, and if so keep it for the next commit.

        Its modification time is refreshed, which keeps it from a collection with a grace period,
        and an edit through this handle that reaches it makes sure that it is still there.
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
            if error.errno not in _UNREFRESHED:
                raise
        self._held.add(descriptor.digest)
        return True

    def put(
        self, source: BlobSource, *, media_type: str, expected: Descriptor | None = None
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
            with File.open(path_of(source)) as file:
                return self._put_file(file, media_type, expected)
        return self._put_file(source, media_type, expected)

    def read(self, descriptor: Descriptor, *, verify: bool = True, limit: int = MAX_READ) -> bytes:
        """Return a blob's bytes.

        Args:
            descriptor: Which blob.
            verify: Whether to compare the digest. Without it only the size is compared, which is
                enough to see what a document refers to, and never enough to hand it on.
            limit: How large the blob may be, in bytes; a file with holes may be of any size.

        Raises:
            BlobNotFoundError: There is no such blob.
            IntegrityError: It is not what the descriptor says, or not a regular file.
            LimitExceededError: It is larger than the limit.
            UnsupportedDigestError: The digest's algorithm cannot be computed here.

        Spec: descriptor:verify, descriptor:digest-algorithm, considerations:limits.
        """
        verifier = Verifier(descriptor) if verify else None  # else it is not even opened
        with self._open(descriptor) as file:
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

    def _open(self, descriptor: Descriptor) -> File:
        path = self._name(descriptor.digest)
        try:
            number, found = look_and_open(path, follow=self._follow)
        except OSError as error:
            if error.errno in ABSENT:
                raise _missing(descriptor.digest) from None
            status = self._lstat(descriptor.digest)
            if status is not None and not stat.S_ISREG(status.st_mode):
                raise _irregular(descriptor, status.st_mode) from None
            with acting("read", path):
                raise
        try:
            require_size(descriptor, found.st_size)
        except IntegrityError:
            os.close(number)
            raise
        return File(number, "rb", path)

    def delete(self, digest: Digest) -> None:
        """Remove a blob, whatever may need it; `Layout.remove` knows better.

        Raises:
            BlobNotFoundError: There is no such blob.
            NotADirectoryError: Its folder is a symbolic link. What lies behind it is shared with
                other layouts, and not deleted.
            OSError: The file system refused.
        """
        if self._lstat(digest) is None:
            raise _missing(digest)
        with (
            Folder.open(self._root) as root,
            root.enter("blobs") as blobs,
            blobs.enter(digest.algorithm) as folder,
        ):
            if not folder.unlink(digest.encoded):
                raise _missing(digest)
        self._held.discard(digest)

    def held(self, digests: Iterable[Digest]) -> set[Digest]:
        """Return those of the digests that were put through this handle, or found by a put."""
        return self._held.intersection(digests)

    @property
    def holding(self) -> bool:
        """Whether anything was put through this handle."""
        return bool(self._held)

    def sweep(self, digests: Iterable[Digest]) -> list[Digest]:
        """Delete blobs that nothing needs. A writer that has put one and needs it will be told.

        What lies behind a link to a folder is shared with other layouts, and stays.

        Returns:
            Those that were deleted.

        Raises:
            OSError: The file system refused; some may be deleted.
        """
        removed: list[Digest] = []
        with OwnFolders(self._root) as folders:
            for digest in digests:
                folder = folders.of("blobs", digest.algorithm)
                # Only a blob: what else lies there is for a repair.
                if folder is not None and digest in self and folder.unlink(digest.encoded):
                    removed.append(digest)
        return removed

    def sync(self, digests: Iterable[Digest]) -> set[Digest]:
        """Force blobs onto the disk, and the folders that name them, unless that was done already.

        A blob that was put anew since it was synced is synced again. One that may not be opened
        is passed over.

        Returns:
            Those that are missing.

        Raises:
            OSError: The disk reported an error; nothing may be said to be stored.
        """
        found = {digest: self._stat(digest) for digest in digests}
        present = [(self._name(to), status) for to, status in found.items() if status is not None]
        self._synced.force({name: version_of(status) for name, status in present})
        return {digest for digest, status in found.items() if status is None}

    def _status(self, digest: Digest) -> os.stat_result:
        status = self._stat(digest)
        if status is None:
            raise _missing(digest)
        return status

    def _stat(self, digest: Digest) -> os.stat_result | None:
        """Return what is known of the file of a blob, or `None` if there is no blob."""
        status = self._lstat(digest)
        return status if status is not None and stat.S_ISREG(status.st_mode) else None

    def _lstat(self, digest: Digest) -> os.stat_result | None:
        """Return what lies in the place of a blob, or `None` if there is nothing."""
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
        algorithm = "sha256" if expected is None else expected.digest.algorithm
        with ingest.begun(self._root) as temporary:
            if expected is None:
                digest, size = copy_hashing(source, temporary.file, algorithm)
                result = Descriptor(media_type=media_type, digest=digest, size=size)
            else:
                copy_verifying(source, temporary.file, expected)
                result = Descriptor(
                    media_type=media_type, digest=expected.digest, size=expected.size
                )
            if not self.holds(result):
                temporary.place(self.path(result.digest))
                self._held.add(result.digest)
        return result


def _missing(digest: Digest) -> BlobNotFoundError:
    return BlobNotFoundError(f"there is no blob {digest}")


def _irregular(descriptor: Descriptor, mode: int) -> IntegrityError:
    noun = noun_of(mode)
    return IntegrityError(
        f"in the place of {descriptor.digest} is {noun}; it is not followed",
        descriptor=descriptor,
        actual=noun,
    )
