"""Which lies of the loopback registry oras-py believes: the table in `spec-notes/testing.md`.

`python -m tests.peers.lies` runs oras-py against each and writes the table; a test runs it again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from attrs import frozen

from ocilayout import OCI_EMPTY, TITLE, Descriptor, Digest, Manifest, encode
from ocilayout.model import OCTET_STREAM
from ocilayout.testing.registry import (
    Answer,
    Fault,
    HangUpError,
    LoopbackRegistry,
    Request,
    bomb,
    fault,
)

PAGE: Final = Path(__file__).parents[2] / "spec-notes" / "testing.md"
BEGIN: Final = "<!-- tests/peers/lies.py -->\n"
END: Final = "<!-- end of the table -->\n"

NAME: Final = "team/app"
DATA: Final = b"content of a file\n"
PUSHED: Final = b"content of a pushed file\n"
OTHER: Final = str(Digest.of(b"something else"))
_MOST: Final = 300
"""How many requests are answered; oras-py follows 30 redirects, and tries six times."""

BELIEVED: Final = "**believes it**"
RIGHT: Final = "gets the right content"
REFUSED: Final = "an error"
ENDLESS: Final = "goes on without end"
WAITING: Final = "waits without end"


@frozen
class Lie:
    """A lie.

    Attributes:
        about: What the registry does.
        on: The requests that it does so for.
        make: The fault, of `ocilayout.testing.registry.fault`.
    """

    about: str
    on: str
    make: Callable[[LoopbackRegistry], Fault]


def _of(about: str, on: str, made: Callable[[], Fault]) -> Lie:
    return Lie(about, on, lambda _: made())


def _without_layers(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "layers": []}


LIES: Final = (
    _of("`flip`: one other bit", "GET blob", lambda: fault.flip(at=3)),
    _of("`body`: other bytes", "GET blob", lambda: fault.body(b"other bytes")),
    _of("`shrink`: shorter, with the fitting length", "GET blob", fault.shrink),
    _of("`grow`: longer, with the fitting length", "GET blob", fault.grow),
    _of("`cut`: the connection ends early", "GET blob", lambda: fault.cut(after=3)),
    _of("`promise`: a Content-Length that is too short", "GET blob", lambda: fault.promise(3)),
    _of("`promise`: a Content-Length that is too long", "GET blob", lambda: fault.promise(999)),
    _of("`overflow`: more than the Content-Length", "GET blob", fault.overflow),
    _of("`chunked`: in chunks, without a length", "GET blob", fault.chunked),
    _of(
        "`chunked`: cut in the middle of a chunk",
        "GET blob",
        lambda: fault.chunked(broken_after=5, size=10),
    ),
    _of("`gzip`: compressed, without a request", "GET blob", fault.gzip),
    _of("`Stall`: no end of the body", "GET blob", lambda: fault.Stall(after=3)),
    _of("`status`: 206 for the whole", "GET blob", lambda: fault.status(206)),
    _of("`answer`: an empty 200", "GET blob", lambda: fault.answer(200)),
    _of("`answer`: 204", "GET blob", lambda: fault.answer(204)),
    _of("`refuse`: 503", "GET blob", lambda: fault.refuse(503)),
    _of("`hang_up`: no answer", "GET blob", fault.hang_up),
    _of("`raw`: not HTTP", "GET blob", lambda: fault.raw(b"what?\r\n\r\n")),
    _of("`redirect_forever`", "GET blob", fault.redirect_forever),
    _of(
        "`redirect`: to other content",
        "GET blob",
        lambda: fault.redirect(f"/v2/{NAME}/manifests/v1", status=302),
    ),
    _of(
        "`header`: another Docker-Content-Digest",
        "GET blob",
        lambda: fault.header("Docker-Content-Digest", OTHER),
    ),
    _of("`flip`: one other bit, no longer JSON", "GET manifest", fault.flip),
    _of("`rewrite`: without its layers", "GET manifest", lambda: fault.rewrite(_without_layers)),
    _of(
        "`header`: another Docker-Content-Digest",
        "GET manifest",
        lambda: fault.header("Docker-Content-Digest", OTHER),
    ),
    _of(
        "`header`: the media type of an image index",
        "GET manifest",
        lambda: fault.header("Content-Type", "application/vnd.oci.image.index.v1+json"),
    ),
    _of("`header`: HTML", "GET manifest", lambda: fault.header("Content-Type", "text/html")),
    _of(
        "`body`: `bomb.deep`, nested 100,000 deep",
        "GET manifest",
        lambda: fault.body(b"".join(bomb.deep(100_000))),
    ),
    _of("`endless`: a list of tags without end", "GET tags", fault.endless),
    _of(
        "`rewrite`: tags that do not exist",
        "GET tags",
        lambda: fault.rewrite(lambda document: {**document, "tags": ["none"]}),
    ),
    _of("`pretend`: 201, and the blob is not stored", "PUT upload", fault.pretend),
    _of(
        "`pretend`: 201 with another digest",
        "PUT upload",
        lambda: fault.pretend(OTHER),
    ),
    _of("`pretend`: 201, and the manifest is not stored", "PUT manifest", fault.pretend),
    _of(
        "`header`: stored, with another Docker-Content-Digest",
        "PUT manifest",
        lambda: fault.header("Docker-Content-Digest", OTHER),
    ),
    Lie(
        "`after`: 201, and the tag is gone at once",
        "PUT manifest",
        lambda registry: fault.after(registry.tags.clear),
    ),
    Lie(
        "`before`: the upload is forgotten before it ends",
        "PUT upload",
        lambda registry: fault.before(registry.uploads.clear),
    ),
    _of(
        "`ignore`: the digest of the upload is not looked at",
        "PUT upload",
        lambda: fault.ignore(query="digest"),
    ),
)
"""The lies; each fault of the kit is in one of them."""


def run(lie: Lie) -> str:
    """Return what oras-py does with a registry that tells a lie."""
    with LoopbackRegistry() as registry, tempfile.TemporaryDirectory() as name:
        registry.put_blob(NAME, b"{}", media_type=OCI_EMPTY)
        registry.put_blob(NAME, DATA)
        registry.put_manifest(NAME, _manifest(DATA), tag="v1")
        made = lie.make(registry)
        registry.misbehave(lie.on, _bounded(made, registry))
        found: list[str] = []
        worker = Thread(target=lambda: found.append(_ask(lie.on, registry, Path(name))))
        worker.start()
        if isinstance(made, fault.Stall):
            made.reached.wait(60)
            found.append(WAITING)
            made.release()
        worker.join()
        return ENDLESS if len(registry.requests) > _MOST else found[0]


def table() -> str:
    """Return the table."""
    lines = [f"| The lie | on | oras-py {version('oras')} |", "|---|---|---|"]
    lines += [f"| {lie.about} | `{lie.on}` | {run(lie)} |" for lie in LIES]
    return "\n".join(lines) + "\n"


def read_table() -> str:
    """Return the table on the page."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def _manifest(data: bytes) -> bytes:
    layer = Descriptor.of(data, OCTET_STREAM)
    named = Descriptor(
        media_type=layer.media_type,
        digest=layer.digest,
        size=layer.size,
        annotations={TITLE: "file.txt"},
    )
    return encode(Manifest(config=Descriptor.of(b"{}", OCI_EMPTY), layers=[named]))


def _bounded(made: Fault, registry: LoopbackRegistry) -> Fault:
    def bounded(request: Request, proceed: Callable[[], Answer]) -> Answer:
        if len(registry.requests) > _MOST:
            raise HangUpError
        return made(request, proceed)

    return bounded


def _ask(on: str, registry: LoopbackRegistry, folder: Path) -> str:
    """Let oras-py do what leads to a request, and judge by what it has then."""
    from oras.provider import Registry  # type: ignore[import-untyped] # noqa: PLC0415 # takes long

    place = f"{registry.host}/{NAME}"
    at_once = SimpleNamespace(sleep=lambda _: None)  # it waits between its attempts
    with (
        patch.dict(os.environ, HOME=str(folder)),
        patch("oras.decorator.time", at_once),
    ):
        client = Registry(hostname=registry.host, insecure=True, auth_backend="basic")
        try:
            if on == "GET tags":
                right = client.get_tags(place) == ["v1"]
            elif on.startswith("GET"):
                files = client.pull(f"{place}:v1", outdir=str(folder / "out"))
                right = [Path(file).read_bytes() for file in files] == [DATA]
            else:
                pushed = folder / "pushed.txt"
                pushed.write_bytes(PUSHED)
                client.push(f"{place}:v2", files=[str(pushed)], disable_path_validation=True)
                stored = (NAME, str(Digest.of(PUSHED))) in registry.blobs
                right = stored and (NAME, "v2") in registry.tags
        except Exception:  # noqa: BLE001 # whatever it raises
            return REFUSED
    return RIGHT if right else BELIEVED


def main() -> None:
    """Write the table."""
    text = PAGE.read_text()
    before, begin, rest = text.partition(BEGIN)
    PAGE.write_text(before + begin + table() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
