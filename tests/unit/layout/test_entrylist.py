"""Entries as text: where it is cut, and what is kept of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.layout import entrylist
from ocilayout.layout.entrylist import EntryList, iter_parts
from ocilayout.model.annotation import REF_NAME
from ocilayout.model.limit import MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGEST = "sha256:" + "0" * 64


@pytest.fixture(autouse=True)
def _small_parts() -> Iterator[None]:
    """Cut the text wherever it can be cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entrylist, "PART", 0)
        yield


def entry(name: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"digest": DIGEST, **rest, **({} if name is None else {"annotations": {REF_NAME: name}})}


def names(text: str) -> list[str | None]:
    return EntryList(text, 0).names


NESTED = [{"a": 1}, {"b": [{"c": "},{"}, {"d": 2}]}]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [entry("a")],
        [entry("a"), entry(), entry("b", annotations=None)],
        [entry("a", x=NESTED), entry("b")],
        [entry("a"), entry("b", x=NESTED), entry("c", x=NESTED), entry("d")],
        [entry("},{"), entry('"},{"'), entry("c")],
        [entry("a"), entry("\\"), entry('\\"')],
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_entries_are_read_and_written_wherever_the_text_may_seem_to_be_cut(
    entries: list[dict[str, Any]], indent: int | None
) -> None:
    text = json.dumps(entries, indent=indent)
    before = '{"x":[],"manifests":'
    found = EntryList(f'{before}{text},"y":[{{}},{{}}]}}', len(before))
    assert list(found.iter_entries()) == list(enumerate(entries))
    assert [found[position] for position in range(len(entries))] == entries
    assert found.names == [(item.get("annotations") or {}).get(REF_NAME) for item in entries]
    assert found.end == len(before) + len(text)
    assert json.loads(found.encode()) == entries
    for position in range(len(entries)):
        found[position] = entry(f"new {position}")
    new = [entry(f"new {position}") for position in range(len(entries))]
    assert [found[position] for position in range(len(entries))] == new
    assert json.loads(found.encode()) == new


@pytest.mark.parametrize("text", ["[{},{}", "[{},", "[{}x", "[", '[{},{"a"}]'])
def test_a_value_that_is_not_an_array_is_refused(text: str) -> None:
    with pytest.raises(DocumentError):
        EntryList(text, 0)


@pytest.mark.parametrize(
    "second",
    [
        '{"digest":"%s","digest":"%s"}',
        '{"digest":"%s" ,"digest" :"%s"}',
        '{"digest":"%s","annotations":{"a":"","a":"%s"}}',
        '{"digest":"%s","x":{"y":{"a":1,"a":"%s"}}}',
        '{"digest":"%s","x":{},"x":"%s"}',
        '{"digest":"%s","x":[{"a":1,"a":"%s"}]}',
        '{"digest":"%s","x":"\\ud800","y":"%s"}',
        '{"digest":"%s","x":NaN,"y":"%s"}',
        '{"digest":"%s","Digest":"%s"}',
    ],
)
def test_each_part_is_checked_as_strictly_as_a_document(second: str) -> None:
    with pytest.raises(DocumentError):
        EntryList(f'[{{"digest":"{DIGEST}"}},{second % (DIGEST, DIGEST)}]', 0)


def test_a_bad_entry_is_refused_at_its_position() -> None:
    with pytest.raises(DocumentError) as caught:
        EntryList(json.dumps([entry("a"), entry("b"), {"digest": 1}]), 0)
    assert [found.place for found in caught.value.problems] == ["$[2].digest"]


def test_unchanged_entries_lose_white_space_alone() -> None:
    kept = f'{{"digest":"{DIGEST}","x":[1.50,1E5,-0,"a\\/ \\u00e9 <b>"]}}'
    spaced = kept.replace(",", " ,\n").replace(":[", "\t: [")
    found = EntryList(f'[ {spaced} , {{"digest":"{DIGEST}"}} ,{spaced}\n]', 0)
    found[1] = entry("a")
    assert found.encode() == f"[{kept},{json.dumps(entry('a'), separators=(',', ':'))},{kept}]"


def test_a_dropped_entry_is_not_written_and_other_positions_stay() -> None:
    found = EntryList(json.dumps([entry("a"), entry("b"), entry("c")]), 0)
    found[found.append()] = entry("d")
    found.append()
    found[0] = found[1] = {}
    found[found.append()] = entry("e")
    assert found.names == [None, None, "c", "d", None, "e"]
    assert found.digests == ["", "", DIGEST, DIGEST, "", DIGEST]
    assert list(found.iter_entries()) == [(2, entry("c")), (3, entry("d")), (5, entry("e"))]
    assert json.loads(found.encode()) == [entry("c"), entry("d"), entry("e")]


def test_entries_with_a_word_are_yielded_even_if_it_is_escaped() -> None:
    digest = f'"digest":"{DIGEST}"'
    found = EntryList(f'[{{{digest},"\\u0077ord":1}},{{{digest}}},{{{digest},"word":2}}]', 0)
    assert [position for position, _ in found.iter_entries("word")] == [0, 2]
    found[found.append()] = entry()
    assert [position for position, _ in found.iter_entries("word")] == [0, 2, 3]


def test_a_cut_through_every_entry_does_not_matter() -> None:
    """Entries that contain text like their ends are parsed in parts all the same."""
    text = json.dumps([entry(f"v{number}", x=NESTED) for number in range(50)])
    parts = list(iter_parts(text, 0))
    assert len(parts) > 10
    assert [found for part in parts for found in part.entries] == json.loads(text)
    assert parts[-1].end == len(text)


@pytest.mark.parametrize("flaw", ["{,}", '{"a":tru}', "{'a':1}", '{"a":NaN}'])
def test_a_fault_is_found_without_reading_on(flaw: str) -> None:
    """A flaw between entries is an error where it is, and not of what follows it."""
    text = json.dumps([entry(str(number)) for number in range(10)])
    parts = iter_parts(text.replace("}, {", f"}}, {flaw}, {{", 1) + "[" * MAX_NODES, 0)
    with pytest.raises(DocumentError):
        list(parts)


def test_an_entry_with_too_many_values_is_refused() -> None:
    """An entry is bounded, and so are entries together that are not flat."""
    half = [0] * (MAX_NODES // 2)
    assert len(names(json.dumps([entry(x=half)], separators=(",", ":")))) == 1
    for wrong in (
        [entry(x=[0] * MAX_NODES)],
        [entry(), entry(x=[0] * MAX_NODES), entry()],
        [entry(x=half) for _ in range(5)],
    ):
        with pytest.raises(LimitExceededError) as caught:
            names(json.dumps(wrong, separators=(",", ":")))
        assert caught.value.what == "nodes"
