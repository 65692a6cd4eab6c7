"""Content to put into a store under test: small graphs that share as much as real ones do.

All of it is made here, from the bytes up: layers and configs that several manifests have in
common, indexes in indexes, Docker's media types, digests of two algorithms, and what refers to
other content as its subject, also from inside of the very index that its subject is in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from ocilayout.codec import decode, encode
from ocilayout.descriptor import Descriptor
from ocilayout.digest import Digest  # attrs
from ocilayout.index import Index
from ocilayout.manifest import Manifest
from ocilayout.mediatype import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    DOCUMENT_TYPES,
    INDEX_TYPES,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from ocilayout.referrer import fallback_tag

if TYPE_CHECKING:
    from collections.abc import Iterable


Blob = tuple[Descriptor, bytes]


@frozen
class Content:
    """A manifest or an index, with all that it is made of.

    Attributes:
        title: What a failing example calls it.
        blobs: Descriptors and bytes, the parts before what is made of them, the root last.
        subject: What the root refers to as its subject, if to anything; no part of it.
        parts: What the root is made of, in document order.
    """

    title: str
    blobs: tuple[Blob, ...] = field(repr=False)
    parts: tuple[Descriptor, ...] = field(repr=False)
    subject: Digest | None = field(default=None, repr=False)

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # noqa: ANN401, FBT001 # Hypothesis asks
        printer.text(f"<{self.title}>")

    @property
    def root(self) -> Descriptor:
        """The plain descriptor of the manifest or the index."""
        return self.blobs[-1][0]

    @property
    def digest(self) -> Digest:
        """The digest of the root."""
        return self.root.digest

    @property
    def digests(self) -> frozenset[Digest]:
        """The digests of all blobs."""
        return frozenset(descriptor.digest for descriptor, _ in self.blobs)

    @property
    def is_index(self) -> bool:
        """Whether the root is an index."""
        return self.root.media_type in INDEX_TYPES


_CONFIG: Final = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'


def _manifest(
    title: str,
    *layers: str,
    media_type: str = OCI_MANIFEST,
    subject: Content | None = None,
    algorithm: str = "sha256",
) -> Content:
    config_type = OCI_CONFIG if media_type == OCI_MANIFEST else DOCKER_CONFIG
    blobs = [(Descriptor.of(_CONFIG, config_type, algorithm), _CONFIG)]
    blobs += [(Descriptor.of(data, OCI_LAYER, algorithm), data) for data in map(str.encode, layers)]
    config, *others = (descriptor for descriptor, _ in blobs)
    document = Manifest(
        media_type=media_type,
        config=config,
        layers=others,
        subject=None if subject is None else subject.root,
    )
    return _content(title, blobs, document, algorithm)


def _wrapping(title: str, inside: Content) -> Content:
    """Make a manifest whose one layer is another manifest, as bytes."""
    layer = Descriptor.of(inside.blobs[-1][1], OCI_LAYER)
    config = Descriptor.of(_CONFIG, OCI_CONFIG)
    blobs = [(config, _CONFIG), (layer, inside.blobs[-1][1])]
    document = Manifest(media_type=OCI_MANIFEST, config=config, layers=[layer])
    return _content(title, blobs, document, "sha256")


def _index(
    title: str,
    *children: Content,
    media_type: str = OCI_INDEX,
    subject: Content | None = None,
) -> Content:
    blobs = dict(blob for child in children for blob in child.blobs)
    document = Index(
        media_type=media_type,
        manifests=[child.root for child in children],
        subject=None if subject is None else subject.root,
    )
    return _content(title, blobs.items(), document, "sha256")


def _content(
    title: str,
    blobs: Iterable[Blob],
    document: Manifest | Index,
    algorithm: str,
) -> Content:
    data = encode(document)
    root = Descriptor.of(data, document.media_type or "", algorithm)
    return content_of(title, [*blobs, (root, data)])


def content_of(title: str, blobs: Iterable[Blob]) -> Content:
    """Make content of blobs.

    Args:
        title: What a failing example calls it.
        blobs: Descriptors and bytes, the parts before what is made of them, the root last.
    """
    blobs = tuple(blobs)
    parts, subject = _read(*blobs[-1])
    return Content(
        title=title,
        blobs=blobs,
        parts=tuple(part.plain() for part in parts),
        subject=None if subject is None else subject.digest,
    )


def contents_of(title: str, blobs: Iterable[Blob]) -> tuple[Content, ...]:
    """Make content of each manifest and index among blobs.

    Args:
        title: What a failing example calls the last of them.
        blobs: As for `content_of`.

    Returns:
        What is made of all of it first, and then what is inside.
    """
    given = {descriptor.digest: (descriptor.plain(), data) for descriptor, data in blobs}
    found: dict[Digest, Content] = {}
    for root, data in given.values():
        if root.media_type in DOCUMENT_TYPES:
            below: dict[Digest, Blob] = {}
            for part in _read(root, data)[0]:
                inside = found.get(part.digest)
                for blob in inside.blobs if inside else [given[part.digest]]:
                    below[blob[0].digest] = blob
            label = title if len(below) == len(given) - 1 else f"{title}, part {len(found) + 1}"
            found[root.digest] = content_of(label, [*below.values(), (root, data)])
    return tuple(reversed(found.values()))


def _read(root: Descriptor, data: bytes) -> tuple[tuple[Descriptor, ...], Descriptor | None]:
    """Return what a document is made of, and its subject."""
    if root.media_type in INDEX_TYPES:
        index = decode(data, Index)
        return index.manifests, index.subject
    manifest = decode(data, Manifest)
    return (manifest.config, *manifest.layers), manifest.subject


_ONE = _manifest("one", "base", "first")
_TWO = _manifest("two", "base", "second")
_THREE = _manifest("three", "third")
_PAIR = _index("pair", _ONE, _TWO)
_DOCKER = _manifest("docker", "base", "fourth", media_type=DOCKER_MANIFEST)
_WRAPPED = _wrapping("three, as a layer", _THREE)
_SIGNATURE = _manifest("signature of one", "signed", subject=_ONE)
_SECOND = _manifest("signature of the signature", "signed", "again", subject=_SIGNATURE)

CONTENTS: Final[tuple[Content, ...]] = (
    _ONE,
    _TWO,
    _THREE,
    _PAIR,
    _index("nested", _PAIR, _THREE),
    _DOCKER,
    _index("docker list", _DOCKER, media_type=DOCKER_INDEX),
    _manifest("of sha512", "base", "fifth", algorithm="sha512"),
    _SIGNATURE,
    _SECOND,
    _index("index about the pair", _THREE, subject=_PAIR),
    # What is inside refers to what is inside, so that a walk through subjects goes round.
    _index("one and its signature", _ONE, _SIGNATURE),
    _index("about one, and of it", _ONE, _SECOND, subject=_ONE),
    _index("list of referrers", _SIGNATURE),
    _WRAPPED,
    # One digest as a layer, through which nothing is reached, and as a manifest.
    _index("three, and three as a layer", _WRAPPED, _THREE, _WRAPPED),
)
"""All content, each with another root."""

NAMES: Final = ("a", "b", "host.example:5000/c:v1", fallback_tag(_ONE.digest))
"""Names, of which the last one is that of a list of referrers."""

UNKNOWN: Final = Digest("other:6a6b6c")
"""A blob whose algorithm nobody here knows, and that nobody may therefore delete."""
