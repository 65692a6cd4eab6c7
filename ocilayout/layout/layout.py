"""An OCI image layout in a folder: the verbs that read and change it.

A handle holds no file open and no lock between calls, and may be shared by threads. Any number of
handles and processes may read and write one layout at a time. `RootIndex` has the rules of what a
verb does to entries, and `Edit` makes several changes one.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ocilayout.errors import DocumentError, InvalidNameError, LayoutExistsError, Problem
from ocilayout.layout.blobs import Blobs
from ocilayout.layout.creation import create_layout, require_layout
from ocilayout.layout.disk import path_of
from ocilayout.layout.edit import Edit
from ocilayout.layout.garbage import CollectReport, GarbageCollection, Untagged
from ocilayout.layout.indexfile import IndexFile
from ocilayout.layout.view import View
from ocilayout.model import Descriptor, Digest, decode_document, document_type, encode
from ocilayout.signature import checked

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ocilayout.check import RepairReport
    from ocilayout.layout.removal import RemoveReport
    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Index, Manifest

Durability = Literal["commit", "none"]

_HOUR = timedelta(hours=1)


@checked
class Layout(View[Blobs]):
    """An OCI image layout in a folder.

    Attributes:
        path: The folder, as an absolute path.
        blobs: The blobs.
        strict_names: Whether names that are written must follow the ref.name grammar.

    Spec: image-layout:transports.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "commit",
        lock_timeout: float = 30.0,
        strict_names: bool = True,
        name_annotations: Iterable[str] = (),
        follow_links: bool = False,
    ) -> None:
        """Make a handle of a folder that need not be a layout; `open` explains the arguments.

        Raises:
            OSError: The path has characters that no path can have.
            ValueError: The durability is unknown.
        """
        self.path = path_of(path).absolute()
        self.blobs = Blobs(self.path, follow_links=follow_links)
        self.strict_names = strict_names
        durable = durability == "commit"
        self._indexfile = IndexFile(self.path, durable=durable, lock_timeout=lock_timeout)
        self.name_annotations = frozenset(name_annotations)

    @property
    def name_annotations(self) -> frozenset[str]:
        """The keys of annotations that belong to a tag, besides its name and its full name."""
        return self._indexfile.name_annotations

    @name_annotations.setter
    def name_annotations(self, keys: frozenset[str]) -> None:
        self._indexfile.name_annotations = keys

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "commit",
        lock_timeout: float = 30.0,
        strict_names: bool = True,
        name_annotations: Iterable[str] = (),
    ) -> Layout:
        """Create an empty layout.

        Args:
            path: The folder, which must be empty; created with its parents if it is missing.
            durability: `commit` forces blobs and index onto the disk before an edit returns; `none`
                leaves that to the operating system.
            lock_timeout: How long an edit waits for other writers, in seconds.
            strict_names: Whether names that are written must follow the ref.name grammar.
            name_annotations: As for `open`.

        Raises:
            LayoutExistsError: The folder is a layout already, or holds other files.
            LockTimeoutError: Another process is creating it, and takes too long.
            OSError: The file system refused.

        Spec: image-layout:blobs-folder, image-layout:oci-layout-file, image-layout:index-json.
        """
        layout = cls(
            Path(path),
            durability=durability,
            lock_timeout=lock_timeout,
            strict_names=strict_names,
            name_annotations=name_annotations,
        )
        if not create_layout(layout.path, layout._indexfile, complete=False):
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
        name_annotations: Iterable[str] = (),
        follow_links: bool = False,
    ) -> Layout:
        """Open a layout. Nothing is written and no blob is read.

        Args:
            path: The folder.
            create: Whether to create a layout in a folder that is missing or empty.
            durability: As for `create`.
            lock_timeout: As for `create`.
            strict_names: As for `create`.
            name_annotations: The keys of annotations that belong to a tag, as a program's own marks
                do. An entry that loses its tag loses them, too; all other annotations stay.
            follow_links: Whether a blob may be a symbolic link to a regular file, as in layouts of
                Bazel and of stores that share equal files. It is verified like any other blob.
                By default a link is refused: in a layout of another user it could lead to any file.

        Raises:
            NotALayoutError: The folder is not a layout.
            LayoutExistsError: A layout was to be created, but the folder holds other files.
            LockTimeoutError: Another process is creating it, and takes too long.
            UnsupportedVersionError: The layout has another version.
            DocumentError: `oci-layout` or `index.json` breaks the specification.
            LimitExceededError: One of the two files is too large.
            OSError: One of the two files cannot be read, or is not a regular file.

        Spec: image-layout:oci-layout-file, image-layout:version, image-layout:index-json.
        """
        layout = cls(
            Path(path),
            durability=durability,
            lock_timeout=lock_timeout,
            strict_names=strict_names,
            name_annotations=name_annotations,
            follow_links=follow_links,
        )
        if create:
            create_layout(layout.path, layout._indexfile, complete=True)
        require_layout(layout.path, layout._indexfile)
        return layout

    def put_manifest(
        self,
        document: Manifest | Index | bytes,
        *,
        media_type: str | None = None,
        algorithm: str = "sha256",
    ) -> Descriptor:
        """Store a manifest or an index; `tag` makes it an entry.

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
        """Tag content, replacing what the tag pointed to; see `RootIndex.tag`.

        Args:
            name: The name, in the ref.name grammar.
            target: A descriptor, of which media type, digest and size are used; or a digest.
            annotations: The annotations of the entry; those of the old entry are not taken over.

        Raises:
            InvalidNameError: The name breaks the grammar or reads as a digest, or the target is a
                name.
            AmbiguousReferenceError: Entries of different content have the name, so it is unclear
                which of them to replace.
            ReferenceNotFoundError: The layout does not have the target.
            OciLayoutError: As for `Edit.commit`.

        Spec: annotations:ref-name, annotations:travel.
        """
        with self.edit() as edit:
            edit.tag(name, target, annotations=annotations)

    def untag(self, name: str) -> None:
        """Remove the names of an entry and keep its content; see `RootIndex.untag`.

        Args:
            name: A name, a full name, a digest or `NAME@DIGEST`; see `RootIndex.matching`.

        Raises:
            ReferenceNotFoundError: It means no entry, or an untagged entry.
            AmbiguousReferenceError: It means entries of different content.
            OciLayoutError: As for `Edit.commit`.
        """
        with self.edit() as edit:
            edit.untag(name)

    def annotate(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Change the annotations of an entry; see `RootIndex.annotate`.

        Args:
            name: As for `untag`.
            changes: New values by their keys; `None` removes a key.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
            InvalidNameError: The changes try to set the name.
            OciLayoutError: As for `Edit.commit`.
        """
        with self.edit() as edit:
            edit.annotate(name, changes)

    def remove(self, name: str, *, dry_run: bool = False) -> RemoveReport:
        """Remove an entry, then delete the blobs that only it reaches.

        Blobs that another entry reaches stay, whether that entry is named or untagged.

        Args:
            name: As for `untag`. A digest removes all entries of that content, named or untagged.
            dry_run: Whether to change nothing, and report what would go.

        Returns:
            What was deleted, and which entries hold on to the rest.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
            IntegrityError: A manifest is damaged, so it is unclear what other entries reach.
                Nothing was changed; `untag` removes the name alone.
            OciLayoutError: As for `Edit.commit`.
        """
        with self.edit(dry_run=dry_run) as edit:
            edit.remove(name)
        return edit.report

    @contextmanager
    def edit(self, *, dry_run: bool = False) -> Iterator[Edit]:
        """Make several changes at once, at the end of the block, or none if it raises; see `Edit`.

        Args:
            dry_run: Whether to lock and write nothing, and only report what would change.

        Raises:
            OciLayoutError: As `Edit.commit` does.
        """
        edit = Edit(
            self.path,
            indexfile=self._indexfile,
            blobs=self.blobs,
            read=self._read_if_there,
            describe=self._describe,
            strict_names=self.strict_names,
            dry_run=dry_run,
        )
        yield edit
        edit.commit()

    def collect(
        self,
        *,
        grace: timedelta | float = _HOUR,
        untagged: Untagged = "keep",
        dry_run: bool = False,
    ) -> CollectReport:
        """Delete blobs that no entry reaches, and temporary files of dead writers.

        `reach` defines what an entry reaches, and `GarbageCollection` what stays for other reasons.

        Args:
            grace: The age below which blobs and untagged entries stay, as a `timedelta` or in
                seconds: another process may have put a blob that it has not tagged yet.
            untagged: `keep` lets untagged entries hold blobs like any others; `prune` drops those
                that no other entry reaches, unless they refer to content that stays, or are young.
            dry_run: Whether to change nothing, and report what would go.

        Raises:
            IntegrityError: A reachable manifest is damaged, so it is unclear what it reaches. As
                for the next three errors, nothing was removed.
            DocumentError: A reachable manifest, or `index.json`, breaks the specification.
            LimitExceededError: One of these is too large.
            LockTimeoutError: Another writer held the lock for too long.
            ValueError: The grace period is below 0, or more than a `timedelta` can have.
            OSError: The file system refused.
        """
        if not isinstance(grace, timedelta):
            try:
                grace = timedelta(seconds=grace)
            except (OverflowError, ValueError):
                raise ValueError(f"grace must be a number of seconds, not {grace}") from None
        collection = GarbageCollection(
            self.path, indexfile=self._indexfile, blobs=self.blobs, grace=grace
        )
        return collection.run(untagged=untagged, dry_run=dry_run)

    def check(self, *, content: bool = True) -> tuple[Problem, ...]:
        """Return the problems of the layout; `ocilayout.check.iter_problems` yields the same.

        It also works on a folder that `open` refuses: `Layout(path).check()`. Nothing is locked or
        written.

        Args:
            content: Whether to hash every blob; otherwise only documents are read.

        Raises:
            OSError: The folder itself cannot be read.
        """
        # `check` is a room above this one, so it is imported only when it is called.
        from ocilayout.check import iter_problems  # noqa: PLC0415

        return tuple(iter_problems(self.path, content=content))

    def repair(
        self,
        *,
        dry_run: bool = False,
        on_hash: Callable[[Digest, int | None], object] | None = None,
    ) -> RepairReport:
        """Repair the layout as far as that needs no guess, and report what was done.

        A repair restores a missing `blobs/`, drops repeated entries and untagged entries whose
        content is missing and that say no more about it, moves damaged blobs to `quarantine/` so
        that a copy can store them again, and deletes temporary files of dead writers. It changes no
        blob that is whole and no tag.

        Args:
            dry_run: Whether to change nothing, and report what would be done.
            on_hash: As for `ocilayout.check.iter_problems`.

        Raises:
            LockTimeoutError: Another writer held the lock for too long.
            OSError: The file system refused.
        """
        from ocilayout.check import repair_folder  # noqa: PLC0415 # as in `check`

        inside = (self.path, self._indexfile, self.blobs)
        return repair_folder(*inside, dry_run=dry_run, on_hash=on_hash)

    def _snapshot(self) -> RootIndex:
        return self._indexfile.snapshot()

    def _read_unverified(self, descriptor: Descriptor) -> bytes:
        return self.blobs.read(descriptor, verify=False)

    def _describe(self, target: Descriptor | Digest | str) -> Descriptor:
        if isinstance(target, Descriptor):
            return target.plain()
        try:
            digest = Digest.parse(target)
        except DocumentError:
            raise InvalidNameError(
                f"{target!r} is not a digest; a target is a descriptor or a digest, resolve()"
                " gives that of a name"
            ) from None
        return self.resolve(digest)
