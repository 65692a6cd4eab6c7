"""What is unwise or forbidden in one well-formed document.

Pure. The models hold what a document must be to be read at all, and `survey` sees what does not fit
the rest of a layout. Places are JSON paths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ocilayout.errors import Problem, join_place
from ocilayout.model import (
    OCI_EMPTY,
    REF_NAME,
    Digest,
    Manifest,
    is_digest,
    is_media_type,
    is_ref_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ocilayout.model import Descriptor, Document, ImageConfig, Platform

# `go tool dist list`, and what Go reserves: internal/syslist.
_OS: Final = frozenset(
    {
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "hurd",
        "illumos",
        "ios",
        "js",
        "linux",
        "nacl",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "wasip1",
        "windows",
        "zos",
    }
)
_ARCHITECTURE: Final = frozenset(
    {
        "386",
        "amd64",
        "amd64p32",
        "arm",
        "armbe",
        "arm64",
        "arm64be",
        "loong64",
        "mips",
        "mipsle",
        "mips64",
        "mips64le",
        "mips64p32",
        "mips64p32le",
        "ppc",
        "ppc64",
        "ppc64le",
        "riscv",
        "riscv64",
        "s390",
        "s390x",
        "sparc",
        "sparc64",
        "wasm",
    }
)

# At least two labels of a domain; anything may follow.
_REVERSE_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z0-9].*", re.DOTALL)

# RFC 3986, URI: a scheme, and then the characters that any URI may have. The rules of single
# schemes are not checked.
_URI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
)

_EMPTY: Final = b"{}"


def on_descriptor(descriptor: Descriptor, place: str) -> Iterator[Problem]:
    """Report what is unwise in a descriptor.

    Args:
        descriptor: The descriptor.
        place: Its JSON path.

    Spec: descriptor:urls, descriptor:urls-scheme, descriptor:artifact-type,
        manifest:empty-descriptor.
    """
    yield from _on_annotations(descriptor.annotations, f"{place}.annotations")
    if descriptor.platform is not None:
        yield from on_platform(descriptor.platform, f"{place}.platform")
    yield from _on_artifact_type(descriptor.artifact_type, place)
    yield from _on_urls(descriptor.urls, f"{place}.urls")
    if descriptor.media_type == OCI_EMPTY and not _is_empty(descriptor):
        yield Problem(
            code="wrong-empty",
            message=f"{descriptor.digest} of {descriptor.size} bytes is not the content {{}}",
            place=place,
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
        yield Problem(
            code="missing-artifact-type",
            message="must be set where the config is the empty one",
            place="$.artifactType",
        )


def on_platform(platform: Platform | ImageConfig, place: str) -> Iterator[Problem]:
    """Report what is unwise in a platform, or in a config that names one.

    Args:
        platform: The platform or the config.
        place: Its JSON path.

    BuildKit gives its attestations the platform `unknown/unknown`, so that nothing runs them.

    Spec: image-index:platform-values, config:platform-values.
    """
    if platform.architecture == platform.os == "unknown":
        return
    for name, value, known in (
        ("architecture", platform.architecture, _ARCHITECTURE),
        ("os", platform.os, _OS),
    ):
        if not value:
            yield Problem(
                code="empty-platform", message="must not be empty", place=f"{place}.{name}"
            )
        elif value not in known:
            go = "GOOS" if name == "os" else "GOARCH"
            yield Problem(
                code="unknown-platform",
                message=f"{value!r} is not a known value of {go}",
                place=f"{place}.{name}",
            )


def on_name(name: str, place: str) -> Iterator[Problem]:
    """Report what is unwise in the name of an entry.

    Args:
        name: The name.
        place: The JSON path of the entry.

    Spec: annotations:ref-name, annotations:digest-name.
    """
    place = join_place(f"{place}.annotations", REF_NAME)
    if is_digest(name):
        yield Problem(code="digest-name", message=f"{name!r} has the form of a digest", place=place)
    elif not is_ref_name(name):
        yield Problem(
            code="name-form", message=f"{name!r} is outside the ref.name grammar", place=place
        )


def on_nulls(
    document: Mapping[str, object], names: Iterable[str], place: str = "$"
) -> Iterator[Problem]:
    """Report which lists of an object are null or absent.

    Args:
        document: The object as JSON.
        names: The lists that it should have.
        place: Its JSON path.

    Spec: image-index:manifests, manifest:layers, config:diff-ids.
    """
    for name in names:
        if document.get(name) is None:
            yield Problem(
                code="null-list",
                message=f"is {'null' if name in document else 'absent'}; it should be []",
                place=f"{place}.{name}",
            )


def _on_annotations(annotations: Mapping[str, str], place: str) -> Iterator[Problem]:
    for key in annotations:
        if not key:
            yield Problem(
                code="empty-annotation-key",
                message="a key should say something",
                place=join_place(place, key),
            )
        elif _REVERSE_DOMAIN.fullmatch(key) is None:
            yield Problem(
                code="annotation-key-form",
                message=f"{key!r} is not a key like com.example.key",
                place=join_place(place, key),
            )


def _on_artifact_type(artifact_type: str | None, place: str) -> Iterator[Problem]:
    if artifact_type and not is_media_type(artifact_type):
        yield Problem(
            code="artifact-type-form",
            message=f"{artifact_type!r} is not a media type of RFC 6838",
            place=f"{place}.artifactType",
        )


def _on_urls(urls: Iterable[str], place: str) -> Iterator[Problem]:
    for number, url in enumerate(urls):
        match = _URI.fullmatch(url)
        if match is None:
            yield Problem(
                code="url-form",
                message=f"{url!r} is not a URI of RFC 3986",
                place=f"{place}[{number}]",
            )
        elif match["scheme"].lower() not in ("http", "https"):
            yield Problem(
                code="url-scheme",
                message=f"{url!r} is neither an http nor an https URL",
                place=f"{place}[{number}]",
            )


def _is_empty(descriptor: Descriptor) -> bool:
    if descriptor.size != len(_EMPTY):
        return False
    digest = descriptor.digest
    return not digest.verifiable or Digest.of(_EMPTY, digest.algorithm) == digest
