"""Selecting the manifest for a platform in an index.

An image fits a platform if it was made for it, or for an older variant of the same architecture;
the newest variant is selected. An image for another architecture is never selected, even where the
processor could run it: the caller gets the platform that it named, or an error.
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

# The variant of a platform that does not name one, as in containerd.
_DEFAULT_VARIANT: Final = {"amd64": "v1", "arm": "v7", "arm64": "v8"}

_CONFIG_TYPES: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_PLATFORM_KEYS: Final = frozenset({"architecture", "os", "os.version", "os.features", "variant"})


@frozen
class _Candidate:
    """A manifest in an index, with its platform where the index says it."""

    descriptor: Descriptor
    platform: Platform | None


def select(root: Descriptor, platform: Platform | str, read: Read) -> Descriptor:
    """Return the manifest for a platform: one in an index, or the given manifest.

    Indexes in an index are searched, too. The platform of a manifest is read from its index; where
    the index has none, and for a manifest that is given itself, from its config.

    Args:
        root: An index, or a manifest.
        platform: The wanted platform, or its text. If it has a version of the operating system, the
            version of an image must be equal or begin with it, as `10.0.17763.5820` begins with
            `10.0.17763`; otherwise the version is ignored.
        read: Returns the bytes of a blob, verified.

    Returns:
        A plain descriptor of a manifest. If several fit, the one with the newest variant; then the
        one that needs the fewest features besides the wanted ones; then the first.

    Raises:
        ReferenceNotFoundError: No manifest fits; the error lists the platforms that there are.
        DocumentError: The text is not a valid platform, or a document breaks the specification.
        Exception: Any error of `read`; but an index in an index, or a config, may be missing.

    Spec: image-index:platform-values, image-index:os-version, image-index:variant,
        image-index:first-match, manifest:unknown-config, manifest:config-type.
    """
    if isinstance(platform, str):
        platform = Platform.parse(platform)
    candidates = list(_candidates(root, read))
    best = _best(candidates, platform)
    if best is None:
        candidates = [
            evolve(candidate, platform=_platform_of_config(candidate.descriptor, read))
            if candidate.platform is None
            else candidate
            for candidate in candidates
        ]
        best = _best(candidates, platform)
    if best is None:
        known = sorted({str(candidate.platform) for candidate in candidates if candidate.platform})
        raise ReferenceNotFoundError(
            f"{root.digest} has nothing for {platform};"
            f" it has {', '.join(known) if known else 'no platforms'}"
        )
    return best.plain()


def _candidates(root: Descriptor, read: Read) -> Iterator[_Candidate]:
    """Give the manifests of an index and of the indexes in it, in document order."""
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
            continue  # a layout need not have the content for all platforms
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
    """Return how well a platform fits, the best being the largest; `None` if it does not fit."""
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return None
    version = wanted.os_version
    if version and not f"{offered.os_version or ''}.".startswith(f"{version}."):
        return None
    variant = _compatible_variant(offered, wanted)
    if variant is None:
        return None
    return variant, -len(set(offered.os_features) - set(wanted.os_features))


def _compatible_variant(offered: Platform, wanted: Platform) -> tuple[int, int] | None:
    """Return the numbers of the offered variant; `None` if the wanted platform cannot run it."""
    variant, most = _variant(offered), _variant(wanted)
    if variant in ("", most):  # made for every processor of the architecture, or for this one
        return _numbers(variant) or (0, 0)
    numbers, limit = _numbers(variant), _numbers(most)
    return numbers if numbers is not None and limit is not None and numbers <= limit else None


def _variant(platform: Platform) -> str:
    return platform.variant or _DEFAULT_VARIANT.get(platform.architecture, "")


def _numbers(variant: str) -> tuple[int, int] | None:
    match = _VARIANT.fullmatch(variant)
    return None if match is None else (int(match[1]), int(match[2] or 0))


def _platform_of_config(descriptor: Descriptor, read: Read) -> Platform | None:
    """Return the platform in the config of an image, or `None` if there is none."""
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
    platform: Json = {key: value for key, value in config.items() if key in _PLATFORM_KEYS}
    try:
        return structure(platform, Platform)
    except DocumentError:
        return None  # such as the config of an artifact, which has neither system nor architecture
