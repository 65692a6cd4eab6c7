"""The programs that are asked, each with the same few verbs.

A verb does its work or raises `RefusedError`. A program without a verb does not implement it,
and the table shows a dash.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from ocilayout import Layout, OciLayoutError, copy
from tests.peers.behaviours import material

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.behaviours.material import Folder, Json

_TIME_LIMIT: Final = 60


class RefusedError(Exception):
    """A program refused."""


class Program(Protocol):
    """A program."""

    name: str
    program: str  # the executable; empty if it runs in this process

    def version(self) -> str:
        """Return the version, empty for this checkout."""
        ...


class Reads(Protocol):
    """Reads the image of a name in full."""

    def read(self, folder: Folder, name: str | None, scratch: Path) -> str:
        """Return the text of the image that was read, empty if the program does not tell."""
        ...


class Lists(Protocol):
    """Lists the names in a layout."""

    def names(self, path: Path) -> list[str]: ...


class Tags(Protocol):
    """Adds a tag to the content of another tag, in the same layout."""

    def tag(self, path: Path, name: str, new: str) -> None: ...


class Copies(Protocol):
    """Copies the content of a tag from layout to layout."""

    def copy(self, path: Path, name: str, target: Path) -> None: ...


class Collects(Protocol):
    """Collects garbage."""

    def collect(self, path: Path) -> None: ...


class Creates(Protocol):
    """Writes a new layout with the image `a` of another."""

    def create(self, source: Folder, target: Path, scratch: Path) -> None: ...


class Takes(Protocol):
    """Accepts the manifest of an image, with all its parts."""

    def take(self, folder: Folder, descriptor: Json) -> None: ...


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a program and return what it wrote.

    Raises:
        RefusedError: It failed.
    """
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        check=False,
        cwd=cwd,
        timeout=_TIME_LIMIT,
    )
    if done.returncode != 0:
        raise RefusedError(done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="replace")


class Ours:
    """This library."""

    name = "ocilayout"
    program = ""

    def version(self) -> str:
        return ""

    def read(self, folder: Folder, name: str | None, scratch: Path) -> str:
        target = Layout.create(scratch, durability="none")
        try:
            layout = Layout.open(folder.path)
            if name is None:
                (entry,) = layout.entries()
                name = str(entry.descriptor.digest)
            index = layout.resolve(name).media_type in (material.INDEX, material.DOCKER_LIST)
            found = copy(layout, name, target, platform="linux/amd64" if index else None)
        except (OciLayoutError, ValueError) as error:
            raise RefusedError(str(error)) from error
        return folder.texts.get(str(found.digest), "")

    def names(self, path: Path) -> list[str]:
        return list(Layout.open(path).tags())

    def tag(self, path: Path, name: str, new: str) -> None:
        try:
            layout = Layout.open(path, durability="none", lock_timeout=0.1)
            layout.tag(new, layout.resolve(name))
        except OciLayoutError as error:
            raise RefusedError(str(error)) from error

    def copy(self, path: Path, name: str, target: Path) -> None:
        copy(Layout.open(path), name, Layout.open(target, create=True))

    def collect(self, path: Path) -> None:
        try:
            Layout.open(path).collect(grace=timedelta())
        except OciLayoutError as error:
            raise RefusedError(str(error)) from error

    def create(self, source: Folder, target: Path, scratch: Path) -> None:
        del scratch
        self.copy(source.path, "a", target)


class Skopeo:
    """skopeo, and with it containers/image."""

    name = "skopeo"
    program = "skopeo"

    def version(self) -> str:
        return run("skopeo", "--version").split()[-1]

    def read(self, folder: Folder, name: str | None, scratch: Path) -> str:
        source = f"oci:{folder.path}" + ("" if name is None else f":{name}")
        _skopeo("copy", source, f"dir:{scratch}")
        manifest = (scratch / "manifest.json").read_bytes()
        for algorithm in ("sha256", "sha512"):
            digest = f"{algorithm}:{hashlib.new(algorithm, manifest).hexdigest()}"
            if digest in folder.texts:
                return folder.texts[digest]
        return ""

    def tag(self, path: Path, name: str, new: str) -> None:
        _skopeo("copy", f"oci:{path}:{name}", f"oci:{path}:{new}")

    def copy(self, path: Path, name: str, target: Path) -> None:
        _skopeo("copy", f"oci:{path}:{name}", f"oci:{target}:{name}")

    def create(self, source: Folder, target: Path, scratch: Path) -> None:
        del scratch
        self.copy(source.path, "a", target)


def _skopeo(*words: str) -> None:
    run("skopeo", "--insecure-policy", "--override-arch=amd64", "--override-os=linux", *words)


class Umoci:
    """umoci."""

    name = "umoci"
    program = "umoci"

    def version(self) -> str:
        return run("umoci", "--version").split()[-1].partition("+")[0]

    def read(self, folder: Folder, name: str | None, scratch: Path) -> str:
        image = f"{folder.path}" + ("" if name is None else f":{name}")
        run("umoci", "unpack", "--rootless", "--image", image, scratch / "bundle")
        unpacked = scratch / "bundle" / "rootfs" / "which"
        return unpacked.read_text() if unpacked.exists() else "no layer"

    def names(self, path: Path) -> list[str]:
        return run("umoci", "ls", "--layout", path).split()

    def tag(self, path: Path, name: str, new: str) -> None:
        run("umoci", "tag", "--image", f"{path}:{name}", new)

    def collect(self, path: Path) -> None:
        run("umoci", "gc", "--layout", path)

    def create(self, source: Folder, target: Path, scratch: Path) -> None:
        del source, scratch
        run("umoci", "init", "--layout", target)
        run("umoci", "new", "--image", f"{target}:a")


class Buildah:
    """buildah, reading into a store of its own."""

    name = "buildah"
    program = "buildah"

    def version(self) -> str:
        return run("buildah", "--version").split()[2]

    def read(self, folder: Folder, name: str | None, scratch: Path) -> str:
        tag = "" if name is None else f":{name}"
        found = self._pull(folder.path, tag, scratch, "--arch=amd64", "--os=linux")
        return folder.texts.get(f"sha256:{found.strip()}", "")

    def create(self, source: Folder, target: Path, scratch: Path) -> None:
        found = self._pull(source.path, ":a", scratch)
        run(*self._words(scratch), "push", "--quiet", found.strip(), f"oci:{target}:a")

    def _pull(self, path: Path, tag: str, scratch: Path, *options: str) -> str:
        # The path becomes the name of an image, so it may only hold the characters of a name.
        source = f"oci:{path.name}{tag}"
        return run(*self._words(scratch), "pull", "--quiet", *options, source, cwd=path.parent)

    def _words(self, scratch: Path) -> list[str | Path]:
        return ["buildah", "--storage-driver=vfs", "--root", scratch / "root", "--runroot",
                scratch / "run"]  # fmt: skip


class OciImageTool:
    """oci-image-tool, a validator of an early specification."""

    name = "oci-image-tool"
    program = "oci-image-tool"

    def version(self) -> str:
        return run("oci-image-tool", "--version").split()[-1]

    def read(self, folder: Folder, name: str | None, scratch: Path) -> str:
        del scratch
        which = [] if name is None else ["--ref", f"name={name}"]
        run("oci-image-tool", "validate", "--type", "image", *which, folder.path)
        return ""


class OrasPy:
    """oras-py, up to the list of the blobs it would push."""

    name = "oras-py"
    program = ""

    def version(self) -> str:
        import oras  # type: ignore[import-untyped] # noqa: PLC0415 # it takes long

        return str(oras.__version__)

    def read(self, folder: Folder, name: str | None, scratch: Path) -> str:
        del scratch
        from oras.layout import (  # type: ignore[import-untyped] # noqa: PLC0415 # it takes long
            Layout as OrasLayout,
        )

        try:
            layout = OrasLayout(str(folder.path))
            digests = layout.get_ordered_blobs(*([] if name is None else [name]))
            for digest in digests:
                layout.digest_to_blob_path(digest).read_bytes()
        except Exception as error:  # whatever it raises, it did not read
            raise RefusedError(str(error)) from error
        return folder.texts.get(digests[-1], "")


class DockerRegistry:
    """docker-registry, the CNCF distribution."""

    name = "docker-registry"
    program = "docker-registry"

    def __init__(self, host: str) -> None:
        self.host = host

    def version(self) -> str:
        return run("docker-registry", "--version").split()[-1].partition("+")[0]

    def take(self, folder: Folder, descriptor: Json) -> None:
        base = f"http://{self.host}/v2/behaviours/x/"
        for blob in sorted((folder.path / "blobs").glob("*/*")):
            if blob.is_file():
                _push_blob(base, f"{blob.parent.name}:{blob.name}", blob.read_bytes())
        data = folder.place(descriptor).read_bytes()
        headers = {"Content-Type": descriptor["mediaType"]}
        _ask("PUT", urljoin(base, "manifests/a"), data, headers)


def _push_blob(base: str, digest: str, data: bytes) -> None:
    where = urljoin(base, _ask("POST", urljoin(base, "blobs/uploads/"), b"", {}))
    mark = "&" if "?" in where else "?"
    headers = {"Content-Type": "application/octet-stream"}
    _ask("PUT", f"{where}{mark}digest={digest}", data, headers)


def _ask(method: str, url: str, data: bytes, headers: dict[str, str]) -> str:
    request = Request(url, data=data, headers=headers, method=method)
    try:
        with urlopen(request, timeout=_TIME_LIMIT) as answer:
            return str(answer.headers["Location"])
    except HTTPError as error:
        with error:
            raise RefusedError(error.read().decode(errors="replace")) from error


def entries_of(path: Path) -> list[Json]:
    """Return the entries of a layout as its file has them."""
    found: list[Json] = json.loads((path / "index.json").read_bytes())["manifests"]
    return found


def mode_of(path: Path) -> str:
    """Return the permissions of a file, such as `0644`."""
    return f"{path.stat().st_mode & 0o7777:04o}"
