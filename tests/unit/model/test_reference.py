"""References to a registry, and reference names: the texts that are read and refused."""

from __future__ import annotations

import pytest

from ocilayout.errors import InvalidNameError
from ocilayout.model.digest import Digest
from ocilayout.model.reference import Reference, is_ref_name, require_ref_name

DIGEST = Digest.of(b"")


@pytest.mark.spec("annotations:ref-name", "annotations:digest-name")
class TestRefName:
    @pytest.mark.parametrize(
        "name", ["v1", "1.0", "a-b_c:d@e+f.g", "a--b", "ghcr.io/org/skill:v1", "A/b/C"]
    )
    def test_a_name_in_the_grammar_may_be_written(self, name: str) -> None:
        assert is_ref_name(name)
        require_ref_name(name)

    @pytest.mark.parametrize(
        "name", ["-a", "a-", "a---b", "a__b", "a..b", "/a", "a/", "a//b", "a b", "a\n", "\u00e9"]
    )
    def test_another_name_may_be_written_only_if_not_strict(self, name: str) -> None:
        assert not is_ref_name(name)
        with pytest.raises(InvalidNameError, match=r"outside the ref\.name grammar"):
            require_ref_name(name)
        require_ref_name(name, strict=False)

    @pytest.mark.parametrize("strict", [True, False])
    def test_an_empty_name_and_a_digest_may_never_be_written(self, *, strict: bool) -> None:
        with pytest.raises(InvalidNameError, match="must not be empty"):
            require_ref_name("", strict=strict)
        with pytest.raises(InvalidNameError, match="reads as a digest"):
            require_ref_name(str(DIGEST), strict=strict)

    @pytest.mark.parametrize("name", ["alpine:latest", "my-skill:v1", "x:1"])
    def test_a_name_with_a_tag_is_not_a_digest(self, name: str) -> None:
        """The part before the colon is not a registered algorithm."""
        require_ref_name(name)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ghcr.io/org/skill:v1", ("ghcr.io", "org/skill", "v1", None)),
            ("localhost/a", ("localhost", "a", None, None)),
            ("host:5000/a:t", ("host:5000", "a", "t", None)),
            ("127.0.0.1:5000/a/b/c", ("127.0.0.1:5000", "a/b/c", None, None)),
            ("[::1]:5000/a", ("[::1]:5000", "a", None, None)),
            (f"x.io/a@{DIGEST}", ("x.io", "a", None, DIGEST)),
            (f"x.io/a:t@{DIGEST}", ("x.io", "a", "t", DIGEST)),
            ("alpine", ("docker.io", "library/alpine", None, None)),
            ("alpine:3", ("docker.io", "library/alpine", "3", None)),
            ("org/a", ("docker.io", "org/a", None, None)),
            ("docker.io/alpine", ("docker.io", "library/alpine", None, None)),
            ("index.docker.io/alpine", ("docker.io", "library/alpine", None, None)),
            ("registry-1.docker.io/org/a", ("docker.io", "org/a", None, None)),
            ("Registry/a", ("Registry", "a", None, None)),
            ("localhost:5", ("docker.io", "library/localhost", "5", None)),
            ("x.io/a__b.c---d", ("x.io", "a__b.c---d", None, None)),
            (f"x.io/{'a' * 255}:{'t' * 128}", ("x.io", "a" * 255, "t" * 128, None)),
        ],
    )
    def test_a_reference_has_host_repository_tag_and_digest(
        self, text: str, expected: tuple[str, str, str | None, Digest | None]
    ) -> None:
        found = Reference.parse(text)
        assert (found.host, found.repository, found.tag, found.digest) == expected

    @pytest.mark.spec("distribution:name", "distribution:name-length", "distribution:tag")
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "is not a valid repository"),
            ("x.io/", "is not a valid repository"),
            ("x.io/A", "is not a valid repository"),
            ("x.io/a//b", "is not a valid repository"),
            ("x.io/a___b", "is not a valid repository"),
            ("x.io/a-", "is not a valid repository"),
            ("x.io/a\n", "is not a valid repository"),
            (f"x.io/{'a' * 256}", "is not a valid repository"),
            ("-x.io/a", "is not a valid registry host"),
            ("x..io/a", "is not a valid registry host"),
            ("x.io:/a", "is not a valid registry host"),
            ("[::1/a", "is not a valid registry host"),
            ("https://x.io/a", "is not a valid registry host"),
            ("x.io/a:", "is not a valid tag"),
            ("x.io/a:-t", "is not a valid tag"),
            ("x.io/a:t:u", "is not a valid tag"),
            ("x.io/a:t\n", "is not a valid tag"),
            (f"x.io/a:{'t' * 129}", "is not a valid tag"),
            ("x.io/a@", "is not a valid digest"),
            ("x.io/a@sha256:abc", "is not a valid digest"),
            (f"x.io/a@{DIGEST}:t", "is not a valid digest"),
        ],
    )
    def test_text_outside_the_grammar_is_refused_with_the_reason(
        self, text: str, reason: str
    ) -> None:
        with pytest.raises(InvalidNameError, match=reason):
            Reference.parse(text)

    def test_its_text_has_all_its_parts(self) -> None:
        text = f"x.io/a:t@{DIGEST}"
        assert str(Reference.parse(text)) == text
        assert str(Reference(host="x.io", repository="a/b")) == "x.io/a/b"


class TestConstructor:
    @pytest.mark.parametrize(
        ("host", "repository"), [("registry", "a"), ("docker.io", "alpine"), ("a", "a/b")]
    )
    def test_a_reference_that_would_read_back_as_another_is_refused(
        self, host: str, repository: str
    ) -> None:
        with pytest.raises(InvalidNameError):
            Reference(host=host, repository=repository)

    def test_a_digest_must_be_valid(self) -> None:
        found = Reference(host="x.io", repository="a", digest=DIGEST)
        assert isinstance(found.digest, Digest)
        with pytest.raises(InvalidNameError):
            Reference(host="x.io", repository="a", digest="x")
