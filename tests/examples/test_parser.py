"""A parser, tested with documents that are valid and with documents that nearly are."""

import json
import re

import pytest
from hypothesis import given

from ocilayout import Index
from ocilayout.testing.strategies import broken_documents, documents, indexes

# ---- your parser: it reads the digests from an image index

DIGEST = re.compile(r"[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
HEX = {"sha256": 64, "sha384": 96, "sha512": 128, "blake3": 64}


def read_digests(data: bytes) -> list[str]:
    index = json.loads(data.decode(), object_pairs_hook=once, parse_constant=refuse)
    if index["schemaVersion"] != 2 or {"config", "layers"} & {name.casefold() for name in index}:
        raise ValueError("this is not an image index")
    return [checked(entry["digest"]) for entry in index["manifests"]]


def checked(digest: str) -> str:
    algorithm, _, encoded = digest.partition(":")
    length = HEX.get(algorithm, len(encoded))
    if DIGEST.fullmatch(digest) is None or len(encoded) != length:
        raise ValueError(f"{digest} is not a valid digest")
    if algorithm in HEX and re.search(r"[^0-9a-f]", encoded):
        raise ValueError(f"{digest} is not in lower case")
    return digest


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a property is there twice")
    return dict(pairs)


def refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# ---- its tests


@given(documents(indexes()))
def test_a_document_is_read_however_it_is_written(document):
    assert read_digests(document.data) == [entry.digest for entry in document.model.manifests]


REFUSED = ["bad-encoding", "bad-json", "duplicate-property"]
REFUSED += ["bad-version", "ambiguous-document", "bad-digest"]


@given(broken_documents(Index, codes=REFUSED))
def test_a_document_with_a_defect_is_refused(miss):
    with pytest.raises(ValueError):
        read_digests(miss.value)
