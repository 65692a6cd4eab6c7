"""The cases, in the order of the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.peers.behaviours import maker, sight
from tests.peers.behaviours.case import (
    Case,
    Collecting,
    Copying,
    Creating,
    Listing,
    Reading,
    Tagging,
    Taking,
)
from tests.peers.behaviours.maker import ABSENT
from tests.peers.behaviours.material import MANIFEST, NOTE, dump

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.peers.behaviours.case import Make
    from tests.peers.behaviours.material import Folder, Json


def _read(id_: str, about: str, make: Make, **facts: str) -> Case:
    return Case(id_, about, (Reading(make),), _facts(facts))


def _pushed(id_: str, about: str, make: Callable[[Folder], Json], **facts: str) -> Case:
    return Case(id_, about, (Reading(make), Taking(make)), _facts(facts))


def _facts(facts: dict[str, str]) -> dict[str, str]:
    return {{"go_store": "Go store", "crane": "crane"}[key]: text for key, text in facts.items()}


_DEEP: Final = b"[" * 20_000 + b"]" * 20_000

READING: Final = (
    _read("plain", "nothing is odd", maker.good),
    _read(
        "no-header",
        "`oci-layout` is missing",
        maker.header(None),
        go_store="reads, writes one",
        crane="reads",
    ),
    _read(
        "version",
        "`imageLayoutVersion` is 1.1.0",
        maker.header(b'{"imageLayoutVersion":"1.1.0"}'),
        go_store="refuses",
        crane="reads",
    ),
    _read(
        "header-extra",
        "`oci-layout` has an unknown property",
        maker.header(b'{"imageLayoutVersion":"1.0.0","x":1}'),
        go_store="reads",
    ),
    _read("header-broken", "`oci-layout` is empty", maker.header(b"")),
    _read(
        "index-empty",
        "`index.json` is empty, as a full disk leaves it",
        maker.raw(lambda _: b""),
        go_store="refuses",
        crane="refuses",
    ),
    _read(
        "index-torn",
        "`index.json` ends in the middle",
        maker.raw(lambda data: data[:-9]),
        go_store="refuses",
        crane="refuses",
    ),
    _read("no-media-type", "the index does not say its `mediaType`", maker.root(mediaType=...)),
    _read(
        "other-media-type", "the index says that it is a manifest", maker.root(mediaType=MANIFEST)
    ),
    _read("no-schema-version", "the index has no `schemaVersion`", maker.root(schemaVersion=...)),
    _read("schema-version", "`schemaVersion` is 1", maker.root(schemaVersion=1)),
    _read(
        "root-annotations-null", "`annotations` of the index is null", maker.root(annotations=None)
    ),
    _read("root-layers", "the index has `layers`, too", maker.root(layers=[])),
    _read(
        "indented",
        "the index is indented and ends with a line feed",
        maker.raw(lambda data: json.dumps(json.loads(data), indent=4).encode() + b"\n"),
    ),
    _read(
        "trailing",
        "a second value follows the index",
        maker.raw(lambda data: data + b"{}"),
        go_store="reads",
        crane="refuses",
    ),
    _read(
        "bom",
        "the index begins with a byte order mark",
        maker.raw(lambda data: b"\xef\xbb\xbf" + data),
    ),
    _read(
        "utf-16", "the index is in UTF-16", maker.raw(lambda data: data.decode().encode("utf-16"))
    ),
    _read(
        "not-utf-8",
        "an unknown property of the index is not UTF-8",
        maker.raw(lambda data: b'{"x":"\xff",' + data[1:]),
    ),
    _read(
        "surrogate",
        "an unknown property holds half a surrogate pair",
        maker.raw(lambda data: b'{"x":"\\ud800",' + data[1:]),
    ),
    _read("nan", "an unknown property is `NaN`", maker.raw(lambda data: b'{"x":NaN,' + data[1:])),
    _read(
        "deep",
        "an unknown property is nested 20,000 deep",
        maker.raw(lambda data: b'{"x":' + _DEEP + b"," + data[1:]),
    ),
    _read(
        "duplicate-key",
        "the index has two properties of the name `manifests`",
        maker.doubled_manifests,
        go_store="reads the last",
        crane="reads the last",
    ),
    _read(
        "case-variant",
        "the index has `Manifests` after `manifests`",
        maker.both_cases,
        go_store="reads the variant",
        crane="reads the variant",
    ),
    _read("duplicate-name", "two images have the name", maker.twice, go_store="reads the last"),
    _read("same-twice", "two entries have the name, for the same image", maker.same_twice),
    _read(
        "containerd-name",
        "two images have the name, and `io.containerd.image.name` differs",
        maker.known_by_other_names,
    ),
    *(
        Case(f"name-{slug}", f"the name is `{name}`", (Reading(maker.named(name), name),))
        for slug, name in (
            ("colon", "host:5000/x:v1"),
            ("at", "a@b"),
            ("slash", "team/app"),
            ("plus", "v1+2"),
            ("space", "a b"),
            ("under", "_a"),
            ("digest", f"sha256:{ABSENT}"),
        )
    ),
    Case("no-name-one", "no name is given, and there is one image", (Reading(maker.good, None),)),
    Case(
        "no-name-many",
        "no name is given, and there are two images",
        (Reading(maker.two_roots, None),),
    ),
    _read(
        "missing-layer",
        "a layer is missing",
        maker.changed(maker.the_layer, lambda place: place.unlink()),
    ),
    _read(
        "missing-config",
        "the config is missing",
        maker.changed(maker.the_config, lambda place: place.unlink()),
    ),
    _read(
        "missing-manifest",
        "the manifest is missing",
        maker.changed(maker.the_manifest, lambda place: place.unlink()),
    ),
    _read("sparse", "the manifest of another platform is missing", maker.platforms(sparse=True)),
    _read("nested", "an index is inside an index", maker.nested),
    _read(
        "layer-damaged",
        "a layer has its size and another digest",
        maker.changed(maker.the_layer, maker.flip),
    ),
    _read(
        "config-damaged",
        "the config has its size and another digest",
        maker.changed(
            maker.the_config,
            lambda place: place.write_bytes(
                place.read_bytes().replace(b'"created_by":"good"', b'"created_by":"evil"')
            ),
        ),
    ),
    _read(
        "manifest-damaged",
        "the manifest has its size and another digest",
        maker.damaged_manifest,
    ),
    _read(
        "link",
        "a blob is a symbolic link to the outside",
        maker.changed(maker.the_layer, maker.to_link),
        crane="refuses",
    ),
    _read("linked-folder", "`blobs/sha256` is a symbolic link", maker.linked_folder),
    _read("folder", "a blob is a folder", maker.changed(maker.the_layer, maker.to_folder)),
    _read("entry-size", "the entry says another size than its manifest has", maker.entry(size=5)),
    _read("entry-negative", "the entry says a negative size", maker.entry(size=-1)),
    _read("entry-size-text", "the entry says its size as a text", maker.entry(size="500")),
    _read("entry-size-float", "the entry says the size 5e2", maker.entry(size=5e2)),
    _read("entry-size-huge", "the entry says a size beyond 64 bits", maker.entry(size=1 << 64)),
    _read("entry-data", "the entry's `data` is other content", maker.entry(data="eA==")),
    _read(
        "entry-annotations-null",
        "`annotations` of another entry is null",
        maker.with_entry(lambda folder: {**folder.image("other"), "annotations": None}),
    ),
    _read(
        "entry-type",
        "another entry has no `mediaType`",
        maker.with_entry(lambda _: {"digest": f"sha256:{ABSENT}", "size": 1}),
    ),
    _read(
        "path-digest",
        "another entry has the digest `sha256:../../../x`",
        maker.with_entry(
            lambda _: {"mediaType": MANIFEST, "digest": "sha256:../../../x", "size": 1}
        ),
        crane="refuses",
    ),
    _read(
        "unknown-algorithm",
        "another entry has a digest of `md5`",
        maker.with_entry(lambda _: {"mediaType": MANIFEST, "digest": "md5:" + "0" * 32, "size": 2}),
        crane="refuses",
    ),
    _read(
        "docker-list", "a Docker manifest list of Docker manifests", maker.platforms(docker=True)
    ),
)

DOCUMENTS: Final = (
    _pushed(
        "docker",
        "a Docker manifest",
        lambda folder: folder.enter(folder.image("good", docker=True), "a"),
    ),
    _pushed("artifact", "an artifact with the empty config", maker.artifact),
    _pushed(
        "manifest-no-type",
        "the manifest does not say its `mediaType`",
        maker.document(mediaType=...),
    ),
    _pushed("manifest-other-type", "the manifest says that it is an index", maker.other_type),
    _pushed(
        "ambiguous",
        "the manifest has `manifests`, too (CVE-2021-41190)",
        maker.ambiguous,
        go_store="reads",
        crane="reads",
    ),
    _pushed("layers-null", "`layers` of the manifest is null", maker.document(layers=None)),
    _pushed(
        "unknown-layer",
        "a layer is of an unknown type",
        maker.layer_said(mediaType="application/x-unknown"),
    ),
    _pushed(
        "subject-absent",
        "the manifest has a subject that does not exist",
        maker.document(subject={"mediaType": MANIFEST, "digest": f"sha256:{ABSENT}", "size": 1}),
    ),
    _pushed("unknown-property", "the manifest has an unknown property", maker.document(x=1)),
    _pushed(
        "manifest-duplicate-key",
        "the manifest has two properties of the name `schemaVersion`",
        lambda folder: folder.enter(
            folder.manifest(
                b'{"schemaVersion":1,' + dump(folder.document("good"))[1:], MANIFEST, "good"
            ),
            "a",
        ),
    ),
    _pushed("manifest-big", "the manifest has 5 MiB", maker.big_manifest),
    _pushed("layer-size", "the manifest says another size of a layer", maker.layer_said(size=3)),
    _pushed(
        "layer-size-huge",
        "the manifest says that a layer has 2**62 bytes",
        maker.layer_said(size=1 << 62),
    ),
    _pushed(
        "layer-negative", "the manifest says a negative size of a layer", maker.layer_said(size=-1)
    ),
    _pushed("sha512-layer", "a layer is known by its sha512", maker.sha512_layer, crane="refuses"),
    _pushed(
        "sha512-manifest",
        "the manifest is known by its sha512",
        maker.sha512_manifest,
        go_store="reads",
        crane="refuses",
    ),
    _pushed("foreign", "a layer has `urls` and is not there", maker.foreign),
)


def _tagged(id_: str, about: str, make: Make, see: Callable[[Path], str], **options: Any) -> Case:
    facts: dict[str, str] = {}
    for key in ("go_store", "crane"):
        if key in options:
            facts[key] = options.pop(key)
    return Case(id_, about, (Tagging(make, see, **options),), _facts(facts))


CHANGING: Final = (
    Case(
        "list",
        "names are listed, one of them odd",
        (Listing(lambda folder: [maker.named(name)(folder) for name in ("b", "a", "team/app:1")]),),
    ),
    Case(
        "list-null",
        "`manifests` is null",
        (Listing(maker.root(manifests=None)),),
        {"Go store": "nothing", "crane": "nothing"},
    ),
    Case("list-absent", "`manifests` is absent", (Listing(maker.root(manifests=...)),)),
    _tagged(
        "tag-root-property",
        "an unknown property of the index, when a tag is added",
        maker.with_unknown,
        sight.root_property,
        go_store="drops it",
        crane="drops it",
    ),
    _tagged(
        "tag-entry-property",
        "an unknown property of an entry, when a tag is added",
        maker.with_unknown,
        sight.entry_property,
        go_store="drops it",
        crane="drops it",
    ),
    _tagged(
        "tag-order",
        "the order of the entries, when a tag is added",
        maker.three,
        sight.order,
        go_store="changes it",
        crane="keeps it",
    ),
    _tagged(
        "tag-note",
        "the annotations of an entry stay when another tag is added",
        maker.noted(**{NOTE: "x"}),
        sight.note_at("a"),
    ),
    _tagged(
        "tag-carries",
        "a new tag for the content gets the annotations of the entry",
        maker.noted(**{NOTE: "x"}),
        sight.note_at("b"),
        go_store="yes, by name",
    ),
    _tagged(
        "retag-old",
        "the old entry of a tag, when the tag moves",
        maker.retagged,
        sight.old_entry,
        name="new",
        new="a",
    ),
    _tagged(
        "retag-note",
        "a moved tag keeps its annotations",
        maker.retagged,
        sight.note_at("a"),
        name="new",
        new="a",
    ),
    _tagged(
        "tag-twins",
        "two untagged entries of one content with annotations, when a tag is added",
        maker.untagged_twins,
        sight.twins,
        go_store="keeps 1",
    ),
    _tagged(
        "tag-bad-name",
        "the new name is `a b`",
        maker.good,
        lambda _: "writes it",
        new="a b",
        go_store="writes it",
    ),
    _tagged(
        "tag-digest-name",
        "the new name reads as a digest",
        maker.good,
        lambda _: "writes it",
        new=f"sha256:{ABSENT}",
    ),
    _tagged(
        "lock",
        "another process holds `index.json.lock`",
        maker.good,
        sight.ignored,
        locked=True,
        go_store="does not wait",
        crane="does not wait",
    ),
    Case(
        "copy-carries",
        "a copy to another layout takes the annotations of the entry",
        (Copying(maker.noted(**{NOTE: "x"}), sight.note_at("a")),),
        {"Go store": "yes, by name", "crane": "no"},
    ),
)

COLLECTING: Final = tuple(
    Case(f"collect-{slug}", about, (Collecting(make),), facts)
    for slug, about, make, facts in (
        (
            "unreferenced",
            "a blob that nothing refers to",
            maker.unreferenced,
            {"Go store": "deletes it"},
        ),
        (
            "untagged",
            "a manifest with an untagged entry",
            maker.untagged,
            {"Go store": "deletes it"},
        ),
        (
            "referrer",
            "an untagged manifest whose subject is tagged",
            maker.referrer,
            {"Go store": "keeps it"},
        ),
        (
            "subject",
            "the subject of a tagged manifest, which has no entry",
            maker.subject_only,
            {"Go store": "keeps it"},
        ),
        ("docker", "a layer of a Docker manifest", maker.docker_layer, {}),
        ("nested", "a layer of a manifest two indexes down", maker.nested_layer, {}),
        ("sparse", "a layer of a platform whose sibling is missing", maker.sparse_child, {}),
        (
            "opaque",
            "a config of a manifest that another entry calls opaque",
            maker.opaque,
            {"Go store": "keeps it"},
        ),
        (
            "algorithm",
            "a blob in the folder of an unknown algorithm",
            maker.unknown_algorithm,
            {"Go store": "keeps it"},
        ),
        (
            "stray",
            "a file in `blobs/sha256` whose name is not a valid digest",
            maker.stray,
            {"Go store": "keeps it"},
        ),
        (
            "temporary",
            "a file `oci-put-blob123` in the root",
            maker.temporary,
            {"Go store": "keeps it"},
        ),
    )
)

CREATING: Final = (
    Case(
        "mode-blobs",
        "the modes of blobs, under umask 022",
        (Creating(sight.blob_modes),),
        {"Go store": "0444", "crane": "0600, 0644"},
    ),
    Case(
        "mode-index",
        "the mode of `index.json`, under umask 022",
        (Creating(sight.index_mode),),
        {"Go store": "0644", "crane": "0755"},
    ),
    Case("index-type", "`index.json` says its `mediaType`", (Creating(sight.index_type),)),
    Case(
        "files",
        "the files in the root of a new layout",
        (Creating(sight.order_of_files),),
        {"Go store": "`blobs`, `index.json`, `ingest`, `oci-layout`"},
    ),
)

SECTIONS: Final = (
    ("Reading a layout", READING),
    ("Documents", DOCUMENTS),
    ("Names and annotations", CHANGING),
    ("Collecting garbage", COLLECTING),
    ("Making a layout", CREATING),
)
CASES: Final = {case.id: case for _, cases in SECTIONS for case in cases}
