"""FrozenMap: a mapping that cannot change, and can be hashed, copied and pickled."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

from ocilayout.model.frozenmap import FrozenMap, freeze, thaw

if TYPE_CHECKING:
    from ocilayout.model.frozenmap import Json

VALUE: Json = {"b": [1, [2.5, {"c": None}], {}], "a": True, "": "x"}


class TestFrozenMap:
    def test_it_reads_like_its_source(self) -> None:
        found = FrozenMap({"b": 1, "a": 2})
        assert found["a"] == 2
        assert list(found) == ["b", "a"]
        assert len(found) == 2
        assert repr(found) == "FrozenMap({'b': 1, 'a': 2})"
        with pytest.raises(KeyError):
            found["c"]

    def test_it_can_be_made_of_pairs_and_be_empty(self) -> None:
        assert FrozenMap([("a", 1)]) == {"a": 1}
        assert not FrozenMap()

    def test_a_change_of_its_source_does_not_change_it(self) -> None:
        items = {"a": 1}
        found = FrozenMap(items)
        items["a"] = 2
        assert found == {"a": 1}

    def test_it_can_be_neither_changed_nor_given_attributes(self) -> None:
        found = FrozenMap({"a": 1})
        assert not hasattr(found, "__setitem__")
        for name in ("_items", "other"):
            with pytest.raises(AttributeError, match=name):
                setattr(found, name, {})

    def test_equal_maps_are_equal_and_hash_alike_in_any_order(self) -> None:
        one, other = FrozenMap({"a": 1, "b": 2}), FrozenMap({"b": 2, "a": 1})
        assert one == other
        assert hash(one) == hash(other)
        assert one != FrozenMap({"a": 1})

    def test_copies_and_unpickled_maps_are_equal_to_it(self) -> None:
        found = FrozenMap({"a": FrozenMap({"b": 1})})
        assert copy.copy(found) == copy.deepcopy(found) == found
        assert pickle.loads(pickle.dumps(found)) == found


class TestFreeze:
    def test_a_frozen_value_can_be_hashed_and_thawed(self) -> None:
        frozen = freeze(VALUE)
        assert isinstance(hash(frozen), int)
        assert thaw(frozen) == VALUE
        assert thaw(frozen) is not VALUE

    def test_objects_become_maps_and_arrays_become_tuples_at_every_level(self) -> None:
        assert freeze({"a": [{"b": []}]}) == FrozenMap({"a": (FrozenMap({"b": ()}),)})
