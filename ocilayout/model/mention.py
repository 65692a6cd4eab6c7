"""Mentions: the digests that a JSON document names, whatever its type and wherever they stand.

What a manifest or an index refers to is known (see `graph`). What a document of an unknown type
refers to is not, nor what an unknown property does; so before content is deleted, every digest that
stands there is held. The text is searched, not parsed: that takes any size, any nesting and any
flaw, and finding too much costs disk space only. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.frozenmap import thaw
from ocilayout.model.gojson import dump_json
from ocilayout.model.graph import successors
from ocilayout.model.retired import Schema1Manifest
from ocilayout.model.stream import CHUNK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocilayout.model.attribute import Extensible
    from ocilayout.model.graph import Document
    from ocilayout.model.stream import Readable

# A digest as the image-spec writes it, as in-toto does ({"sha256": "<hex>"}), as a path or a tag
# has it, in a string of another document, or the hexadecimal digits alone, of which the number
# tells the algorithm. Content of other algorithms cannot be verified here and is never deleted.
# A map of what is such a digit is searched for long runs, which is far quicker than an expression.
_HEXADECIMAL: Final = bytes(
    ord("x") if chr(code) in "0123456789abcdefABCDEF" else ord(" ") for code in range(256)
)
_RUN: Final = b"x" * 64
_BEFORE: Final = re.compile(rb"(sha256|sha384|sha512|blake3)[^a-z0-9]{0,256}\Z", re.IGNORECASE)
_REACH: Final = 262  # how far before the digits that may begin
_ALGORITHMS: Final = {64: "sha256", 96: "sha384", 128: "sha512"}
_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128, "blake3": 64}
# Any character of a digest may stand as an escape, such as \u003a for the colon.
_ESCAPE: Final = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_SUBJECT: Final = b'"subject"'

_MOST: Final = 129  # digits of a run that tell how long it is, as far as that matters

# The longest form: an algorithm, what may stand behind it, and the digits of sha512, each of these
# characters an escape of six bytes.
_LONGEST: Final = 6 * (len("sha512") + 256 + 128)

_JSON: Final = (b"{", b"[", b'"')
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

JSON_HEAD: Final = 512
"""How much of the beginning of content `begins_as_json` needs, in bytes."""


def begins_as_json(head: bytes) -> bool:
    """Tell by its first bytes whether content may be a JSON document.

    Args:
        head: The first 512 bytes, or all if there are fewer.
    """
    text = head.removeprefix(_BYTE_ORDER_MARK).lstrip()
    return text.startswith(_JSON) or (not text and len(head) == JSON_HEAD)


class Mentions:
    """A search for digests in content that comes piece by piece.

    Attributes:
        found: The digests so far.
        has_subject: Whether a property `subject` was met.
    """

    def __init__(self) -> None:
        self.found: set[Digest] = set()
        self.has_subject = False
        self._tail = b""

    def take(self, data: bytes) -> None:
        """Search the next bytes; what was cut at the end of the last ones is found, too."""
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
            before = _BEFORE.search(text[max(0, start - _REACH) : start])
            algorithm = "" if before is None else before[1].decode().lower()
            self._note(algorithm, text[start : min(end, start + _MOST)].decode().lower())
            start = runs.find(_RUN, end)

    def _note(self, algorithm: str, digits: str) -> None:
        if not algorithm:
            algorithm = _ALGORITHMS.get(len(digits), "")
        # What follows a digest may be hexadecimal as well, so it is cut at its length.
        length = _LENGTHS.get(algorithm, 0)
        if 0 < length <= len(digits):
            self.found.add(Digest(f"{algorithm}:{digits[:length]}"))


def search_mentions(stream: Readable) -> Mentions:
    """Return what stands in all that is left of a stream.

    Raises:
        Exception: Whatever the stream raises.
    """
    mentions = Mentions()
    while data := stream.read(CHUNK):
        mentions.take(data)
    return mentions


def mentioned_in(*values: Mapping[str, Any]) -> set[Digest]:
    """Return the digests that stand in JSON objects."""
    mentions = Mentions()
    for value in values:
        if value:
            mentions.take(dump_json({name: thaw(item) for name, item in value.items()}))
    return mentions.found


def extra_mentions(*holders: Extensible) -> set[Digest]:
    """Return the digests in the unknown properties of some values, and of platforms in them."""
    platforms = (holder.platform for holder in holders if isinstance(holder, Descriptor))
    told = (*holders, *(platform for platform in platforms if platform is not None))
    return mentioned_in(*(one.extra for one in told))


def document_mentions(document: Document) -> set[Digest]:
    """Return the digests in the unknown properties of a document and of what stands in it."""
    subject = () if document.subject is None else (document.subject,)
    layers = document.fs_layers if isinstance(document, Schema1Manifest) else ()
    return extra_mentions(document, *successors(document), *subject, *layers)
