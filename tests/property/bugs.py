"""Bugs that other stores have or had, and how to plant each in ours.

Each names the place where it was seen. A bug is planted by replacing one function, or two if the
library checks twice; the replacement does what the other program does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve, frozen

from ocilayout import REF_NAME, Descriptor, Layout, OciLayoutError
from ocilayout.check.repair import _Repair
from ocilayout.errors import AmbiguousReferenceError, ReferenceNotFoundError
from ocilayout.layout import blobs as blobs_module
from ocilayout.layout import edit as edit_module
from ocilayout.layout import garbage as garbage_module
from ocilayout.layout import lookup as lookup_module
from ocilayout.layout import newblob as newblob_module
from ocilayout.layout import reach as reach_module
from ocilayout.layout import referrer as referrer_module
from ocilayout.layout import rootindex as rootindex_module
from ocilayout.layout.blobs import Blobs
from ocilayout.layout.edit import Edit
from ocilayout.layout.garbage import GarbageCollection
from ocilayout.layout.indexfile import IndexFile
from ocilayout.layout.lookup import Lookup, Positions
from ocilayout.layout.realfolder import Folder
from ocilayout.layout.referrer import Referrers
from ocilayout.layout.rootentry import RootEntry
from ocilayout.layout.rootindex import EMPTY, RootIndex
from ocilayout.layout.view import View
from ocilayout.model import graph as graph_module
from ocilayout.model.descriptor import Verifier
from ocilayout.model.digest import Digest
from ocilayout.model.graph import successors, walk
from ocilayout.model.mediatype import (
    DOCUMENT_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
    RETIRED_TYPES,
    is_understood,
)
from ocilayout.transfer import copying as copy_module
from ocilayout.transfer import plan as plan_module
from skills import LOCAL_BUILD, SkillService
from skills.packaging.skill_package import ARTIFACT_TYPE
from skills.store import builds as builds_module
from skills.store import exchange as exchange_module


@frozen
class Bug:
    """A bug.

    Attributes:
        name: The wrong behaviour of the store.
        seen: The place where it was seen.
        plant: The function that plants it.
    """

    name: str
    seen: str
    plant: Callable[[pytest.MonkeyPatch], None]


BUGS: Final[list[Bug]] = []


def bug(name: str, seen: str) -> Callable[[Any], Any]:
    """Register a function that plants a bug."""

    def listed(plant: Callable[[pytest.MonkeyPatch], None]) -> object:
        BUGS.append(Bug(name, seen, plant))
        return plant

    return listed


def rewriting(patch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the document at each write."""
    encode = RootIndex.encode

    def rewritten(self: RootIndex) -> bytes:
        data = encode(self)
        if not self.changed:
            return data
        document = json.loads(data)
        change(document)
        return json.dumps(document, separators=(",", ":")).encode()

    patch.setattr(RootIndex, "encode", rewritten)


# ---------------------------------------------------------------- the root index


@bug("the last writer wins", "umoci#146, containers/image#1028, oras-go#286")
def _(patch: pytest.MonkeyPatch) -> None:
    def edit(self: Any, change: Any, *, check: Any, after: Any) -> None:
        if not hasattr(self, "stale"):
            self.stale = self._read()[1].encode()
        document = RootIndex(self.stale)
        change(document)
        check(document)
        if document.changed:
            self._replace(self._identity(), document)
            self.stale = document.encode()
        after()

    patch.setattr(IndexFile, "edit", edit)


@bug("a handle trusts what it read at first", "oras-go: the index is read when a store is opened")
def _(patch: pytest.MonkeyPatch) -> None:
    def snapshot(self: Any) -> RootIndex:
        if not hasattr(self, "stale"):
            self.stale = self._read()[1]
        found: RootIndex = self.stale
        return found

    patch.setattr(IndexFile, "snapshot", snapshot)


@bug("the order of entries is lost", "oras-go, oci.go:431")
def _(patch: pytest.MonkeyPatch) -> None:
    rewriting(patch, lambda document: document["manifests"].sort(key=str))


@bug("unknown properties of an entry are dropped", "every Go library: a typed struct")
def _(patch: pytest.MonkeyPatch) -> None:
    known = {"mediaType", "digest", "size", "annotations", "platform", "artifactType"}

    def drop(document: dict[str, Any]) -> None:
        document["manifests"] = [
            {key: value for key, value in entry.items() if key in known}
            for entry in document["manifests"]
        ]

    rewriting(patch, drop)


@bug("unknown properties of the index are dropped", "every Go library: a typed struct")
def _(patch: pytest.MonkeyPatch) -> None:
    def drop(document: dict[str, Any]) -> None:
        for key in document.keys() - {"schemaVersion", "mediaType", "manifests", "annotations"}:
            del document[key]

    rewriting(patch, drop)


@bug("`manifests` is null when there are none", "oras-go, oci.go:431")
def _(patch: pytest.MonkeyPatch) -> None:
    rewriting(patch, lambda document: document.update(manifests=document["manifests"] or None))


@bug("entries of one digest are collapsed", "oras-go, readonlyoci.go:171")
def _(patch: pytest.MonkeyPatch) -> None:
    def collapse(document: dict[str, Any]) -> None:
        entries = document["manifests"]
        named = [entry for entry in entries if REF_NAME in entry.get("annotations", {})]
        others = {entry["digest"]: entry for entry in entries if entry not in named}
        document["manifests"] = [
            entry for entry in entries if entry in named or entry is others[entry["digest"]]
        ]

    rewriting(patch, collapse)


@bug("a root index that cannot be read is replaced by an empty one", "regclient, ocidir.go:246")
def _(patch: pytest.MonkeyPatch) -> None:
    read = IndexFile._read

    def forgiving(self: IndexFile) -> Any:
        try:
            return read(self)
        except OciLayoutError:
            return self._identity(), RootIndex(EMPTY)

    patch.setattr(IndexFile, "_read", forgiving)


# ---------------------------------------------------------------- names


@bug("a tag that is set again has two entries", "go-containerregistry, write.go:97")
def _(patch: pytest.MonkeyPatch) -> None:
    tag = RootIndex.tag

    def append(self: RootIndex, name: str, *rest: Any) -> None:
        by_name, self._lookup.names = self._lookup.names, Positions([])
        tag(self, name, *rest)
        self._lookup.names = by_name

    patch.setattr(RootIndex, "tag", append)


@bug("a moved tag keeps its annotations", "oras-go: the mark of a build survives a pull")
def _(patch: pytest.MonkeyPatch) -> None:
    tag = RootIndex.tag

    def keep(self: RootIndex, name: str, target: Descriptor, annotations: Any = None) -> None:
        noted = {key: text for entry in self.named(name) for key, text in entry.annotations.items()}
        tag(self, name, target, {**noted, **(annotations or {})})

    patch.setattr(RootIndex, "tag", keep)


@bug("content whose tag moves is forgotten", "umoci, refname.go")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lookup, "is_last", lambda *_: False)


@bug("an entry that lost its name keeps the mark of a build", "toolhive-core, section 8.4")
def _(patch: pytest.MonkeyPatch) -> None:
    def unnamed(entry: dict[str, Any], _: Any = ()) -> dict[str, Any]:
        noted = {**entry["annotations"]}
        del noted[REF_NAME]
        return {**entry, "annotations": noted}

    patch.setattr(rootindex_module, "unnamed", unnamed)
    patch.setattr(rootindex_module, "without_name", unnamed)


@bug("untag deletes the content", "zot#4180: an entry that nothing names is garbage")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Layout, "untag", Layout.remove)


@bug("a changed annotation replaces all others", "regclient#753")
def _(patch: pytest.MonkeyPatch) -> None:
    annotate = RootIndex.annotate

    def replace(self: RootIndex, name: str, changes: Any) -> None:
        gone = dict.fromkeys(key for entry in self.named(name) for key in entry.annotations)
        annotate(self, name, {**gone, **changes})

    patch.setattr(RootIndex, "annotate", replace)


@bug("the last of two entries with a name counts", "oras-go: last duplicate wins at load")
def _(patch: pytest.MonkeyPatch) -> None:
    find = RootIndex.find

    def last(self: RootIndex, name: str) -> Any:
        try:
            return find(self, name)
        except AmbiguousReferenceError:
            return self.named(name)[-1]

    patch.setattr(RootIndex, "find", last)


def taking_all(patch: pytest.MonkeyPatch, verb: str) -> None:
    """Let a verb act on all entries of a reference, whatever their content."""
    act = getattr(RootIndex, verb)

    def indiscriminate(*arguments: Any) -> None:
        with patch.context() as inner:
            inner.setattr(Lookup, "alike", lambda _, __, positions: positions)
            act(*arguments)

    patch.setattr(RootIndex, verb, indiscriminate)


@bug("a tag takes the name from several images", "ours until 2026; docker save writes one name")
def _(patch: pytest.MonkeyPatch) -> None:
    taking_all(patch, "tag")


@bug("untag takes the name from several images", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    taking_all(patch, "untag")


@bug("remove deletes several images of one name", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    taking_all(patch, "drop")


class StalePositions(Positions):
    """Positions in two maps; one of them may keep an outdated position."""

    def __init__(self, texts: Iterable[str | None]) -> None:
        self._one: dict[str, int] = {}
        self._many: dict[str, set[int]] = {}
        for position, text in enumerate(texts):
            if text:
                self._add(text, position)

    def __iter__(self) -> Iterator[str]:
        return iter(self._one)

    def of(self, text: str) -> list[int]:
        if text in self._many:
            return sorted(self._many[text])
        return [self._one[text]] if text in self._one else []

    def count(self, text: str) -> int:
        return len(self.of(text))

    def shared(self, text: str, others: Positions, other: str) -> list[int]:
        return sorted({*self.of(text)} & {*others.of(other)})

    def _add(self, text: str, position: int) -> None:
        first = self._one.setdefault(text, position)
        if first != position:
            self._many.setdefault(text, {first}).add(position)

    def _remove(self, text: str, position: int) -> None:
        places = self._many.get(text)
        if places is None:
            del self._one[text]
            return
        places.remove(position)
        if len(places) == 1:
            self._one[text] = self._many.pop(text).pop()


@bug("several changes at once lose an entry", "ours until 2026: positions of entries went stale")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lookup_module, "Positions", StalePositions)


@bug("resolve returns the annotations of the entry", "oras-go, oci.go:297")
def _(patch: pytest.MonkeyPatch) -> None:
    resolve = View.resolve

    def annotated(self: Any, ref: str) -> Descriptor:
        found: Descriptor = resolve(self, ref)
        with suppress(ReferenceNotFoundError):
            return evolve(found, annotations=self.entry(ref).annotations)
        return found

    patch.setattr(View, "resolve", annotated)


@bug("a tag names content that another process deleted", "buildkit#7102, quay PR#6318")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Edit, "_require_present", lambda *_: None)


# ---------------------------------------------------------------- deleting


@bug("a blob that is shared is deleted", "toolhive-core, section 8.3")
def _(patch: pytest.MonkeyPatch) -> None:
    def everything(dropped: Any, read: Any, _: Any) -> list[Any]:
        return [to.digest for to in walk(dropped, read)]

    patch.setattr(edit_module, "only_reached", everything)


@bug("a deleted build leaves a dangling entry", "toolhive-core, section 8.4")
def _(patch: pytest.MonkeyPatch) -> None:
    def others(self: Any, index: RootIndex, trace: Any, more: Any, going: Any) -> Any:
        trace.of.update(going)
        removed = {descriptor.digest for descriptor in self._dropped}
        entries = [one.descriptor for one in index.entries()]
        roots = [to for to in entries if to.digest not in removed]
        return reach_module.held([*roots, *more], self._blobs, removed=removed).digests

    patch.setattr(Edit, "_hold", others)
    patch.setattr(RootIndex, "drop", RootIndex.untag)


@bug("deleted content takes its subject along", "oras-go: a subject is a successor")
def _(patch: pytest.MonkeyPatch) -> None:
    def subjects_too(dropped: Any, read: Any, hold: Any) -> list[Any]:
        live = hold([], ())
        going = walk(dropped, read, subjects=True)
        return [to.digest for to in going if to.digest not in live and to.digest.verifiable]

    patch.setattr(edit_module, "only_reached", subjects_too)


@bug("a collection does not follow subjects", "go-containerregistry, regclient; hypeman#199")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reach_module, "references", successors)


@bug("untagged entries are garbage", "oras-go: tagged entries are the roots; cosign#4695")
def _(patch: pytest.MonkeyPatch) -> None:
    def named(index: RootIndex) -> list[Any]:
        return [one.descriptor for one in index.entries() if one.is_named]

    patch.setattr(garbage_module, "roots_of", named)


@bug("referrers of referrers are pruned", "oras-go#1294")
def _(patch: pytest.MonkeyPatch) -> None:
    def one_hop(self: Any, index: RootIndex) -> list[Descriptor]:
        entries = [
            entry for entry in index.entries() if not self._is_young(entry.descriptor.digest)
        ]
        search = reach_module._Search(self._blobs)
        search.reach([one.descriptor for one in entries if one.is_named])
        untagged = [one.descriptor for one in entries if not one.is_named]
        about = reach_module.subjects([one.digest for one in untagged], self._blobs)
        kept = {one.digest for to, one in about if to in search.found} | search.found
        return [one for one in untagged if one.digest not in kept]

    patch.setattr(GarbageCollection, "_prunable", one_hop)


@bug("the parts of Docker manifests are garbage", "umoci, mediatype: OCI types only")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reach_module, "DOCUMENT_TYPES", frozenset({OCI_INDEX, OCI_MANIFEST}))


@bug("content of two media types is garbage", "oras-go#1093")
def _(patch: pytest.MonkeyPatch) -> None:
    def by_first_type(self: Any, roots: Any) -> None:
        pending = list(roots)
        while pending:
            to = pending.pop()
            digest = to if isinstance(to, Digest) else to.digest
            if digest not in self.found:
                self.found.add(digest)
                if isinstance(to, Digest):
                    pending.extend(self._mentions(to))
                elif to.media_type in DOCUMENT_TYPES:
                    pending.extend(self._references(to))
                elif not is_understood(to.media_type):
                    pending.extend(self._mentions(to.digest, to.media_type))

    patch.setattr(reach_module._Search, "reach", by_first_type)


@bug("content that was just put is garbage", "hypeman#199, zot PR#77: no grace")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GarbageCollection, "_is_young", lambda *_: False)


@bug("blobs of unknown algorithms are garbage", "regclient, close.go:76: all that is not marked")
def _(patch: pytest.MonkeyPatch) -> None:
    class Verifiable(Digest):
        @property
        def verifiable(self) -> bool:
            return True

    def held(roots: Any, blobs: Any) -> Any:
        found = reach_module.held(roots, blobs)
        return evolve(found, others=tuple(map(Verifiable.parse, found.others)))

    patch.setattr(garbage_module, "held", held)


@bug("a manifest that cannot be read reaches nothing", "regclient, close.go:103")
def _(patch: pytest.MonkeyPatch) -> None:
    follow = reach_module._Search._references

    def forgiving(self: Any, to: Any) -> Any:
        try:
            return follow(self, to)
        except OciLayoutError:
            return []

    patch.setattr(reach_module._Search, "_references", forgiving)


@bug("the parts of retired manifests are garbage", "ours until 2026; regclient: manifest types")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reach_module, "DOCUMENT_TYPES", DOCUMENT_TYPES - RETIRED_TYPES)
    patch.setattr(
        reach_module, "is_understood", lambda kind: kind in RETIRED_TYPES or is_understood(kind)
    )


@bug("a copy of a retired manifest is a copy of one blob", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(graph_module, "DOCUMENT_TYPES", DOCUMENT_TYPES - RETIRED_TYPES)


@bug("content that an unknown document names is garbage", "ours until 2026, umoci, regclient")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reach_module, "is_understood", lambda _: True)


@bug("content that one reference calls a layer is not looked into", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    mentions = reach_module._Search._mentions

    def unless_opaque(self: Any, digest: Digest, media_type: str = "") -> Any:
        return [] if is_understood(media_type) else mentions(self, digest, media_type)

    patch.setattr(reach_module._Search, "_mentions", unless_opaque)


@bug("content that an unknown property names is garbage", "ours until 2026, every Go library")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reach_module, "document_mentions", lambda _: set())


@bug("content that an unknown property of an entry names is garbage", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reach_module, "extra_mentions", lambda *_: set())


@bug("remove deletes content that a kept document of an unknown type names", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    hold = Edit._hold

    def unaware(*arguments: Any) -> Any:
        with patch.context() as inner:
            inner.setattr(reach_module, "is_understood", lambda _: True)
            return hold(*arguments)

    patch.setattr(Edit, "_hold", unaware)


@bug("manifests that no entry lists are garbage", "ours until 2026; cosign save and others")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reach_module, "subjects", lambda *_: ())


@bug("a referrer cannot be removed while its subject exists", "a rule that forgets what goes")
def _(patch: pytest.MonkeyPatch) -> None:
    def held(roots: Any, blobs: Any, **_: object) -> Any:
        return reach_module.held(roots, blobs)

    patch.setattr(edit_module, "held", held)


@bug("entries that have only a full name are pruned", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RootEntry, "is_named", property(lambda self: bool(self.name)))
    patch.setattr(Lookup, "is_named", lambda self, place: bool(self._entries.names[place]))


@bug("content that was placed with old times is old", "ours until 2026: mtime alone")
def _(patch: pytest.MonkeyPatch) -> None:
    def is_young(self: Any, digest: Any) -> bool:
        path = self._blobs.path(digest)
        return bool(path.exists() and path.stat().st_mtime > self._limit)

    patch.setattr(GarbageCollection, "_is_young", is_young)


@bug("a repair moves links aside", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Repair, "_replace", _Repair._quarantine)


@bug("a repair drops entries while the disk of the blobs is away", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    is_gone = _Repair._is_gone

    def forgetful(self: Any, text: str, _: object) -> bool:
        return is_gone(self, text, [text.partition(":")[0]])

    patch.setattr(_Repair, "_is_gone", forgetful)


@bug(
    "a collection that only says what it would do does it", "go-containerregistry: crane layout gc"
)
def _(patch: pytest.MonkeyPatch) -> None:
    run = GarbageCollection.run

    def always(self: GarbageCollection, **options: Any) -> Any:
        return run(self, **{**options, "dry_run": False})

    patch.setattr(GarbageCollection, "run", always)


# ---------------------------------------------------------------- blobs


@bug("the digest is not checked when content is read", "oras#547, oras-py#247")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Verifier, "finish", lambda _: None)


@bug("the digest is not checked when content is put", "go-containerregistry: WriteBlob")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(blobs_module, "verify", lambda *_: None)
    fill = newblob_module.NewBlob.fill

    def trusting(self: Any, source: Any, expected: Any) -> Any:
        found = fill(self, source, None)
        return found if expected is None else (expected.digest, expected.size)

    patch.setattr(newblob_module.NewBlob, "fill", trusting)


@bug("an existing blob is whole", "go-containerregistry#2124: truncated for ever")
def _(patch: pytest.MonkeyPatch) -> None:
    def holds(self: Any, descriptor: Descriptor) -> bool:
        there = descriptor.digest in self
        if there:
            os.utime(self.path(descriptor.digest))
            self.put_here.add(descriptor.digest)
        return there

    patch.setattr(Blobs, "holds", holds)


@bug("blobs have the mode 0600", "umoci#592, regclient: CreateTemp without chmod")
def _(patch: pytest.MonkeyPatch) -> None:
    create_locked = newblob_module.create_locked

    def private(*arguments: Any) -> Any:
        file, _ = create_locked(*arguments)
        return file, 0o600

    patch.setattr(newblob_module, "create_locked", private)


@bug("a refused put leaves its file", "regclient: *.tmp are not removed on error")
def _(patch: pytest.MonkeyPatch) -> None:
    unlink = Folder.unlink

    def lazy(self: Folder, name: str) -> bool:
        return Path(self.path).name != "ingest" and unlink(self, name)

    patch.setattr(Folder, "unlink", lazy)


# ---------------------------------------------------------------- copies and referrers


@bug("a copy carries the annotations of the entry", "toolhive-core: the mark travels")
def _(patch: pytest.MonkeyPatch) -> None:
    noted: dict[Any, Any] = {}
    resolve = View.resolve
    tag = RootIndex.tag

    def remember(self: Any, ref: str) -> Descriptor:
        found: Descriptor = resolve(self, ref)
        noted.clear()
        with suppress(OciLayoutError):
            noted[found.digest] = dict(self.entry(ref).annotations)
        return found

    def bind(target: Any, named: Any, others: Any) -> None:
        with patch.context() as inner:
            inner.setattr(
                RootIndex,
                "tag",
                lambda self, name, to, _: tag(self, name, to, noted.get(to.digest)),
            )
            real(target, named, others)

    real = plan_module._commit
    patch.setattr(View, "resolve", remember)
    patch.setattr(plan_module, "_commit", bind)


@bug("an existing root ends a copy of missing content", "oras-go, copy.go; toolhive-core, 8.6")
def _(patch: pytest.MonkeyPatch) -> None:
    carry_out = plan_module.Plan.carry_out

    def shortcut(self: Any, roots: Any) -> None:
        carry_out(self, [root for root in roots if not self._target.blobs.holds(root)])

    patch.setattr(plan_module.Plan, "carry_out", shortcut)


@bug("one size counts for all references to a digest", "ours until 2026")
def _(patch: pytest.MonkeyPatch) -> None:
    def once(roots: Any, read: Any, **options: Any) -> Any:
        seen: set[Digest] = set()
        for found in walk(roots, read, **options):
            if found.digest not in seen:
                seen.add(found.digest)
                yield found

    patch.setattr(plan_module, "walk", once)


@bug("referrers inside an index are not found", "ours until 2026; BuildKit has attestations there")
def _(patch: pytest.MonkeyPatch) -> None:
    def roots_alone(roots: Any, read: Any) -> list[Any]:
        return [read(root) for root in roots if root.media_type in DOCUMENT_TYPES]

    patch.setattr(referrer_module, "walk", roots_alone)


@bug("a copy only takes the referrers of the root", "oras-go: ExtendedCopy of a root")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        copy_module,
        "with_referrers",
        lambda root, _, referrers, **__: [root, *(to.plain() for to in referrers(root.digest))],
    )


@bug("a copy by digest makes no entry", "oras-go before #462: oras#883")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Edit, "add", lambda *_, **__: None)


@bug("lists of referrers are not read", "oras-go: a scan of the roots")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Referrers, "of", lambda self, digest: tuple(self._about.get(digest, {}).values()))


@bug("referrers without a list are not found", "regclient: fallback tags")
def _(patch: pytest.MonkeyPatch) -> None:
    of = Referrers.of

    def listed(self: Any, digest: Any) -> Any:
        self._about = {}
        return of(self, digest)

    patch.setattr(Referrers, "of", listed)


# ---------------------------------------------------------------- skills

SKILL_BUGS: Final[list[Bug]] = []


def skill_bug(name: str, seen: str) -> Callable[[Any], Any]:
    """Register a function that plants a bug into the skills layer."""

    def listed(plant: Callable[[pytest.MonkeyPatch], None]) -> object:
        SKILL_BUGS.append(Bug(name, seen, plant))
        return plant

    return listed


@skill_bug("all tagged content is listed", "toolhive-core, before there was a mark")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(builds_module, "is_local_build", bool)
    patch.setattr(Layout, "tags", lambda self, **_: View.tags(self))


@skill_bug("any value is a mark", "a check for the key alone")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        builds_module,
        "is_local_build",
        lambda entries: any(LOCAL_BUILD in entry.annotations for entry in entries),
    )
    tags = View.tags
    patch.setattr(Layout, "tags", lambda self, **_: tags(self))


@skill_bug("copied content is marked", "toolhive-core: the mark travels")
def _(patch: pytest.MonkeyPatch) -> None:
    tag = Edit.tag

    def marked(self: Any, name: str, target: Any, **options: Any) -> None:
        tag(self, name, target, **{"annotations": builds_module.MARK, **options})

    patch.setattr(Edit, "tag", marked)


@skill_bug("a copy takes the name of another build", "toolhive-core: a pull retags")
def _(patch: pytest.MonkeyPatch) -> None:
    def differs(entries: Any, name: str, content: Any, *, replace: bool) -> bool:
        del name, replace
        return {entry.descriptor.digest for entry in entries} != {content.digest}

    patch.setattr(exchange_module, "may_retag", differs)


@skill_bug("a copy onto a build removes the mark", "a plain tag on every pull")
def _(patch: pytest.MonkeyPatch) -> None:
    may_retag = builds_module.may_retag

    def always(*arguments: Any, **options: Any) -> bool:
        may_retag(*arguments, **options)
        return True

    patch.setattr(exchange_module, "may_retag", always)


@skill_bug("a pull is deleted as a build", "toolhive-core, section 8.4")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SkillService, "delete_build", lambda self, tag: self.layout.remove(tag))


@skill_bug("content that is not a skill is listed", "a list that reads no document")
def _(patch: pytest.MonkeyPatch) -> None:
    read = builds_module._read

    def typed(layout: Any, descriptor: Any) -> Any:
        found = read(layout, descriptor)
        return None if found is None else evolve(found, artifact_type=ARTIFACT_TYPE)

    patch.setattr(builds_module, "_read", typed)
