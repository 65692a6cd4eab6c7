"""How rows are made to fit a width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ocilayout.cli.columns import GAP, Cell, brief, cell_width, cut, fit, full

ROWS: list[list[Cell]] = [
    ["NAME", "DIGEST", "KIND", "SIZE"],
    ["ghcr.io/org/app:v1", ("sha256:44136fa355b3", "44136fa355b3"), "manifest", "1.2 MiB"],
]


def lines(rows: list[list[Cell]], width: int) -> list[str]:
    """Return rows as a listing of entries has them."""
    fitted = fit(rows, width, shorten=(1, 2, 3), drop=(2, 3), whole=(1,))
    return [(" " * GAP).join(row).rstrip() for row in fitted]


def test_the_steps_are_taken_one_after_the_other() -> None:
    """First the brief forms, then the columns in their order, then the name in its middle."""
    name = "ghcr.io/org/app:v1"
    assert lines(ROWS, 80)[1] == f"{name}  sha256:44136fa355b3  manifest  1.2 MiB"
    assert lines(ROWS, 58)[1] == f"{name}  sha256:44136fa355b3  manifest  1.2 MiB"
    assert lines(ROWS, 57)[1] == f"{name}  44136fa355b3  manifest  1.2 MiB"
    assert lines(ROWS, 50)[1] == f"{name}  44136fa355b3  1.2 MiB"
    assert lines(ROWS, 40)[1] == f"{name}  44136fa355b3"
    assert lines(ROWS, 30)[1] == "ghcr.io/…/app:v1  44136fa355b3"
    assert lines(ROWS, 1)[1] == "ghc…v1  44136fa355b3"  # no narrower than that


def test_a_sentence_is_cut_before_a_name_and_at_its_end() -> None:
    rows: list[list[Cell]] = [["digest-mismatch", "The content has another digest."]]
    assert fit(rows, 40, prose=(1,)) == [["digest-mismatch", "The content has anothe…"]]
    assert fit(rows, 24, prose=(1,)) == [["digest-mismatch", "The co…"]]
    assert fit(rows, 20, prose=(1,)) == [["digest…match", "The c…"]]


def test_a_cut_counts_cells() -> None:
    """A wide character takes two cells, a mark none, and a mark stays with its letter."""
    assert cut("日本語の名前", 7, ellipsis="…") == "日…前"
    assert cut("日本語の名前", 9, ellipsis="…") == "日本…名前"
    assert cut("e\u0301" * 9, 5, ellipsis="…") == "e\u0301e\u0301…e\u0301e\u0301"
    assert cut("a" * 9 + "x\u0301", 4, ellipsis="…") == "aa…x\u0301"
    assert cut("abcdef", 2, ellipsis="...") == "ab"


CELLS = st.text(st.sampled_from("ab-/日語e\u0301"), max_size=30)
TABLES = st.integers(1, 5).flatmap(
    lambda count: st.lists(
        st.lists(CELLS | st.tuples(CELLS, CELLS), min_size=count, max_size=count),
        min_size=1,
        max_size=4,
    )
)


@given(rows=TABLES, width=st.integers(1, 120), data=st.data())
def test_every_table(rows: list[list[Cell]], width: int, data: st.DataObject) -> None:
    """Rows stay aligned and fit, what is whole is never cut, and wide tables stay as they are."""
    columns = range(len(rows[0]))
    drop = data.draw(st.lists(st.sampled_from([*columns]), unique=True, max_size=len(columns) - 1))
    whole = data.draw(st.sets(st.sampled_from(columns)))
    fitted = fit(rows, width, drop=drop, whole=whole)
    gone = drop[: len(columns) - len(fitted[0])]
    kept = [at for at in columns if at not in gone]
    (widths,) = {tuple(map(cell_width, row)) for row in fitted}
    if sum(widths) + GAP * (len(widths) - 1) > width:
        assert gone == drop
        assert all(at in whole or wide <= 6 for at, wide in zip(kept, widths, strict=True))
    for row, texts in zip(rows, fitted, strict=True):
        for at, text in zip(kept, texts, strict=True):
            if at in whole:
                assert text.rstrip() in {full(row[at]).rstrip(), brief(row[at]).rstrip()}
