"""The root index of a layout, a document that edits change without losing anything.

An edit changes the entries that it is about and nothing else: unknown properties at every level,
all other entries, and the order of both stay. No I/O: bytes in, bytes out.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from ocilayout.errors import DocumentError, LimitExceededError, ReferenceNotFoundError
from ocilayout.layout.entrylist import DENSE, EntryList, find_array
from ocilayout.layout.lookup import Lookup
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
    structure,
    wrong_type,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ocilayout.model import Descriptor, Digest

MAX_ROOT_INDEX: Final = 256 * 1024 * 1024
"""The largest root index that is read, in bytes."""

EMPTY: Final = dump_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
"""The root index of a new layout."""


class RootIndex:
    """The document in `index.json`.

    Verbs take references, for which `matching` has the rules.

    Attributes:
        shell: The document apart from its entries.
        changed: Whether an edit changed anything since the document was read.

    Raises:
        ReferenceNotFoundError: A reference means no entry, where it must mean one.
        AmbiguousReferenceError: It means entries of different content, where it must mean one.
        DocumentError: An entry breaks the specification, which shows when it is returned.

    Spec: image-layout:entry-types, image-layout:name-meaning, annotations:unknown-keys,
        considerations:no-change.
    """

    def __init__(self, data: bytes, *, name_annotations: Collection[str] = ()) -> None:
        """Read the document.

        Raises:
            DocumentError: The document breaks the specification. Entries are checked as far as
                their names and digests need; other faults of an entry show when it is asked for.
            LimitExceededError: The document has more than 256 MiB, or is nested too deeply; or one
                entry, or the rest of the document, holds more than 262,144 values.

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
            # A fault of the whole document is reported before one of its entries.
            with suppress(LimitExceededError):
                _require_shell(parse_root(data))
            raise error.at("$.manifests") from None
        self._around = text[:start], text[self._entries.end :]
        around = "[]".join(self._around).encode()
        try:
            self.shell = _require_shell(parse_json(around, limit=MAX_ROOT_INDEX))
        except DocumentError:
            # A place that the fault names is that in the whole document.
            with suppress(LimitExceededError):
                parse_root(data)
            raise
        self._lookup = Lookup(self._entries)
        self._name_annotations = name_annotations
        self.changed = False

    def encode(self) -> bytes:
        """Return the document: as it was read, or as compact JSON if it was changed.

        Raises:
            LimitExceededError: A change made it larger than `MAX_ROOT_INDEX`.
        """
        if not self.changed:
            return self._read.encode()
        before, after = map(compact, self._around)
        data = f"{before}{self._entries.encode()}{after}".encode()
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
            annotations: Return only names whose entries all have these annotations.
        """
        if not annotations:
            return tuple(sorted(self._lookup.names))
        having = Counter(
            self._entries.names[position]
            for position, entry in self._entries.iter_entries(next(iter(annotations)))
            if annotations.items() <= entry_annotations(entry).items()
        )
        all_of = self._lookup.names.count
        return tuple(sorted(name for name in having if name and having[name] == all_of(name)))

    def entries(self) -> tuple[RootEntry, ...]:
        """Return all entries in document order."""
        return tuple(_load(position, entry) for position, entry in self.raw_entries())

    def named(self, name: str) -> tuple[RootEntry, ...]:
        """Return the entries with a reference name, in document order; mostly one, or none.

        Text that reads as the digest of an entry means that entry, and is not a name.

        Spec: annotations:digest-name.
        """
        return self._load(self._lookup.named(name))

    def matching(self, ref: str) -> tuple[RootEntry, ...]:
        """Return the entries that a reference means, in document order.

        An entry is known by its digest, by its reference name, and by the full name that containerd
        and Docker write into `io.containerd.image.name` beside the tag alone as reference name.
        Every verb follows these rules:

        - A digest means all entries of that content, if it has any.
        - A name means the entries with that reference name. If these have different content, and
          the name is the full name of some of them as well, it means only these.
        - If no entry has that reference name, the name means the entries with that full name.
        - If there are none either, `NAME@DIGEST` means the entries of that content with that
          reference name, or else with that full name. So equal names can be told apart.
        - If there are none either, text that is a digest of an unknown algorithm means the entries
          of that digest.

        Spec: annotations:same-name.
        """
        return self._load(self._lookup.matching(ref))

    def refs(self, ref: str | None = None) -> tuple[tuple[str, RootEntry], ...]:
        """Return entries in document order, each with a reference that means its content alone.

        The reference is the reference name; if that is missing or ambiguous, the full name; if that
        is ambiguous as well, `NAME@DIGEST`; and for an untagged entry its digest.

        Args:
            ref: Return only the entries that this reference means, as `matching` does.

        Spec: annotations:same-name.
        """
        if ref is None:
            raw = tuple(self.raw_entries())
        else:
            raw = tuple((at, self._entries[at]) for at in self._lookup.matching(ref))
        loaded = (_load(position, entry) for position, entry in raw)
        return tuple(zip(self._lookup.refs(raw), loaded, strict=True))

    def of(self, digest: Digest) -> tuple[RootEntry, ...]:
        """Return the entries of a digest in document order."""
        return self._load(self._lookup.digests.of(digest))

    def find(self, ref: str) -> RootEntry:
        """Return the entry that a reference means.

        Spec: annotations:same-name.
        """
        return self._load(self._lookup.one(ref)[:1])[0]

    # ------------------------------------------------------------ editing

    def tag(
        self, name: str, target: Descriptor, annotations: Mapping[str, str] | None = None
    ) -> None:
        """Tag content, replacing what the tag pointed to.

        The new entry has only the annotations that are given here: those of the old entry, and of
        other entries of the content, are not taken over. If an entry of the same content has the
        name already, it becomes the new entry and keeps its full name and its unknown properties.
        An entry of other content loses the name. It stays if it has another full name, has unknown
        properties, or is the last entry of its content; then it may become an untagged entry.

        Args:
            name: The name.
            target: The content; only media type, digest and size are used.
            annotations: The annotations of the entry besides its name; `require_annotations` has
                the rules.

        Spec: annotations:travel.
        """
        require_annotations(annotations or {})
        written: dict[str, Json] = {**(annotations or {}), REF_NAME: name}
        fresh: RawEntry = {}
        place = None  # of the new entry: that of the old one, so that the order stays
        for position in self._lookup.alike(name, self._lookup.names.of(name)):
            entry = self._entries[position]
            if self._entries.digests[position] == target.digest and place is None:
                place, fresh = position, dict(entry)
                full_name = entry_full_name(entry)
                if full_name:
                    written.setdefault(CONTAINERD_IMAGE_NAME, full_name)
                continue
            kept = self._keep(position, without_name(entry, self._name_annotations))
            if not kept and place is None:
                place = position
        fresh |= _plain_entry(target)
        fresh["annotations"] = {key: written[key] for key in sorted(written)}
        self._set(self._entries.append() if place is None else place, fresh)

    def untag(self, ref: str) -> None:
        """Remove the names of entries, and keep their content as an untagged entry.

        If the content has other entries, an entry without unknown properties is dropped instead.
        """
        positions = [place for place in self._lookup.one(ref) if self._lookup.is_named(place)]
        if not positions:
            raise ReferenceNotFoundError(f"the entry of {ref} has no name to remove")
        for position in positions:
            self._keep(position, unnamed(self._entries[position], self._name_annotations))

    def drop(self, ref: str) -> None:
        """Remove the entries that a reference means."""
        for position in self._lookup.one(ref):
            self._set(position, {})

    def raw_entries(self) -> Iterator[tuple[int, RawEntry]]:
        """Yield the entries as JSON objects, with their positions, in document order."""
        return self._entries.iter_entries()

    def drop_at(self, position: int) -> None:
        """Remove the entry at a position; the positions of the others stay."""
        self._set(position, {})

    def drop_untagged(self, digests: Collection[str]) -> None:
        """Remove the untagged entries of some digests; entries with a full name stay."""
        for digest in digests:
            for position in self._lookup.digests.of(digest):
                if not self._lookup.is_named(position):
                    self._set(position, {})

    def add(self, target: Descriptor) -> None:
        """Add content as an untagged entry, unless it has an entry already."""
        if not self._lookup.digests.count(target.digest):
            self._set(self._entries.append(), _plain_entry(target))

    def annotate(self, ref: str, changes: Mapping[str, str | None]) -> None:
        """Change the annotations of all entries that a reference means; `None` removes a key.

        Spec: annotations:map.
        """
        require_annotations(changes)
        for position in self._lookup.one(ref):
            entry = dict(self._entries[position])
            merged = {**entry_annotations(entry), **changes}
            entry["annotations"] = {
                key: text for key, text in merged.items() if text is not None or key not in changes
            }
            if entry != self._entries[position]:
                self._set(position, entry)

    # ------------------------------------------------------------ inside

    def _keep(self, position: int, entry: RawEntry) -> bool:
        """Replace an entry that lost names, or drop it if it says no more; return if it stays."""
        kept = is_named(entry) or has_unknown(entry) or self._lookup.is_last(position)
        self._set(position, entry if kept else {})
        return kept

    def _set(self, position: int, entry: RawEntry) -> None:
        self._lookup.replace(position, entry)
        self.changed = True

    def _load(self, positions: Iterable[int]) -> tuple[RootEntry, ...]:
        return tuple(_load(position, self._entries[position]) for position in positions)


def _plain_entry(target: Descriptor) -> RawEntry:
    return {"mediaType": target.media_type, "digest": str(target.digest), "size": target.size}


def _load(position: int, entry: RawEntry) -> RootEntry:
    try:
        return load_entry(entry)
    except DocumentError as error:
        raise error.at(f"$.manifests[{position}]").read_from("index.json") from None


def parse_root(data: bytes) -> dict[str, Json]:
    """Parse a root index as one JSON object, its entries included.

    Raises:
        DocumentError: The bytes are not I-JSON, or not an object.
        LimitExceededError: They are more than 256 MiB, nested too deeply, or hold more values than
            a root index of that size needs.
    """
    return parse_json(data, limit=MAX_ROOT_INDEX, nodes=max(MAX_NODES, len(data) // DENSE))


def _with_array(document: dict[str, Json]) -> str:
    """Return the text of a document without an array of entries, with an empty array added."""
    entries = document.get("manifests")
    if entries is not None:  # missing, or null: Go programs write an empty list so
        raise wrong_type("an array", entries)
    return dump_json({**document, "manifests": []}).decode()


def _require_shell(document: dict[str, Json]) -> Index:
    """Return the document without its entries, and refuse it if it breaks the specification.

    Deviation: it may lack its `schemaVersion`, as Bazel's rules_oci writes it. `check` reports it.
    """
    bare = {name: value for name, value in document.items() if name != "manifests"}
    if bare.get("schemaVersion") is None:
        bare["schemaVersion"] = 2
    shell = structure(bare, Index)
    require_without(shell.extra, "config", "layers")
    return shell
