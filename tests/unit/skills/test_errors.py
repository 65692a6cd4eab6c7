"""The errors of the skills layer: one root, one line each, and what a caller can act on."""

from __future__ import annotations

import pickle

import pytest

from skills import errors
from skills.errors import (
    AmbiguousSkillError,
    ClientError,
    FrontmatterError,
    InvalidEpochError,
    InvalidTagError,
    LayerError,
    LocalBuildConflictError,
    LocalEditsError,
    NameMismatchError,
    NotALocalBuildError,
    NotASkillError,
    NotCachedError,
    NotInstalledError,
    NotPushableError,
    RecordError,
    ScopeError,
    SkillError,
    SkillFolderError,
    TargetError,
    TargetExistsError,
    TooLargeError,
    ValidationError,
)

EVERY = [
    SkillFolderError("a\nb", "is not a folder"),
    FrontmatterError("it is not closed", line=3),
    ValidationError(["name is required", "description is required"]),
    TooLargeError("too many files", what="files", limit=1000),
    InvalidEpochError(-1, limit=10),
    InvalidTagError("no\ntag"),
    LocalBuildConflictError("x", local_digest="sha256:aa", remote_digest="sha256:bb"),
    NotALocalBuildError("x\ny"),
    NotASkillError("x", "it has no layer"),
    NotPushableError("x"),
    NotCachedError("x\ny", "is not there"),
    LayerError("is a link", path="a\nb"),
    NameMismatchError("a\nb", "c\nd", where="what is asked for"),
    AmbiguousSkillError("x", [("a\nb", ""), ("c", "1")]),
    ClientError("x", "there is no client 'x'"),
    ScopeError("'x' is not a scope"),
    TargetError("a\nb", "is not a folder"),
    TargetExistsError("a\nb", "is there"),
    LocalEditsError("a\nb", ["c\nd"]),
    NotInstalledError("x\ny", "user"),
    RecordError("a\nb", "it is damaged"),
]


def test_every_error_is_a_skill_error_and_has_an_example() -> None:
    defined = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, SkillError) and value is not SkillError
    }
    assert {type(error) for error in EVERY} == defined


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_a_message_is_one_line(error: SkillError) -> None:
    assert str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_an_error_passes_between_processes(error: SkillError) -> None:
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied), vars(copied)) == (type(error), str(error), vars(error))


def test_several_broken_values_are_one_error() -> None:
    first, second = FrontmatterError("bad", line=3), FrontmatterError("worse")
    joined = FrontmatterError.joined([first, second])
    assert str(joined) == "SKILL.md line 3: bad; SKILL.md: worse"
    assert joined.problems == (*first.problems, *second.problems)
    assert (joined.line, joined.reason) == (3, "bad")


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (FrontmatterError, ValueError),
        (ValidationError, ValueError),
        (InvalidEpochError, ValueError),
        (InvalidTagError, ValueError),
        (NotALocalBuildError, LookupError),
        (NotCachedError, LookupError),
        (LayerError, ValueError),
        (ClientError, ValueError),
        (ScopeError, ValueError),
        (NotInstalledError, LookupError),
        (TargetExistsError, TargetError),
        (LocalEditsError, TargetError),
    ],
)
def test_an_error_is_also_the_builtin_that_a_caller_expects(
    kind: type[SkillError], base: type[Exception]
) -> None:
    assert issubclass(kind, base)


def test_an_error_says_what_it_is_about() -> None:
    assert SkillFolderError("a/b", "is not a file").path == "a/b"
    assert FrontmatterError("bad", line=3).line == 3
    assert str(FrontmatterError("bad", line=3)) == "SKILL.md line 3: bad"
    assert FrontmatterError("bad").line is None
    assert str(FrontmatterError("bad")) == "SKILL.md: bad"
    assert ValidationError(["one", "two"]).errors == ("one", "two")
    assert str(ValidationError(["one", "two"])) == "the skill is not valid: one; two"
    large = TooLargeError("too large", what="size", limit=9)
    assert (large.what, large.limit) == ("size", 9)
    assert InvalidEpochError(-5, limit=9).epoch == -5
    assert InvalidTagError("a b").tag == "a b"
    conflict = LocalBuildConflictError("x", local_digest="sha256:aa", remote_digest="sha256:bb")
    assert (conflict.name, conflict.local_digest) == ("x", "sha256:aa")
    assert conflict.remote_digest == "sha256:bb"
    assert NotALocalBuildError("x").name == "x"
    assert NotASkillError("x", "no layer").reference == "x"
    assert NotPushableError("x").reference == "x"
    assert NotCachedError("x", "y").name == "x"
    assert LayerError("is a link", path="a").path == "a"
    assert "used: is damaged" in str(LayerError("is damaged"))
