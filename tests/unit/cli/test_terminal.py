"""How commands answer, fail and end."""

from __future__ import annotations

import errno
import io
import json
import sys

import click
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from ocilayout.cli.group import Failing
from ocilayout.cli.terminal import (
    answer,
    can_write,
    counted,
    one_line,
    printable,
    short,
    size_text,
    table,
)
from ocilayout.errors import LockTimeoutError, OciLayoutError
from ocilayout.model.digest import Digest

# Unicode 16, Default_Ignorable_Code_Point, as ranges with both ends.
IGNORED = {
    chr(point)
    for first, last in (
        (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
        (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
        (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8),
        (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    )
    for point in range(first, last + 1)
}  # fmt: skip


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (2**20, "1.0 MiB"),
     (2**63 - 1, "8.0 EiB"), (2**74, "16384.0 EiB")],
)  # fmt: skip
def test_sizes(size: int, text: str) -> None:
    """A size is shown in the largest binary unit that it is not smaller than."""
    assert size_text(size) == text


def test_counts() -> None:
    """One is singular, and any other number is plural."""
    assert [counted(n, "blob") for n in (0, 1, 2)] == ["0 blobs", "1 blob", "2 blobs"]
    assert counted(2, "entry", "entries") == "2 entries"


def test_short_digests() -> None:
    """A digest is shown by its algorithm and twelve digits."""
    assert short(Digest.of(b"", "sha512")) == "sha512:cf83e1357eef"


@given(st.text(st.characters(codec="utf-8")))
@example("".join(sorted(IGNORED)))
def test_printable_text(text: str) -> None:
    """Shown text is printable, and printable text is unchanged."""
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert not set(shown) & IGNORED
    assert (shown == text) is (text.isprintable() and not set(text) & IGNORED)


HIDDEN = {
    "a control": "\x1b",
    "a control of C1": "\x9b",
    "delete": "\x7f",
    "a control of direction": "\u202e",
    "an isolate": "\u2066",
    "a mark of direction": "\u200f",
    "a space without width": "\u200b",
    "a joiner": "\u200d",
    "a byte order mark": "\ufeff",
    "a soft hyphen": "\u00ad",
    "a separator of lines": "\u2028",
    "a separator of paragraphs": "\u2029",
    "a tag": "\U000e0041",
    "a private character": "\ue000",
    "a private character of plane 16": "\U00100000",
    "a character that is not assigned": "\u0378",
    "a noncharacter": "\U0001ffff",
    "a surrogate": "\udc80",
    "a variation selector": "\ufe0f",
    "a variation selector of plane 14": "\U000e0101",
    "a filler": "\u3164",
    "a grapheme joiner": "\u034f",
}


class Terminal(io.StringIO):
    """A stream that claims to be a terminal, with UTF-8."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("char", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("err", [False, True], ids=["stdout", "stderr"])
def test_json_on_a_terminal_hides_nothing(
    monkeypatch: pytest.MonkeyPatch, char: str, *, err: bool
) -> None:
    """What a terminal would obey or not show is escaped; programs get the same value."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr" if err else "stdout", stream)
    data = {f"a{char}": [char, f"é e\u0301 🦄{char}"]}
    answer(data, err=err)
    said = stream.getvalue()
    assert char not in said
    assert said.isascii() or "é e\u0301 🦄" in said
    assert json.loads(said) == data


@pytest.mark.parametrize("char", HIDDEN.values(), ids=HIDDEN)
def test_text_hides_nothing(capsys: pytest.CaptureFixture[str], char: str) -> None:
    """Answers, tables and errors are escaped in any case; combining marks stay."""
    answer(None, f"one {char}\ntwo é e\u0301 🦄", as_json=False)
    table([("A",), (f"x{char}",)])
    said = capsys.readouterr().out
    assert char not in said
    assert said.splitlines()[1] == "two é e\u0301 🦄"
    assert len(said.splitlines()) == 4
    assert char not in one_line(OciLayoutError(f"a{char}b"))


def test_json_for_programs_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Where standard output is not a terminal only controls are escaped."""
    answer(["\u202e\u200b\U000e0041\x9b"])
    assert capsys.readouterr().out == '[\n  "\u202e\u200b\U000e0041\\u009b"\n]\n'


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OciLayoutError("a\n b\tc"), "a b c"),
        (OciLayoutError("a\x1b[2J\udc80"), "a\\x1b[2J\\udc80"),
        (OciLayoutError("x " * 1000), "x " * 497 + "x ..."),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a b"),
         "a b: No such file or directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (LockTimeoutError("held"), "held"),
    ],
)  # fmt: skip
def test_errors_in_one_line(error: Exception, text: str) -> None:
    """An error is one line of a bounded length, and names the file that it is about."""
    assert one_line(error) == text


def test_json_can_be_read_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Text stays as it is where it can be written, but for what a terminal would obey."""
    answer({"a": "ü\x9b\x1b"}, "", as_json=True)
    assert capsys.readouterr().out == '{\n  "a": "ü\\u009b\\u001b"\n}\n'
    answer(["\udc80"], "", as_json=True)
    assert capsys.readouterr().out == '[\n  "\\udc80"\n]\n'


def test_text_or_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The text is written for people, and nothing if it is empty."""
    answer({}, "a", as_json=False)
    answer({}, "", as_json=False)
    answer({}, "b", as_json=False, err=True)
    assert capsys.readouterr() == ("a\n", "b\n")


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal columns are as wide as their cells, without trailing blanks."""
    table([("A", "B"), ("long", "x"), ("", "")])
    assert capsys.readouterr().out == "A      B\nlong   x\n\n"


def test_an_encoding_without_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether standard output can encode text is known."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert can_write("a")
    assert not can_write("│")


@click.group(cls=Failing)
def failing() -> None:
    """Fail in every way."""


@failing.command()
@click.argument("number", type=int)
def fail(number: int) -> None:
    """Fail."""
    click.echo("said before")
    raise [
        OciLayoutError("ours"),
        OSError("system"),
        KeyboardInterrupt(),
        BrokenPipeError(),
        ModuleNotFoundError("x", name="urllib3"),
        ModuleNotFoundError("x", name="ours"),
        ZeroDivisionError("defect"),
    ][number]


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (0, 1, "Error: ours\n"),
        (1, 1, "Error: system\n"),
        (2, 130, ""),
        (4, 1, "Error: urllib3 is not installed; pip install 'ocilayout[registry]' brings it\n"),
    ],
)
def test_how_a_command_ends(number: int, status: int, said: str) -> None:
    """A failure is one line on standard error, and an interruption is silent."""
    done = CliRunner().invoke(failing, ["fail", str(number)])
    assert (done.exit_code, done.stderr) == (status, said)


def test_a_stream_that_is_not_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that replaces standard output gets the answer in its stream."""
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    with pytest.raises(click.ClickException, match="ours"):
        failing.main(["fail", "0"], standalone_mode=False)
    assert stream.getvalue() == "said before\n"


@pytest.mark.parametrize("number", [5, 6])
def test_a_defect_shows(number: int) -> None:
    """An error that is not an answer shows its traceback."""
    done = CliRunner().invoke(failing, ["fail", str(number)])
    assert isinstance(done.exception, ModuleNotFoundError | ZeroDivisionError)


def test_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR in the environment nothing has a colour, not even on a terminal."""
    command = Failing(
        commands={"say": click.Command("say", callback=lambda: click.secho("red", fg="red"))}
    )
    assert "\x1b" in CliRunner().invoke(command, ["say"], color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert CliRunner().invoke(command, ["say"], color=True).stdout == "red\n"
