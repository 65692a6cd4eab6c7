"""An argument of a wrong type is refused by name, in every public function and constructor.

The calls are made from the signatures: each parameter gets each value that its annotation does not
allow, and the other parameters what they need.
"""

from __future__ import annotations

import ast
import inspect
import io
import os
import re
import tempfile
from contextlib import ExitStack
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import ocilayout
import ocilayout.registry
from ocilayout import (
    OCI_LAYER,
    Archive,
    ArgumentError,
    Descriptor,
    DockerArchive,
    Layout,
    OciLayoutError,
    Platform,
    Problem,
    Schema1Manifest,
    copy_all,
    write_archive,
    write_docker_archive,
)
from ocilayout.archive.reader import ArchiveBlobs
from ocilayout.registry import Patience, Proxies, Repository, Timeouts
from ocilayout.registry.repository_blobs import RepositoryBlobs
from ocilayout.signature import _Names
from ocilayout.testing import machine, registry, strategies
from ocilayout.testing.machine import CONTENTS, LayoutAdapter
from ocilayout.testing.registry import Answer, LoopbackRegistry, bomb, fault
from ocilayout.testing.strategies import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    Called = Callable[..., Any]

DATA: Final = b"content"
DESCRIPTOR: Final = Descriptor.of(DATA, OCI_LAYER)
MANIFEST: Final = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
)

FOREIGN: Final = {"Adapter", "Auth", "Request", "Store", "StoreMachine"}
"""Classes that a program implements, or that Hypothesis or the registry calls."""

BOMBS: Final = ("nested", "wide", "layered", "huge", "deep")

RESULTS: Final = {"Action", "RepairReport", "CollectReport", "Holder", "RemoveReport", "RootEntry"}
INSIDE: Final = {
    "Archive",
    "Blobs",
    "DockerArchive",
    "Edit",
    "Finding",
    "Storage",
    *RESULTS,
    *FOREIGN,
}
"""Classes whose instances programs do not make."""

TAKEN_ABROAD: Final = {"check_store.settings", "LoopbackRegistry.ssl_context", "documents.models"}
"""Arguments that are instances of a class of another library, of which none is made here."""


async def _later() -> None: ...


def _closed() -> io.BytesIO:
    file = io.BytesIO(b"x")
    file.close()
    return file


# Each with the words of annotations that allow it.
WRONG: Final[dict[str, tuple[Callable[[], object], set[str]]]] = {
    "None": (lambda: None, {"None", "Optional"}),
    "an int": (lambda: 5, {"int", "float"}),
    "a float": (lambda: 1.5, {"float"}),
    "a string": (lambda: "text", {"str", "Digest", "Literal", "IDS"}),
    "bytes": (lambda: b"bytes", {"bytes"}),
    "a path": (lambda: Path("nowhere"), {"PathLike", "Path"}),
    "a list": (lambda: [5], {"list", "Container"}),
    "bytes in a list": (lambda: [b"name"], {"bytes"}),
    "a dict": (lambda: {5: 5}, {"K", "Container"}),
    "an object": (object, set()),
    "a class": (lambda: Layout, {"Callable", "Fault"}),
    "a closed file": (_closed, set()),
    "a text stream": (lambda: io.StringIO("text"), set()),
    "a datetime without a zone": (lambda: datetime(2026, 1, 2), {"datetime"}),  # noqa: DTZ001
    "a coroutine": (_later, set()),
    "a generator": (lambda: iter([5]), {"bytes"}),
}

# What names in annotations stand for.
ALIASES: Final = {
    "BlobSource": "bytes | bytearray | memoryview | str | PathLike | Readable",
    "Content": "bytes | Path | Content",
    "CredentialFinder": "Callable",
    "Document": "Document",
    "Durability": "Literal",
    "Fault": "Callable",
    "File": "str | PathLike",
    "Report": "Callable",
    "Severity": "Literal",
    "Target": "Descriptor | Digest | str",
    "Untagged": "Literal",
    "When": "Callable",
    "Writable": "Writable",
}


def _methods(of: type, home: str) -> Iterator[tuple[str, Called]]:
    for verb, member in inspect.getmembers(of, callable):
        ours = "ocilayout" in (getattr(member, "__module__", "") or "")
        if ours and not verb.startswith("_"):
            yield f"{home}{of.__name__}.{verb}", member


def _public() -> Iterator[tuple[str, Called]]:
    for verb in ("check_store", "content_of", "contents_of"):
        yield f"testing.machine.{verb}", getattr(machine, verb)
    for door in (ocilayout, ocilayout.registry, registry, strategies, fault, bomb):
        for name in getattr(door, "__all__", BOMBS):
            found = getattr(door, name)
            home = "" if door is ocilayout else f"{door.__name__.removeprefix('ocilayout.')}."
            if inspect.isfunction(found) or (inspect.isclass(found) and name not in INSIDE):
                yield home + name, found
            if inspect.isclass(found) and name not in FOREIGN and not name.endswith("Error"):
                yield from _methods(found, home)
    for found in (ArchiveBlobs, RepositoryBlobs):
        yield from _methods(found, "")


CALLS: Final = {
    name: called
    for name, called in _public()
    if not (inspect.isclass(called) and issubclass(called, BaseException))
    and any(given.name != "self" for given in inspect.signature(called).parameters.values())
}


class World:
    """Instances of all classes, and good arguments."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self.layout = Layout.create(path / "layout", durability="none")
        self.layout.blobs.put(DATA, media_type=OCI_LAYER)
        self.registry = stack.enter_context(LoopbackRegistry())
        self.registry.put_blob("team/app", DATA)
        self.repository = stack.enter_context(
            Repository(f"{self.registry.host}/team/app", patience=Patience(attempts=1))
        )
        write_archive(self.layout, [str(DESCRIPTOR.digest)], path / "a.tar")
        self.archive = stack.enter_context(Archive.open(path / "a.tar"))
        write_docker_archive(self.layout, {}, path / "d.tar")
        self.saved = stack.enter_context(DockerArchive.open(path / "d.tar"))
        self.edit = self.layout.edit().__enter__()  # and never committed

    def owner(self, name: str) -> object:
        """Return an instance of a class."""
        made: dict[str, Callable[[], object]] = {
            "Archive": lambda: self.archive,
            "DockerArchive": lambda: self.saved,
            "ArchiveBlobs": lambda: self.archive.blobs,
            "Answer": Answer,
            "BasicAuth": lambda: registry.BasicAuth({}),
            "Blobs": lambda: self.layout.blobs,
            "Edit": lambda: self.edit,
            "FrozenMap": lambda: ocilayout.FrozenMap({}),
            "Layout": lambda: self.layout,
            "LoopbackRegistry": lambda: self.registry,
            "Problem": lambda: Problem(code="a", message="b"),
            "Proxies": Proxies,
            "Repository": lambda: self.repository,
            "RepositoryBlobs": lambda: self.repository.blobs,
            "Patience": Patience,
            "Rule": lambda: registry.Rule("GET blob", fault.gzip()),
            "Schema1Manifest": Schema1Manifest,
            "Stall": fault.Stall,
            "Storage": registry.Storage,
            "Timeouts": Timeouts,
            "TokenAuth": lambda: registry.TokenAuth({}),
            "Tree": lambda: Tree({}),
        }
        return made[name]()

    def good(self, parameter: inspect.Parameter) -> object:
        """Return what a parameter takes."""
        by_name: dict[str, Callable[[], object]] = {
            "descriptor": lambda: DESCRIPTOR,
            "expected": lambda: DESCRIPTOR,
            "config": lambda: DESCRIPTOR,
            "digest": lambda: str(DESCRIPTOR.digest),
            "subject": lambda: DESCRIPTOR.digest,
            "path": lambda: self.path / os.urandom(4).hex(),
            "target": lambda: DESCRIPTOR,
            "source": lambda: self.layout,
            "media_type": lambda: OCI_LAYER,
            "document": lambda: MANIFEST,
            "documents": lambda: [MANIFEST],
            "platform": lambda: Platform.parse("linux/amd64"),
            "name_or_digest": lambda: str(DESCRIPTOR.digest),
            "on": lambda: "GET blob",
            "host": lambda: "x.io",
            "repository": lambda: "team/app",
            "url": lambda: "https://x.io/",
            "place": lambda: "$",
            "rootfs": ocilayout.RootFs,
            "kind": lambda: "done",
            "verb": lambda: "tag",
            "model": lambda: ocilayout.Index,
            "adapter": LayoutAdapter,
            "text": lambda: "linux/amd64",
        }
        annotation = str(parameter.annotation)
        if parameter.name in by_name and not (parameter.name == "source" and "Blob" in annotation):
            return by_name[parameter.name]()
        for word, value in (
            ("str", "text"), ("bytes", DATA), ("bool", True), ("int", 1), ("float", 1.0),
            ("Callable", bool), ("Mapping", {}), ("dict", {}), ("tuple", ()), ("Iterable", ()),
            ("Collection", ()), ("list", []), ("Fault", fault.gzip()), ("BlobSource", DATA),
            ("Content", CONTENTS[0]), ("Descriptor", DESCRIPTOR), ("Digest", DESCRIPTOR.digest),
        ):  # fmt: skip
            if word in _words(annotation):
                return value
        return None


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, since a good path is made where the test runs."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield World(path, stack)


def _words(annotation: str) -> set[str]:
    words = set(re.findall(r"\w+", annotation))
    return words.union(*(re.findall(r"\w+", ALIASES[word]) for word in words & ALIASES.keys()))


def _wrong_for(annotation: str) -> Iterator[tuple[str, object]]:
    words = _words(annotation)
    if words & {"object", "Any", "Json", "T", "M"} - ({"M"} if "type" in words else set()):
        return
    for kind, (make, allowed) in WRONG.items():
        fits = kind in ("a list", "a dict") and "Collection[int]" in annotation
        if not words & allowed and not fits and not (kind == "a class" and "type" in words):
            yield kind, make()


def _bound(name: str, world: World) -> Called:
    called = CALLS[name]
    owner, _, verb = name.rpartition(".")
    if inspect.isfunction(called) and "self" in inspect.signature(called).parameters:
        found: Called = getattr(world.owner(owner.rpartition(".")[2]), verb)
        return found
    return called


def _call(called: Called, arguments: dict[str, object]) -> object:
    first = [
        arguments.pop(given.name)
        for given in inspect.signature(called).parameters.values()
        if given.kind is given.POSITIONAL_ONLY and given.name in arguments
    ]
    return called(*first, **arguments)


def _refusal(called: Called, arguments: dict[str, object], wrong: str) -> str:
    """Return the message of the refusal, or what happened in its place."""
    try:
        found = _call(called, arguments)
    except OciLayoutError as error:
        return "" if "NoneType" not in str(error) else repr(error)
    except (TypeError, ValueError) as error:
        return "" if wrong in str(error) else repr(error)
    except Exception as error:  # noqa: BLE001 # any other is a failure
        return repr(error)
    return f"was taken: {found!r}"


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_type_is_refused_by_name(name: str, world: World) -> None:
    """The error is ours, or a `TypeError` or `ValueError` that names the argument."""
    called = _bound(name, world)
    parameters = [
        given
        for given in inspect.signature(called).parameters.values()
        if given.kind not in (given.VAR_POSITIONAL, given.VAR_KEYWORD)
    ]
    bad = []
    for parameter in parameters:
        if f"{name.rpartition('.')[2]}.{parameter.name}" in TAKEN_ABROAD:
            continue
        for kind, value in _wrong_for(str(parameter.annotation)):
            needed = [given for given in parameters if given.default is given.empty]
            arguments = {given.name: world.good(given) for given in needed}
            refusal = _refusal(called, {**arguments, parameter.name: value}, parameter.name)
            if refusal:
                bad.append(f"{parameter.name}={kind}: {refusal}")
            if inspect.iscoroutine(value):
                value.close()
    assert not bad


def test_names_are_never_one_string() -> None:
    """A single string where names are wanted is refused, and the message shows the list."""
    with pytest.raises(ArgumentError, match=r"names must be .*, not one string; give \['a'\]"):
        copy_all(Layout("x"), "a", Layout("y"))


def _imported(module: ModuleType) -> dict[str, object]:
    """Return what a module imports, also for type checkers alone."""
    found: dict[str, object] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            home = import_module(node.module)
            names = [one.name for one in node.names if hasattr(home, one.name)]
            found.update({name: getattr(home, name) for name in names})
    return found


@pytest.mark.parametrize("name", CALLS)
def test_annotations_mean_what_type_checkers_read(name: str) -> None:
    """A name that is imported for type checkers alone is found, and is the same thing."""
    called: Any = CALLS[name]
    module = import_module(called.__module__)
    imported = _imported(module)
    names = _Names(module.__name__)
    function = called.__init__ if inspect.isclass(called) else called
    for parameter in inspect.signature(function).parameters.values():
        if isinstance(parameter.annotation, str):
            for word in {*re.findall(r"\w+", parameter.annotation)} & imported.keys():
                assert names[word] is imported[word], word
