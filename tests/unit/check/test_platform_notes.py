"""What a check says of what is not a platform: that of an attestation, or in a wrong place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ocilayout import Layout
from ocilayout.model.mediatype import OCI_CONFIG, OCI_INDEX
from tests.unit.check.conftest import CONFIG, place_of, seen

if TYPE_CHECKING:
    from tests.unit.check.conftest import Json, Store

UNKNOWN = {"os": "unknown", "architecture": "unknown"}
IN_TOTO = "application/vnd.in-toto+json"
MARK = {"vnd.docker.reference.type": "attestation-manifest"}


def attestation(store: Store, note: str, layer_type: str = IN_TOTO) -> dict[str, Json]:
    """Put an attestation as BuildKit writes it, with a config of its own."""
    config = store.put(json.dumps({**CONFIG, **UNKNOWN, "author": note}).encode(), OCI_CONFIG)
    layer = store.put(json.dumps({"_type": "statement", "note": note}).encode(), layer_type)
    return store.manifest(config=config, layers=[layer])


def enter_index(store: Store, *entries: dict[str, Json]) -> str:
    """Enter an index, and return where it lies."""
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}
    root = store.enter(store.document(json.dumps(document).encode(), OCI_INDEX))
    return place_of(root["digest"])


@pytest.mark.parametrize("layer_type", [IN_TOTO, "text/plain"])
def test_the_attestations_of_an_index_are_one_note(store: Store, layer_type: str) -> None:
    """However many there are, one note is given, and no warning of them or of their configs."""
    image = store.manifest()
    marked = [
        {**attestation(store, note, layer_type), "platform": UNKNOWN, "annotations": MARK}
        for note in ("a", "b", "c")
    ]
    place = enter_index(store, image, *marked)
    assert seen(store.root) == [("note", "attestation-platform", f"{place}$.manifests[1].platform")]


def test_attestations_that_are_entries_of_the_layout(store: Store) -> None:
    """Programs that make children entries do not hide that they are attestations."""
    marked = {"platform": UNKNOWN, "annotations": MARK}
    for note in ("a", "b"):
        store.enter({**attestation(store, note), **marked}, name=None)
    found = [problem for problem in seen(store.root) if problem[1] != "unreferenced-blob"]
    assert found == [("note", "attestation-platform", "index.json$.manifests[0].platform")]
    store.index["manifests"] = []
    store.enter(attestation(store, "a"), name=None)
    store.enter(attestation(store, "b"), name=None)
    assert {code for _, code, _ in seen(store.root)} == {"unreferenced-blob"}


@pytest.mark.parametrize(
    "changes",
    [
        {"platform": UNKNOWN},
        {"platform": UNKNOWN, "annotations": {"vnd.docker.reference.type": "other"}},
        {"platform": {"os": "linux", "architecture": "unknown"}, "annotations": MARK},
        {"platform": {"os": "unknown", "architecture": "amd64"}, "annotations": MARK},
        {"platform": {"os": "Unknown", "architecture": "unknown"}, "annotations": MARK},
    ],
)
def test_other_unknown_values_are_warned_of(store: Store, changes: dict[str, Json]) -> None:
    """Only both words together, with the mark, are those of an attestation."""
    enter_index(store, {**store.manifest(), **changes})
    codes = {(severity, code) for severity, code, _ in seen(store.root)}
    assert codes == {("warning", "unknown-platform")}


def test_an_unknown_config_of_an_image_is_warned_of(store: Store) -> None:
    """A config is taken for that of an attestation only if its manifest is one."""
    store.enter(attestation(store, "a", "application/vnd.oci.image.layer.v1.tar"))
    assert [code for _, code, _ in seen(store.root)].count("unknown-platform") == 2


@pytest.mark.spec("image-index:platform")
@pytest.mark.parametrize(
    "platform", [{"os": "linux"}, {"architecture": "arm"}, {}, "linux", [1], 7]
)
@pytest.mark.parametrize("place", ["config", "layers", "subject"])
def test_a_platform_where_it_is_not_defined(store: Store, platform: Json, place: str) -> None:
    """It is defined for entries of an index; elsewhere it is an unknown property."""
    whole = store.manifest()
    store.enter(whole, name="whole")
    read = json.loads(store.path(whole["digest"]).read_text())
    odd = {
        "config": {**read["config"], "platform": platform},
        "layers": [{**read["layers"][0], "platform": platform}],
        "subject": {**whole, "platform": platform},
    }
    odd = store.enter(store.manifest(**{place: odd[place]}), name="odd")
    assert {code for _, code, _ in seen(store.root)} <= {"unreferenced-blob"}
    layout = Layout.open(store.root)
    assert len(list(layout.walk(layout.resolve("odd")))) == 3
    assert not layout.collect().removed
    enter_index(store, {**whole, "platform": platform})
    assert {severity for severity, _, _ in seen(store.root)} == {"error"}
