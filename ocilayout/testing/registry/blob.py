"""Blobs in order: had whole or in part, and deleted."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from ocilayout.model import OCTET_STREAM
from ocilayout.testing.registry.exchange import PIECE, Answer, Request, refusal, reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.testing.registry.content import Holdings
    from ocilayout.testing.registry.exchange import Content

# RFC 9110, Byte Ranges; several at a time are not answered, as anybody may
_RANGE = re.compile(r"bytes=(?P<first>[0-9]*)-(?P<last>[0-9]*)")


def get_blob(held: Holdings, request: Request) -> Answer:
    """Answer with a blob, or with the range of it that was asked for."""
    content = held.blobs.get((request.name, request.reference))
    if content is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN")
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    headers = {"Docker-Content-Digest": request.reference, "Accept-Ranges": "bytes"}
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or match[0] == "bytes=-":
        return reply(HTTPStatus.OK, content, media_type=OCTET_STREAM, headers=headers)
    first, stop = _range(match["first"], match["last"], size)
    if first >= stop:
        return refusal(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "RANGE_INVALID",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return reply(
        HTTPStatus.PARTIAL_CONTENT,
        _part(content, first, stop),
        media_type=OCTET_STREAM,
        length=stop - first,
        headers={**headers, "Content-Range": f"bytes {first}-{stop - 1}/{size}"},
    )


def delete_blob(held: Holdings, request: Request) -> Answer:
    """Take a blob out of its repository."""
    if held.blobs.pop((request.name, request.reference), None) is None:
        return refusal(HTTPStatus.NOT_FOUND, "BLOB_UNKNOWN")
    return reply(HTTPStatus.ACCEPTED)


def _range(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:  # the last so many
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _part(content: Content, first: int, stop: int) -> Iterator[bytes]:
    if isinstance(content, bytes):
        for start in range(first, stop, PIECE):
            yield content[start : min(start + PIECE, stop)]
        return
    with content.open("rb") as file:
        file.seek(first)
        while data := file.read(min(PIECE, stop - file.tell())):
            yield data
