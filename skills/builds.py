"""Local builds: the names of a store whose content was built here.

The store also holds what was only pulled. What tells the two apart is a mark: an annotation on
the name's entry in the root index, set by a build or by adopting, and by nothing else. It is no
part of the content, so it changes no digest and goes nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout import (
    LOCAL_BUILD,
    Digest,
    ImageConfig,
    Index,
    InvalidNameError,
    Manifest,
    OciLayoutError,
    ReferenceNotFoundError,
    decode,
)
from skills.errors import LocalBuildConflictError, NotALocalBuildError, NotASkillError
from skills.package import ARTIFACT_TYPE, DESCRIPTION, MAX_CONFIG, NAME, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ocilayout import Descriptor, Layout, RootEntry, RootIndex

MARK: Final[Mapping[str, str]] = {LOCAL_BUILD: "true"}
"""What a build notes at its entry. Any other value is no mark."""


@frozen(kw_only=True)
class BuildResult:
    """What a build or a pull left in the store.

    Attributes:
        reference: The name in the store.
        digest: The digest of the artifact's root.
    """

    reference: str
    digest: Digest


@frozen(kw_only=True)
class LocalBuild:
    """A skill that was built in this store.

    Attributes:
        tag: The name in the store.
        digest: The digest of the artifact's root.
        name: The name of the skill; empty where it could not be read, like the other two.
        description: What the skill is for.
        version: The version that the skill gives itself.
    """

    tag: str
    digest: Digest
    name: str = ""
    description: str = ""
    version: str = ""


def list_builds(layout: Layout) -> list[LocalBuild]:
    """Return the local builds of a store, sorted bytewise by tag.

    Listed is a name whose every entry is marked and whose root is a skill. Of each, the root is
    read, and its first manifest and that one's config only if the root says no name; no layer is
    read, and nothing of what is not marked.

    Raises:
        DocumentError: `index.json` breaks the specification.
    """
    found: list[LocalBuild] = []
    for tag in layout.tags(annotations=MARK):
        entries = layout.entries(name=tag)
        if is_local_build(entries):
            descriptor = entries[-1].descriptor
            root = _read(layout, descriptor)
            if root is not None and root.artifact_type == ARTIFACT_TYPE:
                found.append(_describe(layout, tag, descriptor.digest, root))
    return found


def is_local_build(entries: Iterable[RootEntry]) -> bool:
    """Tell whether the entries of a name say that it was built here: all of them, at least one."""
    marked = [entry.annotations.items() >= MARK.items() for entry in entries]
    return bool(marked) and all(marked)


def require_build(layout: Layout, tag: str, digest: str) -> None:
    """Refuse a name that is not that of content which was built here.

    Raises:
        NotALocalBuildError: It is not there, means other content, or was not built here.
    """
    entries = layout.entries(name=tag)
    if not is_local_build(entries) or {entry.descriptor.digest for entry in entries} != {digest}:
        raise NotALocalBuildError(tag)


def delete_build(layout: Layout, tag: str) -> None:
    """Take a build away, with the content that nothing else in the store needs.

    Raises:
        NotALocalBuildError: The name is not there, or was not built here.
        OciLayoutError: As `Layout.remove` says.
    """

    def built_here(root: RootIndex) -> bool:
        if not is_local_build(root.named(tag)):
            raise NotALocalBuildError(tag)
        return True

    with layout.edit() as edit:
        edit.remove(tag, when=built_here)


def adopt(layout: Layout, tag: str) -> None:
    """Say of a name that it was built here.

    Raises:
        ReferenceNotFoundError: There is no such name.
        NotASkillError: It means something that is not a skill.
        AmbiguousReferenceError: It means several things.
        InvalidNameError: The text is empty.
        OciLayoutError: As `Layout.annotate` says.
    """
    if not tag:
        raise InvalidNameError("a name must not be empty")

    def is_skill(root: RootIndex) -> bool:
        if not root.named(tag):
            raise ReferenceNotFoundError(f"there is no entry named {tag!r} to adopt")
        document = _read(layout, root.find(tag).descriptor)
        if document is None or document.artifact_type != ARTIFACT_TYPE:
            raise NotASkillError(tag, f"its artifact type is not {ARTIFACT_TYPE}")
        return True

    with layout.edit() as edit:
        edit.annotate(tag, MARK, when=is_skill)


def may_bind(
    entries: Sequence[RootEntry], name: str, content: Descriptor, *, replace: bool
) -> bool:
    """Decide whether content that comes from elsewhere is bound to a name.

    Args:
        entries: The entries that the name has.
        name: The name.
        content: What it is to mean.
        replace: Whether a local build may lose the name.

    Returns:
        False where the name means that content already: then it stays what it is, built here or
        pulled.

    Raises:
        LocalBuildConflictError: Other content was built under that name, and is not to be
            replaced.
    """
    if {entry.descriptor.digest for entry in entries} == {content.digest}:
        return False
    if is_local_build(entries) and not replace:
        raise LocalBuildConflictError(
            name, local_digest=entries[-1].descriptor.digest, remote_digest=content.digest
        )
    return True


def _read(layout: Layout, descriptor: Descriptor) -> Index | Manifest | None:
    """Return a document, or nothing if it is missing or damaged: the list has no room for that."""
    try:
        document = layout.read_manifest(descriptor)
    except OciLayoutError:
        return None
    return document if isinstance(document, Index | Manifest) else None


def _describe(layout: Layout, tag: str, digest: Digest, root: Index | Manifest) -> LocalBuild:
    said: Mapping[str, str] = root.annotations
    if not said.get(NAME):
        said = _labels(layout, root)
    return LocalBuild(
        tag=tag,
        digest=digest,
        name=said.get(NAME, ""),
        description=said.get(DESCRIPTION, ""),
        version=said.get(VERSION, ""),
    )


def _labels(layout: Layout, root: Index | Manifest) -> Mapping[str, str]:
    """Return the labels in the config of the first manifest; none where they cannot be read."""
    manifest: Index | Manifest | None = root
    if isinstance(root, Index):
        manifest = _read(layout, root.manifests[0]) if root.manifests else None
    if not isinstance(manifest, Manifest):
        return {}
    try:
        config = decode(layout.blobs.read(manifest.config, limit=MAX_CONFIG), ImageConfig)
    except OciLayoutError:
        return {}
    return config.config.labels if config.config is not None else {}
