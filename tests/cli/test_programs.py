"""How both commands end as programs: closed streams, signals, and extras that are missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from ocilayout import Layout
from tests.cli.running import Terminal, put_large

if TYPE_CHECKING:
    from tests.cli.conftest import Command

SCRIPTS = {
    "a script": [sys.executable, "-c", "from _ocilayout_command import {0}; {0}()"],
    "a module": [sys.executable, "-m", "{0}"],
    "a function": [sys.executable, "-c", "from {0}.cli import main; main(prog_name='{0}')"],
}
WITH = "import sys; sys.modules[{0!r}] = None; sys.argv = {1!r}; import runpy;"
RUN = " runpy.run_module({0!r}, run_name='__main__', alter_sys=True)"


@pytest.fixture(params=SCRIPTS)
def how(request: pytest.FixtureRequest) -> list[str]:
    """Return each way to start a command, with a place for its name."""
    return SCRIPTS[request.param]


def run(how: list[str], program: str, *arguments: str, shell: str = "") -> tuple[int, str, str]:
    """Run a command by a shell, which may close its streams, and return what came of it."""
    words = [word.format(program) for word in how]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {shell}', "sh", *words, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OCI_SKILLS_STORE": str(Path("store").absolute())},
    )
    return done.returncode, done.stdout, done.stderr


class TestClosedStreams:
    @pytest.mark.parametrize(
        "call",
        [
            ("ocilayout", "ls", "lay"),
            ("ocilayout", "tree", "lay"),
            ("ocilayout", "cat", "lay", "v1"),
            ("ocilayout", "check", "lay", "--json"),
            ("ocilayout", "cp", "oci:lay:v1", "oci-archive:-"),
            ("ocilayout", "cp", "oci:lay:v1", "oci:new"),
            ("ocilayout", "explain"),
            ("ocilayout", "--help"),
            ("ocilayout", "ls", "--help"),
            ("ocilayout", "--version"),
            ("skills", "builds"),
            ("skills", "--help"),
        ],
        ids=" ".join,
    )
    def test_standard_output(self, layout: Layout, how: list[str], call: tuple[str, ...]) -> None:
        """It is one line of error, and the status is 1."""
        assert run(how, *call, shell=">&-") == (
            1,
            "",
            "Error: cannot write standard output: Bad file descriptor\n",
        )
        assert layout.check() == ()

    @pytest.mark.parametrize("call", [("ls", "lay"), ("--help",), ("ls", "--help"), ("explain",)])
    def test_no_reader(self, layout: Layout, how: list[str], call: tuple[str, ...]) -> None:
        """The command ends quietly, as by SIGPIPE, also where it only helps."""
        reading, writing = os.pipe()
        os.close(reading)
        words = [word.format("ocilayout") for word in how]
        process = subprocess.Popen([*words, *call], stdout=writing, stderr=PIPE)
        os.close(writing)
        _, said = process.communicate()
        assert (process.returncode, said) == (141, b"")
        assert layout.tags()

    def test_a_shell_that_asks_and_goes(self, layout: Layout) -> None:
        """A completion that is not read is not a traceback."""
        environment = {**os.environ, "_OCILAYOUT_COMPLETE": "bash_source"}
        words = [word.format("ocilayout") for word in SCRIPTS["a function"]]
        done = subprocess.run(
            ["sh", "-c", '"$@" >&-', "sh", *words], stderr=PIPE, check=False, env=environment
        )
        assert (done.returncode, done.stderr) == (1, b"Error: Bad file descriptor\n")
        assert layout.tags()

    @pytest.mark.parametrize("shell", ["2>&-", "2>/dev/full", ">&- 2>&- <&-"])
    def test_standard_error(self, layout: Layout, how: list[str], shell: str) -> None:
        """A message is lost; the status says the same, and nothing goes into another file."""
        assert run(how, "ocilayout", "ls", "nowhere", shell=shell) == (1, "", "")
        assert run(how, "ocilayout", "ls", shell=shell) == (2, "", "")
        status, _, said = run(how, "ocilayout", "cp", "oci:lay:v1", "oci:new", shell=shell)
        assert (status, said) == (1 if ">&- 2" in shell else 0, "")
        assert layout.check() == ()
        run(how, "ocilayout", "cp", "oci:lay:solo", "oci-archive:new.tar", shell=shell)
        assert run(how, "ocilayout", "ls", "-q", "new.tar") == (0, "solo\n", "")

    def test_standard_input(self, layout: Layout, how: list[str]) -> None:
        """It is one line of error where it is read, and nothing where it is not."""
        status, out, said = run(how, "ocilayout", "ls", "-", shell="<&-")
        assert (status, out) == (1, "")
        assert said.startswith("Error: cannot read ")
        assert said.endswith(": Bad file descriptor\n")
        assert said.count("\n") == 1
        login = ("docker://127.0.0.1:1/a", "--username", "ann", "--password-stdin")
        assert run(how, "ocilayout", "ls", *login, shell="<&-") == (
            1,
            "",
            "Error: cannot read standard input: Bad file descriptor\n",
        )
        status, out, said = run(how, "ocilayout", "ls", "-q", "lay", shell="<&-")
        assert (status, said) == (0, "")
        assert set(layout.tags()) < set(out.split())


class TestSignals:
    @pytest.mark.parametrize(
        ("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)]
    )
    def test_in_the_middle_of_a_copy(
        self, command: Command, layout: Layout, how: list[str], name: str, status: int
    ) -> None:
        """The copy ends quietly with the status of the signal, and leaves no archive behind."""
        put_large(layout)
        os.mkfifo("fifo")
        words = [word.format("ocilayout") for word in how]
        process = subprocess.Popen(
            [*words, "cp", "oci:lay:large", "oci-archive:fifo"], stdout=PIPE, stderr=PIPE
        )
        with Path("fifo").open("rb") as stream:
            assert stream.read(1)
            process.send_signal(getattr(signal, name))
            assert process.communicate(timeout=60) == (b"", b"")
        assert process.returncode == status
        assert command.folder.exists()

    def test_while_progress_is_drawn(self, command: Command, layout: Layout) -> None:
        """What was drawn is removed."""
        put_large(layout)
        os.mkfifo("fifo")
        terminal = Terminal("cp", "oci:lay:large", "oci-archive:fifo")
        with Path("fifo").open("rb") as stream:
            assert stream.read(1)
            terminal.until(" of 3 blobs")
            terminal.type("\x03")  # Ctrl-C, if the terminal is the one that controls it
            terminal.process.send_signal(signal.SIGINT)
            said = terminal.end(130)
        assert said.rpartition("\x1b[J")[2].replace("^C", "").strip() == ""
        assert command.folder.exists()

    def test_at_a_prompt(self, command: Command) -> None:
        """Ctrl-C at the prompt for a password ends the command as anywhere else."""
        terminal = Terminal("ls", "docker://127.0.0.1:1/app", "--username", "ann")
        terminal.until("Password of ann: ")
        terminal.process.send_signal(signal.SIGINT)
        assert "Traceback" not in terminal.end(130)
        assert command.folder.exists()

    @pytest.mark.parametrize("program", ["ocilayout", "skills"])
    @pytest.mark.parametrize("module", ["ocilayout.cli", "click", "attrs"])
    @pytest.mark.parametrize(
        "code",
        [
            SCRIPTS["a script"][2],
            "import runpy; runpy.run_module('{0}', run_name='__main__')",
        ],
        ids=["a script", "a module"],
    )
    def test_while_it_is_loaded(self, code: str, program: str, module: str) -> None:
        """An interrupt while modules are imported shows no traceback."""
        # The import of the module raises the signal, as if the user had hit the keys then.
        hook = (
            "import sys, os, signal\n"
            "class Hook:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
            "sys.meta_path.insert(0, Hook())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", hook + code.format(program), "--version"],
            capture_output=True,
            check=False,
        )
        assert done.stderr == b""
        assert done.returncode in {130, -signal.SIGINT}  # which a shell calls 130, too

    def test_a_signal_that_is_ignored(self, layout: Layout, how: list[str]) -> None:
        """As for `nohup`, a signal that the parent ignores stays ignored."""
        words = [word.format("ocilayout") for word in how]
        program = (
            "import os, signal, sys;"
            "signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
        )
        os.mkfifo("fifo")
        put_large(layout)
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words, "cp", "oci:lay:large", "oci-archive:fifo"],
            stdout=PIPE,
            stderr=PIPE,
        )
        with Path("fifo").open("rb") as stream:
            assert stream.read(1)
            process.send_signal(signal.SIGHUP)
            while stream.read(2**20):
                pass
        _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, b"")


class TestExtras:
    @pytest.mark.parametrize(
        ("missing", "extra", "call"),
        [
            ("click", "cli", ("ocilayout", "ls", "lay")),
            ("rich", "cli", ("ocilayout", "ls", "lay")),
            ("urllib3", "registry", ("ocilayout", "ls", "docker://127.0.0.1:1/a")),
            ("urllib3", "registry", ("ocilayout", "cp", "oci:lay:v1", "docker://127.0.0.1:1/a")),
            ("urllib3", "registry", ("skills", "pull", "127.0.0.1:1/a:v1")),
            ("click", "skills,cli", ("skills", "builds")),
            ("ruamel", "skills,cli", ("skills", "builds")),
            ("platformdirs", "skills,cli", ("skills", "builds")),
            ("starlette", "server", ("skills", "serve")),
            ("uvicorn", "server", ("skills", "serve")),
        ],
        ids=str,
    )
    def test_a_missing_extra(
        self, layout: Layout, missing: str, extra: str, call: tuple[str, ...]
    ) -> None:
        """`python -m` says in one line which extra brings it, as the scripts do."""
        # The width of this name takes rich to tell.
        Layout.open("lay", strict_names=False).tag("größe", layout.resolve("solo"))
        done = subprocess.run(
            [sys.executable, "-c", WITH.format(missing, [*call]) + RUN.format(call[0])],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OCI_SKILLS_STORE": str(Path("store").absolute())},
        )
        assert (done.returncode, done.stdout, done.stderr) == (
            1,
            "",
            f"Error: {missing} is not installed; pip install 'ocilayout[{extra}]' brings it\n",
        )
        assert layout.tags()
