"""What is unwise or forbidden in one well-formed document.

Pure. The models hold what a document must be to be read at all, and `survey` sees what does not fit
the rest of a layout. Places are JSON paths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ocilayout.check.finding import problem_at
from ocilayout.model import (
    ARCHITECTURES,
    OCI_EMPTY,
    REF_NAME,
    SYSTEMS,
    Digest,
    Manifest,
    is_digest,
    is_media_type,
    is_ref_name,
    join_place,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ocilayout.errors import Problem
    from ocilayout.model import Descriptor, Document, ImageConfig, Json, Platform

# At least two labels of a domain; anything may follow.
_REVERSE_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z0-9].*", re.DOTALL)

# RFC 3986, URI: a scheme, and then the characters that any URI may have. The rules of single
# schemes are not checked.
_URI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
)

_EMPTY: Final = b"{}"

# How BuildKit marks the attestations of an index: they do not run anywhere.
_REFERENCE_TYPE: Final = "vnd.docker.reference.type"
_ATTESTATION: Final = "attestation-manifest"
_IN_TOTO: Final = "application/vnd.in-toto+json"
_UNKNOWN: Final = "unknown"

# Unicode, section 23.7: the 66 noncharacters, and how JSON escapes them.
_NONCHARACTERS: Final = "\ufdd0-\ufdef" + "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
_NONCHARACTER = re.compile(f"[{_NONCHARACTERS}]")
_ESCAPED_NONCHARACTER = re.compile(
    r"\\u(?:[fF][fF]|[dD][fF])[fF][eEfF]|\\u[fF][dD][dDeE][0-9a-fA-F]"
)
# All integers below 2**53 are doubles. A string that looks like a long number costs only time.
_LONG_NUMBER = re.compile(r"[0-9]{16}[ \t\r\n]*[,\]}]")


def may_be_careless(text: str) -> bool:
    """Tell whether `on_json` could report anything of a document.

    Args:
        text: The text of the document.
    """
    return (
        (not text.isascii() and _NONCHARACTER.search(text) is not None)
        or ("\\" in text and _ESCAPED_NONCHARACTER.search(text) is not None)
        or _LONG_NUMBER.search(text) is not None
    )


def on_json(value: Json, place: str = "$") -> Iterator[Problem]:
    """Report what I-JSON forbids or advises against, and this library reads all the same.

    Args:
        value: A document, or a part of it, as JSON.
        place: Its JSON path.

    Spec: considerations:numbers, considerations:texts.
    """
    pending = [(place, value)]
    while pending:
        place, value = pending.pop()
        if isinstance(value, dict):
            for name in filter(_NONCHARACTER.search, value):
                yield _noncharacter(join_place(place, name))
            parts = [(join_place(place, name), item) for name, item in value.items()]
            pending.extend(reversed(parts))
        elif isinstance(value, list):
            parts = [(f"{place}[{number}]", item) for number, item in enumerate(value)]
            pending.extend(reversed(parts))
        elif isinstance(value, str):
            if _NONCHARACTER.search(value):
                yield _noncharacter(place)
        elif isinstance(value, int) and int(float(value)) != value:
            message = f"{value} has more digits than a double keeps; some readers round it"
            yield problem_at("imprecise-number", message, place)


def _noncharacter(place: str) -> Problem:
    message = "has a code point that Unicode reserves as a noncharacter"
    return problem_at("noncharacter", message, place)


def on_descriptor(descriptor: Descriptor, place: str) -> Iterator[Problem]:
    """Report what is unwise in a descriptor.

    Spec: descriptor:urls, descriptor:urls-scheme, descriptor:artifact-type,
        manifest:empty-descriptor.
    """
    yield from _on_annotations(descriptor.annotations, f"{place}.annotations")
    if descriptor.platform is not None and not is_attestation(descriptor):
        yield from on_platform(descriptor.platform, f"{place}.platform")
    yield from _on_artifact_type(descriptor.artifact_type, place)
    yield from _on_urls(descriptor.urls, f"{place}.urls")
    if descriptor.media_type == OCI_EMPTY and not _is_empty(descriptor):
        yield problem_at(
            "wrong-empty",
            f"{descriptor.digest} of {descriptor.size} bytes is not the content {{}}",
            place,
        )


def on_document(document: Document) -> Iterator[Problem]:
    """Report what is unwise in a manifest or an index, apart from the descriptors in it.

    Spec: image-index:artifact-type, manifest:artifact-type, manifest:artifact-type-form.
    """
    yield from _on_annotations(document.annotations, "$.annotations")
    yield from _on_artifact_type(document.artifact_type, "$")
    if (
        isinstance(document, Manifest)
        and document.config.media_type == OCI_EMPTY
        and not document.artifact_type
    ):
        yield problem_at(
            "missing-artifact-type",
            "must be set where the config is the empty one",
            "$.artifactType",
        )


def on_platform(platform: Platform | ImageConfig, place: str) -> Iterator[Problem]:
    """Report what is unwise in a platform, or in a config that names one.

    Spec: image-index:platform-values, config:platform-values.
    """
    for name, value, known in (
        ("architecture", platform.architecture, ARCHITECTURES),
        ("os", platform.os, SYSTEMS),
    ):
        if not value:
            yield problem_at("empty-platform", "must not be empty", f"{place}.{name}")
        elif value not in known:
            go = "GOOS" if name == "os" else "GOARCH"
            yield problem_at(
                "unknown-platform", f"{value!r} is not a known value of {go}", f"{place}.{name}"
            )


def is_attestation(descriptor: Descriptor) -> bool:
    """Tell whether a descriptor is that of an attestation, which BuildKit gives no platform."""
    marked = descriptor.annotations.get(_REFERENCE_TYPE) == _ATTESTATION
    return marked and descriptor.platform is not None and is_unknown(descriptor.platform)


def has_statements(document: Document) -> bool:
    """Tell whether a manifest is made of statements about other content, and of nothing else."""
    layers = document.layers if isinstance(document, Manifest) else ()
    return bool(layers) and all(layer.media_type == _IN_TOTO for layer in layers)


def is_unknown(platform: Platform | ImageConfig) -> bool:
    """Tell whether a platform says that it is not one."""
    return platform.os == platform.architecture == _UNKNOWN


def on_attestation(place: str) -> Problem:
    """Report the first attestation of an index, by the place of its descriptor."""
    return problem_at(
        "attestation-platform",
        "unknown/unknown is not a platform; BuildKit marks attestations so",
        f"{place}.platform",
    )


def on_name(name: str, place: str) -> Iterator[Problem]:
    """Report what is unwise in the name of an entry.

    Spec: annotations:ref-name, annotations:digest-name.
    """
    place = join_place(f"{place}.annotations", REF_NAME)
    if is_digest(name):
        yield problem_at("digest-name", f"{name!r} has the form of a digest", place)
    elif not is_ref_name(name):
        yield problem_at("name-form", f"{name!r} is outside the ref.name grammar", place)


def on_nulls(
    document: Mapping[str, object], names: Iterable[str], place: str = "$"
) -> Iterator[Problem]:
    """Report which lists of a document, or of an object in it, are null or absent.

    Spec: image-index:manifests, manifest:layers, config:diff-ids.
    """
    for name in names:
        if document.get(name) is None:
            yield problem_at(
                "null-list",
                f"is {'null' if name in document else 'absent'}; it should be []",
                f"{place}.{name}",
            )


def _on_annotations(annotations: Mapping[str, str], place: str) -> Iterator[Problem]:
    for key in annotations:
        if not key:
            yield problem_at(
                "empty-annotation-key", "a key should say something", join_place(place, key)
            )
        elif _REVERSE_DOMAIN.fullmatch(key) is None:
            yield problem_at(
                "annotation-key-form",
                f"{key!r} is not a key like com.example.key",
                join_place(place, key),
            )


def _on_artifact_type(artifact_type: str | None, place: str) -> Iterator[Problem]:
    if artifact_type and not is_media_type(artifact_type):
        yield problem_at(
            "artifact-type-form",
            f"{artifact_type!r} is not a media type of RFC 6838",
            f"{place}.artifactType",
        )


def _on_urls(urls: Iterable[str], place: str) -> Iterator[Problem]:
    for number, url in enumerate(urls):
        match = _URI.fullmatch(url)
        if match is None:
            yield problem_at("url-form", f"{url!r} is not a URI of RFC 3986", f"{place}[{number}]")
        elif match["scheme"].lower() not in ("http", "https"):
            yield problem_at(
                "url-scheme", f"{url!r} is neither an http nor an https URL", f"{place}[{number}]"
            )


def _is_empty(descriptor: Descriptor) -> bool:
    if descriptor.size != len(_EMPTY):
        return False
    digest = descriptor.digest
    return not digest.verifiable or Digest.of(_EMPTY, digest.algorithm) == digest
