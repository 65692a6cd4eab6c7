"""A budget reads each document once, and bounds their number and size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import BlobNotFoundError, DocumentError, LimitExceededError
from ocilayout.model.budget import Budget
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.limit import NODE, Limits
from ocilayout.model.mediatype import OCI_INDEX

if TYPE_CHECKING:
    from collections.abc import Callable


def described(data: bytes) -> Descriptor:
    return Descriptor(media_type=OCI_INDEX, digest=Digest.of(data), size=len(data))


def index(number: int, more: str = "") -> bytes:
    note = json.dumps({"com.example.number": str(number)})
    return f'{{"schemaVersion":2,"manifests":[],"annotations":{note}{more}}}'.encode()


def loading(*contents: bytes) -> tuple[Callable[[Descriptor], bytes], list[str]]:
    """Return a function that loads contents, and the digests of its calls."""
    known = {Digest.of(data): data for data in contents}
    asked: list[str] = []

    def load(descriptor: Descriptor) -> bytes:
        asked.append(descriptor.digest)
        if descriptor.digest not in known:
            raise BlobNotFoundError("not here")
        return known[descriptor.digest]

    return load, asked


def test_each_document_is_read_once() -> None:
    """A document that was read is kept; a missing document is loaded again."""
    load, asked = loading(index(0))
    budget = Budget(load, of="it")
    there, absent = described(index(0)), described(index(1))
    assert budget.read(there) == budget.read_if_there(there)
    assert budget.read_if_there(absent) is None
    assert asked == [there.digest, absent.digest]
    with pytest.raises(BlobNotFoundError):
        budget.read(absent)


def test_no_more_documents_than_the_limit_are_read() -> None:
    """Above the limit no document is loaded, also if the caller ignores the error."""
    contents = [index(number) for number in range(5)]
    load, asked = loading(*contents)
    budget = Budget(load, limits=Limits(documents=2), of="it")
    for data in contents[:2]:
        budget.read(described(data))
    for data in contents[2:]:
        with pytest.raises(LimitExceededError, match="it has more than 2 documents"):
            budget.read(described(data))
    assert len(asked) == 3


def test_content_that_is_not_a_document_counts() -> None:
    """Bytes that are not a document were loaded as well."""
    contents = [b"[%d]" % number for number in range(3)]
    load, asked = loading(*contents)
    budget = Budget(load, limits=Limits(documents=1), of="it")
    with pytest.raises(DocumentError):
        budget.read(described(contents[0]))
    for data in contents[1:]:
        with pytest.raises(LimitExceededError):
            budget.read(described(data))
    assert len(asked) == 2


def test_a_dense_document_counts_for_more_than_its_bytes() -> None:
    """A document counts at least 16 bytes for each of its values."""
    dense = index(0, f',"x":[{"0," * 1000}0]')
    assert len(dense) < 3000
    load, _ = loading(dense)
    Budget(load, limits=Limits(total=1100 * NODE), of="it").read(described(dense))
    with pytest.raises(LimitExceededError, match="bytes of documents"):
        Budget(load, limits=Limits(total=1000 * NODE), of="it").read(described(dense))
