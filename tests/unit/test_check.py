"""The check of a layout: every kind of problem is found, where it is, and as nothing else."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import sys
import tempfile
import threading
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ocilayout
from ocilayout.check import probe
from ocilayout.check.finding import KINDS, classified, found
from ocilayout.check.fsck import iter_problems
from ocilayout.check.holding import Holding
from ocilayout.check.survey import Survey
from ocilayout.errors import MAX_PROBLEMS, DocumentError, Problem
from ocilayout.layout.layout import Layout
from ocilayout.layout.rootindex import MAX_ROOT_INDEX
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, REF_NAME
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT, MAX_NODES
from ocilayout.model.mediatype import (
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    OCTET_STREAM,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = Any
STORES = Path(__file__).parents[1] / "vectors" / "toolhive" / "stores"
NOTES = Path(__file__).parents[2] / "spec-notes" / "problems.md"
DASH = "\N{EN DASH}"
ABSENT = "sha256:" + "0" * 64
UNKNOWN = "newhash:" + "a" * 64
NAME_PLACE = f'annotations["{REF_NAME}"]'
TOP = "index.json$.manifests[0]"
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": []},
}


class Store:
    """A layout that is written by hand, so that it can be wrong in any way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)
        (root / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
        self.index: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [],
        }
        self.save()

    def save(self) -> None:
        self.raw(json.dumps(self.index).encode())

    def raw(self, data: bytes) -> None:
        (self.root / "index.json").write_bytes(data)

    def put(self, data: bytes, media_type: str = OCI_LAYER, digest: str = "") -> dict[str, Json]:
        digest = digest or str(Digest.of(data))
        path = self.path(digest)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def path(self, digest: str) -> Path:
        return self.root / place_of(digest)

    def manifest(self, **changes: Json) -> dict[str, Json]:
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.put(json.dumps(CONFIG).encode(), OCI_CONFIG),
            "layers": [self.put(b"layer")],
            **changes,
        }
        return self.document(json.dumps(document).encode())

    def document(self, data: bytes, media_type: str = OCI_MANIFEST) -> dict[str, Json]:
        return self.put(data, media_type)

    def enter(
        self, descriptor: dict[str, Json], name: str | None = "v1", **changes: Json
    ) -> dict[str, Json]:
        entry = {**descriptor, **changes}
        if name is not None:
            entry["annotations"] = {**entry.get("annotations", {}), REF_NAME: name}
        self.index["manifests"].append(entry)
        self.save()
        return descriptor


def place_of(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def seen(root: Path, **options: Any) -> list[tuple[str, str, str]]:
    return [
        (problem.severity, problem.code, problem.place)
        for problem in iter_problems(root, **options)
    ]


Break = "Callable[[Store], str]"
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

    @breaks(severity, code, f"in oci-layout {how}")
    def _(store: Store) -> str:
        (store.root / "oci-layout").write_bytes(data)
        return "oci-layout" + json_path

    @breaks(severity, code, f"in index.json {how}")
    def _(store: Store) -> str:
        store.raw(data)
        return "index.json" + json_path

    @breaks(severity, code, f"in a manifest {how}")
    def _(store: Store) -> str:
        store.put(b"nobody knows whether this is reached")
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


@breaks("warning", "too-large", "header")
def _(store: Store) -> str:
    (store.root / "oci-layout").write_bytes(b" " * (MAX_DOCUMENT + 1))
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
    store.put(b"nobody knows whether this is reached")
    store.raw(b'{"schemaVersion":2,"manifests":{}}')
    return "index.json$.manifests"


@breaks("error", "wrong-type", "entry")
def _(store: Store) -> str:
    store.put(b"nobody knows whether this is reached")
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


# ---------------------------------------------------------------- tests


@pytest.fixture
def store(tmp_path: Path) -> Store:
    os.umask(0o022)
    return Store(tmp_path / "layout")


@pytest.mark.spec(
    "image-layout:blobs-folder",
    "image-layout:oci-layout-file",
    "image-layout:version",
    "image-layout:index-json",
    "image-layout:blob-names",
    "image-layout:blob-content",
    "image-layout:unreferenced-blobs",
    "image-layout:unlisted-referrers",
    "image-layout:missing-blobs",
    "image-layout:several-entries",
    "image-layout:links",
    "descriptor:media-type",
    "descriptor:digest-grammar",
    "descriptor:digest-algorithm",
    "descriptor:size",
    "descriptor:data",
    "descriptor:urls",
    "descriptor:urls-scheme",
    "descriptor:artifact-type",
    "descriptor:independent",
    "image-index:schema-version",
    "image-index:manifests",
    "image-index:artifact-type",
    "image-index:platform-values",
    "manifest:artifact-type",
    "manifest:artifact-type-form",
    "manifest:empty-descriptor",
    "manifest:layers",
    "manifest:media-type",
    "manifest:subject",
    "manifest:unambiguous",
    "config:created",
    "config:platform-values",
    "annotations:key-form",
    "annotations:ref-name",
    "annotations:digest-name",
    "annotations:same-name",
    "considerations:json",
    "considerations:property-types",
    "considerations:duplicate-keys",
    "considerations:case",
    "considerations:numbers-and-texts",
    "considerations:limits",
)
@pytest.mark.parametrize("case", CASES)
def test_a_layout_with_one_flaw_has_one_problem(case: str, store: Store) -> None:
    severity, code, make = CASES[case]
    place = make(store)
    expected = [(severity, code, place)]
    if code == "more-problems":
        keys = [f'{place}.annotations["note {number}"]' for number in range(MAX_PROBLEMS)]
        expected = [("warning", "annotation-key-form", key) for key in keys] + expected
    if case == "size-conflict":  # two references to what is not here: that is told besides
        expected.insert(0, ("warning", "dangling-entry", TOP))
    assert seen(store.root) == expected


def test_there_is_an_example_of_every_kind() -> None:
    assert {code for _, code, _ in CASES.values()} == set(KINDS)


def test_what_reading_a_document_can_find_is_a_kind() -> None:
    sources = Path(ocilayout.__file__).parent
    readers = (
        "model/ijson",
        "model/surrogate",
        "model/codec",
        "model/attribute",
        "model/digest",
        "model/descriptor",
        "model/manifest",
        "errors",
        "check/advice",
    )
    text = "".join((sources / f"{name}.py").read_text() for name in (*readers, "check/reading"))
    codes = re.findall(r'"([a-z]+(?:-[a-z0-9]+)+)"', text)
    # These two are for constructors, and for texts.
    assert set(codes) - {"known-property", "bad-platform"} <= set(KINDS)


def test_the_page_of_problems_says_what_the_table_says() -> None:
    rows = [
        f"| `{code}` | {kind.severity} | {kind.requirement or DASH} | {kind.meaning}"
        f" | {kind.repair or DASH} |"
        for code, kind in KINDS.items()
    ]
    page = NOTES.read_text().splitlines()
    assert [line for line in page if line.startswith("| `")] == rows


@pytest.mark.spec("media-types:unknown")
def test_what_is_named_where_it_is_not_understood_counts_as_referred_to(store: Store) -> None:
    """A document of an unknown type, an unknown property, and what such documents name again."""
    inner = store.put(json.dumps({"x": store.put(b"far")["digest"]}).encode())
    outer = {"any": ["thing", {"sha256": inner["digest"].removeprefix("sha256:")}]}
    store.enter(store.put(json.dumps(outer).encode(), "application/vnd.example.v1+json"))
    store.enter(store.manifest(**{"com.example": store.put(b"near")["digest"]}), name="v2")
    store.enter(store.put(b"plain", "text/plain"), name="v3", extra=store.put(b"top")["digest"])
    assert seen(store.root) == []


@pytest.mark.parametrize(
    ("media_type", "lists"),
    [
        ("application/vnd.oci.artifact.manifest.v1+json", "blobs"),
        ("application/vnd.cncf.oras.artifact.manifest.v1+json", "blobs"),
        ("application/vnd.docker.distribution.manifest.v1+json", "fsLayers"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", "fsLayers"),
    ],
)
def test_a_manifest_of_a_retired_type_is_read(store: Store, media_type: str, lists: str) -> None:
    part = store.put(b"payload", "text/plain")
    document: Json = {"mediaType": media_type, "artifactType": "x/y", lists: [part]}
    if lists == "fsLayers":
        layers = [{"blobSum": part["digest"]}]
        document = {"schemaVersion": 1, "fsLayers": layers, "history": [{"v1Compatibility": "{}"}]}
    entry = store.enter(store.put(json.dumps(document).encode(), media_type))
    assert seen(store.root) == []
    store.path(part["digest"]).unlink()
    assert seen(store.root) == [("note", "missing-blob", place_of(part["digest"]))]
    store.path(entry["digest"]).write_bytes(b"{}")
    assert seen(store.root) == [("error", "digest-mismatch", place_of(entry["digest"]))]


def test_referrers_of_unlisted_referrers_are_unlisted_too(store: Store) -> None:
    """Each is told behind what it refers to, however their digests are ordered."""
    subject = store.enter(store.manifest())
    chain = []
    for number in range(9):
        subject = store.manifest(subject=subject, artifactType=f"a/{number}")
        chain.append(("warning", "unlisted-referrer", place_of(subject["digest"])))
    lonely = store.manifest(subject={**subject, "digest": ABSENT}, artifactType="a/b")
    problems = seen(store.root)
    assert problems[:9] == chain
    assert problems[9:] == [("note", "unreferenced-blob", place_of(lonely["digest"]))]


def test_what_an_unlisted_referrer_is_made_of_is_looked_at(store: Store) -> None:
    subject = store.enter(store.manifest())
    empty = {**store.put(b"{}", OCI_EMPTY), "size": 3}
    below = store.manifest(subject=subject, artifactType="a/b", layers=[empty])
    place = place_of(below["digest"])
    assert seen(store.root) == [
        ("warning", "unlisted-referrer", place),
        ("warning", "wrong-empty", f"{place}$.layers[0]"),
        ("error", "size-mismatch", f"{place}$.layers[0].size"),
    ]


def test_a_document_behind_a_link_is_read_if_it_is_right(store: Store, tmp_path: Path) -> None:
    """So that what it refers to counts as referred to, and what is wrong with it is told."""
    store.put(b"alone")
    manifest = store.enter(store.manifest(annotations={"x": "y"}))
    path = store.path(manifest["digest"])
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    codes = [code for _, code, _ in seen(store.root)]
    assert sorted(codes) == ["annotation-key-form", "irregular-blob", "unreferenced-blob"]
    (tmp_path / "elsewhere").write_bytes(b"{}")
    assert [code for _, code, _ in seen(store.root)] == ["irregular-blob"]


def test_a_new_layout_has_no_problems(tmp_path: Path) -> None:
    assert seen(Layout.create(tmp_path / "new").path) == []


def test_a_whole_store_has_no_problems(store: Store) -> None:
    empty = store.put(b"{}", OCI_EMPTY)
    image = store.enter(store.manifest(), platform={"os": "linux", "architecture": "arm64"})
    store.enter(store.manifest(config=empty, artifactType="a/b", subject=image), name=None)
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image]}
    store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), name="list")
    (store.root / "index.json.lock").write_bytes(b"")
    (store.root / "manifest.json").write_bytes(b"[]")
    assert seen(store.root) == []


@pytest.mark.parametrize("name", ["built", "built-and-pulled", "pulled-only", "deleted"])
def test_the_stores_of_toolhive_have_no_errors(name: str) -> None:
    problems = seen(STORES / name)
    assert {severity for severity, _, _ in problems} == {"warning"}
    dangling = [place for _, code, place in problems if code == "dangling-entry"]
    assert len(dangling) == (3 if name == "deleted" else 0)
    assert {code for _, code, _ in problems} <= {"dangling-entry", "artifact-type-form"}


@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_a_folder_that_is_none_is_an_os_error_at_once(tmp_path: Path, kind: str) -> None:
    if kind == "a file":
        (tmp_path / "x").write_bytes(b"")
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        iter_problems(tmp_path / "x")


def test_an_empty_folder_lacks_three_things(tmp_path: Path) -> None:
    codes = [code for _, code, _ in seen(tmp_path)]
    assert codes == ["missing-header", "missing-index", "missing-blobs-folder"]


def test_fewer_than_one_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs is 1 or more"):
        iter_problems(tmp_path, jobs=0)


def test_flaws_are_told_in_the_order_of_the_layout(store: Store) -> None:
    for case in (
        "leftover oci-put-blob123",
        "unreferenced-blob",
        "absent-subject",
        "name-form",
        "unsupported-version",
    ):
        CASES[case][2](store)
    assert [code for _, code, _ in seen(store.root)] == [
        "unsupported-version",
        "duplicate-name",
        "name-form",
        "absent-subject",
        "unreferenced-blob",
        "leftover",
    ]


def test_all_problems_of_an_entry_are_told(store: Store) -> None:
    store.index["manifests"].append({"mediaType": "x", "digest": "y", "size": -1})
    store.save()
    assert {place for _, _, place in seen(store.root)} == {
        f"{TOP}.{name}" for name in ("mediaType", "digest", "size")
    }


def test_a_repeated_wrong_entry_is_told_as_both(store: Store) -> None:
    descriptor = {**store.manifest(), "size": -1}
    store.enter(descriptor)
    store.enter(descriptor)
    assert [code for _, code, _ in seen(store.root)] == ["bad-size", "duplicate-entry", "bad-size"]


def test_a_mark_that_turns_a_name_into_a_pair_is_not_repeated_for_the_same_content(
    store: Store,
) -> None:
    descriptor = store.enter(store.manifest())
    store.enter(descriptor, annotations={"com.example.note": "x"})
    assert seen(store.root) == []


def test_a_digest_that_is_entry_subject_and_part_is_missing_in_each_role(store: Store) -> None:
    missing = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3}
    document = {"schemaVersion": 2, "manifests": [missing, missing], "subject": missing}
    store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), name="list")
    assert [code for _, code, _ in seen(store.root)] == ["missing-blob", "absent-subject"]
    document = {"schemaVersion": 2, "manifests": [], "subject": missing}
    store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), name="referrer")
    store.enter(missing, name="top")
    assert [code for _, code, _ in seen(store.root)] == [
        "dangling-name",
        "absent-subject",
        "absent-subject",
    ]


def test_documents_that_refer_to_each_other_are_read_once(store: Store) -> None:
    digest = UNKNOWN
    itself = {"mediaType": OCI_INDEX, "digest": digest, "size": 0}
    document: dict[str, Json] = {"schemaVersion": 2, "manifests": [itself], "subject": itself}
    for _ in range(3):
        itself["size"] = len(json.dumps(document))
    store.enter(store.put(json.dumps(document).encode(), OCI_INDEX, digest))
    assert seen(store.root) == [("note", "unverifiable", place_of(digest))]


def test_without_content_documents_are_verified_and_nothing_else_is_opened(store: Store) -> None:
    layer = store.put(b"layer")
    manifest = store.enter(store.manifest())
    store.path(layer["digest"]).write_bytes(b"Layer")
    with opened() as paths:
        assert seen(store.root, content=False) == []
    names = {Path(path).name for path in paths}
    assert layer["digest"].removeprefix("sha256:") not in names
    assert manifest["digest"].removeprefix("sha256:") in names
    store.path(manifest["digest"]).write_bytes(b"{}")
    assert seen(store.root, content=False) == [
        ("error", "digest-mismatch", place_of(manifest["digest"]))
    ]


def test_without_content_a_wrong_size_is_told_at_the_descriptor(store: Store) -> None:
    layer = store.put(b"layer")
    manifest = store.enter(store.manifest())
    store.path(layer["digest"]).write_bytes(b"")
    assert seen(store.root, content=False) == [
        ("error", "size-mismatch", place_of(manifest["digest"]) + "$.layers[0].size")
    ]


def test_content_that_cannot_be_verified_is_measured(store: Store) -> None:
    layer = {**store.put(b"layer", digest=UNKNOWN), "size": 4}
    manifest = store.enter(store.manifest(layers=[layer, store.put(b"layer")]))
    assert [code for _, code, _ in seen(store.root)] == ["size-mismatch", "unverifiable"]
    assert manifest["digest"]


def test_a_temporary_that_somebody_has_locked_is_alive(store: Store) -> None:
    for place in LEFTOVERS[:2] + LEFTOVERS[6:7]:
        leave(store.root, place)
        number = os.open(store.root / place, os.O_RDONLY)
        fcntl.flock(number, fcntl.LOCK_EX)
        assert seen(store.root) == []
        os.close(number)
        assert seen(store.root) == [("note", "leftover", place)]
        (store.root / place).rmdir() if "umoci" in place else (store.root / place).unlink()


def test_a_temporary_that_is_a_link_is_not_followed(store: Store) -> None:
    (store.root / "oci-put-blob1").symlink_to("nowhere")
    assert seen(store.root) == [("note", "leftover", "oci-put-blob1")]


def test_a_writer_that_writes_in_place_is_waited_for(store: Store) -> None:
    whole = (store.root / "index.json").read_bytes()
    store.raw(whole[:9])
    reads: list[str] = []

    def finish(path: str) -> None:
        if path.endswith("index.json"):
            reads.append(path)
            if len(reads) == 2:  # after the first look at half a document
                os.truncate(path, 0)
                with Path(path).open("r+b") as file:
                    file.write(whole)

    with opened(finish):
        assert seen(store.root) == []
    assert len(reads) >= 2


def test_problems_come_while_the_rest_is_not_looked_at_yet(store: Store) -> None:
    store.put(b"wrong", digest=ABSENT)
    for number in range(60):
        store.put(bytes([number]))
    looked: list[Digest] = []

    class Counting(Holding):
        def _look(self, digest: Digest) -> Any:
            looked.append(digest)
            return super()._look(digest)

    survey = Survey(store.root, content=True)
    problems = Counting(store.root, survey, content=True, jobs=2).problems()
    assert next(problems).place == place_of(ABSENT)  # it is unreferenced, and
    assert next(problems).code == "digest-mismatch"
    assert len(looked) <= 2 * 2 + 1
    problems.close()  # type: ignore[attr-defined] # it is a generator
    assert len(looked) <= 2 * 2 + 1


def test_documents_are_told_breadth_first(store: Store) -> None:
    subject = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3}
    below = store.manifest(subject=subject, artifactType="a/1")
    lists = []
    for number, parts in enumerate(([below], [])):
        document = {
            "schemaVersion": 2,
            "manifests": parts,
            "annotations": {"com.example.number": str(number)},
            "subject": subject,
        }
        lists.append(store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), None))
    places = [place_of(descriptor["digest"]) + "$.subject" for descriptor in (*lists, below)]
    assert [place for _, _, place in seen(store.root)] == places


def test_content_that_is_a_config_here_and_a_manifest_there_is_read_as_both(store: Store) -> None:
    image = store.manifest(layers=[store.put(b"only reached through it")])
    store.enter(store.manifest(config={**image, "mediaType": OCI_CONFIG}), name="odd")
    listed = {"schemaVersion": 2, "manifests": [image]}
    store.enter(store.document(json.dumps(listed).encode(), OCI_INDEX), name="list")
    codes = {code for _, code, _ in seen(store.root)}
    assert codes == {"missing-property", "media-type-conflict"}


def test_a_subject_that_is_absent_may_be_a_part_that_is_missing(store: Store) -> None:
    missing = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 3}
    for name, parts in (("referrer", []), ("list", [missing])):
        document: dict[str, Json] = {"schemaVersion": 2, "manifests": parts}
        if not parts:
            document["subject"] = missing
        store.enter(store.document(json.dumps(document).encode(), OCI_INDEX), name=name)
    assert [code for _, code, _ in seen(store.root)] == ["absent-subject", "missing-blob"]


def test_of_a_repeated_entry_nothing_is_told_again(store: Store) -> None:
    for _ in range(2):
        store.enter(store.manifest(), name="-v1")
    assert [code for _, code, _ in seen(store.root)] == ["name-form", "duplicate-entry"]


def test_a_full_name_at_one_of_two_entries_does_not_tell_them_apart(store: Store) -> None:
    store.enter(store.manifest(), annotations={CONTAINERD_IMAGE_NAME: "a"})
    store.enter(store.manifest(artifactType="a/b"))
    assert [code for _, code, _ in seen(store.root)] == ["duplicate-name"]


def test_each_entry_of_a_name_is_held_against_all_before_it(store: Store) -> None:
    """What is told of an entry is what comparing it with each one before it would tell."""
    kinds = [store.manifest(artifactType=f"a/{number}") for number in range(3)]
    said = [(0, "a"), (0, "a"), (1, "b"), (0, "c"), (2, "b"), (1, "b"), (1, None), (0, "d")]
    for position, (kind, full) in enumerate(said):
        notes = {"org.example.n": str(position)}
        if full is not None:
            notes[CONTAINERD_IMAGE_NAME] = full
        store.enter(kinds[kind], annotations=notes)
    found = [
        (place.removeprefix("index.json$.manifests[").partition("]")[0], code)
        for _, code, place in seen(store.root)
    ]
    assert found == [
        ("2", "shared-name"),
        ("3", "shared-name"),
        ("4", "duplicate-name"),
        ("5", "duplicate-name"),
        ("6", "duplicate-name"),
        ("7", "duplicate-name"),
    ]


def test_an_empty_descriptor_that_cannot_be_verified_is_believed(store: Store) -> None:
    empty = store.put(b"{}", OCI_EMPTY, UNKNOWN)
    store.enter(store.manifest(layers=[store.put(b"layer"), empty]))
    assert [code for _, code, _ in seen(store.root)] == ["unverifiable"]


def test_an_empty_descriptor_of_another_size_is_wrong_twice(store: Store) -> None:
    empty = {**store.put(b"{}", OCI_EMPTY), "size": 3}
    store.enter(store.manifest(layers=[store.put(b"layer"), empty]))
    assert [code for _, code, _ in seen(store.root)] == ["wrong-empty", "size-mismatch"]


def test_a_layout_that_is_private_as_a_whole_is_no_problem(store: Store) -> None:
    layer = store.put(b"layer")
    store.enter(store.manifest())
    store.path(layer["digest"]).chmod(0o600)
    (store.root / "blobs").chmod(0o700)
    (store.root / "index.json").chmod(0o600)
    assert seen(store.root) == []


def test_a_temporary_that_another_check_looks_at_is_told(store: Store) -> None:
    place = leave(store.root, LEFTOVERS[0])
    with (store.root / place).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert seen(store.root) == [("note", "leftover", place)]


def test_a_link_is_read_only_where_it_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert probe.read(tmp_path / "link", limit=1, follow=True) == b"x"
    with pytest.raises(OSError, match="link"):
        probe.read(tmp_path / "link", limit=1)


def test_hashing_takes_the_memory_of_a_few_pieces(store: Store) -> None:
    big = store.root / "blobs" / "sha256" / ("0" * 64)
    big.touch()
    os.truncate(big, 64 * 1024 * 1024)
    tracemalloc.start()
    assert [code for _, code, _ in seen(store.root)] == ["unreferenced-blob", "digest-mismatch"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


@pytest.fixture
def strange() -> Iterator[Store]:
    """Give a store in a folder that everybody can enter."""
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Store(Path(name) / "layout")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be somebody whom permissions hold back, which they do not the superuser."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.mark.parametrize("what", ["layer", "manifest", "config", "blobs/sha256", "index.json"])
@pytest.mark.parametrize("content", [True, False])
def test_what_cannot_be_read_is_told_and_stops_nothing(
    strange: Store, what: str, *, content: bool
) -> None:
    manifest = strange.enter(strange.manifest())["digest"]
    layer = str(Digest.of(b"layer"))
    config = str(Digest.of(json.dumps(CONFIG).encode()))
    places = {"layer": place_of(layer), "manifest": place_of(manifest), "config": place_of(config)}
    place = places.get(what, what)
    path = strange.root / place
    path.chmod(0)
    with as_nobody():
        problems = seen(strange.root, content=content)
    path.chmod(0o755)
    told = [problem for problem in problems if problem[1] == "unreadable-file"]
    hidden = what == "layer" and not content  # nobody wanted to read it
    assert told == ([] if hidden else [("error", "unreadable-file", place)])
    assert {code for _, code, _ in problems} <= {"unreadable-file", "unreadable-to-others"}


def test_a_folder_that_can_be_listed_but_not_entered_hides_its_blobs(strange: Store) -> None:
    digests = [strange.enter(strange.manifest())["digest"], str(Digest.of(b"layer"))]
    (strange.root / "blobs" / "sha256").chmod(0o744)
    with as_nobody():
        problems = seen(strange.root)
    (strange.root / "blobs" / "sha256").chmod(0o755)
    for digest in digests:
        assert ("error", "unreadable-file", place_of(digest)) in problems


def test_a_layer_of_wrong_size_that_cannot_be_read_is_told_once(strange: Store) -> None:
    layer = strange.put(b"layer")
    strange.enter(strange.manifest())
    strange.path(layer["digest"]).write_bytes(b"")
    strange.path(layer["digest"]).chmod(0)
    with as_nobody():
        codes = [code for _, code, _ in seen(strange.root)]
    assert codes == ["unreadable-file", "size-mismatch", "unreadable-to-others"]


def test_a_manifest_of_wrong_size_that_cannot_be_read_is_told_once(strange: Store) -> None:
    path = strange.path(strange.enter(strange.manifest())["digest"])
    path.write_bytes(b"")
    path.chmod(0)
    with as_nobody():
        codes = [code for _, code, _ in seen(strange.root)]
    assert codes == ["unreadable-file", "size-mismatch", "unreadable-to-others"]


class TestMeanwhile:
    """Others may write and delete while a check reads; what is gone is no problem."""

    def test_a_blob_that_vanishes_before_it_is_looked_at_is_passed_over(self, store: Store) -> None:
        first, second = sorted(store.put(bytes([number]))["digest"] for number in range(2))
        problems = iter_problems(store.root, content=False)
        assert next(problems).place == place_of(first)
        store.path(second).unlink()
        assert list(problems) == []

    def test_a_blob_that_vanishes_before_it_is_hashed_is_passed_over(self, store: Store) -> None:
        layer = store.put(b"layer")
        store.enter(store.manifest())
        path = store.path(layer["digest"])
        with opened(lambda name: path.unlink() if name == str(path) else None):
            assert seen(store.root) == []
        assert not path.exists()

    def test_a_temporary_that_vanishes_is_none(self, store: Store) -> None:
        path = store.root / leave(store.root, LEFTOVERS[0])
        with opened(lambda name: path.unlink() if name == path.name else None):
            assert seen(store.root) == []
        assert not path.exists()

    def test_a_document_that_vanishes_cannot_be_read(self, store: Store) -> None:
        path = store.path(store.enter(store.manifest())["digest"])
        with opened(lambda name: path.unlink() if name == str(path) else None):
            codes = [code for _, code, _ in seen(store.root)]
        assert codes == ["unreadable-file"]

    def test_an_index_that_is_never_whole_is_given_up(self, store: Store) -> None:
        index = store.root / "index.json"
        sizes: list[int] = []

        def write(name: str) -> None:
            if name == str(index):
                sizes.append(len(sizes))
                index.write_bytes(b"{" + b" " * len(sizes))

        with opened(write):
            assert [code for _, code, _ in seen(store.root)] == ["bad-json"]
        assert len(sizes) > 2


def test_a_temporary_that_cannot_be_opened_is_told(strange: Store) -> None:
    path = strange.root / leave(strange.root, LEFTOVERS[0])
    path.chmod(0)
    with as_nobody():
        assert [code for _, code, _ in seen(strange.root)] == ["leftover"]


def test_a_hash_can_be_stopped(store: Store) -> None:
    digest = store.put(b"layer")["digest"]
    assert probe.fingerprint(store.path(digest), "sha256") == digest
    assert probe.fingerprint(store.path(digest), "sha256", stopped=lambda: True) is None


class TestFinding:
    def test_an_unknown_code_keeps_what_the_problem_says(self) -> None:
        problem = Problem(code="new", message="is new", place="$.a", severity="note")
        assert classified(problem, "index.json") == Problem(
            code="new", message="is new", place="index.json$.a", severity="note"
        )

    def test_a_known_code_has_its_kind(self) -> None:
        problem = DocumentError.of("duplicate-property", "twice").problems[0]
        assert classified(problem, "x") == found("duplicate-property", "twice", "x")
        assert found("duplicate-property", "", "").requirement == "considerations:duplicate-keys"

    @pytest.mark.parametrize("code", KINDS)
    def test_a_kind_is_well_formed(self, code: str) -> None:
        kind = KINDS[code]
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)
        assert kind.severity in {"error", "warning", "note"}
        assert re.fullmatch(r"([a-z-]+:[a-z0-9-]+)?", kind.requirement)
        assert kind.meaning.endswith(".")


# ---------------------------------------------------------------- what was opened


_watchers: list[Callable[[str], None]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        for watcher in tuple(_watchers):
            watcher(arguments[0])


sys.addaudithook(_audit)  # it cannot be taken away again, so it asks whether anybody watches


@contextmanager
def opened(then: Callable[[str], None] = lambda _: None) -> Iterator[list[str]]:
    """Give the paths that are opened meanwhile."""
    paths: list[str] = []
    inside = threading.local()

    def watch(path: str) -> None:
        if not getattr(inside, "it", False):  # what `then` opens is no news
            paths.append(path)
            inside.it = True
            then(path)
            inside.it = False

    _watchers.append(watch)
    try:
        yield paths
    finally:
        _watchers.remove(watch)
