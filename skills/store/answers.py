"""Values of the service as JSON for programs, over HTTP and by `--json`, with ToolHive's keys.

Where ToolHive omits a key without a value, it is omitted here, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from skills.install import InstalledSkill
    from skills.model import ValidationResult
    from skills.packaging import SkillContent
    from skills.store.builds import BuildResult, LocalBuild
    from skills.store.cache import CachedSkill


def validation_answer(result: ValidationResult) -> dict[str, Any]:
    """Return the findings of a validation; empty lists are omitted."""
    lists = {"errors": list(result.errors), "warnings": list(result.warnings)}
    return {"valid": result.valid} | _known(lists)


def result_answer(result: BuildResult) -> dict[str, Any]:
    """Return the reference and the digest of a build, a pull or a push."""
    return {"reference": result.reference, "digest": result.digest}


def build_answer(build: LocalBuild) -> dict[str, Any]:
    """Return a local build; empty metadata is omitted."""
    metadata = {"name": build.name, "description": build.description, "version": build.version}
    return {"tag": build.tag, "digest": build.digest} | _known(metadata)


def content_answer(content: SkillContent) -> dict[str, Any]:
    """Return the content of a skill; empty version and licence are omitted."""
    return {
        "name": content.name,
        "description": content.description,
        **_known({"version": content.version, "license": content.license}),
        "body": content.body,
        "files": [{"path": file.path, "size": file.size} for file in content.files],
    }


def cached_answer(skill: CachedSkill) -> dict[str, Any]:
    """Return a pulled artifact; ToolHive does not have such a list."""
    pulled = None if skill.pulled is None else time_text(skill.pulled)
    answer = {"reference": skill.reference, "digest": skill.digest, "size": skill.size}
    return answer | {"pulled": pulled}


def installed_answer(skill: InstalledSkill) -> dict[str, Any]:
    """Return an installed skill; unknown values are omitted."""
    known = {
        "project_root": None if skill.project_root is None else str(skill.project_root),
        "reference": skill.reference,
        "tag": skill.tag,
        "digest": skill.digest,
    }
    more = {
        "clients": list(skill.clients),
        "dependencies": [{"reference": reference} for reference in skill.dependencies],
    }
    return {
        # An artifact does not have its author.
        "metadata": {
            "name": skill.name,
            "version": skill.version,
            "description": skill.description,
            "author": "",
        },
        "scope": skill.scope,
        **_known(known),
        "status": skill.status,
        "installed_at": time_text(skill.installed_at),
        **_known(more),
        "managed": True,
    }


def time_text(time: datetime) -> str:
    """Return a time in UTC as RFC 3339 text, in seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
