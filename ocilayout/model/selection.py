"""Selecting the manifest for a platform in an index.

An image for another architecture is never selected, even where the processor could run it: the
caller gets the platform that it named, or an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ocilayout.errors import (
    AmbiguousReferenceError,
    BlobNotFoundError,
    DocumentError,
    OciLayoutError,
    ReferenceNotFoundError,
)
from ocilayout.model.codec import structure
from ocilayout.model.descriptor import Descriptor  # used by attrs
from ocilayout.model.document import decode_document, require_document_size
from ocilayout.model.ijson import parse_json
from ocilayout.model.limit import MAX_DOCUMENT
from ocilayout.model.manifest import Index, Manifest
from ocilayout.model.mediatype import DOCKER_CONFIG, DOCUMENT_TYPES, INDEX_TYPES, OCI_CONFIG
from ocilayout.model.platform import Platform, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ocilayout.model.digest import Digest
    from ocilayout.model.frozenmap import Json
    from ocilayout.model.platform import Fit

    Read = Callable[[Descriptor], bytes]

_CONFIG_TYPES: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_PLATFORM_KEYS: Final = frozenset({"architecture", "os", "os.version", "os.features", "variant"})


@frozen
class _Candidate:
    """A manifest, with its platform where an index says it, and the root that leads to it."""

    descriptor: Descriptor
    platform: Platform | None
    root: Descriptor


def choose(
    name: str, roots: Iterable[Descriptor], platform: Platform | str, read: Read
) -> tuple[Descriptor, Descriptor]:
    """Choose the manifest for a platform: one in an index, or a root itself.

    Indexes in an index are searched, too. The platform of a manifest is read from its index; where
    the index has none or an empty one, and for a manifest that is given itself, from its config.

    Several roots are as one image index together, as entries of a layout are that have one name in
    common, or none. Unlike in an index, nothing says that the first of them is meant if several
    suit equally well.

    Args:
        name: What the roots are called in errors.
        roots: Manifests and indexes; their descriptors may have platforms.
        platform: The wanted platform, or its text; `Platform.parse` has the form.
        read: Returns the bytes of a blob, verified.

    Returns:
        A descriptor of the manifest, plain but for its `data`, and the root that it is or is in:
        the one that suits best, as `fit` says, and of several in one index that suit equally well,
        the first. What is missing is chosen only if all that fits is.

    Raises:
        ReferenceNotFoundError: No manifest fits; the error lists the platforms that there are.
        AmbiguousReferenceError: Different roots suit equally well.
        DocumentError: The text is not a valid platform, or a document breaks the specification.
        Exception: Any error of `read`; but an index in an index, a config, or a manifest that does
            not suit alone, may be missing.

    Spec: image-index:platform-values, image-index:first-match, manifest:unknown-config,
        manifest:config-type.
    """
    best = _fitting(roots, platform, read, name)
    if len({candidate.root.digest for candidate in best}) > 1:
        raise AmbiguousReferenceError(
            name,
            [candidate.root.digest for candidate in best],
            platforms=[str(candidate.platform) for candidate in best],
        )
    return best[0].descriptor.located(), best[0].root


def platform_text(descriptor: Descriptor, read: Read) -> str:
    """Return the text of the platform of a manifest, which may be in its config.

    Returns:
        An empty text for other content, and if there is no platform or it cannot be read.
    """
    try:
        platform = _said(descriptor.platform) or _platform_of_config(descriptor, read)
    except (OciLayoutError, OSError):
        return ""
    return str(platform or "")


def _fitting(
    roots: Iterable[Descriptor], wanted: Platform | str, read: Read, name: str
) -> list[_Candidate]:
    """Return the manifests that suit best, in order."""
    if isinstance(wanted, str):
        wanted = Platform.parse(wanted)
    roots = list(roots)
    candidates: list[_Candidate] = []
    missing: list[BlobNotFoundError] = []
    for root in roots:
        try:
            candidates += _candidates(root, read)
        except BlobNotFoundError as error:
            missing.append(error)
    best, there = _best(candidates, wanted, read)
    # In an index, what says its platform comes first, and mostly no config is read. A root whose
    # platform is only in its config may be meant as well as one whose entry says it.
    if not there or len({root.digest for root in roots}) > 1:
        candidates = [_with_platform(candidate, read) for candidate in candidates]
        best, _ = _best(candidates, wanted, read)
    if not best:
        if missing:
            raise missing[0]
        known = sorted({str(candidate.platform) for candidate in candidates if candidate.platform})
        raise ReferenceNotFoundError(
            f"{name} has nothing for {wanted};"
            f" it has {', '.join(known) if known else 'no platforms'}"
        )
    return best


def _best(
    candidates: list[_Candidate], wanted: Platform, read: Read
) -> tuple[list[_Candidate], bool]:
    """Return the manifests whose platforms suit best, in order, and whether they may be there.

    Where manifests are missing, as in layouts of `docker save`, those count that are there. One
    that is certain to fit alone is not looked for.
    """
    ranks: dict[Fit, list[_Candidate]] = {}
    for candidate in candidates:
        if candidate.platform is not None and (rank := fit(candidate.platform, wanted)) is not None:
            ranks.setdefault(rank, []).append(candidate)
    best = [ranks[rank] for rank in sorted(ranks, reverse=True)]
    if not best:
        return [], False
    if sum(map(len, best)) == 1 and all(one.platform is not None for one in candidates):
        return best[0], True
    for some in best:
        there = [candidate for candidate in some if _is_there(candidate.descriptor, read)]
        if there:
            return there, True
    return best[0], False


def _is_there(descriptor: Descriptor, read: Read) -> bool:
    """Return whether a manifest can be read; other content, which may be large, is not read."""
    if descriptor.media_type not in DOCUMENT_TYPES or descriptor.size > MAX_DOCUMENT:
        return True
    try:
        read(descriptor)
    except BlobNotFoundError:
        return False
    except OciLayoutError:
        pass  # its reader gets the error
    return True


def _candidates(root: Descriptor, read: Read) -> Iterator[_Candidate]:
    """Give the manifests of a root, which may be an index, in document order."""
    pending = [_Candidate(root, _said(root.platform), root)]
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
                _Candidate(child, _said(child.platform) or candidate.platform, root)
                for child in reversed(index.manifests)
            )


def _said(platform: Platform | None) -> Platform | None:
    """Return a platform, or `None` if it is empty: some programs write such platforms."""
    return platform if platform is not None and platform.os and platform.architecture else None


def _with_platform(candidate: _Candidate, read: Read) -> _Candidate:
    if candidate.platform is not None:
        return candidate
    return evolve(candidate, platform=_platform_of_config(candidate.descriptor, read))


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
        return _said(structure(platform, Platform))
    except DocumentError:
        return None  # such as the config of an artifact, which has neither system nor architecture
