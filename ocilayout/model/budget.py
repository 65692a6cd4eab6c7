"""The budget of a walk: how many documents it may read, and how many bytes of them.

Every walk over content from elsewhere reads documents through a budget. It keeps each document, so
that it is read once, and bounds the memory of all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout.errors import BlobNotFoundError
from ocilayout.model.document import decode_document, require_document_size
from ocilayout.model.graph import successors
from ocilayout.model.jsontext import count_nodes
from ocilayout.model.limit import DEFAULT_LIMITS, NODE, Limits, require_at_most
from ocilayout.model.manifest import Index, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocilayout.model.descriptor import Descriptor
    from ocilayout.model.digest import Digest
    from ocilayout.model.graph import Document

    Load = Callable[[Descriptor], bytes]

AT_A_TIME: Final = 50
"""How many tags share a budget where many are copied; their documents are held in memory."""


class Budget:
    """The documents of a graph, read once each, and counted.

    Attributes:
        documents: The documents that were read, each with the descriptor that it was read by.
    """

    def __init__(
        self,
        load: Load,
        *,
        limits: Limits = DEFAULT_LIMITS,
        of: str,
        size: Callable[[Digest], int] | None = None,
    ) -> None:
        """Set the limits.

        Args:
            load: Returns the bytes of a document, verified.
            limits: The limits on the size and the number of documents.
            of: The name of the graph, for messages.
            size: Returns the size of a blob; see `decode_document`.
        """
        self.documents: dict[Digest, tuple[Descriptor, bytes, Document]] = {}
        self._load = load
        self._limits = limits
        self._of = of
        self._size_of = size
        self._count = 0  # of the blobs that were read, also where they are not valid documents
        self._size = 0  # of the same blobs, in bytes

    def read(self, descriptor: Descriptor) -> Document:
        """Return a document.

        Raises:
            LimitExceededError: It is too large, or there are too many; then no further one is read.
            OciLayoutError: It is missing, damaged, or breaks the specification.

        Spec: considerations:limits.
        """
        known = self.documents.get(descriptor.digest)
        if known is not None and known[0].media_type == descriptor.media_type:
            return known[2]
        require_document_size(descriptor)
        name, limits = str(descriptor.digest), self._limits
        require_at_most(limits.document, descriptor.size, of=name, unit="bytes")
        self._require()
        data = self._load(descriptor)
        self._count += 1
        # As Latin-1, because the bytes may not be UTF-8: that is refused below.
        self._size += max(len(data), NODE * count_nodes(data.decode("latin-1")))
        self._require()
        document = decode_document(data, descriptor, size=self._size_of)
        if isinstance(document, Index):
            require_at_most(limits.children, len(document.manifests), of=name, unit="children")
        else:
            parts = document.layers if isinstance(document, Manifest) else successors(document)
            require_at_most(limits.layers, len(parts), of=name, unit="layers")
        self.documents[descriptor.digest] = (descriptor, data, document)
        return document

    def read_if_there(self, descriptor: Descriptor) -> Document | None:
        """Return a document, or `None` if it is missing.

        Raises:
            OciLayoutError: As for `read`.
        """
        try:
            return self.read(descriptor)
        except BlobNotFoundError:
            return None

    def _require(self) -> None:
        limits, of = self._limits, self._of
        require_at_most(limits.documents, self._count, of=of, unit="documents")
        require_at_most(limits.total, self._size, of=of, unit="bytes of documents")
