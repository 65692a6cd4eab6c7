"""An artifact in a store read back as a skill: what it says of itself, and where its files are.

The first manifest of an index speaks for all, as in ToolHive: all of them hold the same files. The
artifact type is not asked for, since skills of other tools may lack it; what makes a skill is a
config that names one, and a layer.
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
from skills.folder import MAX_LAYER
from skills.package import DESCRIPTION, LICENSE, MAX_CONFIG, NAME, REQUIRES, VERSION

if TYPE_CHECKING:
    from ocilayout import Layout


@frozen(kw_only=True)
class Artifact:
    """A skill in a store.

    Attributes:
        reference: What it was asked for by.
        digest: The digest of its root.
        name: Its name, never empty; nobody checked the rules for names.
        description: What it is for; empty where it does not say, as what follows.
        version: The version that it gives itself.
        license: Its licence.
        requires: References of the skills that it needs.
        layer: The compressed tar of its files.
        diff_id: What the tar hashes to, if the config says so.
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


def read_artifact(layout: Layout, root: Descriptor, reference: str) -> Artifact:
    """Read what an artifact says of itself; its layer is not touched.

    Args:
        layout: The store.
        root: What the reference means in it.
        reference: For messages.

    Raises:
        NotASkillError: It is no skill.
        TooLargeError: Its layer is larger than what is built and installed.
        BlobNotFoundError: A part of it is missing.
        OciLayoutError: A part of it is damaged.
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
    """Return what an annotation says; nothing where it cannot be read, as in ToolHive."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        return ()
    return tuple(found)
