"""How `ocilayout` looks on terminals of 80 and of 40 columns, and how it shows its progress."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from ocilayout import (
    OCI_CONFIG,
    OCI_EMPTY,
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
from ocilayout.cli.columns import cell_width
from ocilayout.model.annotation import CREATED
from tests.cli.conftest import BUILT
from tests.cli.running import Terminal, put_large

if TYPE_CHECKING:
    from tests.cli.conftest import Command

SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
LONG = "registry.example.com:5000/long/organisation/application/component:2026.12.01-build.12345"
PLATFORMS = ("linux/amd64", "linux/arm64/v8", "linux/arm/v7", "linux/ppc64le", "linux/s390x")
EIGHTY = [
    "NAME                    DIGEST        PLATFORMS       SIZE      AGE  CONTENT",
    "ghcr.io/org/app:v1.2.3  @index@  linux/amd64 +4  23.2 KiB  now  whole",
    "v1                      @image@  linux/amd64     4.4 KiB   now  whole",
    "(no name)               @artifact@                  752 B     now  whole",
]
FORTY = [
    "NAME                    DIGEST",
    "ghcr.io/org/app:v1.2.3  @index@",
    "v1                      @image@",
    "(no name)               @artifact@",
]


@pytest.fixture
def images(command: Command) -> dict[str, Descriptor]:
    """Make a layout `pulled` as a registry fills it: five platforms, a digest, a signature."""
    layout = Layout.create(command.folder / "pulled", durability="none")
    parts = []
    for text in PLATFORMS:
        platform = Platform.parse(text)
        config = ImageConfig(
            architecture=platform.architecture,
            os=platform.os,
            created=BUILT,
            rootfs=RootFs(diff_ids=[]),
        )
        layer = layout.blobs.put((text * 400).encode()[:4000], media_type=OCI_LAYER_GZIP)
        described = layout.blobs.put(encode(config), media_type=OCI_CONFIG)
        image = layout.put_manifest(Manifest(config=described, layers=[layer]))
        parts.append(evolve(image, platform=platform))
    index = layout.put_manifest(Index(manifests=parts, annotations={CREATED: BUILT}))
    layout.tag("ghcr.io/org/app:v1.2.3", index)
    layout.tag("v1", parts[0].plain())
    file = layout.blobs.put(b"signed", media_type="text/plain")
    artifact = layout.put_manifest(
        Manifest(
            artifact_type=SIGNATURE,
            config=layout.blobs.put(b"{}", media_type=OCI_EMPTY),
            layers=[evolve(file, annotations={TITLE: "a-file-with-a-long-name.bundle.json"})],
            subject=index,
            annotations={CREATED: BUILT},
        )
    )
    with layout.edit() as edit:
        edit.add(artifact)
    return {"index": index, "image": parts[0], "artifact": artifact}


def expected(lines: list[str], images: dict[str, Descriptor]) -> list[str]:
    """Return lines with the first twelve digits of digests in them."""
    text = "\n".join(lines)
    for name, descriptor in images.items():
        text = text.replace(f"@{name}@", descriptor.digest.encoded[:12])
    return text.splitlines()


@pytest.mark.parametrize(("columns", "lines"), [(80, EIGHTY), (40, FORTY)], ids=["80", "40"])
def test_a_listing(images: dict[str, Descriptor], columns: int, lines: list[str]) -> None:
    """An entry is one line with its whole name and a digest that can be copied."""
    assert Terminal("ls", "pulled", columns=columns).lines() == expected(lines, images)


def test_a_wide_terminal_and_a_pipe_get_everything(
    command: Command, images: dict[str, Descriptor]
) -> None:
    """On a terminal that is wide enough the cells are those of a pipe."""
    wide = [line.split() for line in Terminal("ls", "pulled", columns=240).lines()]
    assert wide == [line.split() for line in command.lines("ls", "pulled")]
    assert wide[0] == ["NAME", "DIGEST", "KIND", "PLATFORMS", "SIZE", "AGE", "CONTENT"]
    assert wide[1][1] == f"sha256:{images['index'].digest.encoded[:12]}"
    narrow = command.run("ls", "pulled").stdout
    os.environ["COLUMNS"] = "40"
    try:
        assert command.run("ls", "pulled").stdout == narrow  # a pipe has no width
    finally:
        del os.environ["COLUMNS"]


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "pulled"),
        ("tree", "pulled"),
        ("referrers", "pulled", "ghcr.io/org/app:v1.2.3"),
        ("gc", "pulled", "--grace", "0s", "--dry-run"),
        ("gc", "pulled", "--grace", "0s"),
        ("explain",),
        ("explain", "duplicate", "names"),
        ("explain", "0002"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(
    images: dict[str, Descriptor], columns: int, arguments: tuple[str, ...]
) -> None:
    """Whatever the names are, wide characters and marks among them."""
    layout = Layout.open("pulled", strict_names=False)
    for name in (LONG, "日本語の名前:v1", "e\u0301" * 30):
        layout.tag(name, images["index"])
    layout.blobs.put(b"nothing refers to it", media_type="text/plain")
    lines = Terminal(*arguments, columns=columns).lines()
    # A path is never broken, nor an example, so that they can be copied.
    lines = [line for line in lines if "/spec-notes" not in line and " && " not in line]
    assert len(lines) > 1
    for line in lines:
        assert cell_width(line) <= columns or (columns == 40 and line.startswith("#")), line
    if arguments[0] == "ls":
        assert len(lines) == 7
        assert all(images["index"].digest.encoded[:12] in line for line in lines[1:2])


@pytest.mark.parametrize(("columns", "shown"), [(80, LONG[:20]), (40, "registry.")])
def test_a_long_name_is_cut_in_its_middle(
    images: dict[str, Descriptor], columns: int, shown: str
) -> None:
    """Both ends stay, and so does the digest; in ASCII it is cut by dots."""
    Layout.open("pulled").tag(LONG, images["index"])
    digits = images["index"].digest.encoded[:12]
    for encoding, ellipsis in (("utf-8", "…"), ("ascii", "...")):
        terminal = Terminal("ls", "pulled", columns=columns, PYTHONIOENCODING=encoding)
        (line,) = (line for line in terminal.lines() if line.startswith("registry"))
        name, digest = line.split()
        assert digest == digits
        before, _, after = name.partition(ellipsis)
        assert before.startswith(shown)
        assert LONG.startswith(before)
        assert after
        assert LONG.endswith(after)
        assert len(line) == columns


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("program", ["ocilayout", "skills"])
def test_help_fits(command: Command, columns: int, program: str) -> None:
    """The help of each verb fits, but for examples and words that are too long."""
    from importlib import import_module  # noqa: PLC0415

    main = import_module(f"{program}.cli").main
    assert command.folder.exists()
    for verb in [None, *main.list_commands(None)]:
        said = Terminal(
            *([] if verb is None else [verb]), "--help", columns=columns, program=program
        ).lines()
        text, _, examples = "\n".join(said).partition("Examples:")
        for line in text.splitlines():
            # A word that is broken may be one cell too wide: so does click.
            assert len(line.rstrip()) <= columns + (columns == 40), line
        assert "..." not in text.partition("Commands:")[2]  # nothing is cut short
        if columns == 80:
            assert max(map(len, examples.splitlines())) <= columns, examples


class TestProgress:
    @pytest.mark.parametrize("columns", [80, 40])
    def test_a_line_for_each_blob_and_one_for_all(
        self, command: Command, layout: Layout, columns: int
    ) -> None:
        """They are drawn while a copy runs, fit, and are gone at the end."""
        put_large(layout)
        fifo = command.folder / "fifo"
        os.mkfifo(fifo)
        terminal = Terminal("cp", "oci:lay:large", "oci-archive:fifo", columns=columns)
        with fifo.open("rb") as reader:  # the copy waits, as it cannot write all
            said = terminal.until(" of 3 blobs")
            while reader.read(2**20):
                pass
        blob, total = said.rpartition("\x1b[J")[2].splitlines()[:2]
        assert cell_width(blob) < columns
        assert "4.0 MiB" in blob
        assert cell_width(total) < columns
        assert "%" in blob
        lines = terminal.lines()
        assert lines == ["Copied large to oci-archive:fifo:large", "3 blobs copied (4.0 MiB)"]

    def test_a_dumb_terminal_gets_none(self, command: Command, layout: Layout) -> None:
        """Nothing but text is written to a terminal that cannot move its cursor."""
        put_large(layout)
        fifo = command.folder / "fifo"
        os.mkfifo(fifo)
        terminal = Terminal("cp", "oci:lay:large", "oci-archive:fifo", TERM="dumb")
        with fifo.open("rb") as reader:
            while reader.read(2**20):
                pass
        assert "\x1b" not in terminal.end()

    @pytest.mark.parametrize("verb", [("check",), ("repair", "--dry-run")], ids=" ".join)
    def test_what_hashes_is_shown(self, layout: Layout, verb: tuple[str, ...]) -> None:
        """Problems stand above the progress, and each line of them is whole."""
        blob = layout.path / "blobs/sha256" / ("0" * 64)
        with blob.open("wb") as file:
            file.truncate(2**30)  # hashing it takes longer than a drawing
        terminal = Terminal(*verb, "lay")
        assert "sha256:000000000000" in terminal.until("1.0 GiB")
        said = terminal.end(1 if verb[0] == "check" else 0)
        assert "digest-mismatch" in said
        assert "1.0 GiB" not in said.rpartition("\x1b[J")[2]


class TestTerminal:
    def test_a_table(self, command: Command, layout: Layout) -> None:
        """A table fits the terminal and has a bold heading; names are not taken for markup."""
        Layout.open("lay", strict_names=False).tag("[red]x", layout.resolve("solo"))
        said = Terminal("ls", "lay", columns=60).end()
        assert "\x1b[1m" in said
        assert "[red]x" in said
        plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
        assert max(map(len, plain.splitlines())) <= 60
        assert command.lines("ls", "lay") != plain.splitlines()

    def test_colours(self, command: Command, layout: Layout) -> None:
        """Marks have a colour, unless colours are switched off."""
        assert "\x1b[36mshared\x1b[0m" in Terminal("tree", "lay").end()
        assert "\x1b" not in Terminal("tree", "lay", NO_COLOR="1").end()
        assert "\x1b" not in command.text("tree", "lay")
        assert layout.tags()

    def test_a_password_is_asked_for(self, command: Command) -> None:
        """A user without a password is asked for it, and it is not shown."""
        terminal = Terminal("ls", "docker://127.0.0.1:1/app", "--username", "ann")
        terminal.until("Password of ann: ")
        terminal.type("secret\n")
        said = terminal.end(1)
        assert "secret" not in said
        assert "Error: " in said
        assert command.folder.exists()

    def test_an_archive_does_not_go_to_a_terminal(self, layout: Layout) -> None:
        """An archive on a terminal is wrong use."""
        said = Terminal("cp", "oci:lay:v1", "oci-archive:-").end(2)
        assert "standard output is a terminal" in said
        assert layout.tags()
