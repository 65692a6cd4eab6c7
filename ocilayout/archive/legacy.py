"""Images as Docker saved them before version 1.10: a folder for each layer, and no config.

Each folder has the layer as `layer.tar`, and as `json` what was an image of its own then, with the
id of its parent. `repositories` gives some of them names. The config is made as Docker made it when
it loaded such a tar: that of the last layer, with all layers and their history.

Source: github.com/moby/moby, image/tarexport/load.go and image/v1/imagev1.go of version 20.10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocilayout.archive.saved import MOST_PARTS, REPOSITORIES, SavedImage, texts
from ocilayout.errors import DocumentError
from ocilayout.model import DEFAULT_LIMITS, dump_json, parse_json, require_at_most, wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocilayout.archive.saved import Files, Packed
    from ocilayout.model import Digest, Json

_JSON: Final = "json"
_LAYER: Final = "layer.tar"
# What is about the layer alone, and not about the image.
_DROPPED: Final = frozenset({"id", "parent", "Size", "parent_id", "layer_id", "throwaway"})


def is_legacy(files: Files) -> bool:
    """Tell whether a tar is one of these."""
    return REPOSITORIES in files or any(_ids(files))


def iter_legacy(files: Files) -> Iterator[SavedImage]:
    """Give the images that have a name, by their ids, then those that no other builds on.

    Every layer is read, because nothing in the tar says its digest.

    Raises:
        DocumentError: A document is not what Docker wrote, or a file is missing or refused.
        LimitExceededError: A document is too large, or there are too many images or layers.
    """
    names = _names(files)
    ids = list(_ids(files))
    require_at_most(DEFAULT_LIMITS.children, len(ids), of="the archive", unit="images")
    size = sum(files.find(f"{layer_id}/{_JSON}").size for layer_id in ids)
    require_at_most(DEFAULT_LIMITS.total, size, of="the archive", unit="bytes of documents")
    images = {layer_id: _document(files, layer_id) for layer_id in ids}
    parents = {_parent(layer_id, image) for layer_id, image in images.items()}
    for layer_id in names:
        if layer_id not in images:
            message = f"it names the image {layer_id}, which the archive does not hold"
            raise DocumentError.of("missing-member", message, REPOSITORIES)
    known: dict[str, tuple[Digest, Packed]] = {}
    tips = [*names, *sorted(images.keys() - parents - names.keys())]
    count = 0
    for tip in tips:
        chain = _chain(tip, images)
        count += len(chain)
        require_at_most(MOST_PARTS, count, of="the archive", unit="layers")
        for layer_id in chain:
            if layer_id not in known:
                layer = files.layer(f"{layer_id}/{_LAYER}")
                known[layer_id] = (files.measure(layer)[0], layer)
        layers = tuple(known[layer_id] for layer_id in chain)
        yield SavedImage(
            config=_config([images[layer_id] for layer_id in chain], layers),
            layers=layers,
            names=tuple(names.get(tip, ())),
        )


def _ids(files: Files) -> Iterator[str]:
    for path in files:
        layer_id, _, name = path.partition("/")
        if name == _JSON:
            yield layer_id


def _names(files: Files) -> dict[str, list[str]]:
    """Return the names of each image, by its id."""
    found: dict[str, list[str]] = {}
    if REPOSITORIES not in files:
        return found
    for repository, tags in sorted(parse_json(files.read(REPOSITORIES)).items()):
        if not isinstance(tags, dict):
            raise wrong_type("an object", tags).read_from(REPOSITORIES)
        for tag, layer_id in sorted(tags.items()):
            if not isinstance(layer_id, str):
                raise wrong_type("a string", layer_id).read_from(REPOSITORIES)
            found.setdefault(layer_id, []).append(f"{repository}:{tag}")
    return found


def _document(files: Files, layer_id: str) -> dict[str, Json]:
    path = f"{layer_id}/{_JSON}"
    try:
        return parse_json(files.read(path))
    except DocumentError as error:
        raise error.read_from(path) from None


def _parent(layer_id: str, image: dict[str, Json]) -> str:
    parent = image.get("parent") or ""
    if not isinstance(parent, str):
        raise wrong_type("a string", parent).at("$.parent").read_from(f"{layer_id}/{_JSON}")
    return parent


def _chain(tip: str, images: dict[str, dict[str, Json]]) -> list[str]:
    """Return the ids of an image and of all that it builds on, from the base up."""
    chain: dict[str, None] = {}
    layer_id = tip
    while layer_id:
        if layer_id in chain:
            raise DocumentError.of("cyclic-image", "it builds on itself", f"{layer_id}/{_JSON}")
        if layer_id not in images:
            message = f"it builds on {layer_id}, which the archive does not hold"
            raise DocumentError.of("missing-member", message, f"{next(reversed(chain))}/{_JSON}")
        chain[layer_id] = None
        require_at_most(DEFAULT_LIMITS.layers, len(chain), of=tip, unit="layers")
        layer_id = _parent(layer_id, images[layer_id])
    return list(reversed(chain))


def _config(chain: list[dict[str, Json]], layers: tuple[tuple[Digest, Packed], ...]) -> bytes:
    config: dict[str, Json] = {
        key: value for key, value in chain[-1].items() if key not in _DROPPED
    }
    config["rootfs"] = {"type": "layers", "diff_ids": [str(digest) for digest, _ in layers]}
    config["history"] = [_history(image) for image in chain]
    return dump_json(dict(sorted(config.items())))


def _history(image: dict[str, Json]) -> dict[str, Json]:
    container = image.get("container_config")
    command = container.get("Cmd") if isinstance(container, dict) else None
    found: dict[str, Json] = {
        "created": image.get("created"),
        "author": image.get("author"),
        "created_by": " ".join(texts(command, "$.container_config.Cmd")),
        "comment": image.get("comment"),
    }
    return {key: value for key, value in found.items() if value}
