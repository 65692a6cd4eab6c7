"""What can be wrong with a document that readers accept, and `check` complains of.

As in `flaw`, each function spoils a document that is right in one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from ocilayout.errors import join_place
from ocilayout.model import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    Platform,
)
from ocilayout.testing.strategies.specimen import Spoiled, noted, register

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from ocilayout.testing.strategies.draft import Members
    from ocilayout.testing.strategies.site import Site
    from ocilayout.testing.strategies.specimen import Flaw, Specimen

LAPSES: Final[dict[str, Flaw]] = {}
"""By the codes of what is wrong then."""

_BOTH = (Manifest, Index)
_OTHERS = {
    OCI_MANIFEST: [DOCKER_MANIFEST, "text/plain", ""],
    DOCKER_MANIFEST: [OCI_MANIFEST, "text/plain", ""],
    OCI_INDEX: [DOCKER_INDEX, "text/plain", ""],
    DOCKER_INDEX: [OCI_INDEX, "text/plain", ""],
}


@register(LAPSES, "media-type-differs", bearers=_BOTH)
def media_type_differs(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Say another media type than the descriptor."""
    is_index = specimen.model is Index
    said = str(specimen.members.get("mediaType", OCI_INDEX if is_index else OCI_MANIFEST))
    specimen.members["mediaType"] = draw(st.sampled_from(_OTHERS[said]))
    return Spoiled("$.mediaType")


@register(LAPSES, "null-list", bearers=_BOTH)
def null_list(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Say null for an empty list, or nothing."""
    name = "manifests" if specimen.model is Index else "layers"
    if draw(st.booleans()):
        specimen.members[name] = None
    else:
        del specimen.members[name]
    return Spoiled(join_place("$", name))


@register(LAPSES, "url-form", bearers=_BOTH)
def url_form(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Give a URL that is none."""
    return _url(
        draw, specimen, "", "no scheme", "/path", "http://a b", "1http://x", "http://\u00e9"
    )


@register(LAPSES, "url-scheme", bearers=_BOTH)
def url_scheme(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Give a URL of a scheme that should not be used."""
    return _url(draw, specimen, "ftp://example.com/a", "urn:x", "file:///etc/passwd", "x:")


@register(LAPSES, "empty-platform", bearers=(*_BOTH, ImageConfig))
def empty_platform(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Name no operating system, or no architecture."""
    site, name = _platform(draw, specimen)
    site.members[name] = ""
    return Spoiled(site.at(name))


@register(LAPSES, "unknown-platform", bearers=(*_BOTH, ImageConfig))
def unknown_platform(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Name a platform in words that are not Go's."""
    site, name = _platform(draw, specimen)
    site.members[name] = draw(st.sampled_from(["Linux", "x86_64", "aarch64", " ", "macOS"]))
    return Spoiled(site.at(name))


@register(LAPSES, "artifact-type-form", bearers=_BOTH)
def artifact_type_form(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Give an artifact type that is no media type."""
    site = draw(specimen.sites(Manifest, Index, Descriptor))
    types = ["dev.toolhive.skills.v1", "text", "text/plain; charset=utf-8", " "]
    site.members["artifactType"] = draw(st.sampled_from(types))
    return Spoiled(site.at("artifactType"))


@register(LAPSES, "annotation-key-form", bearers=_BOTH)
def annotation_key_form(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Note something under a key that belongs to nobody."""
    return _annotation(draw, specimen, "note", "a b", ".example.x", "com.", "\u00e9.example")


@register(LAPSES, "empty-annotation-key", bearers=_BOTH)
def empty_annotation_key(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Note something under no key."""
    return _annotation(draw, specimen, "")


def _url(draw: DrawFn, specimen: Specimen, *urls: str) -> Spoiled:
    site = draw(specimen.sites(Descriptor))
    before = draw(st.lists(st.just("https://example.com/a?b=%20#c"), max_size=2))
    site.members["urls"] = [*before, draw(st.sampled_from(urls))]
    return Spoiled(f"{site.at('urls')}[{len(before)}]")


def _annotation(draw: DrawFn, specimen: Specimen, *keys: str) -> Spoiled:
    site = draw(specimen.sites(Manifest, Index, Descriptor))
    key = draw(st.sampled_from(keys))
    site.members["annotations"] = {**noted(site.members), key: draw(st.sampled_from(["", "x"]))}
    return Spoiled(join_place(site.at("annotations"), key))


def _platform(draw: DrawFn, specimen: Specimen) -> tuple[Site, str]:
    """Draw what names a platform; a descriptor is made to name one."""
    site = draw(specimen.sites(Descriptor, ImageConfig))
    if site.model is Descriptor:
        platform: Members = {"architecture": "arm64", "os": "linux"}
        site.members["platform"] = platform
        site = type(site)(site.at("platform"), platform, Platform)
    return site, draw(st.sampled_from(["architecture", "os"]))
