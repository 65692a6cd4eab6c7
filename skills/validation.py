"""The rules of skills: which folders can be built, and which SKILL.md is a good one.

All findings are reported at once: errors, which must change, and warnings, which should. Which
files belong to a skill is the matter of `folder`, and how a SKILL.md is read that of `skillmd`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from skills import skillmd
from skills.errors import SkillError, SkillFolderError
from skills.folder import MAX_LAYER, MAX_SIZE, MAX_SKILL_MD, SKILL_MD, read, scan

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

MAX_DESCRIPTION: Final = 1024
"""The longest description, in characters."""

MAX_COMPATIBILITY: Final = 500
"""The longest compatibility note, in characters."""

MANY_LINES: Final = 500
"""The most lines of a SKILL.md that raise no warning."""

# 2 to 64 of a-z, 0-9 and the hyphen, which is not at either end nor twice in a row.
_NAME = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{0,62}[a-z0-9]")


@frozen(kw_only=True)
class Finding:
    """Something that must or should change in a skill.

    Attributes:
        message: One sentence that says what is wrong and what to do.
        line: The line of SKILL.md, the first is 1; `None` if the finding is not about a line.
        severity: `error` if it must change before the skill can be built, else `warning`.
    """

    message: str
    line: int | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return self.message if self.line is None else f"{SKILL_MD} line {self.line}: {self.message}"


@frozen(kw_only=True)
class ValidationResult:
    """The findings of a validation.

    Attributes:
        findings: All findings: about the folder, then about SKILL.md.
    """

    findings: tuple[Finding, ...] = ()

    @property
    def errors(self) -> tuple[str, ...]:
        """The errors, which must change before the skill can be built: a sentence each."""
        return tuple(str(found) for found in self.findings if found.severity == "error")

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, which should change: a sentence each."""
        return tuple(str(found) for found in self.findings if found.severity == "warning")

    @property
    def valid(self) -> bool:
        """Whether the skill has no errors."""
        return not self.errors


def validate(path: str | os.PathLike[str]) -> ValidationResult:
    """Check a skill folder, and report everything that is wrong at once.

    Args:
        path: The folder.

    Raises:
        OSError: The file system failed.
    """
    return ValidationResult(findings=tuple(_find(path)))


def check_name(name: str) -> str | None:
    """Return a sentence on why a skill may not have a name, or nothing if it may."""
    if not name:
        return "name is required"
    if _NAME.fullmatch(name):
        return None
    rule = "2 to 64 of a-z, 0-9 and -, with no - at either end and no --"
    return f"name {name!r} is not allowed; use {rule}"


def _find(path: str | os.PathLike[str]) -> Iterator[Finding]:
    try:
        folder = scan(path)
    except SkillFolderError as error:
        yield Finding(message=str(error))
        return
    for problem in folder.problems:
        yield Finding(message=str(problem))
    if folder.files.get(SKILL_MD, MAX_SKILL_MD + 1) <= MAX_SKILL_MD:
        try:
            data = read(folder, SKILL_MD)
        except SkillError as error:
            yield Finding(message=str(error))
        else:
            yield from _check(data, Path(folder.path).name)
    if MAX_LAYER < sum(folder.files.values()) <= MAX_SIZE:
        yield Finding(
            severity="warning",
            message=f"the files have more than {MAX_LAYER} bytes;"
            " the build will fail if they have when they are compressed",
        )


def _check(data: bytes, folder_name: str) -> Iterator[Finding]:
    """Check a SKILL.md: whether it can be read, then its fields, then what should change."""
    found = skillmd.draft(data)
    for problem in found.problems:
        yield Finding(message=problem.reason, line=problem.line)
    if found.skill is None:
        return
    for key, message in _check_fields(found.skill, folder_name):
        # A broken value is empty, but its error is reported already.
        if key not in found.broken:
            yield Finding(message=message, line=found.lines.get(key))
    if found.skill.tools_by_comma:
        yield Finding(
            severity="warning",
            message="allowed-tools is separated by commas; use spaces or a list",
            line=found.lines["allowed-tools"],
        )
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if lines > MANY_LINES:
        yield Finding(
            severity="warning",
            message=f"SKILL.md has {lines} lines; keep it to {MANY_LINES} and move text to"
            " other files",
        )


def _check_fields(skill: skillmd.SkillMd, folder_name: str) -> Iterator[tuple[str, str]]:
    if message := check_name(skill.name):
        yield "name", message
    if skill.name and skill.name != folder_name:
        message = f"name {skill.name!r} must be that of the folder, {folder_name!r}; rename one"
        yield "name", message
    if not skill.description.strip():
        yield "description", "description is required"
    texts = {"description": (skill.description, MAX_DESCRIPTION)}
    texts["compatibility"] = (skill.compatibility, MAX_COMPATIBILITY)
    for key, (text, limit) in texts.items():
        if len(text) > limit:
            message = f"{key} has {len(text)} characters, the limit is {limit}; shorten it"
            yield key, message
