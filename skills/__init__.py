"""Agent skills as OCI artifacts, in a store that tells local builds from pulled artifacts."""

from __future__ import annotations

from skills.artifact import SkillContent, SkillFile
from skills.builds import BuildResult, LocalBuild
from skills.cache import CachedSkill
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
from skills.install import InstalledSkill
from skills.package import Package, package
from skills.service import SkillService, default_store
from skills.skillmd import SkillMd
from skills.validation import Finding, ValidationResult, validate

__all__ = [
    "AmbiguousSkillError",
    "BuildResult",
    "CachedSkill",
    "ClientError",
    "Finding",
    "FrontmatterError",
    "InstalledSkill",
    "InvalidEpochError",
    "InvalidTagError",
    "LayerError",
    "LocalBuild",
    "LocalBuildConflictError",
    "LocalEditsError",
    "NameMismatchError",
    "NotALocalBuildError",
    "NotASkillError",
    "NotCachedError",
    "NotInstalledError",
    "NotPushableError",
    "Package",
    "RecordError",
    "ScopeError",
    "SkillContent",
    "SkillError",
    "SkillFile",
    "SkillFolderError",
    "SkillMd",
    "SkillService",
    "TargetError",
    "TargetExistsError",
    "TooLargeError",
    "ValidationError",
    "ValidationResult",
    "default_store",
    "package",
    "validate",
]
