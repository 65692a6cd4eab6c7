"""Content to put into a store under test: small graphs that share as much as real ones do.

All of it is made here, from the bytes up: layers and configs that several manifests have in
common, indexes in indexes, Docker's media types, digests of two algorithms, and what refers to
other content as its subject, also from inside of the very index that its subject is in. What not
every store can be asked to understand stands apart: retired types, and digests that are only named.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from ocilayout.model import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    DOCUMENT_TYPES,
    INDEX_TYPES,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    ORAS_ARTIFACT,
    ArtifactManifest,
    Descriptor,
    Digest,  # attrs
    Index,
    Manifest,
    decode_document,
    encode,
    fallback_tag,
    successors,
)
from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Iterable


Blob = tuple[Descriptor, bytes]


@checked
@frozen
class Content:
    """A manifest, an index or a document of an unknown type, with all that it is made of.

    Attributes:
        title: What a failing example calls it.
        blobs: Descriptors and bytes, the parts before what is made of them, the root last.
        subject: What the root refers to as its subject, if to anything; no part of it.
        parts: What the root is made of, in document order.
        beside: What the root only names, in a place that is not understood. It is put beside the
            content, and held by it, and a copy leaves it behind.
    """

    title: str
    blobs: tuple[Blob, ...] = field(repr=False)
    parts: tuple[Descriptor, ...] = field(repr=False)
    subject: Digest | None = field(default=None, repr=False)
    beside: tuple[Blob, ...] = field(default=(), repr=False)

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
    def placed(self) -> frozenset[Digest]:
        """The digests of all blobs, and of what is put beside them."""
        return self.digests.union(descriptor.digest for descriptor, _ in self.beside)

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
    document: Manifest | Index | ArtifactManifest,
    algorithm: str,
) -> Content:
    data = encode(document)
    root = Descriptor.of(data, document.media_type or "", algorithm)
    return content_of(title, [*blobs, (root, data)])


@checked
def content_of(title: str, blobs: Iterable[Blob], beside: Iterable[Blob] = ()) -> Content:
    """Make content of blobs.

    Args:
        title: What a failing example calls it.
        blobs: Descriptors and bytes, the parts before what is made of them, the root last.
        beside: What the root only names.
    """
    blobs = tuple(blobs)
    parts, subject = _read(*blobs[-1])
    return Content(
        beside=tuple(beside),
        title=title,
        blobs=blobs,
        parts=tuple(part.plain() for part in parts),
        subject=None if subject is None else subject.digest,
    )


@checked
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
    if root.media_type not in DOCUMENT_TYPES:
        return (), None
    document = decode_document(data, root)
    return successors(document), document.subject


_ONE = _manifest("one", "base", "first")
_TWO = _manifest("two", "base", "second")
_THREE = _manifest("three", "third")
_PAIR = _index("pair", _ONE, _TWO)
_DOCKER = _manifest("docker", "base", "fourth", media_type=DOCKER_MANIFEST)
_WRAPPED = _manifest("three, as a layer", _THREE.blobs[-1][1].decode())
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

_PAYLOAD: Final[Blob] = (Descriptor.of(b"payload", "text/plain"), b"payload")
_SIGNED: Final[Blob] = (Descriptor.of(b"signed", "text/plain"), b"signed")


def _artifact(title: str, media_type: str, *blobs: Blob, subject: Content | None) -> Content:
    document = ArtifactManifest(
        media_type=media_type,
        artifact_type="text/plain",
        blobs=[descriptor for descriptor, _ in blobs],
        subject=None if subject is None else subject.root,
    )
    return _content(title, blobs, document, "sha256")


def _schema1(title: str, *layers: str) -> Content:
    """Make a manifest of schema 1, which names its first layer twice and no size."""
    blobs = [(Descriptor.of(data, DOCKER_LAYER_GZIP), data) for data in map(str.encode, layers)]
    named = [{"blobSum": descriptor.digest} for descriptor, _ in (*blobs, blobs[0])]
    data = json.dumps({"schemaVersion": 1, "name": title, "fsLayers": named}).encode()
    return content_of(title, [*blobs, (Descriptor.of(data, DOCKER_SCHEMA1), data)])


def _bundle(title: str, *named: Content) -> Content:
    """Make a document of an unknown type that names content in three ways."""
    payload = _PAYLOAD[0].digest
    document = {"subject": [{"digest": {payload.algorithm: payload.encoded}}]}
    roots = [content.digest for content in named]
    text = json.dumps({"title": title, "statement": document, "see": roots})
    data = text.replace("sha256:", "sha256\\u003a").encode()
    beside = dict([_PAYLOAD, *(blob for content in named for blob in content.blobs)])
    root = Descriptor.of(data, "application/vnd.example.bundle+json")
    return content_of(title, [(root, data)], beside.items())


def _with_bundle(title: str, bundle: Content) -> Content:
    """Make a manifest whose one layer is a document of an unknown type."""
    config = Descriptor.of(_CONFIG, OCI_CONFIG)
    document = Manifest(media_type=OCI_MANIFEST, config=config, layers=[bundle.root])
    data = encode(document)
    blobs = [(config, _CONFIG), *bundle.blobs, (Descriptor.of(data, OCI_MANIFEST), data)]
    return content_of(title, blobs, bundle.beside)


def _with_unknown_property(title: str, layer: str) -> Content:
    """Make a manifest with a property that nothing here understands."""
    config = Descriptor.of(_CONFIG, OCI_CONFIG)
    data = layer.encode()
    blobs = [(config, _CONFIG), (Descriptor.of(data, OCI_LAYER), data)]
    document = Manifest(
        media_type=OCI_MANIFEST,
        config=config,
        layers=[blobs[1][0]],
        extra={"org.example.more": [{"key": _SIGNED[0].digest}]},
    )
    data = encode(document)
    root = Descriptor.of(data, OCI_MANIFEST)
    return content_of(title, [*blobs, (root, data)], [_SIGNED])


_RETIRED = _artifact("artifact about one", OCI_ARTIFACT, _SIGNED, subject=_ONE)
_OLD = _artifact("artifact of ORAS", ORAS_ARTIFACT, _PAYLOAD, subject=None)
_SCHEMA1 = _schema1("schema 1", "base", "sixth")
_BUNDLE = _bundle("bundle", _THREE)

UNCOMMON: Final[tuple[Content, ...]] = (
    _BUNDLE,
    _with_bundle("manifest with a bundle", _BUNDLE),
    # One digest as a layer, and where it is not understood, so that what it names is held.
    evolve(_index("three as a layer, and a bundle", _WRAPPED, _BUNDLE), beside=_BUNDLE.beside),
    evolve(_index("a bundle, and three as a layer", _BUNDLE, _WRAPPED), beside=_BUNDLE.beside),
    _with_unknown_property("manifest with a property", "seventh"),
    _RETIRED,
    _OLD,
    _SCHEMA1,
    _index("retired ones", _OLD, _SCHEMA1),
    _manifest("signature of the artifact", "signed", "third", subject=_OLD),
    _manifest("signature of three", "signed", "third", subject=_THREE),
)
"""Content of retired types, and content that names more than it is made of."""

NAME_ANNOTATION: Final = "org.example.mark"
"""The key of an annotation that belongs to a name: what loses its name loses this, too."""

NAMES: Final = ("a", "b", "host.example:5000/c:v1", fallback_tag(_ONE.digest))
"""Names, of which the last one is that of a list of referrers."""

FULL_NAMES: Final = ("docker.io/library/a:v1", "docker.io/library/b:v1", NAMES[2])
"""Full names, of which the last one is a reference name as well."""

UNKNOWN: Final = Digest.parse("other:6a6b6c")
"""A blob of an unknown algorithm, which no verb may therefore delete."""
