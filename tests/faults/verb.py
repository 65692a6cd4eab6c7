"""The verbs of `ocilayout` as the tests of hostile layouts run them, and what a run must not do."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.faults.fork_server import CRASHED, LINGERS
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from types import TracebackType

    from tests.faults.planted import Site

MOST_LINES: Final = 20  # of standard error
LONGEST_LINE: Final = 3000  # characters of it: escapes take more room than what they stand for
MOST_OUTPUT: Final = 2**20  # bytes of standard output, but for content
_USAGE: Final = 2
_SEARCHING: Final = ("check", "repair", "repair --dry-run")  # what is wrong is their answer
# What an error is about: a file of the layout, a digest, a name, or a place in a document.
_PLACES: Final = (
    "index.json",
    "oci-layout",
    "blobs",
    "ingest",
    "quarantine",
    "layout",
    "sha256:",
    "sha512:",
    "'v1'",
    "blake9",  # an algorithm that is not known
    "aaaaaaaa",  # as well
)


@dataclass(frozen=True)
class Verb:
    """A verb with its arguments.

    Attributes:
        label: What it is called in a failure.
        arguments: What follows `ocilayout`.
        name: The name that it is given.
        writes: Whether it changes the layout, so that the next one needs a new one.
        completes: The words on the command line, where these are to be completed.
        shares: Whether it puts blobs, which go where a linked folder of blobs leads.
    """

    label: str
    arguments: tuple[str, ...]
    name: str = "v1"
    writes: bool = False
    completes: tuple[str, ...] = ()
    shares: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """Return what a shell sets to complete names."""
        if not self.completes:
            return {}
        words = shlex.join(["ocilayout", *self.completes])
        return {
            "_OCILAYOUT_COMPLETE": "bash_complete",
            "COMP_WORDS": f"{words} ",
            "COMP_CWORD": str(len(self.completes) + 1),
        }


@dataclass(frozen=True)
class Run:
    """How a run of a verb ended, and what it wrote."""

    verb: Verb
    status: int
    out: bytes
    err: str

    @property
    def hangs(self) -> bool:
        """Tell whether a limit of time ended it."""
        return self.status in (-signal.SIGALRM, -signal.SIGXCPU)

    def faults(self) -> list[str]:
        """Return what it did that no verb may do, a sentence each."""
        return [f"{self.verb.label}: {fault}" for fault in self._faults()]

    def _faults(self) -> list[str]:
        if self.hangs:
            return ["it hangs"]
        if self.status == LINGERS:
            return ["a thread outlives the verb"]
        if self.status == CRASHED or "Traceback" in self.err:
            return [f"a traceback: {self.err[-300:]}"]
        if self.status not in (0, 1, 2):
            return [f"it ends with {self.status}: {self.err[-300:]}"]
        return [*self._errors(), *self._answers()]

    def _errors(self) -> list[str]:
        lines = self.err.splitlines()
        found = []
        if len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
            found.append(f"{len(lines)} lines of error, {len(self.err)} characters")
        if not all(line.isprintable() for line in lines):
            found.append(f"a terminal would obey its errors: {self.err[:300]!r}")
        return found + (self._unclear(lines) if self.status else [])

    def _answers(self) -> list[str]:
        if self.verb.completes and (self.status or self.err):
            return [f"completion says {self.status}, {self.err[:300]!r}"]
        if self.verb.label == "cat":  # content is what it is
            return []
        found = []
        if b"\x1b" in self.out or b"\x07" in self.out:
            found.append("a terminal would obey its answer")
        if len(self.out) > MOST_OUTPUT:
            found.append(f"it answers {len(self.out)} bytes")
        return found

    def _unclear(self, lines: list[str]) -> list[str]:
        if self.status == 1 and not lines and self.verb.label in _SEARCHING:
            return [] if b"error" in self.out else ["it fails and shows no problem"]
        if not lines or not lines[-1].startswith("Error: "):
            return [f"it fails with {self.status} and no error: {self.err[:300]!r}"]
        shown = self.verb.name.encode("unicode_escape").decode()
        places = (*_PLACES, self.verb.name, shown)
        if self.status != _USAGE and not any(place in lines[-1] for place in places):
            return [f"the error does not say where: {lines[-1][:300]}"]
        return []


def verbs(site: Site, name: str = "v1") -> list[Verb]:
    """Return all verbs for a layout, those that only read first."""
    root, out, good = str(site.root), site.out, f"oci:{site.good}"
    # A name may have a colon in it, which `cp` takes as it stands: all behind the first.
    one = f"oci:{root}:{name}"
    quickly = ("--lock-timeout", "2")

    def reading(label: str, *arguments: str) -> Verb:
        return Verb(label, arguments, name)

    def writing(label: str, *arguments: str, shares: bool = False) -> Verb:
        words = (*arguments[:1], *quickly, *arguments[1:])
        return Verb(label, words, name, writes=True, shares=shares)

    return [
        reading("ls", "ls", root),
        reading("ls -q", "ls", "-q", root),
        reading("ls --json", "ls", "--json", root),
        reading("inspect", "inspect", "--", root, name),
        reading("inspect --config", "inspect", "--config", "--", root, name),
        reading("cat", "cat", "--", root, name),
        reading("tree", "tree", root),
        reading("referrers", "referrers", "--", root, name),
        reading("check", "check", root),
        reading("repair --dry-run", "repair", "--dry-run", root),
        reading("gc --dry-run", "gc", "--dry-run", "--grace", "0s", root),
        Verb("completion", (), completes=("untag", root)),
        reading("cp to a layout", "cp", one, f"oci:{out}/copied"),
        reading("cp to an archive", "cp", "--referrers", one, f"oci-archive:{out}/copied.tar"),
        reading("cp --all from it", "cp", "--all", "--referrers", f"oci:{root}", f"oci:{out}/all"),
        writing("init", "init", root),
        writing("tag", "tag", "--", root, name, "new"),
        writing("untag", "untag", "--", root, name),
        writing("annotate", "annotate", "--", root, name, "org.example.key=value"),
        writing("rm", "rm", "--", root, name),
        # Blobs that a layout shares by a link are written where that leads; see decision 0070.
        writing("cp into it", "cp", f"{good}:v1", f"oci:{root}:copied", shares=True),
        writing("cp --all into it", "cp", "--all", "--referrers", good, f"oci:{root}", shares=True),
        writing("repair", "repair", root),
        writing("gc --grace 0s", "gc", "--grace", "0s", root),
        writing("gc --untagged prune", "gc", "--untagged", "prune", "--grace", "0s", root),
    ]


class Runner:
    """The program that runs verbs.

    Attributes:
        processor_seconds: The limit of each verb.
        memory: The limit of what follows a call of `begin`, in bytes of address space.
        longest_file: The limit of each file that is written, in bytes.
    """

    def __init__(
        self,
        processor_seconds: int = 15,
        memory: int = 768 * 2**20,
        longest_file: int = 64 * 2**20,  # more than any planted layout takes
    ) -> None:
        self._limits = map(str, (processor_seconds, memory, longest_file))

    def __enter__(self) -> Self:
        # Each pool of `malloc` reserves 64 MiB of the address space, which is limited.
        environment = {**unmeasured(), "MALLOC_ARENA_MAX": "2", "PYTHONWARNINGS": "error"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fork_server.py")), *self._limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def begin(self) -> None:
        """Let what follows run in another process than what was before."""
        self._ask(None)

    def run(self, verb: Verb, site: Site, swap: tuple[str, str, int] | None = None) -> Run:
        """Run a verb to its end.

        Args:
            verb: The verb.
            site: Where.
            swap: A folder, a target and a count: while the verb runs, the folder is swapped so
                often for a symbolic link to the target.
        """
        return self.run_in(site.out, site.outer.parent, verb, swap)

    def run_in(
        self, folder: Path, answers: Path, verb: Verb, swap: tuple[str, str, int] | None = None
    ) -> Run:
        """Run a verb to its end.

        Args:
            folder: The current folder of the verb.
            answers: The folder of the files that it answers to.
            verb: As for `run`.
            swap: As for `run`.
        """
        out, err = answers / "stdout", answers / "stderr"
        request = {
            "arguments": verb.arguments,
            "environment": verb.environment,
            "folder": str(folder),
            "out": str(out),
            "err": str(err),
            "swap": swap,
        }
        status = self._ask(request)
        return Run(verb, status, out.read_bytes(), err.read_text("utf-8", "surrogateescape"))

    def _ask(self, request: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
