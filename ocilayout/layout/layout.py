"""An OCI image layout in a folder: names for content, and the content.

A handle holds no file open and no lock between calls, and may be shared by threads. Any number of
handles and processes may read and write one layout at a time.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ocilayout.errors import (
    DocumentError,
    InvalidNameError,
    LayoutExistsError,
    Problem,
)
from ocilayout.layout.blobs import Blobs
from ocilayout.layout.collection import Collection, CollectReport, Untagged
from ocilayout.layout.disk import path_of
from ocilayout.layout.edit import Edit
from ocilayout.layout.indexfile import IndexFile
from ocilayout.layout.skeleton import make, require
from ocilayout.layout.view import View
from ocilayout.model import Descriptor, Digest, decode_document, document_type, encode

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from ocilayout.check import RepairReport
    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Index, Manifest

Durability = Literal["commit", "none"]

_HOUR = timedelta(hours=1)


class Layout(View[Blobs]):
    """An OCI image layout in a folder.

    Attributes:
        path: The folder, as an absolute path: where the process goes does not move it.
        blobs: The content.
        strict_names: Whether names that are written must follow the ref.name grammar.

    Spec: image-layout:transports.
    """

    path: Path
    strict_names: bool

    def __init__(
        self,
        path: Path,
        *,
        durability: Durability = "commit",
        lock_timeout: float = 30.0,
        strict_names: bool = True,
        follow_links: bool = False,
    ) -> None:
        """Look at a folder without asking whether it is a layout; `open` and `create` ask.

        Raises:
            OSError: The path has characters in it that no path can have.
        """
        if durability not in ("commit", "none"):
            raise ValueError(f"durability is 'commit' or 'none', not {durability!r}")
        self.path = path_of(path).absolute()
        self.blobs = Blobs(self.path, follow_links=follow_links)
        self._durable = durability == "commit"
        self.strict_names = strict_names
        self._indexfile = IndexFile(self.path, durable=self._durable, lock_timeout=lock_timeout)

    # ------------------------------------------------------------ making and opening

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "commit",
        lock_timeout: float = 30.0,
        strict_names: bool = True,
    ) -> Layout:
        """Make an empty layout.

        Args:
            path: The folder; made with its parents if it is missing, empty otherwise.
            durability: `commit` forces content and index onto the disk before an edit returns;
                `none` leaves that to the operating system.
            lock_timeout: How long an edit waits for other writers, in seconds.
            strict_names: Whether names that are written must follow the ref.name grammar.

        Raises:
            LayoutExistsError: The folder is a layout, or holds something else.
            LockTimeoutError: Another process is making it, and takes too long.
            OSError: The file system refused.

        Spec: image-layout:blobs-folder, image-layout:oci-layout-file, image-layout:index-json.
        """
        layout = cls(
            Path(path),
            durability=durability,
            lock_timeout=lock_timeout,
            strict_names=strict_names,
        )
        if not make(layout.path, layout._indexfile, complete=False):
            raise LayoutExistsError(f"{layout.path} is a layout already; open it")
        return layout

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        durability: Durability = "commit",
        lock_timeout: float = 30.0,
        strict_names: bool = True,
        follow_links: bool = False,
    ) -> Layout:
        """Open a layout. Nothing is written and no blob is read.

        Args:
            path: The folder.
            create: Whether to make a layout of a folder that is missing or empty.
            durability: As for `create`.
            lock_timeout: As for `create`.
            strict_names: As for `create`.
            follow_links: Whether a blob may be a symbolic link to a regular file, as Bazel and
                stores that share equal files make them. It is verified like any other. Otherwise
                a link is refused: a layout of another user could lead to any file.

        Raises:
            NotALayoutError: There is no layout, and none was to be made.
            LayoutExistsError: One was to be made, but the folder holds something else.
            UnsupportedVersionError: The layout is of another version.
            DocumentError: `oci-layout` or `index.json` breaks the specification.
            LimitExceededError: One of them is too large.
            OSError: One of them cannot be read, or is not a regular file.

        Spec: image-layout:oci-layout-file, image-layout:version, image-layout:index-json.
        """
        layout = cls(
            Path(path),
            durability=durability,
            lock_timeout=lock_timeout,
            strict_names=strict_names,
            follow_links=follow_links,
        )
        if create:
            make(layout.path, layout._indexfile, complete=True)
        require(layout.path, layout._indexfile)
        return layout

    # ------------------------------------------------------------ writing

    def put_manifest(
        self,
        document: Manifest | Index | bytes,
        *,
        media_type: str | None = None,
        algorithm: str = "sha256",
    ) -> Descriptor:
        """Store a manifest or an index. It is not an entry before it is tagged.

        Args:
            document: A model, or the bytes of a document, which are stored as they are.
            media_type: The type of the document; by default what it says itself, or what
                its properties show.
            algorithm: The algorithm of its digest.

        Returns:
            A plain descriptor of it.

        Raises:
            DocumentError: The bytes break the specification or are of another type.
            LimitExceededError: They are more than 4 MiB.
            UnsupportedDigestError: The algorithm cannot be computed here.

        Spec: considerations:property-types, considerations:limits.
        """
        data = document if isinstance(document, bytes) else encode(document)
        descriptor = Descriptor.of(data, media_type or document_type(data), algorithm)
        decode_document(data, descriptor)
        return self.blobs.put(data, media_type=descriptor.media_type, expected=descriptor)

    def tag(
        self,
        name: str,
        target: Descriptor | Digest | str,
        *,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Tag content, replacing what the tag pointed to.

        The new entry has the annotations that are given here and no others; those of the old entry
        and of other entries of the content do not carry over. If the name meant other content that
        has no other entry, that stays as an untagged entry. Full names and unknown properties of
        entries stay; `RootIndex.tag` has the rules.

        Args:
            name: The name, in the ref.name grammar.
            target: A descriptor, of which media type, digest and size are used; or a digest.
            annotations: The annotations of the entry.

        Raises:
            InvalidNameError: The name is outside the grammar or reads as a digest, or the target is
                a name.
            AmbiguousReferenceError: Entries of different content have the name, so it cannot be
                told which is to be replaced.
            ReferenceNotFoundError: The layout does not have the target.
            BlobNotFoundError: The target is gone, or something that it is made of and that was
                put through this handle.
            LockTimeoutError: Another writer held the lock for too long.
            DocumentError: `index.json` breaks the specification.

        Spec: annotations:ref-name, annotations:travel.
        """
        with self.edit() as edit:
            edit.tag(name, target, annotations=annotations)

    def untag(self, name: str) -> None:
        """Remove the names of an entry, and keep its content as an untagged entry.

        Args:
            name: A name, a full name, a digest or `NAME@DIGEST`; `RootIndex.matching` has the
                rules. A digest means all entries of that content.

        Raises:
            ReferenceNotFoundError: It means no entry, or an untagged one.
            AmbiguousReferenceError: It means entries of different content.
            LockTimeoutError: Another writer held the lock for too long.
            DocumentError: `index.json` breaks the specification.
        """
        with self.edit() as edit:
            edit.untag(name)

    def annotate(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Change the annotations of an entry.

        Args:
            name: As for `untag`. Of several entries of one content all are changed.
            changes: New values by their keys; `None` removes a key.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
            InvalidNameError: The changes try to set the name.
            LockTimeoutError: Another writer held the lock for too long.
            DocumentError: `index.json` breaks the specification.
        """
        with self.edit() as edit:
            edit.annotate(name, changes)

    def remove(self, name: str) -> None:
        """Remove an entry, and delete what only it reaches: the entry first, blobs after.

        What any other entry reaches stays, be that entry named or not.

        Args:
            name: As for `untag`. A digest removes all entries of that content, named or not.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
            IntegrityError: A manifest is damaged, so it cannot be told what other entries reach.
                Nothing was changed; `untag` removes the name alone.
            DocumentError: `index.json`, or such a manifest, breaks the specification.
            LockTimeoutError: Another writer held the lock for too long.
        """
        with self.edit() as edit:
            edit.remove(name)

    @contextmanager
    def edit(self) -> Iterator[Edit]:
        """Make several changes at once: at the end of the block, or none if it raises.

        The lock is not held inside the block, so blobs can be put there.

        Raises:
            OciLayoutError: As `Edit.commit` says.
        """
        edit = Edit(
            indexfile=self._indexfile,
            blobs=self.blobs,
            read=self._read_if_there,
            describe=self._describe,
            strict_names=self.strict_names,
        )
        yield edit
        edit.commit()

    def collect(
        self,
        *,
        grace: timedelta = _HOUR,
        untagged: Untagged = "keep",
        dry_run: bool = False,
    ) -> CollectReport:
        """Delete what no entry reaches, and what dead writers left behind.

        Reached is what an entry, named or not, is made of, and what it refers to as its subject,
        and so on. Everything happens under the writer lock; the index is written before anything
        is deleted. Blobs of algorithms that are not known here are never deleted, and neither is
        anything behind a folder of blobs that is a symbolic link.

        Args:
            grace: How old what goes must be, so that what another process has just put and not
                named yet stays. It counts from the later of modification and change time.
            untagged: `keep` takes entries without names for roots like any others; `prune` drops
                those that no name reaches, unless they refer to something that stays, or are
                younger than the grace period.
            dry_run: Whether to change nothing, and say what would go.

        Raises:
            IntegrityError: A reachable manifest is damaged, so nobody can tell what it reaches.
                Nothing was removed.
            DocumentError: One breaks the specification, or `index.json` does; as before.
            LimitExceededError: One is too large; as before.
            LockTimeoutError: Another writer held the lock for too long.

        Spec: image-layout:garbage.
        """
        collection = Collection(
            self.path,
            indexfile=self._indexfile,
            blobs=self.blobs,
            grace=grace,
        )
        return collection.run(untagged=untagged, dry_run=dry_run)

    def check(self, *, content: bool = True) -> tuple[Problem, ...]:
        """Return everything that is wrong with the layout, or worth to know of it.

        It also works on a handle of a folder that `open` refuses: `Layout(path).check()`. Nothing
        is locked and nothing written. `ocilayout.check.iter_problems` gives the same one by one.

        Args:
            content: Whether to hash every blob; without, only documents are read.

        Raises:
            OSError: The folder itself cannot be read.
        """
        # The room that carries this out lies above: it is imported when it is needed.
        from ocilayout.check import iter_problems  # noqa: PLC0415

        return tuple(iter_problems(self.path, content=content))

    def repair(self, *, dry_run: bool = False) -> RepairReport:
        """Mend what can be mended without guessing, and say what was done.

        Restores a missing `blobs/`, drops exact repetitions of an entry and those without names
        whose content is missing and that say no more of it, moves damaged blobs to `quarantine/`
        so that a copy can bring them again, and removes what dead writers left behind. No content
        that is whole is touched, and no entry with a name.

        Args:
            dry_run: Whether to change nothing, and say what would be done.

        Raises:
            LockTimeoutError: Another writer held the lock for too long.
            OSError: The file system refused.
        """
        from ocilayout.check import repair_folder  # noqa: PLC0415 # as in `check`

        return repair_folder(self.path, self._indexfile, self.blobs, dry_run=dry_run)

    # ------------------------------------------------------------ inside

    def _snapshot(self) -> RootIndex:
        return self._indexfile.snapshot()

    def _describe(self, target: Descriptor | Digest | str) -> Descriptor:
        if isinstance(target, Descriptor):
            return target.plain()
        try:
            digest = Digest(target)
        except DocumentError:
            raise InvalidNameError(
                f"{target!r} is not a digest; a target is a descriptor or a digest, resolve()"
                " gives that of a name"
            ) from None
        return self.resolve(digest)
