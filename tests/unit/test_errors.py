"""Errors: one tree of classes, and the place of every problem."""

from __future__ import annotations

import pickle

import pytest

from ocilayout import errors
from ocilayout.errors import (
    AmbiguousReferenceError,
    DocumentError,
    IntegrityError,
    LimitExceededError,
    OciLayoutError,
    Problem,
    RegistryError,
    UnsupportedVersionError,
)
from ocilayout.model.descriptor import Descriptor

TREE = {
    "ArgumentError": (OciLayoutError, TypeError),
    "DocumentError": (OciLayoutError, ValueError),
    "UnsupportedVersionError": (DocumentError,),
    "LimitExceededError": (OciLayoutError,),
    "IntegrityError": (OciLayoutError,),
    "DigestMismatchError": (IntegrityError,),
    "SizeMismatchError": (IntegrityError,),
    "NotFoundError": (OciLayoutError, LookupError),
    "BlobNotFoundError": (errors.NotFoundError,),
    "ReferenceNotFoundError": (errors.NotFoundError,),
    "AmbiguousReferenceError": (OciLayoutError,),
    "InvalidNameError": (OciLayoutError, ValueError),
    "UnsupportedDigestError": (OciLayoutError,),
    "NotALayoutError": (OciLayoutError,),
    "LayoutExistsError": (OciLayoutError,),
    "LockTimeoutError": (OciLayoutError, TimeoutError),
    "RegistryError": (OciLayoutError,),
    "AuthError": (RegistryError,),
    "RateLimitedError": (RegistryError,),
    "TransportError": (RegistryError,),
    "TlsError": (errors.TransportError,),
}


class TestTree:
    @pytest.mark.parametrize("name", TREE)
    def test_each_error_stands_at_its_place_in_the_tree(self, name: str) -> None:
        assert getattr(errors, name).__bases__ == TREE[name]

    def test_the_tree_holds_every_error_of_the_module(self) -> None:
        found = {
            name
            for name, value in vars(errors).items()
            if isinstance(value, type) and issubclass(value, OciLayoutError)
        }
        assert found == {*TREE, "OciLayoutError"}


class TestProblem:
    def test_it_is_read_as_place_message_and_code(self) -> None:
        assert str(Problem(code="bad-size", message="is negative", place="$.size")) == (
            "$.size: is negative [bad-size]"
        )

    def test_it_is_an_error_at_the_root_by_default(self) -> None:
        problem = Problem(code="c", message="m")
        assert (problem.place, problem.severity, problem.requirement) == ("$", "error", "")

    @pytest.mark.parametrize(
        ("place", "expected"), [("$", "$.a[0]"), ("$.b", "$.a[0].b"), ("$[1]", "$.a[0][1]")]
    )
    def test_in_an_enclosing_document_its_place_is_below_the_outer_place(
        self, place: str, expected: str
    ) -> None:
        problem = Problem(code="c", message="m", place=place, severity="note", requirement="R-1")
        outer = Problem(code="c", message="m", place=expected, severity="note", requirement="R-1")
        assert problem.under("$.a[0]") == outer


class TestDocumentError:
    def test_it_names_all_its_problems(self) -> None:
        error = DocumentError(Problem(code=code, message="m", place=f"$.{code}") for code in "ab")
        assert [problem.code for problem in error.problems] == ["a", "b"]
        assert str(error) == "$.a: m [a]; $.b: m [b]"

    def test_in_an_enclosing_document_it_has_the_same_class(self) -> None:
        error = UnsupportedVersionError.of("unsupported-version", "m", "$.v").at("$.outer")
        assert type(error) is UnsupportedVersionError
        assert [problem.place for problem in error.problems] == ["$.outer.v"]


class TestDetails:
    def test_a_limit_error_has_the_measured_property_and_the_limit(self) -> None:
        error = LimitExceededError("too much", what="document", limit=4)
        assert (str(error), error.what, error.limit) == ("too much", "document", 4)

    def test_an_integrity_error_has_the_descriptor_and_the_actual_value(self) -> None:
        descriptor = Descriptor.of(b"", "text/plain")
        error = IntegrityError("differs", descriptor=descriptor, actual="3")
        assert (str(error), error.descriptor, error.actual) == ("differs", descriptor, "3")

    def test_an_ambiguous_name_lists_its_digests_full_names_and_platforms(self) -> None:
        """Equal entries are listed once; the platforms of the last ones may not be known."""
        error = AmbiguousReferenceError("v1", iter(["sha256:a", "sha256:b"]))
        assert (error.name, error.digests) == ("v1", ("sha256:a", "sha256:b"))
        assert str(error).startswith("'v1' names different content: sha256:a, sha256:b;")
        error = AmbiguousReferenceError(
            "v1", ["sha256:a", "sha256:b", "sha256:b"], full_names=[None, "x/b:v1", "x/b:v1"]
        )
        assert str(error) == (
            "'v1' names different content: sha256:a, sha256:b (x/b:v1); name one by its full name,"
            " such as x/b:v1, or as v1@sha256:a"
        )
        error = AmbiguousReferenceError(
            "v1", [*"abcda"], full_names=[None, "x/b", "x/c", None, None], platforms=["p", "", "q"]
        )
        assert error.platforms == ("p", "", "q", "", "")
        assert "content: a (p), b (x/b), c (x/c, q), d; name one" in str(error)
        error = AmbiguousReferenceError("v1", "ab", full_names=["x/a", "x/b"], platforms="pq")
        assert "content: a (x/a), b (x/b); name one" in str(error)
        many = AmbiguousReferenceError("v1", [f"sha256:{number}" for number in range(9)])
        assert "sha256:3 and 5 more; name one as v1@sha256:0" in str(many)

    def test_a_registry_error_has_status_and_codes(self) -> None:
        error = RegistryError("no", status=404, codes=["MANIFEST_UNKNOWN"])
        assert (str(error), error.status, error.codes) == ("no", 404, ("MANIFEST_UNKNOWN",))
        assert (RegistryError("no").status, RegistryError("no").codes) == (None, ())


class TestPickle:
    @pytest.mark.parametrize(
        "error",
        [
            DocumentError.of("code", "message", "$.x"),
            LimitExceededError("too much", what="depth", limit=3),
            AmbiguousReferenceError("a", ["x", "y"]),
            RegistryError("no", status=404, codes=["A"]),
        ],
    )
    def test_an_error_passes_between_processes(self, error: OciLayoutError) -> None:
        """The message and the attributes of an error survive pickling."""
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert (str(again), again.__dict__) == (str(error), error.__dict__)
