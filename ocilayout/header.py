"""The `oci-layout` file: the version of a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from ocilayout import field as fields
from ocilayout.errors import UnsupportedVersionError

if TYPE_CHECKING:
    from attrs import Attribute

VERSION = "1.0.0"
UNSUPPORTED_VERSION = "unsupported-version"

MAX_HEADER: Final = 64 * 1024
"""The largest `oci-layout` that is read, in bytes."""


def _version(_: object, attribute: Attribute[Any], value: object) -> None:
    fields.text(_, attribute, value)
    if value != VERSION:
        error = fields.invalid(
            attribute, UNSUPPORTED_VERSION, f"only {VERSION} is known, found {value!r}"
        )
        raise UnsupportedVersionError(error.problems)


@frozen(kw_only=True)
class Header(fields.Extensible):
    """The content of `oci-layout`.

    Attributes:
        image_layout_version: Always `1.0.0`.

    Raises:
        UnsupportedVersionError: The version is another one.
        DocumentError: The version is no string.

    Spec: image-layout:oci-layout-file, image-layout:header-extra, image-layout:version.
    """

    image_layout_version: str = field(
        default=VERSION, validator=_version, metadata=fields.key(required=True)
    )
