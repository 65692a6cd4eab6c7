"""A skill looked at without being installed: what it says of itself, its SKILL.md, its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from skills.artifact import read_artifact
from skills.errors import NotASkillError
from skills.folder import SKILL_MD
from skills.layer import open_layer

if TYPE_CHECKING:
    from ocilayout import Descriptor, Layout


@frozen(kw_only=True)
class SkillFile:
    """A file of a skill.

    Attributes:
        path: Where it lies in the skill's folder.
        size: How large it is, in bytes.
    """

    path: str
    size: int


@frozen(kw_only=True)
class SkillContent:
    """What there is to see of a skill.

    Attributes:
        name: Its name, as the artifact says.
        description: What it is for; empty where it does not say, as what follows.
        version: The version that it gives itself.
        license: Its licence.
        body: The whole SKILL.md, with its frontmatter; what is no UTF-8 in it is replaced.
        files: All files in the order of the tar, SKILL.md among them.
    """

    name: str
    description: str
    version: str
    license: str
    body: str
    files: tuple[SkillFile, ...]


def read_content(layout: Layout, root: Descriptor, reference: str) -> SkillContent:
    """Return what there is to see of a skill in a store.

    The SKILL.md is that in the root of the skill, under this very name. In ToolHive any file of
    that name counts, however deep it lies and in whatever case it is written: the last one wins.

    Args:
        layout: The store.
        root: What the reference means in it.
        reference: For messages.

    Raises:
        NotASkillError: It is no skill.
        LayerError: Its files are damaged, or hold what must not be installed.
        TooLargeError: It is larger than what is installed.
        OciLayoutError: A part of it is missing or damaged.
    """
    artifact = read_artifact(layout, root, reference)
    with open_layer(layout.blobs.read(artifact.layer), diff_id=artifact.diff_id) as layer:
        text = layer.find(SKILL_MD)
        if text is None:
            raise NotASkillError(reference, f"it has no file {SKILL_MD}")
        body = layer.read(text).decode("utf-8", "replace")
        files = tuple(SkillFile(path=file.path, size=file.size) for file in layer.files)
    return SkillContent(
        name=artifact.name,
        description=artifact.description,
        version=artifact.version,
        license=artifact.license,
        body=body,
        files=files,
    )
