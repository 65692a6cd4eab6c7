"""The codec: strict types, unknown and null properties, all problems with their places."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.model.codec import decode, encode, structure
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.frozenmap import FrozenMap
from ocilayout.model.manifest import Index
from ocilayout.model.platform import Platform

DATA = b"hello"
DIGEST = Digest.of(DATA)
DOCUMENT: dict[str, Any] = {"mediaType": "text/plain", "digest": str(DIGEST), "size": 5}


def decoded(**changes: Any) -> Descriptor:
    return decode(json.dumps({**DOCUMENT, **changes}).encode(), Descriptor)


def problems_of(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(DocumentError) as caught:
        decoded(**changes)
    return [(problem.code, problem.place) for problem in caught.value.problems]


class TestDecode:
    def test_every_property_is_read(self) -> None:
        found = decoded(
            urls=["u"],
            annotations={"a": "b"},
            data="aGVsbG8=",
            platform={"architecture": "a", "os": "o", "os.version": "1", "os.features": ["f"]},
            artifactType="t",
            other={"deep": [None]},
        )
        assert found == Descriptor(
            media_type="text/plain",
            digest=DIGEST,
            size=5,
            urls=["u"],
            annotations={"a": "b"},
            data=DATA,
            platform=Platform(architecture="a", os="o", os_version="1", os_features=["f"]),
            artifact_type="t",
            extra={"other": {"deep": [None]}},
        )
        assert isinstance(found.digest, Digest)
        assert isinstance(found.annotations, FrozenMap)

    def test_all_values_that_a_constructor_refuses_are_listed(self) -> None:
        wrong = {"mediaType": "none", "size": -1, "artifactType": 5}
        found = [("wrong-type", "$.artifactType"), ("bad-media-type", "$.mediaType")]
        assert problems_of(**wrong) == [*found, ("bad-size", "$.size")]
        assert problems_of(mediaType="none", size=-1) == [found[1], ("bad-size", "$.size")]

    @pytest.mark.spec("config:null")
    def test_null_means_absent_for_an_optional_property(self) -> None:
        names = ("urls", "annotations", "data", "platform", "artifactType")
        assert decoded(**dict.fromkeys(names)) == decoded()

    def test_an_unknown_null_is_kept(self) -> None:
        assert decoded(x=None).extra == FrozenMap({"x": None})

    @pytest.mark.spec(
        "considerations:property-types",
        "considerations:case",
        "descriptor:media-type",
        "descriptor:digest",
        "descriptor:size",
        "descriptor:data",
        "image-index:platform",
        "annotations:map",
    )
    @pytest.mark.parametrize(
        ("changes", "code", "place"),
        [
            ({"size": "5"}, "wrong-type", "$.size"),
            ({"size": 5.0}, "wrong-type", "$.size"),
            ({"size": True}, "wrong-type", "$.size"),
            ({"size": -1}, "bad-size", "$.size"),
            ({"size": None}, "missing-property", "$.size"),
            ({"digest": 5}, "wrong-type", "$.digest"),
            ({"digest": "sha256:abc"}, "bad-digest", "$.digest"),
            ({"mediaType": ["text/plain"]}, "wrong-type", "$.mediaType"),
            ({"mediaType": "text"}, "bad-media-type", "$.mediaType"),
            ({"urls": "u"}, "wrong-type", "$.urls"),
            ({"urls": {}}, "wrong-type", "$.urls"),
            ({"urls": ["u", None]}, "wrong-type", "$.urls[1]"),
            ({"annotations": ["a"]}, "wrong-type", "$.annotations"),
            ({"annotations": {"a": None}}, "wrong-type", "$.annotations.a"),
            ({"annotations": {"a.b": 1}}, "wrong-type", '$.annotations["a.b"]'),
            ({"annotations": {"annotations": 1}}, "wrong-type", "$.annotations.annotations"),
            ({"data": 1}, "wrong-type", "$.data"),
            ({"data": "aGVsbG8"}, "bad-base64", "$.data"),
            ({"data": "aGVs bG8="}, "bad-base64", "$.data"),
            ({"data": "\u00e9"}, "bad-base64", "$.data"),
            ({"data": "aGVsbE8="}, "bad-data", "$.data"),
            ({"platform": []}, "wrong-type", "$.platform"),
            ({"platform": {"os": "o"}}, "missing-property", "$.platform.architecture"),
            (
                {"platform": {"os": "o", "architecture": "a", "OS": "p"}},
                "case-variant",
                "$.platform.OS",
            ),
            ({"artifactType": {}}, "wrong-type", "$.artifactType"),
            ({"Size": 5}, "case-variant", "$.Size"),
            ({"\u017fize": 5}, "case-variant", '$["\\u017fize"]'),
            ({"mediatype": "x"}, "case-variant", "$.mediatype"),
        ],
    )
    def test_a_value_that_breaks_a_rule_is_refused_at_its_place(
        self, changes: dict[str, Any], code: str, place: str
    ) -> None:
        assert problems_of(**changes) == [(code, place)]

    @pytest.mark.parametrize("name", ["os.version", "os.features"])
    def test_a_place_quotes_a_key_that_holds_a_dot(self, name: str) -> None:
        platform = {"os": "o", "architecture": "a", name: 1}
        assert problems_of(platform=platform) == [("wrong-type", f'$.platform["{name}"]')]

    def test_all_problems_of_a_document_are_listed(self) -> None:
        children = [{**DOCUMENT, "size": "5"}, DOCUMENT, {**DOCUMENT, "digest": "x", "URLs": []}]
        with pytest.raises(DocumentError) as caught:
            decode(json.dumps({"manifests": children, "mediaType": 1}).encode(), Index)
        assert {(problem.code, problem.place) for problem in caught.value.problems} == {
            ("wrong-type", "$.manifests[0].size"),
            ("bad-digest", "$.manifests[2].digest"),
            ("case-variant", "$.manifests[2].URLs"),
            ("wrong-type", "$.mediaType"),
            ("missing-property", "$.schemaVersion"),
        }

    def test_the_limit_is_the_callers(self) -> None:
        data = json.dumps(DOCUMENT).encode()
        assert decode(data, Descriptor, limit=len(data)) == decoded()
        with pytest.raises(LimitExceededError):
            decode(data, Descriptor, limit=len(data) - 1)

    def test_the_message_names_types_as_json_does(self) -> None:
        with pytest.raises(DocumentError, match="expected an integer, found a string"):
            decoded(size="5")


class TestStructure:
    def test_a_parsed_part_is_read(self) -> None:
        assert structure(DOCUMENT, Descriptor) == decoded()

    @pytest.mark.parametrize("value", [None, [], "x", 1])
    def test_a_value_that_is_not_an_object_is_refused(self, value: Any) -> None:
        with pytest.raises(DocumentError) as caught:
            structure(value, Descriptor)
        assert [problem.code for problem in caught.value.problems] == ["wrong-type"]


class TestEncode:
    @pytest.mark.spec("considerations:canonical", "considerations:unknown-properties")
    def test_properties_are_in_the_specifications_order_and_unknown_ones_sorted_behind(
        self,
    ) -> None:
        found = Descriptor(
            media_type="text/plain",
            digest=DIGEST,
            size=5,
            urls=["u"],
            annotations={"b": "1", "a": "2", "\U0001f433": "", "\uffff": ""},
            data=DATA,
            platform=Platform(architecture="a", os="o", os_features=["f"]),
            artifact_type="t",
            extra={"z": {"b": 1, "a": 2}, "y": None},
        )
        assert encode(found).decode() == (
            f'{{"mediaType":"text/plain","digest":"{DIGEST}","size":5,"urls":["u"],'
            '"annotations":{"a":"2","b":"1","\uffff":"","\U0001f433":""},"data":"aGVsbG8=",'
            '"platform":{"architecture":"a","os":"o","os.features":["f"]},"artifactType":"t",'
            '"y":null,"z":{"b":1,"a":2}}'
        )

    @pytest.mark.spec("annotations:none")
    def test_absent_and_empty_properties_are_left_out_unless_required(self) -> None:
        assert json.loads(encode(decoded(urls=[], annotations={}))) == DOCUMENT
        assert "manifests" in json.loads(encode(Index()))
