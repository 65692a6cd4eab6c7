"""The files of a tar of `docker save`: links among them, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from ocilayout import DockerArchive, Manifest
from ocilayout.errors import DocumentError, LimitExceededError, NotALayoutError
from tests.docker_tars import Files, image, layers_of, opened, packed, v1_10

if TYPE_CHECKING:
    from pathlib import Path

ONE = image()


class TestLinks:
    def test_shared_layers_are_links(self) -> None:
        """A layer that is a link to that of another image is that layer."""
        two = image("two", names=("two:1",))
        files = v1_10(ONE, two)
        assert any(isinstance(data, str) for data in files.values())
        archive = opened(files)
        manifest = archive.read_manifest(archive.resolve("two:1"))
        assert isinstance(manifest, Manifest)
        assert [archive.blobs.read(layer) for layer in manifest.layers] == list(two.layers)

    @pytest.mark.parametrize(
        ("target", "why"),
        [
            ("../../outside", "leads out of the archive"),
            ("/etc/passwd", "leads out of the archive"),
            ("..", "does not hold it"),
            ("../absent", "does not hold it"),
            ("layer", "lead to no file"),
            ("./../x/layer", "lead to no file"),
        ],
    )
    def test_links_that_lead_to_no_file(self, target: str, why: str) -> None:
        """A link out of the tar, to nothing, or to itself is refused."""
        files = v1_10(image(layers=1))
        items = json.loads(files["manifest.json"])
        items[0]["Layers"] = ["x/layer"]
        files |= {"manifest.json": json.dumps(items).encode(), "x/layer": target}
        with pytest.raises(DocumentError, match=f"x/layer: .*{why}"):
            opened(files)

    def test_a_folder_that_is_a_link(self) -> None:
        """A file below a link is refused: unpacked, it would be where the link leads."""
        files = v1_10(image(layers=1))
        folder = next(path[:64] for path in files if path.endswith("layer.tar"))
        with pytest.raises(DocumentError, match="a part of its path is a file"):
            opened({folder: "../elsewhere", **files})


class TestRefused:
    def test_what_is_not_a_file(self) -> None:
        """A hard link and a device are not followed or read."""
        for kind in (tarfile.LNKTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("x")
            info.type, info.linkname = kind, "manifest.json"
            file: Files = {"manifest.json": b'[{"Config":"x"}]'}
            with pytest.raises(DocumentError, match="x: it is not a regular file"):
                DockerArchive.open(io.BytesIO(info.tobuf() + packed(file)))

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("{}", "expected an array"),
            ("[1]", r"manifest.json: \$\[0\]: expected an object"),
            ("[{}]", r"\$\[0\].Config: expected a string, found null"),
            ('[{"Config":"c","RepoTags":"a"}]', r"\$\[0\].RepoTags: expected an array"),
            ('[{"Config":"c","RepoTags":[1]}]', r"\$\[0\].RepoTags\[0\]: expected a string"),
            ('[{"Config":"c","RepoTags":[""]}]', "a name is empty"),
            ('[{"Config":"c","Layers":{}}]', r"\$\[0\].Layers: expected an array"),
            ('[{"Config":"c","Layers":["x"]}]', r"has 1 layers, and its config c has 0"),
            ('[{"Config":"../c"}]', r"\.\./c: the path leads out of the archive"),
            ('[{"Config":"/c"}]', r"/c: the path leads out of the archive"),
            ('[{"Config":"absent"}]', "absent: the archive does not hold it"),
            ('[{"Config":"bad"}]', r"bad: \$.rootfs: expected an object"),
            ('[{"Config":"worse"}]', "worse: .*is not JSON"),
            ('[{"Config":"c"}', "is not JSON"),
        ],
    )
    def test_documents(self, text: str, why: str) -> None:
        """A document that is not what Docker writes is refused, with its place."""
        config = b'{"rootfs":{"type":"layers","diff_ids":null}}'
        files: Files = {"manifest.json": text.encode(), "c": config, "bad": b"{}", "worse": b"["}
        with pytest.raises(DocumentError, match=why):
            opened(files)

    def test_a_file_that_is_there_twice(self) -> None:
        """Programs differ in which of two files they take, so neither is read."""
        data = packed({"manifest.json": b"[]"})[:1024] + packed(v1_10(ONE))
        with pytest.raises(DocumentError, match=r"manifest\.json: the archive holds it twice"):
            DockerArchive.open(io.BytesIO(data))

    def test_a_large_document(self) -> None:
        """A document above 4 MiB is not read."""
        with pytest.raises(LimitExceededError, match="the limit is 4194304"):
            opened({"manifest.json": b" " * (4 * 1024 * 1024 + 1)})

    @pytest.mark.parametrize(
        ("files", "why"),
        [
            ({"oci-layout": b"{}"}, "manifest.json is missing; it is a layout: read oci-archive:"),
            ({"x/y": b""}, "is not a Docker archive: manifest.json is missing$"),
        ],
    )
    def test_other_tars(self, files: Files, why: str) -> None:
        """A tar of another kind is named."""
        with pytest.raises(NotALayoutError, match=why):
            opened(files)

    def test_files_that_are_not_tars(self, tmp_path: Path) -> None:
        """A missing file, a folder and a file of another kind are named as Docker archives."""
        path = tmp_path / "file"
        with pytest.raises(NotALayoutError, match="file is not a Docker archive: there is no"):
            DockerArchive.open(path)
        with pytest.raises(NotALayoutError, match="is not a Docker archive: it is a folder"):
            DockerArchive.open(tmp_path)
        path.write_bytes(b"x")
        with pytest.raises(NotALayoutError, match="file is not a Docker archive: it is neither"):
            DockerArchive.open(path)
        path.write_bytes(b"\x28\xb5\x2f\xfd")
        with pytest.raises(NotALayoutError, match=r"zstd -dc .* cp docker-archive:- oci:FOLDER"):
            DockerArchive.open(path)

    def test_a_closed_archive_does_not_read(self, tmp_path: Path) -> None:
        """With the handle the file is closed, also if opening failed."""
        path = tmp_path / "file"
        path.write_bytes(packed(v1_10(ONE)))
        with DockerArchive.open(path) as archive:
            layer = layers_of(archive)[0]
        with pytest.raises(ValueError, match="closed file"):
            archive.blobs.read(layer)
