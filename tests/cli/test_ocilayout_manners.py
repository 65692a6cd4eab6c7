"""How `ocilayout` behaves as a program: on pipes and terminals, interrupted, and asked for help."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

import click
import pytest
from click.shell_completion import ShellComplete

from ocilayout import Layout, Manifest
from ocilayout.cli import main
from ocilayout.model.mediatype import OCI_EMPTY, OCTET_STREAM
from tests.cli.running import LARGE, put_large, start

if TYPE_CHECKING:
    from tests.cli.conftest import Command

VERBS = [
    "init", "ls", "inspect", "cat", "tree", "referrers", "tag", "untag", "annotate", "rm", "cp",
    "check", "explain", "repair", "gc",
]  # fmt: skip


class TestEnds:
    def test_a_reader_that_goes_away(self, layout: Layout) -> None:
        """When the reader of a pipe is gone, the command ends quietly, as by SIGPIPE."""
        blob = layout.blobs.put(os.urandom(LARGE), media_type=OCTET_STREAM)
        for verb in (
            ["cat", "lay", str(blob.digest)],
            ["cp", "oci:lay:large", "oci-archive:-"],
            ["cp", "oci:lay:large", "oci-archive:/dev/stdout"],
        ):
            put_large(layout)
            process = start(*verb, stdout=PIPE, stderr=PIPE)
            assert process.stdout is not None
            assert process.stdout.read(1)
            process.stdout.close()
            assert process.stderr is not None
            assert process.stderr.read() == b""
            process.stderr.close()
            assert process.wait() == 141

    def test_text_without_a_reader(self, layout: Layout) -> None:
        """The same holds for a listing whose reader was gone before it began."""
        reading, writing = os.pipe()
        os.close(reading)
        process = start("ls", "lay", "--json", stdout=writing, stderr=PIPE)
        os.close(writing)
        _, said = process.communicate()
        assert (process.returncode, said) == (141, b"")
        assert layout.tags()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device /dev/full is missing")
    def test_a_full_disk(self, layout: Layout) -> None:
        """An answer that cannot be written is an error in one line."""
        with Path("/dev/full").open("wb") as full:
            process = start("tree", "lay", stdout=full, stderr=PIPE)
            _, said = process.communicate()
        assert (process.returncode, said) == (
            1,
            b"Error: cannot write standard output: No space left on device\n",
        )
        assert layout.tags()

    @pytest.mark.parametrize("target", ["oci-archive:-", "oci-archive:fifo"])
    def test_an_interrupt(self, command: Command, layout: Layout, target: str) -> None:
        """Ctrl-C ends a copy quietly, with the status of a program that SIGINT ends."""
        put_large(layout)
        os.mkfifo("fifo")
        process = start("cp", "oci:lay:large", target, stdout=PIPE, stderr=PIPE)
        assert process.stdout is not None
        # It is in the middle: it has written, and cannot write all.
        stream = process.stdout if target.endswith("-") else Path("fifo").open("rb")  # noqa: SIM115
        with stream:
            assert stream.read(1)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        _, said = process.communicate()
        assert said == b""
        assert command.folder.exists()

    def test_text_in_any_encoding(self, layout: Layout) -> None:
        """Text that standard output cannot encode is escaped, and a drawing is in ASCII."""
        with Layout.open("lay", strict_names=False).edit() as edit:
            for name in ("ü", "λ"):
                edit.tag(name, layout.resolve("v1"))
        environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
        for arguments, said in (
            (["tree", "lay", "ü"], b"\xfc  index"),
            (["tree", "lay", "ü"], b"\n    `-- layer"),
            (["ls", "-q", "lay"], b"\xfc\n\\u03bb"),
            (["ls", "-q", "lay", "--json"], b'"\\u00fc",\n  "\\u03bb"'),
        ):
            process = start(*arguments, stdout=PIPE, env=environment)
            out, _ = process.communicate()
            assert process.returncode == 0
            assert said in out


class TestPipes:
    def test_from_one_to_the_other(self, command: Command, layout: Layout) -> None:
        """An archive is written to a pipe and read from one."""
        writer = start("cp", "oci:lay:v1", "oci-archive:-", stdout=PIPE, stderr=PIPE)
        reader = start("tree", "-", stdin=writer.stdout, stdout=PIPE)
        out, _ = reader.communicate()
        assert writer.stdout is not None
        writer.stdout.close()
        assert writer.stderr is not None
        assert writer.stderr.read().startswith(b"Copied v1 to oci-archive:-:v1\n")
        writer.stderr.close()
        assert (writer.wait(), reader.wait()) == (0, 0)
        command.text("cp", "oci:lay:v1", "oci:alone")
        assert out.decode() == command.text("tree", "alone")
        assert layout.tags()


class TestHelp:
    @pytest.mark.parametrize("verb", VERBS)
    def test_every_verb_helps_with_examples(self, command: Command, verb: str) -> None:
        """`--help` says what the verb does and ends with two valid calls of it, one a line."""
        said = command.text(verb, "--help")
        assert said.startswith(f"Usage: ocilayout {verb} ")
        title, *examples = said.splitlines()[-3:]
        assert title == "  Examples:"
        assert said == command.text(verb, "-h")
        for example in examples:
            name, used, *arguments = shlex.split(re.split(" [|>] ", example)[0])
            assert (name, used) == ("ocilayout", verb)
            called = main.get_command(click.Context(main), verb)
            assert called is not None
            assert called.make_context(verb, arguments).params

    def test_all_verbs(self, command: Command) -> None:
        """Help lists these verbs, each in a line that is not cut short."""
        assert main.list_commands(click.Context(main)) == VERBS
        lines = command.lines("--help")
        listed = lines[lines.index("Commands:") + 1 :][: len(VERBS)]
        assert [line.split()[0] for line in listed] == VERBS
        assert not [line for line in listed if line.endswith("...")]

    def test_the_version(self, command: Command) -> None:
        """`--version` names the command."""
        assert command.text("--version").startswith("ocilayout, version ")

    @pytest.mark.parametrize(
        "arguments", [["nothing"], ["ls"], ["ls", "--what", "a"], ["tag", "a", "b"], ["rm", "a"]]
    )
    def test_wrong_use(self, command: Command, arguments: list[str]) -> None:
        """Unknown verbs, missing arguments and unknown options exit with 2."""
        assert "Usage: ocilayout" in command.misuse(*arguments)


HOSTILE = [
    "v1;touch${IFS}x;",
    "v$(touch x)",
    "v`touch x`",
    "v1 && touch x",
    "v1|touch${IFS}x",
    "v1>x",
    "v1\ntouch x",
    "v*",
    "v?",
    "v[1]",
    "v{1,2}",
    "v~",
    "v!!",
    "v#1",
    "v\\x",
    "v'x",
    'v"x',
    "v1\tx",
    "v=1",
    "v%1",
    "v^1",
    "-v",
    "--help",
    "~v",
    "v\u202ex",
    "v\x1b[2J",
    "v,x",
    "v(x)",
    "v&",
]


class TestCompletion:
    def test_what_is_offered(self, command: Command, layout: Layout) -> None:
        """Verbs, files, and names in a layout are offered; nothing where they cannot be read."""
        layout.tag("v2", layout.resolve("v1"))
        shell = ShellComplete(main, {}, "ocilayout", "_OCILAYOUT_COMPLETE")

        def offered(*words: str) -> list[tuple[str, str]]:
            found = shell.get_completions(list(words[:-1]), words[-1])
            return [(item.type, item.value) for item in found]

        assert offered("un") == [("plain", "untag")]
        assert offered("ls", "la") == [("file", "la")]
        assert offered("check", "la") == [("file", "la")]
        assert offered("inspect", "lay", "v") == [("plain", "v1"), ("plain", "v2")]
        assert offered("rm", "lay", "v1", "so") == [("plain", "solo")]
        assert offered("inspect", "oci:lay", "so") == [("plain", "solo")]
        for source in ("nowhere", "docker://localhost/a", "oci:", "oci-archive:lay.tar"):
            assert offered("inspect", source, "v") == []
        assert command.folder.exists()

    @pytest.mark.parametrize("name", HOSTILE)
    def test_what_a_shell_would_obey_is_not_offered(self, command: Command, name: str) -> None:
        """A name is offered only if every shell takes it for plain text."""
        layout = Layout.open(command.folder / "lay", create=True, strict_names=False)
        config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
        root = layout.put_manifest(Manifest(artifact_type="a/b", config=config))
        layout.tag(name, root)
        layout.tag("v1.0_rc-1+x@y:z/a--b", root)
        shell = ShellComplete(main, {}, "ocilayout", "_OCILAYOUT_COMPLETE")
        for words in (["inspect", "lay"], ["rm", "lay"], ["tag", "lay"], ["cat", "oci:lay"]):
            found = [item.value for item in shell.get_completions(words, "")]
            assert found == ["v1.0_rc-1+x@y:z/a--b"] * (words[0] != "tag" or bool(found))

    @pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
    def test_bash_runs_nothing(self, command: Command) -> None:
        """Bash pastes text alone from a layout with hostile names, and runs and shows nothing."""
        layout = Layout.open(command.folder / "lay", create=True, strict_names=False)
        config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
        root = layout.put_manifest(Manifest(artifact_type="a/b", config=config))
        for name in ("v1", *HOSTILE):
            layout.tag(name, root)
        program = command.folder / "ocilayout"
        program.write_text(
            f"#!{sys.executable}\nfrom ocilayout.cli import main\nmain(prog_name='ocilayout')\n"
        )
        program.chmod(0o755)
        script = """
            PATH=$PWD:$PATH
            eval "$(_OCILAYOUT_COMPLETE=bash_source ocilayout)"
            COMP_WORDS=(ocilayout inspect lay v) COMP_CWORD=3
            _ocilayout_completion ocilayout
            eval "printf '%s\\n' ${COMPREPLY[*]}"
        """
        done = subprocess.run(
            ["bash", "--norc", "-c", script], cwd=command.folder, capture_output=True, check=True
        )
        assert (done.stdout, done.stderr) == (b"v1\n", b"")
        assert {path.name for path in command.folder.iterdir()} == {"lay", "ocilayout"}

    @pytest.mark.parametrize("name", ["oci-layout", "index.json"])
    @pytest.mark.parametrize("how", ["FIFO", "folder", "loop", "huge", "garbage", "missing"])
    def test_a_hostile_layout_offers_nothing(
        self,
        command: Command,
        layout: Layout,
        capfd: pytest.CaptureFixture[str],
        name: str,
        how: str,
    ) -> None:
        """Whatever is in the place of its files, nothing hangs and nothing is shown."""
        path = layout.path / name
        path.unlink()
        if how == "FIFO":
            os.mkfifo(path)
        elif how == "folder":
            path.mkdir()
        elif how == "loop":
            path.symlink_to(name)
        elif how == "huge":
            with path.open("wb") as file:
                file.truncate(1 << 36)
        elif how == "garbage":
            path.write_bytes(b"\xff" * 100)
        shell = ShellComplete(main, {}, "ocilayout", "_OCILAYOUT_COMPLETE")
        assert shell.get_completions(["inspect", "lay"], "v") == []
        assert capfd.readouterr() == ("", "")
        assert command.folder.exists()

    def test_a_shell_can_ask(self, layout: Layout) -> None:
        """The command that the README gives for it prints the completion script of a shell."""
        environment = {**os.environ, "_OCILAYOUT_COMPLETE": "zsh_source"}
        process = start(stdout=PIPE, env=environment)
        out, _ = process.communicate()
        assert process.returncode == 0
        assert b"#compdef ocilayout" in out
        assert layout.tags()


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "{}"),
        ("check", "{}"),
        ("repair", "{}"),
        ("cp", "oci:here", "oci:{}"),
        ("cp", "oci-archive:{}", "oci:there"),
    ],
    ids=" ".join,
)
def test_a_path_that_the_system_refuses_is_named_with_the_act(
    command: Command, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    here = Layout.create(tmp_path / "here")
    here.tag("v", here.blobs.put(b"x", media_type=OCTET_STREAM))
    long = str(tmp_path / ("x" * 300))
    filled = [argument.replace("oci:here", f"oci:{tmp_path}/here") for argument in arguments]
    done = command.run(*(argument.format(long) for argument in filled), status=1)
    assert re.match(rf"Error: cannot [a-z ]+ {re.escape(long)}\S*: \S", done.stderr), done.stderr


def test_a_fault_of_an_archive_names_its_file(command: Command, tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "here")
    layout.tag("v", layout.blobs.put(b"x", media_type=OCTET_STREAM))
    archive = tmp_path / "a.tar"
    command.run("cp", f"oci:{tmp_path}/here:v", f"oci-archive:{archive}")
    archive.write_bytes(archive.read_bytes()[:700])
    done = command.run("ls", str(archive), status=1)
    assert done.stderr.startswith(f"Error: {archive}: "), done.stderr
