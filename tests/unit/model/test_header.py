"""The `oci-layout` file: one version is known, and another differs from an invalid document."""

from __future__ import annotations

import pytest

from ocilayout.errors import DocumentError, UnsupportedVersionError
from ocilayout.model.codec import decode, encode
from ocilayout.model.manifest import LAYOUT_VERSION, Header


@pytest.mark.spec("image-layout:oci-layout-file")
def test_a_new_header_is_written_as_the_specification_shows_it() -> None:
    assert encode(Header()) == b'{"imageLayoutVersion":"1.0.0"}'


@pytest.mark.spec("image-layout:header-extra")
def test_unknown_properties_are_kept() -> None:
    data = b'{"imageLayoutVersion":"1.0.0","x":[1]}'
    assert encode(decode(data, Header)) == data


def test_another_version_is_unsupported_when_constructed() -> None:
    with pytest.raises(UnsupportedVersionError) as caught:
        Header(image_layout_version="1.1.0")
    (problem,) = caught.value.problems
    assert (problem.code, problem.place) == ("unsupported-version", "$.imageLayoutVersion")


@pytest.mark.spec("image-layout:version")
def test_another_version_is_unsupported_when_read() -> None:
    with pytest.raises(UnsupportedVersionError) as caught:
        decode(b'{"imageLayoutVersion":"2.0.0","x":1}', Header)
    (problem,) = caught.value.problems
    assert (problem.code, problem.place) == ("unsupported-version", "$.imageLayoutVersion")


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"{}", "missing-property", "$.imageLayoutVersion"),
        (b'{"imageLayoutVersion":null}', "missing-property", "$.imageLayoutVersion"),
        (b'{"imageLayoutVersion":1}', "wrong-type", "$.imageLayoutVersion"),
        (
            b'{"imageLayoutVersion":"1.0.0","imagelayoutversion":"2"}',
            "case-variant",
            "$.imagelayoutversion",
        ),
    ],
)
def test_an_invalid_document_is_not_an_unsupported_version(
    data: bytes, code: str, place: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        decode(data, Header)
    assert type(caught.value) is DocumentError
    assert [(found.code, found.place) for found in caught.value.problems] == [(code, place)]


def test_the_version_is_the_only_one_there_is() -> None:
    assert LAYOUT_VERSION == "1.0.0"
    assert Header().image_layout_version == LAYOUT_VERSION
