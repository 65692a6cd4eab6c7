"""Choosing the manifest for one platform out of an index.

A platform takes what was made for it, or for an older variant of the same processor; the newest
of these is chosen. There is no step from one architecture to another, although some processors
could take it: who names a platform gets that one or an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ocilayout.errors import BlobNotFoundError, DocumentError, ReferenceNotFoundError
from ocilayout.model.codec import structure
from ocilayout.model.descriptor import Descriptor, Platform
from ocilayout.model.document import decode_document, require_document_size
from ocilayout.model.ijson import parse_json
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import DOCKER_CONFIG, DOCUMENT_TYPES, INDEX_TYPES, OCI_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocilayout.model.digest import Digest
    from ocilayout.model.frozenmap import Json

    Read = Callable[[Descriptor], bytes]

_VARIANT: Final = re.compile(r"v?([0-9]{1,3})(?:\.([0-9]{1,3}))?")

# What a platform means that names no variant; as containerd has it.
_DEFAULT_VARIANT: Final = {"amd64": "v1", "arm": "v7", "arm64": "v8"}

_CONFIG_TYPES: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_PLATFORM_KEYS: Final = frozenset({"architecture", "os", "os.version", "os.features", "variant"})


@frozen
class _Candidate:
    """A manifest that an index leads to, and what is said there of its platform."""

    descriptor: Descriptor
    platform: Platform | None


def select(root: Descriptor, platform: Platform | str, read: Read) -> Descriptor:
    """Return the manifest for a platform: out of an index, or the one that is given.

    An index inside an index is looked into. What an index says of a manifest's platform counts;
    of manifests of which it says nothing, and of one that is given itself, the config is asked.

    Args:
        root: An index, or a manifest.
        platform: What is wanted; a text is parsed. The version of the operating system matters
            only if one is wanted: that, or one that it begins, such as `10.0.17763` for
            `10.0.17763.5820`.
        read: Gives content, verified.

    Returns:
        A plain descriptor of a manifest. Of several that fit, that of the newest variant, then
        the one that asks for the fewest features that are not wanted, then the first.

    Raises:
        ReferenceNotFoundError: There is none for this platform; the error lists those that there
            are.
        DocumentError: The platform is none, or a document on the way breaks the specification.
        Exception: Whatever `read` raises; but an index inside, or a config, may be missing.

    Spec: image-index:platform-values, image-index:os-version, image-index:variant,
        image-index:first-match, manifest:unknown-config, manifest:config-type.
    """
    if isinstance(platform, str):
        platform = Platform.parse(platform)
    found = list(_candidates(root, read))
    best = _best(found, platform)
    if best is None:
        found = [
            evolve(candidate, platform=_platform_of_config(candidate.descriptor, read))
            if candidate.platform is None
            else candidate
            for candidate in found
        ]
        best = _best(found, platform)
    if best is None:
        known = sorted({str(candidate.platform) for candidate in found if candidate.platform})
        raise ReferenceNotFoundError(
            f"{root.digest} has nothing for {platform};"
            f" it has {', '.join(known) if known else 'no platforms'}"
        )
    return best.plain()


def _candidates(root: Descriptor, read: Read) -> Iterator[_Candidate]:
    """Give the manifests of an index, also of those inside, in document order."""
    if root.media_type not in INDEX_TYPES:
        yield _Candidate(root, None)
        return
    pending = [_Candidate(root, None)]
    visited: set[Digest] = set()
    while pending:
        candidate = pending.pop()
        descriptor = candidate.descriptor
        if descriptor.media_type not in INDEX_TYPES:
            yield candidate
            continue
        if descriptor.digest in visited:
            continue
        visited.add(descriptor.digest)
        try:
            require_document_size(descriptor)
            data = read(descriptor)
        except BlobNotFoundError:
            if descriptor is root:
                raise
            continue  # layouts may be sparse
        index = decode_document(data, descriptor)
        if isinstance(index, Index):
            pending.extend(
                _Candidate(child, child.platform or candidate.platform)
                for child in reversed(index.manifests)
            )


def _best(candidates: list[_Candidate], wanted: Platform) -> Descriptor | None:
    ranked = [
        (rank, candidate.descriptor)
        for candidate in candidates
        if candidate.platform is not None
        and (rank := _rank(candidate.platform, wanted)) is not None
    ]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _rank(offered: Platform, wanted: Platform) -> tuple[tuple[int, int], int] | None:
    """Tell how well a platform fits, more being better; `None` if it does not."""
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return None
    version = wanted.os_version
    if version and not f"{offered.os_version or ''}.".startswith(f"{version}."):
        return None
    variant = _fit(offered, wanted)
    if variant is None:
        return None
    return variant, -len(set(offered.os_features) - set(wanted.os_features))


def _fit(offered: Platform, wanted: Platform) -> tuple[int, int] | None:
    """Return the variant that is offered, as numbers, if the wanted one can take it."""
    theirs, ours = _variant(offered), _variant(wanted)
    if theirs in ("", ours):  # made for every processor of the architecture, or for this one
        return _numbers(theirs) or (0, 0)
    have, limit = _numbers(theirs), _numbers(ours)
    return have if have is not None and limit is not None and have <= limit else None


def _variant(platform: Platform) -> str:
    return platform.variant or _DEFAULT_VARIANT.get(platform.architecture, "")


def _numbers(variant: str) -> tuple[int, int] | None:
    match = _VARIANT.fullmatch(variant)
    return None if match is None else (int(match[1]), int(match[2] or 0))


def _platform_of_config(descriptor: Descriptor, read: Read) -> Platform | None:
    """Return what the config of an image says, or `None` if it is not to be had."""
    if descriptor.media_type not in DOCUMENT_TYPES:
        return None
    try:
        manifest = decode_document(read(descriptor), descriptor)
        if not isinstance(manifest, Manifest) or manifest.config.media_type not in _CONFIG_TYPES:
            return None
        require_document_size(manifest.config)
        config = parse_json(read(manifest.config), limit=MAX_DOCUMENT)
    except BlobNotFoundError:
        return None
    said: Json = {key: value for key, value in config.items() if key in _PLATFORM_KEYS}
    try:
        return structure(said, Platform)
    except DocumentError:
        return None  # also what says neither system nor architecture
