"""A case: a handmade layout, and one question that every program answers with a word."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from attrs import field, frozen

from tests.peers.behaviours.material import Folder, Json
from tests.peers.behaviours.program import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.behaviours.program import (
        Collects,
        Copies,
        Creates,
        Lists,
        Reads,
        Tags,
        Takes,
    )

    See = Callable[[Path], str]

Make = Callable[[Folder], object]
NOT_ASKED = "-"
REFUSED = "refuses"


class Question(Protocol):
    """A question to a program."""

    @property
    def verb(self) -> str:
        """The verb that a program needs to answer it."""
        ...

    def ask(self, program: object, scratch: Path) -> str:
        """Return the answer."""
        ...


@frozen
class Reading:
    """Reads `a` in full; the answer names the image that was read, unless it is `good`."""

    make: Make
    name: str | None = "a"
    verb: str = field(default="read", init=False)

    def ask(self, program: object, scratch: Path) -> str:
        folder = made(self.make, scratch / "layout")
        try:
            text = cast("Reads", program).read(folder, self.name, scratch / "out")
        except RefusedError:
            return REFUSED
        return "reads" if text in ("", "good") else f"reads {text}"


@frozen
class Listing:
    """Lists the names; the answer is the list."""

    make: Make
    verb: str = field(default="names", init=False)

    def ask(self, program: object, scratch: Path) -> str:
        folder = made(self.make, scratch / "layout")
        try:
            names = cast("Lists", program).names(folder.path)
        except RefusedError:
            return REFUSED
        return ", ".join(f"`{name}`" for name in names) or "nothing"


@frozen
class Tagging:
    """Adds a tag to the content of another tag; the answer is what `see` finds afterwards."""

    make: Make
    see: See
    name: str = "a"
    new: str = "b"
    locked: bool = False
    verb: str = field(default="tag", init=False)

    def ask(self, program: object, scratch: Path) -> str:
        folder = made(self.make, scratch / "layout")
        with (folder.path / "index.json.lock").open("wb") as lock:
            if self.locked:
                fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                cast("Tags", program).tag(folder.path, self.name, self.new)
            except RefusedError:
                return "waits" if self.locked else REFUSED
        return self.see(folder.path)


@frozen
class Copying:
    """Copies `a` to a new layout; the answer is what `see` finds there."""

    make: Make
    see: See
    verb: str = field(default="copy", init=False)

    def ask(self, program: object, scratch: Path) -> str:
        folder = made(self.make, scratch / "layout")
        try:
            cast("Copies", program).copy(folder.path, "a", scratch / "target")
        except RefusedError:
            return REFUSED
        return self.see(scratch / "target")


@frozen
class Collecting:
    """Collects garbage; the answer says whether one file was kept."""

    make: Callable[[Folder], Json | str]
    verb: str = field(default="collect", init=False)

    def ask(self, program: object, scratch: Path) -> str:
        folder = Folder(scratch / "layout")
        thing = self.make(folder)
        folder.finish()
        place = folder.path / thing if isinstance(thing, str) else folder.place(thing)
        try:
            cast("Collects", program).collect(folder.path)
        except RefusedError:
            return REFUSED
        return "keeps it" if place.exists() else "deletes it"


@frozen
class Creating:
    """Writes a new layout with an image `a`; the answer is what `see` finds there."""

    see: See
    verb: str = field(default="create", init=False)

    def ask(self, program: object, scratch: Path) -> str:
        folder = Folder(scratch / "layout")
        folder.enter(folder.image("good"), "a")
        folder.finish()
        cast("Creates", program).create(folder, scratch / "target", scratch / "work")
        return self.see(scratch / "target")


@frozen
class Taking:
    """Pushes a manifest with its parts; the answer says whether the program accepts it."""

    make: Callable[[Folder], Json]
    verb: str = field(default="take", init=False)

    def ask(self, program: object, scratch: Path) -> str:
        folder = Folder(scratch / "pushed")
        descriptor = self.make(folder)
        try:
            cast("Takes", program).take(folder, descriptor)
        except RefusedError:
            return REFUSED
        finally:
            shutil.rmtree(folder.path)
        return "accepts it"


@frozen
class Case:
    """A row of the table.

    Attributes:
        id: Its name in the table and in the tests.
        about: The oddity, in a few words.
        questions: The questions; a program is asked the first that it can answer.
        facts: The known answers of programs that are not run, by their names.
    """

    id: str
    about: str
    questions: tuple[Question, ...]
    facts: dict[str, str] = field(factory=dict)

    def ask(self, program: object, scratch: Path) -> str:
        """Return a program's answer, or a dash if it has no verb for any of the questions."""
        for question in self.questions:
            if hasattr(program, question.verb):
                return question.ask(program, scratch)
        return NOT_ASKED


def made(make: Make, path: Path) -> Folder:
    """Return a layout; `index.json` is written here if the maker did not write it."""
    folder = Folder(path)
    make(folder)
    if not (path / "index.json").exists():
        folder.finish()
    return folder
