"""The graph of a layout, compared with its blobs.

Every reference is compared with the blob and with earlier references, and every document is read
once. Other blobs are not read, except those whose size is not that of a descriptor: they are hashed
at once, to tell a wrong descriptor from a damaged blob.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from ocilayout.check import probe
from ocilayout.check.finding import classified, failure, problem_at, summed
from ocilayout.check.occurrence import occurrence_of
from ocilayout.check.probe import (
    AS_IT_IS,
    Outlook,
    document_behind_link,
    place_of,
    referrers_among,
)
from ocilayout.check.reading import read_config, read_document
from ocilayout.errors import LimitExceededError, OciLayoutError
from ocilayout.layout import Blobs, following_links, named_in
from ocilayout.model import (
    DOCUMENT_TYPES,
    JSON_HEAD,
    MAX_DOCUMENT,
    OCI_CONFIG,
    Digest,
    begins_as_json,
    is_understood,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ocilayout.check.occurrence import Occurrence
    from ocilayout.errors import Problem
    from ocilayout.model import Descriptor

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READ = DOCUMENT_TYPES | {OCI_CONFIG}
_FAR_TOO_LARGE: Final = 1024 * 1024 * 1024
"""The size in bytes above which a blob that is twice as large as promised is not hashed."""


@define
class _Content:
    """What is known of the content of one digest.

    Attributes:
        present: Whether anything is in the place of its blob.
        size: The size of the blob in bytes; `None` if there is not a regular file.
        place: The place of the first reference to it.
        promised: The first size that a reference gives it, in bytes.
        media_types: The media types that references have given it so far.
        opened: Has `False` after it was opened as a manifest or an index, `True` as a config.
        missed: Whether it was reported as missing.
    """

    present: bool
    size: int | None
    place: str
    promised: int | None = None
    media_types: list[str] = field(factory=list)
    opened: set[bool] = field(factory=set)
    missed: bool = False


class Survey:
    """A walk over all content that a layout reaches, which reports problems on its way.

    Args:
        root: The folder of the layout.
        content: Whether blobs that are not documents may be read.
        outlook: What a repair knows and would do; also an attribute.

    Attributes:
        complete: Whether everything was reached; not if a document could not be read.
        judged: The digests whose blobs were verified, and reported where they are damaged.

    Spec: image-layout:missing-blobs, descriptor:independent, manifest:unknown-config.
    """

    def __init__(self, root: Path, *, content: bool, outlook: Outlook = AS_IT_IS) -> None:
        self._root = root
        self._content = content
        self._blobs = Blobs(root)
        self._known: dict[Digest, _Content] = {}
        self._named: set[Digest] = set()
        self._new: list[Digest] = []
        self._pending: deque[Occurrence] = deque()
        self._searched: set[tuple[Digest, bool]] = set()
        self._aside: set[Digest] = set()
        self._wrong: set[Digest] = set(outlook.wrong)
        self.outlook = outlook
        self.complete = True
        self.judged: set[Digest] = {*outlook.wrong, *outlook.copied}

    def __contains__(self, digest: object) -> bool:
        """Tell whether a descriptor, an unknown property or a document of unknown type names it."""
        return digest in self._known or digest in self._named

    def note(self, reference: Occurrence) -> Iterator[Problem]:
        """Record a reference, and report how it contradicts the blob or earlier references."""
        content = self._known.get(reference.digest)
        if content is None:
            content = self._known[reference.digest] = self._look(reference)
            self._new.append(reference.digest)
        yield from _compare_types(content, reference)
        yield from self._compare_sizes(content, reference)
        if not content.present:
            yield from self._report_missing(content, reference)
        kind = reference.media_type == OCI_CONFIG
        if reference.media_type in _READ and content.present and kind not in content.opened:
            content.opened.add(kind)
            self._pending.append(reference)
        elif not is_understood(reference.media_type):
            self._search(reference.digest, reference.media_type)

    def name(self, digests: Iterable[Digest]) -> None:
        """Record digests of unknown properties, whose meaning is not known."""
        pending = [digest for digest in digests if digest not in self._named]
        self._take_named(pending)
        for digest in pending:
            self._search(digest)

    def _take_named(self, digests: Iterable[Digest]) -> None:
        for digest in digests:
            if digest not in self._named:
                self._named.add(digest)
                self._new.append(digest)

    def _report_missing(self, content: _Content, reference: Occurrence) -> Iterator[Problem]:
        if not self._is_quarantined(reference.digest):
            yield from _missing(content, reference)
            return
        if reference.media_type in DOCUMENT_TYPES:  # what it refers to cannot be told
            self.complete = False
        if not content.missed:
            content.missed = True
            yield problem_at(
                "quarantined-blob",
                f"is damaged and in quarantine, and is referred to at {reference.place}",
                place_of(reference.digest),
            )

    def _is_quarantined(self, digest: Digest) -> bool:
        return digest in self.outlook.moved or self._blobs.is_quarantined(digest)

    def graph(self) -> Iterator[Problem]:
        """Read the documents of the references so far, and all that they reach, breadth first."""
        while self._pending:
            yield from self._open(self._pending.popleft())

    def unlisted(self) -> Iterator[Problem]:
        """Report the manifests that stay for their subject alone, and what is wrong below them.

        Blobs in quarantine that only documents of unknown types name are reported first.
        """
        for digest in sorted(self._aside - self._known.keys()):
            message = "is damaged and in quarantine, and a document of an unknown type names it"
            yield problem_at("quarantined-blob", message, place_of(digest))
        if not self.complete:
            return
        about = self._subjects()
        reached: Iterable[Digest] = [subject for subject in about if subject in self]
        self._new.clear()
        while reached:  # a round for each step from the entries, as in `reach.held`
            more = [(one.digest, to, one) for to in reached for one in about.pop(to, ())]
            for digest, subject, referrer in sorted(more, key=itemgetter(0, 1)):
                if digest not in self:
                    message = f"refers to {subject}, without an entry"
                    yield problem_at("unlisted-referrer", message, place_of(digest))
                    yield from self.note(occurrence_of(referrer, place_of(digest), "part"))
                    yield from self.graph()
            reached = [*self._new]
            self._new.clear()

    def _subjects(self) -> dict[Digest, list[Descriptor]]:
        """Return the blobs not reached so far that have a subject, by the digest of the subject."""
        about: dict[Digest, list[Descriptor]] = {}
        copied = self.outlook.copied
        try:
            others = self._blobs.others(self._known.keys() | self._named)
        except OSError:  # reported by `Holding`
            return about
        if copied:
            others = sorted({*others, *(digest for digest in copied if digest not in self)})
        for digest in others:
            if digest in self.outlook.moved:
                continue
            with suppress(OSError):  # as before
                if digest in copied or self._may_be_json(digest):
                    for subject, referrer in referrers_among((digest,), self._blobs):
                        about.setdefault(subject, []).append(referrer)
        return about

    def _may_be_json(self, digest: Digest) -> bool:
        # Most blobs are not JSON, and there may be many; this takes half the time of reading one.
        number = os.open(f"{self._root}/{place_of(digest)}", _FLAGS)
        try:
            return begins_as_json(os.read(number, JSON_HEAD))
        finally:
            os.close(number)

    def _search(self, digest: Digest, media_type: str = "") -> None:
        """Record the digests that a JSON document of any size names, and those that they name."""
        pending = [(digest, media_type)]
        while pending:
            one, kind = pending.pop()
            search = (one, kind.endswith("json"))
            if search not in self._searched:
                self._searched.add(search)
                named = self._names_in(one, kind)
                pending.extend((to, "") for to in named)
                self._take_named(named)

    def _names_in(self, digest: Digest, media_type: str) -> set[Digest]:
        """Return the digests that content names; if it cannot be read, the walk is incomplete."""
        if digest not in self.outlook.moved:
            blobs = following_links(self._blobs, digest)
            with suppress(OciLayoutError, OSError):  # reported by `Holding`
                return named_in(digest, blobs, media_type=media_type)
        there = digest not in self.outlook.moved and self._is_there(digest)
        aside = not there and self._is_quarantined(digest)
        if aside:
            self._aside.add(digest)
        if there or aside:
            self.complete = False
        return set()

    def _is_there(self, digest: Digest) -> bool:
        try:
            return probe.status(self._root / place_of(digest)) is not None
        except OSError:
            return True

    def _look(self, reference: Occurrence) -> _Content:
        digest = reference.digest
        path = self._root / place_of(digest)
        if digest in self.outlook.moved:
            return _Content(present=False, size=None, place=reference.place)
        try:
            status = path.stat() if digest in self.outlook.copied else probe.status(path)
        except OSError:  # reported by `Holding`
            return _Content(present=True, size=None, place=reference.place)
        regular = status is not None and stat.S_ISREG(status.st_mode)
        size = status.st_size if status is not None and regular else None
        return _Content(present=status is not None, size=size, place=reference.place)

    def _compare_sizes(self, content: _Content, reference: Occurrence) -> Iterator[Problem]:
        if reference.size is None:
            return
        if content.promised is None:
            content.promised = reference.size
        if not content.present and content.promised != reference.size:
            yield problem_at(
                "size-conflict",
                f"{reference.size} bytes here, {content.promised} at {content.place}",
                f"{reference.place}.size",
            )
        if content.size in (None, reference.size):
            return
        size = content.size or 0
        small = reference.media_type in _READ and size <= MAX_DOCUMENT
        if size > max(_FAR_TOO_LARGE, 2 * reference.size):  # such as a sparse file
            self.judged.add(reference.digest)
        elif self._content or small:
            yield from self._judge(reference.digest)
        if reference.digest not in self._wrong:
            yield problem_at(
                "size-mismatch",
                f"{reference.size} bytes are promised, the blob has {content.size}",
                f"{reference.place}.size",
            )

    def _judge(self, digest: Digest) -> Iterator[Problem]:
        if digest in self.judged or not digest.verifiable:
            return
        path = self._root / place_of(digest)
        try:
            yield from self._hold_against(digest, probe.fingerprint(path, digest.algorithm))
        except OSError as error:
            self.judged.add(digest)
            yield from failure(error, place_of(digest))

    def _hold_against(self, digest: Digest, actual: Digest | None) -> Iterator[Problem]:
        self.judged.add(digest)
        if actual is not None and actual != digest:
            self._wrong.add(digest)
            yield mismatch(digest, actual)

    def _open(self, reference: Occurrence) -> Iterator[Problem]:
        digest = reference.digest
        place = place_of(digest)
        config = reference.media_type == OCI_CONFIG
        content = self._known[digest]
        if content.size is None:  # reported by `Holding`
            data = document_behind_link(digest, self._blobs)
            if data is None:
                self.complete = self.complete and config
            else:
                yield from self._take(data, reference)
            return
        try:
            follow = digest in self.outlook.copied
            data = probe.read(self._root / place, limit=MAX_DOCUMENT, follow=follow)
        except LimitExceededError as error:
            self.complete = self.complete and config
            yield from failure(error, place)
            return
        except OSError as error:
            self.complete = self.complete and config
            if digest not in self.judged:
                yield from failure(error, place)
            self.judged.add(digest)
            return
        if digest.verifiable and digest not in self.judged:
            yield from self._hold_against(digest, Digest.of(data, digest.algorithm))
        if digest in self._wrong:
            self.complete = self.complete and config
        else:
            yield from self._take(data, reference)

    def _take(self, data: bytes, reference: Occurrence) -> Iterator[Problem]:
        """Read a document that was verified, and report its problems."""
        place = place_of(reference.digest)
        yield from summed(self._read(data, reference, place), place)

    def _read(self, data: bytes, reference: Occurrence, place: str) -> Iterator[Problem]:
        if reference.media_type == OCI_CONFIG:
            yield from (
                classified(problem, place)
                for problem in read_config(data, attestation=reference.attestation)
            )
            return
        reading = read_document(data, reference.media_type)
        yield from (classified(problem, place) for problem in reading.problems)
        self.name(reading.named)
        if reading.references is None:
            self.complete = False
        for part in reading.references or ():
            attestation = part.attestation or reference.attestation
            yield from self.note(evolve(part, place=place + part.place, attestation=attestation))


def mismatch(digest: Digest, actual: Digest) -> Problem:
    """Return the problem of a blob with the content of another digest."""
    return problem_at("digest-mismatch", f"the content is {actual}", place_of(digest))


def _compare_types(content: _Content, reference: Occurrence) -> Iterator[Problem]:
    types = content.media_types
    if not reference.media_type or reference.media_type in types:
        return
    if types:
        documents = DOCUMENT_TYPES.intersection((*types, reference.media_type))
        yield problem_at(
            "media-type-conflict" if documents else "several-media-types",
            f"{reference.media_type} here, {types[0]} at {content.place}",
            f"{reference.place}.mediaType",
        )
    types.append(reference.media_type)


def _missing(content: _Content, reference: Occurrence) -> Iterator[Problem]:
    missed, content.missed = content.missed, True
    if reference.role == "named":
        yield problem_at("dangling-name", f"{reference.digest} is not here", reference.place)
    elif reference.role == "unnamed":
        yield problem_at("dangling-entry", f"{reference.digest} is not here", reference.place)
    elif reference.role == "subject":
        content.missed = missed  # it is reported again if it is a part, too
        yield problem_at("absent-subject", f"{reference.digest} is not here", reference.place)
    elif not missed:
        yield problem_at(
            "missing-blob",
            f"is missing, but referred to at {reference.place}",
            place_of(reference.digest),
        )
