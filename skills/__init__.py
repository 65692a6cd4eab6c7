"""Agent skills as OCI artifacts, in a store that knows which of them were built in it."""

from __future__ import annotations

from skills.builds import LocalBuild
from skills.errors import (
    FrontmatterError,
    InvalidEpochError,
    InvalidTagError,
    LocalBuildConflictError,
    NotALocalBuildError,
    NotASkillError,
    NotPushableError,
    SkillError,
    SkillFolderError,
    TooLargeError,
    ValidationError,
)
from skills.package import Package, package
from skills.service import BuildResult, SkillService, default_store
from skills.skillmd import SkillMd
from skills.validation import Finding, ValidationResult, validate

__all__ = [
    "BuildResult",
    "Finding",
    "FrontmatterError",
    "InvalidEpochError",
    "InvalidTagError",
    "LocalBuild",
    "LocalBuildConflictError",
    "NotALocalBuildError",
    "NotASkillError",
    "NotPushableError",
    "Package",
    "SkillError",
    "SkillFolderError",
    "SkillMd",
    "SkillService",
    "TooLargeError",
    "ValidationError",
    "ValidationResult",
    "default_store",
    "package",
    "validate",
]
