"""A client, tested with a registry that lies."""

import hashlib
import http.client
from urllib.request import urlopen

import pytest

from ocilayout.testing.registry import fault

# ---- your client: it pulls a blob


class PullError(Exception):
    pass


def pull(host: str, repository: str, digest: str, size: int) -> bytes:
    try:
        with urlopen(f"http://{host}/v2/{repository}/blobs/{digest}", timeout=10) as answer:
            data = answer.read(size + 1)  # and no more, whatever the registry sends
    except (OSError, http.client.HTTPException) as error:
        raise PullError(f"{digest} cannot be pulled: {error}") from error
    if len(data) != size or f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise PullError(f"the content is not that of {digest}")
    return data


# ---- its tests

LIES = {
    "another byte": fault.flip(at=2),
    "shorter, as announced": fault.shrink(),
    "longer, as announced": fault.grow(),
    "shorter than announced": fault.cut(after=3),
    "another length": fault.promise(3),
    "compressed without a request": fault.gzip(),
    "no answer": fault.hang_up(),
    "not HTTP": fault.raw(b"what?\r\n\r\n"),
    "endless redirects": fault.redirect_forever(),
    "an error": fault.refuse(503),
}


def test_a_blob_is_pulled(oci_registry):
    blob = oci_registry.put_blob("team/app", b"content")
    assert pull(oci_registry.host, "team/app", blob.digest, blob.size) == b"content"


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_is_an_error(oci_registry, lie):
    blob = oci_registry.put_blob("team/app", b"content")
    oci_registry.misbehave("GET blob", lie)
    with pytest.raises(PullError):
        pull(oci_registry.host, "team/app", blob.digest, blob.size)
