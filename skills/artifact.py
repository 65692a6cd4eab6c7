"""An artifact in a store read back as a skill: its metadata, its SKILL.md and its files.

The first manifest of an index speaks for all, as in ToolHive: all of them hold the same files. The
artifact type is not checked, since skills of other tools may lack it; an artifact is a skill if its
config names one and it has a layer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from attrs import frozen

from ocilayout import (
    OCI_LAYER_GZIP,
    Descriptor,
    Digest,
    DocumentError,
    ImageConfig,
    Index,
    LimitExceededError,
    Manifest,
    decode,
)
from skills.errors import NotASkillError, TooLargeError
from skills.folder import MAX_LAYER, SKILL_MD
from skills.layer import open_layer
from skills.package import DESCRIPTION, LICENSE, MAX_CONFIG, NAME, REQUIRES, VERSION

if TYPE_CHECKING:
    from ocilayout import Layout


@frozen(kw_only=True)
class Artifact:
    """A skill in a store.

    Attributes:
        reference: The text that it was asked for by.
        digest: The digest of its root.
        name: The name of the skill, never empty; not checked against the rules for names.
        description: What the skill is for; may be empty, like the two that follow.
        version: The version in its SKILL.md.
        license: The licence of the skill.
        requires: References of the skills that it needs.
        layer: The descriptor of the compressed tar with its files.
        diff_id: The digest of the uncompressed tar, if the config says it.
    """

    reference: str
    digest: Digest
    name: str
    description: str
    version: str
    license: str
    requires: tuple[str, ...]
    layer: Descriptor
    diff_id: Digest | None


@frozen(kw_only=True)
class SkillFile:
    """A file of a skill.

    Attributes:
        path: The path in the folder of the skill, with slashes.
        size: The size in bytes.
    """

    path: str
    size: int


@frozen(kw_only=True)
class SkillContent:
    """A skill that is shown without being installed.

    Attributes:
        name: As in `Artifact`, like the three that follow.
        description: See `name`.
        version: See `name`.
        license: See `name`.
        body: The whole SKILL.md, with its frontmatter; bytes that are not UTF-8 are replaced.
        files: All files in the order of the tar, SKILL.md among them.
    """

    name: str
    description: str
    version: str
    license: str
    body: str
    files: tuple[SkillFile, ...]


def read_artifact(layout: Layout, root: Descriptor, reference: str) -> Artifact:
    """Read the metadata of an artifact; its layer is not read.

    Args:
        layout: The store.
        root: The root of the artifact.
        reference: The text that it was asked for by, for messages.

    Raises:
        NotASkillError: The artifact is not a skill.
        TooLargeError: Its layer is larger than what is built and installed.
        BlobNotFoundError: A blob of it is missing.
        OciLayoutError: A blob of it is damaged.
    """
    manifest = _first_manifest(layout, root, reference)
    if not manifest.layers:
        raise NotASkillError(reference, "it has no layer")
    layer = manifest.layers[0]
    if layer.media_type != OCI_LAYER_GZIP:
        raise NotASkillError(reference, f"its layer is {layer.media_type}, not {OCI_LAYER_GZIP}")
    if layer.size > MAX_LAYER:
        raise TooLargeError(
            f"the layer of {reference!r} has {layer.size} bytes, the limit is {MAX_LAYER}",
            what="layer",
            limit=MAX_LAYER,
        )
    try:
        config = decode(layout.blobs.read(manifest.config, limit=MAX_CONFIG), ImageConfig)
    except (DocumentError, LimitExceededError) as error:
        raise NotASkillError(reference, f"its config cannot be read: {error}") from None
    labels = {} if config.config is None else config.config.labels
    if not labels.get(NAME):
        raise NotASkillError(reference, f"its config has no label {NAME}")
    diff_ids = config.rootfs.diff_ids
    return Artifact(
        reference=reference,
        digest=root.digest,
        name=labels[NAME],
        description=labels.get(DESCRIPTION, ""),
        version=labels.get(VERSION, ""),
        license=labels.get(LICENSE, ""),
        requires=_requires(manifest.annotations.get(REQUIRES, "")),
        layer=layer.plain(),
        diff_id=diff_ids[0] if diff_ids else None,
    )


def read_content(layout: Layout, root: Descriptor, reference: str) -> SkillContent:
    """Read the metadata, the SKILL.md and the list of files of a skill in a store.

    The SKILL.md is the one in the root of the skill, under this very name. In ToolHive any file of
    that name counts, however deep it lies and in whatever case it is written: the last one wins.

    Args:
        layout: As for `read_artifact`.
        root: As for `read_artifact`.
        reference: As for `read_artifact`.

    Raises:
        NotASkillError: The artifact is not a skill, or has no SKILL.md.
        LayerError: Its files are damaged, or must not be installed.
        TooLargeError: It is larger than what is installed.
        OciLayoutError: A blob of it is missing or damaged.
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


def _first_manifest(layout: Layout, root: Descriptor, reference: str) -> Manifest:
    try:
        document = layout.read_manifest(root)
        if isinstance(document, Index):
            if not document.manifests:
                raise NotASkillError(reference, "it is an index without manifests")
            document = layout.read_manifest(document.manifests[0])
    except DocumentError as error:
        raise NotASkillError(reference, f"it cannot be read: {error}") from None
    if not isinstance(document, Manifest):
        raise NotASkillError(reference, "it is an index of indexes")
    return document


def _requires(text: str) -> tuple[str, ...]:
    """Return the references in an annotation; none if it cannot be read, as in ToolHive."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        return ()
    return tuple(found)
