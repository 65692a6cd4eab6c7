"""The page `spec-notes/behaviours.md`: written from the answers of the programs, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.peers.behaviours.case import NOT_ASKED
from tests.peers.behaviours.cases import SECTIONS
from tests.peers.behaviours.finding import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE: Final = Path(__file__).parents[3] / "spec-notes" / "behaviours.md"
RUN: Final = (
    "ocilayout", "skopeo", "umoci", "buildah", "oci-image-tool", "oras-py", "docker-registry"
)  # fmt: skip
READ: Final = ("Go store", "crane")

_HEAD: Final = """\
# What programs do at the edges

Each row is a handmade layout with one oddity, and what each program does with it. A dash means that
the program has no such verb, or was not asked. The columns in italics are facts from reading the
sources; these programs were not run for this page.

Versions: {ran}.
`python -m tests.peers.behaviours` runs the programs and writes this page; a test runs them again.

*Reads* means in full: names, manifest, config and layers. A program that reads damaged content did
not look at the digest. If a program reads the wrong image, the cell says which.
`docker-registry` has no layouts; it is sent the manifest with its parts, and accepts it or not."""

_FOUND: Final = """\
## What the machine found

The machine of the [testing kit](testing.md) also tested umoci and skopeo, with their verbs. It
found these differences; `tests/peers/test_machine_programs.py` checks that it still finds them,
and no others:"""

Answers = dict[tuple[str, str], str]
"""By the id of the case and the name of the program."""


def render(answers: Mapping[tuple[str, str], str], versions: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        answers: The answers of the programs that were run.
        versions: Their versions.
    """
    ran = "; ".join(f"{name} {versions[name]}" for name in RUN if versions[name])
    lines = [_HEAD.format(ran=ran)]
    for title, cases in SECTIONS:
        asked = [
            name
            for name in RUN
            if any(answers[case.id, name] != NOT_ASKED for case in cases)
        ]  # fmt: skip
        known = [name for name in READ if any(name in case.facts for case in cases)]
        lines += ["", f"## {title}", ""]
        lines.append(_row(["case", "", *asked, *(f"*{name}*" for name in known)]))
        lines.append(_row(["---"] * (2 + len(asked) + len(known))))
        for case in cases:
            told = [answers[case.id, name] for name in asked]
            facts = [case.facts.get(name, NOT_ASKED) for name in known]
            lines.append(_row([f"`{case.id}`", case.about, *told, *facts]))
    lines += ["", _FOUND, ""]
    lines += [f"- {finding.program}: {finding.about}." for finding in FINDINGS]
    return "\n".join(lines) + "\n"


def read(text: str) -> Answers:
    """Return the answers on the page, only those of programs that are run."""
    found: Answers = {}
    header: Sequence[str] = ()
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if cells[0] == "case":
            header = cells
        elif set(cells[0]) != {"-"}:
            case = cells[0].strip("`")
            found.update({(case, name): cell for name, cell in zip(header, cells, strict=True)})
    return {key: cell for key, cell in found.items() if key[1] in RUN}


def page_versions(text: str) -> dict[str, str]:
    """Return the versions on the page, empty for a program without one."""
    ran = next(line for line in text.splitlines() if line.startswith("Versions: "))
    found = dict(item.split(" ", 1) for item in ran.removeprefix("Versions: ")[:-1].split("; "))
    return {name: found.get(name, "") for name in RUN}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
