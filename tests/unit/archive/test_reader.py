"""The members of a tar as those of a layout: found in any order, and tricks are refused."""

from __future__ import annotations

import io
import tarfile

import pytest

from ocilayout.archive.reader import HEADER, INDEX, Inventory
from ocilayout.archive.window import Window
from ocilayout.errors import DocumentError, NotALayoutError
from ocilayout.model.digest import Digest

UNKNOWN = "blobs/" + "newhash/" + "a" * 8
KNOWN = "blobs/sha256/" + "0" * 64
LINKS = [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]

Entry = tuple[str, bytes | None] | tuple[str, bytes | None, bytes]


def inventory(*entries: Entry) -> Inventory:
    """Return the inventory of a tar of these members: name, content or none, and type."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data, *kind in entries:
            info = tarfile.TarInfo(name)
            info.type = kind[0] if kind else tarfile.REGTYPE
            info.size = len(data or b"")
            tar.addfile(info, io.BytesIO(data or b""))
    file.seek(0)
    return Inventory(Window(file, "x.tar", owned=False))


HEADER_FILE: Entry = (HEADER, b"the header")
INDEX_FILE: Entry = (INDEX, b"the index")


def refused(*entries: Entry) -> tuple[str, str]:
    """Return code and place of why a layout with these members besides is refused."""
    with pytest.raises(DocumentError) as caught:
        inventory(HEADER_FILE, *entries, INDEX_FILE)
    (problem,) = caught.value.problems
    return problem.code, problem.place


def test_what_is_found() -> None:
    """Both documents and all blobs are found anywhere in the tar; other members are ignored."""
    found = inventory(
        ("manifest.json", b"[]"), ("repositories", b"{}"), ("index.json.lock", b""),
        ("./blobs/./sha256//" + "1" * 64, b"one"), INDEX_FILE, ("./", None, tarfile.DIRTYPE),
        ("blobs/", None, tarfile.DIRTYPE), ("blobs/sha256/", None, tarfile.DIRTYPE),
        (KNOWN, b"zero!"), (UNKNOWN, b"unknown"), ("blobs/sha256/x.tmp", b""), ("blobs/file", b""),
        ("blobs/sha256/" + "0" * 64 + "/x", b""), ("blobsx", None, tarfile.SYMTYPE), HEADER_FILE,
        ("0123/layer.tar", None, tarfile.SYMTYPE), ("0123/index.json", None, tarfile.LNKTYPE),
    )  # fmt: skip
    assert found.read(HEADER, 100) == b"the header"
    assert found.read(INDEX, 100) == b"the index"
    assert {str(digest): size for digest, (_, size) in found.blobs.items()} == {
        "sha256:" + "0" * 64: 5, "sha256:" + "1" * 64: 3, "newhash:" + "a" * 8: 7,
    }  # fmt: skip


def test_documents_are_not_read_far_beyond_the_limit() -> None:
    """One byte more than the limit is enough to see that a document is larger."""
    found = inventory(HEADER_FILE, INDEX_FILE)
    assert found.read(HEADER, 4) == b"the h"


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([], "oci-layout is missing$"),
        ([INDEX_FILE], "oci-layout is missing$"),
        ([HEADER_FILE], r"index\.json is missing$"),
        ([("x/oci-layout", b""), ("x/index.json", b"")], "there is one in 'x', pack what is in"),
        ([("manifest.json", b"[]"), ("repositories", b"{}")], "it is an image of Docker"),
        ([("x/oci-layout", b""), ("manifest.json", b"[]")], "there is one in 'x'"),
        ([("OCI-Layout", b""), INDEX_FILE], "oci-layout is missing"),
    ],
)
def test_a_tar_that_is_not_a_layout(entries: list[Entry], why: str) -> None:
    """A tar without both documents in its root is not a layout; the error says what it is."""
    with pytest.raises(NotALayoutError, match=rf"x\.tar is not an OCI image layout: .*{why}"):
        inventory(*entries)


@pytest.mark.spec("image-layout:archive")
@pytest.mark.parametrize("kind", [*LINKS, tarfile.DIRTYPE, b"?"])
@pytest.mark.parametrize("name", [HEADER, INDEX, KNOWN, UNKNOWN, "./" + KNOWN])
def test_links_in_the_place_of_files(name: str, kind: bytes) -> None:
    """Anything but a regular file is refused in the place of a document or a blob."""
    code, place = refused((name, None, kind))
    assert (code, place.rstrip("/")) == ("irregular-member", name)


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("name", ["blobs", "blobs/sha256", "./blobs", "blobs/x"])
def test_links_in_the_place_of_folders(name: str, kind: bytes) -> None:
    """A link is refused where blobs lie below, since they would be written through it."""
    assert refused((name, None, kind)) == ("irregular-member", name)


@pytest.mark.parametrize("name", [HEADER, INDEX, "./oci-layout", ".//index.json"])
def test_a_document_that_is_there_twice(name: str) -> None:
    """Two members for one document are refused, whatever way they are written, and in any order."""
    assert refused((name, b"other"), INDEX_FILE)[0] == "duplicate-member"
    assert refused(INDEX_FILE, (name, b"the index"))[0] == "duplicate-member"


def test_a_blob_that_is_there_twice() -> None:
    """Of two blobs the last one counts if it can be verified; otherwise they are refused."""
    found = inventory(HEADER_FILE, (KNOWN, b"x"), INDEX_FILE, ("./" + KNOWN, b"xyz"))
    assert found.blobs[Digest.parse("sha256:" + "0" * 64)][1] == 3
    assert refused((UNKNOWN, b"x"), (UNKNOWN, b"x")) == ("duplicate-member", UNKNOWN)
