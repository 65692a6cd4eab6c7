"""Strategies for values: digests, types, names, references, platforms, descriptors."""

# No `from __future__ import annotations`: a strategy here has that name.

import string
from collections.abc import Sequence
from functools import cache
from typing import Any

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ocilayout import model
from ocilayout.layout import RootEntry
from ocilayout.model import (
    REF_NAME,
    Descriptor,
    Digest,
    FrozenMap,
    Platform,
    Reference,
    is_ref_name,
)
from ocilayout.signature import checked
from ocilayout.testing.strategies.text import KEYS, TEXT, extras, texts

_BYTES = {"sha256": 32, "sha384": 48, "sha512": 64, "blake3": 32}
_ALGORITHMS = (*_BYTES, "md5", "multihash+base58", "x.y_z-0")
_ALNUM = string.ascii_letters + string.digits
_LOWER = string.ascii_lowercase + string.digits
_MAX_INT64 = 2**63 - 1
_MEDIA_TYPES = sorted(
    value
    for name, value in vars(model).items()
    if name.startswith(("OCI_", "DOCKER_")) and "/" in value
)


@cache
def computable() -> tuple[str, ...]:
    """Return the algorithms whose digests can be computed here; BLAKE3 needs a package."""
    return tuple(
        name for name, size in _BYTES.items() if Digest.parse(f"{name}:{'00' * size}").verifiable
    )


@checked
def digests(algorithms: Sequence[str] = _ALGORITHMS) -> SearchStrategy[Digest]:
    """Give digests, of no content in particular.

    Args:
        algorithms: Their algorithms; by default the registered ones, and some unknown ones.
    """

    def of(algorithm: str) -> SearchStrategy[Digest]:
        length = _BYTES.get(algorithm)
        encoded = (
            st.text(_ALNUM + "=_-", min_size=1, max_size=12)
            if length is None
            else st.binary(min_size=length, max_size=length).map(bytes.hex)
        )
        return encoded.map(lambda text: Digest.parse(f"{algorithm}:{text}"))

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


@checked
def annotations(*, max_size: int = 40) -> SearchStrategy[FrozenMap[str, str]]:
    """Give annotations: none, a few, or many.

    Args:
        max_size: How many there are at most.
    """
    few = st.dictionaries(KEYS, TEXT, max_size=min(4, max_size))
    many = st.integers(max_size // 2, max_size).map(
        lambda count: {f"k{number % 7}.{number}": str(number) for number in range(count)}
    )
    return st.one_of(few, few, few, many).map(FrozenMap)


def platforms() -> SearchStrategy[Platform]:
    """Give platforms, common ones and any others."""
    return st.builds(
        Platform,
        architecture=st.sampled_from(["amd64", "arm64", ""]) | TEXT,
        os=st.sampled_from(["linux", "windows"]) | TEXT,
        os_version=st.none() | TEXT,
        os_features=texts(),
        variant=st.none() | st.just("v8") | TEXT,
        extra=extras(Platform),
    )


@checked
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
        algorithm=st.sampled_from(computable()),
        media_type=types,
        digest=digests(),
        size=st.sampled_from([0, 2, _MAX_INT64]) | st.integers(0, _MAX_INT64),
        urls=texts(),
        annotations=annotations(),
        platform=st.none() | platforms(),
        artifact_type=st.none() | TEXT,
        extra=extras(Descriptor),
    )


def root_entries() -> SearchStrategy[RootEntry]:
    """Give entries of a root index as `Layout.entries` does: the descriptor has no annotations."""

    def entry(name: str | None, described: Descriptor, noted: FrozenMap[str, str]) -> RootEntry:
        kept = FrozenMap({key: text for key, text in noted.items() if key != REF_NAME})
        return RootEntry(name=name, descriptor=described, annotations=kept)

    bare = descriptors().map(lambda described: evolve(described, annotations=FrozenMap()))
    return st.builds(entry, st.none() | ref_names(), bare, annotations())
