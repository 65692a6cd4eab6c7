"""An entry of a root index: as a value, and as the JSON object that edits change."""

from __future__ import annotations

from operator import itemgetter
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import frozen

from ocilayout.errors import DocumentError, InvalidNameError
from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    REF_NAME,
    Descriptor,
    FrozenMap,
    Index,
    Json,
    Platform,
    join_place,
    known_keys,
    structure,
    wrong_type,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Mapping

RawEntry = dict[str, Json]
"""An entry as the JSON object of the document, with all its unknown properties."""

_KEYS = known_keys(Descriptor)
_NAMES = frozenset(_KEYS.values())
_PLATFORM_NAMES = frozenset(known_keys(Platform).values())
_NOTHING: Final[dict[str, Json]] = {}


@frozen(kw_only=True)
class RootEntry:
    """An entry of a root index.

    Attributes:
        name: The reference name of the entry, or `None`.
        descriptor: The descriptor, without annotations.
        annotations: The annotations of the entry, without its reference name. They belong to this
            entry of this layout; a copy of the content does not take them along.
    """

    name: str | None
    descriptor: Descriptor
    annotations: FrozenMap[str, str]

    @property
    def full_name(self) -> str | None:
        """The full name of an image, as containerd and Docker write it, or `None`."""
        return self.annotations.get(CONTAINERD_IMAGE_NAME) or None

    @property
    def is_named(self) -> bool:
        """Whether the entry has a reference name or a full name."""
        return bool(self.name or self.full_name)


def check_entry(entry: Json) -> str | None:
    """Return the reference name of an entry, or `None`; require a digest.

    Every entry is checked whenever a layout is opened, so nothing else is checked.

    Raises:
        DocumentError: The entry is not an object, its digest or name is not a string, or programs
            that ignore case would take one of its properties for another.

    Spec: considerations:case.
    """
    if not isinstance(entry, dict):
        raise wrong_type("an object", entry)
    if not entry.keys() <= _NAMES:
        for key in entry:
            known = _KEYS.get(key.casefold(), key)
            if known != key:
                raise DocumentError.of(
                    "case-variant",
                    f"{key!r} would be read as {known!r} by others",
                    join_place("$", key),
                )
    if not isinstance(entry.get("digest"), str):
        raise wrong_type("a string", entry.get("digest")).at("$.digest")
    annotations = entry.get("annotations")
    if annotations is None:
        return None
    if not isinstance(annotations, dict):
        raise wrong_type("an object", annotations).at("$.annotations")
    name = annotations.get(REF_NAME)
    if name is not None and not isinstance(name, str):
        raise wrong_type("a string", name).at(join_place("$.annotations", REF_NAME))
    return name


@frozen
class Bookkeeping:
    """The parts of entries that a root index keeps.

    Attributes:
        names: The name of each, if it has one.
        digests: The digest of each.
        annotations: The annotations of each, empty if it has none.
    """

    names: list[str | None]
    digests: list[str]
    annotations: list[dict[str, Json]]


def check_entries(entries: list[Json], first: int = 0) -> Bookkeeping:
    """Check many entries as `check_entry` does.

    First all entries are checked at once, by built-in functions that loop in C, since opening a
    layout of a hundred thousand entries takes its time here. Only if that finds a fault, or cannot
    tell, are they checked one by one, to report the fault.

    Raises:
        DocumentError: As `check_entry` does, at the entry's place in the array.
    """
    plain: Any = entries
    try:
        keys: set[str] = set().union(*plain)
        digests = list(map(itemgetter("digest"), plain))
        annotations = [entry.get("annotations", _NOTHING) for entry in plain]
        names = [own.get(REF_NAME) for own in annotations]
    except (TypeError, KeyError, AttributeError):
        return _check_each(entries, first)
    if (
        set(map(type, digests)) <= {str}
        and set(map(type, annotations)) <= {dict}
        and set(map(type, names)) <= {str, NoneType}
        and not any(key.casefold() in _KEYS for key in keys - _NAMES)
    ):
        return Bookkeeping(names, digests, annotations)
    return _check_each(entries, first)


def _check_each(entries: list[Json], first: int) -> Bookkeeping:
    result = Bookkeeping([], [], [])
    for position, entry in enumerate(entries, first):
        try:
            result.names.append(check_entry(entry))
        except DocumentError as error:
            raise error.at(f"$[{position}]") from None
        checked = cast("RawEntry", entry)
        result.digests.append(entry_digest(checked))
        result.annotations.append(entry_annotations(checked))
    return result


def load_entry(entry: RawEntry) -> RootEntry:
    """Return an entry as a value.

    Raises:
        DocumentError: It breaks the specification.

    Spec: considerations:property-types.
    """
    own = entry_annotations(entry)
    bare = entry
    if all(type(text) is str for text in own.values()):
        bare = {name: value for name, value in entry.items() if name != "annotations"}
    descriptor = structure(bare, Descriptor)  # refuses the annotations if they are still there
    annotations = {key: str(text) for key, text in own.items() if key != REF_NAME}
    return RootEntry(
        name=str(own.get(REF_NAME) or "") or None,
        descriptor=descriptor,
        annotations=FrozenMap(annotations),
    )


def entry_digest(entry: RawEntry) -> str:
    """Return the digest of a checked entry."""
    return str(entry["digest"])


def entry_annotations(entry: RawEntry) -> dict[str, Json]:
    """Return the annotations of an entry, empty if it has none."""
    annotations = entry.get("annotations")
    return annotations if isinstance(annotations, dict) else {}


def entry_name(entry: RawEntry) -> str | None:
    """Return the reference name of a checked entry, or `None`."""
    name = entry_annotations(entry).get(REF_NAME)
    return name if isinstance(name, str) and name else None


def entry_full_name(entry: RawEntry) -> str | None:
    """Return the full name that containerd gave to an entry, or `None`."""
    name = entry_annotations(entry).get(CONTAINERD_IMAGE_NAME)
    return name if isinstance(name, str) and name else None


def entry_platform(entry: RawEntry) -> str:
    """Return the text of the platform of an entry; empty if it has none, or one that is wrong."""
    platform = entry.get("platform")
    try:
        return str(structure(platform, Platform)) if isinstance(platform, dict) else ""
    except DocumentError:
        return ""


def is_named(entry: RawEntry) -> bool:
    """Return whether an entry has a reference name or a full name."""
    return bool(entry_annotations(entry).get(REF_NAME) or entry_full_name(entry))


def has_unknown(entry: RawEntry) -> bool:
    """Return whether an entry or its platform has properties that the specification lacks.

    Garbage collection keeps the digests in them, so another entry of the content cannot replace it.
    """
    platform = entry.get("platform")
    inside = platform.keys() if isinstance(platform, dict) else ()
    return not (entry.keys() <= _NAMES and _PLATFORM_NAMES.issuperset(inside))


def is_worth_keeping(entry: RawEntry) -> bool:
    """Return whether an entry is of use although its content is missing.

    It is if it has a name, unknown properties, the content itself in `data`, or its `urls`.
    """
    return is_named(entry) or has_unknown(entry) or bool(entry.get("data") or entry.get("urls"))


def unnamed(entry: RawEntry, name_annotations: Collection[str] = ()) -> RawEntry:
    """Return an entry without its names, and without the annotations that belong to a name.

    Spec: annotations:none, annotations:travel.
    """
    return _without(entry, {REF_NAME, CONTAINERD_IMAGE_NAME, *name_annotations})


def without_name(entry: RawEntry, name_annotations: Collection[str] = ()) -> RawEntry:
    """Return an entry without its reference name, and without the annotations that belong to it.

    The full name stays, unless it is the same text.

    Spec: annotations:none, annotations:travel.
    """
    if entry_full_name(entry) == entry_name(entry):
        return unnamed(entry, name_annotations)
    return _without(entry, {REF_NAME, *name_annotations})


def _without(entry: RawEntry, keys: Container[str]) -> RawEntry:
    result = dict(entry)
    kept = {key: value for key, value in entry_annotations(entry).items() if key not in keys}
    if kept:
        result["annotations"] = kept
    else:
        result.pop("annotations", None)
    return result


def require_annotations(annotations: Mapping[str, str | None]) -> None:
    """Raise an error for annotations that set the reference name, or that are not strings.

    Raises:
        InvalidNameError: They would set the reference name.
        DocumentError: A key or a value is not a string, or not one that a document can hold.

    Spec: annotations:map.
    """
    if not annotations:
        return
    if REF_NAME in annotations:
        raise InvalidNameError(f"{REF_NAME} is the name itself; give it by tagging")
    written = {key: value for key, value in annotations.items() if value is not None}
    structure({"schemaVersion": 2, "annotations": dict(written)}, Index)
