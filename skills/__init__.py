"""Agent skills as OCI artifacts, in a store that tells local builds from pulled artifacts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ocilayout import __version__ as __version__  # one distribution, one version

if TYPE_CHECKING:
    from skills import errors as errors
    from skills import install as install
    from skills import model as model
    from skills import packaging as packaging
    from skills import store as store
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
    from skills.model import Finding, SkillMd, ValidationResult
    from skills.packaging import Package, SkillContent, SkillFile, package, validate
    from skills.store import (
        LOCAL_BUILD,
        BuildResult,
        CachedSkill,
        LocalBuild,
        SkillService,
        default_store,
    )

__all__ = [
    "LOCAL_BUILD",
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

# The rooms from the bottom up: each imports those before it, so nothing is loaded in vain.
_ROOMS = ("errors", "model", "packaging", "install", "store")


if not TYPE_CHECKING:  # with it in sight, type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import a public name or a room when it is first used: `import skills` is cheap."""
        for room in _ROOMS if name in {*__all__, *_ROOMS} else ():
            module = import_module(f"{__name__}.{room}")
            if name == room or hasattr(module, name):
                globals()[name] = module if name == room else getattr(module, name)
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS, "__version__"})
