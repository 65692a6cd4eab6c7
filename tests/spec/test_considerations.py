"""Requirements of the page considerations that no other test covers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout import Descriptor, Manifest, decode, encode


def turned(value: Any) -> Any:
    """Return JSON with the properties of every object in the opposite order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


@pytest.mark.spec("considerations:order")
class TestOrder:
    def test_a_document_means_the_same_in_any_order(self) -> None:
        """Read from the end, it is the same manifest, and is written in the usual order."""
        one = Descriptor.of(b"one", "a/b")
        manifest = Manifest(config=one, layers=(one,), annotations={"c.d": "e", "a.b": "c"})
        data = encode(manifest)
        other = json.dumps(turned(json.loads(data))).encode()
        assert other.index(b"schemaVersion") > other.index(b"layers")
        assert decode(other, Manifest) == manifest
        assert encode(decode(other, Manifest)) == data
