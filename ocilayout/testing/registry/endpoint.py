"""The endpoints of the API by name: which one a path is for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ocilayout.testing.registry.exchange import Request

# distribution-spec, Pulling manifests; the grammar of <name>
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = rf"/v2/(?P<name>{_COMPONENT}(?:/{_COMPONENT})*)"
_END = r"(?P<reference>[^/]+)"

_PATHS: Final = {
    "api": re.compile(r"/v2/?"),
    "token": re.compile(r"/token"),
    "catalog": re.compile(r"/v2/_catalog"),
    "tags": re.compile(rf"{_NAME}/tags/list"),
    "referrers": re.compile(rf"{_NAME}/referrers/{_END}"),
    "manifest": re.compile(rf"{_NAME}/manifests/{_END}"),
    "uploads": re.compile(rf"{_NAME}/blobs/uploads/?"),
    "upload": re.compile(rf"{_NAME}/blobs/uploads/{_END}"),
    "blob": re.compile(rf"{_NAME}/blobs/{_END}"),
}

ENDPOINTS: Final = tuple(_PATHS)
"""What requests are for: `uploads` begins an upload, `upload` is one that was begun, `api` the
root of the API."""


def locate(request: Request) -> None:
    """Note in a request which endpoint it is for, in which repository, and about what."""
    for endpoint, pattern in _PATHS.items():
        match = pattern.fullmatch(request.path)
        if match is not None:
            found = match.groupdict()
            request.endpoint = endpoint
            request.name = found.get("name", "")
            request.reference = found.get("reference", "")
            return
