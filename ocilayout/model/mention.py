"""Mentions: the digests in a JSON text, in any property and any form.

Manifests and indexes refer to content in known properties (see `graph`). A document of an unknown
type, or an unknown property, may refer to content as well, so garbage collection keeps the blobs of
all digests in it. The text is searched and not parsed: so it may have any size, nesting or error,
and a false mention costs disk space only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import ENCODED_LENGTHS, Digest
from ocilayout.model.frozenmap import thaw
from ocilayout.model.gojson import dump_json
from ocilayout.model.graph import successors
from ocilayout.model.retired import Schema1Manifest
from ocilayout.model.stream import CHUNK

if TYPE_CHECKING:
    from ocilayout.model.attribute import Extensible
    from ocilayout.model.graph import Document
    from ocilayout.model.stream import Readable

# A digest is found in the form of the image-spec (sha256:<hex>), of in-toto ({"sha256": "<hex>"}),
# of a path (sha256/<hex>) or a tag (sha256-<hex>), inside of a string that is JSON itself, or as
# hexadecimal digits alone, whose number tells the algorithm. Blobs of other algorithms cannot be
# verified here and are never deleted.
# The bytes are mapped to "x" for a digit and " " for any other, and that is searched for long runs,
# which is far quicker than a regular expression.
_HEXADECIMAL: Final = bytes(
    ord("x") if chr(code) in "0123456789abcdefABCDEF" else ord(" ") for code in range(256)
)
_RUN: Final = b"x" * 64
_ALGORITHM: Final = re.compile(rb"(sha256|sha384|sha512|blake3)[^a-z0-9]{0,256}\Z", re.IGNORECASE)
_ALGORITHM_REACH: Final = len("sha256") + 256  # the most bytes that it matches
_ALGORITHMS: Final = {length: name for name, length in ENCODED_LENGTHS.items() if name != "blake3"}
# JSON may escape any character of a digest, such as the colon as \u003a.
_ESCAPE: Final = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_SUBJECT: Final = b'"subject"'

_MOST_DIGITS: Final = 129  # one more than any digest has: a longer run tells no more

# The longest mention: an algorithm, 256 characters and the digits of sha512, each character an
# escape of six bytes.
_LONGEST: Final = 6 * (len("sha512") + 256 + 128)

_JSON: Final = (b"{", b"[", b'"')
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

JSON_HEAD: Final = 512
"""The length of the head that `begins_as_json` needs, in bytes."""


def begins_as_json(head: bytes) -> bool:
    """Return, by its first 512 bytes, whether content may be a JSON document."""
    # White space may go on behind the head.
    text = head.removeprefix(_BYTE_ORDER_MARK).lstrip()
    return text.startswith(_JSON) or (not text and len(head) == JSON_HEAD)


class Mentions:
    """A search for digests in content that is read piece by piece.

    Attributes:
        found: The digests so far.
        has_subject: Whether a property `subject` was found.
    """

    def __init__(self) -> None:
        self.found: set[Digest] = set()
        self.has_subject = False
        self._tail = b""

    def take(self, data: bytes) -> None:
        """Search the next bytes; a digest may begin in the bytes before."""
        text = self._tail + data
        self._tail = text[-_LONGEST:]
        if b"\\u00" in text:
            text = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), text)
        self.has_subject = self.has_subject or _SUBJECT in text
        runs = text.translate(_HEXADECIMAL)
        start = runs.find(_RUN)
        while start >= 0:
            end = runs.find(b" ", start)
            end = len(text) if end < 0 else end
            match = _ALGORITHM.search(text[max(0, start - _ALGORITHM_REACH) : start])
            algorithm = "" if match is None else match[1].decode().lower()
            self._add(algorithm, text[start : min(end, start + _MOST_DIGITS)].decode().lower())
            start = runs.find(_RUN, end)

    def _add(self, algorithm: str, digits: str) -> None:
        if not algorithm:
            algorithm = _ALGORITHMS.get(len(digits), "")
        # The text behind a digest may begin with such digits as well, so the run is cut.
        length = ENCODED_LENGTHS.get(algorithm, 0)
        if 0 < length <= len(digits):
            self.found.add(Digest.parse(f"{algorithm}:{digits[:length]}"))


def search_mentions(stream: Readable, head: bytes = b"") -> Mentions:
    """Search a stream from its position to its end, and bytes that were read from it before.

    Raises:
        Exception: Any error of the stream.
    """
    mentions = Mentions()
    mentions.take(head)
    while data := stream.read(CHUNK):
        mentions.take(data)
    return mentions


def extra_mentions(*models: Extensible) -> set[Digest]:
    """Return the digests in the unknown properties of models and of the platforms in them."""
    platforms = [model.platform for model in models if isinstance(model, Descriptor)]
    extras = [model.extra for model in (*models, *platforms) if model is not None and model.extra]
    if not extras:  # as nearly always, and asked for each document of a store
        return set()
    mentions = Mentions()
    for extra in extras:
        mentions.take(dump_json({name: thaw(item) for name, item in extra.items()}))
    return mentions.found


def document_mentions(document: Document) -> set[Digest]:
    """Return the digests in the unknown properties of a document and of its descriptors."""
    subject = () if document.subject is None else (document.subject,)
    layers = document.fs_layers if isinstance(document, Schema1Manifest) else ()
    return extra_mentions(document, *successors(document), *subject, *layers)
