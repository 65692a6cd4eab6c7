"""Cases about registries: pulls from Debian's docker-registry on loopback, compared with skopeo's.

Our side is the library in a running process; skopeo is a program that has to start, as it does
for every image. The start of our own command is not measured here.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

from ocilayout import OCI_CONFIG, OCI_LAYER, Descriptor, Layout, Manifest, copy, copy_all
from ocilayout.registry import Repository
from tests.bench.material import MEBIBYTE
from tests.bench.measure import Case, Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DEADLINE: Final = 10.0  # seconds for the registry to listen
_LAYERS: Final = 8


def _start(folder: Path) -> tuple[str, Callable[[], None]]:
    """Start a registry as Debian configures it; return its address and a function to stop it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    host = f"127.0.0.1:{port}"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "cache": {"blobdescriptor": "inmemory"},
            "filesystem": {"rootdirectory": str(folder / "data")},
        },
        "http": {"addr": host, "secret": "of the benchmark"},
    }
    path = folder / "config.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    process = subprocess.Popen(
        ["docker-registry", "serve", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def end() -> None:
        process.kill()
        process.wait()

    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port)):
                return host, end
        except OSError:
            time.sleep(0.02)  # between two attempts
    end()
    raise RuntimeError("docker-registry does not listen")


def _push(host: str, folder: Path, images: int, layers: int, size: int) -> None:
    """Push images, each with layers of random bytes."""
    source = Layout.create(folder / "source", durability="none")
    some = random.Random(0)  # the same bytes in each run; not used for secrets

    def put(data: bytes, media_type: str) -> Descriptor:
        return source.blobs.put(data, media_type=media_type)

    for number in range(images):
        config = {"architecture": "amd64", "os": "linux", "number": number}
        manifest = Manifest(
            config=put(json.dumps(config).encode(), OCI_CONFIG),
            layers=[put(some.randbytes(size), OCI_LAYER) for _ in range(layers)],
        )
        source.tag(f"i{number}", source.put_manifest(manifest))
    with Repository(f"{host}/bench/app") as repository:
        copy_all(source, dict.fromkeys(source.tags()), repository)
    shutil.rmtree(source.path)


def _skopeo(host: str, tag: str, target: Path) -> None:
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false",
         f"docker://{host}/bench/app:{tag}", f"oci:{target}:{tag}"],
        check=True,
    )  # fmt: skip


def _pull(
    images: Callable[[int], int], layers: Callable[[int], int], size: Callable[[int], int]
) -> Callable[[Path, int], Subject]:
    def make(folder: Path, amount: int) -> Subject:
        host, end = _start(folder)
        _push(host, folder, images(amount), layers(amount), size(amount))
        target = folder / "target"
        tags = [f"i{number}" for number in range(images(amount))]

        def ours() -> None:
            layout = Layout.create(target)
            with Repository(f"{host}/bench/app") as repository:
                if len(tags) == 1:
                    copy(repository, tags[0], layout)
                else:
                    copy_all(repository, dict.fromkeys(tags), layout)

        def theirs() -> None:
            for tag in tags:
                _skopeo(host, tag, target)

        return Subject(
            ours=ours,
            yardsticks={"skopeo copy, once for each": theirs},
            before=lambda: shutil.rmtree(target, ignore_errors=True),
            after=end,
        )

    return make


CASES: Final = (
    Case(
        name="pull-large",
        about=f"copy() of {_LAYERS} layers from a registry, synced",
        make=_pull(lambda _: 1, lambda _: _LAYERS, lambda size: size * MEBIBYTE // _LAYERS),
        sizes=(1024,),
        unit="MiB",
        limits={1024: 0.75},
        needs=("skopeo", "docker-registry"),
    ),
    Case(
        name="pull-layers",
        about="copy() of layers of 4 KiB from a registry, synced",
        make=_pull(lambda _: 1, lambda size: size, lambda _: 4096),
        sizes=(60,),
        unit="layers",
        limits={60: 0.6},
        needs=("skopeo", "docker-registry"),
    ),
    Case(
        name="pull-artifacts",
        about="copy_all() of artifacts of 3 small blobs from a registry, synced",
        make=_pull(lambda size: size, lambda _: 2, lambda _: 1000),
        sizes=(500,),
        unit="artifacts",
        limits={500: 0.3},
        needs=("skopeo", "docker-registry"),
    ),
)
