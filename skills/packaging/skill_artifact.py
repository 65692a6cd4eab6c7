"""An artifact in a store, read as a skill: its metadata, its SKILL.md and its files.

Of an index the first manifest is read, as in ToolHive: all of them have the same files. The
artifact type is not checked, since skills of other tools may lack it: an artifact is a skill if its
config has the name of a skill and its manifest a layer.
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
from skills.model import SKILL_MD
from skills.packaging.folder import MAX_LAYER
from skills.packaging.skill_package import DESCRIPTION, LICENSE, MAX_CONFIG, NAME, REQUIRES, VERSION
from skills.packaging.tar_reader import SkillFile, open_layer

if TYPE_CHECKING:
    from ocilayout import Layout


@frozen(kw_only=True)
class Artifact:
    """A skill in a store.

    Attributes:
        reference: The tag, reference or digest that the caller gave.
        digest: The digest of its root.
        name: The name of the skill, never empty; not checked against the rules for names.
        description: What the skill is for; may be empty, like the two that follow.
        version: The version in its SKILL.md.
        license: The licence of the skill.
        requires: References of the skills that it needs.
        layer: The descriptor of its layer.
        diff_id: The digest of the uncompressed layer, if the config has it.
        tag: The tag in its reference; empty where it is not known.
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
    tag: str = ""


@frozen(kw_only=True)
class SkillContent:
    """The content of a skill that need not be installed.

    Attributes:
        name: As in `Artifact`, like the attributes that are not listed here.
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
    """Read the metadata of a skill in a store; its layer is not read.

    Args:
        layout: The store.
        root: The root of the artifact.
        reference: The text that the caller gave, for messages.

    Raises:
        NotASkillError: The artifact is not a skill.
        TooLargeError: Its layer is larger than `MAX_LAYER`.
        BlobNotFoundError: A blob of the artifact is missing.
        OciLayoutError: A blob of the artifact is damaged.
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

    The SKILL.md is the file of exactly this name in the root of the skill. ToolHive takes the last
    file of that name, in any folder and in upper or lower case. The arguments are those of
    `read_artifact`.

    Raises:
        NotASkillError: The artifact is not a skill, or has no SKILL.md.
        LayerError: As `open_layer` says.
        TooLargeError: As `read_artifact` and `open_layer` say.
        OciLayoutError: A blob of the artifact is missing or damaged.
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
        raise NotASkillError(reference, f"its document cannot be read: {error}") from None
    if not isinstance(document, Manifest):
        raise NotASkillError(reference, "it is an index of indexes")
    return document


def _requires(text: str) -> tuple[str, ...]:
    """Return the references in an annotation; none if it cannot be parsed, as in ToolHive."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return ()
    return tuple(value)
