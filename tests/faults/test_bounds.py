"""Hostile inputs cost no more than a bounded multiple of their size, through every verb.

Each command runs in a process of its own whose memory and processor time are limited by the
operating system. The limits are several times what is needed today and a fraction of what an
input without bounds would take, so no wall-clock time is looked at. With the profile `deep` every
verb meets every input and indexes are larger; otherwise each input meets some verbs, and each verb
some inputs.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ocilayout.model.annotation import REF_NAME
from ocilayout.model.digest import Digest
from ocilayout.model.limit import MAX_DOCUMENT, MAX_NODES
from ocilayout.model.mediatype import OCI_EMPTY, OCI_MANIFEST
from tests.effort import examples
from tests.faults.verb import Runner, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.verb import Run

    RunIt = Callable[..., Run]

MEMORY = 1024**3  # of the child altogether, in bytes
SECONDS = 60  # of processor time of the child
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
MANY = 100_000 if DEEP else 12_000  # more than the 10,000 problems that are told of a kind
EACH = 1 if DEEP else examples(5, 7)  # of how many verbs one meets an input

DENSE = b'{"":{}},'


def put(root: Path, data: bytes, media_type: str) -> dict[str, Any]:
    """Write a blob, and return its descriptor."""
    digest = Digest.of(data)
    path = root / "blobs" / "sha256" / digest.encoded
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"mediaType": media_type, "digest": str(digest), "size": len(data)}


def manifest(root: Path, more: bytes = b"") -> dict[str, Any]:
    """Write a manifest that has more in it, as text behind its last property."""
    empty = put(root, b"{}", OCI_EMPTY)
    members = {"schemaVersion": 2, "artifactType": "a/b", "config": empty, "layers": [empty]}
    return put(root, json.dumps(members).encode()[:-1] + more + b"}", OCI_MANIFEST)


def save(root: Path, entries: str, before: str = "") -> None:
    """Write the two documents of a layout."""
    (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (root / "index.json").write_text(
        f'{{"schemaVersion":2,{before}"manifests":[{entries}]}}', encoding="utf-8"
    )


def enter(root: Path, *descriptors: dict[str, Any]) -> None:
    """Give each manifest a name: v0, v1 and so on."""
    entries = [
        {**descriptor, "annotations": {REF_NAME: f"v{number}"}}
        for number, descriptor in enumerate(descriptors)
    ]
    save(root, ",".join(map(json.dumps, entries)))


def noted(root: Path, notes: str) -> str:
    """Return the text of an entry named v0 with more annotations."""
    entry = {**manifest(root), "annotations": {REF_NAME: "v0"}}
    return json.dumps(entry).removesuffix("}}") + f",{notes}}}}}"


# ---------------------------------------------------------------- layouts


def many_nodes(root: Path) -> None:
    """Manifests of 4 MiB with an unknown property of small objects."""
    dense = DENSE * ((MAX_DOCUMENT - 1000) // len(DENSE))
    enter(root, *(manifest(root, b',"x%d":[%s1]' % (n, dense)) for n in range(6)))


def nearly_many_nodes(root: Path) -> None:
    """Manifests that have as many nodes as are read."""
    dense = DENSE * (MAX_NODES // 4 - 100)
    enter(root, *(manifest(root, b',"x%d":[%s1]' % (n, dense)) for n in range(6)))


def many_problems(root: Path) -> None:
    """A manifest with a problem in each of its layers, and one in each of its annotations."""
    layers = b",".join([b'{"size":-1,"digest":"x"}'] * 50_000)
    wrong = b'{"schemaVersion":2,"config":{},"layers":[%s]}' % layers
    notes = b",".join(b'"%d":%d' % (number, number) for number in range(100_000))
    enter(root, put(root, wrong, OCI_MANIFEST), manifest(root, b',"annotations":{%s}' % notes))


def long_places(root: Path) -> None:
    """A property twice, below names of 30 KB each, beside very many values."""
    inner = b'{"a":1,"a":2,"b":[%s0]}' % (b"0," * 200_000)
    for _ in range(100):
        inner = b'{"%s":%s}' % (b"k" * 30_000, inner)
    enter(root, manifest(root, b',"x":' + inner))


def deep(root: Path) -> None:
    """An index that only opens arrays, and a manifest that does."""
    enter(root, manifest(root, b',"x":' + b"[" * 1_000_000))


def deep_index(root: Path) -> None:
    """An index that only opens arrays."""
    save(root, "[" * 4_000_000)


def wrong_annotations(root: Path) -> None:
    """An index of one entry with a million annotations that are not strings."""
    save(root, noted(root, ",".join(f'"{number}":1' for number in range(1_000_000))))


def right_annotations(root: Path) -> None:
    """An index of one entry with as many annotations as are read, more than are told wrong."""
    save(root, noted(root, ",".join(f'"{n}":"x"' for n in range(MAX_NODES // 2 - 100))))


def tiny_entries(root: Path) -> None:
    """An index of very many entries with next to nothing in each."""
    save(root, ",".join(['{"digest":""}'] * 300_000))


def empty_entries(root: Path) -> None:
    """An index of very many entries with nothing in each."""
    save(root, ",".join(["{}"] * 1_000_000))


def dense_entries(root: Path) -> None:
    """An index of entries that each have fewer nodes than are read, and too many together."""
    entry = json.dumps({**manifest(root), "annotations": {REF_NAME: "v0"}})
    dense = DENSE.decode() * (MAX_NODES // 4 - 100)
    save(root, ",".join([entry.removesuffix("}") + f',"x":[{dense}1]}}'] * 8))


def dense_shell(root: Path) -> None:
    """An index with very many values before its entries."""
    save(root, "", before=f'"x":[{DENSE.decode() * 1_000_000}1],')


LAYOUTS: list[Callable[[Path], None]] = [
    many_nodes,
    nearly_many_nodes,
    many_problems,
    long_places,
    deep,
    deep_index,
    wrong_annotations,
    right_annotations,
    tiny_entries,
    empty_entries,
    dense_entries,
    dense_shell,
]
VERBS = {
    "ls": ["ls", "{}"],
    "inspect": ["inspect", "{}", "v0"],
    "cat": ["cat", "{}", "v0"],
    "tree": ["tree", "{}"],
    "referrers": ["referrers", "{}", "v0"],
    "tag": ["tag", "{}", "v0", "other"],
    "untag": ["untag", "{}", "v0"],
    "annotate": ["annotate", "{}", "v0", "a.b=c"],
    "rm": ["rm", "{}", "v0"],
    "cp": ["cp", "oci:{}", "oci:{}.copy", "--all", "--referrers"],
    "cp to an archive": ["cp", "oci:{}", "oci-archive:{}.tar", "--all", "--referrers"],
    "check": ["check", "{}"],
    "repair": ["repair", "{}"],
    "gc": ["gc", "{}"],
}


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """Run the program that runs commands within the limits."""
    with Runner(SECONDS, MEMORY, 2**40) as running:
        yield running


@pytest.fixture
def run(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> RunIt:
    """Return a function that runs a command, which must end with an answer or one error."""
    answers = tmp_path_factory.mktemp("answers")

    def run(*arguments: str) -> Run:
        done = runner.run_in(answers, answers, Verb("", arguments))
        runner.begin()
        assert done.status in (0, 1), (arguments, done.status, done.err[-2000:])
        assert "Traceback" not in done.err
        assert "MemoryError" not in done.err
        assert len(done.err) < 64 * 1024
        return done

    return run


@pytest.mark.parametrize("make", LAYOUTS, ids=lambda make: make.__name__)
def test_a_hostile_layout_through_every_verb(
    make: Callable[[Path], None], run: RunIt, tmp_path: Path
) -> None:
    """Whatever a layout holds, every verb ends within bounds, with an answer or one error."""
    some = list(VERBS.items())[LAYOUTS.index(make) % EACH :: EACH]
    for number, (verb, words) in enumerate(some):
        root = tmp_path / f"{number}"
        root.mkdir()
        make(root)
        done = run(*(word.replace("{}", str(root)) for word in words))
        if done.status == 1 and verb not in ("check", "repair"):
            assert done.err.startswith("Error: ")
            assert done.err.count("\n") == 1


# ---------------------------------------------------------------- archives


def packed(*members: bytes) -> bytes:
    """Compress a tar of some members."""
    return gzip.compress(b"".join(members) + bytes(1024), mtime=0)


def member(name: str, data: bytes = b"", kind: bytes = b"0") -> bytes:
    """Return a member of a tar."""
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data), kind
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


def huge(size: int, kind: bytes = b"0") -> bytes:
    """Return a tar whose only member is said to be large, and is not there."""
    info = tarfile.TarInfo("index.json")
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def bomb(size: int) -> bytes:
    """Return gzip of so many bytes of zeros behind the header of a member, in bytes."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as file:
        info = tarfile.TarInfo("x")
        info.size = size
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size // 1024**2):
            file.write(bytes(1024**2))
    return stream.getvalue()


ARCHIVES = {
    "global headers": lambda: packed(member("g", b"5 a=\n" * 20_000, b"g") * 600),
    "headers of members": lambda: packed(
        (member("x", b"5 a=\n" * 2000, b"x") + member("a")) * 6000
    ),
    "empty headers": lambda: packed(member("g", b"", b"g") * 120_000),
    "long names": lambda: packed((member("L", b"a/" * 400_000, b"L") + member("a")) * 60),
    "a bomb": lambda: bomb(320 * 1024**2),
    "a huge size": lambda: huge(8 * 1024**4),
    "a huge header": lambda: huge(8 * 1024**4, b"x"),
}
READING = {verb: VERBS[verb] for verb in ("ls", "inspect", "cat", "tree", "referrers", "cp")}


@pytest.mark.parametrize("what", ARCHIVES)
def test_a_hostile_archive_through_every_verb(what: str, run: RunIt, tmp_path: Path) -> None:
    """Whatever an archive holds, every verb that reads one ends within bounds, with one error."""
    path = tmp_path / "x.tar"
    path.write_bytes(ARCHIVES[what]())
    each = min(EACH, len(READING))
    for words in list(READING.values())[list(ARCHIVES).index(what) % each :: each]:
        first = words[1].removeprefix("oci:").replace("{}", f"oci-archive:{path}")
        done = run(words[0], first, *(word.replace("{}", str(path)) for word in words[2:]))
        assert done.status == 1
        assert done.err.startswith("Error: ")
        assert done.err.count("\n") == 1


def test_a_sparse_archive(run: RunIt, tmp_path: Path) -> None:
    """An archive of a tebibyte that is not on the disk is read where it says something."""
    path = tmp_path / "x.tar"
    info = tarfile.TarInfo("index.json")
    info.size = 1024**4 - 4096
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(1024**4)
    assert run("ls", f"oci-archive:{path}").status == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hello", "it is neither a tar nor a tar compressed with gzip"),
        (b"\x28\xb5\x2f\xfd" + bytes(600), "zstd -dc {} | ocilayout cp oci-archive:- oci:FOLDER"),
        (b"\xfd7zXZ\0" + bytes(600), "xz -dc {} | ocilayout cp oci-archive:- oci:FOLDER"),
        (b"BZh9" + bytes(600), "bzip2 -dc {} | ocilayout cp oci-archive:- oci:FOLDER"),
    ],
)
def test_what_is_not_an_archive(data: bytes, said: str, run: RunIt, tmp_path: Path) -> None:
    """A file that is not an archive is an error of one line that says what can read it."""
    path = tmp_path / "x"
    path.write_bytes(data)
    for words in (["ls", f"oci-archive:{path}"], ["cp", f"oci-archive:{path}", f"oci:{path}.copy"]):
        error = run(*words).err
        assert error.startswith(f"Error: {path} is not an OCI archive: ")
        assert error.endswith(said.format(path) + "\n")


def said_by(run: RunIt, *words: str) -> dict[str, Any]:
    """Return the JSON answer of a command."""
    said: dict[str, Any] = json.loads(run(*words, "--json").out)
    return said


def counted(problems: list[dict[str, Any]], severity: str) -> int:
    """Return how many problems of a severity are reported."""
    return sum(problem["severity"] == severity for problem in problems)


@pytest.mark.parametrize("verb", ["check", "repair --dry-run"])
def test_of_very_many_bad_entries_enough_are_told_and_all_are_counted(
    verb: str, run: RunIt, tmp_path: Path
) -> None:
    """A check reports 10,000 problems of each kind of an index, and counts the others."""
    entry = '{"mediaType":"a","digest":"x","size":-1'
    save(tmp_path, ",".join(f'{entry},"x":{number}}}' for number in range(MANY)))
    (tmp_path / "blobs").mkdir()
    said = said_by(run, *verb.split(), str(tmp_path))
    places = {problem["place"] for problem in said["problems"]}
    assert {f"index.json$.manifests[{number}].size" for number in range(10_000)} <= places
    assert said["errors"] == 3 * MANY
    more = [one for one in said["problems"] if one["code"] == "more-problems"]
    assert [(one["severity"], one["message"].split()[0], one["place"]) for one in more] == [
        ("error", str(MANY - 10_000), "index.json")
    ] * 3
    assert counted(said["problems"], "error") == 3 * 10_000 + 3


def test_of_very_many_entries_each_with_one_problem_enough_are_told(
    run: RunIt, tmp_path: Path
) -> None:
    """A kind of problem that is all over an index hides no other, and none of another file."""
    entry = {**manifest(tmp_path), "annotations": {REF_NAME: "v"}}
    gone = {"mediaType": "a/b", "size": 2}
    entries = [{**gone, "digest": f"sha256:{number:064x}"} for number in range(MANY)]
    save(tmp_path, ",".join(map(json.dumps, [*entries, entry, entry])))
    (tmp_path / "blobs" / "sha256" / ("f" * 64)).write_bytes(b"damaged")
    said = said_by(run, "check", str(tmp_path))
    codes = [problem["code"] for problem in said["problems"]]
    assert codes.count("dangling-entry") == 10_000
    assert {"duplicate-entry", "digest-mismatch"} <= set(codes)
    assert said["warnings"] == MANY
    said = said_by(run, "repair", str(tmp_path))
    assert len(said["actions"]) == MANY + 1 + 1


def test_of_values_that_are_not_entries_each_is_counted(run: RunIt, tmp_path: Path) -> None:
    """Values that are not entries are reported in part, and all are counted as errors."""
    save(tmp_path, ",".join(f'{{"{number}":1}}' for number in range(2 * MANY)))
    said = said_by(run, "check", str(tmp_path))
    assert said["errors"] == 3 * 10_000 + 2 * MANY - 10_000 + 1
    assert len(said["problems"]) < 50_000


def one_name(root: Path) -> None:
    """An index in which very many entries of different content have one name."""
    entry = {"mediaType": OCI_MANIFEST, "size": 10, "annotations": {REF_NAME: "latest"}}
    entries = [
        {**entry, "digest": f"sha256:{number:064x}"} for number in range(60_000 if DEEP else MANY)
    ]
    save(root, ",".join(map(json.dumps, entries)))


@pytest.mark.parametrize("words", ["ls", "check", "repair --dry-run", "cp --all"])
def test_very_many_entries_of_one_name(words: str, run: RunIt, tmp_path: Path) -> None:
    """What a name means is found without comparing each of its entries with each other one."""
    one_name(tmp_path)
    verb, *options = words.split()
    arguments = [str(tmp_path)] if verb != "cp" else [f"oci:{tmp_path}", f"oci:{tmp_path}.copy"]
    run(verb, *options, *arguments)
