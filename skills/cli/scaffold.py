"""A new skill: a folder with a SKILL.md to fill in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from skills.errors import SkillFolderError, ValidationError
from skills.validation import check_name

if TYPE_CHECKING:
    from pathlib import Path

_PLACEHOLDER = "Say what this skill does, and when it is to be used"


def write_skill(path: Path, description: str = "") -> Path:
    """Write a SKILL.md into a folder, which is made if it is missing.

    Args:
        path: The folder; its name becomes the skill's.
        description: What the skill is for; a sentence that asks for it if it is empty.

    Returns:
        The path of the file.

    Raises:
        ValidationError: The folder's name is no name of a skill.
        SkillFolderError: There is a SKILL.md already; it was left alone.
        OSError: The file system refused.
    """
    name = path.resolve().name
    if error := check_name(name):
        raise ValidationError([error])
    # A JSON string is a YAML string, whatever it holds.
    text = json.dumps(description or _PLACEHOLDER, ensure_ascii=False)
    title = name.replace("-", " ").capitalize()
    path.mkdir(parents=True, exist_ok=True)
    target = path / "SKILL.md"
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(
                f"---\nname: {name}\ndescription: {text}\nversion: 0.1.0\n---\n"
                f"# {title}\n\nWrite here what the agent has to know, step by step.\n"
            )
    except FileExistsError:
        raise SkillFolderError(str(target), "is there already; it was left as it is") from None
    return target
