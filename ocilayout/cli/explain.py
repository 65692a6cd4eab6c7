"""The verb `explain`: what spec-notes say about a requirement, a problem, a decision, or words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from ocilayout.check import iter_notes, named_notes, search_notes
from ocilayout.cli.terminal import answer, counted, flow, json_option, say, table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ocilayout.check import Note, Requirement

_LINK: Final = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
_AS_IT_IS: Final = re.compile(r"^(?:[ |>#]|[-*] |[0-9]+[.] |```)", re.MULTILINE)
_SPELLED: Final = r"\1 (spec-notes/\2)"
_INDENT: Final = "  "


def _complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    del ctx, param
    names = dict.fromkeys(note.name for note in iter_notes())
    return [name for name in names if name.startswith(incomplete)]


@click.command()
@click.argument("words", nargs=-1, metavar="[ID | WORD...]", shell_complete=_complete_name)
@json_option
def explain(words: tuple[str, ...], *, as_json: bool) -> None:
    """Show requirements, problems, decisions, and what programs do.

    ID is the id of a requirement, such as image-layout:blob-content, the code of a problem that
    `check` reports, such as digest-mismatch, or the number of a decision, such as 0065. Words are
    searched for together, also in what other programs do with odd layouts. Without an argument
    everything is listed. The answer has the paths of the pages.
    """
    every = list(iter_notes())
    named = named_notes(words[0], every) if len(words) == 1 else []
    notes = named or (search_notes(*words, notes=every) if words else every)
    whole = bool(named) or len(notes) == 1
    if as_json:
        row = named[0].row if len(named) == 1 else None
        data = _row_data(row, named[0].page) if row is not None else {}
        answer(data or {"notes": list(map(_note_data, notes))})
    elif whole:
        answer(None, "\n\n".join(map(_whole_text, notes)), as_json=False)
    else:
        _show_list(notes)


def _show_list(notes: list[Note]) -> None:
    others = [note for note in notes if note.kind != "behaviour"]
    behaviours = [note for note in notes if note.kind == "behaviour"]
    if others:
        rows = [(note.name, _level(note), note.about) for note in others]
        table([("NAME", "LEVEL", "ABOUT"), *rows], drop=("LEVEL",), prose="ABOUT")
    if behaviours:
        if others:
            say("")
        rows = [(note.name, note.about, _done(note)) for note in behaviours]
        heading = ("CASE", "ABOUT", "WHAT PROGRAMS DO")
        table([heading, *rows], drop=("ABOUT",), prose="WHAT PROGRAMS DO")
    pages = dict.fromkeys(note.page for note in notes if note.kind != "decision")
    folders = dict.fromkeys(note.page.parent for note in notes if note.kind == "decision")
    shown = f"{counted(len(notes), 'note')}; `ocilayout explain NAME` shows one whole. The pages:"
    say("\n" + flow(shown))
    for path in (*pages, *folders):
        answer(None, f"{_INDENT}{path}", as_json=False)


def _level(note: Note) -> str:
    return note.details.get("level") or note.details.get("severity") or note.kind


def _done(note: Note) -> str:
    """Return what programs do, each answer once, with the programs that give it."""
    programs: dict[str, list[str]] = {}
    for program, done in note.details.items():
        programs.setdefault(done, []).append(program)
    return "; ".join(f"{', '.join(who)}: {done}" for done, who in programs.items())


def _whole_text(note: Note) -> str:
    page = ("page", str(note.page))
    if note.kind == "decision":
        return f"{_page_text(note.details['text'])}\n\n{_line(*page, width=8)}"
    if note.row is not None:
        row = note.row
        parts: Iterable[tuple[str, str]] = [
            ("asks", row.text),
            ("here", row.ours),
            *(("module", module) for module in row.modules),
            *(("test", f"tests/{test}") for test in row.tests),
        ]
        heading = f"{note.name} ({row.level})"
    elif note.kind == "problem":
        rest = {noun: text for noun, text in note.details.items() if noun != "severity"}
        parts = [("means", note.about), *rest.items()]
        heading = f"{note.name} ({note.details['severity']})"
    else:
        parts = [("case", note.about), *note.details.items()]
        heading = f"{note.name} (what programs do)"
    parts = [*parts, page]
    width = 2 + max(len(noun) for noun, _ in parts)
    return "\n".join([heading, *(_line(noun, text, width) for noun, text in parts)])


def _line(noun: str, text: str, width: int) -> str:
    line = f"{_INDENT}{noun:<{width}}{_LINK.sub(_SPELLED, text)}"
    # A path alone stays on the line of its noun, and the terminal breaks it.
    return flow(line, indent=len(_INDENT) + width) if " " in text else line


def _page_text(markdown: str) -> str:
    """Return a page whose paragraphs fit the terminal; lists, tables and code stay as they are."""
    paragraphs = markdown.rstrip().split("\n\n")
    return "\n\n".join(text if _AS_IT_IS.search(text) else flow(text) for text in paragraphs)


def _row_data(row: Requirement, page: Path) -> dict[str, object]:
    return {
        "id": row.id,
        "level": row.level,
        "asks": row.text,
        "here": row.ours,
        "modules": list(row.modules),
        "tests": list(row.tests),
        "page": str(page),
    }


def _note_data(note: Note) -> dict[str, object]:
    return {
        "kind": note.kind,
        "name": note.name,
        "about": note.about,
        "details": dict(note.details),
        "page": str(note.page),
    }
