"""Names of images as Docker writes them: `HOST/REPOSITORY:TAG`, with defaults for most parts."""

from __future__ import annotations

from attrs import evolve

from ocilayout.errors import InvalidNameError
from ocilayout.model import Reference


def docker_reference(name: str) -> Reference:
    """Return a name in full: `busybox` is `docker.io/library/busybox:latest`.

    Raises:
        InvalidNameError: It is not the name of an image, or has a digest.
    """
    reference = Reference.parse(name)
    if reference.digest is not None:
        raise InvalidNameError(
            f"{name!r} has a digest, and a Docker archive has names by tags only"
        )
    return reference if reference.tag else evolve(reference, tag="latest")


def known_reference(*names: str | None) -> Reference | None:
    """Return the first of some names that has a repository and a tag, in full.

    A tag alone is not such a name: `v1` would be a repository, with the tag `latest`.
    """
    for name in names:
        try:
            reference = Reference.parse(name or "")
        except InvalidNameError:
            continue
        if reference.tag is not None and reference.digest is None:
            return reference
    return None
