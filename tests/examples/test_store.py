"""A store, tested by the machine."""

import json
from pathlib import Path

from hypothesis import settings

from ocilayout import Descriptor
from ocilayout.testing.machine import Adapter, View, check_store

# ---- your store: it keeps tags in a folder, which is an image layout

NAME = "org.opencontainers.image.ref.name"


class Shelf:
    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> None:
        path.joinpath("blobs").mkdir(parents=True)
        path.joinpath("oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        cls(path).write({})

    def read(self) -> dict[str, dict]:
        index = json.loads(self.path.joinpath("index.json").read_bytes())
        return {entry["annotations"][NAME]: entry for entry in index["manifests"]}

    def write(self, names: dict[str, dict]) -> None:
        index = {"schemaVersion": 2, "manifests": list(names.values())}
        self.path.joinpath("index.json").write_text(json.dumps(index))

    def blob(self, digest: str) -> Path:
        return self.path.joinpath("blobs", *digest.split(":"))

    def put(self, digest: str, data: bytes) -> None:
        self.blob(digest).parent.mkdir(exist_ok=True)
        self.blob(digest).write_bytes(data)

    def tag(self, name: str, media_type: str, digest: str) -> None:
        if not self.blob(digest).exists():
            raise LookupError(digest)
        size = self.blob(digest).stat().st_size
        entry = {"mediaType": media_type, "digest": digest, "size": size}
        self.write({**self.read(), name: {**entry, "annotations": {NAME: name}}})

    def untag(self, name: str) -> None:
        names = self.read()
        del names[name]
        self.write(names)


# ---- what the machine has to know about it


class ShelfAdapter(Adapter):
    verbs = {"put", "tag", "untag"}  # it has no others
    exact = False  # it has no untagged entries
    handles = 2

    def create(self, path):
        Shelf.create(path)

    def open(self, path, number):
        return ShelfHandle(path)


class ShelfHandle:
    def __init__(self, path):
        self.shelf = Shelf(path)

    def put(self, content):
        for descriptor, data in content.blobs:
            self.shelf.put(descriptor.digest, data)

    def tag(self, name, target, notes):
        self.shelf.tag(name, target.media_type, target.digest)

    def untag(self, name):
        self.shelf.untag(name)

    def look(self):
        meant = {
            name: Descriptor(
                media_type=entry["mediaType"], digest=entry["digest"], size=entry["size"]
            )
            for name, entry in self.shelf.read().items()
        }
        return View(names=tuple(meant), meant=meant, notes={})


# ---- its test


def test_the_shelf_does_what_the_model_does():
    check_store(ShelfAdapter(), settings=settings(max_examples=25, stateful_step_count=20))
