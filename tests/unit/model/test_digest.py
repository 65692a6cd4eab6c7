"""Digests: the grammar, the registered algorithms, and what can be computed here."""

from __future__ import annotations

import copy
import hashlib
import pickle
import subprocess
import sys
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import DigestMismatchError, DocumentError, UnsupportedDigestError
from ocilayout.layout.layout import Layout
from ocilayout.model import digest as digest_module
from ocilayout.model.codec import encode
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest, is_digest, new_hasher
from ocilayout.model.manifest import Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER, OCI_MANIFEST
from tests.missing import require_blake3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEX = hashlib.sha256(b"").hexdigest()


class TestParse:
    @pytest.mark.spec("descriptor:digest-grammar", "descriptor:digest-algorithm")
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

    @pytest.mark.spec(
        "descriptor:digest-grammar",
        "descriptor:sha256-encoded",
        "descriptor:sha512-encoded",
        "descriptor:blake3-encoded",
    )
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
    def test_text_outside_the_grammar_is_refused_at_its_place(self, text: str) -> None:
        with pytest.raises(DocumentError) as caught:
            Digest.parse(text)
        assert [(found.code, found.place) for found in caught.value.problems] == [
            ("bad-digest", "$")
        ]
        assert not is_digest(text)

    def test_the_error_for_a_registered_algorithm_says_its_length(self) -> None:
        with pytest.raises(DocumentError, match="sha512 takes 128 lower-case hex digits"):
            Digest.parse(f"sha512:{HEX}")

    @pytest.mark.parametrize("text", ["alpine:latest", "my-skill:v1", "md5:x"])
    def test_text_of_an_unregistered_algorithm_may_be_a_name(self, text: str) -> None:
        assert not is_digest(text)
        assert is_digest(Digest.parse(text))

    def test_text_of_a_registered_algorithm_is_a_digest(self) -> None:
        for algorithm, length in (("sha256", 64), ("sha384", 96), ("sha512", 128), ("blake3", 64)):
            assert is_digest(f"{algorithm}:{'0' * length}")

    def test_copies_and_unpickled_digests_are_equal_to_it(self) -> None:
        digest = Digest.of(b"")
        for other in (copy.copy(digest), copy.deepcopy(digest), pickle.loads(pickle.dumps(digest))):
            assert (type(other), other) == (Digest, digest)

    def test_the_class_cannot_be_called(self) -> None:
        """There is one way from text to a digest, and the error names it."""
        with pytest.raises(TypeError, match=r"Digest\.parse reads a digest from text"):
            Digest(*["sha256:" + HEX])  # type: ignore[arg-type] # which a type checker refuses

    def test_its_repr_names_its_class(self) -> None:
        assert repr(Digest.parse("a:b")) == "Digest('a:b')"


class TestOf:
    @pytest.mark.spec("descriptor:digest-value", "descriptor:sha256", "descriptor:sha512")
    @pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
    @pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
    def test_it_is_computed_as_hashlib_does(
        self, data: bytes | bytearray | memoryview, algorithm: str
    ) -> None:
        expected = hashlib.new(algorithm, b"abc").hexdigest()
        digest = Digest.of(data, algorithm)
        assert digest == f"{algorithm}:{expected}"
        assert digest.verifiable

    @pytest.mark.parametrize("algorithm", ["md5", "sha1", "BLAKE3", "SHA256", ""])
    def test_other_algorithms_are_not_computed(self, algorithm: str) -> None:
        with pytest.raises(UnsupportedDigestError, match="known are sha256, sha384, sha512"):
            Digest.of(b"", algorithm)
        with pytest.raises(UnsupportedDigestError):
            new_hasher(algorithm)

    @pytest.mark.spec("descriptor:digest-algorithm")
    def test_a_digest_of_an_unknown_algorithm_is_kept_but_not_verifiable(self) -> None:
        # One that is sorted after the registered ones, and one before.
        assert not Digest.parse("md5:x").verifiable
        assert not Digest.parse("another:x").verifiable


# Of nothing, and of one zero byte, from the test vectors of the algorithm's authors.
BLAKE3_NOTHING = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
BLAKE3_ZERO = "blake3:2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout", durability="none")


@pytest.fixture
def with_blake3() -> None:
    """Require the package `blake3`."""
    require_blake3()


@pytest.fixture
def without_blake3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the package `blake3`, which most users do not have."""
    monkeypatch.setitem(sys.modules, "blake3", None)
    digest_module._blake3.cache_clear()
    yield
    digest_module._blake3.cache_clear()


def put_blake3(layout: Layout) -> Descriptor:
    """Store an artifact whose config, layer and manifest have BLAKE3 digests."""

    def put(data: bytes, media_type: str) -> Descriptor:
        expected = Descriptor.of(data, media_type, "blake3")
        return layout.blobs.put(BytesIO(data), media_type=media_type, expected=expected)

    config, layer = put(b"{}", OCI_EMPTY), put(b"layer", OCI_LAYER)
    artifact = Manifest(artifact_type="text/plain", config=config, layers=[layer])
    return put(encode(artifact), OCI_MANIFEST)


@pytest.mark.spec("descriptor:blake3")
class TestBlake3:
    """The one registered algorithm that Python cannot compute by itself."""

    @pytest.mark.usefixtures("with_blake3")
    @pytest.mark.parametrize(("data", "text"), [(b"", BLAKE3_NOTHING), (b"\0", BLAKE3_ZERO)])
    def test_it_is_computed_as_its_authors_do(self, data: bytes, text: str) -> None:
        assert Digest.of(data, "blake3") == text
        assert Digest.parse(text).verifiable

    @pytest.mark.usefixtures("with_blake3")
    def test_content_is_stored_and_verified_by_it(self, layout: Layout) -> None:
        root = put_blake3(layout)
        layout.tag("a", root)
        assert {found.algorithm for found in layout.blobs} == {"blake3"}
        assert [layout.blobs.read(found) for found in layout.walk(root)][2] == b"layer"
        assert layout.check() == ()
        layout.blobs.path(root.digest).write_bytes(b"?" * root.size)
        assert [problem.code for problem in layout.check()] == ["digest-mismatch"]

    @pytest.mark.usefixtures("with_blake3")
    def test_content_with_another_digest_is_not_stored(self, layout: Layout) -> None:
        expected = Descriptor.of(b"a", OCI_LAYER, "blake3")
        with pytest.raises(DigestMismatchError):
            layout.blobs.put(b"b", media_type=OCI_LAYER, expected=expected)
        assert list(layout.blobs) == []

    @pytest.mark.usefixtures("with_blake3", "later")
    def test_its_content_is_removed_and_collected_like_any_other(self, layout: Layout) -> None:
        layout.tag("a", put_blake3(layout))
        layout.remove("a")
        assert list(layout.blobs) == []
        put_blake3(layout)
        assert len(layout.collect().removed) == 3

    @pytest.mark.usefixtures("without_blake3")
    def test_without_the_package_it_is_not_computed(self) -> None:
        assert not Digest.parse(BLAKE3_NOTHING).verifiable
        with pytest.raises(UnsupportedDigestError, match="blake3 where the package of that name"):
            Digest.of(b"", "blake3")

    @pytest.mark.usefixtures("with_blake3")
    def test_without_the_package_content_is_kept_and_reported_as_unverifiable(
        self, layout: Layout, request: pytest.FixtureRequest
    ) -> None:
        root = put_blake3(layout)
        layout.tag("a", root)
        request.getfixturevalue("without_blake3")
        layout = Layout.open(layout.path, durability="none")
        assert [problem.code for problem in layout.check()] == ["unverifiable"] * 3
        assert len(list(layout.walk(layout.resolve("a")))) == 3
        with pytest.raises(UnsupportedDigestError):
            layout.blobs.read(root)
        layout.remove("a")
        assert layout.collect(grace=timedelta(0)).removed == ()
        assert len(list(layout.blobs)) == 3

    def test_a_folder_of_that_name_computes_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> None:
        """Python that runs inside `blobs/` of a layout imports its folder `blake3`."""
        request.getfixturevalue("without_blake3")
        (tmp_path / "blake3").mkdir()
        monkeypatch.delitem(sys.modules, "blake3")
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        assert not Digest.parse(BLAKE3_NOTHING).verifiable
        assert "blake3" in sys.modules

    @pytest.mark.usefixtures("with_blake3")
    def test_the_package_is_imported_for_the_first_digest(self) -> None:
        program = (
            "import sys, ocilayout.layout, ocilayout.transfer, ocilayout.registry, skills;"
            "ocilayout.Digest.of(b'', 'sha512').verifiable;"
            "print('blake3' in sys.modules);"
            f"print(ocilayout.Digest.parse({BLAKE3_NOTHING!r}).verifiable, 'blake3' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        assert done.stdout.split() == [b"False", b"True", b"True"]
