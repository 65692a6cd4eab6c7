"""Laws of the root index: an edit only changes its own entries, and keeps the order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ocilayout.errors import AmbiguousReferenceError, ReferenceNotFoundError
from ocilayout.layout import entrylist
from ocilayout.layout.rootindex import RootIndex
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, CREATED, REF_NAME
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.frozenmap import FrozenMap, Json
from ocilayout.model.mediatype import OCI_MANIFEST
from ocilayout.testing import strategies as own
from skills import LOCAL_BUILD
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


LAW = settings(deadline=None, max_examples=settings().max_examples // examples(1, 2))
DOCUMENTS = own.root_index_documents()
NOTES = st.dictionaries(
    st.sampled_from(["com.example.note", "z", CREATED, LOCAL_BUILD]),
    st.sampled_from(["true", "x", ""]),
    max_size=2,
)
TARGET = Descriptor.of(b"x", OCI_MANIFEST)
OURS = {REF_NAME, CONTAINERD_IMAGE_NAME, LOCAL_BUILD}

KNOWN = {"mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"}
KNOWN_OF_PLATFORM = {"architecture", "os", "os.version", "os.features", "variant", "features"}

Entry = dict[str, Any]


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Read small documents in parts, too, as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entrylist, "PART", 1)
        yield


@frozen
class Case:
    """A root index, usually one of its names or digests, and content to tag."""

    document: dict[str, Json]
    name: str
    target: Descriptor
    notes: dict[str, str]

    @property
    def before(self) -> list[Entry]:
        return entries(self.document)

    @property
    def same(self) -> Entry | None:
        """The first entry that already has the name and the content."""
        named = (entry for entry in self.before if name_of(entry) == self.name)
        return next((entry for entry in named if entry["digest"] == self.target.digest), None)


@st.composite
def cases(draw: st.DrawFn, *, known: bool = False) -> Case:
    """Give cases of names that mean one content; if `known`, of existing names."""
    document = draw(DOCUMENTS)
    if known and not names_of(document):
        document["manifests"] = [*entries(document), named_entry(draw(own.ref_names()), TARGET)]
    names = names_of(document)
    held = sorted({entry["digest"] for entry in entries(document)})
    known = known or (bool(names) and draw(st.booleans()))
    name = draw(st.sampled_from(names)) if known else draw(own.ref_names())
    assume(len({entry["digest"] for entry in entries(document) if name_of(entry) == name}) < 2)
    target = draw(own.descriptors())
    if held and target.data is None and draw(st.booleans()):
        target = type(target)(
            media_type=target.media_type, digest=draw(st.sampled_from(held)), size=target.size
        )
    return Case(document, name, target, draw(NOTES))


def entries(document: dict[str, Json]) -> list[Entry]:
    """Return the entries of a document; `null` and absence mean no entries."""
    found: Any = document.get("manifests") or []
    return list(found)


def name_of(entry: Entry) -> str | None:
    return noted(entry).get(REF_NAME) or None


def noted(entry: Entry) -> dict[str, str]:
    return entry.get("annotations") or {}


def names_of(document: dict[str, Json]) -> list[str]:
    return sorted({name for entry in entries(document) if (name := name_of(entry))})


def named_entry(name: str, target: Descriptor, **notes: str) -> Entry:
    """Return the entry that `tag` has to write."""
    noted = {**notes, REF_NAME: name}
    return {**plain(target), "annotations": {key: noted[key] for key in sorted(noted)}}


def plain(target: Descriptor) -> Entry:
    return {
        "mediaType": target.media_type,
        "digest": str(target.digest),
        "size": target.size,
    }


def text(value: object) -> str:
    """Return JSON as text, so that comparisons include order and kinds of numbers."""
    return json.dumps(value)


def edited(document: dict[str, Json], edit: Callable[[RootIndex], object]) -> dict[str, Json]:
    """Return the document after an edit, which must read as it was encoded."""
    root = RootIndex(json.dumps(document).encode(), name_annotations=[LOCAL_BUILD])
    edit(root)
    data = root.encode()
    again = RootIndex(data, name_annotations=[LOCAL_BUILD])
    assert again.encode() == data
    assert again.names() == root.names()
    assert again.entries() == root.entries()
    result: dict[str, Json] = json.loads(data)
    return result


def require_rest(before: dict[str, Json], after: dict[str, Json]) -> None:
    """Require that all properties except the entries are unchanged, in order."""
    rest = {**after}
    if "manifests" not in before:
        rest.pop("manifests", None)
    assert list(rest) == list(before)
    assert all(text(rest[name]) == text(before[name]) for name in before if name != "manifests")


def unnamed(entry: Entry) -> Entry:
    """Return an entry without its names."""
    kept = {key: value for key, value in noted(entry).items() if key not in OURS}
    result = {key: value for key, value in entry.items() if key != "annotations" or kept}
    return result | ({"annotations": kept} if kept else {})


def moved(entry: Entry) -> Entry:
    """Return an entry whose reference name moved away: its own full name stays."""
    full = noted(entry).get(CONTAINERD_IMAGE_NAME)
    if not full or full == name_of(entry):
        return unnamed(entry)
    kept = {key: value for key, value in noted(entry).items() if key not in {REF_NAME, LOCAL_BUILD}}
    return {**entry, "annotations": kept}


def is_worth_keeping(entry: Entry) -> bool:
    """Tell whether an entry has a full name or unknown properties."""
    inside = entry["platform"] if isinstance(entry.get("platform"), dict) else {}
    full = noted(entry).get(CONTAINERD_IMAGE_NAME)
    return bool(full or entry.keys() - KNOWN or inside.keys() - KNOWN_OF_PLATFORM)


def require_let_go(
    before: list[Entry],
    name: str,
    after: list[Entry],
    held: set[str],
    let_go: Callable[[Entry], Entry],
) -> None:
    """Require that other entries stay, and content without its name is still held.

    Args:
        before: The entries before the edit.
        name: The name.
        after: The entries after the edit, without those that have the name now.
        held: Digests that need no untagged entry to hold them.
        let_go: Returns an entry without the name.
    """
    left = [(name_of(one) == name, let_go(one) if name_of(one) == name else one) for one in before]
    stay = [entry for old, entry in left if not old or is_worth_keeping(entry)]
    olds = {entry["digest"] for old, entry in left if old}
    orphans = olds - {entry["digest"] for entry in stay} - held
    assert text([entry for entry in after if entry["digest"] not in orphans]) == text(stay)
    for orphan in orphans:
        assert sum(entry["digest"] == orphan for entry in after) == 1
    # The remaining entries keep their order.
    possible = iter(text(entry) for _, entry in left)
    assert all(text(entry) in possible for entry in after)


@pytest.mark.spec("image-layout:name-meaning", "annotations:unknown-keys")
class TestReading:
    @LAW
    @given(DOCUMENTS)
    def test_an_unedited_document_is_encoded_as_it_was_read(
        self, document: dict[str, Json]
    ) -> None:
        assert text(edited(document, lambda _: None)) == text(document)

    @LAW
    @given(DOCUMENTS)
    def test_every_name_is_listed_once_sorted_by_its_utf8_bytes(
        self, document: dict[str, Json]
    ) -> None:
        names = {name for entry in entries(document) if (name := name_of(entry))}
        root = RootIndex(json.dumps(document).encode(), name_annotations=[LOCAL_BUILD])
        assert root.names() == tuple(sorted(names, key=str.encode))

    @LAW
    @given(DOCUMENTS, NOTES)
    def test_names_by_annotations_have_them_in_every_entry(
        self, document: dict[str, Json], notes: dict[str, str]
    ) -> None:
        root = RootIndex(json.dumps(document).encode(), name_annotations=[LOCAL_BUILD])
        assert root.names(notes) == tuple(
            name
            for name in root.names()
            if all(notes.items() <= entry.annotations.items() for entry in root.named(name))
        )

    @LAW
    @given(DOCUMENTS)
    def test_all_entries_are_read_in_order_with_name_and_annotations(
        self, document: dict[str, Json]
    ) -> None:
        root = RootIndex(json.dumps(document).encode(), name_annotations=[LOCAL_BUILD])
        assert [
            (found.name, str(found.descriptor.digest), found.descriptor.size, found.annotations)
            for found in root.entries()
        ] == [
            (
                name_of(entry),
                entry["digest"],
                entry["size"],
                FrozenMap({k: v for k, v in noted(entry).items() if k != REF_NAME}),
            )
            for entry in entries(document)
        ]
        assert not any(found.descriptor.annotations for found in root.entries())

    @LAW
    @given(cases())
    def test_find_returns_an_entry_of_the_name_or_raises(self, case: Case) -> None:
        root = RootIndex(json.dumps(case.document).encode(), name_annotations=[LOCAL_BUILD])
        own_name = {entry["digest"] for entry in case.before if name_of(entry) == case.name}
        full = {
            entry["digest"]
            for entry in case.before
            if noted(entry).get(CONTAINERD_IMAGE_NAME) == case.name
            and (not own_name or name_of(entry) == case.name)
        }
        meant = own_name if len(own_name) == 1 else full or own_name
        if not meant:
            with pytest.raises(ReferenceNotFoundError):
                root.find(case.name)
        elif len(meant) > 1:
            with pytest.raises(AmbiguousReferenceError) as caught:
                root.find(case.name)
            assert set(caught.value.digests) == meant
        else:
            assert {str(root.find(case.name).descriptor.digest)} == meant


@pytest.mark.spec("considerations:no-change")
class TestTag:
    @LAW
    @given(cases())
    def test_a_tagged_name_has_exactly_the_tagged_content(self, case: Case) -> None:
        root = RootIndex(json.dumps(case.document).encode(), name_annotations=[LOCAL_BUILD])
        root.tag(case.name, case.target, case.notes)
        (found,) = root.named(case.name)
        assert found.descriptor.plain() == case.target.plain()
        full = {k: v for k, v in noted(case.same or {}).items() if k == CONTAINERD_IMAGE_NAME and v}
        assert found.annotations == FrozenMap({**full, **case.notes})
        assert root.changed

    @LAW
    @given(cases())
    def test_the_new_entry_only_keeps_properties_of_an_entry_of_the_same_content(
        self, case: Case
    ) -> None:
        after = edited(case.document, lambda root: root.tag(case.name, case.target))
        (named,) = [entry for entry in entries(after) if name_of(entry) == case.name]
        if case.same is None:
            assert text(named) == text(named_entry(case.name, case.target))
        else:
            same = {**case.same, **plain(case.target)}
            assert {**named, "annotations": 0} == {**same, "annotations": 0}

    @LAW
    @given(cases())
    def test_everything_but_the_name_stays_and_old_content_only_loses_the_name(
        self, case: Case
    ) -> None:
        after = edited(case.document, lambda root: root.tag(case.name, case.target, case.notes))
        require_rest(case.document, after)
        rest = [entry for entry in entries(after) if name_of(entry) != case.name]
        before = [entry for entry in case.before if entry is not case.same]
        require_let_go(before, case.name, rest, {str(case.target.digest)}, moved)


class TestUntag:
    @LAW
    @given(cases(known=True))
    def test_everything_but_the_name_stays_with_the_content(self, case: Case) -> None:
        after = edited(case.document, lambda root: root.untag(case.name))
        require_rest(case.document, after)
        assert not [entry for entry in entries(after) if name_of(entry) == case.name]
        require_let_go(case.before, case.name, entries(after), set(), unnamed)

    @LAW
    @given(DOCUMENTS, own.ref_names(), own.descriptors())
    @example({"z": {"b": [], "a": 1.5}, "manifests": None, "schemaVersion": 2}, "t", TARGET)
    def test_tagging_and_untagging_a_new_name_leaves_at_most_one_more_entry(
        self, document: dict[str, Json], name: str, target: Descriptor
    ) -> None:
        """index.json with odd order, unknown fields and `manifests: null` survives both."""
        assume(all(name_of(entry) != name for entry in entries(document)))

        def both(root: RootIndex) -> None:
            root.tag(name, target, {LOCAL_BUILD: "true"})
            root.untag(name)

        after = edited(document, both)
        require_rest(document, after)
        held = any(entry["digest"] == target.digest for entry in entries(document))
        assert text(after["manifests"]) == text(
            entries(document) + ([] if held else [plain(target)])
        )


class TestOthers:
    @LAW
    @given(cases(known=True))
    def test_drop_removes_the_entries_of_the_name_and_no_others(self, case: Case) -> None:
        after = edited(case.document, lambda root: root.drop(case.name))
        require_rest(case.document, after)
        assert text(after["manifests"]) == text(
            [entry for entry in case.before if name_of(entry) != case.name]
        )

    @LAW
    @given(cases())
    def test_add_appends_a_plain_entry_only_for_content_without_one(self, case: Case) -> None:
        after = edited(case.document, lambda root: root.add(case.target))
        require_rest(case.document, after)
        if any(entry["digest"] == case.target.digest for entry in case.before):
            assert text(after) == text(case.document)
            return
        assert text(after["manifests"]) == text([*case.before, plain(case.target)])

    @LAW
    @given(
        cases(known=True),
        st.dictionaries(st.sampled_from(sorted({CREATED, LOCAL_BUILD, "z"})), st.none()),
    )
    def test_annotate_changes_the_given_annotations_and_no_others(
        self, case: Case, gone: dict[str, None]
    ) -> None:
        changes: dict[str, str | None] = {**case.notes, **gone}
        after = edited(case.document, lambda root: root.annotate(case.name, changes))
        require_rest(case.document, after)
        assert text(after.get("manifests")) == text(
            [
                {
                    **entry,
                    "annotations": {
                        key: value
                        for key, value in {**entry["annotations"], **changes}.items()
                        if value is not None
                    },
                }
                if name_of(entry) == case.name
                else entry
                for entry in case.before
            ]
        )
