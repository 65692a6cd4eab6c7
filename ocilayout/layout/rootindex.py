"""The root index of a layout as a document that can be edited without losing anything.

An edit changes the entries that it names and nothing else: unknown properties at every level,
all other entries, and the order of both stay. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from ocilayout.errors import (
    DocumentError,
    LimitExceededError,
    ReferenceNotFoundError,
    wrong_type,
)
from ocilayout.layout.entrylist import DENSE, EntryList
from ocilayout.layout.meaning import Meanings
from ocilayout.layout.rootentry import (
    RawEntry,
    RootEntry,
    entry_annotations,
    entry_full_name,
    has_unknown,
    is_named,
    load_entry,
    require_annotations,
    unnamed,
    without_name,
)
from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    MAX_NODES,
    OCI_INDEX,
    REF_NAME,
    FrozenMap,
    Index,
    Json,
    compact,
    decode_text,
    dump_json,
    parse_json,
    require_without,
    scan,
    scan_bounded,
    structure,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ocilayout.model import Descriptor, Digest

_OPEN = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*")
_NAME = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*:[ \t\n\r]*')
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")

MAX_ROOT_INDEX: Final = 256 * 1024 * 1024
"""The largest root index that is read, in bytes."""

EMPTY: Final = dump_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
"""The root index of a new layout."""


class RootIndex:
    """The document in `index.json`.

    Attributes:
        shell: The document apart from its entries.
        changed: Whether an edit changed anything since the document was read.

    Spec: image-layout:entry-types, image-layout:name-meaning, annotations:unknown-keys,
        considerations:no-change.
    """

    def __init__(self, data: bytes) -> None:
        """Read the document.

        Args:
            data: The bytes of `index.json`.

        Raises:
            DocumentError: They break the specification. Entries are looked at as far as names
                and digests need it; what else is wrong with one shows when it is asked for.
            LimitExceededError: They are more than 256 MiB, or nested too deeply; one entry holds
                more than 262,144 values, or so does everything but the entries.

        Spec: image-layout:index-json, image-index:schema-version, image-index:manifests,
            manifest:unambiguous.
        """
        self._read = text = decode_text(data, limit=MAX_ROOT_INDEX)
        try:
            start = find_array(text)
            if start is None:
                text = _with_array(parse_json(data, limit=MAX_ROOT_INDEX))
                start = cast("int", find_array(text))
            self._entries = EntryList(text, start)
        except DocumentError as error:
            # What is wrong with the document as a whole is said first.
            with suppress(LimitExceededError):
                _require_shell(parse_root(data))
            raise error.at("$.manifests") from None
        self._around = text[:start], text[self._entries.end :]
        self.shell = _require_shell(
            parse_json("[]".join(self._around).encode(), limit=MAX_ROOT_INDEX)
        )
        self._meanings = Meanings(self._entries)
        self.changed = False

    def encode(self) -> bytes:
        """Return the document: as it was read, or if it was changed, as compact JSON.

        Raises:
            LimitExceededError: It was changed and has more bytes than are read again.
        """
        if not self.changed:
            return self._read.encode()
        before, behind = map(compact, self._around)
        data = f"{before}{self._entries.encode()}{behind}".encode()
        if len(data) > MAX_ROOT_INDEX:
            raise LimitExceededError(
                f"with this change the root index has {len(data)} bytes, the limit is"
                f" {MAX_ROOT_INDEX}; nothing is changed. Remove entries first, or begin another"
                " layout",
                what="document",
                limit=MAX_ROOT_INDEX,
            )
        return data

    # ------------------------------------------------------------ reading

    def names(self, annotations: Mapping[str, str] = FrozenMap()) -> tuple[str, ...]:
        """Return the names of all entries, each once, sorted bytewise.

        Args:
            annotations: Leave out names of which not every entry has these annotations.
        """
        if not annotations:
            return tuple(sorted(self._meanings.names))
        matching: dict[str, set[int]] = {}
        for position, entry in self._entries.holding(next(iter(annotations))):
            if annotations.items() <= entry_annotations(entry).items():
                matching.setdefault(self._entries.names[position] or "", set()).add(position)
        return tuple(
            sorted(
                name
                for name, positions in matching.items()
                if name and len(positions) == self._meanings.names.count(name)
            )
        )

    def entries(self) -> tuple[RootEntry, ...]:
        """Return all entries in document order.

        Raises:
            DocumentError: One of them breaks the specification.
        """
        return tuple(_load(position, entry) for position, entry in self.raw_entries())

    def named(self, name: str) -> tuple[RootEntry, ...]:
        """Return the entries with a reference name, in document order; mostly one, or none.

        Text that reads as the digest of an entry means that entry, so nothing is named by it.

        Raises:
            DocumentError: One of them breaks the specification.

        Spec: annotations:digest-name.
        """
        return self._load(self._meanings.named(name))

    def matching(self, ref: str) -> tuple[RootEntry, ...]:
        """Return the entries that a reference means, in document order.

        An entry is known by its digest, by its reference name, and by the full name that containerd
        and Docker write into `io.containerd.image.name`, where the reference name is the tag alone.
        These rules hold for every verb:

        - Text that reads as a digest means all entries of that content, if there are any.
        - A name means the entries with that reference name. Where these are of different content
          and some of them have the name as their full name, too, it means those.
        - Where no entry has that reference name, it means those with that full name.
        - Where there is none of these either, `NAME@DIGEST` means the entries of that content with
          the reference name, or else with the full name. So equal names can be told apart.
        - Where nothing has such a name, a digest of an algorithm that is not known here counts.

        Raises:
            DocumentError: One of them breaks the specification.

        Spec: annotations:same-name.
        """
        return self._load(self._meanings.matching(ref))

    def refs(self, ref: str | None = None) -> tuple[tuple[str, RootEntry], ...]:
        """Return entries in document order, each with a reference that means its content alone.

        That is the reference name; where it is missing or ambiguous the full name; where that does
        not tell entries apart either, `NAME@DIGEST`; and of an untagged entry the digest.

        Args:
            ref: Return only the entries that this reference means, as `matching` does.

        Raises:
            DocumentError: One of the entries breaks the specification.

        Spec: annotations:same-name.
        """
        found = tuple(self.raw_entries())
        if ref is not None:
            found = tuple((place, self._entries[place]) for place in self._meanings.matching(ref))
        loaded = (_load(position, entry) for position, entry in found)
        return tuple(zip(self._meanings.refs(found), loaded, strict=True))

    def of(self, digest: Digest) -> tuple[RootEntry, ...]:
        """Return the entries of a digest in document order.

        Raises:
            DocumentError: One of them breaks the specification.
        """
        return self._load(self._meanings.digests.of(digest))

    def find(self, ref: str) -> RootEntry:
        """Return the entry that a reference means; `matching` has the rules.

        Raises:
            ReferenceNotFoundError: It means none.
            AmbiguousReferenceError: It means several, of different content.
            DocumentError: An entry that it means breaks the specification.

        Spec: annotations:same-name.
        """
        return self._load(self._meanings.one(ref)[:1])[0]

    # ------------------------------------------------------------ editing

    def tag(
        self, name: str, target: Descriptor, annotations: Mapping[str, str] | None = None
    ) -> None:
        """Tag content, replacing what the tag pointed to.

        The new entry has the annotations that are given here and no others. If the name is that of
        an entry of the same content, that entry becomes the new one and keeps all but its other
        annotations: its full name and its unknown properties stay. An entry that had the name for
        other content loses that name alone. It stays if it has another full name, has unknown
        properties, or is the last of its content.

        Args:
            name: The name.
            target: The content; only media type, digest and size are used.
            annotations: The annotations of the entry besides its name.

        Raises:
            AmbiguousReferenceError: Entries of different content have the name. Which of them is
                to be replaced cannot be told.
            InvalidNameError: The annotations try to set the name.
            DocumentError: An annotation is not a string.

        Spec: annotations:travel.
        """
        require_annotations(annotations or {})
        noted: dict[str, Json] = {**(annotations or {}), REF_NAME: name}
        fresh: RawEntry = {}
        place = None
        for position in self._meanings.alike(name, self._meanings.names.of(name)):
            entry = self._entries[position]
            if self._entries.digests[position] == target.digest and place is None:
                place, fresh = position, dict(entry)
                full_name = entry_full_name(entry)
                if full_name:
                    noted.setdefault(CONTAINERD_IMAGE_NAME, full_name)
            elif not self._keep(position, without_name(entry)) and place is None:
                place = position
        fresh["mediaType"] = target.media_type
        fresh["digest"] = str(target.digest)
        fresh["size"] = target.size
        fresh["annotations"] = {key: noted[key] for key in sorted(noted)}
        self._set(self._entries.append() if place is None else place, fresh)

    def untag(self, ref: str) -> None:
        """Remove the names of entries, and keep their content as an untagged entry.

        Where other entries have the content, those without unknown properties go.

        Args:
            ref: A reference; `matching` has the rules.

        Raises:
            ReferenceNotFoundError: It means no entry, or only untagged ones.
            AmbiguousReferenceError: It means entries of different content.
        """
        positions = [place for place in self._meanings.one(ref) if self._meanings.is_named(place)]
        if not positions:
            raise ReferenceNotFoundError(f"the entry of {ref} has no name to remove")
        for position in positions:
            self._keep(position, unnamed(self._entries[position]))

    def drop(self, ref: str) -> None:
        """Remove entries.

        Args:
            ref: A reference; `matching` has the rules.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
        """
        for position in self._meanings.one(ref):
            self._set(position, {})

    def raw_entries(self) -> Iterator[tuple[int, RawEntry]]:
        """Give the entries as they stand, with their positions, in document order."""
        return self._entries.holding()

    def at(self, position: int) -> RootEntry:
        """Return the entry at a position, as `raw_entries` gives them.

        Raises:
            DocumentError: It breaks the specification.
        """
        return _load(position, self._entries[position])

    def drop_at(self, position: int) -> None:
        """Remove one entry, whatever its name; positions of the others stay what they are."""
        self._set(position, {})

    def drop_untagged(self, digests: Collection[str]) -> None:
        """Remove the untagged entries of some digests; an entry with a full name is not one."""
        for digest in digests:
            for position in self._meanings.digests.of(digest):
                if not self._meanings.is_named(position):
                    self._set(position, {})

    def add(self, target: Descriptor) -> None:
        """Make content an entry without a name, unless it has an entry already."""
        if not self._meanings.digests.count(target.digest):
            self._set(
                self._entries.append(),
                {
                    "mediaType": target.media_type,
                    "digest": str(target.digest),
                    "size": target.size,
                },
            )

    def annotate(self, ref: str, changes: Mapping[str, str | None]) -> None:
        """Change the annotations of an entry.

        Args:
            ref: A reference; `matching` has the rules. If it means several entries of one content,
                all of them change.
            changes: New values by their keys; `None` removes a key.

        Raises:
            ReferenceNotFoundError: It means no entry.
            AmbiguousReferenceError: It means entries of different content.
            InvalidNameError: The changes try to set the name.
            DocumentError: An annotation is not a string.

        Spec: annotations:map.
        """
        require_annotations(changes)
        for position in self._meanings.one(ref):
            entry = dict(self._entries[position])
            noted = dict(entry_annotations(entry))
            for key, value in changes.items():
                if value is None:
                    noted.pop(key, None)
                else:
                    noted[key] = value
            entry["annotations"] = noted
            if entry != self._entries[position]:
                self._set(position, entry)

    # ------------------------------------------------------------ inside

    def _keep(self, position: int, entry: RawEntry) -> bool:
        """Replace an entry by what is left of it, or drop it if nothing would be lost with it."""
        kept = is_named(entry) or has_unknown(entry) or self._meanings.is_last(position)
        self._set(position, entry if kept else {})
        return kept

    def _set(self, position: int, entry: RawEntry) -> None:
        self._meanings.replace(position, entry)
        self.changed = True

    def _load(self, positions: Iterable[int]) -> tuple[RootEntry, ...]:
        return tuple(_load(position, self._entries[position]) for position in positions)


def _load(position: int, entry: RawEntry) -> RootEntry:
    try:
        return load_entry(entry)
    except DocumentError as error:
        raise error.at(f"$.manifests[{position}]").read_from("index.json") from None


def parse_root(data: bytes) -> dict[str, Json]:
    """Read a root index as one JSON object, with everything in it.

    Raises:
        DocumentError: The bytes are no I-JSON, or not an object.
        LimitExceededError: They are more than 256 MiB, nested too deeply, or hold more values than
            a root index of that size needs.
    """
    return parse_json(data, limit=MAX_ROOT_INDEX, nodes=max(MAX_NODES, len(data) // DENSE))


def find_array(text: str) -> int | None:
    """Return where the array of entries begins in a document, or `None` if none is seen.

    Raises:
        DocumentError: The document is no JSON before that.
        LimitExceededError: What stands before it is nested too deeply, or holds too many values.
    """
    found = _OPEN.match(text)
    while found and (name := _NAME.match(text, found.end())):
        if scan(name[1])[0] == "manifests":
            return name.end() if text.startswith("[", name.end()) else None
        found = _COMMA.match(text, scan_bounded(text, name.end())[1])
    return None


def _with_array(document: dict[str, Json]) -> str:
    """Return the text of a document that has no array of entries, with an empty one."""
    entries = document.get("manifests")
    if entries is not None:  # absent, or null as Go programs write an empty list, is none
        raise wrong_type("an array", entries)
    return dump_json({**document, "manifests": []}).decode()


def _require_shell(document: dict[str, Json]) -> Index:
    """Return a document apart from its entries, and refuse what is wrong with that."""
    bare = {name: value for name, value in document.items() if name != "manifests"}
    shell = structure(bare, Index)
    require_without(shell.extra, "config", "layers")
    return shell
