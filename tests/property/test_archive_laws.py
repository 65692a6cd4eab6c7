"""Laws of archives: every written layout is read back, in any form of tar, and nothing more."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attrs import frozen
from hypothesis import example, given
from hypothesis import strategies as st

from ocilayout.archive import Archive, write_archive
from ocilayout.archive.member import iter_members
from ocilayout.archive.window import Window
from ocilayout.errors import OciLayoutError
from ocilayout.layout.layout import Layout
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import OCI_EMPTY, OCI_LAYER
from ocilayout.testing import strategies as own
from tests.missing import COMPUTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from ocilayout.model.digest import Digest

ALGORITHMS = st.sampled_from(["sha256", *COMPUTED])
NAMES = st.lists(own.ref_names(), max_size=4, unique=True)
FORMATS = st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])

Form = Literal[0, 1, 2]
Files = dict[str, bytes]


@frozen
class Artifact:
    """An artifact to put and tag: manifests of layers, in an index if there are several."""

    children: list[list[tuple[str, bytes]]]
    names: list[str]


@st.composite
def artifacts(draw: st.DrawFn) -> list[Artifact]:
    """Give artifacts that share layers and have different names; some are untagged."""
    pool = draw(st.lists(st.tuples(ALGORITHMS, st.binary(max_size=1500)), min_size=1, max_size=4))
    layers = st.lists(st.sampled_from(pool), max_size=3)
    names = draw(NAMES)
    owners = st.integers(0, 2)
    groups = draw(st.lists(owners, min_size=len(names), max_size=len(names)))
    return [
        Artifact(
            draw(st.lists(layers, min_size=1, max_size=2)),
            [name for name, group in zip(names, groups, strict=True) if group == number],
        )
        for number in range(draw(st.integers(0, 3)))
    ]


@contextmanager
def stored(artifacts: Sequence[Artifact]) -> Iterator[Layout]:
    """Return a layout with these artifacts, put in this order."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout.create(Path(folder) / "layout", durability="none")
        for artifact in artifacts:
            root = put(layout, artifact)
            with layout.edit() as edit:
                for name in artifact.names:
                    edit.tag(name, root)
                if not artifact.names:
                    edit.add(root)
        yield layout


def put(layout: Layout, artifact: Artifact) -> Descriptor:
    config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
    children = [
        layout.put_manifest(
            Manifest(
                config=config,
                layers=[
                    layout.blobs.put(
                        data,
                        media_type=OCI_LAYER,
                        expected=Descriptor.of(data, OCI_LAYER, algorithm),
                    )
                    for algorithm, data in child
                ],
            )
        )
        for child in artifact.children
    ]
    return children[0] if len(children) == 1 else layout.put_manifest(Index(manifests=children))


def written(source: Layout | Archive, names: list[str] | None = None) -> bytes:
    file = io.BytesIO()
    write_archive(source, names, file)
    return file.getvalue()


def opened(data: bytes) -> Archive:
    return Archive.open(io.BytesIO(data))


def entries(source: Layout | Archive) -> list[tuple[str, str, str, int]]:
    """Return the entries of a layout, in an order of its own.

    Untagged entries of tagged content are left out: they add nothing.
    """
    names = {entry.descriptor.digest for entry in source.entries() if entry.name}
    return sorted(
        (entry.name or "", found.digest, found.media_type, found.size)
        for entry in source.entries()
        for found in [entry.descriptor]
        if entry.name or found.digest not in names
    )


def contents(source: Layout | Archive) -> dict[Digest, bytes]:
    """Return all content of the entries, verified."""
    return {
        found.digest: source.blobs.read(found)
        for entry in source.entries()
        for found in source.walk(entry.descriptor)
    }


def files_of(data: bytes) -> Files:
    """Return the files of an archive, as the standard library reads them."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        found = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in found.items() if file is not None}


def packed(members: Sequence[tuple[str, bytes | None]], form: Form) -> bytes:
    """Return a tar of files, and of a folder for each path without content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            info.size = len(data or b"")
            tar.addfile(info, io.BytesIO(data or b""))
    return file.getvalue()


class TestRoundTrip:
    """An archive is read back as it was written."""

    @given(artifacts())
    def test_all_content_is_read_back(self, given_: list[Artifact]) -> None:
        """An archive has the entries of its layout and their content, and no more."""
        with stored(given_) as layout, opened(written(layout)) as archive:
            assert entries(archive) == entries(layout)
            assert archive.tags() == layout.tags()
            assert contents(archive) == contents(layout)
            assert set(archive.blobs) == contents(layout).keys()
            for name in layout.tags():
                assert archive.resolve(name) == layout.resolve(name)

    @given(artifacts(), st.randoms(use_true_random=False), st.data())
    def test_the_bytes_only_depend_on_the_content(
        self, given_: list[Artifact], random: Random, data: st.DataObject
    ) -> None:
        """The order of puts, the order of names and other content do not change a byte."""
        shuffled = random.sample(given_, len(given_))
        with stored(given_) as layout, stored(shuffled) as other:
            expected = written(layout)
            assert written(layout) == expected
            assert written(other) == expected
            assert written(opened(expected)) == expected
            names = data.draw(st.lists(st.sampled_from(layout.tags() or ("",)).filter(bool)))
            chosen = written(layout, names)
            assert written(other, names[::-1]) == chosen
            assert opened(chosen).tags() == tuple(sorted(set(names)))


class TestForms:
    """A layout is read the same from any form of tar."""

    @given(
        given_=artifacts(),
        random=st.randoms(use_true_random=False),
        form=FORMATS,
        prefix=st.sampled_from(["", "./", ".//./"]),
        folders=st.booleans(),
        compressed=st.booleans(),
        others=st.dictionaries(
            st.text("ab./", min_size=1, max_size=8).map(lambda text: f"x{text}x"),
            st.binary(max_size=600),
            max_size=3,
        ),
    )
    def test_any_form_reads_the_same(
        self,
        given_: list[Artifact],
        random: Random,
        form: Form,
        prefix: str,
        folders: bool,  # noqa: FBT001 # a parameter
        compressed: bool,  # noqa: FBT001 # a parameter
        others: Files,
    ) -> None:
        """Order, prefix, format, folders, compression and other members do not matter."""
        others = {name: data for name, data in others.items() if ".." not in name.split("/")}
        with stored(given_) as layout:
            data = written(layout)
        members: list[tuple[str, bytes | None]] = [*(files_of(data) | others).items()]
        if folders:
            members += [("", None), ("blobs", None), ("blobs/sha256", None), ("blobs/x", None)]
        random.shuffle(members)
        prefix = prefix or ("./" if folders else "")
        # USTAR cannot store names above 100 characters that cannot be split well.
        fits = all(len(name) < 80 for name, _ in members)
        form = form if fits else tarfile.PAX_FORMAT
        other = packed([(prefix + name, content) for name, content in members], form)
        with opened(gzip.compress(other, 1) if compressed else other) as archive:
            assert written(archive) == data
            with opened(data) as expected:
                assert list(archive.blobs) == list(expected.blobs)
                assert contents(archive) == contents(expected)

    @given(
        st.lists(
            st.tuples(
                st.text(
                    st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=300
                ),
                st.none() | st.binary(max_size=1100),
            ),
            max_size=5,
        ),
        FORMATS,
    )
    def test_members_are_those_of_the_standard_library(
        self, members: list[tuple[str, bytes | None]], form: Form
    ) -> None:
        """Members are found as `tarfile` finds them, unless a name leads outside."""
        try:
            data = packed(members, form)
        except ValueError:
            return  # the format cannot store it
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            expected = [
                (member.name.rstrip("/"), member.offset_data, member.size) for member in tar
            ]
        window = Window(io.BytesIO(data), "x.tar", owned=False)
        try:
            found = list(iter_members(window))
        except OciLayoutError:
            assert any(name.startswith("/") or ".." in name.split("/") for name, *_ in members)
            return
        assert [
            (member.name.rstrip("/"), member.offset, member.size) for member in found
        ] == expected


class TestNothingElse:
    """Whatever the bytes are, an archive is opened and read, or refused with one of our errors."""

    def read(self, data: bytes) -> None:
        """Open an archive and read all of it."""
        with suppress(OciLayoutError), opened(data) as archive:
            for name in archive.tags():
                with suppress(OciLayoutError):
                    for found in archive.walk(archive.resolve(name)):
                        archive.blobs.read(found)
            with suppress(OciLayoutError):
                contents(archive)
            for digest in archive.blobs:
                with suppress(OciLayoutError):
                    archive.blobs.read(archive.resolve(digest))
            with suppress(OciLayoutError):
                written(archive)

    @given(st.binary(max_size=2000), st.booleans())
    @example(b"", True)  # noqa: FBT003 # a parameter
    def test_arbitrary_bytes(self, data: bytes, compressed: bool) -> None:  # noqa: FBT001 # a parameter
        """Any bytes are read or raise one of our errors."""
        self.read(gzip.compress(data) if compressed else data)
        self.read(b"\x1f\x8b" + data)

    @given(
        given_=artifacts(),
        form=FORMATS,
        edits=st.lists(
            st.tuples(st.integers(0, 20000), st.binary(max_size=12), st.integers(0, 600)),
            max_size=3,
        ),
        cut=st.none() | st.integers(0, 20000),
        repaired=st.booleans(),
        compressed=st.booleans(),
    )
    def test_damaged_archives(
        self,
        given_: list[Artifact],
        form: Form,
        edits: list[tuple[int, bytes, int]],
        cut: int | None,
        repaired: bool,  # noqa: FBT001 # a parameter
        compressed: bool,  # noqa: FBT001 # a parameter
    ) -> None:
        """Archives with replaced, added, removed or cut bytes are read or raise one of our errors.

        Half of them have valid checksums, so that the damage is deeper.
        """
        with stored(given_) as layout:
            data = bytearray(written(layout))
        if all(len(name) < 80 for name in files_of(bytes(data))):
            data = bytearray(packed([*files_of(bytes(data)).items()], form))
        headers = [at for at in range(0, len(data), 512) if data[at + 257 : at + 262] == b"ustar"]
        for at, new, size in edits:
            if repaired and headers:
                start = headers[at % len(headers)]
                field = start + size % 345
                data[field : start + 345] = (new + data[field + len(new) : start + 345])[
                    : start + 345 - field
                ]
            else:
                start = at % (len(data) + 1)
                data[start : start + size] = new
        for at in headers if repaired else []:
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
        packed_ = gzip.compress(data, 1) if compressed else bytes(data)
        self.read(packed_ if cut is None else packed_[:cut])

    @given(artifacts(), st.data())
    def test_damaged_gzip(self, given_: list[Artifact], data: st.DataObject) -> None:
        """A gzip stream with a replaced byte or a cut end is read or raises one of our errors."""
        with stored(given_) as layout:
            found = bytearray(gzip.compress(written(layout), 1))
        at = data.draw(st.integers(0, len(found) - 1))
        found[at] ^= data.draw(st.integers(1, 255))
        self.read(bytes(found))
        self.read(bytes(found[:at]))

    @given(artifacts(), st.integers(0, 2**32))
    def test_a_truncated_archive_is_refused(self, given_: list[Artifact], at: int) -> None:
        """A part of an archive is never read as an archive, unless only padding is missing."""
        with stored(given_) as layout:
            data = written(layout)
        whole = -(-len(data.rstrip(b"\0")) // 512) * 512 + 512
        size = at % len(data)
        try:
            opened(data[:size])
        except OciLayoutError:
            return
        assert size >= whole
