"""A store of skills and a home folder to install into, for the tests of several modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.testing.registry import LoopbackRegistry
from skills import (
    InstalledSkill,
    SkillService,
)
from tests.unit.skills.example import write_skill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


CLAUDE, CURSOR, AGENTS = ".claude/skills", ".cursor/skills", ".agents/skills"


class World:
    """A store, a home folder, and skills to build."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        # What is forced onto the disk makes no difference here but of time.
        self.service = SkillService.open(folder / "store", home=self.home, durability="none")

    def build(
        self, name: str = "hello", version: str = "1", *, tag: str | None = None, **files: str
    ) -> str:
        """Build a skill and return its digest."""
        path = self.folder / f"{name}-{version}" / name
        (path / "docs").mkdir(parents=True, exist_ok=True)
        (path / "SKILL.md").write_text(
            f"---\nname: {name}\ndescription: Does {name}\nversion: {version}\n"
            "toolhive.requires: [ghcr.io/org/other:v1]\n---\n"
        )
        for file, text in ({"notes": version} | files).items():
            (path / "docs" / file).write_text(text)
        return self.service.build(path, tag=tag).digest

    def install(self, source: str = "hello", **options: Any) -> InstalledSkill:
        """Install for one client, unless others are given."""
        return self.service.install(source, **{"clients": ["claude-code"], **options})

    def tree(self) -> dict[str, str | None]:
        """Return all that is in the home folder but the record."""
        return {
            str(path.relative_to(self.home)): path.read_text() if path.is_file() else None
            for path in sorted(self.home.rglob("*"))
            if ".local" not in path.parts
        }

    @property
    def record(self) -> Path:
        """The record of installed skills."""
        return self.home / ".local/state/ocilayout/skills/installed.json"

    def notes(self, base: str = CLAUDE) -> Path:
        """Return a file of the installed skill."""
        return self.home / base / "hello" / "docs" / "notes"


@pytest.fixture
def service(tmp_path: Path) -> SkillService:
    return SkillService.open(tmp_path / "store", durability="none")


@pytest.fixture
def registry() -> Iterator[LoopbackRegistry]:
    with LoopbackRegistry() as running:
        yield running


@pytest.fixture
def remote(registry: LoopbackRegistry, tmp_path: Path) -> str:
    """Push a skill from another store and return its reference."""
    reference = f"{registry.host}/team/hello:v1"
    origin = SkillService.open(tmp_path / "origin", durability="none")
    origin.build(write_skill(tmp_path / "there"), tag=reference)
    origin.push(reference)
    registry.requests.clear()
    return reference


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
