"""Referrers: manifests that are about other content, their `subject`, such as signatures.

The specification gives them no place in a layout, and programs use three. Most make a referrer an
untagged entry of the root index. BuildKit puts referrers into the index of the image, beside their
subjects. Other programs keep a list of them: an index under the fallback tag, which the
distribution-spec defines for registries without a referrers API. All three are read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocilayout.model import Descriptor, Index, describe_referrer, document_of, fallback_tag, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.layout.rootindex import RootIndex
    from ocilayout.model import Digest, Document, Read


class Referrers:
    """The referrers in a layout; every manifest that entries lead to is read once.

    An error of reading one passes through.

    Attributes:
        missing: The documents that were missing.

    Spec: image-layout:referrers.
    """

    def __init__(
        self, root: RootIndex, read: Read, right: Callable[[Descriptor], Descriptor]
    ) -> None:
        """Read the manifests that a root index leads to.

        Args:
            root: The root index.
            read: Returns documents, `None` for missing ones.
            right: Returns a descriptor with the size that the content has.
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
                about = self._about.setdefault(document.subject.digest, {})
                referrer = describe_referrer(right(descriptor), document)
                about.setdefault(descriptor.digest, referrer)
            return document

        for _ in walk([entry.descriptor for entry in root.entries()], note):
            pass

    def of(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Return the referrers to a digest, each once: of entries, then of the fallback tag."""
        referrers = dict(self._about.get(digest, {}))
        for entry in self._root.named(fallback_tag(digest)):
            listed = document_of(entry.descriptor, self._read)
            for descriptor in listed.manifests if isinstance(listed, Index) else ():
                referrers.setdefault(descriptor.digest, descriptor)
        return tuple(referrers.values())
