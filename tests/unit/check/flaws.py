"""Examples of each kind of problem: a way to break a layout, and the place that is reported."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ocilayout.errors import MAX_PROBLEMS
from ocilayout.layout.rootindex import MAX_ROOT_INDEX
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT, MAX_NODES
from ocilayout.model.manifest import MAX_HEADER
from ocilayout.model.mediatype import (
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    OCTET_STREAM,
)
from tests.unit.check.conftest import (
    ABSENT,
    CONFIG,
    NAME_PLACE,
    TOP,
    UNKNOWN,
    Json,
    Store,
    place_of,
    seen,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: dict[str, tuple[str, str, Callable[[Store], str]]] = {}


def breaks(severity: str, code: str, how: str = "") -> Callable[[Callable[[Store], str]], None]:
    """Note one way to break a layout; the function returns the place that is reported."""

    def note(function: Callable[[Store], str]) -> None:
        CASES[f"{code} {how}".strip()] = (severity, code, function)

    return note


# ---------------------------------------------------------------- files that make a layout


@breaks("error", "missing-header")
def _(store: Store) -> str:
    (store.root / "oci-layout").unlink()
    return "oci-layout"


@breaks("error", "missing-index")
def _(store: Store) -> str:
    (store.root / "index.json").unlink()
    return "index.json"


@breaks("error", "missing-blobs-folder")
def _(store: Store) -> str:
    (store.root / "blobs" / "sha256").rmdir()
    (store.root / "blobs").rmdir()
    return "blobs"


@breaks("error", "missing-blobs-folder", "a file")
def _(store: Store) -> str:
    (store.root / "blobs" / "sha256").rmdir()
    (store.root / "blobs").rmdir()
    (store.root / "blobs").write_bytes(b"")
    return "blobs"


@breaks("error", "unsupported-version")
def _(store: Store) -> str:
    (store.root / "oci-layout").write_bytes(b'{"imageLayoutVersion":"2.0.0"}')
    return "oci-layout$.imageLayoutVersion"


@breaks("error", "unreadable-file", "a folder for a header")
def _(store: Store) -> str:
    (store.root / "oci-layout").unlink()
    (store.root / "oci-layout").mkdir()
    return "oci-layout"


@breaks("error", "unreadable-file", "a FIFO for an index")
def _(store: Store) -> str:
    (store.root / "index.json").unlink()
    os.mkfifo(store.root / "index.json")
    return "index.json"


@breaks("error", "unreadable-file", "links in a circle")
def _(store: Store) -> str:
    (store.root / "blobs" / "sha512").symlink_to("sha512")
    return "blobs/sha512"


# ---------------------------------------------------------------- any document


def breaks_bytes(
    code: str, data: bytes, json_path: str = "", severity: str = "error", how: str = ""
) -> None:
    """Note bytes that are wrong in the same way in every document."""

    if len(data) <= MAX_HEADER:  # a longer header is refused for its length alone

        @breaks(severity, code, f"in oci-layout {how}")
        def header(store: Store) -> str:
            (store.root / "oci-layout").write_bytes(data)
            return "oci-layout" + json_path

    @breaks(severity, code, f"in index.json {how}")
    def _(store: Store) -> str:
        store.raw(data)
        return "index.json" + json_path

    @breaks(severity, code, f"in a manifest {how}")
    def _(store: Store) -> str:
        store.put(b"it is not known whether this is reached")
        return place_of(store.enter(store.document(data))["digest"]) + json_path

    @breaks(severity, code, f"in a config {how}")
    def _(store: Store) -> str:
        config = store.document(data, OCI_CONFIG)
        store.enter(store.manifest(config=config))
        store.path(Digest.of(json.dumps(CONFIG).encode())).unlink(missing_ok=True)
        return place_of(config["digest"]) + json_path


breaks_bytes("bad-encoding", '{"a":1}'.encode("utf-16"))
breaks_bytes("bad-json", b'{"a":1')
breaks_bytes("bad-json", b"", how="empty")
breaks_bytes("bad-json", b"{} {}", how="trailing")
breaks_bytes("bad-number", b'{"a":1e999}')
breaks_bytes("bad-number", b'{"a":[-%s]}' % (b"9" * 309), "$.a[0]", how="whole")
breaks_bytes("bad-unicode", b'{"a":"\\ud800"}', "$.a")
breaks_bytes("duplicate-property", b'{"a":1,"a":2}', "$.a")
breaks_bytes("wrong-type", b"[]", how="no object")
breaks_bytes("too-many-nodes", b'{"":[%s]}' % b",".join([b"{}"] * MAX_NODES), severity="warning")
breaks_bytes("too-deep", b'{"a":' * 200 + b"1" + b"}" * 200, severity="warning")


@breaks("warning", "more-problems")
def _(store: Store) -> str:
    notes = {f"note {number}": "x" for number in range(2 * MAX_PROBLEMS)}
    store.enter(store.manifest(), None, annotations=notes)
    return TOP


def breaks_property(code: str, name: str, value: str, json_path: str, how: str = "") -> None:
    """Note a property, in JSON, about which a check warns in every document."""

    def spoiled(document: Json) -> bytes:
        return json.dumps(document).replace("{", f"{{{name}:{value},", 1).encode()

    @breaks("warning", code, f"in oci-layout {how}")
    def header(store: Store) -> str:
        (store.root / "oci-layout").write_bytes(spoiled({"imageLayoutVersion": "1.0.0"}))
        return "oci-layout$" + json_path

    @breaks("warning", code, f"in index.json {how}")
    def _(store: Store) -> str:
        store.raw(spoiled(store.index))
        return "index.json$" + json_path

    @breaks("warning", code, f"in an entry {how}")
    def _(store: Store) -> str:
        entry = spoiled(store.manifest()).decode()
        index = json.dumps({**store.index, "manifests": [1]})
        store.raw(index.replace("[1]", f"[{entry}]").encode())
        return TOP + json_path

    @breaks("warning", code, f"in a manifest {how}")
    def _(store: Store) -> str:
        manifest = {"schemaVersion": 2, "config": store.put(b"", "a/b"), "layers": []}
        return place_of(store.enter(store.document(spoiled(manifest)))["digest"]) + "$" + json_path

    @breaks("warning", code, f"in a config {how}")
    def _(store: Store) -> str:
        config = store.document(spoiled(CONFIG), OCI_CONFIG)
        store.enter(store.manifest(config=config))
        store.path(Digest.of(json.dumps(CONFIG).encode())).unlink(missing_ok=True)
        return place_of(config["digest"]) + "$" + json_path


breaks_property("imprecise-number", '"a"', "9007199254740993", ".a")
breaks_property("imprecise-number", '"a"', '[{"b":-9007199254740993 }]', ".a[0].b", "below")
breaks_property("noncharacter", '"a"', '"x\uffff"', ".a")
breaks_property("noncharacter", '"a"', r'"\ud83f\udffe"', ".a", "escaped")
breaks_property("noncharacter", '"\ufdd0"', "1", '["\\ufdd0"]', "in a name")


@breaks("warning", "too-large", "header")
def _(store: Store) -> str:
    (store.root / "oci-layout").write_bytes(b" " * (MAX_HEADER + 1))
    return "oci-layout"


@breaks("warning", "too-large", "index")
def _(store: Store) -> str:
    os.truncate(store.root / "index.json", MAX_ROOT_INDEX + 1)
    return "index.json"


@breaks("warning", "too-large", "manifest")
def _(store: Store) -> str:
    document = store.manifest(annotations={"com.example.long": "x" * MAX_DOCUMENT})
    return place_of(store.enter(document)["digest"])


@breaks("error", "case-variant", "index")
def _(store: Store) -> str:
    store.index["Manifests"] = store.index.pop("manifests")
    store.save()
    return "index.json$.Manifests"


@breaks("error", "case-variant", "entry")
def _(store: Store) -> str:
    store.enter(store.manifest(), Size=3)
    return f"{TOP}.Size"


@breaks("error", "case-variant", "manifest")
def _(store: Store) -> str:
    return place_of(store.enter(store.manifest(Subject=None))["digest"]) + "$.Subject"


@breaks("error", "wrong-type", "manifests")
def _(store: Store) -> str:
    store.put(b"it is not known whether this is reached")
    store.raw(b'{"schemaVersion":2,"manifests":{}}')
    return "index.json$.manifests"


@breaks("error", "wrong-type", "entry")
def _(store: Store) -> str:
    store.put(b"it is not known whether this is reached")
    store.index["manifests"].append([])
    store.save()
    return TOP


@breaks("error", "wrong-type", "annotations")
def _(store: Store) -> str:
    store.enter(store.manifest(), name=None, annotations=["a"])
    return f"{TOP}.annotations"


@breaks("error", "missing-property", "manifest")
def _(store: Store) -> str:
    document = {"schemaVersion": 2, "layers": [store.put(b"reached all the same")]}
    return place_of(store.enter(store.document(json.dumps(document).encode()))["digest"]) + (
        "$.config"
    )


@breaks("error", "missing-property", "platform")
def _(store: Store) -> str:
    store.enter(store.manifest(), platform={"os": "linux"})
    return f"{TOP}.platform.architecture"


@breaks("error", "missing-property", "entry")
def _(store: Store) -> str:
    descriptor = store.manifest()
    del descriptor["size"]
    store.enter(descriptor)
    return f"{TOP}.size"


@breaks("error", "wrong-value", "index")
def _(store: Store) -> str:
    store.index["mediaType"] = OCI_MANIFEST
    store.save()
    return "index.json$.mediaType"


@breaks("error", "bad-version")
def _(store: Store) -> str:
    return place_of(store.enter(store.manifest(schemaVersion=1))["digest"]) + "$.schemaVersion"


@breaks("error", "bad-time")
def _(store: Store) -> str:
    config = store.put(json.dumps({**CONFIG, "created": "today"}).encode(), OCI_CONFIG)
    store.enter(store.manifest(config=config))
    store.path(Digest.of(json.dumps(CONFIG).encode())).unlink()
    return place_of(config["digest"]) + "$.created"


@breaks("warning", "null-list", "null")
def _(store: Store) -> str:
    store.index["manifests"] = None
    store.save()
    return "index.json$.manifests"


@breaks("warning", "null-list", "absent")
def _(store: Store) -> str:
    del store.index["manifests"]
    store.save()
    return "index.json$.manifests"


@breaks("warning", "null-list", "layers")
def _(store: Store) -> str:
    document = store.enter(store.manifest(layers=None))
    store.path(str(Digest.of(b"layer"))).unlink()
    return place_of(document["digest"]) + "$.layers"


@breaks("warning", "null-list", "null diff_ids")
def _(store: Store) -> str:
    return _config_place(store, {"type": "layers", "diff_ids": None})


@breaks("warning", "null-list", "absent diff_ids")
def _(store: Store) -> str:
    return _config_place(store, {"type": "layers"})


def _config_place(store: Store, rootfs: Json) -> str:
    config = store.put(json.dumps({**CONFIG, "rootfs": rootfs}).encode(), OCI_CONFIG)
    store.enter(store.manifest(config=config))
    store.path(Digest.of(json.dumps(CONFIG).encode())).unlink()
    return place_of(config["digest"]) + "$.rootfs.diff_ids"


@breaks("warning", "null-list", "an index in a blob")
def _(store: Store) -> str:
    document = store.enter(store.document(b'{"schemaVersion":2}', OCI_INDEX))
    return place_of(document["digest"]) + "$.manifests"


# ---------------------------------------------------------------- descriptors


def breaks_descriptor(
    code: str, path: str, severity: str = "error", how: str = "", **changes: Json
) -> None:
    """Note a descriptor that is wrong in the same way wherever it is."""

    @breaks(severity, code, f"in an entry {how}")
    def _(store: Store) -> str:
        store.enter({**store.manifest(), **changes})
        return TOP + path

    @breaks(severity, code, f"in an index {how}")
    def _(store: Store) -> str:
        document = {"schemaVersion": 2, "manifests": [{**store.manifest(), **changes}]}
        descriptor = store.document(json.dumps(document).encode(), OCI_INDEX)
        return place_of(store.enter(descriptor)["digest"]) + "$.manifests[0]" + path


breaks_descriptor("bad-size", ".size", size=-1)
breaks_descriptor("bad-size", ".size", how="not a double", size=10**30)
breaks_descriptor("bad-base64", ".data", data="?")
breaks_descriptor("bad-data", ".data", data=base64.b64encode(b"other").decode())
breaks_descriptor("size-mismatch", ".size", size=1)
breaks_descriptor("url-form", ".urls[0]", urls=["example.com/layer"])
breaks_descriptor("url-form", ".urls[1]", how="a space", urls=["https://a.b/c", "https://a b"])
breaks_descriptor("url-form", ".urls[0]", how="a lone percent", urls=["https://a.b/%zz"])
breaks_descriptor(
    "url-scheme", ".urls[1]", "warning", urls=["HTTP://a.b/%20?c=d#e", "ftp://a.b/layer"]
)
breaks_descriptor(
    "empty-platform", ".platform.os", "warning", platform={"os": "", "architecture": "arm"}
)
breaks_descriptor(
    "unknown-platform",
    ".platform.os",
    "warning",
    platform={"os": "templeos", "architecture": "arm"},
)
breaks_descriptor(
    "unknown-platform",
    ".platform.architecture",
    "warning",
    how="architecture",
    platform={"os": "linux", "architecture": "x86_64"},
)
breaks_descriptor(
    "unknown-platform",
    ".platform.os",
    "warning",
    how="unknown without a mark",
    platform={"os": "unknown", "architecture": "arm"},
)
breaks_descriptor(
    "attestation-platform",
    ".platform",
    "note",
    platform={"os": "unknown", "architecture": "unknown"},
    annotations={"vnd.docker.reference.type": "attestation-manifest"},
)
breaks_descriptor("artifact-type-form", ".artifactType", "warning", artifactType="skill")
breaks_descriptor(
    "annotation-key-form", ".annotations.kind", "warning", annotations={"kind": "image"}
)
breaks_descriptor("empty-annotation-key", '.annotations[""]', "warning", annotations={"": "image"})


@breaks("error", "bad-media-type")
def _(store: Store) -> str:
    document = store.enter(store.manifest(layers=[store.put(b"layer", "layer")]))
    return place_of(document["digest"]) + "$.layers[0].mediaType"


@breaks("error", "bad-digest")
def _(store: Store) -> str:
    layer = {**store.put(b"layer"), "digest": "sha256:0"}
    document = store.enter(store.manifest(layers=[layer, store.put(b"layer")]))
    return place_of(document["digest"]) + "$.layers[0].digest"


@breaks("error", "size-conflict")
def _(store: Store) -> str:
    layer = {"mediaType": OCI_LAYER, "digest": ABSENT, "size": 3}
    store.enter(layer, name=None)
    store.enter(store.manifest(layers=[store.put(b"layer"), {**layer, "size": 4}]))
    digest = store.index["manifests"][1]["digest"]
    store.path(ABSENT).write_bytes(b"abc")  # then it is a plain mismatch, and so not this
    assert "size-conflict" not in [code for _, code, _ in seen(store.root)]
    store.path(ABSENT).unlink()
    return place_of(digest) + "$.layers[1].size"


@breaks("warning", "media-type-conflict")
def _(store: Store) -> str:
    descriptor = store.enter(store.manifest())
    store.enter(descriptor, name="again", mediaType=OCTET_STREAM)
    return "index.json$.manifests[1].mediaType"


@breaks("note", "several-media-types")
def _(store: Store) -> str:
    document = store.manifest(layers=[store.put(b"layer"), store.put(b"layer", OCTET_STREAM)])
    return place_of(store.enter(document)["digest"]) + "$.layers[1].mediaType"


@breaks("warning", "wrong-empty")
def _(store: Store) -> str:
    document = store.manifest(layers=[store.put(b"layer"), store.put(b"[]", OCI_EMPTY)])
    return place_of(store.enter(document)["digest"]) + "$.layers[1]"


@breaks("warning", "wrong-empty", "size")
def _(store: Store) -> str:
    document = store.manifest(layers=[store.put(b"layer"), store.put(b"{ }", OCI_EMPTY)])
    return place_of(store.enter(document)["digest"]) + "$.layers[1]"


# ---------------------------------------------------------------- manifests and indexes


@breaks("error", "ambiguous-document", "manifest")
def _(store: Store) -> str:
    return place_of(store.enter(store.manifest(manifests=[]))["digest"]) + "$.manifests"


@breaks("error", "ambiguous-document", "root index")
def _(store: Store) -> str:
    store.index["layers"] = []
    store.save()
    return "index.json$.layers"


@breaks("error", "media-type-differs")
def _(store: Store) -> str:
    descriptor = store.manifest(mediaType=DOCKER_MANIFEST)
    return place_of(store.enter(descriptor)["digest"]) + "$.mediaType"


@breaks("error", "media-type-differs", "an index that is called a manifest")
def _(store: Store) -> str:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [store.manifest()]}
    descriptor = store.document(json.dumps(document).encode(), OCI_MANIFEST)
    return place_of(store.enter(descriptor)["digest"]) + "$.mediaType"


@breaks("error", "media-type-differs", "of no document")
def _(store: Store) -> str:
    return place_of(store.enter(store.manifest(mediaType="text/plain"))["digest"]) + "$.mediaType"


@breaks("error", "missing-artifact-type")
def _(store: Store) -> str:
    document = store.enter(store.manifest(config=store.put(b"{}", OCI_EMPTY)))
    store.path(str(Digest.of(json.dumps(CONFIG).encode()))).unlink()
    return place_of(document["digest"]) + "$.artifactType"


@breaks("warning", "artifact-type-form", "manifest")
def _(store: Store) -> str:
    document = store.enter(store.manifest(artifactType="skill"))
    return place_of(document["digest"]) + "$.artifactType"


@breaks("warning", "annotation-key-form", "manifest")
def _(store: Store) -> str:
    document = store.enter(store.manifest(annotations={"a b": ""}))
    return place_of(document["digest"]) + '$.annotations["a b"]'


@breaks("note", "absent-subject")
def _(store: Store) -> str:
    subject = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3}
    return place_of(store.enter(store.manifest(subject=subject))["digest"]) + "$.subject"


@breaks("warning", "empty-platform", "config")
def _(store: Store) -> str:
    config = store.put(json.dumps({**CONFIG, "os": ""}).encode(), OCI_CONFIG)
    store.enter(store.manifest(config=config))
    store.path(str(Digest.of(json.dumps(CONFIG).encode()))).unlink()
    return place_of(config["digest"]) + "$.os"


# ---------------------------------------------------------------- entries


@breaks("note", "duplicate-entry")
def _(store: Store) -> str:
    for _ in range(2):
        store.enter(store.manifest())
    return "index.json$.manifests[1]"


@breaks("warning", "duplicate-name")
def _(store: Store) -> str:
    store.enter(store.manifest())
    store.enter(store.manifest(artifactType="a/b"), annotations={CONTAINERD_IMAGE_NAME: "b"})
    return f"index.json$.manifests[1].{NAME_PLACE}"


@breaks("note", "shared-name")
def _(store: Store) -> str:
    store.enter(store.manifest(), annotations={CONTAINERD_IMAGE_NAME: "a"})
    store.enter(store.manifest(artifactType="a/b"), annotations={CONTAINERD_IMAGE_NAME: "b"})
    return f"index.json$.manifests[1].{NAME_PLACE}"


@breaks("warning", "name-form")
def _(store: Store) -> str:
    store.enter(store.manifest(), name="-v1")
    return f"{TOP}.{NAME_PLACE}"


@breaks("warning", "name-form", "empty")
def _(store: Store) -> str:
    store.enter(store.manifest(), name="")
    return f"{TOP}.{NAME_PLACE}"


@breaks("warning", "digest-name")
def _(store: Store) -> str:
    store.enter(store.manifest(), name=ABSENT)
    return f"{TOP}.{NAME_PLACE}"


@breaks("warning", "dangling-name")
def _(store: Store) -> str:
    store.enter({"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3})
    return TOP


@breaks("warning", "dangling-entry")
def _(store: Store) -> str:
    store.enter({"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3}, name=None)
    return TOP


@breaks("warning", "dangling-entry", "a digest too long for a file")
def _(store: Store) -> str:
    (store.root / "blobs" / "x").mkdir()
    store.enter({"mediaType": "text/plain", "digest": "x:" + "a" * 300, "size": 3}, name=None)
    return TOP


# ---------------------------------------------------------------- blobs


@breaks("note", "missing-blob")
def _(store: Store) -> str:
    layer = store.put(b"layer")
    for name in ("one", "two"):
        store.enter(store.manifest(artifactType=f"a/{name}"), name=name)
    store.path(layer["digest"]).unlink()
    return place_of(layer["digest"])


@breaks("error", "digest-mismatch", "layer")
def _(store: Store) -> str:
    layer = store.put(b"layer")
    store.enter(store.manifest())
    store.path(layer["digest"]).write_bytes(b"Layer")
    return place_of(layer["digest"])


@breaks("error", "digest-mismatch", "cut off")
def _(store: Store) -> str:
    layer = store.put(b"layer")
    store.enter(store.manifest())
    store.path(layer["digest"]).write_bytes(b"")
    return place_of(layer["digest"])


@breaks("error", "digest-mismatch", "manifest")
def _(store: Store) -> str:
    path = store.path(store.enter(store.manifest())["digest"])
    path.write_bytes(path.read_bytes().replace(b'"config"', b'"cOnfig"'))
    return path.relative_to(store.root).as_posix()


@breaks("error", "digest-mismatch", "manifest cut off")
def _(store: Store) -> str:
    path = store.path(store.enter(store.manifest())["digest"])
    path.write_bytes(b"{}")
    return path.relative_to(store.root).as_posix()


@breaks("error", "digest-mismatch", "sha512")
def _(store: Store) -> str:
    layer = store.put(b"Layer", digest=str(Digest.of(b"layer", "sha512")))
    store.enter(store.manifest(layers=[layer, store.put(b"layer")]))
    return place_of(layer["digest"])


def breaks_place(how: str, make: Callable[[Path], object]) -> None:
    """Note something that is in the place of a blob and is none."""

    @breaks("error", "irregular-blob", f"{how} for a layer")
    def _(store: Store) -> str:
        layer = store.put(b"layer")
        store.enter(store.manifest())
        store.path(layer["digest"]).unlink()
        make(store.path(layer["digest"]))
        return place_of(layer["digest"])

    @breaks("error", "irregular-blob", f"{how} for a manifest")
    def _(store: Store) -> str:
        manifest = store.enter(store.manifest())
        store.path(manifest["digest"]).unlink()
        make(store.path(manifest["digest"]))
        return place_of(manifest["digest"])


breaks_place("a folder", Path.mkdir)
breaks_place("a FIFO", os.mkfifo)
breaks_place("a dead link", lambda path: path.symlink_to("nowhere"))
breaks_place("a link", lambda path: path.symlink_to("/etc/passwd"))


def quarantine(store: Store, digest: str) -> str:
    """Put a blob aside, as a repair does."""
    (store.root / "quarantine").mkdir(exist_ok=True)
    store.path(digest).rename(store.root / "quarantine" / digest.replace(":", "-"))
    return place_of(digest)


@breaks("error", "quarantined-blob", "layer")
def _(store: Store) -> str:
    store.enter(store.manifest())
    return quarantine(store, str(Digest.of(b"layer")))


@breaks("error", "quarantined-blob", "config")
def _(store: Store) -> str:
    store.enter(store.manifest())
    return quarantine(store, str(Digest.of(json.dumps(CONFIG).encode())))


@breaks("error", "quarantined-blob", "of a name")
def _(store: Store) -> str:
    return quarantine(store, store.enter(store.manifest())["digest"])


@breaks("error", "quarantined-blob", "of an untagged entry")
def _(store: Store) -> str:
    return quarantine(store, store.enter(store.manifest(), name=None)["digest"])


@breaks("error", "quarantined-blob", "subject")
def _(store: Store) -> str:
    subject = store.manifest(artifactType="a/b")
    store.enter(store.manifest(subject=subject))
    return quarantine(store, subject["digest"])


@breaks("error", "quarantined-blob", "of an unknown type, with what only it may refer to")
def _(store: Store) -> str:
    store.put(b"it may be its own")
    return quarantine(store, store.enter(store.put(b"{}", "a/b"))["digest"])


@breaks("warning", "unlisted-referrer")
def _(store: Store) -> str:
    subject = store.enter(store.manifest())
    return place_of(store.manifest(subject=subject, artifactType="a/sig")["digest"])


@breaks("warning", "unlisted-referrer", "index")
def _(store: Store) -> str:
    document = {"schemaVersion": 2, "manifests": [], "subject": store.enter(store.manifest())}
    return place_of(store.document(json.dumps(document).encode(), OCI_INDEX)["digest"])


@breaks("warning", "unlisted-referrer", "of an unknown type")
def _(store: Store) -> str:
    subject = store.enter(store.manifest())
    document = {"mediaType": "application/vnd.example.sig+json", "subject": subject}
    return place_of(store.put(json.dumps(document).encode())["digest"])


@breaks("warning", "unlisted-referrer", "without a media type")
def _(store: Store) -> str:
    document = {"schemaVersion": 2, "manifests": [], "subject": store.enter(store.manifest())}
    return place_of(store.put(json.dumps(document).encode())["digest"])


@breaks("warning", "unlisted-referrer", "that breaks the specification")
def _(store: Store) -> str:
    document = {"subject": store.enter(store.manifest()), "held": store.put(b"too")["digest"]}
    return place_of(store.put(json.dumps(document).encode())["digest"])


@breaks("warning", "unlisted-referrer", "to a layer")
def _(store: Store) -> str:
    layer = store.put(b"layer")
    store.enter(store.manifest())
    return place_of(store.manifest(subject=layer, artifactType="a/sig")["digest"])


@breaks("warning", "unlisted-referrer", "to content that only an unknown property names")
def _(store: Store) -> str:
    subject = store.put(b"only named")
    store.enter(store.manifest(**{"com.example": subject["digest"]}))
    return place_of(store.manifest(subject=subject, artifactType="a/sig")["digest"])


@breaks("note", "unverifiable")
def _(store: Store) -> str:
    layer = store.put(b"layer", digest=UNKNOWN)
    store.enter(store.manifest(layers=[layer, store.put(b"layer")]))
    return place_of(UNKNOWN)


@breaks("note", "unreferenced-blob")
def _(store: Store) -> str:
    store.enter(store.manifest())
    return place_of(store.put(b"lonely")["digest"])


@breaks("error", "stray-file", "in blobs")
def _(store: Store) -> str:
    (store.root / "blobs" / "readme").write_bytes(b"")
    return "blobs/readme"


@breaks("error", "stray-file", "no algorithm")
def _(store: Store) -> str:
    (store.root / "blobs" / "SHA256").mkdir()
    return "blobs/SHA256"


@breaks("error", "stray-file", "no digest")
def _(store: Store) -> str:
    (store.root / "blobs" / "sha256" / "00").write_bytes(b"")
    return "blobs/sha256/00"


@breaks("error", "stray-file", "a folder among blobs")
def _(store: Store) -> str:
    (store.root / "blobs" / "sha256" / "more").mkdir()
    return "blobs/sha256/more"


@breaks("error", "stray-file", "a name in no encoding")
def _(store: Store) -> str:
    Path(os.fsdecode(bytes(store.root) + b"/blobs/sha256/\xff")).write_bytes(b"")
    return "blobs/sha256/\\xff"


@breaks("note", "linked-folder")
def _(store: Store) -> str:
    store.enter(store.manifest())
    (store.root / "blobs" / "sha256").rename(store.root / "elsewhere")
    (store.root / "blobs" / "sha256").symlink_to("../elsewhere")
    return "blobs/sha256"


@breaks("warning", "unreadable-to-others", "blob")
def _(store: Store) -> str:
    layer = store.put(b"layer")
    store.enter(store.manifest())
    store.path(layer["digest"]).chmod(0o600)
    return place_of(layer["digest"])


@breaks("warning", "unreadable-to-others", "folder")
def _(store: Store) -> str:
    (store.root / "blobs" / "sha256").chmod(0o744)
    return "blobs/sha256"


LEFTOVERS = [
    "ingest/123-0123456789abcdef",
    "ingest/0a_1234",
    "index.json.123-0123456789abcdef.tmp",
    "index.json.oci-layout.123.tmp",
    "index.json.1234567.tmp",
    "oci-put-blob123",
    ".umoci-123",
    f"blobs/sha256/{'0' * 64}123",
    f"blobs/sha256/{'0' * 64}.123.tmp",
]


def leave(root: Path, place: str) -> str:
    path = root / place
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if path.name.startswith(".umoci") else path.write_bytes(b"half")
    return place


for _place in LEFTOVERS:
    breaks("note", "leftover", _place)(lambda store, place=_place: leave(store.root, place))  # type: ignore[misc] # a default binds the place
