"""What the tests of the command share: a folder with a layout, and the command to run in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from ocilayout import (
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    TITLE,
    Descriptor,
    ImageConfig,
    Index,
    Layout,
    Manifest,
    Platform,
    RootFs,
    encode,
)
from ocilayout.cli import main
from ocilayout.model.annotation import CONTAINERD_IMAGE_NAME, REF_NAME

if TYPE_CHECKING:
    from pathlib import Path

    import click

BUILT = "9999-01-01T00:00:00Z"  # of whatever age the tests are: now
NOTES = "application/vnd.example.notes"


class Command:
    """Runs `ocilayout`, or another command, in a folder and inside this process."""

    def __init__(self, folder: Path, main: click.Command = main, name: str = "ocilayout") -> None:
        self.folder = folder
        self._main = main
        self._name = name

    def run(self, *arguments: str, status: int = 0, stdin: bytes | None = None) -> Result:
        """Run it and expect an exit status."""
        done = CliRunner().invoke(
            self._main, arguments, prog_name=self._name, input=stdin, catch_exceptions=False
        )
        assert done.exit_code == status, done.output
        return done

    def text(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run it successfully, and return standard output; standard error must be empty."""
        done = self.run(*arguments, stdin=stdin)
        assert done.stderr == ""
        return done.stdout

    def lines(self, *arguments: str) -> list[str]:
        """Return the lines that it writes to standard output."""
        return self.text(*arguments).splitlines()

    def answer(self, *arguments: str, status: int = 0) -> Any:
        """Return what it answers with `--json`."""
        return json.loads(self.run(*arguments, "--json", status=status).stdout)

    def error(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Return the one line of error with which it fails."""
        done = self.run(*arguments, status=1, stdin=stdin)
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr.removeprefix("Error: ").rstrip("\n")

    def misuse(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Return the message of a usage error."""
        done = self.run(*arguments, status=2, stdin=stdin)
        assert done.stdout == ""
        return " ".join(done.stderr.split())


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return the command, run in an empty folder and without a terminal."""
    monkeypatch.chdir(tmp_path)
    for variable in ("USERNAME", "PASSWORD", "FROM_USERNAME", "TO_USERNAME", "TO_PASSWORD"):
        monkeypatch.delenv(f"OCILAYOUT_{variable}", raising=False)
    return Command(tmp_path)


def put_image(layout: Layout, architecture: str, *texts: bytes) -> Descriptor:
    """Store an image whose first layer all share, with the platform that an index would say."""
    config = ImageConfig(
        architecture=architecture, os="linux", created=BUILT, rootfs=RootFs(diff_ids=[])
    )
    image = layout.put_manifest(
        Manifest(
            config=layout.blobs.put(encode(config), media_type=OCI_CONFIG),
            layers=[
                layout.blobs.put(b"base" * 512, media_type=OCI_LAYER_GZIP),
                *(layout.blobs.put(text, media_type=OCI_LAYER) for text in texts),
            ],
        )
    )
    return Descriptor(
        media_type=image.media_type,
        digest=image.digest,
        size=image.size,
        platform=Platform(os="linux", architecture=architecture),
    )


def put_notes(layout: Layout, text: bytes, subject: Descriptor | None = None) -> Descriptor:
    """Store an artifact that is not an image: one file with a title."""
    file = layout.blobs.put(text, media_type="text/plain")
    return layout.put_manifest(
        Manifest(
            artifact_type=NOTES,
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[
                Descriptor(
                    media_type=file.media_type,
                    digest=file.digest,
                    size=file.size,
                    annotations={TITLE: "notes.txt"},
                )
            ],
            subject=None if subject is None else subject.plain(),
        )
    )


@pytest.fixture
def layout(command: Command) -> Layout:
    """Return a layout at `lay`: an index `v1`, one of its images as `solo`, and a referrer."""
    layout = Layout.create(command.folder / "lay", durability="none")
    images = [put_image(layout, "amd64", b"one"), put_image(layout, "arm64", b"two")]
    index = layout.put_manifest(Index(manifests=images))
    layout.tag("v1", index)
    layout.tag("solo", images[0])
    with layout.edit() as edit:
        edit.add(put_notes(layout, b"hi\n", index))
    return layout


def share_name(layout: Layout, *full_names: str | None, name: str = "latest") -> tuple[str, str]:
    """Add an image for each full name, all under one name, as other programs write them."""
    path = layout.path / "index.json"
    document = json.loads(path.read_bytes())
    digests = []
    for number, full in enumerate(full_names):
        image = put_image(layout, "amd64", f"{name} {number}".encode())
        noted = {REF_NAME: name, **({} if full is None else {CONTAINERD_IMAGE_NAME: full})}
        document["manifests"].append(
            {
                "mediaType": image.media_type,
                "digest": image.digest,
                "size": image.size,
                "annotations": noted,
            }
        )
        digests.append(str(image.digest))
    path.write_text(json.dumps(document))
    first, second = digests
    return first, second


def sparse_layout(path: Path) -> Layout:
    """Make a layout as `docker save` writes it: an index of two platforms, content for one.

    `app` is the index, `amd64` the manifest that is there.
    """
    layout = Layout.create(path)
    entries = []
    for architecture in ("amd64", "arm64"):
        image = ImageConfig(architecture=architecture, os="linux", rootfs=RootFs(diff_ids=[]))
        config = layout.blobs.put(encode(image), media_type=OCI_CONFIG)
        layer = layout.blobs.put(architecture.encode(), media_type=OCI_LAYER)
        manifest = layout.put_manifest(Manifest(config=config, layers=[layer]))
        platform = Platform(os="linux", architecture=architecture)
        entries.append(evolve(manifest, platform=platform))
    layout.tag("amd64", entries[0].digest)
    layout.tag("app", layout.put_manifest(Index(manifests=entries)))
    layout.blobs.delete(entries[1].digest)
    return layout
