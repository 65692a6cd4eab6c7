"""Laws of reading a root index in parts: the result and the errors are the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocilayout.errors import DocumentError
from ocilayout.layout import entrylist
from ocilayout.layout.rootentry import check_entry
from ocilayout.layout.rootindex import RootIndex
from ocilayout.model.attribute import require_without
from ocilayout.model.codec import structure
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.ijson import parse_json
from ocilayout.model.manifest import Index
from ocilayout.model.mediatype import OCI_MANIFEST
from ocilayout.testing import strategies as own
from tests.effort import examples

LAW = settings(deadline=None, max_examples=settings().max_examples // examples(1, 2))
PARTS = st.sampled_from([0, 30, 100, 300])
WHOLE = 10**9
DAMAGE = (
    b"",
    *(bytes([byte]) for byte in b'"{}[],: \\'),
    b"null",
    b"\\u0061",
    b"\\ud8ff",
    b"1e400",
    b"9" * 309,
)
TARGET = Descriptor.of(b"x", OCI_MANIFEST)


def read(data: bytes, part: int) -> dict[str, object]:
    """Return all that can be read from a root index, or why it is refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entrylist, "PART", part)
        try:
            root = RootIndex(data)
        except DocumentError as error:
            return {"refused": error.problems}
        names, entries = root.names(), json.dumps(list(root.raw_entries()))
        root.tag("new", TARGET)
        return {"names": names, "entries": entries, "edited": root.encode()}


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Give root indexes in any form of JSON."""
    document: dict[str, Any] = draw(own.root_index_documents())
    document["manifests"] = (document.get("manifests") or []) * draw(st.integers(1, 3))
    style: dict[str, Any] = draw(
        st.sampled_from(
            [{"separators": (",", ":")}, {}, {"indent": 2}, {"separators": (" ,\n", " :")}]
        )
    )
    return json.dumps(document, ensure_ascii=draw(st.booleans()), **style).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Give root indexes with some bytes replaced."""
    good = draw(texts())
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, min(start + 4, len(good))))
    damage = [
        b"",
        b'"',
        b"}",
        b"{",
        b"]",
        b"[",
        b"null",
        b"\\u0061",
        b"\\ud8ff",
        b"1e400",
        b"9" * 309,
        b",",
        b"NaN",
    ]
    return good[:start] + draw(st.sampled_from(damage)) + good[end:]


@LAW
@given(texts() | damaged(), PARTS)
@example(b'{"schemaVersion":2,"manifests":[{"digest":"a:b"},{"digest":"a:b","digest":1}]}', 0)
@example(b'{"schemaVersion":1,"manifests":[{"digest":"a:b"},{"digest":2}]}', 0)
@example(b'{"schemaVersion":2,"manifests":[{"digest":"a:b"},{"digest":"a:b"}],"manifests":[]}', 0)
@example(b'{"schemaVersion":2,"manifests":[{"digest":"a:b"},{"digest":"a:b"}]}]', 0)
def test_a_root_index_is_the_same_in_parts_of_any_size(data: bytes, part: int) -> None:
    assert read(data, part) == read(data, WHOLE)


def names_in_short(data: bytes) -> tuple[str, ...]:
    """Return the names of a root index, by the simplest code that follows the rules."""
    document = parse_json(data)
    entries = document.pop("manifests", None) or []
    if document.get("schemaVersion") is None:  # which readers take for 2
        document["schemaVersion"] = 2
    require_without(structure(document, Index).extra, "config", "layers")
    assert isinstance(entries, list)
    names = {check_entry(entry) for entry in entries}
    return tuple(sorted(name for name in names if name))


@LAW
@given(texts() | damaged(), PARTS)
def test_it_is_read_if_it_is_ijson_and_every_entry_is_valid(data: bytes, part: int) -> None:
    try:
        names = names_in_short(data)
    except DocumentError:
        assert "refused" in read(data, part)
    else:
        assert read(data, part)["names"] == names
