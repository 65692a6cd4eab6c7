"""Functions that write a layout with one thing wrong or strange."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.peers.behaviours import material
from tests.peers.behaviours.material import (
    CONFIG,
    DOCKER_LIST,
    INDEX,
    LAYER,
    MANIFEST,
    NOTE,
    REF_NAME,
    dump,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.peers.behaviours.case import Make
    from tests.peers.behaviours.material import Folder, Json

ABSENT: Final = "0" * 64


def good(folder: Folder) -> Json:
    """Make an ordinary image named `a`."""
    return folder.enter(folder.image("good"), "a")


def raw(change: Callable[[bytes], bytes]) -> Make:
    """Make an ordinary layout and change the bytes of its index."""

    def make(folder: Folder) -> None:
        good(folder)
        folder.finish(change(dump({**folder.index, "manifests": folder.entries})))

    return make


def root(**changes: Any) -> Make:
    """Make an ordinary layout whose index has other properties; `...` leaves one out."""

    def make(folder: Folder) -> None:
        good(folder)
        document = {**folder.index, "manifests": folder.entries, **changes}
        folder.finish(dump({key: value for key, value in document.items() if value is not ...}))

    return make


def header(data: bytes | None) -> Make:
    """Make an ordinary layout with another `oci-layout`, or without one."""

    def make(folder: Folder) -> None:
        good(folder)
        (folder.path / "oci-layout").unlink()
        if data is not None:
            folder.write("oci-layout", data)

    return make


def named(name: str) -> Make:
    return lambda folder: folder.enter(folder.image("good"), name)


def document(**changes: Any) -> Callable[[Folder], Json]:
    """Make an image `a` whose manifest has other properties; `...` leaves one out."""
    return lambda folder: folder.enter(folder.image("good", **changes), "a")


def entry(**changes: Any) -> Make:
    """Make an image `a` whose entry has other properties."""
    return lambda folder: folder.enter({**folder.image("good"), **changes}, "a")


def layer_said(**changes: Any) -> Callable[[Folder], Json]:
    """Make an image `a` whose manifest describes its layer with other properties."""

    def make(folder: Folder) -> Json:
        _, packed = folder.parts("good")
        return folder.enter(folder.image("good", layers=[{**packed, **changes}]), "a")

    return make


def changed(which: Callable[[Folder], Json], change: Callable[[Path], object]) -> Make:
    """Make an ordinary image and change the file of one of its parts."""

    def make(folder: Folder) -> None:
        good(folder)
        place = folder.place(which(folder))
        change(place)

    return make


def the_manifest(folder: Folder) -> Json:
    return folder.entries[0]


def the_config(folder: Folder) -> Json:
    return folder.parts("good")[0]


def the_layer(folder: Folder) -> Json:
    return folder.parts("good")[1]


def flip(place: Path) -> None:
    """Change content and keep its size."""
    data = place.read_bytes()
    place.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def damaged_manifest(folder: Folder) -> None:
    place = folder.place(document(annotations={NOTE: "x"})(folder))
    place.write_bytes(place.read_bytes().replace(b'":"x"}', b'":"y"}'))


def to_link(place: Path) -> None:
    """Move a blob out of the layout, and replace it with a link."""
    outside = place.parents[3] / "outside"
    place.rename(outside)
    place.symlink_to(outside)


def to_folder(place: Path) -> None:
    place.unlink()
    place.mkdir()


def linked_folder(folder: Folder) -> None:
    good(folder)
    outside = folder.path.parent / "blobs"
    (folder.path / "blobs" / "sha256").rename(outside)
    (folder.path / "blobs" / "sha256").symlink_to(outside)


def twice(folder: Folder) -> None:
    folder.enter(folder.image("the first"), "a")
    folder.enter(folder.image("the last"), "a")


def same_twice(folder: Folder) -> None:
    image = folder.image("good")
    folder.enter(image, "a")
    folder.enter(image, "a")


def known_by_other_names(folder: Folder) -> None:
    full = "io.containerd.image.name"
    folder.enter(folder.image("the first"), "a", **{full: "docker.io/library/x:a"})
    folder.enter(folder.image("the last"), "a", **{full: "docker.io/library/y:a"})


def two_roots(folder: Folder) -> None:
    good(folder)
    folder.enter(folder.image("another"), "b")


def doubled_manifests(folder: Folder) -> None:
    good(folder)
    other = folder.image("the last")
    folder.finish(
        b'{"schemaVersion":2,"manifests":'
        + dump(folder.entries)
        + b',"manifests":'
        + dump([{**other, "annotations": {REF_NAME: "a"}}])
        + b"}"
    )


def both_cases(folder: Folder) -> None:
    good(folder)
    other = folder.image("the variant")
    folder.finish(
        b'{"schemaVersion":2,"manifests":'
        + dump(folder.entries)
        + b',"Manifests":'
        + dump([{**other, "annotations": {REF_NAME: "a"}}])
        + b"}"
    )


def platforms(*, sparse: bool = False, docker: bool = False) -> Make:
    """Make an index of two platforms; the manifest of the second may be missing."""

    def make(folder: Folder) -> None:
        children = [
            {**folder.image(text, docker=docker), "platform": {"os": "linux", "architecture": name}}
            for text, name in (("good", "amd64"), ("other", "s390x"))
        ]
        media_type = DOCKER_LIST if docker else INDEX
        listed = {"schemaVersion": 2, "mediaType": media_type, "manifests": children}
        folder.enter(folder.manifest(listed, media_type, "good"), "a")
        if sparse:
            folder.place(children[1]).unlink()

    return make


def nested(folder: Folder) -> None:
    child = {**folder.image("good"), "platform": {"os": "linux", "architecture": "amd64"}}
    inner = folder.manifest(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}, INDEX, "good"
    )
    outer = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}
    folder.enter(folder.manifest(outer, INDEX, "good"), "a")


def with_entry(other: Callable[[Folder], Json]) -> Make:
    """Make an ordinary image `a`, and another entry, as given."""

    def make(folder: Folder) -> None:
        good(folder)
        folder.entries.append(other(folder))

    return make


def artifact(folder: Folder) -> Json:
    empty = folder.blob(b"{}", "application/vnd.oci.empty.v1+json")
    content = folder.blob(b"text", "text/plain")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.example.thing",
        "config": empty,
        "layers": [content],
    }
    return folder.enter(folder.manifest(manifest, MANIFEST, "good"), "a")


def ambiguous(folder: Folder) -> Json:
    return document(manifests=[])(folder)


def other_type(folder: Folder) -> Json:
    """Make a manifest that says that it is an index."""
    return document(mediaType=INDEX)(folder)


def big_manifest(folder: Folder) -> Json:
    """Make a manifest of more than 4 MiB."""
    return document(annotations={NOTE: "x" * (5 << 20)})(folder)


def sha512_manifest(folder: Folder) -> Json:
    return folder.enter(folder.image("good", algorithm="sha512"), "a")


def sha512_layer(folder: Folder) -> Json:
    packed, _ = material.layer("good")
    return document(layers=[folder.blob(packed, LAYER, "sha512")])(folder)


def foreign(folder: Folder) -> Json:
    """Make an image whose second layer is stored elsewhere."""
    config, packed = folder.parts("good")
    described = json.loads(folder.place(config).read_bytes())
    diff_ids = described["rootfs"]["diff_ids"]
    twice = {**described, "rootfs": {"type": "layers", "diff_ids": diff_ids * 2}}
    config = folder.blob(dump(twice), CONFIG)
    away = {
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": f"sha256:{ABSENT}",
        "size": 10,
        "urls": ["http://127.0.0.1:9/layer"],
    }
    return document(config=config, layers=[packed, away])(folder)


def noted(**annotations: str) -> Make:
    """Make an ordinary image whose entry has annotations."""
    return lambda folder: folder.enter(folder.image("good"), "a", **annotations)


def with_unknown(folder: Folder) -> None:
    folder.enter({**folder.image("good"), "x-entry": 1}, "a")
    folder.index["x-root"] = {"z": 1, "a": [1.0, 1e2]}


def three(folder: Folder) -> None:
    for text in ("z", "good", "m"):
        folder.enter(folder.image(text), "a" if text == "good" else text)


def untagged_twins(folder: Folder) -> None:
    image = folder.image("good")
    for text in ("1", "2"):
        folder.enter(image, None, **{NOTE: text})
    folder.enter(image, "a")


def retagged(folder: Folder) -> None:
    folder.enter(folder.image("old"), "a", **{NOTE: "x"})
    folder.enter(folder.image("new"), "new")


def untagged(folder: Folder) -> Json:
    good(folder)
    return folder.enter(folder.image("untagged"), None)


def referrer(folder: Folder) -> Json:
    image = good(folder)
    subject = {key: image[key] for key in ("mediaType", "digest", "size")}
    return folder.enter(folder.image("signature", subject=subject), None)


def subject_only(folder: Folder) -> Json:
    """Return content that is only reachable as the subject of an entry."""
    subject = folder.image("subject")
    folder.enter(folder.image("good", subject=subject), "a")
    return subject


def docker_layer(folder: Folder) -> Json:
    folder.enter(folder.image("good", docker=True), "a")
    return folder.parts("good", docker=True)[1]


def nested_layer(folder: Folder) -> Json:
    nested(folder)
    return folder.parts("good")[1]


def unknown_algorithm(folder: Folder) -> str:
    good(folder)
    folder.write("blobs/md5/" + "0" * 32, b"x")
    return "blobs/md5/" + "0" * 32


def stray(folder: Folder) -> str:
    good(folder)
    folder.write("blobs/sha256/README", b"x")
    return "blobs/sha256/README"


def unreferenced(folder: Folder) -> Json:
    good(folder)
    return folder.blob(b"x", "text/plain")


def temporary(folder: Folder) -> str:
    good(folder)
    folder.write("oci-put-blob123", b"x")
    return "oci-put-blob123"


def sparse_child(folder: Folder) -> Json:
    """Return the layer of an existing child of an index whose other child is missing."""
    platforms(sparse=True)(folder)
    return folder.parts("good")[1]


def opaque(folder: Folder) -> Json:
    """Return the config of a manifest that one entry calls a manifest and another opaque."""
    image = folder.image("good")
    folder.enter({**image, "mediaType": "application/octet-stream"}, "b")
    folder.enter(image, "a")
    return folder.parts("good")[0]
