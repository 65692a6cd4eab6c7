"""Cases about `index.json`: reading, querying and editing it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ocilayout import Layout
from tests.bench.material import make_index, name_of, put_something
from tests.bench.measure import Case, Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOADS: Final = "json.loads of its bytes"
_AT_ONCE: Final = 10_000


def _reading(read: Callable[[Layout, int], object]) -> Callable[[Path, int], Subject]:
    def make(folder: Path, size: int) -> Subject:
        data = make_index(folder, size)
        return Subject(
            ours=lambda: read(Layout.open(folder), size),
            yardsticks={_LOADS: lambda: json.loads(data)},
        )

    return make


def _tag(folder: Path, size: int) -> Subject:
    data = make_index(folder, size)
    target = put_something(folder)
    layout = Layout.open(folder, durability="none")
    return Subject(
        ours=lambda: layout.tag("new", target),
        yardsticks={"json.loads and json.dumps of it": lambda: json.dumps(json.loads(data))},
        before=lambda: (folder / "index.json").write_bytes(data),
    )


def _many(folder: Path, size: int) -> Subject:
    data = make_index(folder, size)
    target = put_something(folder)
    layout = Layout.open(folder, durability="none")

    def many() -> None:
        with layout.edit() as edit:
            for number in range(_AT_ONCE):
                edit.tag(f"new-{number}", target)

    return Subject(
        ours=many,
        yardsticks={"an edit of one tag": lambda: layout.tag("new", target)},
        before=lambda: (folder / "index.json").write_bytes(data),
    )


CASES: Final = (
    Case(
        name="open",
        about="Layout.open and tags()",
        make=_reading(lambda layout, _: layout.tags()),
        limits={10_000: 1.6, 100_000: 1.6},
    ),
    Case(
        name="resolve",
        about="Layout.open and resolve() of one name",
        make=_reading(lambda layout, size: layout.resolve(name_of(size // 2))),
    ),
    Case(
        name="entries",
        about="Layout.open and entries()",
        make=_reading(lambda layout, _: layout.entries()),
    ),
    Case(
        name="tag",
        about="tag() of one name, nothing synced",
        make=_tag,
        limits={1_000: 2.5, 10_000: 2.5, 100_000: 2.5},
    ),
    Case(
        name="tags-at-once",
        about=f"edit() with {_AT_ONCE:,} tags, nothing synced",
        make=_many,
        limits={100_000: 2.0},
        grows=False,
    ),
)
