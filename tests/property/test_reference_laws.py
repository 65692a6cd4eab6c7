"""Laws of names: text forms read back, and text outside a grammar is refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocilayout.errors import DocumentError, InvalidNameError
from ocilayout.model.digest import Digest, is_digest
from ocilayout.model.mediatype import is_media_type
from ocilayout.model.reference import Reference, is_ref_name, require_ref_name
from ocilayout.testing import strategies as own
from tests.missing import COMPUTED

LAW = settings(deadline=None)  # no test asserts a time
ALNUM = set(string.ascii_letters + string.digits)
NAMELIKE = st.text(st.sampled_from("aA0-._:@+/ é\n"), max_size=12)
PIECES = [
    "a",
    "b-c",
    "A",
    "docker.io",
    "localhost",
    "x.io",
    ":5000",
    ":",
    "/",
    "@",
    "__",
    ".",
    "[::1]",
    "latest",
    "é",
    "\n",
]
REGISTRYLIKE = st.lists(st.sampled_from([*PIECES, f"sha256:{'a' * 64}"]), max_size=7).map("".join)


def follows_ref_name_grammar(text: str) -> bool:
    """Check a name letter by letter: no two separators in a row but `--`, and none at an end."""
    for component in text.split("/"):
        rest = component
        while rest:
            word = len(rest) - len(rest.lstrip("".join(ALNUM)))
            if word == 0:
                return False
            rest = rest[word:]
            if not rest:
                break
            if rest[0] not in "-._:@+":
                return False
            rest = rest[2:] if rest.startswith("--") else rest[1:]
            if not rest:
                return False
        if not component:
            return False
    return True


@pytest.mark.spec("annotations:ref-name")
class TestRefName:
    @LAW
    @given(own.ref_names() | NAMELIKE)
    @example("a--b")
    @example("a---b")
    @example("a\n")
    @example("")
    def test_a_name_is_valid_if_it_follows_the_grammar(self, text: str) -> None:
        assert is_ref_name(text) == follows_ref_name_grammar(text)

    @LAW
    @given(NAMELIKE | own.ref_names())
    @example("alpine:latest")
    @example("my-skill:v1")
    def test_a_name_of_the_grammar_may_be_written_unless_it_is_a_digest(self, text: str) -> None:
        """`alpine:latest`, as skopeo writes it, is a name: `alpine` is not an algorithm."""
        if follows_ref_name_grammar(text):
            require_ref_name(text)
            return
        with pytest.raises(InvalidNameError):
            require_ref_name(text)

    @LAW
    @given(own.digests(["sha256", "sha384", "sha512", "blake3"]))
    def test_a_digest_may_never_be_written_as_a_name(self, digest: Digest) -> None:
        for strict in (True, False):
            with pytest.raises(InvalidNameError):
                require_ref_name(str(digest), strict=strict)


class TestReference:
    @LAW
    @given(own.references())
    def test_a_reference_reads_back_from_its_text(self, reference: Reference) -> None:
        assert Reference.parse(str(reference)) == reference

    @LAW
    @given(st.text(max_size=20) | REGISTRYLIKE)
    def test_any_text_is_a_reference_that_reads_back_or_is_refused(self, text: str) -> None:
        try:
            reference = Reference.parse(text)
        except InvalidNameError:
            return
        assert Reference.parse(str(reference)) == reference
        assert str(reference).endswith(text.removeprefix("docker.io/"))

    @LAW
    @given(
        st.sampled_from(["registry", "docker.io", "localhost", "x.io", "h:1", "A"]),
        st.sampled_from(["a", "a/b"]),
    )
    def test_a_reference_that_would_not_read_back_cannot_be_made(
        self, host: str, repository: str
    ) -> None:
        """`registry/a` is a repository of Docker Hub, so `registry` cannot be a host."""
        try:
            reference = Reference(host=host, repository=repository)
        except InvalidNameError:
            return
        assert Reference.parse(str(reference)) == reference


@pytest.mark.spec("descriptor:digest-grammar", "image-layout:blob-names")
class TestDigest:
    @LAW
    @given(own.digests())
    def test_a_digest_is_its_text(self, digest: Digest) -> None:
        text = str(digest)
        assert type(text) is str
        assert Digest.parse(text) == digest == text
        assert f"{digest.algorithm}:{digest.encoded}" == text

    @LAW
    @given(st.text(max_size=80) | own.digests().map(lambda digest: f"{digest}\n"))
    def test_any_text_is_a_digest_that_is_safe_in_a_path_or_is_refused(self, text: str) -> None:
        try:
            digest = Digest.parse(text)
        except DocumentError as error:
            (problem,) = error.problems
            refused = problem.code
        else:
            refused = ""
            for part in (digest.algorithm, digest.encoded):
                assert part not in {"", ".", ".."}
                assert not set(part) & {"/", "\\", "\0", ":"}
        assert refused in {"", "bad-digest"}

    @LAW
    @given(st.binary(), st.sampled_from(COMPUTED))
    def test_a_computed_digest_is_well_formed_and_verifiable(
        self, data: bytes, algorithm: str
    ) -> None:
        digest = Digest.of(data, algorithm)
        assert digest.verifiable
        assert is_digest(str(digest))
        assert Digest.of(bytearray(data), algorithm) == digest


class TestMediaType:
    @LAW
    @given(own.media_types(), st.sampled_from(list(' ;,"\n=@é/')), st.data())
    def test_a_character_that_is_not_allowed_makes_a_media_type_invalid(
        self, media_type: str, character: str, data: st.DataObject
    ) -> None:
        assert is_media_type(media_type)
        position = data.draw(st.integers(0, len(media_type)))
        assert not is_media_type(media_type[:position] + character + media_type[position:])
