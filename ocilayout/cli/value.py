"""Values: what the text of an argument means. Each is read by a function that raises ValueError.

Locators have a module of their own. Here is what looks at the file system for them: whether a
path is that of a folder or of an archive.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Final

from ocilayout.cli.locator import (
    STREAM,
    InArchive,
    InLayout,
    Locator,
    is_locator,
    parse_locator,
)

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw]?)")
_BYTES: Final = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE: Final = re.compile(r"([0-9]{1,15})([KMGT]iB|B|)")


def read_source(text: str) -> Locator:
    """Read a locator, or a path: of a folder with a layout, or of an archive.

    Raises:
        ValueError: It is no locator, though it begins like one.
        OSError: The path cannot be looked at.
    """
    if is_locator(text):
        return parse_locator(text)
    if text == STREAM or Path(text).is_file() or Path(text).is_fifo():
        return InArchive(text)
    return InLayout(text)


def read_folder(text: str) -> Path:
    """Read the path of a folder with a layout, which may be written as `oci:PATH`.

    Raises:
        ValueError: It is no such path.
        OSError: The path cannot be looked at.
    """
    locator = read_source(text)
    if not isinstance(locator, InLayout):
        what = "is no folder, and this works on a layout in a folder"
    elif locator.name is not None:
        what = "has a name in it; give it as an argument of its own"
    else:
        return Path(locator.path)
    raise ValueError(f"{text!r} {what}")


def read_duration(text: str) -> timedelta:
    """Read a duration such as `90s`, `30m`, `12h`, `7d` or `2w`; a number alone is seconds.

    Raises:
        ValueError: It is not a duration, or is longer than Python can count.
    """
    match = _DURATION.fullmatch(text)
    try:
        if match is not None:
            return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        pass
    raise ValueError(f"{text!r} is no duration; write 90s, 30m, 12h, 7d or 2w")


def read_size(text: str) -> int:
    """Read a number of bytes, such as `4096`, `512MiB` or `2GiB`.

    Raises:
        ValueError: It is none.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no size; write 4096, 512MiB or 2GiB")
    return int(match[1]) * _BYTES[match[2]]


def read_chunk_size(text: str) -> int:
    """Read the size of a chunk, such as `16MiB`.

    Raises:
        ValueError: It is none, or there is nothing in it.
    """
    size = read_size(text)
    if size == 0:
        raise ValueError("a chunk has one byte at least")
    return size


def read_note(text: str) -> tuple[str, str]:
    """Read an annotation, `KEY=VALUE`.

    Raises:
        ValueError: It is none.
    """
    key, sign, value = text.partition("=")
    if not (key and sign):
        raise ValueError(f"{text!r} is no annotation; write KEY=VALUE")
    return key, value
