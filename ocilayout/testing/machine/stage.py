"""What all rules of the machine work on: two layouts, and what must hold after each rule."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ocilayout.testing.machine.side import Handle, Side
from ocilayout.testing.machine.state import AmbiguityError, RefusalError
from ocilayout.testing.machine.workplace import workplace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis import settings

    from ocilayout.testing.machine.adapter import Adapter

some = st.integers(0, 9)
"""A choice among several sides, handles or references."""

handles = st.builds(lambda stage, at, by: stage.handle(at, by), st.runner(), some, some)
"""The handles on both layouts."""

stale = st.runner().flatmap(lambda stage: st.sampled_from(stage.stale_handles()))
"""The handles that are not as a new one would be."""

many = st.integers(0, 99)
"""Which of many."""

_beginnings = st.sampled_from(["empty", "filled", "with full names", "with full names"])

names = st.runner().flatmap(lambda machine: st.sampled_from(machine.adapter.names))
contents = st.runner().flatmap(lambda machine: st.sampled_from(machine.adapter.contents))


class OnEnd(Protocol):
    """Called at the end of a sequence of verbs."""

    def __call__(self, *, is_bug: bool) -> object:
        """Take notice of whether the sequence found a bug."""
        ...


class Stage(RuleBasedStateMachine):
    """Two layouts with several handles each.

    Attributes:
        adapter: Opens the stores.
        sides: The layouts.
    """

    def __init__(
        self,
        adapter: Adapter,
        *,
        folder: Path | None,
        on_step: Callable[[], object],
        on_end: OnEnd = lambda *, is_bug: None,  # noqa: ARG005 # the name of an argument counts
    ) -> None:
        super().__init__()
        self.adapter = adapter
        self.sides: list[Side] = []
        self._on_step = on_step
        self._on_end = on_end
        self._open = ExitStack()
        self._folder = self._open.enter_context(workplace(folder))

    @initialize(begun=st.tuples(_beginnings, _beginnings))
    def create(self, begun: tuple[str, str]) -> None:
        """Make both layouts, empty or as another program has left them."""
        known = {content.digest: content for content in self.adapter.contents}
        for name, how in zip(("left", "right"), begun, strict=True):
            side = Side(self.adapter, self._folder / name, self.adapter.model(known))
            side.begin(
                filled=how != "empty" and self.adapter.exact,
                full_names=how == "with full names" and has("full_names")(self),
            )
            self.sides.append(side)

    @invariant()
    def layouts_are_what_they_must_be(self) -> None:
        """The files, and what the store says of them, are what the model says."""
        for side in self.sides:
            side.require()

    def check_invariants(
        self, settings: settings, output: Callable[[str], object], runtimes: dict[str, float]
    ) -> None:
        """Check the invariant as Hypothesis does, without a line for it in a failing sequence."""
        del output
        super().check_invariants(settings, lambda _: None, runtimes)

    @precondition(lambda stage: stage.stale_handles())
    @rule(by=stale)
    def reopen(self, by: Handle) -> None:
        """Give up a handle for a new one."""
        self._on_step()
        by.side.reopen(by.number)

    def teardown(self) -> None:
        """Delete everything."""
        self._open.close()
        error = sys.exc_info()[1]  # as this is called while it passes
        self._on_end(
            is_bug=isinstance(error, Exception) and not isinstance(error, HypothesisException)
        )

    def handle(self, at: int, by: int) -> Handle:
        """Return one of the handles on one of the sides."""
        self._on_step()
        side = self.sides[at % 2]
        side.acts += 1
        return Handle(side, 0).beside(by)

    def stale_handles(self) -> list[Handle]:
        """Return the handles that were opened before something was done; another differs."""
        return [
            Handle(side, number)
            for side in self.sides
            for number, opened in enumerate(side.opened)
            if opened < side.acts
        ]

    def other(self, by: Handle) -> Side:
        """Return the side that a handle is not on."""
        left, right = self.sides
        return right if by.side is left else left

    def name_in(self, side: Side, which: int) -> str:
        """Choose a name, more often from the layout than from elsewhere."""
        found = (*side.model.names(), *self.adapter.names)
        return found[which % len(found)]

    def ref_in(self, side: Side, which: int) -> str:
        """Choose a reference: a name, or what else the store may be asked by."""
        refs = (*self.refs(side), *self.adapter.names)
        return refs[which % len(refs)]

    def refs(self, side: Side) -> tuple[str, ...]:
        """Return all references to content, repeating those that matter most."""
        model = side.model
        names = model.names()
        if not has("full_names")(self):
            return names
        digests = [str(entry.digest) for entry in model.entries]
        pinned = [f"{entry.name}@{entry.digest}" for entry in model.entries if entry.name]
        unclear = [name for name in names if model.is_ambiguous(name)]
        return (*names, *model.full_names(), *(4 * unclear), *names, *digests, *pinned)


def has(*verbs: str) -> Callable[[Stage], bool]:
    """Make a precondition: that the store has these verbs."""
    return lambda stage: {*verbs} <= {*stage.adapter.verbs}


def is_exact(stage: Stage) -> bool:
    """Tell whether all that is in the layout is compared."""
    return stage.adapter.exact


def both(must: Callable[[], object], act: Callable[[], object]) -> bool:
    """Let the model and the store do the same; where it refuses, the store must, too.

    Returns:
        Whether it was done.

    Raises:
        AssertionError: One of them refused, and the other did not.
    """
    try:
        must()
    except RefusalError as refusal:
        # That a name means several things is not that it is not there.
        kind = Exception if isinstance(refusal, AmbiguityError) else LookupError
        refused(repr(refusal), act, kind)
        return False
    try:
        act()
    except LookupError as error:
        raise AssertionError(f"the store refused what it must do: {error!r}") from error
    return True


def refused(what: str, act: Callable[[], object], kind: type[Exception] = Exception) -> None:
    """Require that an act raises something: what, is the store's own choice.

    Raises:
        AssertionError: It did not.
    """
    try:
        act()
    except kind:
        return
    raise AssertionError(f"{what}: was taken")
