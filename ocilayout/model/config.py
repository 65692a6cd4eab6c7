"""The image configuration: the program to run, and the layers of the image.

A store does not read it; programs that write images and artifacts use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from ocilayout.errors import DocumentError
from ocilayout.model import attribute as fields
from ocilayout.model.digest import Digest
from ocilayout.model.frozenmap import FrozenJson, FrozenMap
from ocilayout.model.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable


@frozen(kw_only=True)
class ContainerConfig(fields.Extensible):
    """The execution parameters of an image; each may be absent.

    Attributes:
        user: The user, by name or number, with an optional group after a colon.
        exposed_ports: The ports, such as `8080/tcp`, each with an empty object.
        env: The environment, in entries of `NAME=VALUE`.
        entrypoint: The arguments that start the container.
        cmd: The default arguments after the entrypoint.
        volumes: The paths of volumes, each with an empty object.
        working_dir: The working directory.
        labels: Metadata of the container.
        stop_signal: The signal that stops the container.

    Raises:
        DocumentError: A value has the wrong type.

    Spec: config:execution, config:labels, config:reserved.
    """

    user: str | None = fields.optional(fields.text, "User")
    exposed_ports: FrozenMap[str, FrozenJson] = field(
        default=FrozenMap(), converter=fields.to_json_map, metadata=fields.key("ExposedPorts")
    )
    env: tuple[str, ...] = field(
        default=(),
        converter=fields.to_tuple,
        validator=fields.each(str),
        metadata=fields.key("Env"),
    )
    entrypoint: tuple[str, ...] = field(
        default=(),
        converter=fields.to_tuple,
        validator=fields.each(str),
        metadata=fields.key("Entrypoint"),
    )
    cmd: tuple[str, ...] = field(
        default=(),
        converter=fields.to_tuple,
        validator=fields.each(str),
        metadata=fields.key("Cmd"),
    )
    volumes: FrozenMap[str, FrozenJson] = field(
        default=FrozenMap(), converter=fields.to_json_map, metadata=fields.key("Volumes")
    )
    working_dir: str | None = fields.optional(fields.text, "WorkingDir")
    labels: FrozenMap[str, str] = field(
        default=FrozenMap(),
        converter=fields.to_map,
        validator=fields.strings,
        metadata=fields.key("Labels"),
    )
    stop_signal: str | None = fields.optional(fields.text, "StopSignal")


def _to_digests(values: Iterable[Digest | str]) -> tuple[Digest, ...]:
    """Convert a sequence of digests or of their texts.

    Raises:
        DocumentError: It is not a sequence, or a text is not a valid digest.
    """
    digests = []
    for position, value in enumerate(fields.to_tuple(values)):
        try:
            digests.append(Digest.parse(value))
        except DocumentError as error:
            raise error.at(f"$.diff_ids[{position}]") from None
    return tuple(digests)


@frozen(kw_only=True)
class RootFs(fields.Extensible):
    """The layers of an image, by the digests of their uncompressed tar files.

    Attributes:
        type: Always `layers`.
        diff_ids: The digests, from the base layer up. The constructor accepts their text.

    Raises:
        DocumentError: A value breaks the specification.

    Spec: config:rootfs, config:rootfs-type, config:diff-ids.
    """

    type: str = field(
        default="layers",
        validator=fields.one_of(["layers"]),
        metadata=fields.key(required=True),
    )
    diff_ids: tuple[Digest, ...] = field(
        default=(),
        converter=_to_digests,
        metadata=fields.key("diff_ids", always=True),
    )


@frozen(kw_only=True)
class History(fields.Extensible):
    """A step of the build of an image.

    Attributes:
        created: The time of the step, as the text of an RFC 3339 date-time. The constructor accepts
            a `datetime` with a zone.
        created_by: The command.
        author: The author.
        comment: A message.
        empty_layer: Whether the step added no layer.

    Raises:
        DocumentError: A value breaks the specification.

    Spec: config:history, config:created.
    """

    created: str | None = field(
        default=None,
        converter=fields.to_date_time,
        validator=fields.maybe_date_time,
        metadata=fields.key(),
    )
    created_by: str | None = fields.optional(fields.text, "created_by")
    author: str | None = fields.optional(fields.text)
    comment: str | None = fields.optional(fields.text)
    empty_layer: bool | None = fields.optional(fields.instance(bool, "a boolean"), "empty_layer")


@frozen(kw_only=True)
class ImageConfig(fields.Extensible):
    """An image configuration.

    Attributes:
        created: The time of the build, as the text of an RFC 3339 date-time. The constructor
            accepts a `datetime` with a zone.
        author: The author.
        architecture: A GOARCH value.
        os: A GOOS value.
        os_version: The version of the operating system.
        os_features: Mandatory features of the operating system.
        variant: The variant of the processor.
        config: The execution parameters.
        rootfs: The layers.
        history: The steps of the build, in order.

    Raises:
        DocumentError: A value breaks the specification.

    Spec: config:created, config:platform, config:rootfs, config:history, config:unknown-fields,
        manifest:config-type.
    """

    created: str | None = field(
        default=None,
        converter=fields.to_date_time,
        validator=fields.maybe_date_time,
        metadata=fields.key(),
    )
    author: str | None = fields.optional(fields.text)
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
    config: ContainerConfig | None = fields.optional(fields.instance(ContainerConfig))
    rootfs: RootFs = field(validator=fields.instance(RootFs))
    history: tuple[History, ...] = field(
        default=(), converter=fields.to_tuple, validator=fields.each(History)
    )

    @property
    def platform(self) -> Platform:
        """The platform that the image runs on."""
        return Platform(
            architecture=self.architecture,
            os=self.os,
            os_version=self.os_version,
            os_features=self.os_features,
            variant=self.variant,
        )
