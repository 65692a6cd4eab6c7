"""Lists of tags, from servers whose pages are mostly wrong."""

from __future__ import annotations

import pytest

from ocilayout.errors import (
    LimitExceededError,
    RegistryError,
)
from ocilayout.model.limit import Limits
from ocilayout.registry import Repository
from tests.unit.registry.example import failing, page
from tests.unit.registry.scripted import Reply, Scripted


@pytest.mark.spec("distribution:tags", "distribution:tags-link")
def test_tags_follow_pages_and_are_sorted_bytewise(registry: Scripted, repo: Repository) -> None:
    """All pages are read, relative and absolute ones, and the tags come sorted bytewise."""
    pages = {
        "1000": page("b", "B", link='<?n=1>; title=x; rel="Next last"'),
        "1": page("a", "_", link=f"<http://{registry.host}/v2/org/app/tags/list?n=2>; rel=next"),
        "2": page("b", "10", "9", link='</elsewhere>; rel="prev"'),
    }
    registry.routes["GET /v2/org/app/tags/list"] = lambda seen, _: pages[
        "".join(seen.query.get("n", [""]))
    ]
    assert repo.tags() == ("10", "9", "B", "_", "a", "b")


def test_a_list_without_tags_may_be_null(registry: Scripted, repo: Repository) -> None:
    """A list that Go writes as null is empty."""
    registry.routes["GET /v2/org/app/tags/list"] = Reply(200, body=b'{"tags":null}')
    assert repo.tags() == ()


def test_tags_do_not_lead_to_another_host(
    registry: Scripted, other: Scripted, repo: Repository
) -> None:
    """A next page at another origin is refused and not asked for."""
    link = f"<http://{other.host}/v2/org/app/tags/list>; rel=next"
    registry.routes["GET /v2/org/app/tags/list"] = page("a", link=link)
    with pytest.raises(RegistryError, match="another host"):
        repo.tags()
    assert other.seen == []


def test_tags_in_a_circle_are_refused(registry: Scripted, repo: Repository) -> None:
    """Pages that lead back end in an error and not in a loop."""
    registry.routes["GET /v2/org/app/tags/list"] = page("a", link="<list>; rel=next")
    with pytest.raises(RegistryError, match="circle"):
        repo.tags()


@pytest.mark.parametrize(
    ("limits", "what"), [(Limits(pages=3), "pages"), (Limits(listed=3), "tags")]
)
def test_endless_tags_are_bounded(registry: Scripted, limits: Limits, what: str) -> None:
    """A list that never ends is left at a limit."""
    repo = Repository(f"{registry.host}/org/app", timeout=60, limits=limits)
    count = iter(range(1000))

    def more(*_: object) -> Reply:
        number = next(count)
        return page(f"t{number}", link=f"<?n={number}>; rel=next")

    registry.routes["GET /v2/org/app/tags/list"] = more
    with pytest.raises(LimitExceededError) as caught:
        repo.tags()
    assert (caught.value.what, caught.value.limit) == (what, 3)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"tags":"a"}', b'{"tags":[1]}', b'{"tags":["\\ud800"]}']
)
def test_an_invalid_list_is_an_error(registry: Scripted, repo: Repository, body: bytes) -> None:
    """A body that is not a list of tags is a registry's error."""
    registry.routes["GET /v2/org/app/tags/list"] = Reply(200, body=body)
    with pytest.raises(RegistryError, match="list of tags") as caught:
        repo.tags()
    assert caught.value.status == 200


def test_the_tags_of_no_repository_are_an_error(registry: Scripted, repo: Repository) -> None:
    """A missing repository is an error with status and code, not an empty list."""
    registry.routes["GET /v2/org/app/tags/list"] = failing(404, "NAME_UNKNOWN")
    with pytest.raises(RegistryError) as caught:
        repo.tags()
    assert (caught.value.status, caught.value.codes) == (404, ("NAME_UNKNOWN",))
