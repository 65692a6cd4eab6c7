"""A state machine that runs a store against a model of it.

Hypothesis makes up sequences of verbs on two layouts, through several handles at once, and after
each one everything that can be seen is compared with a model: by reading the files of the layout
with nothing but `json`, and by asking the store. In between other programs write, and the disk
fails. A sequence that finds a difference is shrunk to the shortest one that does.

    def test_my_store() -> None:
        check_store(MyAdapter())

An adapter says what the store can do, and opens it; `Adapter` is what to begin with.
"""

from ocilayout.extra import naming_extra

with naming_extra():
    from ocilayout.testing.machine.adapter import (
        VERBS,
        Adapter,
        Removed,
        Step,
        Store,
        View,
    )
    from ocilayout.testing.machine.layoutstore import LayoutAdapter, LayoutStore
    from ocilayout.testing.machine.oracle import Model
    from ocilayout.testing.machine.program import ProgramAdapter, ProgramError
    from ocilayout.testing.machine.sample import (
        CONTENTS,
        FULL_NAMES,
        NAMES,
        UNCOMMON,
        Content,
        content_of,
        contents_of,
    )
    from ocilayout.testing.machine.state import AmbiguityError, Entry, RefusalError
    from ocilayout.testing.machine.verbs import StoreMachine, check_store

__all__ = [
    "CONTENTS",
    "FULL_NAMES",
    "NAMES",
    "UNCOMMON",
    "VERBS",
    "Adapter",
    "AmbiguityError",
    "Content",
    "Entry",
    "LayoutAdapter",
    "LayoutStore",
    "Model",
    "ProgramAdapter",
    "ProgramError",
    "RefusalError",
    "Removed",
    "Step",
    "Store",
    "StoreMachine",
    "View",
    "check_store",
    "content_of",
    "contents_of",
]
