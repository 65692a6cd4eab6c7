"""What can be wrong with a document: a reader refuses it (a flaw), or `check` complains (a lapse).

Each function spoils a document that is right: it changes the JSON in one place, or returns the
bytes where JSON cannot say what is wrong, and tells the JSON path of the defect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from ocilayout.model import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    MAX_DEPTH,
    MAX_DOCUMENT,
    MAX_NODES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Header,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    RootFs,
    join_place,
)
from ocilayout.testing.strategies.draft import written
from ocilayout.testing.strategies.filetree import File
from ocilayout.testing.strategies.specimen import Spoiled, keys_of, noted, register

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from ocilayout.model import Extensible, Json
    from ocilayout.testing.strategies.draft import Members
    from ocilayout.testing.strategies.specimen import Flaw, Site, Specimen


FLAWS: Final[dict[str, Flaw]] = {}
"""By the codes of what is wrong then."""

_UNKNOWN = st.sampled_from(["com.example.note", "x", "y z"])
_MARK = "a property that will have another name"
_WRONG_TYPES: list[Json] = ["text", 7, True, 0.5, [], {}]


# ---------------------------------------------------------------- any document


@register(FLAWS, "bad-encoding")
def bad_encoding(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Write it as no UTF-8, or with a byte order mark."""
    data = written(specimen.members)
    spoiled = [
        b"\xef\xbb\xbf" + data,
        data.decode().encode("utf-16"),
        data.replace(b'"', b'"\xff', 1),
        data.replace(b'"', b'"\xed\xa0\x80', 1),
        data.replace(b'"', b'"\xc0\xaf', 1),
    ]
    return Spoiled("$", draw(st.sampled_from(spoiled)))


@register(FLAWS, "bad-json")
def bad_json(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Cut it short, let something follow, or write what is JSON to some only."""
    data = written(specimen.members)
    cut = st.integers(0, len(data) - 1).map(lambda length: data[:length])
    others = [
        data + b"x",
        data + data,
        data[:-1] + b",}",
        data.replace(b'"', b"'"),
        data.replace(b"{", b'{"x":NaN,', 1),
        data.replace(b"{", b'{"x":-Infinity,', 1),
        data.replace(b"{", b"{/* x */", 1),
    ]
    return Spoiled("$", draw(st.sampled_from(others) | cut))


@register(FLAWS, "bad-number")
def bad_number(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Add a number that is too large for any reader."""
    number = draw(st.sampled_from([b"1e999", b"-1e999", b"9" * 5000]))
    return Spoiled("$", written(specimen.members).replace(b"{", b'{"x":%s,' % number, 1))


@register(FLAWS, "bad-unicode")
def bad_unicode(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Put half of a surrogate pair into a text or into a name."""
    site, half = draw(specimen.sites()), draw(st.sampled_from(["\ud800", "x\udfff"]))
    if draw(st.booleans()):
        site.members[half] = "x"
        return Spoiled(site.place)
    name = draw(_UNKNOWN)
    site.members[name] = half
    return Spoiled(site.at(name))


@register(FLAWS, "duplicate-property")
def duplicate_property(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Say a property twice, in the same words or in others."""
    site = draw(specimen.sites())
    name = draw(st.sampled_from(list(site.members)))
    site.members[_MARK] = draw(st.sampled_from([site.members[name], "x"]))
    text = written(specimen.members).replace(written(_MARK) + b":", written(name) + b":")
    return Spoiled(site.at(name), text)


@register(FLAWS, "case-variant")
def case_variant(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Add a property that some readers take for a known one."""
    site = draw(specimen.sites())
    name = draw(st.sampled_from(keys_of(site.model)))
    variants = {name.upper(), name.lower(), name[0].swapcase() + name[1:]} - {name}
    variant = draw(st.sampled_from(sorted(variants)))
    site.members[variant] = draw(st.sampled_from([site.members.get(name, "x"), None]))
    return Spoiled(site.at(variant))


@register(FLAWS, "too-deep")
def too_deep(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Nest it deeper than is read."""
    deep: Json = []
    for _ in range(draw(st.sampled_from([MAX_DEPTH, 4 * MAX_DEPTH]))):
        deep = [deep]
    specimen.members[draw(_UNKNOWN)] = deep
    return Spoiled("$")


@register(FLAWS, "too-large")
def too_large(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Let more blanks follow than are read."""
    data = written(specimen.members)
    more = draw(st.integers(1, 1000))
    return Spoiled("$", File(data, spaces=MAX_DOCUMENT - len(data) + more))


@register(FLAWS, "too-many-nodes")
def too_many_nodes(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Say more values than are read, in no more bytes."""
    value = draw(st.sampled_from([b"0", b"{}", b"[]", b'""']))
    many = b",".join([value] * (MAX_NODES + draw(st.integers(1, 1000))))
    member = b"%s:[%s]," % (written(draw(_UNKNOWN)), many)
    return Spoiled("$", written(specimen.members).replace(b"{", b"{" + member, 1))


@register(FLAWS, "wrong-type")
def wrong_type(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Give a property a value of another JSON type, or have a document that is not an object."""
    site = draw(specimen.sites())
    name = draw(st.sampled_from(["", *site.known()]))
    if name:
        right = type(site.members[name])
        wrong = [value for value in _WRONG_TYPES if type(value) is not right]
        site.members[name] = draw(st.sampled_from(wrong))
        return Spoiled(site.at(name))
    if "annotations" in keys_of(site.model):
        key = draw(st.sampled_from(["com.example.note", "org.opencontainers.image.title"]))
        site.members["annotations"] = {
            **noted(site.members),
            key: draw(st.sampled_from([1, False, [], None])),
        }
        return Spoiled(join_place(site.at("annotations"), key))
    return Spoiled("$", draw(st.sampled_from([b"[]", b"null", b'"{}"', b"2", b"true"])))


@register(FLAWS, "missing-property")
def missing_property(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Leave out what is required, or say null."""
    site = draw(specimen.sites())
    name = draw(st.sampled_from(site.required()))
    if draw(st.booleans()):
        site.members[name] = None
    else:
        del site.members[name]
    return Spoiled(site.at(name))


@register(FLAWS, "wrong-value", bearers=(Manifest, Index, ImageConfig))
def wrong_value(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Give a property none of its values."""
    site = draw(specimen.sites(Manifest, Index, RootFs))
    name = "type" if site.model is RootFs else "mediaType"
    site.members[name] = draw(st.sampled_from(["", "Layers", "application/json"]))
    return Spoiled(site.at(name))


# ---------------------------------------------------------------- some documents


@register(FLAWS, "ambiguous-document", bearers=(Manifest, Index))
def ambiguous_document(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Have a property of a document of the other kind, in whatever case."""
    names = ["manifests"] if specimen.model is Manifest else ["config", "layers"]
    name = draw(st.sampled_from(names))
    name = draw(st.sampled_from([name, name.upper(), name.title()]))
    values: list[Json] = [[], {}, None, "x"]
    specimen.members[name] = draw(st.sampled_from(values))
    return Spoiled(join_place("$", name))


@register(FLAWS, "bad-time", bearers=(ImageConfig,))
def bad_time(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Say a time that is none of RFC 3339."""
    times = ["", "yesterday", "2024-13-01T00:00:00Z", "2024-01-02 03:04:05Z", "2024-01-02T03:04:05"]
    time = draw(st.sampled_from(times))
    if draw(st.booleans()):
        specimen.members["created"] = time
        return Spoiled("$.created")
    specimen.members["history"] = [{"created": time}]
    return Spoiled("$.history[0].created")


# ---------------------------------------------------------------- properties with a wrong value


def _saying(name: str, *values: Json, models: tuple[type[Extensible], ...] = (Descriptor,)) -> Flaw:
    """Return a flaw: a property of some objects has one of some values."""

    def flaw(draw: DrawFn, specimen: Specimen) -> Spoiled:
        site = draw(specimen.sites(*models))
        site.members[name] = draw(st.sampled_from(values))
        return Spoiled(site.at(name))

    return flaw


_BOTH: Final = (Manifest, Index)

register(FLAWS, "unsupported-version", bearers=(Header,))(
    _saying(
        "imageLayoutVersion", *("2.0.0", "1.0.1", "1.0", "v1.0.0", "1.0.0 ", ""), models=(Header,)
    )
)
register(FLAWS, "bad-version", bearers=_BOTH)(
    _saying("schemaVersion", *(1, 3, 0, -2, 22), models=_BOTH)
)
register(FLAWS, "bad-media-type", bearers=_BOTH)(
    _saying("mediaType", "", "text", "text/", "/x", "a b/c", "text/plain; charset=utf-8")
)
register(FLAWS, "bad-digest", bearers=_BOTH)(
    _saying(
        "digest",
        *("", "sha256", "sha256:", "sha256:0123", "sha256:" + "A" * 64, "SHA256:" + "0" * 64),
        *("sha256:" + "0" * 63, "sha512:" + "0" * 64, "sha256:../../../etc/passwd", "md5:a/b"),
    )
)
register(FLAWS, "bad-size", bearers=_BOTH)(_saying("size", -1, 2**63, 10**30, -(2**63)))
register(FLAWS, "bad-base64", bearers=_BOTH)(_saying("data", "%%%%", "YQ", "YQ==\n", "=", "\u00e9"))
register(FLAWS, "bad-data", bearers=_BOTH)(_saying("data", "bm90IGl0", ""))


LAPSES: Final[dict[str, Flaw]] = {}
"""By the codes of what is wrong then."""

_OTHERS = {
    OCI_MANIFEST: [DOCKER_MANIFEST, "text/plain", ""],
    DOCKER_MANIFEST: [OCI_MANIFEST, "text/plain", ""],
    OCI_INDEX: [DOCKER_INDEX, "text/plain", ""],
    DOCKER_INDEX: [OCI_INDEX, "text/plain", ""],
}


@register(LAPSES, "imprecise-number")
def imprecise_number(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Add an integer that some readers round."""
    site, name = draw(specimen.sites()), draw(_UNKNOWN)
    site.members[name] = draw(st.integers(2**52, 2**62 - 1)) * 2 + 1
    return Spoiled(site.at(name))


@register(LAPSES, "noncharacter")
def noncharacter(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Put a noncharacter into a text or into a name."""
    site = draw(specimen.sites())
    text = draw(st.sampled_from(["\uffff", "x\ufdd0", "\U0010fffe"]))
    name = draw(_UNKNOWN)
    if draw(st.booleans()):
        name += text
        text = "x"
    site.members[name] = text
    return Spoiled(site.at(name))


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


@register(LAPSES, "attestation-platform", bearers=_BOTH)
def attestation_platform(draw: DrawFn, specimen: Specimen) -> Spoiled:
    """Mark a descriptor as that of an attestation, as BuildKit does."""
    site = draw(specimen.sites(Descriptor))
    site.members["platform"] = {"architecture": "unknown", "os": "unknown"}
    site.members["annotations"] = {
        **noted(site.members),
        "vnd.docker.reference.type": "attestation-manifest",
    }
    return Spoiled(site.at("platform"))


register(LAPSES, "artifact-type-form", bearers=_BOTH)(
    _saying(
        "artifactType",
        *("dev.toolhive.skills.v1", "text", "text/plain; charset=utf-8", " "),
        models=(*_BOTH, Descriptor),
    )
)


def _url(*urls: str) -> Flaw:
    """Return a lapse: the last URL of a descriptor is one of some."""

    def lapse(draw: DrawFn, specimen: Specimen) -> Spoiled:
        site = draw(specimen.sites(Descriptor))
        before = draw(st.lists(st.just("https://example.com/a?b=%20#c"), max_size=2))
        site.members["urls"] = [*before, draw(st.sampled_from(urls))]
        return Spoiled(f"{site.at('urls')}[{len(before)}]")

    return lapse


register(LAPSES, "url-form", bearers=_BOTH)(
    _url("", "no scheme", "/path", "http://a b", "1http://x", "http://\u00e9")
)
register(LAPSES, "url-scheme", bearers=_BOTH)(
    _url("ftp://example.com/a", "urn:x", "file:///etc/passwd", "x:")
)


def _annotation(*keys: str) -> Flaw:
    """Return a lapse: something has an annotation under one of some keys."""

    def lapse(draw: DrawFn, specimen: Specimen) -> Spoiled:
        site = draw(specimen.sites(*_BOTH, Descriptor))
        key = draw(st.sampled_from(keys))
        site.members["annotations"] = {**noted(site.members), key: draw(st.sampled_from(["", "x"]))}
        return Spoiled(join_place(site.at("annotations"), key))

    return lapse


register(LAPSES, "annotation-key-form", bearers=_BOTH)(
    _annotation("note", "a b", ".example.x", "com.", "\u00e9.example")
)
register(LAPSES, "empty-annotation-key", bearers=_BOTH)(_annotation(""))


def _platform(draw: DrawFn, specimen: Specimen) -> tuple[Site, str]:
    """Draw what names a platform; a descriptor is made to name one."""
    site = draw(specimen.sites(Descriptor, ImageConfig))
    if site.model is Descriptor:
        platform: Members = {"architecture": "arm64", "os": "linux"}
        site.members["platform"] = platform
        site = type(site)(site.at("platform"), platform, Platform)
    return site, draw(st.sampled_from(["architecture", "os"]))
