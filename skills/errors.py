"""Every error that the skills layer raises.

Each message is one line that says what went wrong and what to do about it. `OSError` is not
wrapped: a full disk or a missing permission reaches the caller as the operating system named it.
Errors of documents, layouts and registries are those of `ocilayout`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class SkillError(Exception):
    """The base of every error of this package; never raised itself.

    Errors can be pickled, so they pass between processes.
    """

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[SkillError], arguments: tuple[object, ...], attributes: dict[str, object]
) -> SkillError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class SkillFolderError(SkillError):
    """A skill folder, or something in it, is not what can be packaged.

    Attributes:
        path: The folder, or the path of the file relative to it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"{path!r} {reason}")


class FrontmatterError(SkillError, ValueError):
    """The frontmatter of a SKILL.md cannot be read.

    Attributes:
        reason: What is wrong, without its place; the first of it.
        line: The line of SKILL.md, the first is 1; `None` where the error has no single place.
        problems: All that is wrong, a sentence each with its place; never empty.
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
    """A skill breaks the rules of skills.

    Attributes:
        errors: All that is wrong, a sentence each; never empty.
    """

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"the skill is not valid: {'; '.join(self.errors)}")


class TooLargeError(SkillError):
    """A skill, or what was to be one, is larger than a limit.

    Attributes:
        what: What was measured: `files`, `size`, `layer`, or what the message names.
        limit: The limit, in bytes, or in files where those were counted.
    """

    def __init__(self, message: str, *, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        super().__init__(message)


class InvalidEpochError(SkillError, ValueError):
    """A time stamp does not fit the formats that it must be written to.

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
        tag: The text that is no tag.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        super().__init__(
            f"{tag!r} is no tag; use 1 to 128 of the characters A-Z a-z 0-9 _ . -,"
            " or a full reference such as ghcr.io/org/skill:v1"
        )


class LocalBuildConflictError(SkillError):
    """Something else was to be pulled onto a name that was built here.

    Attributes:
        name: The name.
        local_digest: What was built here, as text.
        remote_digest: What was to be pulled, as text.
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
    """A name is not that of a skill which was built here.

    Attributes:
        name: The name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name!r} is not a local build; list the builds to see the names,"
            " or adopt it if it was built here"
        )


class NotCachedError(SkillError, LookupError):
    """A name is not that of something which was pulled.

    Attributes:
        name: The name.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"{name!r} {reason}")


class LayerError(SkillError, ValueError):
    """The files of a skill are damaged, or hold what must not be on anybody's disk.

    Attributes:
        path: The name in the tar that it is about; empty where it is about all of it.
    """

    def __init__(self, reason: str, *, path: str = "") -> None:
        self.path = path
        super().__init__(
            f"the skill's files cannot be used: {f'{path!r} ' if path else ''}{reason}"
        )


class NotASkillError(SkillError):
    """An artifact is not a skill, or not one that can be read.

    Attributes:
        reference: The name or the digest that was asked for.
    """

    def __init__(self, reference: str, reason: str) -> None:
        self.reference = reference
        super().__init__(f"{reference!r} is not a skill: {reason}")


class NotPushableError(SkillError, ValueError):
    """A name does not say where its content would be pushed to.

    Attributes:
        reference: The name.
    """

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(
            f"{reference!r} does not say where to push to; build the skill under a full reference"
            " such as ghcr.io/org/skill:v1, and push that"
        )


class NameMismatchError(SkillError):
    """What was found is another skill than the one that was asked for.

    Attributes:
        asked: The name that was asked for.
        found: The name that the skill gives itself.
    """

    def __init__(self, asked: str, found: str, *, where: str) -> None:
        self.asked = asked
        self.found = found
        super().__init__(
            f"{where} is to be the skill {asked!r}, but it calls itself {found!r};"
            " one of the two names must change"
        )


class AmbiguousSkillError(SkillError):
    """Several local builds are the skill that was asked for.

    Attributes:
        name: The name of the skill.
        choices: Tag and version of each.
    """

    def __init__(self, name: str, choices: Iterable[tuple[str, str]]) -> None:
        self.name = name
        self.choices = tuple(choices)
        listed = ", ".join(
            f"{tag!r} (version {version or 'none'})" for tag, version in self.choices
        )
        super().__init__(
            f"several local builds are the skill {name!r}: {listed}; ask for one by its version,"
            " its full reference or its digest"
        )


class ClientError(SkillError, ValueError):
    """A client is not known, does not take skills, or none is there.

    Attributes:
        client: Its name; empty where none was found.
    """

    def __init__(self, client: str, reason: str) -> None:
        self.client = client
        super().__init__(reason)


class ScopeError(SkillError, ValueError):
    """A scope is none, or a folder is not the root of a project."""


class TargetError(SkillError):
    """A folder cannot be used to install a skill into.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"{path!r} {reason}")


class TargetExistsError(TargetError):
    """There is something in the place of a skill that was not installed from here."""


class LocalEditsError(TargetError):
    """The files of an installed skill are not what was installed.

    Attributes:
        changes: The paths that were changed, added or removed, sorted.
    """

    def __init__(self, path: str, changes: Iterable[str]) -> None:
        self.changes = tuple(changes)
        shown = ", ".join(map(repr, self.changes[:3]))
        more = f" and {len(self.changes) - 3} more" if len(self.changes) > 3 else ""  # noqa: PLR2004
        super().__init__(
            path, f"was changed since it was installed: {shown}{more}; keep a copy, and use force"
        )


class NotInstalledError(SkillError, LookupError):
    """A skill is not installed there.

    Attributes:
        name: Its name.
    """

    def __init__(self, name: str, scope: str) -> None:
        self.name = name
        super().__init__(
            f"the skill {name!r} is not installed for the {scope}; list what is installed"
        )


class RecordError(SkillError):
    """The record of what is installed cannot be read.

    Attributes:
        path: The file.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"the record of what is installed, {path!r}, cannot be read: {reason}; it was left as"
            " it is: restore it from a copy, or rename it and install the skills again with force"
        )
