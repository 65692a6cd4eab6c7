"""Names of images, as Docker completes them."""

from __future__ import annotations

import pytest

from ocilayout.archive.dockername import docker_reference, known_reference
from ocilayout.errors import InvalidNameError


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1", "docker.io/library/busybox:1"),
        ("team/app", "docker.io/team/app:latest"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest"),
        ("localhost/app:v1", "localhost/app:v1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("ghcr.io/a/b__c:V1", "ghcr.io/a/b__c:V1"),
    ],
)
def test_names_in_full(name: str, full: str) -> None:
    """Host, library and tag are added where they are missing."""
    assert str(docker_reference(name)) == full


@pytest.mark.parametrize("name", ["", "UPPER", "a:b:c", "@0", "a@sha256:" + "0" * 64, "a:", ":a"])
def test_names_that_are_not_images(name: str) -> None:
    """Text outside of the grammar is refused, and a digest, too."""
    with pytest.raises(InvalidNameError):
        docker_reference(name)


@pytest.mark.parametrize(
    ("names", "full"),
    [
        (["app:v1"], "docker.io/library/app:v1"),
        (["v1"], None),
        ([None, "UPPER:1", "a:1", "b:1"], "docker.io/library/a:1"),
        (["a:1@sha256:" + "0" * 64], None),
        ([], None),
    ],
)
def test_names_that_say_enough(names: list[str | None], full: str | None) -> None:
    """A name counts if it has a repository and a tag; the first such one is taken."""
    known = known_reference(*names)
    assert (None if known is None else str(known)) == full
