"""The root index by example: what is read, what is refused, and what each edit keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocilayout.errors import (
    AmbiguousReferenceError,
    DocumentError,
    InvalidNameError,
    LimitExceededError,
    ReferenceNotFoundError,
)
from ocilayout.layout.rootindex import EMPTY, MAX_ROOT_INDEX, RootIndex
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, CREATED, REF_NAME
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.digest import Digest
from ocilayout.model.frozenmap import FrozenMap
from ocilayout.model.mediatype import OCI_INDEX, OCI_MANIFEST

A, B, C = (Descriptor.of(data, OCI_MANIFEST) for data in (b"a", b"b", b"c"))

LINUX = {"os": "linux", "architecture": "amd64"}


def entry(target: Descriptor, name: str | None = None, **rest: Any) -> dict[str, Any]:
    result = {
        "mediaType": target.media_type,
        "digest": str(target.digest),
        "size": target.size,
        **rest,
    }
    noted = {**({} if name is None else {REF_NAME: name}), **rest.get("annotations", {})}
    return result | ({"annotations": noted} if noted else {})


LOCAL_BUILD = "dev.stacklok.toolhive.local-build"  # an annotation that belongs to a name


def root(*entries: Any, **rest: Any) -> RootIndex:
    document = {"schemaVersion": 2, "manifests": entries, **rest}
    return RootIndex(json.dumps(document).encode(), name_annotations=[LOCAL_BUILD])


def entries(index: RootIndex) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(index.encode())["manifests"]
    return found


class TestRead:
    def test_a_new_layout_has_no_entries(self) -> None:
        assert json.loads(EMPTY) == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        assert RootIndex(EMPTY).entries() == ()
        assert RootIndex(EMPTY).names() == ()

    @pytest.mark.spec("image-index:manifests")
    @pytest.mark.parametrize("rest", ["", ',"manifests":null', ',"manifests":[]'])
    def test_null_and_a_missing_array_mean_no_entries(self, rest: str) -> None:
        data = f'{{"schemaVersion":2{rest}}}'.encode()
        assert RootIndex(data).entries() == ()
        assert RootIndex(data).encode() == data

    def test_indented_json_with_a_newline_at_its_end_is_read(self) -> None:
        data = json.dumps({"schemaVersion": 2, "manifests": [entry(A, "a")]}, indent=2) + "\n"
        assert RootIndex(data.encode()).names() == ("a",)

    def test_names_are_each_listed_once_in_the_order_of_their_bytes(self) -> None:
        index = root(
            *(entry(A, name) for name in ["b", "\U0001f433", "a", "B", "a", "\uffff", ""]), entry(C)
        )
        assert index.names() == ("B", "a", "b", "\uffff", "\U0001f433")

    def test_names_by_annotations_need_them_at_every_entry(self) -> None:
        mark: dict[str, Any] = {"annotations": {LOCAL_BUILD: "true"}}
        index = root(
            entry(A, "all", **mark),
            entry(A, "some", **mark),
            entry(B, "some"),
            entry(A, "none"),
            entry(A, "other", annotations={LOCAL_BUILD: "True"}),
            entry(A, **mark),
        )
        assert index.names({LOCAL_BUILD: "true"}) == ("all",)
        assert index.names({LOCAL_BUILD: "true", "x": "y"}) == ()

    def test_an_entry_has_its_name_apart_from_its_annotations_and_content(self) -> None:
        index = root(entry(A, "a", annotations={"x": "y"}, artifactType="t"), entry(B))
        first, second = index.entries()
        assert (first.name, first.annotations) == ("a", FrozenMap({"x": "y"}))
        assert first.descriptor.plain() == A
        assert first.descriptor.annotations == FrozenMap()
        assert first.descriptor.artifact_type == "t"
        assert (second.name, second.annotations, second.descriptor) == (None, FrozenMap(), B)

    def test_entries_are_found_by_name_and_by_digest_in_document_order(self) -> None:
        index = root(entry(A, "a"), entry(B, "a"), entry(A, "b"))
        assert [found.descriptor for found in index.named("a")] == [A, B]
        assert [found.name for found in index.of(A.digest)] == ["a", "b"]
        assert index.named("x") == index.of(C.digest) == ()

    def test_a_document_beyond_the_depth_limit_is_refused(self) -> None:
        with pytest.raises(LimitExceededError):
            RootIndex(b'{"schemaVersion":2,"x":' + b"[" * 200 + b"]" * 200 + b"}")

    @pytest.mark.spec(
        "image-layout:index-json",
        "image-index:schema-version",
        "image-index:media-type",
        "manifest:unambiguous",
        "considerations:case",
    )
    @pytest.mark.parametrize(
        ("document", "code", "place"),
        [
            ({"manifests": []}, "missing-property", "$.schemaVersion"),
            ({"schemaVersion": 1}, "bad-version", "$.schemaVersion"),
            ({"schemaVersion": 2, "mediaType": OCI_MANIFEST}, "wrong-value", "$.mediaType"),
            ({"schemaVersion": 2, "manifests": {}}, "wrong-type", "$.manifests"),
            ({"schemaVersion": 2, "Manifests": []}, "case-variant", "$.Manifests"),
            ({"schemaVersion": 2, "layers": []}, "ambiguous-document", "$.layers"),
            ({"schemaVersion": 2, "Config": {}}, "ambiguous-document", "$.Config"),
        ],
    )
    def test_a_document_that_breaks_a_rule_is_refused_at_its_place(
        self, document: dict[str, Any], code: str, place: str
    ) -> None:
        with pytest.raises(DocumentError) as caught:
            RootIndex(json.dumps(document).encode())
        assert [(found.code, found.place) for found in caught.value.problems] == [(code, place)]

    @pytest.mark.parametrize(
        ("bad", "code", "place"),
        [
            (None, "wrong-type", "$.manifests[1]"),
            ([], "wrong-type", "$.manifests[1]"),
            ({}, "wrong-type", "$.manifests[1].digest"),
            ({"digest": 1}, "wrong-type", "$.manifests[1].digest"),
            ({"digest": "a:b", "annotations": []}, "wrong-type", "$.manifests[1].annotations"),
            (
                {"digest": "a:b", "annotations": {REF_NAME: 1}},
                "wrong-type",
                f'$.manifests[1].annotations["{REF_NAME}"]',
            ),
            ({"digest": "a:b", "Annotations": {}}, "case-variant", "$.manifests[1].Annotations"),
        ],
    )
    def test_an_entry_with_a_bad_name_or_digest_is_refused_at_its_place(
        self, bad: Any, code: str, place: str
    ) -> None:
        with pytest.raises(DocumentError) as caught:
            root(entry(A), bad)
        assert [(found.code, found.place) for found in caught.value.problems] == [(code, place)]

    @pytest.mark.spec("considerations:unknown-properties")
    def test_an_entry_with_an_unknown_property_is_read(self) -> None:
        assert root(entry(A, "a", x=1)).names() == ("a",)

    def test_other_faults_of_an_entry_show_when_it_is_returned(self) -> None:
        index = root(entry(A, "good"), {**entry(B, "bad"), "size": "1"})
        assert index.find("good").descriptor == A
        for ask in (index.entries, lambda: index.named("bad"), lambda: index.of(B.digest)):
            with pytest.raises(DocumentError) as caught:
                ask()
            assert [found.place for found in caught.value.problems] == ["$.manifests[1].size"]


@pytest.mark.spec("annotations:same-name")
class TestFind:
    def test_one_entry_of_the_name_is_meant(self) -> None:
        assert root(entry(A, "a"), entry(B, "b")).find("b").descriptor == B

    def test_several_entries_of_one_digest_mean_the_first(self) -> None:
        index = root(entry(A, "a", annotations={"x": "1"}), entry(A, "a"))
        assert index.find("a").annotations == FrozenMap({"x": "1"})

    def test_several_digests_are_ambiguous_and_listed_in_document_order(self) -> None:
        with pytest.raises(AmbiguousReferenceError) as caught:
            root(entry(B, "a"), entry(A, "a"), entry(C)).find("a")
        assert caught.value.digests == (B.digest, A.digest)

    def test_the_full_name_of_containerd_decides_between_several(self) -> None:
        full: dict[str, Any] = {"annotations": {CONTAINERD_IMAGE_NAME: "a"}}
        assert root(entry(B, "a"), entry(A, "a", **full)).find("a").descriptor == A

    def test_the_full_name_of_containerd_is_a_name_too(self) -> None:
        full: dict[str, Any] = {"annotations": {CONTAINERD_IMAGE_NAME: "docker.io/library/x:1"}}
        index = root(entry(B, "1"), entry(A, "1", **full), entry(C, **full))
        with pytest.raises(AmbiguousReferenceError) as caught:
            index.find("docker.io/library/x:1")
        assert caught.value.digests == (A.digest, C.digest)
        assert root(entry(A, "1", **full)).find("docker.io/library/x:1").descriptor == A

    def test_the_error_says_which_content_the_name_has(self) -> None:
        with pytest.raises(ReferenceNotFoundError) as caught:
            root(entry(A, "a")).find(f"a@{B.digest}")
        assert str(caught.value) == f"'a' does not name {B.digest}, it names {A.digest}"
        with pytest.raises(ReferenceNotFoundError, match=f"no entry named 'b@{B.digest}'"):
            root(entry(A, "a")).find(f"b@{B.digest}")
        with pytest.raises(ReferenceNotFoundError, match=f"no entry of '{B.digest}'"):
            root(entry(A, "a")).find(str(B.digest))

    def test_a_digest_of_an_unknown_algorithm_means_its_content(self) -> None:
        odd = Descriptor(media_type=OCI_MANIFEST, digest=Digest.parse("newhash:abc"), size=1)
        index = root(entry(odd), entry(A, "a"))
        assert index.find("newhash:abc").descriptor == odd
        assert root(entry(odd), entry(A, "newhash:abc")).find("newhash:abc").descriptor == A

    def test_each_entry_has_a_reference_of_its_own_content(self) -> None:
        full: dict[str, Any] = {"annotations": {CONTAINERD_IMAGE_NAME: "x/a:1"}}
        index = root(
            entry(A, "a", **full),
            entry(B, "a"),
            entry(C, annotations={CONTAINERD_IMAGE_NAME: "x/c:1"}),
            entry(C, "c"),
            entry(C, ""),
            entry(B, str(A.digest)),
        )
        assert [ref for ref, _ in index.refs()] == [
            "x/a:1",
            f"a@{B.digest}",
            "x/c:1",
            "c",
            C.digest,
            f"{A.digest}@{B.digest}",
        ]
        assert [ref for ref, _ in index.refs("a")] == ["x/a:1", f"a@{B.digest}"]

    def test_no_entry_of_the_name_is_not_found(self) -> None:
        with pytest.raises(ReferenceNotFoundError, match="there is no entry named 'x'"):
            root(entry(A, "a")).find("x")

    def test_a_missing_name_is_not_found_despite_faults_of_other_entries(
        self,
    ) -> None:
        with pytest.raises(ReferenceNotFoundError):
            root({**entry(B, "bad"), "size": "1"}).find("x")


@pytest.mark.spec("annotations:travel")
class TestTag:
    def test_a_new_name_is_appended_with_its_annotations_sorted(self) -> None:
        index = root(entry(A, "a"))
        index.tag("b", B, {"z": "1", "a": "2"})
        assert json.dumps(entries(index)[1]) == json.dumps(
            {
                **entry(B),
                "annotations": {"a": "2", REF_NAME: "b", "z": "1"},
            }
        )
        assert (index.names(), index.changed) == (("a", "b"), True)

    def test_only_media_type_digest_and_size_of_the_target_are_written(self) -> None:
        index = root()
        index.tag(
            "a",
            Descriptor(
                media_type=A.media_type,
                digest=A.digest,
                size=A.size,
                annotations={LOCAL_BUILD: "true"},
                artifact_type="t",
                extra={"x": 1},
            ),
        )
        assert entries(index) == [entry(A, "a")]

    def test_the_same_content_is_tagged_again_in_place_and_loses_old_annotations(self) -> None:
        index = root(entry(A, "a", annotations={LOCAL_BUILD: "true"}), entry(B, "b"))
        index.tag("a", A)
        assert entries(index) == [entry(A, "a"), entry(B, "b")]

    @pytest.mark.parametrize("unknown", [{"x": 1}, {"platform": {**LINUX, "x": 1}}, {"x": None}])
    def test_the_same_content_keeps_its_unknown_properties(self, unknown: dict[str, Any]) -> None:
        index = root(entry(A, "a", annotations={"k": "v"}, **unknown), entry(B, "b"))
        index.tag("a", A, {"k": "w"})
        assert entries(index) == [entry(A, "a", annotations={"k": "w"}, **unknown), entry(B, "b")]

    def test_the_same_content_twice_keeps_the_unknown_properties_of_both(self) -> None:
        index = root(entry(A, "a"), entry(A, "a", x=2), entry(A, "a"))
        index.tag("a", A)
        assert entries(index) == [entry(A, "a"), entry(A, x=2)]

    def test_the_same_content_keeps_its_full_names(self) -> None:
        full = [{CONTAINERD_IMAGE_NAME: f"x/{name}:1"} for name in "ab"]
        index = root(*(entry(A, "1", annotations=noted) for noted in full))
        index.tag("1", A)
        assert entries(index) == [
            entry(A, "1", annotations=full[0]),
            entry(A, annotations=full[1]),
        ]

    def test_a_moved_name_leaves_its_old_content_with_foreign_annotations_only(self) -> None:
        noted = {LOCAL_BUILD: "true", CREATED: "now", "k": "v"}
        index = root(entry(A, "a", annotations=noted, x=1), entry(B, "b"))
        index.tag("a", C)
        kept = entry(A, annotations={CREATED: "now", "k": "v"}, x=1)
        assert entries(index) == [kept, entry(B, "b"), entry(C, "a")]

    @pytest.mark.parametrize("unknown", [{"x": 1}, {"platform": {**LINUX, "x": 1}}])
    def test_a_moved_name_leaves_unknown_properties_though_others_hold_the_content(
        self, unknown: dict[str, Any]
    ) -> None:
        index = root(entry(A, "a", **unknown), entry(A, "b"))
        index.tag("a", B)
        assert entries(index) == [entry(A, **unknown), entry(A, "b"), entry(B, "a")]

    @pytest.mark.parametrize("others", [[], [entry(A, "b")]])
    def test_a_moved_name_leaves_the_full_name_and_takes_the_mark(self, others: list[Any]) -> None:
        """The full name belongs to the other image, whether or not that has another entry."""
        full = {CONTAINERD_IMAGE_NAME: "x/a:1"}
        index = root(entry(A, "1", annotations={**full, LOCAL_BUILD: "true"}), *others)
        index.tag("1", B)
        assert entries(index) == [entry(A, annotations=full), *others, entry(B, "1")]
        assert index.find("x/a:1").descriptor == A

    def test_a_full_name_that_is_the_moved_name_moves_with_it(self) -> None:
        index = root(entry(A, "x/a:1", annotations={CONTAINERD_IMAGE_NAME: "x/a:1"}))
        index.tag("x/a:1", B)
        assert entries(index) == [entry(A), entry(B, "x/a:1")]

    def test_a_moved_name_leaves_no_empty_annotations(self) -> None:
        index = root(entry(A, "a"))
        index.tag("a", B)
        assert entries(index) == [entry(A), entry(B, "a")]

    def test_a_moved_name_takes_its_place_along_if_others_hold_the_old_content(self) -> None:
        index = root(entry(A, "a"), entry(A, "b"))
        index.tag("a", B)
        assert entries(index) == [entry(B, "a"), entry(A, "b")]

    def test_a_name_of_different_content_is_not_moved(self) -> None:
        index = root(entry(A, "a"), entry(B, "a"), entry(A, "a"))
        with pytest.raises(AmbiguousReferenceError) as caught:
            index.tag("a", C)
        assert caught.value.digests == (A.digest, B.digest, A.digest)
        assert not index.changed

    def test_a_name_of_one_content_twice_is_moved_once(self) -> None:
        index = root(entry(A, "a"), entry(A, "a"), entry(B))
        index.tag("a", B)
        assert entries(index) == [entry(B, "a"), entry(A), entry(B)]
        index.tag("a", C)
        assert entries(index) == [entry(C, "a"), entry(A), entry(B)]

    def test_annotations_may_not_set_the_name_and_then_nothing_changes(self) -> None:
        index = root(entry(A, "a"))
        with pytest.raises(InvalidNameError):
            index.tag("a", B, {REF_NAME: "b"})
        assert not index.changed
        assert entries(index) == [entry(A, "a")]

    def test_absent_entries_become_an_array_at_the_end(self) -> None:
        index = RootIndex(b'{"x":1,"schemaVersion":2}')
        index.tag("a", A)
        assert list(json.loads(index.encode())) == ["x", "schemaVersion", "manifests"]
        assert entries(index) == [entry(A, "a")]

    def test_null_entries_become_an_array_in_place(self) -> None:
        index = RootIndex(b'{"x":1,"manifests":null,"schemaVersion":2}')
        index.tag("a", A)
        assert list(json.loads(index.encode())) == ["x", "manifests", "schemaVersion"]
        assert entries(index) == [entry(A, "a")]


class TestUntagAndDrop:
    def test_untagged_content_stays_as_an_entry_without_a_name(self) -> None:
        index = root(entry(A, "a", annotations={LOCAL_BUILD: "true", "k": "v"}), entry(B))
        index.untag("a")
        assert entries(index) == [entry(A, annotations={"k": "v"}), entry(B)]
        assert (index.names(), index.changed) == ((), True)

    def test_an_untagged_entry_goes_if_others_hold_its_content(self) -> None:
        index = root(entry(A, "a"), entry(A))
        index.untag("a")
        assert entries(index) == [entry(A)]

    @pytest.mark.spec("annotations:same-name")
    def test_a_name_of_different_content_is_refused_by_every_edit(self) -> None:
        index = root(entry(A, "a"), entry(B, "a"), entry(A, "a"))
        for edit in (index.untag, index.drop, lambda name: index.annotate(name, {"k": "v"})):
            with pytest.raises(AmbiguousReferenceError):
                edit("a")
        assert not index.changed

    @pytest.mark.spec("annotations:same-name")
    def test_a_name_and_a_digest_mean_the_entries_of_that_content_alone(self) -> None:
        index = root(entry(A, "a"), entry(B, "a"), entry(A, "a"), entry(A, "b"))
        index.annotate(f"a@{A.digest}", {"k": "v"})
        noted = entry(A, "a", annotations={"k": "v"})
        assert entries(index) == [noted, entry(B, "a"), noted, entry(A, "b")]
        index.untag(f"a@{A.digest}")
        assert entries(index) == [entry(B, "a"), entry(A, "b")]
        index.drop(f"a@{B.digest}")
        assert entries(index) == [entry(A, "b")]

    def test_dropped_entries_go_whatever_other_entries_hold_their_content(self) -> None:
        index = root(entry(A, "a"), entry(A, "a"), entry(A, "b"), entry(B))
        index.drop("a")
        assert entries(index) == [entry(A, "b"), entry(B)]

    def test_a_digest_means_all_entries_of_its_content(self) -> None:
        index = root(entry(A, "a"), entry(B, "b"), entry(A, "c"), entry(A))
        index.untag(str(A.digest))
        assert entries(index) == [entry(B, "b"), entry(A)]
        index.drop(str(A.digest))
        assert entries(index) == [entry(B, "b")]
        index.untag(str(B.digest))
        assert entries(index) == [entry(B)]

    @pytest.mark.parametrize("unknown", [{"x": 1}, {"platform": {**LINUX, "x": 1}}])
    def test_an_entry_with_unknown_properties_stays_untagged(self, unknown: dict[str, Any]) -> None:
        index = root(entry(A, "a", **unknown), entry(A, "b"))
        index.untag("a")
        assert entries(index) == [entry(A, **unknown), entry(A, "b")]
        index.untag("b")
        assert entries(index) == [entry(A, **unknown)]

    def test_an_untagged_entry_has_no_name_to_remove(self) -> None:
        index = root(entry(A), entry(B, ""))
        for digest in (A.digest, B.digest):
            with pytest.raises(ReferenceNotFoundError, match="has no name to remove"):
                index.untag(str(digest))
        assert not index.changed

    def test_a_full_name_is_a_name_to_remove(self) -> None:
        full: dict[str, Any] = {"annotations": {CONTAINERD_IMAGE_NAME: "x/a:1"}}
        index = root(entry(A, "", **full), entry(B, **full))
        with pytest.raises(AmbiguousReferenceError):
            index.untag("x/a:1")
        index.untag(f"x/a:1@{B.digest}")
        index.untag("x/a:1")
        assert entries(index) == [entry(A), entry(B)]

    def test_a_full_name_is_found_as_one_edit_changes_it(self) -> None:
        index = root(entry(A, "a"), entry(B, "b"))
        index.annotate("a", {CONTAINERD_IMAGE_NAME: "x/a:1"})
        assert index.find("x/a:1").descriptor == A
        index.annotate("x/a:1", {CONTAINERD_IMAGE_NAME: "x/a:2"})
        index.annotate("x/a:2", {"k": "v"})
        assert index.names({"k": "v"}) == ("a",)
        with pytest.raises(ReferenceNotFoundError):
            index.find("x/a:1")
        index.annotate("x/a:2", {CONTAINERD_IMAGE_NAME: None})
        with pytest.raises(ReferenceNotFoundError):
            index.find("x/a:2")
        assert entries(index) == [entry(A, "a", annotations={"k": "v"}), entry(B, "b")]

    @pytest.mark.spec("annotations:digest-name")
    def test_a_name_that_reads_as_a_digest_never_hides_its_content(self) -> None:
        index = root(entry(B, str(A.digest)), entry(A, "a"))
        assert index.find(str(A.digest)).descriptor == A
        assert index.named(str(A.digest)) == ()
        index.untag(f"{A.digest}@{B.digest}")
        assert entries(index) == [entry(B), entry(A, "a")]

    def test_the_last_entry_leaves_an_array_and_not_null(self) -> None:
        index = root(entry(A, "a"))
        index.drop("a")
        assert index.encode() == b'{"schemaVersion":2,"manifests":[]}'

    def test_a_missing_name_is_refused_and_nothing_changes(self) -> None:
        index = root(entry(A, "a"))
        for edit in (index.untag, index.drop, lambda name: index.annotate(name, {"k": "v"})):
            with pytest.raises(ReferenceNotFoundError, match="there is no entry named 'x'"):
                edit("x")
        assert not index.changed

    def test_entries_without_a_name_go_by_their_digests_and_those_with_one_stay(self) -> None:
        nameless: dict[str, Any] = {"annotations": {REF_NAME: "", LOCAL_BUILD: "true"}}
        index = root(entry(A, "a"), entry(A), entry(B), entry(C, "c"), entry(A, **nameless))
        index.drop_untagged({A.digest, C.digest})
        assert entries(index) == [entry(A, "a"), entry(B), entry(C, "c")]
        assert index.changed

    def test_nothing_changes_where_no_untagged_entry_is_meant(self) -> None:
        index = root(entry(A, "a"), entry(B))
        index.drop_untagged({A.digest, C.digest})
        assert not index.changed


class TestAdd:
    def test_content_without_an_entry_gets_one_without_a_name(self) -> None:
        index = root(entry(A, "a"))
        index.add(B)
        assert entries(index) == [entry(A, "a"), entry(B)]

    def test_content_with_an_entry_gets_no_other(self) -> None:
        index = root(entry(A, "a"))
        index.add(A)
        assert not index.changed

    def test_content_whose_entry_was_dropped_gets_one_again(self) -> None:
        index = root(entry(A, "a"))
        index.drop("a")
        index.add(A)
        assert entries(index) == [entry(A)]


class TestNames:
    def test_an_entry_that_has_just_the_annotations_asked_for_is_found(self) -> None:
        index = root(entry(A, "a"), entry(B, "b", annotations={"k": "v"}))
        assert index.names({REF_NAME: "a"}) == ("a",)
        assert index.names({REF_NAME: "b", "k": "v"}) == ("b",)


class TestLimit:
    def test_256_mebibytes_are_read(self) -> None:
        """Other programs have no limit, so what is written here must be readable by us."""
        assert MAX_ROOT_INDEX == 268_435_456

    def test_a_root_index_that_could_not_be_read_again_is_not_written(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index = root(entry(A, "a"))
        index.tag("b", B)
        length = len(index.encode())
        monkeypatch.setattr("ocilayout.layout.rootindex.MAX_ROOT_INDEX", length)
        assert len(index.encode()) == length
        monkeypatch.setattr("ocilayout.layout.rootindex.MAX_ROOT_INDEX", length - 1)
        with pytest.raises(LimitExceededError):
            index.encode()


class TestAnnotate:
    def test_keys_are_set_and_removed_and_others_stay_in_order(self) -> None:
        index = root(entry(A, "a", annotations={"z": "1", "k": "2"}, x=1), entry(B, "b"))
        index.annotate("a", {"z": None, "k": "3", "new": "4", "absent": None})
        (first, second) = entries(index)
        assert json.dumps(first) == json.dumps(
            entry(A, "a", annotations={"k": "3", "new": "4"}, x=1)
        )
        assert second == entry(B, "b")

    def test_all_entries_of_the_name_change_if_they_are_of_one_digest(self) -> None:
        index = root(entry(A, "a"), entry(A, "a"))
        index.annotate("a", {"k": "v"})
        assert entries(index) == [entry(A, "a", annotations={"k": "v"})] * 2

    def test_an_ambiguous_name_is_refused(self) -> None:
        index = root(entry(A, "a"), entry(B, "a"))
        with pytest.raises(AmbiguousReferenceError) as caught:
            index.annotate("a", {"k": "v"})
        assert caught.value.digests == (A.digest, B.digest)
        assert not index.changed

    def test_the_name_cannot_be_set(self) -> None:
        with pytest.raises(InvalidNameError):
            root(entry(A, "a")).annotate("a", {REF_NAME: None})

    def test_an_edit_that_changes_nothing_is_not_a_change(self) -> None:
        index = root(entry(A, "a", annotations={"k": "v"}))
        index.annotate("a", {"k": "v", "absent": None})
        assert not index.changed


@pytest.mark.parametrize("behind", ["garbage", "}", ',"a":1}'])
def test_a_fault_behind_the_entries_is_at_its_place_in_the_document(behind: str) -> None:
    whole = '{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"sha256:%s","size":1}]}'
    text = whole % ("a" * 64)
    with pytest.raises(DocumentError, match=rf"line 1 column {len(text) + 1}\b"):
        RootIndex(f"{text}{behind}".encode())
