"""A client, tested against a registry that lies."""

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
            data = answer.read(size + 1)  # and no more, whatever the registry has
    except (OSError, http.client.HTTPException) as error:
        raise PullError(f"{digest} was not to be had: {error}") from error
    if len(data) != size or f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise PullError(f"{digest} is not what came")
    return data


# ---- its tests

LIES = {
    "another byte": fault.flip(at=2),
    "less, as announced": fault.shrink(),
    "more, as announced": fault.grow(),
    "less than announced": fault.cut(after=3),
    "another length": fault.promise(3),
    "compressed unasked": fault.gzip(),
    "no answer": fault.hang_up(),
    "no HTTP": fault.raw(b"what?\r\n\r\n"),
    "round in circles": fault.redirect_forever(),
    "an error": fault.refuse(503),
}


def test_a_blob_is_pulled(oci_registry):
    blob = oci_registry.put_blob("team/app", b"content")
    assert pull(oci_registry.host, "team/app", blob.digest, blob.size) == b"content"


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_is_no_content(oci_registry, lie):
    blob = oci_registry.put_blob("team/app", b"content")
    oci_registry.misbehave("GET blob", lie)
    with pytest.raises(PullError):
        pull(oci_registry.host, "team/app", blob.digest, blob.size)
