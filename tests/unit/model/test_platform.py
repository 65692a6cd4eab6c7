"""Platforms: their text, their normal form, and which of several suits best."""

from __future__ import annotations

from typing import Any

import pytest

from ocilayout.errors import DocumentError
from ocilayout.model.codec import decode, encode
from ocilayout.model.platform import Platform, fit
from tests.unit.model.platform_pairs import PAIRS

CONTAINERD = "containerd/platforms platforms_test.go"
CRANE = "go-containerregistry v1/platform.go, ParsePlatform"
REGCTL = "regclient types/platform/platform_test.go"


@pytest.mark.spec("image-index:platform-values", "image-index:variant", "config:platform-values")
@pytest.mark.parametrize(
    ("text", "normal", "_source"),
    [
        ("linux/amd64", "linux/amd64", CONTAINERD),
        ("linux/amd64/v1", "linux/amd64", REGCTL),
        ("linux/amd64/v3", "linux/amd64/v3", REGCTL),
        ("linux/amd64/2", "linux/amd64/v2", "as for arm"),
        ("Linux/x86_64", "linux/amd64", CONTAINERD),
        ("linux/x86-64/v2", "linux/amd64/v2", CONTAINERD),
        ("linux/arm64", "linux/arm64", CONTAINERD),
        ("linux/arm64/v8", "linux/arm64", REGCTL),
        ("linux/arm64/8", "linux/arm64", CONTAINERD),
        ("linux/arm64/v8.0", "linux/arm64", CONTAINERD),
        ("linux/arm64/v9.0", "linux/arm64/v9", CONTAINERD),
        ("linux/arm64/9.2", "linux/arm64/v9.2", CONTAINERD),
        ("linux/Aarch64", "linux/arm64", CONTAINERD),
        ("linux/arm", "linux/arm/v7", REGCTL),
        ("linux/arm/V6", "linux/arm/v6", CONTAINERD),
        ("linux/arm/5", "linux/arm/v5", CONTAINERD),
        ("linux/armhf", "linux/arm/v7", REGCTL),
        ("linux/armel", "linux/arm/v6", REGCTL),
        ("linux/i386", "linux/386", REGCTL),
        ("macos/amd64", "darwin/amd64", REGCTL),
        ("linux/riscv64/rva22u64", "linux/riscv64/rva22u64", "image-spec, Platform Variants"),
        ("linux/ppc64le/power8", "linux/ppc64le/power8", "image-spec, Platform Variants"),
        ("wasi/wasm32", "wasi/wasm32", "a system that Go does not have"),
        ("unknown/unknown", "unknown/unknown", "BuildKit"),
        ("windows(10.0.20348)/amd64", "windows(10.0.20348)/amd64", CONTAINERD),
        ("windows()/amd64", "windows/amd64", CONTAINERD),
        ("windows(10.0.17763+win32k)/amd64", "windows(10.0.17763+win32k)/amd64", CONTAINERD),
        ("linux(+unsorted+erofs)/amd64", "linux(+erofs+unsorted)/amd64", CONTAINERD),
        ("linux(+gpu+gpu)/arm/v7", "linux(+gpu)/arm/v7", CONTAINERD),
        (
            "windows(10.0.17763%2Bbuild.42+win32k)/amd64",
            "windows(10.0.17763%2Bbuild.42+win32k)/amd64",
            CONTAINERD,
        ),
        ("windows(50%25done)/amd64", "windows(50%25done)/amd64", CONTAINERD),
        ("windows/amd64:10.0.20348.1", "windows(10.0.20348.1)/amd64", CRANE),
        ("linux/arm/v7:5.4", "linux(5.4)/arm/v7", CRANE),
        ("windows/amd64:10.0.17763+build", "windows(10.0.17763%2Bbuild)/amd64", CRANE),
        ("windows(+win32k)/amd64:10.0.1", "windows(10.0.1+win32k)/amd64", CRANE),
        ("windows/amd64,osver=10.0.17763.4974", "windows(10.0.17763.4974)/amd64", REGCTL),
        ("windows/amd64/v2,OsVersion=10.0", "windows(10.0)/amd64/v2", REGCTL),
    ],
)
def test_a_spelling_is_read_and_has_one_normal_form(text: str, normal: str, _source: str) -> None:
    """All that other programs read is read, and the normal form is read as itself."""
    found = Platform.parse(text)
    assert str(found) == normal
    assert Platform.parse(normal) == found == found.normal()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "'' is not an operating system"),
        ("linux", "it is an operating system alone"),
        ("macOS", "it is an operating system alone"),
        ("arm64", "it is an architecture alone"),
        ("x86_64", "it is an architecture alone"),
        ("local", "it has no architecture"),
        ("all", "it has no architecture"),
        ("*", "it has a wildcard"),
        ("linux/*", "it has a wildcard"),
        ("*/arm64", "it has a wildcard"),
        ("linux/arm/v*", "it has a wildcard"),
        ("windows(10.0.*)/amd64", "it has a wildcard"),
        ("linux/", "'' is not an architecture"),
        ("/amd64", "'' is not an operating system"),
        ("linux//v7", "'' is not an architecture"),
        ("linux/arm/", "'' is not a variant"),
        ("linux/arm/v7/x", "it has more than three parts"),
        ("linux/amd64/../..", "it has more than three parts"),
        ("linux/..", "'..' is not an architecture"),
        ("linux/amd64 ", "'amd64 ' is not an architecture"),
        ("linux/amd64\n", "'amd64\\n' is not an architecture"),
        ("lin ux/amd64", "'lin ux' is not an operating system"),
        ("linux/amd64,arm64", "'amd64,arm64' is not an architecture"),
        ("linux/amd64,linux/arm64", "'amd64,linux' is not an architecture"),
        ("linux/amd64,osfeatures=x", "'amd64,osfeatures=x' is not an architecture"),
        ("linux/a?d64", "'a?d64' is not an architecture"),
        ("línux/amd64", "'línux' is not an operating system"),
        ("linux/amd64:", "'amd64:' is not an architecture"),
        ("windows/amd64:10.0:1", "'amd64:10.0' is not an architecture"),
        ("windows(10.0/amd64", "'windows(10.0' is not an operating system"),
        ("windows(10.0)x/amd64", "'windows(10.0)x' is not an operating system"),
        ("windows(+)/amd64", "'windows(+)' is not an operating system"),
        ("windows(10.0%zz)/amd64", "'windows(10.0%zz)' is not an operating system"),
        ("windows(%ff)/amd64", "its percent-encoded bytes are not UTF-8"),
        ("windows(10.0.1)/amd64:10.0.1", "it has two versions"),
        ("amd64/linux", "'linux' is not an architecture"),
        ("linux/windows", "'windows' is not an architecture"),
        ("aarch64/v8", "'aarch64' is an architecture"),
        ("linux/amd64/arm64", "'arm64' is a second architecture"),
    ],
)
def test_nonsense_is_refused_by_name(text: str, fault: str) -> None:
    """The error names the text, what is wrong with it, and what to write."""
    with pytest.raises(DocumentError) as caught:
        Platform.parse(text)
    message = caught.value.problems[0].message
    assert message.startswith(f"{text!r} is not a valid platform: {fault}")
    assert "such as linux/arm64" in message


def test_text_that_is_not_a_string_is_refused() -> None:
    with pytest.raises(DocumentError, match="a string"):
        Platform.parse(b"linux/amd64")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"architecture": "", "os": "linux", "variant": ""}, "linux"),
        ({"os_version": "macOS 12.6"}, "linux(macOS%2012.6)/amd64"),
        ({"os_version": "~(1/2)+%"}, "linux(%7E%281%2F2%29%2B%25)/amd64"),
        ({"os_features": ("b", "", "a", "b")}, "linux(+a+b)/amd64"),
        ({"os_version": "", "os_features": ("",)}, "linux/amd64"),
        ({"extra": {"features": ["sse4"]}}, "linux/amd64"),
    ],
)
def test_the_text_of_what_documents_hold(values: dict[str, Any], text: str) -> None:
    """A value is written so that it is read again, and `features`, which is reserved, is not."""
    platform = Platform(**{"architecture": "amd64", "os": "linux", **values})
    assert str(platform) == text
    if platform.architecture:
        assert Platform.parse(text) == platform.normal()


def test_a_document_keeps_its_spelling() -> None:
    """The normal form is for comparing and printing; bytes that were read are written again."""
    data = b'{"architecture":"x86_64","os":"Linux","os.version":"","variant":"1"}'
    platform = decode(data, Platform)
    assert (platform.architecture, str(platform)) == ("x86_64", "linux/amd64")
    assert decode(encode(platform), Platform) == platform


def test_the_table_is_large_enough() -> None:
    """Each pair is there once, and has a source."""
    assert len(PAIRS) >= 150
    assert len({(wanted, offered) for wanted, offered, _, _ in PAIRS}) == len(PAIRS)
    assert all(source for *_, source in PAIRS)


@pytest.mark.spec(
    "image-index:platform-values", "image-index:variant", "image-index:os-version",
    "image-index:os-features", "config:os-version",
)  # fmt: skip
@pytest.mark.parametrize(("wanted", "offered", "fits", "source"), PAIRS)
def test_an_image_for_one_platform_fits_another(
    wanted: str, offered: str, source: str, *, fits: bool
) -> None:
    found = fit(Platform.parse(offered), Platform.parse(wanted))
    assert (found is not None) == fits, source


@pytest.mark.spec("image-index:variant", "image-index:os-features")
@pytest.mark.parametrize(
    ("wanted", "best_first"),
    [
        ("linux/arm/v8", ["linux/arm/v8", "linux/arm", "linux/arm/v6", "linux/arm/v5"]),
        ("linux/amd64/v4", ["linux/amd64/v4", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64"]),
        (
            "linux/arm64/v9.2",
            [
                *("linux/arm64/v9.2", "linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.7"),
                *("linux/arm64/v8.6", "linux/arm64/v8.1", "linux/arm64"),
            ],
        ),
        (
            "linux/ppc64le/power10",
            [
                *("linux/ppc64le/power10", "linux/ppc64le/power9", "linux/ppc64le/power8"),
                "linux/ppc64le",
            ],
        ),
        ("linux/ppc64le", ["linux/ppc64le", "linux/ppc64le/power8"]),
        (
            "linux/riscv64/rva22u64",
            ["linux/riscv64/rva22u64", "linux/riscv64/rva20u64", "linux/riscv64"],
        ),
        ("linux/riscv64", ["linux/riscv64", "linux/riscv64/rva20u64"]),
        (
            "linux/mips64le/hardfloat",
            ["linux/mips64le/hardfloat", "linux/mips64le/softfloat", "linux/mips64le"],
        ),
        ("linux/mips", ["linux/mips", "linux/mips/hardfloat", "linux/mips/softfloat"]),
        ("linux/s390x/z15", ["linux/s390x/z15", "linux/s390x"]),
        (
            "windows(10.0.20348+a+b)/amd64",
            [
                *("windows(10.0.20348+a+b)/amd64", "windows(10.0.20348.1+a+b)/amd64"),
                *("windows(10.0.20348+b)/amd64", "windows(10.0.20348.1+a)/amd64"),
                *("windows(10.0.20348)/amd64", "windows(10.0.20348.1)/amd64"),
            ],
        ),
    ],
)
def test_what_fits_is_ordered(wanted: str, best_first: list[str]) -> None:
    """The exact variant comes before an older one, and that before none; then features count."""
    fits = [fit(Platform.parse(offered), Platform.parse(wanted)) for offered in best_first]
    assert None not in fits
    assert sorted(set(fits), key=lambda found: found or (0, 0, False), reverse=True) == fits
