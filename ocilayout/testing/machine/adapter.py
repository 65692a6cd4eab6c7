"""How the machine drives a store, and one way to do it, for our own.

An adapter opens stores. Each verb of a store that it names in `verbs` is put under test; the others
are never called. A store of your own needs one class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, Protocol

from attrs import frozen

from ocilayout.model import Descriptor, Digest
from ocilayout.testing.machine.oracle import Model
from ocilayout.testing.machine.sample import CONTENTS, NAMES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from ocilayout.testing.machine.sample import Content

VERBS: Final = frozenset(
    {
        *("put", "read", "bring", "tag", "retag", "untag", "annotate", "remove", "collect"),
        *("copy", "copy_digest", "copy_referrers"),
        *("full_names", "repair", "edit"),
    }
)
"""What a store may be asked for, besides `look`, which all have.

`copy_digest` and `copy_referrers` are `copy` with a digest, and with `referrers`. With `full_names`
other programs give full names to entries, and one name to several; and `retag`, `untag`,
`annotate` and `remove` are asked by full names, by digests and by `NAME@DIGEST`, too, and `copy` by
full names."""


@frozen
class Step:
    """One of several changes.

    Attributes:
        verb: Which of three verbs of a store.
        ref: The name, or for `untag` and `annotate` another reference.
        target: What `tag` tags.
        notes: The annotations of `tag` and `annotate`.
    """

    verb: Literal["tag", "untag", "annotate"]
    ref: str
    target: Descriptor
    notes: Mapping[str, str]


class Store(Protocol):
    """One open handle on a layout in a folder.

    A verb that is asked for a name that is not there must raise `LookupError` and change nothing.
    So must `tag`, if the content is gone, and whatever the model refuses. Where a name means
    entries of different content, a verb must raise, whatever that is. What else a verb raises is a
    finding.
    """

    def put(self, content: Content, /) -> None:
        """Store all blobs of a content, and those beside it, without an entry."""
        ...

    def read(self, descriptor: Descriptor, /) -> bytes:
        """Return a blob; a damaged blob must be refused."""
        ...

    def bring(self, name: str, content: Content, /) -> None:
        """Store content under a name."""
        ...

    def tag(self, name: str, target: Descriptor, notes: Mapping[str, str], /) -> None:
        """Tag content of the layout, with annotations for its entry."""
        ...

    def retag(self, old: str, name: str, /) -> None:
        """Tag the content of another tag, without annotations."""
        ...

    def untag(self, name: str, /) -> None:
        """Remove a tag and keep its content."""
        ...

    def annotate(self, name: str, changes: Mapping[str, str | None], /) -> None:
        """Set annotations of the entry of a name; `None` removes one."""
        ...

    def remove(self, name: str, /) -> None:
        """Remove a tag and delete the content that only it reached."""
        ...

    def edit(self, steps: Sequence[Step], /) -> None:
        """Make several changes at once, or none of them if one must be refused."""
        ...

    def collect(self, *, prune: bool, grace: bool, dry_run: bool) -> Removed:
        """Delete what nothing reaches.

        Args:
            prune: Whether entries without names go that nothing needs.
            grace: Whether what is young stays; all content is.
            dry_run: Whether to change nothing, and say what would go.
        """
        ...

    def copy(self, source: Path, ref: str, *, name: str | None, referrers: bool) -> None:
        """Copy what a name or a digest means in the layout of another folder into this one.

        Args:
            source: The other folder.
            ref: The name or the digest.
            name: What to call it here; by default `ref`, if that is a name.
            referrers: Whether what refers to it comes along.
        """
        ...

    def repair(self) -> None:
        """Mend what needs no guess.

        Exact repetitions of entries go. What no entry lists, and stays for its subject alone, gets
        an entry, as far as it is not a part of another one. A link in the place of a blob becomes
        a copy. Nothing else changes.
        """
        ...

    def look(self) -> View:
        """Return what the store says that it holds."""
        ...


@frozen
class Removed:
    """What a collection says that it removed, or would.

    Attributes:
        blobs: The digests of blobs.
        entries: The digests of entries without a name, in document order.
        unlisted: The digests of manifests that stay for their subject alone; `None` if it does not
            say.
    """

    blobs: frozenset[Digest]
    entries: tuple[Digest, ...]
    unlisted: tuple[Digest, ...] | None = None


@frozen
class View:
    """What a store says that it holds, by its own verbs of reading.

    Attributes:
        names: All names, in the order in which the store gives them.
        meant: What each name means, but for those that mean several things; of a store that may
            be asked by full names, also what each of these means.
        notes: The annotations of the entry of each of these names.
        referrers: What refers to each of some digests; `None` if it cannot tell.
    """

    names: tuple[str, ...]
    meant: Mapping[str, Descriptor]
    notes: Mapping[str, Mapping[str, str]]
    referrers: Mapping[Digest, tuple[Digest, ...]] | None = None


class Adapter(ABC):
    """A store to put under the machine. A subclass says what is different with it.

    Attributes:
        verbs: Those of `VERBS` that it has.
        prunes: Whether its `collect` drops entries without names when it is asked to.
        exact: Whether all that is in `index.json` and `blobs/` must be what the model says. If not,
            names must mean what the model says, and be whole.
        handles: How many handles are used side by side.
        model: What the store must do; a subclass of `Model` knows better.
        contents: What is put into it; every manifest and index inside of one must be another one.
        names: What it is called there.
    """

    verbs: Collection[str] = VERBS
    exact: bool = True
    prunes: bool = True
    handles: int = 1
    model: type[Model] = Model
    contents: Sequence[Content] = CONTENTS
    names: Sequence[str] = NAMES

    @abstractmethod
    def create(self, path: Path) -> None:
        """Make an empty layout in a folder that is not there."""

    @abstractmethod
    def open(self, path: Path, number: int) -> Store:
        """Open a handle on a layout.

        Args:
            path: The folder.
            number: Which handle, from 0 to `handles` - 1.
        """
