"""The verbs that keep a layout in order: `check`, `repair`, `gc`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

import click

from ocilayout.check import iter_problems
from ocilayout.cli import option
from ocilayout.cli.argument import read_by, read_duration
from ocilayout.cli.terminal import (
    answer,
    counted,
    flow,
    json_option,
    line_of,
    printable,
    say,
    short,
    size_text,
)
from ocilayout.cli.work import Hashing, waiting
from ocilayout.layout import Layout

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from ocilayout.cli.option import Writing
    from ocilayout.errors import Problem, Severity

_SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")
_HANGING: Final = 2  # so that the path of a blob fits 80 columns
_COLOURS: Final = {"error": "red", "warning": "yellow"}


@click.command()
@option.folder
@click.option("--no-content", is_flag=True, help="Read documents only; hash no other blobs.")
@click.option("--jobs", type=click.IntRange(min=1), help="About how many blobs are hashed at once.")
@click.option(
    "--fail-on",
    type=click.Choice(_SEVERITIES),
    default="error",
    show_default=True,
    help="The lowest severity of a problem that makes the exit status 1.",
)
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    path: Path,
    jobs: int | None,
    fail_on: Severity,
    *,
    no_content: bool,
    as_json: bool,
) -> None:
    """Report what is wrong with a layout.

    Each problem is shown when it is found, also in a folder that is not a layout. An error breaks
    the specification, a warning is about something unwise or dangerous, a note about a state that
    is allowed, such as missing content. Each has a code, a place and the requirement it is about.
    """
    problems: list[dict[str, str | None]] = []
    counts: Counter[Severity] = Counter()
    with Hashing(path).shown() as work:
        for problem in iter_problems(path, content=not no_content, jobs=jobs, on_hash=work.tell):
            counts[problem.severity] += problem.count
            if as_json:
                problems.append(_problem_data(problem))
            else:
                with work.removed():
                    _say_problem(problem)
    data = {"problems": problems, **_counts_data(counts)}
    answer(data, _summary(counts), as_json=as_json)
    if any(counts[each] for each in _SEVERITIES[: _SEVERITIES.index(fail_on) + 1]):
        ctx.exit(1)


@click.command()
@option.folder
@option.dry_run
@option.writing
@json_option
@click.pass_context
def repair(
    ctx: click.Context, path: Path, writing: Writing, *, dry_run: bool, as_json: bool
) -> None:
    """Repair what can be repaired without guessing.

    It shows what it did and which problems remain. Content that is whole and named entries are
    never touched; damaged blobs move to `quarantine/`, so that a copy can bring them again. The
    exit status is 1 while errors remain, such as blobs in quarantine.
    """
    layout = Layout(path, durability=writing.durability, lock_timeout=writing.lock_timeout)
    with Hashing(path).shown() as work:
        report = layout.repair(dry_run=dry_run, on_hash=work.tell)
    counts: Counter[Severity] = Counter()
    for problem in report.remaining:
        counts[problem.severity] += problem.count
    if not as_json:
        for action in report.actions:
            did = "would do" if dry_run else "done"
            text = printable(f"{action.code}  {action.place}: {action.message}")
            said = flow(f"{did}  {text}", indent=_HANGING)
            say(click.style(did, fg="green") + said[len(did) :])
        for problem in report.remaining:
            _say_problem(problem)
    data = {
        "actions": [
            {"code": action.code, "place": action.place, "message": action.message}
            for action in report.actions
        ],
        "dryRun": dry_run,
        "problems": [_problem_data(problem) for problem in report.remaining],
        **_counts_data(counts),
    }
    did = counted(len(report.actions), "repair")
    answer(data, flow(f"{did}; left: {_summary(counts)}"), as_json=as_json)
    if counts["error"]:
        ctx.exit(1)


@click.command()
@option.folder
@click.option(
    "--grace",
    callback=read_by(read_duration),
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="Remove only what is older than this, such as 90s, 30m, 12h or 7d.",
)
@click.option(
    "--untagged",
    type=click.Choice(["keep", "prune"]),
    default="keep",
    show_default=True,
    help="Keep untagged entries, or prune those that nothing needs.",
)
@option.dry_run
@option.writing
@json_option
def gc(
    path: Path,
    grace: timedelta,
    untagged: Literal["keep", "prune"],
    writing: Writing,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete blobs that no entry reaches.

    Temporary files left behind by writers that died go, too. It shows what it removed, and how much
    space that freed.
    """
    layout = writing.open(path)
    with waiting("looking for blobs that no entry reaches"):
        report = layout.collect(grace=grace, untagged=untagged, dry_run=dry_run)
    for descriptor in report.unlisted:
        click.echo(
            f"{descriptor.digest} has no entry and stays because its subject does;"
            " `ocilayout repair` makes it an entry",
            err=True,
        )
    gone = [
        *(line_of("entry", (one.digest, short(one.digest))) for one in report.dropped),
        *(line_of("blob ", (digest, short(digest))) for digest in report.removed),
        *(line_of("file ", name) for name in report.temporaries),
    ]
    what = ", ".join(
        [
            counted(len(report.dropped), "entry", "entries"),
            counted(len(report.removed), "blob"),
            counted(len(report.temporaries), "temporary file"),
        ]
    )
    text = f"{'Would remove' if dry_run else 'Removed'} {what}: {size_text(report.freed)} freed"
    if report.young:
        text += f"; {counted(report.young, 'blob')} more when no longer young"
    data = {
        "removed": list(report.removed),
        "freed": report.freed,
        "dropped": [descriptor.digest for descriptor in report.dropped],
        "temporaries": list(report.temporaries),
        "young": report.young,
        "unlisted": [descriptor.digest for descriptor in report.unlisted],
        "dryRun": dry_run,
    }
    answer(data, "\n".join([*gone, flow(text)]), as_json=as_json)


def _say_problem(problem: Problem) -> None:
    requirement = f" ({problem.requirement})" if problem.requirement else ""
    text = printable(f"{problem.code}  {problem.place}: {problem.message}{requirement}")
    severity = problem.severity
    said = flow(f"{severity:<7}  {text}", indent=_HANGING)
    say(click.style(severity, fg=_COLOURS.get(severity)) + said[len(severity) :])


def _problem_data(problem: Problem) -> dict[str, str | None]:
    return {
        "severity": problem.severity,
        "code": problem.code,
        "place": problem.place,
        "message": problem.message,
        "requirement": problem.requirement or None,
    }


def _counts_data(counts: Counter[Severity]) -> dict[str, int]:
    return {f"{severity}s": counts[severity] for severity in _SEVERITIES}


def _summary(counts: Counter[Severity]) -> str:
    if not counts:
        return "no problems"
    return ", ".join(counted(counts[severity], severity) for severity in _SEVERITIES)
