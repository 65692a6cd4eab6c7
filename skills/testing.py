"""`SkillService` under the machine of `ocilayout.testing`: it lists exactly the local builds.

The machine changes the store by all verbs of its layout, as another program that shares the store
may do, and builds, copies and deletes by the service.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from ocilayout import Layout
from ocilayout.testing.machine import (
    CONTENTS,
    VERBS,
    Adapter,
    Entry,
    LayoutStore,
    Model,
    RefusalError,
    View,
    contents_of,
)
from skills.errors import LocalBuildConflictError, NotALocalBuildError
from skills.packaging import ARTIFACT_TYPE, package, source_date_epoch
from skills.store import LOCAL_BUILD, MARK, SkillService

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocilayout import Digest
    from ocilayout.testing.machine import Content, Store

_NAMES: Final = ("first", "second", "third")


class SkillModel(Model):
    """The content that a store of skills must have, and the local builds that it must list."""

    name_annotations = (LOCAL_BUILD,)

    def names(self) -> tuple[str, ...]:
        """Return the tags of the local builds, sorted."""
        return tuple(name for name in super().names() if self._is_listed(self.require(name)))

    def bring(self, name: str, content: Content) -> None:
        """Store content and tag it as a local build."""
        self.put(content)
        self.tag(name, content.digest, MARK)

    def remove(self, ref: str) -> None:
        """Delete a local build; any other tag is refused."""
        if not _is_marked(self.require(ref)):
            raise RefusalError(ref)
        super().remove(ref)

    def copy(self, source: Model, digest: Digest, name: str | None, *, referrers: bool) -> None:
        """Copy from another store; the tag of a local build with other content is refused."""
        entry = None if name is None else self.named(name)
        if entry is not None and _is_marked(entry) and entry.digest != digest:
            raise RefusalError(name)
        super().copy(source, digest, name, referrers=referrers)

    def _is_listed(self, entry: Entry) -> bool:
        document = json.loads(self.known[entry.digest].blobs[-1][1])
        return _is_marked(entry) and document.get("artifactType") == ARTIFACT_TYPE


def _is_marked(entry: Entry) -> bool:
    return entry.notes.get(LOCAL_BUILD) == "true"


class SkillStore(LayoutStore):
    """The store of a `SkillService` as the machine drives it."""

    def __init__(self, path: Path, home: Path, folders: Mapping[Digest, Path]) -> None:
        """Open a store; the folders of skills are given by the digests of their artifacts."""
        self.service = SkillService.open(path, home=home, durability="none")
        self.layout = self.service.layout
        self._folders = folders

    def bring(self, name: str, content: Content) -> None:
        """Build a skill; content that is not a skill is tagged as a local build."""
        folder = self._folders.get(content.digest)
        if folder is None:
            self.put(content)
            self.tag(name, content.root, MARK)
        else:
            self.service.build(folder, tag=name)

    def remove(self, name: str) -> None:
        """Delete a local build."""
        try:
            self.service.delete_build(name)
        except NotALocalBuildError as error:
            raise RefusalError(name) from error

    def copy(self, source: Path, ref: str, *, name: str | None, referrers: bool) -> None:
        """Copy from another store, as a pull does."""
        del referrers  # skills have none
        try:
            self.service.copy(Layout.open(source), ref, name=name or ref)
        except LocalBuildConflictError as error:
            raise RefusalError(name) from error

    def look(self) -> View:
        """Return the listed local builds."""
        builds = self.service.list_builds()
        return View(
            names=tuple(build.tag for build in builds),
            meant={build.tag: self.layout.resolve(build.digest) for build in builds},
            notes={build.tag: dict(self.layout.entry(build.tag).annotations) for build in builds},
        )


class SkillsAdapter(Adapter, ExitStack):
    """Puts `SkillService` under the machine.

    A context manager, at whose end the folders of the skills are removed.
    """

    verbs = VERBS - {"copy_digest", "copy_referrers", "full_names", "repair", "edit"}
    handles = 2
    model = SkillModel

    def __init__(self) -> None:
        super().__init__()
        self._folder = self.enter_context(TemporaryDirectory(prefix="skills-"))
        self._folders: dict[Digest, Path] = {}
        roots: list[Content] = []
        parts: list[Content] = []
        for name in _NAMES:
            folder = Path(self._folder, name)
            folder.mkdir()
            text = f"---\nname: {name}\ndescription: The {name}.\n---\n\n# {name}\n"
            folder.joinpath("SKILL.md").write_text(text)
            packed = package(folder, epoch=source_date_epoch(os.environ))
            root, *inside = contents_of(name, packed.blobs)
            self._folders[root.digest] = folder
            roots.append(root)
            parts += inside
        self.contents: Sequence[Content] = (*roots, *parts, CONTENTS[0])

    def create(self, path: Path) -> None:
        """Create an empty store."""
        Layout.create(path, durability="none")

    def open(self, path: Path, number: int) -> Store:
        """Open a handle."""
        del number
        return SkillStore(path, Path(self._folder), self._folders)
