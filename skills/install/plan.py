"""What an operation is about to do, as a value that survives the process.

It is noted before anything happens, so it must say all that is needed to find out afterwards how
far the operation came.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from attrs import frozen
from cattrs import Converter

from skills.install.swap import Move
from skills.install.tree import FileRecord


@frozen(kw_only=True)
class Entry:
    """A skill as the record has it.

    Attributes:
        name: Its name.
        scope: `user` or `project`.
        root: The root of the project, empty for the user.
        reference: What was installed, as a name in the store, a reference or a digest.
        tag: The tag in the reference, empty if there is none.
        digest: The digest of the artifact's root.
        version: The version that the skill gives itself.
        description: What it is for.
        requires: References of the skills that it needs.
        installed_at: When it was installed or last changed, as RFC 3339 text in UTC.
    """

    name: str
    scope: Literal["user", "project"]
    root: str
    reference: str
    tag: str
    digest: str
    version: str
    description: str
    requires: tuple[str, ...]
    installed_at: str


@frozen(kw_only=True)
class Plan:
    """An operation.

    Attributes:
        kind: Whether trees go to their places, or away.
        entry: The skill as it will be, or as it was.
        moves: The trees.
        files: What the new trees hold; empty before they were written.
        clients: For whom, each with the folder of the skill.
        folders: The folders that the operation makes, from the outside in.
    """

    kind: Literal["install", "uninstall"]
    entry: Entry
    moves: tuple[Move, ...]
    files: tuple[FileRecord, ...] = ()
    clients: dict[str, Path]
    folders: tuple[Path, ...] = ()

    def encode(self) -> str:
        """Return the plan as text."""
        return json.dumps(_CONVERTER.unstructure(self))

    @classmethod
    def decode(cls, text: str) -> Plan:
        """Return the plan that was encoded."""
        return _CONVERTER.structure(json.loads(text), cls)


_CONVERTER = Converter()
# Paths may hold bytes that are no UTF-8, as surrogates; JSON escapes them and brings them back.
_CONVERTER.register_unstructure_hook(Path, str)
_CONVERTER.register_structure_hook(Path, lambda value, _: Path(value))
