"""Referrers: what says of itself that it is about other content, by its `subject`.

A layout has no place of its own for them, and two ways are in use. Most programs make a referrer
an entry of the root index, mostly without a name. Others keep a list of them: an index under the
tag that the distribution-spec gives to registries without a referrers API. Both are read here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocilayout.descriptor import Descriptor
from ocilayout.graph import document_of
from ocilayout.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.digest import Digest
    from ocilayout.graph import Read
    from ocilayout.manifest import Manifest
    from ocilayout.rootindex import RootIndex

_NO_TAG = re.compile(r"[^A-Za-z0-9_.-]")


def fallback_tag(digest: Digest) -> str:
    """Return the tag of the list of referrers to a digest, such as `sha256-<hex>`.

    Spec: distribution-spec, Referrers Tag Schema.
    """
    return _NO_TAG.sub("-", f"{digest.algorithm[:32]}-{digest.encoded[:64]}")


def find_referrers(root: RootIndex, digest: Digest, read: Read) -> Iterator[Descriptor]:
    """Give what refers to a digest, each once: entries in document order, then what is listed.

    Args:
        root: The root index.
        digest: What is referred to.
        read: Gives documents, `None` for missing ones.

    Raises:
        Exception: Whatever `read` raises.
    """
    seen: set[Digest] = set()
    for entry in root.entries():
        descriptor = entry.descriptor
        document = document_of(descriptor, read)
        about = None if document is None else document.subject
        if document is None or about is None or about.digest != digest:
            continue
        if descriptor.digest not in seen:
            seen.add(descriptor.digest)
            yield describe_referrer(descriptor, document)
    for entry in root.named(fallback_tag(digest)):
        listed = document_of(entry.descriptor, read)
        for descriptor in listed.manifests if isinstance(listed, Index) else ():
            if descriptor.digest not in seen:
                seen.add(descriptor.digest)
                yield descriptor


def describe_referrer(plain: Descriptor, document: Manifest | Index) -> Descriptor:
    """Return a descriptor as the referrers API gives it: with the type and annotations inside.

    Args:
        plain: The descriptor of the referrer.
        document: The referrer.

    Spec: distribution-spec, Listing Referrers and Pushing Manifests with Subject.
    """
    artifact_type = document.artifact_type
    if not artifact_type and not isinstance(document, Index):
        artifact_type = document.config.media_type
    return Descriptor(
        media_type=plain.media_type,
        digest=plain.digest,
        size=plain.size,
        artifact_type=artifact_type,
        annotations=document.annotations,
    )
