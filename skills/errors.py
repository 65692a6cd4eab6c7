"""All errors of this package.

Each message is one line that says what went wrong and what to do about it. `OSError` is not
wrapped: a full disk or a missing permission reaches the caller as the operating system reports it.
Errors of documents, layouts and registries are those of `ocilayout`.
"""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class SkillError(Exception):
    """The base of all errors of this package, which is not raised itself.

    Errors can be pickled, and so passed between processes.
    """

    # `Exception` would call the constructor with the message alone, and lose the attributes.
    def __reduce__(self) -> tuple[object, ...]:
        make = copyreg.__newobj__  # type: ignore[attr-defined] # typeshed does not have it
        return make, (type(self), *self.args), self.__dict__


class SkillFolderError(SkillError):
    """A skill folder, or something in it, cannot be packaged.

    Attributes:
        path: The folder, or the path of the file relative to it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"{path!r} {reason}")


class FrontmatterError(SkillError, ValueError):
    """The frontmatter of a SKILL.md cannot be read.

    Attributes:
        reason: The first problem, without its place.
        line: The line of SKILL.md, the first is 1; `None` if the error is not about one line.
        problems: All problems, a sentence each with its place; never empty.
    """

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        self.reason = reason
        self.line = line
        place = "SKILL.md" if line is None else f"SKILL.md line {line}"
        self.problems: tuple[str, ...] = (f"{place}: {reason}",)
        super().__init__(*self.problems)

    @classmethod
    def joined(cls, errors: Iterable[FrontmatterError]) -> FrontmatterError:
        """Make one error of several; its line is that of the first."""
        first, *others = errors
        problems = (*first.problems, *(text for error in others for text in error.problems))
        joined = cls(first.reason, line=first.line)
        joined.problems, joined.args = problems, ("; ".join(problems),)
        return joined


class ValidationError(SkillError, ValueError):
    """A skill has errors that `validate` finds.

    Attributes:
        errors: All errors, a sentence each; never empty.
    """

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"the skill is not valid: {'; '.join(self.errors)}")


class TooLargeError(SkillError):
    """A skill folder or an artifact is larger than a limit.

    Attributes:
        what: The limited quantity: `files`, `size`, `layer`, or as in the message.
        limit: The limit in bytes, or a number of files.
    """

    def __init__(self, message: str, *, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        super().__init__(message)


class InvalidEpochError(SkillError, ValueError):
    """A time is outside the range of the gzip format.

    Attributes:
        epoch: The time, in seconds since 1970-01-01 UTC.
    """

    def __init__(self, epoch: int, *, limit: int) -> None:
        self.epoch = epoch
        super().__init__(
            f"the epoch {epoch} is out of range; set SOURCE_DATE_EPOCH to 0 to {limit} seconds"
        )


class InvalidTagError(SkillError, ValueError):
    """A tag is neither a bare tag nor a full registry reference.

    Attributes:
        tag: The text.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        super().__init__(
            f"{tag!r} is not a valid tag; use 1 to 128 of the characters A-Z a-z 0-9 _ . -,"
            " or a full reference such as ghcr.io/org/skill:v1"
        )


class LocalBuildConflictError(SkillError):
    """A pull or a copy would replace a local build with other content.

    Attributes:
        name: The tag.
        local_digest: The digest of the build, as text.
        remote_digest: The digest of the other content, as text.
    """

    def __init__(self, name: str, *, local_digest: str, remote_digest: str) -> None:
        self.name = name
        self.local_digest = local_digest
        self.remote_digest = remote_digest
        super().__init__(
            f"{name!r} was built here as {local_digest}, and would become {remote_digest};"
            " delete the build or build it under another tag, or pull with replace"
        )


class NotALocalBuildError(SkillError, LookupError):
    """A tag is not a local build.

    Attributes:
        name: The tag.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name!r} is not a local build; list the builds to see the names,"
            " or adopt it if it was built here"
        )


class NotCachedError(SkillError, LookupError):
    """A tag is not a pulled artifact.

    Attributes:
        name: The tag.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"{name!r} {reason}")


class LayerError(SkillError, ValueError):
    """The layer of a skill is damaged, or has files that must not be installed.

    Attributes:
        path: The name of the member of the tar; empty if the error is about the whole layer.
    """

    def __init__(self, reason: str, *, path: str = "") -> None:
        self.path = path
        super().__init__(
            f"the skill's files cannot be used: {f'{path!r} ' if path else ''}{reason}"
        )


class NotASkillError(SkillError):
    """An artifact is not a skill, or its metadata cannot be read.

    Attributes:
        reference: The tag, reference or digest that the caller gave.
    """

    def __init__(self, reference: str, reason: str) -> None:
        self.reference = reference
        super().__init__(f"{reference!r} is not a skill: {reason}")


class NotPushableError(SkillError, ValueError):
    """A tag does not name a repository to push to.

    Attributes:
        reference: The tag.
    """

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(
            f"{reference!r} does not name a repository to push to; build the skill with a full"
            " reference as its tag, such as ghcr.io/org/skill:v1"
        )


class NameMismatchError(SkillError):
    """An artifact has another name than its source.

    Attributes:
        asked: The name in the source.
        found: The name in the artifact.
    """

    def __init__(self, asked: str, found: str, *, where: str) -> None:
        self.asked = asked
        self.found = found
        super().__init__(
            f"{where} should be the skill {asked!r}, but its name is {found!r};"
            " change one of the two names"
        )


class AmbiguousSkillError(SkillError):
    """Several local builds with different content have the name of the skill.

    Attributes:
        name: The name of the skill.
        choices: The tag and the version of each build.
    """

    def __init__(self, name: str, choices: Iterable[tuple[str, str]]) -> None:
        self.name = name
        self.choices = tuple(choices)
        listed = ", ".join(
            f"{tag!r} (version {version or 'none'})" for tag, version in self.choices
        )
        super().__init__(
            f"several local builds have the name {name!r}: {listed}; choose one by its version,"
            " its full reference or its digest"
        )


class ClientError(SkillError, ValueError):
    """A client is unknown or does not take skills, or no client was found.

    Attributes:
        client: The name of the client; empty if none was found.
    """

    def __init__(self, client: str, reason: str) -> None:
        self.client = client
        super().__init__(reason)


class ScopeError(SkillError, ValueError):
    """A scope is unknown, or a folder is not the root of a project."""


class TargetError(SkillError):
    """A folder cannot be used to install a skill into.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"{path!r} {reason}")


class TargetExistsError(TargetError):
    """The folder of a skill exists and was not installed from here."""


class LocalEditsError(TargetError):
    """The files of an installed skill were edited.

    Attributes:
        changes: The paths that were changed or added, sorted.
    """

    def __init__(self, path: str, changes: Iterable[str]) -> None:
        self.changes = tuple(changes)
        shown = ", ".join(map(repr, self.changes[:3]))
        more = f" and {len(self.changes) - 3} more" if len(self.changes) > 3 else ""  # noqa: PLR2004
        super().__init__(
            path, f"was changed since it was installed: {shown}{more}; keep a copy, and use force"
        )


class NotInstalledError(SkillError, LookupError):
    """A skill is not installed for the user, or in the project.

    Attributes:
        name: The name of the skill.
    """

    def __init__(self, name: str, scope: str) -> None:
        self.name = name
        super().__init__(
            f"the skill {name!r} is not installed for the {scope}; list the installed skills"
        )


class RecordError(SkillError):
    """The record of installed skills cannot be read.

    Attributes:
        path: The file.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"the record of installed skills, {path!r}, cannot be read: {reason}; it was not"
            " changed: restore it from a copy, or rename it and install the skills again with force"
        )
