"""Locators: text that says where content is, and by what name.

They are written as skopeo writes them: `oci:PATH[:NAME]` is a layout in a folder,
`oci-archive:FILE[:NAME]` one inside a tar, `docker://HOST/REPO[:TAG|@DIGEST]` content in a
registry. A name may hold colons and `@`, so a path ends at the first colon, and none can hold one;
a path that is an argument of its own can. Pure: whether anything is there is not asked.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from ocilayout.errors import InvalidNameError
from ocilayout.model import Reference, is_digest

LAYOUT: Final = "oci:"
ARCHIVE: Final = "oci-archive:"
REGISTRY: Final = "docker://"
FORMS: Final = "oci:PATH[:NAME], oci-archive:FILE[:NAME] or docker://HOST/REPO[:TAG|@DIGEST]"
STREAM: Final = "-"
"""The file that stands for standard input or output."""


@frozen
class InLayout:
    """Content of a layout in a folder.

    Attributes:
        path: The folder.
        name: A name or a digest in it; `None` if nothing was said.
    """

    path: str
    name: str | None = None

    def __str__(self) -> str:
        return _text(LAYOUT, self.path, self.name)


@frozen
class InArchive:
    """Content of a layout inside a tar.

    Attributes:
        path: The tar, or `STREAM`.
        name: A name or a digest in it; `None` if nothing was said.
    """

    path: str
    name: str | None = None

    def __str__(self) -> str:
        return _text(ARCHIVE, self.path, self.name)


@frozen
class InRegistry:
    """Content of a repository.

    Attributes:
        repository: Host and path, such as `ghcr.io/org/skill`.
        name: A tag or a digest in it; `None` if nothing was said.
    """

    repository: str
    name: str | None = None

    def __str__(self) -> str:
        return _text(REGISTRY, self.repository, self.name)


Locator = InLayout | InArchive | InRegistry


def is_locator(text: str) -> bool:
    """Tell whether text is a locator and no path; a path that begins like one has a `./` before."""
    return text.startswith((LAYOUT, ARCHIVE, REGISTRY))


def parse_locator(text: str) -> Locator:
    """Read a locator.

    `@` and a digest after a path mean content by its digest, as they do after a repository. Where
    a reference has a tag and a digest, the digest decides.

    Raises:
        InvalidNameError: The text is no locator.
    """
    if text.startswith(REGISTRY):
        reference = Reference.parse(text.removeprefix(REGISTRY))
        name = reference.digest or reference.tag
        return InRegistry(str(evolve(reference, tag=None, digest=None)), name)
    for scheme, kind in ((LAYOUT, InLayout), (ARCHIVE, InArchive)):
        if text.startswith(scheme):
            path, name = _split(text.removeprefix(scheme))
            if not path or name == "":
                what = "path" if not path else "name"
                raise InvalidNameError(f"{text!r} has an empty {what}; write {FORMS}")
            return kind(path, name)
    raise InvalidNameError(f"{text!r} is no locator; write {FORMS}")


def _split(text: str) -> tuple[str, str | None]:
    path, colon, name = text.partition(":")
    if not colon:
        return text, None
    before, at, algorithm = path.rpartition("@")
    if at and is_digest(f"{algorithm}:{name}"):
        return before, f"{algorithm}:{name}"
    return path, name


def _text(scheme: str, path: str, name: str | None) -> str:
    if name is None:
        return f"{scheme}{path}"
    return f"{scheme}{path}{'@' if is_digest(name) else ':'}{name}"
