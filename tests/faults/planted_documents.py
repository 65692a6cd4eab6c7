"""Layouts whose documents are malicious; all files are regular."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.faults.planted import (
    CONFIG,
    FULL,
    INDEX,
    LAYER,
    MANIFEST,
    NAME,
    TEBIBYTE,
    Content,
    JsonObject,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MANY: Final = 1000  # nodes, annotations or parts: enough to see that something is said of each
DEEP: Final = 100_000  # of nested arrays

_LIE: Final = "sha256:" + "1" * 64
_OTHER_LIE: Final = "sha256:" + "2" * 64
_PLAIN_TYPE: Final = "text/plain"


def _named(name: object) -> Content:
    """Give an image a name."""
    made = Content()
    made.entries.append({**made.image("named"), "annotations": {NAME: name}})
    return made.finish()


def _entry(**changes: Any) -> Content:
    """Make an entry say something else."""
    made = Content()
    made.add("v1", {**made.image("changed"), **changes})
    return made.finish()


def _root_index(data: bytes) -> Content:
    made = Content()
    made.image("lost")
    made.files["index.json"] = data
    return made.finish()


def _index_of_image(spell: Callable[[str], str]) -> Content:
    """Spell the root index of an image in another way."""
    made = Content()
    made.add("v1", made.image("spelt"))
    made.finish()
    made.files["index.json"] = spell(made.files["index.json"].decode()).encode(
        "utf-8", "surrogatepass"
    )
    return made


def _header(data: bytes) -> Content:
    made = Content()
    made.add("v1", made.image("headed"))
    made.files["oci-layout"] = data
    return made.finish()


def _document(data: object, media_type: str = MANIFEST) -> Content:
    """Make any document an entry."""
    made = Content()
    made.add("v1", made.blob(data, media_type))
    return made.finish()


def _manifest(**changes: object) -> Content:
    """Make a manifest say something else."""
    made = Content()
    config = made.blob({"architecture": "amd64", "os": "linux"}, CONFIG)
    layers = [made.blob(b"layer", LAYER)]
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    made.add("v1", made.blob({**document, **changes}, MANIFEST))
    return made.finish()


def _layer(**changes: object) -> Content:
    """Make the descriptor of a layer say something else."""
    made = Content()
    config = made.blob({"architecture": "amd64", "os": "linux"}, CONFIG)
    made.add("v1", made.manifest(config, [{**made.blob(b"layer", LAYER), **changes}]))
    return made.finish()


def _absent(part: str) -> Content:
    made = Content()
    descriptor = made.image("absent")
    manifest = json.loads(made.files[_path(descriptor["digest"])])
    gone = {"manifest": descriptor, "config": manifest["config"], "layer": manifest["layers"][0]}
    made.add("v1", descriptor)
    made.add("many", made.index(descriptor))
    del made.files[_path(gone[part]["digest"])]
    return made.finish()


def _circle(*digests: str) -> Content:
    """Let indexes name each other, the last one the first; their digests must lie for that."""
    made = Content()
    size = 0
    following = {each: digests[(at + 1) % len(digests)] for at, each in enumerate(digests)}
    for _ in range(4):  # until the sizes, which are in the documents, are right
        for digest in digests:
            to = {"mediaType": INDEX, "digest": following[digest], "size": size}
            document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [to]}
            made.files[_path(digest)] = json.dumps(document).encode()
            size = len(made.files[_path(digest)])
    made.add("v1", {"mediaType": INDEX, "digest": digests[0], "size": size})
    return made.finish()


def _own_subject() -> Content:
    made = Content()
    digest = "blake9:aa"
    subject = {"mediaType": MANIFEST, "digest": digest, "size": 1}
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "subject": subject}
    document |= {"config": made.blob(b"{}", CONFIG), "layers": []}
    made.files[_path(digest)] = json.dumps(document).encode()
    size = len(made.files[_path(digest)])
    made.add("v1", {"mediaType": MANIFEST, "digest": digest, "size": size})
    return made.finish()


def _retired(media_type: str, **document: object) -> Content:
    made = Content()
    part = made.blob(b"part", _PLAIN_TYPE)
    filled = json.loads(json.dumps(document).replace('"PART"', json.dumps(part)))
    made.add("v1", made.blob({"mediaType": media_type, **filled}, media_type))
    return made.finish()


def _schema_one() -> Content:
    made = Content()
    layers = [{"blobSum": made.blob(b"part", LAYER)["digest"]}]
    document = {"schemaVersion": 1, "name": "x", "fsLayers": layers, "history": []}
    made.add("v1", made.blob(document, "application/vnd.docker.distribution.manifest.v1+json"))
    return made.finish()


def _twice(*full: str) -> Content:
    """Give two images one name, as `docker save` does."""
    made = Content()
    for at, text in enumerate(("alpine", "busybox")):
        noted = {NAME: "v1"} | ({FULL: full[at]} if full else {})
        made.entries.append({**made.image(text), "annotations": noted})
    return made.finish()


def _full_names() -> Content:
    made = Content()
    for text in ("alpine", "busybox"):
        noted = {FULL: f"docker.io/library/{text}:v1"}
        made.entries.append({**made.image(text), "annotations": noted})
    return made.finish()


def _sparse_manifest() -> Content:
    """Say of a manifest that it has a tebibyte, which nothing may allocate."""
    return _entry(size=TEBIBYTE)


def _two_sizes() -> Content:
    made = Content()
    layer = made.blob(b"layer", LAYER)
    config = made.blob({"architecture": "amd64", "os": "linux"}, CONFIG)
    made.add("v1", made.manifest(config, [layer, {**layer, "size": 9}]))
    made.add("layer", {**layer, "size": 1})
    return made.finish()


def _long_chain() -> Content:
    made = Content()
    last = made.image("last")
    for _ in range(150):
        last = made.index(last)
    made.add("v1", last)
    return made.finish()


def _many_paths() -> Content:
    """Let each index name the next one twice: few documents, and 2**40 ways through them."""
    made = Content()
    last = made.image("last")
    for _ in range(40):
        last = made.index(last, {**last, "annotations": {"again": "yes"}})
    made.add("v1", last)
    return made.finish()


def _self_signed() -> Content:
    """Make an index of an image, its signature, and a referrer of that signature."""
    made = Content()
    image = made.image("signed")
    about = {key: image[key] for key in ("mediaType", "digest", "size")}
    config = made.blob(b"{}", CONFIG)
    signature = made.manifest(config, [config], subject=about)
    again = made.manifest(config, [], subject={**signature})
    made.add("v1", made.index(image, signature, again))
    return made.finish()


def _unknown_type() -> Content:
    made = Content()
    part = made.blob(b"part", _PLAIN_TYPE)
    document: JsonObject = {"things": [{"deep": {"digest": part["digest"]}}, _LIE, "sha256:short"]}
    made.add("v1", made.blob(document, "application/vnd.example.unknown+json"))
    return made.finish()


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


_DATA: Final = {"data": "e30="}

DOCUMENTS: Final[dict[str, Callable[[], Content]]] = {
    # what is named and is not there
    "an absent manifest": lambda: _absent("manifest"),
    "an absent config": lambda: _absent("config"),
    "an absent layer": lambda: _absent("layer"),
    "a size and nothing else": lambda: _root_index(b'{"schemaVersion":2,"manifests":[{"size":1}]}'),
    # circles
    "an index of itself, unverifiable": lambda: _circle("blake9:aa"),
    "indexes in a circle, unverifiable": lambda: _circle("blake9:aa", "blake9:bb", "blake9:cc"),
    "an index of itself, by a digest that lies": lambda: _circle(_LIE),
    "indexes in a circle, by digests that lie": lambda: _circle(_LIE, _OTHER_LIE),
    "a manifest that is its own subject": _own_subject,
    "signatures of signatures": _self_signed,
    # types
    "an artifact manifest of OCI": lambda: _retired(
        "application/vnd.oci.artifact.manifest.v1+json", artifactType="x/y", blobs=["PART"]
    ),
    "an artifact manifest of ORAS": lambda: _retired(
        "application/vnd.cncf.oras.artifact.manifest.v1+json", blobs=["PART"], subject="PART"
    ),
    "a manifest of schema 1": _schema_one,
    "an unknown type that names digests": _unknown_type,
    "a manifest that is also an index": lambda: _manifest(manifests=[]),
    "a manifest that says to be an index": lambda: _manifest(mediaType=INDEX),
    "a type with controls": lambda: _entry(mediaType="a/b\x1b[2J"),
    "a type that is not a text": lambda: _entry(mediaType=["a/b"]),
    "bytes that are not a manifest": lambda: _document(b"\x00\xff\x1b[2J"),
    "a manifest that is a number": lambda: _document(7),
    "an artifact type with controls": lambda: _manifest(artifactType="a/b\x1b[2J\n"),
    # names
    "two images of one name": _twice,
    "two images of one name, with full names": lambda: _twice("a.example/a:v1", "b.example/b:v1"),
    "two images of one full name": lambda: _twice("a.example/a:v1", "a.example/a:v1"),
    "full names only": _full_names,
    "a name of a shell": lambda: _named("v1;touch${IFS}x;$(x)`x`"),
    "a name with controls": lambda: _named("v1\x1b]0;x\x07\n\x9b2J\u202e"),
    "a name like an option": lambda: _named("--help"),
    "a name like a path": lambda: _named("../../canary/old"),
    "a name like a digest": lambda: _named(_LIE),
    "an empty name": lambda: _named(""),
    "a name of 100 kB": lambda: _named("v" * 100_000),
    "a name with a lone surrogate": lambda: _index_of_image(
        lambda text: text.replace('"v1"', '"v1\\ud800"')
    ),
    # sizes
    "a size that is too small": lambda: _entry(size=1),
    "a size that is too large": lambda: _entry(size=100_000),
    "a size of 0": lambda: _entry(size=0),
    "a size below 0": lambda: _entry(size=-1),
    "a size beyond 64 bits": lambda: _entry(size=2**64),
    "a size of 1 TiB": _sparse_manifest,
    "a size of many digits": lambda: _index_of_image(
        lambda text: text.replace('"size": ', f'"size": {"9" * 10_000}')
    ),
    "a size with a fraction": lambda: _entry(size=7.5),
    "a layer with another size": lambda: _layer(size=2**40),
    "one layer with two sizes": _two_sizes,
    # digests
    "a digest of sha512": lambda: _layer(digest="sha512:" + "3" * 128),
    "a digest of an unknown algorithm": lambda: _layer(digest="blake9:aa"),
    "an entry of an unknown algorithm": lambda: _entry(digest="blake9:aa"),
    "a digest with an overlong algorithm": lambda: _entry(digest=f"{'a' * 300}:aa"),
    "a layer with an overlong algorithm": lambda: _layer(digest=f"{'a' * 300}:aa"),
    "an overlong digest": lambda: _entry(digest=f"blake9:{'a' * 5000}"),
    "a layer with an overlong digest": lambda: _layer(digest=f"blake9:{'a' * 5000}"),
    "a digest that is a path": lambda: _entry(digest="sha256:../../../canary/old/plain.txt"),
    "a layer whose digest is a path": lambda: _layer(digest="../../canary:old"),
    "a digest with NUL": lambda: _entry(digest="sha256:\x00"),
    "a digest in capitals": lambda: _entry(digest="SHA256:" + "A" * 64),
    "a short digest": lambda: _entry(digest="sha256:abc"),
    # annotations, and other parts of descriptors
    "annotations that are numbers": lambda: _entry(annotations={NAME: "v1", "a": 1}),
    "annotations that are a list": lambda: _entry(annotations=["v1"]),
    "a name that is a number": lambda: _named(1),
    "many annotations that are not texts": lambda: _entry(
        annotations={NAME: "v1"} | {f"k{at}": at for at in range(MANY)}
    ),
    "data that is not the content": lambda: _layer(**_DATA),
    "data that is not base64": lambda: _layer(data="\x1b[2J"),
    "urls that are numbers": lambda: _layer(urls=[1, None]),
    "a platform that is a text": lambda: _entry(platform="linux/amd64"),
    "a layer that is null": lambda: _manifest(layers=[None]),
    "layers that are null": lambda: _manifest(layers=None),
    "a config that is null": lambda: _manifest(config=None),
    "a subject that is a text": lambda: _manifest(subject=_LIE),
    # documents that are broken, deep, or large
    "an index.json that is a list": lambda: _root_index(b"[]"),
    "an index.json that is null": lambda: _root_index(b"null"),
    "an index.json with a mark of order": lambda: _root_index(b'\xef\xbb\xbf{"schemaVersion":2}'),
    "an index.json in UTF-16": lambda: _root_index('{"schemaVersion":2}'.encode("utf-16")),
    "an index.json that is not UTF-8": lambda: _root_index(b'{"schemaVersion":2,"x":"\xff"}'),
    "an index.json that goes on": lambda: _index_of_image(lambda text: f"{text} {text}"),
    "an index.json that ends early": lambda: _index_of_image(lambda text: text[:-20]),
    "an index.json with a key twice": lambda: _index_of_image(
        lambda text: text.replace("{", '{"schemaVersion": 2, ', 1)
    ),
    "an index.json with a key of another case": lambda: _index_of_image(
        lambda text: text.replace("{", '{"Manifests": [], ', 1)
    ),
    "an index.json with NaN": lambda: _index_of_image(
        lambda text: text.replace("{", '{"x": NaN, ', 1)
    ),
    "an index.json without a version": lambda: _index_of_image(
        lambda text: text.replace('"schemaVersion": 2, ', "")
    ),
    "manifests that are null": lambda: _root_index(b'{"schemaVersion":2,"manifests":null}'),
    "manifests that are an object": lambda: _root_index(b'{"schemaVersion":2,"manifests":{}}'),
    "entries that are null": lambda: _root_index(b'{"schemaVersion":2,"manifests":[null,1,"x"]}'),
    "deep arrays as index.json": lambda: _root_index(b"[" * DEEP),
    "deep arrays in index.json": lambda: _index_of_image(
        lambda text: text.replace("{", f'{{"x": {"[" * DEEP}{"]" * DEEP}, ', 1)
    ),
    "deep arrays in a manifest": lambda: _document(
        b'{"schemaVersion":2,"x":' + b"[" * DEEP + b"]" * DEEP + b"}"
    ),
    "deep arrays of an unknown type": lambda: _document(
        b'{"x":' + b"[" * DEEP + b"]" * DEEP + b"}", "application/vnd.example.x+json"
    ),
    "indexes of indexes": _long_chain,
    "many ways through few indexes": _many_paths,
    "many nodes in a manifest": lambda: _document(
        b'{"schemaVersion":2,"x":[' + b",".join([b'{"":{}}'] * 10 * MANY) + b"]}"
    ),
    "many nodes in index.json": lambda: _root_index(
        b'{"schemaVersion":2,"manifests":[],"x":[' + b",".join([b'{"":{}}'] * 10 * MANY) + b"]}"
    ),
    "many layers that are null": lambda: _manifest(layers=[None] * MANY),
    "many entries that are null": lambda: _root_index(
        json.dumps({"schemaVersion": 2, "manifests": [None] * MANY}).encode()
    ),
    "an oci-layout of another version": lambda: _header(b'{"imageLayoutVersion":"9\\u001b[2J"}'),
    "an oci-layout that is a list": lambda: _header(b"[]"),
    "an oci-layout of deep arrays": lambda: _header(b"[" * DEEP),
    "an oci-layout of 1 MB": lambda: _header(b" " * 1_000_000),
}
"""Layouts by what is wrong with them."""

NAMES: Final = {
    "full names only": "docker.io/library/alpine:v1",
    "two images of one name, with full names": "a.example/a:v1",
    "a name of a shell": "v1;touch${IFS}x;$(x)`x`",
    "a name with controls": "v1\x1b]0;x\x07\n\x9b2J\u202e",
    "a name like an option": "--help",
    "a name like a path": "../../canary/old",
    "a name like a digest": _LIE,
}
"""The name that verbs are given, where it is not `v1`."""
