"""Referrers: what says of itself that it is about other content, by its `subject`.

A layout has no place of its own for them, and three ways are in use. Most programs make a referrer
an untagged entry of the root index. BuildKit puts them into the index of the image, beside the
manifests that they are about. Others keep a list of them: an index under the tag that the
distribution-spec gives to registries without a referrers API. All three are read here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocilayout.model import Descriptor, Index, Manifest, document_of, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Digest, Document, Read

_NO_TAG = re.compile(r"[^A-Za-z0-9_.-]")


def fallback_tag(digest: Digest) -> str:
    """Return the tag of the list of referrers to a digest, such as `sha256-<hex>`.

    Spec: distribution:referrers-tag.
    """
    return _NO_TAG.sub("-", f"{digest.algorithm[:32]}-{digest.encoded[:64]}")


class Referrers:
    """What refers to what in a root index; every manifest that entries lead to is read once.

    Attributes:
        missing: The documents that were not there to be read.

    Spec: image-layout:referrers.
    """

    def __init__(
        self, root: RootIndex, read: Read, right: Callable[[Descriptor], Descriptor]
    ) -> None:
        """Read the manifests of a root index.

        Args:
            root: The root index.
            read: Gives documents, `None` for missing ones.
            right: Gives a document that is there the size that it has.

        Raises:
            Exception: Whatever `read` raises.
        """
        self._root = root
        self._read = read
        self._about: dict[Digest, dict[Digest, Descriptor]] = {}
        self.missing: set[Digest] = set()

        def note(descriptor: Descriptor) -> Document | None:
            document = read(descriptor)
            if document is None:
                self.missing.add(descriptor.digest)
            if document is not None and document.subject is not None:
                found = self._about.setdefault(document.subject.digest, {})
                referrer = describe_referrer(right(descriptor), document)
                found.setdefault(descriptor.digest, referrer)
            return document

        for _ in walk([entry.descriptor for entry in root.entries()], note):
            pass

    def of(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Return what refers to a digest, each once: entries in order, then what is listed.

        Raises:
            Exception: Whatever `read` raises.
        """
        found = dict(self._about.get(digest, {}))
        for entry in self._root.named(fallback_tag(digest)):
            listed = document_of(entry.descriptor, self._read)
            for descriptor in listed.manifests if isinstance(listed, Index) else ():
                found.setdefault(descriptor.digest, descriptor)
        return tuple(found.values())


def describe_referrer(plain: Descriptor, document: Document) -> Descriptor:
    """Return a descriptor as the referrers API gives it: with the type and annotations inside.

    Args:
        plain: The descriptor of the referrer.
        document: The referrer.

    Spec: distribution:list-type, distribution:list-annotations, manifest:artifact-type-fallback.
    """
    artifact_type = document.artifact_type
    if not artifact_type and isinstance(document, Manifest):
        artifact_type = document.config.media_type
    return Descriptor(
        media_type=plain.media_type,
        digest=plain.digest,
        size=plain.size,
        artifact_type=artifact_type,
        annotations=document.annotations,
    )
