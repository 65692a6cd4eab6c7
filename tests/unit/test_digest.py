"""Digests: the grammar, the registered algorithms, and what can be computed here."""

from __future__ import annotations

import copy
import hashlib
import pickle

import pytest

from ocilayout.digest import Digest, is_digest, new_hasher
from ocilayout.errors import DocumentError, UnsupportedDigestError

HEX = hashlib.sha256(b"").hexdigest()


class TestParse:
    @pytest.mark.parametrize(
        ("text", "algorithm"),
        [
            (f"sha256:{HEX}", "sha256"),
            (f"sha384:{'0' * 96}", "sha384"),
            (f"sha512:{'f' * 128}", "sha512"),
            (f"blake3:{HEX}", "blake3"),
            ("sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", "sha256+b64u"),
            ("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", "multihash+base58"),
            ("a.b_c-d:=", "a.b_c-d"),
        ],
    )
    def test_a_digest_has_an_algorithm_and_an_encoded_part(self, text: str, algorithm: str) -> None:
        digest = Digest.parse(text)
        assert (digest, digest.algorithm) == (text, algorithm)
        assert digest.encoded == text.removeprefix(f"{algorithm}:")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "sha256",
            "sha256:",
            f":{HEX}",
            f"SHA256:{HEX}",
            f"sha256:{HEX.upper()}",
            f"sha256:{HEX[1:]}",
            f"sha256:{HEX}0",
            f"sha256:{HEX[1:]}g",
            f"sha256:{HEX}\n",
            f" sha256:{HEX}",
            f"sha384:{HEX}",
            f"sha512:{HEX}",
            f"blake3:{HEX[2:]}",
            "sha256:../../../etc/passwd",
            "x:../etc",
            "x:a/b",
            "x:a.b",
            "../sha256:a",
            "a++b:c",
            "+a:c",
            "a+:c",
            "a:b:c",
            "a:\u00e9",
            "\u0661:a",
        ],
    )
    def test_what_is_outside_the_grammar_is_refused_at_its_place(self, text: str) -> None:
        with pytest.raises(DocumentError) as caught:
            Digest.parse(text)
        assert [(found.code, found.place) for found in caught.value.problems] == [
            ("bad-digest", "$")
        ]
        assert not is_digest(text)

    def test_the_error_of_a_registered_algorithm_says_what_it_takes(self) -> None:
        with pytest.raises(DocumentError, match="sha512 takes 128 lower-case hex digits"):
            Digest(f"sha512:{HEX}")

    @pytest.mark.parametrize("text", ["alpine:latest", "my-skill:v1", "md5:x"])
    def test_text_of_an_algorithm_that_nobody_registered_may_as_well_be_a_name(
        self, text: str
    ) -> None:
        assert not is_digest(text)
        assert is_digest(Digest(text))

    def test_text_of_a_registered_algorithm_is_a_digest(self) -> None:
        for algorithm, length in (("sha256", 64), ("sha384", 96), ("sha512", 128), ("blake3", 64)):
            assert is_digest(f"{algorithm}:{'0' * length}")

    def test_a_copy_and_what_was_pickled_are_equal_to_it(self) -> None:
        digest = Digest.of(b"")
        for other in (copy.copy(digest), copy.deepcopy(digest), pickle.loads(pickle.dumps(digest))):
            assert (type(other), other) == (Digest, digest)

    def test_its_repr_says_that_it_is_one(self) -> None:
        assert repr(Digest("a:b")) == "Digest('a:b')"


class TestOf:
    @pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
    @pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
    def test_it_is_computed_as_hashlib_does(
        self, data: bytes | bytearray | memoryview, algorithm: str
    ) -> None:
        expected = hashlib.new(algorithm, b"abc").hexdigest()
        digest = Digest.of(data, algorithm)
        assert digest == f"{algorithm}:{expected}"
        assert digest.verifiable

    @pytest.mark.parametrize("algorithm", ["md5", "sha1", "blake3", "SHA256", ""])
    def test_other_algorithms_are_not_computed(self, algorithm: str) -> None:
        with pytest.raises(UnsupportedDigestError, match="known are sha256, sha384, sha512"):
            Digest.of(b"", algorithm)
        with pytest.raises(UnsupportedDigestError):
            new_hasher(algorithm)

    def test_a_digest_of_an_unknown_algorithm_is_kept_but_not_verifiable(self) -> None:
        assert not Digest(f"blake3:{HEX}").verifiable
        assert not Digest("md5:x").verifiable
