"""The images in a tar of `docker save`: which files are their configs and their layers.

`manifest.json` says so since Docker 1.10. Where it is missing, `legacy` reads what older versions
saved. Where the tar is a layout as well, as since version 25, that is for `Archive` to read.

Sources: image/tarexport in github.com/moby/moby, docker/internal/tarfile in
github.com/containers/image.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.archive.member import Member, iter_members
from ocilayout.archive.packed import HEAD, Unpacked, compression_of, too_large
from ocilayout.archive.window import default_limit
from ocilayout.errors import DocumentError
from ocilayout.model import (
    CHUNK,
    DEFAULT_LIMITS,
    MAX_DOCUMENT,
    Digest,
    Json,
    new_hasher,
    parse_json,
    parse_value,
    require_at_most,
    require_length,
    wrong_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.archive.window import Window
    from ocilayout.model import Readable

MANIFEST: Final = "manifest.json"
REPOSITORIES: Final = "repositories"
_MOST_LINKS: Final = 40  # that are followed for one file, as Linux does

MOST_PARTS: Final = 100_000
"""The most layers that all images of an archive have together, and the most names."""


@frozen
class Packed:
    """A layer in the tar.

    Attributes:
        member: The file.
        program: What it is compressed with; empty if it is not.
    """

    member: Member
    program: str


@frozen(kw_only=True)
class SavedImage:
    """An image in the tar.

    Attributes:
        config: The bytes of its config.
        layers: The digest of each layer unpacked, with the layer, from the base up.
        names: Its names as the archive has them.
    """

    config: bytes
    layers: tuple[tuple[Digest, Packed], ...]
    names: tuple[str, ...]


class Files:
    """The files of a tar, by their paths; symbolic links in it are followed inside of it."""

    def __init__(self, window: Window, *, unpack_limit: int | None) -> None:
        """Read the headers of all members.

        Args:
            window: The tar.
            unpack_limit: How much all layers may unpack to, in bytes; `None` for the default.

        Raises:
            NotALayoutError: It is not a tar.
            DocumentError: The tar is refused.
            LimitExceededError: An extended header is too large.
        """
        self._window = window
        self._limit = default_limit(window.size) if unpack_limit is None else unpack_limit
        self._left = self._limit
        self._measured: dict[int, tuple[Digest, int]] = {}  # by the offsets of layers
        self._members: dict[str, Member] = {}
        self._twice: set[str] = set()
        self._layers: dict[str, Packed] = {}
        for member in iter_members(window):
            if member.kind != "folder":
                if member.path in self._members:
                    self._twice.add(member.path)
                self._members[member.path] = member

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __contains__(self, path: object) -> bool:
        return path in self._members

    def find(self, path: str) -> Member:
        """Return the file at a path, or where the links there lead to.

        Raises:
            DocumentError: It is missing, is there twice, is neither a file nor a link to one, or
                lies outside of the tar or behind a link.
        """
        name = path
        for _ in range(_MOST_LINKS):
            path = _inside(path, name)
            member = self._members.get(path)
            if member is None:
                raise DocumentError.of("missing-member", "the archive does not hold it", name)
            folders = path.split("/")[:-1]
            if any("/".join(folders[:end]) in self._members for end in range(1, len(folders) + 1)):
                # A program that unpacks the tar would write to where a link leads.
                raise DocumentError.of("irregular-member", "a part of its path is a file", name)
            if path in self._twice:
                raise DocumentError.of(
                    "duplicate-member", "the archive holds it twice", member.name
                )
            if not member.link:
                if member.kind != "file":
                    raise DocumentError.of(
                        "irregular-member", "it is not a regular file", member.name
                    )
                return member
            if member.link.startswith("/"):
                raise _outside(name)
            path = "/".join([*folders, member.link])
        raise DocumentError.of("irregular-member", "its links lead to no file", name)

    def read(self, path: str) -> bytes:
        """Return the content of a document.

        Raises:
            DocumentError: As for `find`.
            LimitExceededError: It is larger than 4 MiB.
        """
        member = self.find(path)
        require_length(member.size, MAX_DOCUMENT)
        return self._window.read(member.offset, member.size)

    def layer(self, path: str) -> Packed:
        """Return a layer.

        Raises:
            DocumentError: As for `find`.
        """
        known = self._layers.get(path)
        if known is None:
            member = self.find(path)
            head = self._window.read(member.offset, min(HEAD, member.size))
            known = self._layers[path] = Packed(member, compression_of(head))
        return known

    def open(self, layer: Packed) -> Readable:
        """Open a layer, unpacked.

        Raises:
            DocumentError: It is compressed in a way that is not read here.
        """
        raw = self._window.section(layer.member.offset, layer.member.size)
        if not layer.program:
            return raw
        return Unpacked(raw, layer.program, limit=self._limit, place=layer.member.name)

    def size(self, layer: Packed) -> int:
        """Return the size of a layer unpacked, in bytes; a compressed one is read for that.

        Raises:
            DocumentError: As for `measure`.
            LimitExceededError: As for `measure`.
        """
        return self.measure(layer)[1] if layer.program else layer.member.size

    def measure(self, layer: Packed) -> tuple[Digest, int]:
        """Return the digest and the size in bytes of a layer unpacked, which is read for that.

        Raises:
            DocumentError: It is damaged, or as for `open`.
            LimitExceededError: It unpacks to more than the limit, with those before.
        """
        known = self._measured.get(layer.member.offset)
        if known is not None:
            return known
        hasher, size = new_hasher("sha256"), 0
        with closing(self.open(layer)) as stream:
            while data := stream.read(CHUNK):
                hasher.update(data)
                size += len(data)
                if layer.program and size > self._left:
                    raise too_large(layer.member.name, self._limit)
        self._left -= size if layer.program else 0
        found = Digest.parse(f"sha256:{hasher.hexdigest()}"), size
        self._measured[layer.member.offset] = found
        return found


def iter_saved(files: Files) -> Iterator[SavedImage]:
    """Give the images that `manifest.json` lists, in its order.

    Raises:
        DocumentError: `manifest.json` or a config is not what Docker writes, or names a file that
            is missing or refused.
        LimitExceededError: One of them is too large, or there are too many images or layers.
    """
    items = parse_value(files.read(MANIFEST))
    if not isinstance(items, list):
        raise wrong_type("an array", items).read_from(MANIFEST)
    require_at_most(DEFAULT_LIMITS.children, len(items), of=MANIFEST, unit="images")
    count = 0
    for position, item in enumerate(items):
        try:
            path, names, layers = _item(item)
        except DocumentError as error:
            raise error.at(f"$[{position}]").read_from(MANIFEST) from None
        require_at_most(DEFAULT_LIMITS.layers, len(layers), of=f"image @{position}", unit="layers")
        count += len(layers)
        require_at_most(MOST_PARTS, count, of=MANIFEST, unit="layers")
        config = files.read(path)
        try:
            diff_ids = diff_ids_of(config)
        except DocumentError as error:
            raise error.read_from(path) from None
        if len(diff_ids) != len(layers):
            raise DocumentError.of(
                "wrong-layers",
                f"the image has {len(layers)} layers, and its config {path} has {len(diff_ids)}",
                f"$[{position}].Layers",
            ).read_from(MANIFEST)
        yield SavedImage(
            config=config,
            layers=tuple(zip(diff_ids, map(files.layer, layers), strict=True)),
            names=names,
        )


def diff_ids_of(config: bytes) -> tuple[Digest, ...]:
    """Return the digests of the layers of an image unpacked, as its config has them.

    Raises:
        DocumentError: It is not the config of an image.
        LimitExceededError: It is too large.
    """
    rootfs = parse_json(config).get("rootfs")
    if not isinstance(rootfs, dict):
        raise wrong_type("an object", rootfs).at("$.rootfs")
    # Go programs write an empty list as null.
    return tuple(map(Digest.parse, texts(rootfs.get("diff_ids"), "$.rootfs.diff_ids")))


def texts(value: Json, place: str) -> tuple[str, ...]:
    """Return an array of strings, which may be null.

    Raises:
        DocumentError: It is something else.
    """
    if value is not None and not isinstance(value, list):
        raise wrong_type("an array", value).at(place)
    found: list[str] = []
    for position, text in enumerate(value or ()):
        if not isinstance(text, str):
            raise wrong_type("a string", text).at(f"{place}[{position}]")
        found.append(text)
    return tuple(found)


def _item(item: Json) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    if not isinstance(item, dict):
        raise wrong_type("an object", item)
    config = item.get("Config")
    if not isinstance(config, str):
        raise wrong_type("a string", config).at("$.Config")
    names = texts(item.get("RepoTags"), "$.RepoTags")
    if "" in names:
        raise DocumentError.of("empty-name", "a name is empty", "$.RepoTags")
    return config, tuple(dict.fromkeys(names)), texts(item.get("Layers"), "$.Layers")


def _inside(path: str, name: str) -> str:
    """Return a path without `.` and `..`."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part == "..":
            raise _outside(name)
        elif part not in ("", "."):
            parts.append(part)
    if path.startswith("/"):
        raise _outside(name)
    return "/".join(parts)


def _outside(name: str) -> DocumentError:
    return DocumentError.of("unsafe-member", "the path leads out of the archive", name)
