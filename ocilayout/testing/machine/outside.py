"""What happens to a layout from outside: what other programs write, and what goes wrong on a disk.

All is done by hand, with nothing but `json`, and none of it by the store under test.
"""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from ocilayout.model import (
    CONTAINERD_IMAGE_NAME,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    Digest,
    Manifest,
    encode,
)
from ocilayout.testing.machine.sample import CONTENTS, FULL_NAMES, UNKNOWN, Content, content_of
from ocilayout.testing.machine.state import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from ocilayout.testing.machine.oracle import Model

_EXTRA: Final[dict[str, object]] = {"org.example.extra": [1, None]}


def blob_path(layout: Path, digest: Digest) -> Path:
    """Return where a layout has a blob."""
    return layout / "blobs" / digest.algorithm / digest.encoded


def list_blobs(layout: Path) -> set[Digest]:
    """Return the digests of all blobs."""
    return {
        Digest.parse(f"{folder.name}:{blob.name}")
        for folder in (layout / "blobs").iterdir()
        for blob in folder.iterdir()
    }


def write_blob(layout: Path, digest: Digest, data: bytes) -> None:
    """Write a file where a blob belongs, a new one if there is one."""
    path = blob_path(layout, digest)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def fill(layout: Path, model: Model, *, full_names: bool) -> None:
    """Let a layout hold what another program has written.

    The root index and its entries have properties of their own, content has two entries without
    names, what refers to other content has entries, and there is a blob of an unknown
    algorithm.

    Args:
        layout: The folder.
        model: What it holds afterwards.
        full_names: Whether entries have full names, too: two images have one short name, as
            `docker save` writes them, and one has a full name alone. What refers to other content
            has no entries then, but one property names content that has none.
    """
    one, two, three, *others = model.known.values()
    about = [content for content in others if content.subject and not content.is_index]
    if full_names:
        _fill_by_full_names(layout, model, about)
        return
    model.entries = [
        Entry(None, three.digest, {"org.example.note": "first"}, _EXTRA),
        Entry("b", one.digest, {"org.example.note": "kept"}, _EXTRA),
        Entry(None, three.digest, {"org.example.note": "second"}),
        Entry(None, two.digest, {}, _EXTRA),
        *(Entry(None, content.digest, {}) for content in reversed(about)),
    ]
    _write(layout, model, (one, two, three, *about))


def _fill_by_full_names(layout: Path, model: Model, about: list[Content]) -> None:
    one, two, three, *_, last = model.known.values()
    first, second, _ = FULL_NAMES
    model.entries = [
        Entry("latest", one.digest, {CONTAINERD_IMAGE_NAME: first}),
        Entry("latest", two.digest, {CONTAINERD_IMAGE_NAME: second}),
        Entry(None, three.digest, {CONTAINERD_IMAGE_NAME: "docker.io/library/c:v1"}),
        Entry("b", three.digest, {}, {"org.example.extra": {"also": [str(last.digest)]}}),
    ]
    _write(layout, model, (one, two, three, last, *about))


def _write(layout: Path, model: Model, contents: Iterable[Content]) -> None:
    """Write content, a blob of an unknown algorithm, and the root index."""
    for content in contents:
        for descriptor, data in (*content.blobs, *content.beside):
            write_blob(layout, descriptor.digest, data)
        model.put(content)
    write_blob(layout, UNKNOWN, b"other")
    model.blobs.add(UNKNOWN)
    document = {
        "org.example.writer": {"name": "another"},
        "schemaVersion": 2,
        "manifests": [_document_of(model, entry) for entry in model.entries],
        "annotations": {"org.example.index": "kept"},
    }
    layout.joinpath("index.json").write_text(json.dumps(document))


def _document_of(model: Model, entry: Entry) -> dict[str, Any]:
    return _written(model.known[entry.digest].root, entry)


def _written(root: Descriptor, entry: Entry) -> dict[str, Any]:
    name = {} if entry.name is None else {REF_NAME: entry.name}
    return {
        "mediaType": root.media_type,
        "digest": str(root.digest),
        "size": root.size,
        "annotations": {**name, **entry.notes},
        **entry.extra,
    }


def add_entry(layout: Path, model: Model, entry: Entry) -> None:
    """Append an entry, as another program does that knows nothing of the others."""
    path = layout / "index.json"
    document = json.loads(path.read_bytes())
    document["manifests"] = [*(document.get("manifests") or ()), _document_of(model, entry)]
    path.write_text(json.dumps(document))
    model.entries.append(entry)


def repeated_entries(layout: Path) -> set[int]:
    """Return the positions of entries that say exactly what an earlier one says."""
    document = json.loads((layout / "index.json").read_bytes())
    texts = [json.dumps(entry) for entry in document.get("manifests") or ()]
    return {position for position, text in enumerate(texts) if text in texts[:position]}


@contextmanager
def blobs_away(layout: Path) -> Iterator[None]:
    """Let the folder of blobs be an empty one for a while, as where a disk is not mounted.

    Raises:
        AssertionError: The store has put something into it, or has changed `index.json`.
    """
    index, folder, away = (layout / name for name in ("index.json", "blobs", "away"))
    whole = index.read_bytes()
    folder.rename(away)
    folder.mkdir()
    yield
    if any(folder.iterdir()) or index.read_bytes() != whole:
        raise AssertionError("without its blobs the layout was changed")
    folder.rmdir()
    away.rename(folder)


@contextmanager
def link_to_blob(layout: Path, digest: Digest) -> Iterator[None]:
    """Let a link to the same content stand in the place of a blob, and in the end a file again."""
    path, aside = blob_path(layout, digest), layout / "aside"
    path.rename(aside)
    path.symlink_to(aside)
    yield
    if path.is_symlink():
        path.unlink()
        aside.rename(path)
    aside.unlink(missing_ok=True)


@contextmanager
def _other_index(layout: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Let `index.json` be another one for a while.

    Raises:
        AssertionError: The store has changed it.
    """
    path = layout / "index.json"
    whole = path.read_bytes()
    other = change(whole)
    path.write_bytes(other)
    os.utime(path, (0, 0))  # no writer is still at it
    yield
    if path.read_bytes() != other:
        raise AssertionError("index.json, which no verb could have used, was written over")
    path.write_bytes(whole)


def torn_index(layout: Path, cut: int) -> AbstractContextManager[None]:
    """Cut `index.json` short for a while; see `_other_index`."""
    return _other_index(layout, lambda whole: whole[: cut % (len(whole) - 1)])


def second_meaning(
    layout: Path, model: Model, name: str, content: Content
) -> AbstractContextManager[None]:
    """Let a name have one more entry, for other content, for a while; see `_other_index`."""
    entry = _document_of(model, Entry(name, content.digest, {}))

    def change(whole: bytes) -> bytes:
        document = json.loads(whole)
        document["manifests"].append(entry)
        return json.dumps(document).encode()

    return _other_index(layout, change)


def _with_sizes() -> Content:
    """Make a manifest that gives one layer two sizes, of which one is right."""
    config, layer, *_ = CONTENTS[0].blobs
    wrong = evolve(layer[0], size=layer[0].size + 1)
    document = Manifest(
        media_type=OCI_MANIFEST, config=config[0], layers=[layer[0], wrong, layer[0]]
    )
    data = encode(document)
    return content_of("two sizes", [config, layer, (Descriptor.of(data, OCI_MANIFEST), data)])


_WITH_SIZES: Final = _with_sizes()


@contextmanager
def wrong_size(layout: Path, name: str) -> Iterator[None]:
    """Let a name mean, for a while, a manifest in which a layer has a wrong size, too."""
    fresh = [
        (descriptor.digest, data)
        for descriptor, data in _WITH_SIZES.blobs
        if not blob_path(layout, descriptor.digest).exists()
    ]
    for digest, data in fresh:
        write_blob(layout, digest, data)
    entry = _written(_WITH_SIZES.root, Entry(name, _WITH_SIZES.digest, {}))

    def change(whole: bytes) -> bytes:
        return json.dumps({**json.loads(whole), "manifests": [entry]}).encode()

    with _other_index(layout, change):
        yield
    for digest, _ in fresh:
        blob_path(layout, digest).unlink()


LIE: Final = Content(
    title="a lie",
    blobs=((Descriptor.of(b"true", OCI_LAYER), b"lies"), *CONTENTS[0].blobs),
    parts=(),
)
"""Content of which one blob is not what its descriptor says, though as long."""
