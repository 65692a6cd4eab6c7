"""Platforms: the value, its text, and how well one platform suits another.

A platform has many spellings: `x86_64` is `amd64`, and `linux/arm64/v8` is `linux/arm64`. Platforms
are compared and printed in their normal form. A document keeps the spelling that it has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from attrs import field, frozen

from ocilayout.errors import DocumentError
from ocilayout.model import attribute as fields
from ocilayout.model.place import wrong_type
from ocilayout.model.processor import (
    is_architecture,
    is_system,
    normal_processor,
    normal_system,
    suitable_variants,
)

if TYPE_CHECKING:
    Fit = tuple[int, int, bool]

_WORD: Final = re.compile("[0-9A-Za-z][0-9A-Za-z_.-]*")
_OPTION: Final = "(?:[0-9A-Za-z_.-]|%[0-9A-Fa-f]{2})"
_SYSTEM: Final = re.compile(
    rf"(?P<os>{_WORD.pattern})(?:\((?P<version>{_OPTION}*)(?P<features>(?:\+{_OPTION}+)*)\))?"
)
# `:VERSION` and `,osver=VERSION` after the platform are written by other programs.
_VERSION_BEHIND: Final = re.compile(r"(?::|,(?i:osver(?:sion)?)=)([0-9A-Za-z_.+-]+)\Z")
_CPU: Final = ("an architecture", "a variant")


@frozen(kw_only=True)
class Platform(fields.Extensible):
    """The platform that an image runs on.

    Attributes:
        architecture: A GOARCH value, such as `amd64`.
        os: A GOOS value, such as `linux`.
        os_version: The version of the operating system, or `None`.
        os_features: Mandatory features of the operating system.
        variant: The variant of the processor, such as `v8`, or `None`.

    Raises:
        DocumentError: A value has the wrong type.

    Spec: image-index:platform, image-index:os-features, image-index:features.
    """

    architecture: str = field(validator=fields.text)
    os: str = field(validator=fields.text)
    os_version: str | None = fields.optional(fields.text, "os.version")
    os_features: tuple[str, ...] = field(
        default=(),
        converter=fields.to_tuple,
        validator=fields.each(str),
        metadata=fields.key("os.features"),
    )
    variant: str | None = fields.optional(fields.text)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read a platform from its text, in the normal form.

        The form is `OS[(VERSION[+FEATURE]...)]/ARCH[/VARIANT]`, such as `linux/arm64`,
        `linux/arm/v6` or `windows(10.0.20348+win32k)/amd64`. The version may follow the platform
        instead, as `:VERSION` or `,osver=VERSION`. Aliases and capital letters are understood:
        `Linux/x86_64` is `linux/amd64`, and `linux/armel` is `linux/arm/v6`.

        Raises:
            DocumentError: The text has another form, such as `linux` or `linux/*`.

        Spec: image-index:platform-values, image-index:variant.
        """
        if not isinstance(text, str):
            raise wrong_type("a string", text)
        try:
            return _read(text).normal()
        except ValueError as error:
            raise DocumentError.of(
                "wrong-value",
                f"{text!r} is not a valid platform: {error}; write one such as linux/arm64,"
                " linux/arm/v7 or windows(10.0.20348)/amd64",
            ) from None

    def normal(self) -> Platform:
        """Return the normal form, which all spellings of a platform have in common.

        Names are lower-case and are not aliases. `linux/arm` is `linux/arm/v7`, and the variants
        `v1` of amd64 and `v8` of arm64 are left out. Features are sorted. Unknown properties are
        not part of it.
        """
        architecture, variant = normal_processor(self.architecture, self.variant or "")
        return Platform(
            os=normal_system(self.os),
            architecture=architecture,
            variant=variant or None,
            os_version=self.os_version or None,
            os_features=tuple(sorted({feature for feature in self.os_features if feature})),
        )

    def __str__(self) -> str:
        """Return the text of the normal form, which `parse` reads."""
        normal = self.normal()
        options = "+".join(map(_quoted, (normal.os_version or "", *normal.os_features)))
        system = f"{normal.os}({options})" if options else normal.os
        return "/".join(part for part in (system, normal.architecture, normal.variant) if part)


def fit(offered: Platform, wanted: Platform) -> Fit | None:
    """Return how well a platform suits the wanted one, the best being the largest.

    System and architecture are the same. The variant is the wanted one, or else the newest that it
    runs, or else none. The version of the system is the wanted one or begins with it, as
    `10.0.17763.5820` begins with `10.0.17763`; it does not matter if none is wanted. All features
    of the offered platform are wanted, and the more of them it uses, the better.

    Args:
        offered: The platform of an image.
        wanted: The platform to find an image for.

    Returns:
        `None` if an image for the offered platform does not run on the wanted one.

    Spec: image-index:platform-values, image-index:os-version, image-index:os-features,
        image-index:variant.
    """
    offered, wanted = offered.normal(), wanted.normal()
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return None
    version = wanted.os_version
    if version and not f"{offered.os_version or ''}.".startswith(f"{version}."):
        return None
    if not set(offered.os_features) <= set(wanted.os_features):
        return None
    suitable = suitable_variants(wanted.architecture, wanted.variant or "")
    if (offered.variant or "") not in suitable:
        return None
    exact_version = version is not None and offered.os_version == version
    return -suitable.index(offered.variant or ""), len(offered.os_features), exact_version


def _read(text: str) -> Platform:
    """Read a platform from its text.

    Raises:
        ValueError: The text has another form; the error says what is wrong.
    """
    if "*" in text:
        raise ValueError("it has a wildcard, and a platform is one system and one architecture")
    behind = _VERSION_BEHIND.search(text)
    system, *cpu = (text[: behind.start()] if behind else text).split("/")
    head = _SYSTEM.fullmatch(system)
    if head is None:
        raise ValueError(f"{system!r} is not an operating system")
    _require_names(head["os"], cpu)
    if head["version"] and behind:
        raise ValueError("it has two versions of the operating system")
    said = f"{head['version'] or ''}{head['features'] or ''}".split("+")
    try:
        version, *features = (unquote(option, errors="strict") for option in said)
    except UnicodeDecodeError:
        raise ValueError("its percent-encoded bytes are not UTF-8") from None
    return Platform(
        os=head["os"],
        architecture=cpu[0],
        variant="".join(cpu[1:]),
        os_version=behind[1] if behind else version,
        os_features=features,
    )


def _require_names(system: str, cpu: list[str]) -> None:
    """Refuse parts that are not names, or not in their places.

    Raises:
        ValueError: Some are not; the error says what is wrong.
    """
    if not cpu:
        known = is_system(system), is_architecture(system)
        alone = {(True, False): "an operating system", (False, True): "an architecture"}
        raise ValueError(f"it is {alone[known]} alone" if any(known) else "it has no architecture")
    if len(cpu) > len(_CPU):
        raise ValueError("it has more than three parts")
    for part, what in zip(cpu, _CPU, strict=False):
        if _WORD.fullmatch(part) is None or is_system(part):
            raise ValueError(f"{part!r} is not {what}")
    if is_architecture(system):
        raise ValueError(f"{system!r} is an architecture, which follows the operating system")
    if cpu[1:] and is_architecture(cpu[1]):
        raise ValueError(f"{cpu[1]!r} is a second architecture")


def _quoted(option: str) -> str:
    return quote(option, safe="").replace("~", "%7E")
