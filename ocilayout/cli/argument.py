"""Arguments: what the text of an argument means, and how click is told of a wrong one.

A locator says where content is, written as skopeo writes it: `oci:PATH[:NAME]` is a layout in a
folder, `oci-archive:FILE[:NAME]` one inside a tar, `docker-archive:FILE[:NAME]` a tar of `docker
save`, `docker://HOST/REPO[:TAG|@DIGEST]` a repository of a registry. A name may contain colons and
`@`, so the path ends at the first colon and cannot contain one; a path that is an argument of its
own can. Each function here that reads text raises ValueError for wrong text.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import click
from attrs import evolve, frozen
from click.core import ParameterSource

from ocilayout.errors import DocumentError, InvalidNameError
from ocilayout.layout import acting
from ocilayout.model import Reference, is_digest

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM: Final = "-"
"""The file name that means standard input or output."""

_REGISTRY: Final = "docker://"
_ALGORITHM: Final = r"(?:sha256|sha384|sha512|blake3)"
_BEGINNING: Final = re.compile(rf"{_ALGORITHM}:[0-9a-f]{{6,}}|[0-9a-f]{{12,}}")
_FORMS: Final = (
    "oci:PATH[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME] or"
    " docker://HOST/REPO[:TAG|@DIGEST]"
)
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw]?)")
_BYTES: Final = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE: Final = re.compile(r"([0-9]{1,15})([KMGT]iB|B|)")


@frozen
class _InFiles:
    """Content of a layout.

    Attributes:
        path: The folder, or the tar, which may be `STREAM`.
        name: A name or a digest in it; `None` if none was given.
    """

    scheme: ClassVar[str]
    path: str
    name: str | None = None

    def __str__(self) -> str:
        return _text(self.scheme, self.path, self.name)


class InLayout(_InFiles):
    """Content of a layout in a folder."""

    scheme = "oci:"


class InArchive(_InFiles):
    """Content of a layout inside a tar."""

    scheme = "oci-archive:"


class InDockerArchive(InArchive):
    """Content of a tar of `docker save`."""

    scheme = "docker-archive:"


@frozen
class InRegistry:
    """Content of a repository.

    Attributes:
        repository: Host and path, such as `ghcr.io/org/skill`.
        name: A tag or a digest in it; `None` if none was given.
    """

    repository: str
    name: str | None = None

    def __str__(self) -> str:
        return _text(_REGISTRY, self.repository, self.name)


Locator = InLayout | InArchive | InRegistry

_FILES: Final = (InLayout, InArchive, InDockerArchive)


def parse_locator(text: str) -> Locator:
    """Read a locator.

    `@` and a digest after a path mean content by its digest, as they do after a repository. Where
    a reference has a tag and a digest, the digest decides.

    Raises:
        InvalidNameError: The text is not a locator.
    """
    if text.startswith(_REGISTRY):
        reference = Reference.parse(text.removeprefix(_REGISTRY))
        name = reference.digest or reference.tag
        return InRegistry(str(evolve(reference, tag=None, digest=None)), name)
    for kind in _FILES:
        if text.startswith(kind.scheme):
            path, name = _split(text.removeprefix(kind.scheme))
            if not path:
                raise InvalidNameError(f"{text!r} has an empty path; write {_FORMS}")
            return kind(path, name or None)  # containers/image prints `oci:PATH:` for no name
    raise InvalidNameError(f"{text!r} is not a locator; write {_FORMS}")


def begins_digest(text: str) -> bool:
    """Tell whether text may be the beginning of a digest, as tables show it.

    It has at least 6 digits behind an algorithm, or at least 12 without one.
    """
    return _BEGINNING.fullmatch(text) is not None


def _split(text: str) -> tuple[str, str | None]:
    path, colon, name = text.partition(":")
    if not colon:
        return text, None
    before, at, algorithm = path.rpartition("@")
    digest = f"{algorithm}:{name}"
    if at and (is_digest(digest) or begins_digest(digest)):
        return before, digest
    return path, name


def _text(scheme: str, path: str, name: str | None) -> str:
    if name is None:
        return f"{scheme}{path}"
    return f"{scheme}{path}{'@' if is_digest(name) else ':'}{name}"


def read_source(text: str) -> Locator:
    """Read a locator, or a path: of a folder with a layout, or of an archive.

    A path that begins like a locator is written with `./` before it.

    Raises:
        InvalidNameError: The text begins like a locator and is not one.
        OSError: The file system cannot tell whether the path is that of an archive.
    """
    if text.startswith((*(kind.scheme for kind in _FILES), _REGISTRY)):
        return parse_locator(text)
    with acting("look at", text):
        if text == STREAM or Path(text).is_file() or Path(text).is_fifo():
            return InArchive(text)
    return InLayout(text)


def read_folder(text: str) -> Path:
    """Read the path of a folder with a layout, which may be written as `oci:PATH`.

    Raises:
        ValueError: It is not such a path.
        OSError: As `read_source` says.
    """
    locator = read_source(text)
    if not isinstance(locator, InLayout):
        what = "is not a folder, and this command works on a layout in a folder"
    elif locator.name is not None:
        what = "has a name in it; give it as an argument of its own"
    else:
        return Path(locator.path)
    raise ValueError(f"{text!r} {what}")


def read_duration(text: str) -> timedelta:
    """Read a duration such as `90s`, `30m`, `12h`, `7d` or `2w`; a number alone is in seconds.

    Raises:
        ValueError: It is not a duration, or is longer than a `timedelta` can be.
    """
    match = _DURATION.fullmatch(text)
    try:
        if match is not None:
            return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        pass
    raise ValueError(f"{text!r} is not a duration; write 90s, 30m, 12h, 7d or 2w")


def read_size(text: str) -> int:
    """Read a number of bytes, such as `4096`, `512MiB` or `2GiB`.

    Raises:
        ValueError: It is not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size; write 4096, 512MiB or 2GiB")
    return int(match[1]) * _BYTES[match[2]]


def read_chunk_size(text: str) -> int:
    """Read the size of a chunk, such as `16MiB`, in bytes, >= 1.

    Raises:
        ValueError: It is not a size, or is 0.
    """
    size = read_size(text)
    if size == 0:
        raise ValueError("a chunk has at least one byte")
    return size


def read_annotation(text: str) -> tuple[str, str]:
    """Read an annotation, `KEY=VALUE`.

    Raises:
        ValueError: It is not one.
    """
    key, sign, value = text.partition("=")
    if not (key and sign):
        raise ValueError(f"{text!r} is not an annotation; write KEY=VALUE")
    return key, value


def read_by(read: Callable[[str], object]) -> Callable[..., Any]:
    """Return a callback of click that reads a parameter, or each of several values.

    A ValueError of `read` becomes a usage error.
    """

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:  # noqa: ANN401
        try:
            if isinstance(value, tuple):
                return tuple(read(text) for text in value)
            return None if value is None else read(value)
        except DocumentError as error:
            raise click.BadParameter(error.problems[0].message, ctx, param) from None
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return callback


def given(prefix: str, *names: str) -> dict[str, str]:
    """Return the options among some that are on the command line, as they are written there.

    Args:
        prefix: What the options begin with on the command line, such as `from-`.
        names: Their names without the prefix, as parameters.
    """
    context = click.get_current_context()
    under = prefix.replace("-", "_")
    return {
        name: f"--{prefix}{name.replace('_', '-')}"
        for name in names
        if context.get_parameter_source(under + name) is ParameterSource.COMMANDLINE
    }


def refuse(what: str, *names: str) -> None:
    """Refuse options, by their names as parameters; `what` is what they say, and why not.

    Raises:
        UsageError: One of them is on the command line.
    """
    for option in given("", *names).values():
        raise click.UsageError(f"{option} says {what}")
