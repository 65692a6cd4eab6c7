"""Names of systems and processors: which are known, which are aliases, and what a processor runs.

A processor is an architecture and a variant. The variants are those of the table of the image-spec,
continued and given defaults by the variables of Go that the table names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMS: Final = frozenset(
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
"""The values of GOOS: `go tool dist list`, and what Go reserves in internal/syslist."""

ARCHITECTURES: Final = frozenset(
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
"""The values of GOARCH, from the same places."""

_SYSTEM_ALIASES: Final = {"macos": "darwin"}

# With the variant that the alias means, if it means one.
_ARCHITECTURE_ALIASES: Final = {
    "aarch64": ("arm64", ""),
    "armel": ("arm", "v6"),
    "armhf": ("arm", "v7"),
    "i386": ("386", ""),
    "x86-64": ("amd64", ""),
    "x86_64": ("amd64", ""),
}

# Where variants are numbers, with `v` or without it: the spelling that the normal form changes. It
# leaves out what every amd64 and arm64 runs; for arm it adds the default, which is not the least.
_NUMBERED: Final = {"amd64": "v1", "arm": "", "arm64": "v8"}
_NUMBER: Final = re.compile(r"v?([0-9]{1,3})(?:\.0|(\.[0-9]{1,3}))?")
_DEFAULT_ARM: Final = "v7"

# Variants of which each runs all before it. The table of the image-spec names the first of some
# rows; the rest, the names for mips and 386, and the defaults are those of Go's variables GOAMD64,
# GOARM, GOPPC64, GORISCV64, GOMIPS and GO386.
_POWER: Final = ("power8", "power9", "power10", "power11")
_FLOAT: Final = ("softfloat", "hardfloat")
_GROWING: Final = {
    "386": ("softfloat", "sse2"),
    "amd64": ("v1", "v2", "v3", "v4"),
    "arm": ("v5", "v6", "v7", "v8"),
    "mips": _FLOAT,
    "mipsle": _FLOAT,
    "mips64": _FLOAT,
    "mips64le": _FLOAT,
    "ppc64": _POWER,
    "ppc64le": _POWER,
    "riscv64": ("rva20u64", "rva22u64", "rva23u64"),
}
_GREATEST_IS_DEFAULT: Final = frozenset({"386", "mips", "mipsle", "mips64", "mips64le"})
_ARM64: Final = re.compile(r"v([89])(?:\.([1-9]))?")
_ARM64_OF_V9: Final = 5  # Armv9.0 has what Armv8.5 has, Armv9.1 what Armv8.6 has, and so on
_NEWEST_V8: Final = 9


def is_system(name: str) -> bool:
    """Return whether a name is that of a known operating system, or an alias."""
    return normal_system(name) in SYSTEMS


def is_architecture(name: str) -> bool:
    """Return whether a name is that of a known architecture, or an alias."""
    return normal_processor(name, "")[0] in ARCHITECTURES


def normal_system(name: str) -> str:
    """Return the normal form of the name of an operating system."""
    name = name.lower()
    return _SYSTEM_ALIASES.get(name, name)


def normal_processor(architecture: str, variant: str) -> tuple[str, str]:
    """Return the normal form of an architecture and a variant, which is empty for none."""
    architecture, variant = architecture.lower(), variant.lower()
    architecture, meant = _ARCHITECTURE_ALIASES.get(architecture, (architecture, ""))
    variant = meant or variant
    if architecture not in _NUMBERED:
        return architecture, variant
    number = _NUMBER.fullmatch(variant)
    if number is not None:
        variant = f"v{number[1]}{number[2] or ''}"
    if variant == _NUMBERED[architecture]:
        variant = _DEFAULT_ARM if architecture == "arm" else ""
    return architecture, variant


def suitable_variants(architecture: str, variant: str) -> list[str]:
    """Return the variants that a processor runs: its own, older ones from new to old, and none.

    Args:
        architecture: The architecture, in its normal form.
        variant: The variant, likewise; empty for none, as in the answer.

    Spec: image-index:variant.
    """
    growing = _GROWING.get(architecture, ())
    older: tuple[str, ...] = ()
    if architecture == "arm64":
        older = tuple(_older_arm64(variant))
    elif variant in growing:
        older = growing[: growing.index(variant)][::-1]
    elif not variant:
        older = growing[::-1] if architecture in _GREATEST_IS_DEFAULT else growing[:1]
    found = [variant, *older]
    return [*found, ""] if variant else found


def _older_arm64(variant: str) -> Iterator[str]:
    """Yield the variants of arm64 that a variant has all of, newest first."""
    match = _ARM64.fullmatch(variant)
    if match is None:
        return
    minor = int(match[2] or 0)
    if match[1] == "9":
        yield from (f"v9.{older}" if older else "v9" for older in range(minor - 1, -1, -1))
        minor = min(minor + _ARM64_OF_V9, _NEWEST_V8) + 1
    yield from (f"v8.{older}" for older in range(minor - 1, 0, -1))
