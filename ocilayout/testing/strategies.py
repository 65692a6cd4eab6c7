"""Hypothesis strategies for the values and documents of the specification.

They are the one home of strategies. What they give is valid, and as odd as valid may be: unknown
properties, Unicode, maps that are empty or large, documents that refer to subjects. Broken
documents are not here. Of the package only this module needs Hypothesis.
"""

# No `from __future__ import annotations`: a strategy here has that name.

import string
from collections.abc import Collection, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ocilayout import mediatype
from ocilayout.annotations import (
    CONTAINERD_IMAGE_NAME,
    CREATED,
    LOCAL_BUILD,
    REF_NAME,
    TITLE,
)
from ocilayout.config import ContainerConfig, History, ImageConfig, RootFs
from ocilayout.descriptor import Descriptor, Platform
from ocilayout.digest import Digest
from ocilayout.field import Extensible, known_keys
from ocilayout.frozenmap import FrozenMap, Json
from ocilayout.index import Index
from ocilayout.manifest import Manifest
from ocilayout.mediatype import INDEX_TYPES, MANIFEST_TYPES, OCI_INDEX
from ocilayout.reference import Reference, is_ref_name

_BYTES = {"sha256": 32, "sha384": 48, "sha512": 64, "blake3": 32}
_ALGORITHMS = (*_BYTES, "md5", "multihash+base58", "x.y_z-0")
_ALNUM = string.ascii_letters + string.digits
_LOWER = string.ascii_lowercase + string.digits
_MAX_INT64 = 2**63 - 1

# What JSON writers stumble over: quotes before colons, backslashes, what Go escapes for the sake
# of HTML, line separators, a character outside of the basic plane, combining and control ones.
_ODD = st.sampled_from(
    ['":', '\\":', "\\", '"', "<>&", "\u2028\u2029", "\U0001f433", "e\u0301", "\0", "\x7f", " :"]
)
_TEXT = st.one_of(st.text(st.characters(codec="utf-8"), max_size=8), _ODD)
_ORDER = st.integers(0, 3)
_MEDIA_TYPES = sorted(
    value for name, value in vars(mediatype).items() if name.startswith(("OCI_", "DOCKER_"))
)
_KEYS = st.one_of(
    st.sampled_from(["", "x", "com.example.note", CREATED, TITLE, "Manifests", "a b"]), _TEXT
)


def json_values() -> SearchStrategy[Json]:
    """Give JSON values of every kind, nested a few levels deep; numbers are finite."""
    leaves: SearchStrategy[Json] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64),
        st.floats(allow_nan=False, allow_infinity=False),
        _TEXT,
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(_TEXT, inner, max_size=3)
        ),
        max_leaves=5,
    )


def digests(algorithms: Sequence[str] = _ALGORITHMS) -> SearchStrategy[Digest]:
    """Give digests, of no content in particular.

    Args:
        algorithms: Their algorithms; by default the registered ones, and some that nobody knows.
    """

    def of(algorithm: str) -> SearchStrategy[Digest]:
        length = _BYTES.get(algorithm)
        encoded = (
            st.text(_ALNUM + "=_-", min_size=1, max_size=12)
            if length is None
            else st.binary(min_size=length, max_size=length).map(bytes.hex)
        )
        return encoded.map(lambda text: Digest(f"{algorithm}:{text}"))

    return st.one_of([of(algorithm) for algorithm in algorithms])


def media_types() -> SearchStrategy[str]:
    """Give media types: those that a store knows, and any others of the grammar."""
    name = st.builds(
        str.__add__,
        st.sampled_from(_ALNUM),
        st.text(_ALNUM + "!#$&-^_.+", max_size=10),
    )
    return st.one_of(st.sampled_from(_MEDIA_TYPES), st.builds(lambda a, b: f"{a}/{b}", name, name))


def ref_names() -> SearchStrategy[str]:
    """Give names of the ref.name grammar, some of them whole registry references."""
    words = st.text(_ALNUM, min_size=1, max_size=4)
    separators = st.sampled_from([*"-._:@+/", "--"])
    return st.one_of(
        st.sampled_from(["latest", "v1.0.0", "alpine:latest", "ghcr.io/org/skill:v1", "A", "a"]),
        st.builds(
            lambda head, tail: head + "".join(map("".join, tail)),
            words,
            st.lists(st.tuples(separators, words), max_size=3),
        ),
    ).filter(is_ref_name)


def references() -> SearchStrategy[Reference]:
    """Give registry references: hosts by name and by address, with and without tag and digest."""
    label = st.builds(str.__add__, st.sampled_from(_ALNUM), st.text(_ALNUM + "-", max_size=4)).map(
        lambda text: text.rstrip("-")
    )
    domain = st.lists(label, min_size=2, max_size=3).map(".".join)
    hosts = st.one_of(
        st.sampled_from(["docker.io", "localhost", "ghcr.io", "127.0.0.1", "[::1]"]), domain
    )
    ports = st.one_of(st.just(""), st.integers(1, 65535).map(lambda port: f":{port}"))
    component = st.builds(
        lambda head, tail: head + "".join(map("".join, tail)),
        st.text(_LOWER, min_size=1, max_size=4),
        st.lists(
            st.tuples(
                st.sampled_from([".", "_", "__", "-", "---"]),
                st.text(_LOWER, min_size=1, max_size=3),
            ),
            max_size=2,
        ),
    )
    # Two components at least: Docker Hub has none of one.
    repositories = st.lists(component, min_size=2, max_size=4).map("/".join)
    tags = st.builds(
        str.__add__, st.sampled_from(_ALNUM + "_"), st.text(_ALNUM + "_.-", max_size=127)
    )
    return st.builds(
        Reference,
        host=st.builds(str.__add__, hosts, ports),
        repository=repositories,
        tag=st.none() | tags,
        digest=st.none() | digests(),
    )


def annotations() -> SearchStrategy[FrozenMap[str, str]]:
    """Give annotations: none, a few, or many."""
    few = st.dictionaries(_KEYS, _TEXT, max_size=4)
    many = st.integers(20, 40).map(
        lambda count: {f"k{number % 7}.{number}": str(number) for number in range(count)}
    )
    return st.one_of(few, few, few, many).map(FrozenMap)


def platforms() -> SearchStrategy[Platform]:
    """Give platforms, common ones and any others."""
    return st.builds(
        Platform,
        architecture=st.sampled_from(["amd64", "arm64", ""]) | _TEXT,
        os=st.sampled_from(["linux", "windows"]) | _TEXT,
        os_version=st.none() | _TEXT,
        os_features=_texts(),
        variant=st.none() | st.just("v8") | _TEXT,
        extra=_extras(Platform),
    )


def descriptors(types: SearchStrategy[str] | None = None) -> SearchStrategy[Descriptor]:
    """Give descriptors, some of which embed their content; without it nothing has their digest.

    Args:
        types: Their media types; all by default.
    """
    # Deferred, because Hypothesis writes out a strategy that is filtered, and this one is long.
    return st.deferred(lambda: _descriptors(media_types() if types is None else types))


def _descriptors(types: SearchStrategy[str]) -> SearchStrategy[Descriptor]:
    def described(data: bytes | None, algorithm: str, **rest: Any) -> Descriptor:  # noqa: ANN401
        if data is not None:
            rest |= {"data": data, "digest": Digest.of(data, algorithm), "size": len(data)}
        return Descriptor(**rest)

    return st.builds(
        described,
        data=st.none() | st.none() | st.binary(max_size=20),
        algorithm=st.sampled_from(
            [name for name, size in _BYTES.items() if Digest(f"{name}:{'00' * size}").verifiable]
        ),
        media_type=types,
        digest=digests(),
        size=st.sampled_from([0, 2, _MAX_INT64]) | st.integers(0, _MAX_INT64),
        urls=_texts(),
        annotations=annotations(),
        platform=st.none() | platforms(),
        artifact_type=st.none() | _TEXT,
        extra=_extras(Descriptor),
    )


def manifests() -> SearchStrategy[Manifest]:
    """Give manifests, OCI and Docker ones, with and without a subject."""
    return st.builds(
        Manifest,
        media_type=st.none() | st.sampled_from(sorted(MANIFEST_TYPES)),
        artifact_type=st.none() | _TEXT,
        config=descriptors(),
        layers=st.lists(descriptors(), max_size=2),
        subject=st.none() | descriptors(),
        annotations=annotations(),
        extra=_extras(Manifest, "manifests"),
    )


def indexes() -> SearchStrategy[Index]:
    """Give indexes and Docker manifest lists, with and without a subject."""
    return st.builds(
        Index,
        media_type=st.none() | st.sampled_from(sorted(INDEX_TYPES)),
        artifact_type=st.none() | _TEXT,
        manifests=st.lists(descriptors(), max_size=3),
        subject=st.none() | descriptors(),
        annotations=annotations(),
        extra=_extras(Index, "config", "layers"),
    )


def configs() -> SearchStrategy[ImageConfig]:
    """Give image configurations."""
    nothing: dict[str, Json] = {}
    ports = st.dictionaries(_TEXT, st.just(nothing), max_size=2)
    execution = st.builds(
        ContainerConfig,
        user=st.none() | _TEXT,
        exposed_ports=ports,
        env=_texts(),
        entrypoint=_texts(),
        cmd=_texts(),
        volumes=ports,
        working_dir=st.none() | _TEXT,
        labels=annotations(),
        stop_signal=st.none() | st.just("SIGTERM"),
        extra=_extras(ContainerConfig),
    )
    step = st.builds(
        History,
        created=st.none() | _times(),
        created_by=st.none() | _TEXT,
        author=st.none() | _TEXT,
        comment=st.none() | _TEXT,
        empty_layer=st.none() | st.booleans(),
        extra=_extras(History),
    )
    return st.builds(
        ImageConfig,
        created=st.none() | _times(),
        author=st.none() | _TEXT,
        architecture=_TEXT,
        os=_TEXT,
        os_version=st.none() | _TEXT,
        os_features=_texts(),
        variant=st.none() | _TEXT,
        config=st.none() | execution,
        rootfs=st.builds(RootFs, diff_ids=st.lists(digests(), max_size=2), extra=_extras(RootFs)),
        history=st.lists(step, max_size=2),
        extra=_extras(ImageConfig),
    )


def root_index_documents() -> SearchStrategy[dict[str, Json]]:
    """Give root indexes as parsed JSON, with all that tools are known to leave in them.

    There are unknown properties at every level, and odd orders; `manifests` is an array, null or
    absent; a few names and digests are shared by several entries, and some have no name. Not all
    names follow the ref.name grammar, and an empty one is none.
    """
    return st.deferred(_root_index_documents)  # as in descriptors()


def _root_index_documents() -> SearchStrategy[dict[str, Json]]:
    entries = st.lists(_root_entries(), max_size=2) | st.lists(
        _root_entries(), min_size=2, max_size=6
    )
    required: dict[str, SearchStrategy[Json]] = {"schemaVersion": st.just(2)}
    choices: dict[str, SearchStrategy[Json]] = {
        "mediaType": st.just(OCI_INDEX),
        "annotations": _annotations_or_null(),
        "subject": _objects(_root_content(), {}, Descriptor).map(_as_json),
        "artifactType": st.none() | _TEXT,
    }
    filled = {**required, "manifests": entries.map(_as_json)}
    empty = {**choices, "manifests": st.none()}
    documents = st.one_of(
        *[_objects(filled, choices, Index, "config", "layers")] * 3,
        _objects(required, empty, Index, "config", "layers"),
    )
    names = st.lists(ref_names() | _TEXT, min_size=1, max_size=3, unique=True)
    content = st.lists(digests(), min_size=1, max_size=3, unique=True)
    return st.builds(_with_pool, documents, names, content)


def _with_pool(
    document: dict[str, Json], names: Sequence[str], content: Sequence[Digest]
) -> dict[str, Json]:
    """Put a name or a digest in the place of every number that stands for one."""
    entries: Any = [*_members(document.get("manifests")), *_members([document.get("subject")])]
    for entry in entries:
        if entry is not None:
            entry["digest"] = str(content[entry["digest"] % len(content)])
            noted = entry.get("annotations") or {}
            for key in (REF_NAME, CONTAINERD_IMAGE_NAME):
                if isinstance(noted.get(key), int):
                    noted[key] = names[noted[key] % len(names)]
    return document


def _members(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _root_content() -> dict[str, SearchStrategy[Json]]:
    return {
        "mediaType": media_types(),
        "digest": st.integers(0, 2),
        "size": st.integers(0, _MAX_INT64),
    }


def _root_entries() -> SearchStrategy[dict[str, Json]]:
    places = st.integers(0, 2)
    others: dict[str, SearchStrategy[Json]] = {
        LOCAL_BUILD: st.sampled_from(["true", "false"]),
        CONTAINERD_IMAGE_NAME: st.just("docker.io/library/x:1") | places,
        "com.example.note": _TEXT,
        CREATED: st.just("2024-01-02T03:04:05Z"),
    }
    named = _annotated({REF_NAME: places}, others)
    nameless = _annotated({}, {REF_NAME: st.just(""), **others})
    choices: dict[str, SearchStrategy[Json]] = {
        "urls": st.lists(_TEXT, max_size=2).map(_as_json),
        "platform": _objects(
            {"os": st.just("linux"), "architecture": st.just("amd64")}, {}, Platform
        ).map(_as_json),
        "artifactType": st.none() | _TEXT,
    }
    with_name = _objects({**_root_content(), "annotations": named}, choices, Descriptor)
    without = {**choices, "annotations": st.none() | nameless}
    return st.one_of(with_name, with_name, _objects(_root_content(), without, Descriptor))


def _annotated(
    required: dict[str, SearchStrategy[Json]], choices: dict[str, SearchStrategy[Json]]
) -> SearchStrategy[Json]:
    return st.builds(_ordered, st.fixed_dictionaries(required, optional=choices), _ORDER).map(
        _as_json
    )


def _annotations_or_null() -> SearchStrategy[Json]:
    return st.one_of(st.none(), st.dictionaries(_KEYS, _TEXT, max_size=2)).map(_as_json)


def _objects(
    required: dict[str, SearchStrategy[Json]],
    choices: dict[str, SearchStrategy[Json]],
    model: type[Extensible],
    *others: str,
) -> SearchStrategy[dict[str, Json]]:
    """Give objects of a model with unknown properties among the known ones."""
    known = st.fixed_dictionaries(required, optional=choices)
    unknown = st.dictionaries(_unknown_names(model, others), json_values(), max_size=2)
    return st.builds(lambda *parts: _ordered(parts[0] | parts[1], parts[2]), known, unknown, _ORDER)


def _ordered(members: dict[str, Json], order: int) -> dict[str, Json]:
    """Return the same object in one of four orders; to try all of them would be slow."""
    pairs = list(members.items())
    middle = len(pairs) // 2
    orders = [
        pairs,
        pairs[::-1],
        pairs[middle:] + pairs[:middle],
        [(name, members[name]) for name in sorted(members)],
    ]
    return dict(orders[order])


def _as_json(value: Any) -> Json:  # noqa: ANN401 # it is JSON by construction; lists are invariant
    found: Json = value
    return found


def _texts() -> SearchStrategy[tuple[str, ...]]:
    return st.lists(_TEXT, max_size=2).map(tuple)


def _times() -> SearchStrategy[str]:
    return st.sampled_from(
        ["2024-01-02T03:04:05Z", "0001-01-01T00:00:00.000000001+23:59", "2016-12-31t23:59:60z"]
    )


def _unknown_names(model: type[Extensible], others: Collection[str]) -> SearchStrategy[str]:
    known = {*known_keys(model), *others}
    return _KEYS.filter(lambda name: name.casefold() not in known)


def _extras(model: type[Extensible], *others: str) -> SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.just({}),
        st.dictionaries(_unknown_names(model, others), json_values(), max_size=2),
    )
