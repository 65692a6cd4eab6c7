"""Lookup: the positions of texts in a list."""

from __future__ import annotations

from ocilayout.layout.lookup import Positions


class TestPositions:
    def test_a_text_is_found_in_all_its_places_in_order(self) -> None:
        found = Positions(["a", "b", None, "", "a", "a"])
        assert sorted(found) == ["a", "b"]
        assert (found.of("a"), found.of("b"), found.of("c"), found.of("")) == (
            [0, 4, 5],
            [1],
            [],
            [],
        )
        assert (found.count("a"), found.count("b"), found.count("c")) == (3, 1, 0)

    def test_positions_shared_by_two_texts_are_found_in_order(self) -> None:
        found, others = Positions(["a", "a", "b", "a"]), Positions(["x", "y", "x", "x"])
        assert found.shared("a", others, "x") == [0, 3]
        assert found.shared("b", others, "x") == [2]
        assert found.shared("b", others, "y") == found.shared("c", others, "x") == []

    def test_a_moved_text_is_found_at_its_new_position_alone(self) -> None:
        found = Positions(["a", "b", "a"])
        found.move(0, "a", "b")
        assert (found.of("a"), found.of("b")) == ([2], [0, 1])
        found.move(1, "b", None)
        found.move(3, None, "c")
        assert (found.of("b"), found.of("c"), sorted(found)) == ([0], [3], ["a", "b", "c"])
        found.move(0, "b", "")
        assert (found.count("b"), found.of("b"), sorted(found)) == (0, [], ["a", "c"])
