"""A store of skills: local builds, the cache of pulled skills, and all that is done with either."""

from skills.store.answers import (
    build_answer,
    cached_answer,
    content_answer,
    installed_answer,
    result_answer,
    time_text,
    validation_answer,
)
from skills.store.builds import LOCAL_BUILD, MARK, BuildResult, LocalBuild, require_build
from skills.store.cache import CachedSkill
from skills.store.service import STORE_VARIABLE, SkillService, default_store
from skills.store.sources import ARCHIVE_PREFIX, is_name

__all__ = [
    "ARCHIVE_PREFIX",
    "LOCAL_BUILD",
    "MARK",
    "STORE_VARIABLE",
    "BuildResult",
    "CachedSkill",
    "LocalBuild",
    "SkillService",
    "build_answer",
    "cached_answer",
    "content_answer",
    "default_store",
    "installed_answer",
    "is_name",
    "require_build",
    "result_answer",
    "time_text",
    "validation_answer",
]
