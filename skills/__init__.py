"""Agent skills as OCI artifacts, in a store that knows which of them were built in it."""

from __future__ import annotations

from skills.builds import BuildResult, LocalBuild
from skills.cache import CachedSkill
from skills.content import SkillContent, SkillFile
from skills.errors import (
    FrontmatterError,
    InvalidEpochError,
    InvalidTagError,
    LayerError,
    LocalBuildConflictError,
    NotALocalBuildError,
    NotASkillError,
    NotCachedError,
    NotPushableError,
    SkillError,
    SkillFolderError,
    TooLargeError,
    ValidationError,
)
from skills.package import Package, package
from skills.service import SkillService, default_store
from skills.skillmd import SkillMd
from skills.validation import Finding, ValidationResult, validate

__all__ = [
    "BuildResult",
    "CachedSkill",
    "Finding",
    "FrontmatterError",
    "InvalidEpochError",
    "InvalidTagError",
    "LayerError",
    "LocalBuild",
    "LocalBuildConflictError",
    "NotALocalBuildError",
    "NotASkillError",
    "NotCachedError",
    "NotPushableError",
    "Package",
    "SkillContent",
    "SkillError",
    "SkillFile",
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
