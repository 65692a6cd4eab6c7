"""The commands as programs of their own, on pipes and on terminals."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios

from ocilayout import OCI_LAYER, Layout, Manifest
from ocilayout.model.mediatype import OCI_EMPTY

LARGE = 4 * 2**20  # more than any pipe holds, in bytes
_RUN = "from {0}.cli import main; main(prog_name={0!r})"
ROWS = 24  # of a terminal


def start(
    *arguments: str, program: str = "ocilayout", **options: object
) -> subprocess.Popen[bytes]:
    """Start a command as a program of its own."""
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return] # any of its options
        [sys.executable, "-c", _RUN.format(program), *arguments], **options
    )


def put_large(layout: Layout) -> None:
    """Give an artifact with a large layer the name `large`."""
    layer = layout.blobs.put(os.urandom(LARGE), media_type=OCI_LAYER)
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    manifest = Manifest(artifact_type="a/b", config=config, layers=[layer])
    layout.tag("large", layout.put_manifest(manifest))


class Terminal:
    """A program on a terminal of its own, which is read to its end."""

    def __init__(
        self, *arguments: str, columns: int = 80, program: str = "ocilayout", **environment: str
    ) -> None:
        control, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        inherited = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
        self.process = start(
            *arguments,
            program=program,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env={**inherited, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment},
        )
        os.close(terminal)
        self._control = control

    def until(self, text: str) -> str:
        """Read until some text was written."""
        return self._read(text.encode())

    def type(self, text: str) -> None:
        """Type text."""
        os.write(self._control, text.encode())

    def end(self, status: int = 0) -> str:
        """Read to the end, and expect an exit status."""
        said = self._read(None)
        os.close(self._control)
        assert self.process.wait() == status, said
        return said

    def lines(self, status: int = 0) -> list[str]:
        """Return the lines that stand there at its end, without colours."""
        said = self.end(status).rpartition("\x1b[J")[2]  # what was drawn before is cleared
        return re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()

    def _read(self, until: bytes | None) -> str:
        said = b""
        while until is None or until not in said:
            assert select.select([self._control], [], [], 60)[0], said
            try:
                data = os.read(self._control, 65536)
            except OSError:  # how Linux tells the end of a terminal
                data = b""
            if not data:
                assert until is None, said
                break
            said += data
        return said.decode().replace("\r\n", "\n")
