"""Layouts with something malicious in them, and a canary beside them that must not change.

What is planted is composed of a thing and a place: a pipe as `index.json`, a link as `ingest`. The
documents that are hostile by what they say are in `planted_documents`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
NAME: Final = "org.opencontainers.image.ref.name"
FULL: Final = "io.containerd.image.name"

EPOCH: Final = 1_000_000_000  # 2001, when everything was written that is old
FUTURE: Final = 300_000_000_000  # 11476; a file system may have an earlier last day
TEBIBYTE: Final = 2**40

# A process that cannot be there, as the number of processes has a limit.
OURS: Final = "4194399-0123456789abcdef"
FOREIGN: Final = "0a1b2c_345"
BESIDE: Final = "x.tmp"

JsonObject = dict[str, Any]


# ---------------------------------------------------------------- layouts without anything hostile


@dataclass
class Content:
    """The files of a layout, by their paths in it, and the entries of its root index."""

    files: dict[str, bytes] = field(default_factory=dict)
    entries: list[Any] = field(default_factory=list)

    def blob(
        self, data: object, media_type: str, algorithm: str = "sha256", **more: Any
    ) -> JsonObject:
        """Add a blob, and return its descriptor."""
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        encoded = hashlib.new(algorithm, content).hexdigest()
        self.files[f"blobs/{algorithm}/{encoded}"] = content
        digest = f"{algorithm}:{encoded}"
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def image(self, text: str, algorithm: str = "sha256", **more: Any) -> JsonObject:
        """Add an image with one layer, and return its descriptor."""
        platform = {"architecture": "amd64", "os": "linux"}
        rootfs = {"type": "layers", "diff_ids": []}
        config = self.blob({**platform, "note": text, "rootfs": rootfs}, CONFIG)
        layers = [self.blob(text.encode() * 9, LAYER)]
        return self.manifest(config, layers, algorithm, **more)

    def manifest(
        self, config: object, layers: object, algorithm: str = "sha256", **more: Any
    ) -> JsonObject:
        """Add a manifest, and return its descriptor."""
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        subject = more.pop("subject", None)
        if subject is not None:
            document |= {"artifactType": "application/vnd.example.note", "subject": subject}
        return self.blob(document, MANIFEST, algorithm, **more)

    def index(self, *manifests: object, **more: Any) -> JsonObject:
        """Add an image index, and return its descriptor."""
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(manifests)}
        return self.blob(document, INDEX, **more)

    def add(self, name: str | None, descriptor: JsonObject) -> None:
        """Add an entry."""
        noted = {} if name is None else {"annotations": {NAME: name}}
        self.entries.append({**descriptor, **noted})

    def finish(self) -> Content:
        """Add the files that make a folder a layout, where they are not there yet."""
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        self.files.setdefault("index.json", json.dumps(document).encode())
        self.files.setdefault("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        return self

    def write(self, root: Path) -> None:
        """Write the layout, with times that are long ago."""
        folders = {"blobs/sha256", "blobs/sha512", *map(os.path.dirname, self.files)}
        for folder in sorted(folders):
            os.makedirs(root / folder, exist_ok=True)  # noqa: PTH103 # many, often
        for name, data in self.files.items():
            _write(f"{root}/{name}", data)


def plain() -> Content:
    """Return a layout with a file of every kind that one may have."""
    made = Content()
    image = made.image("plain")
    made.add("v1", image)
    signature = made.blob(b"signature", "text/plain")
    subject = {key: image[key] for key in ("mediaType", "digest", "size")}
    made.add(None, made.manifest(made.blob(b"{}", "text/json"), [signature], subject=subject))
    made.add("many", made.index(image, made.image("other")))
    made.add("long", made.image("long", "sha512"))
    made.blob(b"garbage", LAYER)
    made.files |= {
        "index.json.lock": b"",
        "index.json.x.tmp": b"{",
        f"ingest/{OURS}": b"half a blob",
        f"ingest/{FOREIGN}": b"half of another",
        f"blobs/sha256/{BESIDE}": b"half",
        f"quarantine/sha256-{'0' * 64}": b"damaged",
    }
    return made.finish()


PLAIN: Final = plain()
_V1: Final = PLAIN.entries[0]["digest"].replace(":", "/")
_PARTS: Final = json.loads(PLAIN.files[f"blobs/{_V1}"])

PLACES: Final = {
    "the root": "",
    "oci-layout": "oci-layout",
    "index.json": "index.json",
    "the lock": "index.json.lock",
    "a temporary index": "index.json.x.tmp",
    "ingest": "ingest",
    "a temporary of ours": f"ingest/{OURS}",
    "a foreign temporary": f"ingest/{FOREIGN}",
    "blobs": "blobs",
    "blobs/sha256": "blobs/sha256",
    "blobs/sha512": "blobs/sha512",
    "a manifest": f"blobs/{_V1}",
    "a config": f"blobs/{_PARTS['config']['digest'].replace(':', '/')}",
    "a layer": f"blobs/{_PARTS['layers'][0]['digest'].replace(':', '/')}",
    "a temporary beside blobs": f"blobs/sha256/{BESIDE}",
    "quarantine": "quarantine",
    "a file in quarantine": f"quarantine/sha256-{'0' * 64}",
}
"""Where something may be planted, by what it is called: the path in the layout."""

FOLDERS: Final = frozenset({"", "ingest", "blobs", "blobs/sha256", "blobs/sha512", "quarantine"})


# ---------------------------------------------------------------- where it all lies


@dataclass
class Site:
    """A folder with a layout to plant in, a canary, a good layout, and room for what is made.

    Attributes:
        outer: The folder around all, with nothing else in it: `..` leads no further.
        name: What the folder of the layout is called.
    """

    outer: Path
    name: str = "layout"

    @property
    def inner(self) -> Path:
        """The folder with everything."""
        return self.outer / "inner"

    @property
    def root(self) -> Path:
        """The layout."""
        return self.inner / self.name

    @property
    def canary(self) -> Path:
        """What must stay as it is."""
        return self.inner / "canary"

    @property
    def good(self) -> Path:
        """A layout without anything hostile, to copy from."""
        return self.inner / "good"

    @property
    def out(self) -> Path:
        """What verbs write to, apart from the layout."""
        return self.inner / "out"

    def prepare(self) -> None:
        """Make everything but the layout, from the beginning."""
        scrub(self.outer)
        for folder in (self.inner, self.out, self.canary):
            folder.mkdir(parents=True)
        more = plain()
        more.entries.clear()
        del more.files["index.json"]
        more.add("v1", more.image("newer"))
        more.add("more", more.image("more"))
        more.finish().write(self.good)
        _write_canary(self.canary)

    def clear(self) -> None:
        """Remove the layout, and what verbs wrote."""
        scrub(self.root)
        scrub(self.out)
        self.out.mkdir()

    def snapshot(self) -> dict[str, object]:
        """Return what lies outside of the layout, and all that must stay as it is of it."""
        return {
            **dict(_look(self.outer, self.root, self.out)),
            "/dev/zero": stat.S_IMODE(Path("/dev/zero").stat().st_mode),
        }


def changes(
    before: dict[str, object], after: dict[str, object], *, shares: bool = False
) -> list[str]:
    """Return the paths of files that were removed, added or changed.

    Args:
        before: A snapshot.
        after: A later one.
        shares: Whether blobs may be put into a shared folder, and the times there refreshed: a
            layout whose `blobs` is a link to it is written so.
    """
    found = sorted(path for path in before | after if before.get(path) != after.get(path))
    return [path for path in found if not (shares and _is_put(path, before, after))]


def _is_put(path: str, before: dict[str, object], after: dict[str, object]) -> bool:
    was, now = before.get(path), after.get(path)
    # Where `blobs` leads: the shared store, or the folder of the layout if it is a link to `..`.
    shared = "canary/store" in path or path.startswith("inner/sha256")
    if not shared or not isinstance(now, tuple):
        return False
    if isinstance(was, tuple) and _timeless(was) == _timeless(now):
        return True
    data = now[-1]  # a blob is whole when it gets its name, and what was damaged is replaced
    return not isinstance(data, bytes) or hashlib.sha256(data).hexdigest() == Path(path).name


def _timeless(seen: tuple[object, ...]) -> tuple[object, ...]:
    return (*seen[:_WHEN], *seen[_WHEN + 1 :])


def _write_canary(canary: Path) -> None:
    """Write what a careless collection or repair deletes, moves, touches or writes to."""
    for folder in ("old/sub/deep", "right", "store/sha256", "store/sha512"):
        (canary / folder).mkdir(parents=True)
    for name, data in PLAIN.files.items():
        folder, _, rest = name.partition("/")
        if folder == "blobs":
            _write(canary / "store" / rest, data)
        elif not rest:
            _write(canary / "right" / name, data)
    names = [OURS, FOREIGN, BESIDE, "index.json.x.tmp", "oci-put-blob1", f"{'a' * 64}123"]
    for folder in ("old", "store", "store/sha256", "store/sha512", "old/sub/deep"):
        for name in names:
            _write(canary / folder / name, f"{folder}/{name}".encode())
    _write(canary / f"old/{'b' * 64}", b"not what its name says")
    _write(canary / "old/plain.txt", b"plain\n", mode=0o640)
    _write(canary / "old/secret.txt", b"secret\n", mode=0o600)
    _write(canary / "old/first.txt", b"1970\n", when=0)
    _write(canary / "old/last.txt", b"future\n", when=FUTURE)
    _write(canary / "right/lock", b"", mode=0o444)
    (canary / "twin.txt").hardlink_to(canary / "old/plain.txt")
    (canary / "link").symlink_to("old")
    (canary / "dangling").symlink_to("nowhere")
    os.mkfifo(canary / "pipe", 0o600)
    for folder in ("old/sub/deep", "old/sub", "old", "store/sha256", "store/sha512", "store"):
        os.utime(canary / folder, (EPOCH, EPOCH))
    (canary / "old/sub").chmod(0o2750)


def _write(path: str | Path, data: bytes, *, mode: int = 0o644, when: int = EPOCH) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    os.write(number, data)
    os.close(number)
    os.utime(path, (when, when))


_WHEN = 4  # where the time is in what is seen of a file


def _look(outer: Path, root: Path, out: Path) -> Iterator[tuple[str, object]]:
    passed, around = str(root), {str(root.parent), str(out)}
    pending = [str(outer)]
    while pending:
        with os.scandir(pending.pop()) as found:
            for entry in found:
                if entry.path == passed:
                    continue
                status = entry.stat(follow_symlinks=False)
                # Times of the folder around the layout change with it.
                when = None if entry.path in around else status.st_mtime_ns
                identity = (status.st_mode, status.st_uid, status.st_gid, status.st_ino, when)
                yield os.path.relpath(entry.path, outer), (*identity, _content(entry, status))
                if stat.S_ISDIR(status.st_mode) and entry.path != str(out):
                    pending.append(entry.path)


def _content(entry: os.DirEntry[str], status: os.stat_result) -> object:
    if stat.S_ISREG(status.st_mode):
        with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123 # many, often
            return file.read()
    return os.readlink(entry.path) if stat.S_ISLNK(status.st_mode) else None  # noqa: PTH115


def scrub(path: Path) -> None:
    """Remove whatever lies at a path, and never what it leads to."""
    try:
        status = path.lstat()
    except OSError:
        return
    if stat.S_ISDIR(status.st_mode):
        path.chmod(0o700)
        with os.scandir(path) as found:
            inside = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in found]
        for name, is_folder in inside:
            if is_folder:
                scrub(Path(name))
            else:
                os.unlink(name)  # noqa: PTH108 # many, often
        path.rmdir()
    else:
        path.unlink()


# ---------------------------------------------------------------- things


@dataclass(frozen=True)
class Spot:
    """Where something is planted: a path in the layout of a site."""

    site: Site
    place: str

    @property
    def path(self) -> Path:
        """The whole path."""
        return self.site.root / self.place if self.place else self.site.root

    @property
    def is_folder(self) -> bool:
        """Whether a layout has a folder there."""
        return self.place in FOLDERS

    def free(self) -> Path:
        """Remove whatever has the path, and return the path."""
        scrub(self.path)
        return self.path

    def link(self, target: str | Path) -> None:
        """Put a symbolic link there."""
        self.free().symlink_to(target)

    @property
    def folder(self) -> Path:
        """A folder of the canary that looks most like what belongs there."""
        if self.place.startswith("blobs"):
            alike = self.site.canary / "store" / self.place.removeprefix("blobs").lstrip("/")
            if alike.is_dir():
                return alike
        return self.site.canary / "old"

    @property
    def file(self) -> Path:
        """A file of the canary that looks most like what belongs there."""
        for alike in (
            self.site.canary / "store" / self.place.removeprefix("blobs/"),
            self.site.canary / "right" / self.place,
        ):
            if self.place and alike.is_file():
                return alike
        return self.site.canary / "old/plain.txt"


def _hard_link(spot: Spot) -> None:
    # A blob that is whole is refreshed when it is put again, and its other names are, too.
    whole = spot.place.startswith("blobs/") and BESIDE not in spot.place
    target = spot.site.canary / "old/plain.txt" if whole else spot.file
    spot.free().hardlink_to(target)


def _other_kind(spot: Spot) -> None:
    path = spot.free()
    if spot.is_folder:
        _write(path, b"no folder\n")
    else:
        (path / "sub").mkdir(parents=True)
        _write(path / "sub" / OURS, b"in a folder\n")
        os.utime(path, (EPOCH, EPOCH))


def _sparse(spot: Spot) -> None:
    with spot.free().open("wb") as file:
        file.truncate(TEBIBYTE)
    os.utime(spot.path, (EPOCH, EPOCH))


def _empty(spot: Spot) -> None:
    path = spot.free()
    if spot.is_folder:
        path.mkdir()
    else:
        _write(path, b"")


def _socket(spot: Spot) -> None:
    path = spot.free()
    with socket.socket(socket.AF_UNIX) as made:
        # The path of a socket has 108 bytes at most.
        number = os.open(path.parent, os.O_PATH)
        try:
            made.bind(f"/proc/self/fd/{number}/{path.name}")
        finally:
            os.close(number)


def _timed(when: int) -> Callable[[Spot], None]:
    def plant(spot: Spot) -> None:
        os.utime(spot.path, (when, when))

    return plant


def _read_only(spot: Spot) -> None:
    spot.path.chmod(0o555 if spot.is_folder else 0o444)


def _owned(spot: Spot) -> None:
    os.lchown(spot.path, 12345, 12345)


def _device(minor: int) -> Callable[[Spot], None]:
    def plant(spot: Spot) -> None:
        os.mknod(spot.free(), stat.S_IFCHR | 0o666, os.makedev(1, minor))

    return plant


def _named(odd: bytes) -> Callable[[Spot], None]:
    """Return what puts a file of an odd name into a folder, or gives a file or the root one."""

    def plant(spot: Spot) -> None:
        if not spot.place:
            name = os.fsdecode(odd)[:200]
            spot.path.rename(spot.path.with_name(name))
            spot.site.name = name
            return
        path = os.fsencode(spot.path)
        if spot.is_folder:
            _write(Path(os.fsdecode(path + b"/" + odd)), b"odd\n")
            return
        stem = os.fsencode(spot.path.name)[: 250 - len(odd)]
        _write(spot.path.with_name(os.fsdecode(stem + odd)), b"odd\n")

    return plant


THINGS: Final[dict[str, Callable[[Spot], None]]] = {
    "a link to a folder": lambda spot: spot.link(spot.folder),
    "a relative link to a folder": lambda spot: spot.link(
        os.path.relpath(spot.folder, spot.path.parent)
    ),
    "a link to a file": lambda spot: spot.link(spot.file),
    "a link to itself": lambda spot: spot.link(spot.path.name),
    "a dangling link": lambda spot: spot.link(spot.site.inner / "nowhere"),
    "a link to ..": lambda spot: spot.link(".."),
    "a link to /": lambda spot: spot.link("/"),
    "a link to /dev/zero": lambda spot: spot.link("/dev/zero"),
    "a link to a pipe": lambda spot: spot.link(spot.site.canary / "pipe"),
    "a pipe": lambda spot: os.mkfifo(spot.free()),
    "a socket": _socket,
    "something of the other kind": _other_kind,
    "a sparse file of 1 TiB": _sparse,
    "nothing": lambda spot: scrub(spot.path),
    "something empty": _empty,
    "something with mode 0000": lambda spot: spot.path.chmod(0),
    "something read-only": _read_only,
    "something of 1970": _timed(0),
    "something of the year 11476": _timed(FUTURE),
    "a hard link": _hard_link,
    "a very long name": _named(b"n" * 240),
    "a name that is not UTF-8": _named(b"\xff\xfe.tmp"),
    "a name with controls": _named(b"\x1b]0;x\x07\r\n$(x).tmp"),
}

OF_ROOT: Final[dict[str, Callable[[Spot], None]]] = {
    "a device without end": _device(5),
    "a full device": _device(7),
    "something of another owner": _owned,
}
"""Things that only root can plant."""

DANGEROUS: Final = frozenset({"a link to /"})
"""Things that are planted in place of files only: a regression must not empty this machine."""


def cases(*, everything: bool) -> Iterator[tuple[str, str]]:
    """Give pairs of a thing and a place, each thing and each place many times.

    Args:
        everything: Whether to give all pairs and not a fifth of them, spread evenly. Pipes and
            some links, which have done the most harm, are given for every place anyway.
    """
    things = THINGS | OF_ROOT if os.geteuid() == 0 else THINGS
    for row, thing in enumerate(things):
        for column, (called, place) in enumerate(PLACES.items()):
            if thing in DANGEROUS and place in FOLDERS:
                continue
            often = thing in {"a link to a folder", "a link to /", "a pipe"}
            if everything or often or (2 * row + column) % 5 == 0:
                yield thing, called


@contextlib.contextmanager
def room(otherwise: Path) -> Iterator[Path]:
    """Give a folder in memory, where files cost least, if devices work there as elsewhere.

    Args:
        otherwise: The folder to take if there is none.
    """
    memory = "/dev/shm"
    if not os.access(memory, os.W_OK) or os.statvfs(memory).f_flag & os.ST_NODEV:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(prefix="hostile-", dir=memory) as folder:
        yield Path(folder)


@contextlib.contextmanager
def prepared(outer: Path) -> Iterator[Site]:
    """Give a site, and leave nothing of it."""
    site = Site(outer)
    site.prepare()
    try:
        yield site
    finally:
        scrub(outer)


def lay(site: Site, content: Content, planted: tuple[str, str] | None = None) -> None:
    """Write a layout in place of the one before, and plant something in it.

    Args:
        site: Where.
        content: The layout.
        planted: The thing and the place, or `None` for neither.
    """
    site.clear()
    site.name = "layout"
    content.write(site.root)
    if planted is not None:
        thing, called = planted
        (THINGS | OF_ROOT)[thing](Spot(site, PLACES[called]))
