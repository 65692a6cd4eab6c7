"""Descriptors and platforms: the rule of each property, and the verification of bytes."""

from __future__ import annotations

from typing import Any

import pytest

from ocilayout.errors import (
    DigestMismatchError,
    DocumentError,
    SizeMismatchError,
    UnsupportedDigestError,
)
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor, Platform, Verifier, verify
from ocilayout.model.digest import Digest
from ocilayout.model.frozenmap import FrozenMap

DATA = b"hello"
DIGEST = Digest.of(DATA)
UNKNOWN = Digest.parse("md5:x")


def describe(**values: Any) -> Descriptor:
    return Descriptor(**{"media_type": "text/plain", "digest": DIGEST, "size": 5, **values})


class TestDescriptor:
    @pytest.mark.spec("descriptor:digest", "descriptor:size")
    def test_only_media_type_digest_and_size_are_needed(self) -> None:
        found = describe()
        assert found == Descriptor.of(DATA, "text/plain")
        assert (found.urls, found.annotations, found.extra) == ((), FrozenMap(), FrozenMap())
        assert (found.data, found.platform, found.artifact_type) == (None, None, None)

    def test_its_values_are_immutable(self) -> None:
        platform = Platform(architecture="arm64", os="linux")
        found = describe(
            digest=str(DIGEST),
            urls=["https://x.io"],
            annotations={"a": "b"},
            data=DATA,
            platform=platform,
            artifact_type="anything",
            extra={"x": [1]},
        )
        assert isinstance(found.digest, Digest)
        assert found.urls == ("https://x.io",)
        assert found.annotations == FrozenMap({"a": "b"})
        assert (found.data, found.platform, found.artifact_type) == (DATA, platform, "anything")
        assert found.extra == FrozenMap({"x": (1,)})
        assert isinstance(hash(found), int)

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            describe().size = 6  # type: ignore[misc]

    @pytest.mark.spec("descriptor:size")
    @pytest.mark.parametrize("size", [0, 2**63 - 1])
    def test_a_size_may_be_as_small_and_large_as_the_specification_says(self, size: int) -> None:
        assert describe(size=size).size == size

    @pytest.mark.spec(
        "descriptor:media-type",
        "descriptor:digest",
        "descriptor:size",
        "descriptor:annotations",
        "descriptor:data",
        "descriptor:data-verify",
    )
    @pytest.mark.parametrize(
        ("values", "code", "place"),
        [
            ({"media_type": "text"}, "bad-media-type", "$.mediaType"),
            ({"media_type": None}, "wrong-type", "$.mediaType"),
            ({"digest": "sha256:x"}, "bad-digest", "$.digest"),
            ({"digest": 5}, "wrong-type", "$.digest"),
            ({"size": -1}, "bad-size", "$.size"),
            ({"size": 2**63}, "bad-size", "$.size"),
            ({"size": True}, "wrong-type", "$.size"),
            ({"size": 5.0}, "wrong-type", "$.size"),
            ({"urls": [1]}, "wrong-type", "$.urls[0]"),
            ({"urls": ["a", None]}, "wrong-type", "$.urls[1]"),
            ({"annotations": {"a": 1}}, "wrong-type", "$.annotations.a"),
            ({"annotations": {1: "a"}}, "wrong-type", '$.annotations["1"]'),
            ({"data": "aGVsbG8="}, "wrong-type", "$.data"),
            ({"data": b"hell"}, "bad-data", "$.data"),
            ({"data": b"hellO"}, "bad-data", "$.data"),
            ({"digest": UNKNOWN, "data": b"hell"}, "bad-data", "$.data"),
            ({"platform": {"os": "linux"}}, "wrong-type", "$.platform"),
            ({"artifact_type": 1}, "wrong-type", "$.artifactType"),
            ({"extra": {"size": 1}}, "known-property", "$.size"),
            ({"extra": {"MediaType": ""}}, "case-variant", "$.MediaType"),
            ({"extra": {"\u017fize": 1}}, "case-variant", '$["\\u017fize"]'),
        ],
    )
    def test_a_value_that_breaks_a_rule_is_refused_at_its_place(
        self, values: dict[str, Any], code: str, place: str
    ) -> None:
        with pytest.raises(DocumentError) as caught:
            describe(**values)
        assert [(found.code, found.place) for found in caught.value.problems] == [(code, place)]

    @pytest.mark.parametrize(
        "values",
        [
            {"urls": "https://x.io"},
            {"urls": b"x"},
            {"urls": {"a": "b"}},
            {"urls": None},
            {"urls": 5},
            {"annotations": [("a", "b")]},
            {"annotations": None},
            {"extra": []},
        ],
    )
    def test_a_value_that_is_not_a_sequence_or_mapping_is_refused(
        self, values: dict[str, Any]
    ) -> None:
        with pytest.raises(DocumentError) as caught:
            describe(**values)
        assert [found.code for found in caught.value.problems] == ["wrong-type"]

    @pytest.mark.parametrize(
        "values",
        [
            {"extra": {1: 2}},
            {"extra": {"a": {1: 2}}},
            {"extra": {"a": {1, 2}}},
            {"extra": {"a": [b"x"]}},
            {"extra": {"a": float("nan")}},
            {"extra": {"\ud800": 1}},
            {"annotations": {"a": "\ud800"}},
            {"artifact_type": "\ud800"},
        ],
    )
    def test_values_that_json_cannot_express_are_never_written(
        self, values: dict[str, Any]
    ) -> None:
        with pytest.raises(DocumentError):
            encode(describe(**values))

    @pytest.mark.spec("descriptor:data")
    def test_data_of_an_unknown_algorithm_is_checked_by_its_size(self) -> None:
        assert describe(digest=UNKNOWN, data=b"HELLO").data == b"HELLO"

    def test_a_plain_descriptor_has_media_type_digest_and_size_only(self) -> None:
        found = describe(annotations={"a": "b"}, data=DATA, urls=["u"], extra={"x": 1})
        assert found.plain() == describe()

    @pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
    def test_bytes_are_described_by_any_computable_algorithm(self, algorithm: str) -> None:
        found = Descriptor.of(DATA, "text/plain", algorithm)
        assert found == describe(digest=Digest.of(DATA, algorithm))

    def test_bytes_are_not_described_by_an_unknown_algorithm(self) -> None:
        with pytest.raises(UnsupportedDigestError):
            Descriptor.of(DATA, "text/plain", "md5")
        with pytest.raises(DocumentError):
            Descriptor.of(DATA, "text")


class TestPlatform:
    @pytest.mark.parametrize(
        ("values", "text"),
        [
            ({"architecture": "amd64", "os": "linux"}, "linux/amd64"),
            ({"architecture": "arm", "os": "linux", "variant": "v7"}, "linux/arm/v7"),
            ({"architecture": "", "os": "linux", "variant": ""}, "linux"),
        ],
    )
    def test_its_text_has_the_form_that_tools_write(
        self, values: dict[str, str], text: str
    ) -> None:
        assert str(Platform(**values)) == text  # type: ignore[arg-type]

    @pytest.mark.spec("image-index:platform")
    @pytest.mark.parametrize(
        ("values", "place"),
        [
            ({"os": None}, "$.os"),
            ({"architecture": 1}, "$.architecture"),
            ({"os_features": [1]}, '$["os.features"][0]'),
            ({"os_version": 1}, '$["os.version"]'),
            ({"variant": b""}, "$.variant"),
        ],
    )
    def test_a_value_of_another_type_is_refused(self, values: dict[str, Any], place: str) -> None:
        with pytest.raises(DocumentError) as caught:
            Platform(**{"architecture": "a", "os": "b", **values})
        assert [(found.code, found.place) for found in caught.value.problems] == [
            ("wrong-type", place)
        ]


@pytest.mark.spec("descriptor:verify", "descriptor:size-trust", "descriptor:sha256")
class TestVerify:
    @pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
    def test_the_right_bytes_pass(self, algorithm: str) -> None:
        verify(DATA, Descriptor.of(DATA, "text/plain", algorithm))

    @pytest.mark.parametrize(("data", "actual"), [(b"hell", "4"), (b"", "0"), (b"hello!", "6")])
    def test_too_few_and_too_many_bytes_are_refused_with_their_number(
        self, data: bytes, actual: str
    ) -> None:
        with pytest.raises(SizeMismatchError) as caught:
            verify(data, describe())
        assert (caught.value.descriptor, caught.value.actual) == (describe(), actual)

    def test_other_bytes_are_refused_with_their_digest(self) -> None:
        with pytest.raises(DigestMismatchError) as caught:
            verify(b"HELLO", describe())
        assert (caught.value.descriptor, caught.value.actual) == (
            describe(),
            str(Digest.of(b"HELLO")),
        )

    def test_nothing_is_verified_against_an_unknown_algorithm(self) -> None:
        with pytest.raises(UnsupportedDigestError):
            verify(DATA, describe(digest=UNKNOWN))

    def test_bytes_may_come_in_pieces_and_fail_with_the_first_one_too_many(self) -> None:
        verifier = Verifier(describe())
        verifier.update(DATA[:2])
        verifier.update(memoryview(DATA)[2:])
        assert verifier.seen == 5
        verifier.finish()
        with pytest.raises(SizeMismatchError, match="more bytes"):
            verifier.update(b"!")
