"""Local builds: the tags of a store whose content was built here, and the rules for such tags.

The store also has artifacts that were only pulled. A mark tells the two apart: an annotation of the
tag's entry in the root index, which only a build or `adopt` sets. It is not part of the content, so
it changes no digest, and no copy, pull or push takes it along.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout import (
    Digest,
    ImageConfig,
    Index,
    InvalidNameError,
    Manifest,
    OciLayoutError,
    ReferenceNotFoundError,
    decode,
)
from ocilayout.transfer import put_and_bind
from skills.errors import (
    LocalBuildConflictError,
    NotALocalBuildError,
    NotASkillError,
    ValidationError,
)
from skills.model import require_tag
from skills.packaging import (
    ARTIFACT_TYPE,
    DESCRIPTION,
    MAX_CONFIG,
    NAME,
    VERSION,
    package,
    source_date_epoch,
)
from skills.packaging import validate as check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ocilayout import Descriptor, Layout, RootEntry
    from ocilayout.layout import RootIndex

LOCAL_BUILD: Final = "dev.stacklok.toolhive.local-build"
"""The key of the mark, an annotation of a tag's entry in `index.json`. ToolHive uses it, too."""

MARK: Final[Mapping[str, str]] = {LOCAL_BUILD: "true"}
"""The annotation of a build's entry. With any other value the entry is not marked."""


@frozen(kw_only=True)
class BuildResult:
    """The artifact that was built, pulled, copied or pushed.

    Attributes:
        reference: The tag in the store.
        digest: The digest of the artifact's root.
    """

    reference: str
    digest: Digest


@frozen(kw_only=True)
class LocalBuild:
    """A skill that was built in this store.

    Attributes:
        tag: The tag in the store.
        digest: The digest of the artifact's root.
        name: The name of the skill; empty where it cannot be read, like the other two.
        description: What the skill is for.
        version: The version in its SKILL.md.
    """

    tag: str
    digest: Digest
    name: str = ""
    description: str = ""
    version: str = ""


class Builds:
    """The local builds of a store.

    Attributes:
        layout: The store.
    """

    def __init__(self, layout: Layout) -> None:
        layout.name_annotations |= {LOCAL_BUILD}  # an entry that loses its tag is not a build
        self.layout = layout

    validate = staticmethod(check)

    def build(
        self,
        path: str | os.PathLike[str],
        *,
        tag: str | None = None,
        validate: bool = True,
    ) -> BuildResult:
        """Package the folder of a skill into the store, as a local build.

        The same folder gives the same digest, wherever and whenever it is built. All times in the
        artifact are `SOURCE_DATE_EPOCH`, or 0 without it.

        Args:
            path: The folder with the SKILL.md.
            tag: The tag in the store; the name of the skill by default.
            validate: Whether to refuse a skill that has errors, as the method `validate` finds
                them.

        Raises:
            InvalidTagError: The tag is not valid; nothing was packaged.
            ValidationError: The skill has errors.
            SkillError: As `package` says.
            OciLayoutError: As `Layout.tag` says.
            OSError: The file system failed.
        """
        if tag is not None:
            require_tag(tag)
        if validate and (errors := check(path).errors):
            raise ValidationError(errors)
        packed = package(path, epoch=source_date_epoch(os.environ))
        name = packed.skill.name if tag is None else tag
        require_tag(name)

        # The two steps are repeated if another process deletes one of the blobs in between.
        def put() -> None:
            for descriptor, data in packed.blobs:
                self.layout.blobs.put(data, media_type=descriptor.media_type, expected=descriptor)

        def bind() -> None:
            self.layout.tag(name, packed.index, annotations=MARK)

        put_and_bind(put, bind)
        return BuildResult(reference=name, digest=packed.index.digest)

    def list_builds(self) -> list[LocalBuild]:
        """Return the local builds of the store, sorted bytewise by tag.

        A tag is listed if all its entries are marked and its root has the artifact type of skills.
        The root of each is read, and the config of its first manifest only if the root does not
        have the name. No layer is read, and no blob of entries without the mark.

        Raises:
            DocumentError: `index.json` breaks the specification.
        """
        builds: list[LocalBuild] = []
        for tag in self.layout.tags(annotations=MARK):
            entries = self.layout.entries(name=tag)
            if is_local_build(entries):
                descriptor = entries[-1].descriptor
                root = _read(self.layout, descriptor)
                if root is not None and root.artifact_type == ARTIFACT_TYPE:
                    builds.append(_describe(self.layout, tag, descriptor.digest, root))
        return builds

    def delete_build(self, tag: str) -> None:
        """Delete a local build, and the blobs that only it reached.

        Raises:
            NotALocalBuildError: The tag is missing, or was not built here.
            OciLayoutError: As `Layout.remove` says.
        """

        def built_here(root: RootIndex) -> bool:
            if not is_local_build(root.named(tag)):
                raise NotALocalBuildError(tag)
            return True

        with self.layout.edit() as edit:
            edit.remove(tag, when=built_here)

    def adopt(self, tag: str) -> None:
        """Mark a tag as a local build.

        Raises:
            ReferenceNotFoundError: There is no such tag.
            NotASkillError: The tag does not point to a skill.
            AmbiguousReferenceError: The entries of the tag have different digests.
            InvalidNameError: The tag is empty.
            OciLayoutError: As `Layout.annotate` says.
        """
        if not tag:
            raise InvalidNameError("a name must not be empty")

        def is_skill(root: RootIndex) -> bool:
            if not root.named(tag):
                raise ReferenceNotFoundError(f"there is no entry named {tag!r} to adopt")
            document = _read(self.layout, root.find(tag).descriptor)
            if document is None or document.artifact_type != ARTIFACT_TYPE:
                raise NotASkillError(tag, f"its artifact type is not {ARTIFACT_TYPE}")
            return True

        with self.layout.edit() as edit:
            edit.annotate(tag, MARK, when=is_skill)


def is_local_build(entries: Iterable[RootEntry]) -> bool:
    """Tell whether the entries of a tag are a local build: at least one, and all marked."""
    marked = [entry.annotations.items() >= MARK.items() for entry in entries]
    return bool(marked) and all(marked)


def require_build(layout: Layout, tag: str, digest: str) -> None:
    """Refuse a tag unless it is a local build with this digest.

    Raises:
        NotALocalBuildError: The tag is missing, points to other content, or was not built here.
    """
    entries = layout.entries(name=tag)
    if not is_local_build(entries) or {entry.descriptor.digest for entry in entries} != {digest}:
        raise NotALocalBuildError(tag)


def may_retag(
    entries: Sequence[RootEntry], name: str, content: Descriptor, *, replace: bool
) -> bool:
    """Decide whether a tag moves to content that was not built here.

    Args:
        entries: The entries of the tag.
        name: The tag.
        content: The content.
        replace: Whether a local build with other content may lose the tag. Its content stays, as
            an untagged entry.

    Returns:
        False where the tag points to that content already: then its entry stays as it is, built
        here or pulled.

    Raises:
        LocalBuildConflictError: The tag is a local build with other content, and `replace` is
            false.
    """
    if {entry.descriptor.digest for entry in entries} == {content.digest}:
        return False
    if is_local_build(entries) and not replace:
        raise LocalBuildConflictError(
            name, local_digest=entries[-1].descriptor.digest, remote_digest=content.digest
        )
    return True


def _read(layout: Layout, descriptor: Descriptor) -> Index | Manifest | None:
    """Return a document; `None` if it is missing or damaged, so that a list goes on without it."""
    try:
        document = layout.read_manifest(descriptor)
    except OciLayoutError:
        return None
    return document if isinstance(document, Index | Manifest) else None


def _describe(layout: Layout, tag: str, digest: Digest, root: Index | Manifest) -> LocalBuild:
    metadata: Mapping[str, str] = root.annotations
    if not metadata.get(NAME):
        metadata = _labels(layout, root)
    return LocalBuild(
        tag=tag,
        digest=digest,
        name=metadata.get(NAME, ""),
        description=metadata.get(DESCRIPTION, ""),
        version=metadata.get(VERSION, ""),
    )


def _labels(layout: Layout, root: Index | Manifest) -> Mapping[str, str]:
    """Return the labels in the config of the first manifest; none if they cannot be read."""
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
