"""What a skill is, as values: SKILL.md, the rules for its fields, and the tags of a store.

Nothing here reads a file, a store or the environment.
"""

from skills.model.skillmd import SKILL_MD, SkillMd, draft, parse
from skills.model.tag import is_tag, origin_of, parse_reference, require_tag, with_latest
from skills.model.validation import Finding, ValidationResult, check_name, check_skill_md

__all__ = [
    "SKILL_MD",
    "Finding",
    "SkillMd",
    "ValidationResult",
    "check_name",
    "check_skill_md",
    "draft",
    "is_tag",
    "origin_of",
    "parse",
    "parse_reference",
    "require_tag",
    "with_latest",
]
