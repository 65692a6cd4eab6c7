"""What a near-miss is: something valid but for one defect, and what the defect is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from attrs import frozen

from ocilayout.signature import checked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

T = TypeVar("T")

_MANY = 8


class Finding(NamedTuple):
    """What `check` calls a problem, without the words.

    Attributes:
        code: One of the codes of spec-notes/problems.md.
        place: A JSON path, or in a layout the path of a file with a JSON path behind it.
    """

    code: str
    place: str


@checked
@frozen(kw_only=True, repr=False)
class NearMiss(Generic[T]):
    """Something valid but for one defect.

    Attributes:
        code: What the defect is: one of the codes of spec-notes/problems.md.
        place: Where it is: a JSON path, or in a layout the path of a file with one behind it.
        also: What the format does not allow to be absent then: content that is missing cannot have
            two sizes unless it is missing.
        value: The thing itself.
    """

    code: str
    place: str
    also: tuple[Finding, ...] = ()
    value: T

    def __repr__(self) -> str:
        return f"{self._beginning()}{_shown(self.value)})"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # noqa: ANN401, FBT001 # IPython's protocol, which Hypothesis knows
        if isinstance(self.value, bytes):
            printer.text(repr(self))
            return
        printer.text(self._beginning())
        printer.pretty(self.value)
        printer.text(")")

    def _beginning(self) -> str:
        also = f", also={self.also!r}" if self.also else ""
        return f"NearMiss(code={self.code!r}, place={self.place!r}{also}, value="

    @property
    def findings(self) -> frozenset[Finding]:
        """All that a check has to find, and nothing else."""
        return frozenset({Finding(self.code, self.place), *self.also})


def _shown(value: object) -> str:
    """Return a value as a program would write it, blanks at the end of bytes as a product."""
    if not isinstance(value, bytes):
        return repr(value)
    short = value.rstrip(b" ")
    blanks = len(value) - len(short)
    return f"{short!r} + b' ' * {blanks}" if blanks > _MANY else repr(value)


def chosen(known: Collection[str], codes: Iterable[str] | None) -> list[str]:
    """Return the codes that are asked for, sorted; by default all that are known.

    Raises:
        ValueError: One is not known, or none is asked for.
    """
    wanted = sorted(known if codes is None else set(codes))
    unknown = [code for code in wanted if code not in known]
    if unknown or not wanted:
        raise ValueError(f"no near-miss is known for {unknown or 'no code at all'}")
    return wanted
