"""Mentions: every digest in a JSON document is found, in any property and any form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocilayout.model.descriptor import Descriptor, Platform
from ocilayout.model.digest import Digest
from ocilayout.model.manifest import Index
from ocilayout.model.mediatype import OCI_LAYER, OCI_MANIFEST
from ocilayout.model.mention import (
    JSON_HEAD,
    Mentions,
    begins_as_json,
    document_mentions,
    extra_mentions,
)
from ocilayout.model.retired import ArtifactManifest, FsLayer, Schema1Manifest
from ocilayout.model.stream import CHUNK

ONE, TWO = (Digest.of(data) for data in (b"1", b"2"))
LONG = Digest.of(b"1", "sha512")


def found(*pieces: bytes) -> set[Digest]:
    mentions = Mentions()
    for piece in pieces:
        mentions.take(piece)
    return mentions.found


def escaped(text: str) -> str:
    """Return JSON text in which each character is an escape."""
    return "".join(f"\\u{ord(character):04x}" for character in text)


@pytest.mark.spec("media-types:unknown")
class TestMentions:
    @pytest.mark.parametrize(
        "text",
        [
            f'"{ONE}"',
            f'{{"{ONE}":1}}',
            f'{{"a":[{{"digest":"{ONE}"}}]}}',
            f'{{"a":"docker://host/name@{ONE}"}}',
            f'{{"sha256":"{ONE.encoded}"}}',
            f'{{"digest":{{"sha256"\n : \t"{ONE.encoded}"}}}}',
            json.dumps({"payload": json.dumps({"digest": {"sha256": ONE.encoded}})}),
            json.dumps({"payload": json.dumps({"digest": str(ONE)})}),
            f'"sha256\\u003a{ONE.encoded}"',
            f'"sha256\\u003A{ONE.encoded}"',
            f'"{escaped(ONE)}"',
            f'{{"{escaped("sha256")}":"{escaped(ONE.encoded)}"}}',
            f'"{ONE}abc"',
            f'"{ONE}"' * 2,
            f'\ufeff{{"a":"{ONE}"}}',
            f'{{"a":NaN,"a":"{ONE}",}} and more',
            f'{{"a":"\ud800","b":"{ONE}"',
            "[" * 100_000 + f'"{ONE}"',
        ],
    )
    def test_a_digest_is_found_in_each_form(self, text: str) -> None:
        assert found(text.encode("utf-8", "surrogatepass")) == {ONE}

    @pytest.mark.parametrize(
        "digest", [Digest.parse(f"{name}:{'0' * size}") for name, size in
                   (("sha256", 64), ("sha512", 128), ("blake3", 64))]
    )  # fmt: skip
    def test_a_digest_of_each_algorithm_is_found(self, digest: Digest) -> None:
        assert digest in found(f'{{"a":"{digest}"}}'.encode())
        assert digest in found(f'{{"{digest.algorithm}":"{digest.encoded}"}}'.encode())

    @pytest.mark.parametrize(
        "text",
        [
            f'"sha256:{ONE.encoded.upper()}"',
            f'"SHA256:{ONE.encoded}"',
            f'"sha256 {ONE.encoded}"',
            f'"sha256-{ONE.encoded}.sig"',
            f'"blobs/sha256/{ONE.encoded}"',
            f'"{ONE.encoded}"',
            f'{{"alg":"sha256","value":"{ONE.encoded}"}}',
            f'{{"sha256":["{ONE.encoded}"]}}',
            f'{{"sha256"{" " * 100}:{" " * 100}"{ONE.encoded}"}}',
            f'{{"x":"{{\\"sha256\\": \\"{ONE.encoded}\\"}}"}}',
        ],
    )
    def test_its_digits_alone_are_found(self, text: str) -> None:
        """A false mention costs disk space, a missed mention costs content."""
        assert found(text.encode()) == {ONE}

    @pytest.mark.parametrize("text", [f'"sha256:{ONE.encoded[:-1]}"', f'"{"a" * 65}"', '"sha256:"'])
    def test_text_that_is_not_a_digest_is_not_found(self, text: str) -> None:
        assert found(text.encode()) == set()

    @pytest.mark.parametrize("digest", [ONE, LONG])
    @pytest.mark.parametrize("form", [str, escaped])
    def test_a_digest_is_found_where_content_is_cut_at_any_place(
        self, digest: Digest, form: Any
    ) -> None:
        text = f'{{"a":"{form(digest)}","b":"{TWO}"}}'.encode()
        for cut in range(len(text)):
            assert {digest, TWO} <= found(text[:cut], text[cut:])

    def test_a_digest_is_found_across_the_border_of_chunks(self) -> None:
        for before in (CHUNK - 1, CHUNK - 40, CHUNK - 71):
            text = b" " * before + f'"{ONE}"'.encode()
            assert found(text[:CHUNK], text[CHUNK:]) == {ONE}

    @given(
        st.lists(st.sampled_from([str(ONE), escaped(TWO), LONG, '"', "sha256:", "\\u00", "a"])),
        st.lists(st.integers(1, 200)),
    )
    def test_pieces_have_the_same_mentions_as_the_whole(
        self, parts: list[str], cuts: list[int]
    ) -> None:
        text = " ".join(parts).encode()
        pieces, start = [], 0
        for cut in cuts:
            pieces.append(text[start : start + cut])
            start += cut
        assert found(text) <= found(*pieces, text[start:])


class TestBeginsAsJson:
    @pytest.mark.parametrize(
        "head",
        [
            b"{",
            b"[1",
            b'"text"',
            b" \n\r\t{}",
            b"\xef\xbb\xbf{}",
            b"\xef\xbb\xbf \n[",
            b" " * JSON_HEAD,
        ],
    )
    def test_objects_arrays_and_strings_may_be_json(self, head: bytes) -> None:
        assert begins_as_json(head)

    @pytest.mark.parametrize("head", [b"", b"1", b"null", b"\x1f\x8b{", b"<x>", b" ", b"\x7fELF"])
    def test_other_content_is_not_json(self, head: bytes) -> None:
        assert not begins_as_json(head)


@pytest.mark.spec("media-types:unknown")
class TestUnknownProperties:
    def test_those_of_a_descriptor_and_of_its_platform_count(self) -> None:
        platform = Platform(os="linux", architecture="arm", extra={"x": [str(ONE)]})
        layer = Descriptor(
            media_type=OCI_LAYER, digest=LONG, size=1, platform=platform, extra={"y": str(TWO)}
        )
        assert extra_mentions(layer) == {ONE, TWO}
        assert extra_mentions(Index(manifests=[layer])) == set()
        assert document_mentions(Index(manifests=[layer])) == {ONE, TWO}

    def test_those_of_a_subject_count_and_the_subject_itself_does_not(self) -> None:
        about = Descriptor(media_type=OCI_MANIFEST, digest=LONG, size=1, extra={"x": str(ONE)})
        assert document_mentions(ArtifactManifest(subject=about)) == {ONE}

    def test_those_of_layers_of_schema_1_count(self) -> None:
        layer = FsLayer(blob_sum=LONG, extra={"x": str(ONE)})
        assert document_mentions(Schema1Manifest(fs_layers=[layer], extra={"y": str(TWO)})) == {
            ONE,
            TWO,
        }

    def test_known_properties_do_not_count(self) -> None:
        layer = Descriptor(
            media_type=OCI_LAYER, digest=LONG, size=1, annotations={"x": str(ONE)}, urls=[str(TWO)]
        )
        assert document_mentions(Index(manifests=[layer], annotations={"x": str(ONE)})) == set()
