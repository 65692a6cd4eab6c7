"""Images written as `docker save` writes them, for `docker load` of any version.

`manifest.json` is for Docker 1.10 and later, and for every other program. For older ones are
`repositories`, and a folder for each layer with `VERSION`, `json` and a link to the layer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final

from attrs import define, field

from ocilayout.archive.docker import image_manifest
from ocilayout.archive.dockername import docker_reference, known_reference
from ocilayout.archive.packed import Peeked, Unpacked, compression_of
from ocilayout.archive.saved import MANIFEST, REPOSITORIES, diff_ids_of
from ocilayout.archive.tarstream import TarStream, open_target
from ocilayout.archive.window import default_limit
from ocilayout.errors import (
    AmbiguousReferenceError,
    DigestMismatchError,
    DocumentError,
    OciLayoutError,
    ReferenceNotFoundError,
)
from ocilayout.layout import acting, entries_of, resolve_for, target_names, write_hashed
from ocilayout.model import (
    DEFAULT_LIMITS,
    DOCKER_CONFIG,
    INDEX_TYPES,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Budget,
    Descriptor,
    Digest,
    Index,
    Limits,
    Manifest,
    Platform,
    VerifiedReader,
    dump_json,
    new_hasher,
    parse_json,
    require_at_most,
    require_document_size,
    require_size,
)
from ocilayout.signature import checked
from ocilayout.transfer import Event, ReportingStream, ignore

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from ocilayout.model import Json, Readable, Source
    from ocilayout.transfer import Report

_VERSION: Final = b"1.0"
_EPOCH: Final = "1970-01-01T00:00:00Z"
# What the folder of the last layer has of the config; Docker before 1.10 knew no more.
_OF_CONFIG: Final = (
    "architecture", "author", "comment", "config", "container", "container_config", "created",
    "docker_version", "os", "variant",
)  # fmt: skip
_UNKNOWN: Final = "unknown"  # the platform of what is not an image, such as an attestation


@define
class _Image:
    """An image to write: its layers by digests unpacked, and as they are in the source."""

    config: Descriptor
    data: bytes
    layers: list[tuple[Digest, Descriptor]]
    names: set[str] = field(factory=set)


@checked
def write_docker_archive(
    source: Source,
    names: Iterable[str] | Mapping[str, str | None] | None,
    file: str | os.PathLike[str] | BinaryIO,
    *,
    platform: Platform | str | None = None,
    on_event: Report | None = None,
    on_error: Callable[[str, OciLayoutError], None] | None = None,
    unpack_limit: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Descriptor]:
    """Write images with their names into a tar that `docker load` and `podman load` read.

    Configs stay as they are, byte for byte, and layers are unpacked: one at a time, into a
    temporary file. What the format has no place for stays behind: indexes, annotations and
    referrers. The bytes depend on names and content alone; a file at the path is replaced when the
    archive is whole.

    Args:
        source: A `Layout`, an `Archive`, a `DockerArchive` or a `Repository`.
        names: References in the source. A mapping has the name of each in the archive, such as
            `app:v1` or `localhost:5000/app:v1`, which is written in full, or `None` for an image
            without a name. Otherwise an image has its full name, or its name if that has a
            repository and a tag, and else no name. Without names, all entries or tags are written.
        file: A path, or an open binary file, such as a pipe, which is not closed.
        platform: The platform of the image, where a reference means an index. It can be left out
            if the index has one image.
        on_event: Called with every step, as by `copy`; nothing is skipped.
        on_error: Called with each reference that does not mean a whole image. If that is all of
            them, nothing is written.
        unpack_limit: How much a compressed layer may unpack to, in bytes; by default 100 times its
            size, and 256 MiB at least.
        limits: As for `write_archive`.

    Returns:
        The plain descriptor of each image, by its reference in the source, as `DockerArchive` has
        it.

    Raises:
        TypeError: The names are one text.
        InvalidNameError: A name is not one that Docker takes.
        ReferenceNotFoundError: The source does not have a reference or the platform, or an index
            has several images and no platform was given.
        AmbiguousReferenceError: Different images have one name.
        BlobNotFoundError: A config or a layer is missing, also where it has `urls`.
        IntegrityError: Content is damaged, or a layer is not the one that the config names.
        UnsupportedDigestError: Content cannot be verified here.
        DocumentError: A document breaks the specification, content is not an image, or a layer
            is damaged or compressed in a way that is not read here.
        LimitExceededError: A document or a layer is too large, or there are too many.
        RegistryError: A registry failed or refused.
        OSError: The file or a temporary file cannot be written.
    """
    report = on_event or ignore
    images: dict[Digest, _Image] = {}
    chosen: dict[str, Digest] = {}
    total = 0
    named = docker_names(source, names, platform)
    for ref, name in named.items():
        try:
            image = _image(source, ref, platform, limits)
        except OciLayoutError as error:
            if on_error is None:
                raise
            on_error(ref, error)
            continue
        total += len(image.data)
        require_at_most(limits.total, total, of="what is written", unit="bytes of configs")
        # A config has the digests of all layers, so one config is one image.
        image = images.setdefault(image.config.digest, image)
        chosen[ref] = image.config.digest
        if name is not None:
            image.names.add(name)
    if named and not images:  # an archive with nothing in it would replace one that may have all
        return {}
    _require_clear(images.values())
    ordered = sorted(
        images.values(), key=lambda one: (not one.names, sorted(one.names), one.config.digest)
    )
    for image in ordered:
        for descriptor in (*(layer for _, layer in image.layers), image.config):
            report(Event(kind="planned", descriptor=descriptor))
    with open_target(file) as target:
        writer = _Writer(source, TarStream(target), report, unpack_limit)
        for image in ordered:
            writer.write(image)
        writer.finish(ordered)
    return {ref: writer.manifest(images[digest]) for ref, digest in chosen.items()}


class _Writer:
    """Images, written one after another; what they share is written once."""

    def __init__(
        self, source: Source, tar: TarStream, report: Report, unpack_limit: int | None
    ) -> None:
        self._source = source
        self._tar = tar
        self._report = report
        self._unpack_limit = unpack_limit
        self._sizes: dict[Digest, int] = {}
        self._folders: set[str] = set()
        self._last: dict[Digest, str] = {}

    def write(self, image: _Image) -> None:
        for digest, layer in image.layers:
            if digest not in self._sizes:
                self._sizes[digest] = self._add_layer(digest, layer)
        self._report(Event(kind="started", descriptor=image.config))
        self._tar.add(_config_path(image), image.data)
        self._report(Event(kind="bytes", descriptor=image.config, count=len(image.data)))
        self._report(Event(kind="done", descriptor=image.config))
        self._add_folders(image)

    def finish(self, images: list[_Image]) -> None:
        items: list[Json] = []
        repositories: dict[str, dict[str, str]] = {}
        for image in images:
            names = sorted(image.names)
            layers = [_layer_path(digest) for digest, _ in image.layers]
            items.append({"Config": _config_path(image), "RepoTags": names, "Layers": layers})  # type: ignore[dict-item] # lists of texts are JSON
            for name in names if image.layers else ():
                repository, _, tag = name.rpartition(":")
                repositories.setdefault(repository, {})[tag] = self._last[image.config.digest]
        self._tar.add(MANIFEST, dump_json(items))
        self._tar.add(REPOSITORIES, dump_json({**repositories}))  # type: ignore[dict-item] # as above
        self._tar.finish()

    def manifest(self, image: _Image) -> Descriptor:
        """Return the manifest that the image has in the archive."""
        layers = [(digest, self._sizes[digest]) for digest, _ in image.layers]
        return Descriptor.of(image_manifest(image.data, layers), OCI_MANIFEST)

    def _add_layer(self, digest: Digest, layer: Descriptor) -> int:
        """Write a layer unpacked; return its size."""
        self._report(Event(kind="started", descriptor=layer))
        with closing(
            ReportingStream(partial(self._source.blobs.open, layer), layer, self._report)
        ) as stream:
            raw = Peeked(stream)
            program = compression_of(raw.head)
            if program:
                size = self._add_unpacked(digest, layer, program, raw)
            else:
                size = layer.size
                wanted = Descriptor(media_type=OCI_LAYER, digest=digest, size=size)
                content: Readable = raw if digest == layer.digest else VerifiedReader(raw, wanted)
                self._tar.add_stream(_layer_path(digest), size, content)
        self._report(Event(kind="done", descriptor=layer))
        return size

    def _add_unpacked(self, digest: Digest, layer: Descriptor, program: str, raw: Readable) -> int:
        limit = default_limit(layer.size) if self._unpack_limit is None else self._unpack_limit
        hasher = new_hasher(digest.algorithm)
        act = acting("write an unpacked layer to the folder", tempfile.gettempdir())
        with act:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 # closed below
        with file, closing(Unpacked(raw, program, limit=limit, place=str(layer.digest))) as stream:
            with act:
                size = write_hashed(stream, file, hasher.update)
            actual = f"{digest.algorithm}:{hasher.hexdigest()}"
            if actual != digest:
                wanted = Descriptor(media_type=OCI_LAYER, digest=digest, size=size)
                raise DigestMismatchError(
                    f"the layer {layer.digest} unpacks to {actual}, the config has {digest}",
                    descriptor=wanted,
                    actual=actual,
                )
            file.seek(0)
            self._tar.add_stream(_layer_path(digest), size, file)
        return size

    def _add_folders(self, image: _Image) -> None:
        """Write the folders for Docker before 1.10, which had an image for each layer."""
        config = parse_json(image.data)
        chain = parent = ""
        for position, (digest, _) in enumerate(image.layers):
            last = position == len(image.layers) - 1
            said: dict[str, Json] = {"created": _EPOCH}
            if last:
                said |= {key: config[key] for key in _OF_CONFIG if key in config}
            if parent:
                said["parent"] = parent
            # An id is that of the layers up to here and of what is said about the last one.
            chain = str(Digest.of(f"{chain} {digest}".encode())) if chain else str(digest)
            made = dump_json({"layer_id": chain, **dict(sorted(said.items()))})
            parent = Digest.of(made).encoded
            if parent not in self._folders:
                self._folders.add(parent)
                self._tar.add_folder(parent)
                self._tar.add(f"{parent}/VERSION", _VERSION)
                self._tar.add(f"{parent}/json", dump_json({"id": parent, **said}))
                self._tar.add_link(f"{parent}/layer.tar", f"../{_layer_path(digest)}")
        self._last[image.config.digest] = parent


def docker_names(
    source: Source,
    names: Iterable[str] | Mapping[str, str | None] | None,
    platform: Platform | str | None = None,
) -> dict[str, str | None]:
    """Return the name in a Docker archive of each chosen reference; see `write_docker_archive`.

    Raises:
        TypeError: The names are one text.
        InvalidNameError: A name is not one that Docker takes.
        AmbiguousReferenceError: As for `copy_all`.
        DocumentError: The root index or an entry of the source breaks the specification.
    """
    chosen = target_names(source, names, platform)
    if isinstance(names, Mapping):
        return {
            ref: None if name is None else str(docker_reference(name))
            for ref, name in chosen.items()
        }
    found: dict[str, str | None] = {}
    for ref, name in chosen.items():
        full = [entry.full_name for entry in entries_of(source, [ref])] if name else []
        known = known_reference(*full[:1], name)
        found[ref] = None if known is None else str(known)
    return found


def _image(source: Source, ref: str, platform: Platform | str | None, limits: Limits) -> _Image:
    """Return an image of the source, found to be there in its size."""
    root = resolve_for(source, ref, platform)
    budget = Budget(source.blobs.read, limits=limits, of=ref, size=source.blobs.size)
    if root.media_type in INDEX_TYPES:
        root = _only_image(ref, root, budget)
    manifest = budget.read(root) if root.media_type not in INDEX_TYPES else None
    if not isinstance(manifest, Manifest) or manifest.config.media_type not in (
        OCI_CONFIG,
        DOCKER_CONFIG,
    ):
        message = "it is not an image with a config and layers, and a Docker archive holds no other"
        raise DocumentError.of("not-an-image", message).read_from(ref)
    require_document_size(manifest.config)
    data = source.blobs.read(manifest.config)
    try:
        diff_ids = diff_ids_of(data)
    except DocumentError as error:
        raise error.read_from(str(manifest.config.digest)) from None
    if len(diff_ids) != len(manifest.layers):
        raise DocumentError.of(
            "wrong-layers",
            f"the image has {len(manifest.layers)} layers, and its config has {len(diff_ids)}",
            "$.layers",
        ).read_from(str(root.digest))
    for layer in manifest.layers:
        require_at_most(limits.blob, layer.size, of=str(layer.digest), unit="bytes")
        if layer.data is None or layer.digest in source.blobs:
            require_size(layer, source.blobs.size(layer.digest))
    return _Image(manifest.config, data, list(zip(diff_ids, manifest.layers, strict=True)))


def _only_image(ref: str, root: Descriptor, budget: Budget) -> Descriptor:
    """Return the only image of an index, in which attestations do not count."""
    index = budget.read(root)
    children = index.manifests if isinstance(index, Index) else ()
    images = [one for one in children if one.platform is None or one.platform.os != _UNKNOWN]
    if len(images) == 1:
        return images[0].located()
    there = [one for one in images if budget.read_if_there(one) is not None]
    known = sorted({str(one.platform) for one in there if one.platform is not None})
    raise ReferenceNotFoundError(
        f"{ref} is an index of {len(images)} images, and a Docker archive has no indexes;"
        f" choose one with platform: {', '.join(known) or 'none is named'}"
    )


def _require_clear(images: Iterable[_Image]) -> None:
    having: dict[str, list[Digest]] = {}
    for image in images:
        for name in image.names:
            having.setdefault(name, []).append(image.config.digest)
    for name, digests in having.items():
        if len(digests) > 1:
            raise AmbiguousReferenceError(name, digests, advice="give each a name of its own")


def _config_path(image: _Image) -> str:
    return f"{image.config.digest.encoded}.json"


def _layer_path(digest: Digest) -> str:
    return f"{digest.encoded}.tar"
