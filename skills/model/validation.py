"""The rules for the fields of a SKILL.md, and what a validation reports.

All findings are reported at once: errors, which must change, and warnings, which should. How a
SKILL.md is parsed is the matter of `skillmd`; the rules for files are in `skills.packaging`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from skills.model.skillmd import SKILL_MD, SkillMd, draft

if TYPE_CHECKING:
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
        return tuple(str(finding) for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, which should change: a sentence each."""
        return tuple(str(finding) for finding in self.findings if finding.severity == "warning")

    @property
    def valid(self) -> bool:
        """Whether the skill has no errors."""
        return not self.errors


def check_name(name: str) -> str | None:
    """Return why a name is not a valid name of a skill, as a sentence; `None` if it is."""
    if not name:
        return "name is required"
    if _NAME.fullmatch(name):
        return None
    rule = "2 to 64 of a-z, 0-9 and -, with no - at either end and no --"
    return f"name {name!r} is not allowed; use {rule}"


def check_skill_md(data: bytes, folder_name: str) -> Iterator[Finding]:
    """Check a SKILL.md: whether it can be parsed, then its fields, then what should change.

    Args:
        data: The whole file.
        folder_name: The name of its folder, which must be the name of the skill.
    """
    parsed = draft(data)
    for problem in parsed.problems:
        yield Finding(message=problem.reason, line=problem.line)
    if parsed.skill is None:
        return
    for key, message in _check_fields(parsed.skill, folder_name):
        # A broken value is empty, but its error is reported already.
        if key not in parsed.broken:
            yield Finding(message=message, line=parsed.lines.get(key))
    if parsed.skill.tools_by_comma:
        yield Finding(
            severity="warning",
            message="allowed-tools is separated by commas; use spaces or a list",
            line=parsed.lines["allowed-tools"],
        )
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if lines > MANY_LINES:
        yield Finding(
            severity="warning",
            message=f"SKILL.md has {lines} lines; keep it to {MANY_LINES} and move text to"
            " other files",
        )


def _check_fields(skill: SkillMd, folder_name: str) -> Iterator[tuple[str, str]]:
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
