"""Any program under the machine: each verb is a command line.

What a program has no command for is done by hand, as if another program had done it: blobs are put,
and entries are written. So a program that can only rename and collect can be tried, too.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

from ocilayout.model import REF_NAME, Descriptor
from ocilayout.testing.machine.adapter import Adapter, Removed, View
from ocilayout.testing.machine.oracle import Model
from ocilayout.testing.machine.outside import blob_path, write_blob
from ocilayout.testing.machine.sample import CONTENTS
from ocilayout.testing.machine.state import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocilayout.testing.machine.adapter import Step
    from ocilayout.testing.machine.sample import Content

_TIME_LIMIT: Final = 60
_BY_HAND: Final = frozenset({"put", "tag"})
_CONTENT: Final = "content"


class ProgramError(Exception):
    """A program failed, and nothing says that this is how it refuses.

    What it wrote is the message.
    """


class ProgramAdapter(Adapter):
    """Puts a program under the machine.

    Args:
        commands: The words of each verb that it has. In them stand, in braces: `path`, the folder
            of the store; `name`, `old` and `ref`, as the verb has them; `source`, the folder to
            copy from, which for `bring` holds the content under the name `content`. `create` makes
            a store, which is done by hand if there is no such command, and `names` writes its
            names, one a line.
        missing: What stands in a complaint that something is not there, as a regular expression.
        model: What the program means to do, where that is not what ours does.
        contents: What is put into the store.
    """

    exact = False
    prunes = False

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        missing: str,
        model: type[Model] = Model,
        contents: Sequence[Content] = CONTENTS,
    ) -> None:
        self.commands = commands
        self.missing = missing
        self.model = model
        self.contents = contents
        self.names = ("a", "b", "c")
        self.verbs = _BY_HAND | (commands.keys() - {"create", "names"})

    def create(self, path: Path) -> None:
        """Make an empty layout."""
        if "create" in self.commands:
            self.run("create", path=path)
            return
        _make_empty(path)

    def open(self, path: Path, number: int) -> ProgramStore:
        """Return a handle, which is nothing but the path."""
        del number
        return ProgramStore(self, path)

    def content(self, root: Descriptor) -> Content:
        """Return the content that has a root."""
        return next(content for content in self.contents if content.digest == root.digest)

    def run(self, verb: str, **values: object) -> str:
        """Run the command of a verb, and return what it writes.

        Raises:
            RefusalError: It says that something is not there.
            ProgramError: It failed otherwise.
        """
        words = [word.format(**values) for word in self.commands[verb]]
        done = subprocess.run(  # noqa: S603 # the author of the adapter says what is run
            words, capture_output=True, text=True, check=False, timeout=_TIME_LIMIT
        )
        if done.returncode == 0:
            return done.stdout
        if re.search(self.missing, done.stderr):
            raise RefusalError(done.stderr)
        raise ProgramError(f"{' '.join(words)}: {done.stderr}")


class ProgramStore:
    """A layout that a program works on."""

    def __init__(self, adapter: ProgramAdapter, path: Path) -> None:
        """Use a layout.

        Args:
            adapter: Runs the commands.
            path: The folder.
        """
        self._adapter = adapter
        self._path = path

    def put(self, content: Content) -> None:
        """Write the blobs by hand."""
        for descriptor, data in (*content.beside, *content.blobs):
            if not blob_path(self._path, descriptor.digest).exists():
                write_blob(self._path, descriptor.digest, data)

    def read(self, descriptor: Descriptor) -> bytes:
        """Let the program write a blob."""
        return self._adapter.run("read", path=self._path, digest=descriptor.digest).encode()

    def bring(self, name: str, content: Content) -> None:
        """Let the program take content from a layout that is written by hand."""
        source = self._path.with_name("source")
        _make_empty(source)
        try:
            store = ProgramStore(self._adapter, source)
            store.put(content)
            store.tag(_CONTENT, content.root, {})
            self._adapter.run("bring", path=self._path, source=source, name=name)
        finally:
            shutil.rmtree(source)

    def tag(self, name: str, target: Descriptor, notes: Mapping[str, str]) -> None:
        """Write an entry by hand, in place of the one that the name had."""
        content = self._adapter.content(target)
        if not all(blob_path(self._path, digest).exists() for digest in content.digests):
            raise RefusalError(f"content {target.digest} is gone")
        document = self._document()
        for entry in document["manifests"] or ():
            if _name_of(entry) == name:
                del entry["annotations"][REF_NAME]
        fresh = {
            "mediaType": target.media_type,
            "digest": str(target.digest),
            "size": target.size,
            "annotations": {**notes, REF_NAME: name},
        }
        document["manifests"] = [*(document["manifests"] or ()), fresh]
        self._path.joinpath("index.json").write_text(json.dumps(document))

    def retag(self, old: str, name: str) -> None:
        """Run the command."""
        self._adapter.run("retag", path=self._path, old=old, name=name)

    def untag(self, name: str) -> None:
        """Run the command."""
        self._adapter.run("untag", path=self._path, name=name)

    def annotate(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Run the command for each annotation, with `key` and `value`; none is an empty one."""
        for key, value in changes.items():
            self._adapter.run("annotate", path=self._path, name=name, key=key, value=value or "")

    def remove(self, name: str) -> None:
        """Run the command."""
        self._adapter.run("remove", path=self._path, name=name)

    def collect(self, *, prune: bool, grace: bool, dry_run: bool) -> Removed:
        """Run the command, unless nothing is to go; what went need not be said."""
        del prune
        if not grace and not dry_run:
            self._adapter.run("collect", path=self._path)
        return Removed(frozenset(), ())

    def copy(self, source: Path, ref: str, *, name: str | None, referrers: bool) -> None:
        """Run the command; what refers to the content never comes along."""
        del referrers
        self._adapter.run("copy", path=self._path, source=source, ref=ref, name=name or ref)

    def edit(self, steps: Sequence[Step]) -> None:
        """Refuse: no command does several things at once, so the machine does not ask for it."""
        raise NotImplementedError(steps)

    def repair(self) -> None:
        """Run the command."""
        self._adapter.run("repair", path=self._path)

    def look(self) -> View:
        """Return the names that the program writes, and what they mean in the file."""
        meant = {}
        for entry in self._document()["manifests"] or ():
            name = _name_of(entry)
            if name is not None:
                meant[name] = Descriptor(
                    media_type=entry["mediaType"], digest=entry["digest"], size=entry["size"]
                )
        names = tuple(meant)
        if "names" in self._adapter.commands:
            names = tuple(self._adapter.run("names", path=self._path).split())
        return View(names=names, meant=meant, notes={})

    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._path.joinpath("index.json").read_bytes())
        return document


def _make_empty(path: Path) -> None:
    path.joinpath("blobs").mkdir(parents=True)
    path.joinpath("oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    path.joinpath("index.json").write_text('{"schemaVersion":2,"manifests":[]}')


def _name_of(entry: dict[str, Any]) -> str | None:
    name: str | None = (entry.get("annotations") or {}).get(REF_NAME)
    return name
