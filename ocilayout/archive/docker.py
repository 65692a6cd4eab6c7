"""Images in a tar of `docker save`, read where they lie as if they were in a layout.

The manifests of such images are not in the tar, so they are made: those of OCI, with the config as
it is and each layer unpacked, whose digest the config has. So an image has the same manifest,
however its layers are compressed in the tar.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from attrs import frozen

from ocilayout.archive.dockername import docker_reference
from ocilayout.archive.legacy import is_legacy, iter_legacy
from ocilayout.archive.saved import MANIFEST, MOST_PARTS, Files, SavedImage, iter_saved
from ocilayout.archive.tarview import PlacedBlobs, TarView
from ocilayout.archive.window import open_window
from ocilayout.errors import (
    InvalidNameError,
    NotALayoutError,
    ReferenceNotFoundError,
    read_from,
)
from ocilayout.layout import RootIndex
from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    DEFAULT_LIMITS,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    Digest,
    Json,
    Readable,
    dump_json,
    is_digest,
    require_at_most,
)
from ocilayout.signature import checked

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from ocilayout.archive.window import Window
    from ocilayout.layout import RootEntry

_POSITION: Final = re.compile(r"@([0-9]{1,9})")


@frozen
class Content:
    """A blob: its size in bytes, and what opens it."""

    size: int
    open: Callable[[], Readable]


class DockerBlobs(PlacedBlobs[Content]):
    """The manifests, the configs and the unpacked layers of the images in a tar."""

    def _size_at(self, place: Content) -> int:
        return place.size

    def _open_at(self, place: Content) -> Readable:
        return place.open()


@checked
class DockerArchive(TarView[DockerBlobs]):
    """Images as `docker save` writes them, of any version, plain or compressed with gzip.

    An image has an entry for each of its names, which stand in the archive as
    `busybox:latest` or in full, as `docker.io/library/busybox:latest`; either form finds it, and so
    does `busybox` alone. `@N` means the image at a position, from 0. A handle holds the file open
    until it is closed, and may be shared by threads.

    Attributes:
        blobs: The content.
        images: The manifests of the images, in the order of the archive.
    """

    def __init__(self, window: Window, *, unpack_limit: int | None) -> None:
        """Read all headers and configs, and make the manifests; use `open`."""
        self._window = window
        files = Files(window, unpack_limit=unpack_limit)
        contents: dict[Digest, Content] = {}
        entries: list[Json] = []
        made: list[Descriptor] = []
        total = 0
        for image in _saved(window, files):
            manifest, data = _manifest(files, image, contents)
            total += len(image.config) + len(data)  # which are held in memory
            require_at_most(
                DEFAULT_LIMITS.total, total, of="the archive", unit="bytes of documents"
            )
            made.append(manifest)
            count = len(entries) + len(image.names)
            require_at_most(MOST_PARTS, count, of="the archive", unit="names")
            entries += [_entry(manifest, name) for name in image.names or ("",)]
        self.images = tuple(made)
        self._root = RootIndex(dump_json({"schemaVersion": 2, "manifests": entries}))
        self.blobs = DockerBlobs(contents)

    @classmethod
    def open(
        cls,
        path_or_file: str | os.PathLike[str] | BinaryIO,
        *,
        unpack_limit: int | None = None,
    ) -> Self:
        """Open an archive.

        Configs are read, layers that are compressed are unpacked once to learn their sizes, and of
        archives from before Docker 1.10 every layer is read to learn its digest; content stays in
        the tar. An archive that is compressed is unpacked as by `Archive.open`.

        Args:
            path_or_file: As for `Archive.open`.
            unpack_limit: How much the archive may unpack to, and all its layers together, in bytes;
                by default 100 times its size, and 256 MiB at least.

        Raises:
            NotALayoutError: The file is missing, not a tar, or not of `docker save`.
            DocumentError: The tar is refused as by `Archive.open`; a document in it is not what
                Docker writes; a file is missing, there twice, or a link that leads out of the tar;
                or a layer is damaged, or compressed in a way that is not read here.
            LimitExceededError: A document or what is unpacked is too large, or there are too many
                images or layers.
            OSError: The file cannot be read, or the temporary file cannot be written.
        """
        window = open_window(path_or_file, unpack_limit=unpack_limit, kind="a Docker archive")
        try:
            with read_from(window.name):
                return cls(window, unpack_limit=unpack_limit)
        except BaseException:
            window.close()
            raise

    def entries(self, *, name: str | None = None) -> tuple[RootEntry, ...]:
        """Return all entries, or those that a name means; see `View.entries`.

        Raises:
            ReferenceNotFoundError: There is no image at the position.
        """
        return super().entries(name=None if name is None else self._known(name))

    def refs(self, *, name: str | None = None) -> tuple[tuple[str, RootEntry], ...]:
        """Return entries, each with a reference that means its content alone; see `View.refs`.

        Raises:
            ReferenceNotFoundError: There is no image at the position.
        """
        return super().refs(name=None if name is None else self._known(name))

    def entry(self, name: str) -> RootEntry:
        """Return the entry that a name means; see `View.entry`.

        Raises:
            ReferenceNotFoundError: It means none.
            AmbiguousReferenceError: It means images of different content.
        """
        return super().entry(self._known(name))

    def resolve(self, name_or_digest: str | Digest) -> Descriptor:
        """Return the plain descriptor that a name or a digest means; see `View.resolve`.

        Raises:
            ReferenceNotFoundError: It means nothing here.
            AmbiguousReferenceError: It means images of different content.
        """
        return super().resolve(self._known(name_or_digest))

    def _known(self, name: str) -> str:
        """Return the reference of the root index for what a name means to Docker."""
        position = _POSITION.fullmatch(name)
        if position is not None:
            if int(position[1]) < len(self.images):
                return self.images[int(position[1])].digest
            raise ReferenceNotFoundError(
                f"there is no image {name}, as the archive has {len(self.images)}, from @0"
            )
        if is_digest(name) or self._root.matching(name):
            return name
        try:
            full = str(docker_reference(name))
        except InvalidNameError:
            return name
        return full if self._root.matching(full) else name


def _saved(window: Window, files: Files) -> Iterator[SavedImage]:
    if MANIFEST in files:
        return iter_saved(files)
    if is_legacy(files):
        return iter_legacy(files)
    hint = "; it is a layout: read oci-archive:FILE" if "oci-layout" in files else ""
    raise NotALayoutError(f"{window.name} is not a Docker archive: {MANIFEST} is missing{hint}")


def image_manifest(config: bytes, layers: Iterable[tuple[Digest, int]]) -> bytes:
    """Return the manifest of an image with unpacked layers, given by digest and size in bytes.

    Not by `encode`, which takes ten times as long: an archive may have 100,000 layers.
    """
    digest = Digest.of(config)
    return dump_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": digest, "size": len(config)},
            "layers": [
                {"mediaType": OCI_LAYER, "digest": digest, "size": size} for digest, size in layers
            ],
        }
    )


def _manifest(
    files: Files, image: SavedImage, contents: dict[Digest, Content]
) -> tuple[Descriptor, bytes]:
    """Return the manifest of an image, and note where its content is."""
    for digest, layer in image.layers:
        # An image may have a layer twice; verified by its digest, either file will do.
        if digest not in contents:
            contents[digest] = Content(files.size(layer), partial(files.open, layer))
    layers = [(digest, contents[digest].size) for digest, _ in image.layers]
    data = image_manifest(image.config, layers)
    manifest = Descriptor.of(data, OCI_MANIFEST)
    for digest, made in ((Digest.of(image.config), image.config), (manifest.digest, data)):
        contents.setdefault(digest, Content(len(made), partial(io.BytesIO, made)))
    return manifest, data


def _entry(manifest: Descriptor, name: str) -> dict[str, Json]:
    annotations: dict[str, Json] = {}
    if name:
        with suppress(InvalidNameError):
            annotations[CONTAINERD_IMAGE_NAME] = str(docker_reference(name))
        annotations[REF_NAME] = name
    return {
        "mediaType": OCI_MANIFEST,
        "digest": manifest.digest,
        "size": manifest.size,
        "annotations": annotations,
    }
