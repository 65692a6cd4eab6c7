"""From a skill folder to the artifact that a store keeps: layer, configs, manifests and index.

The tar and the configs are byte for byte those that ToolHive makes of the same folder and epoch.
The compressed layer is not, since another library compresses it, and so neither are the manifests
and the index. They are the same for every run with one version of zlib, whatever the times, modes
and order of the files are. The artifact is kept in memory, at most 95 MiB and its layer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import evolve, field, frozen

from ocilayout import (
    CREATED,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    TITLE,
    ContainerConfig,
    Descriptor,
    Digest,
    FrozenMap,
    History,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    RootFs,
    encode,
)
from ocilayout.model import dump_json
from skills.errors import FrontmatterError, InvalidEpochError, TooLargeError
from skills.model import SKILL_MD, SkillMd, parse
from skills.packaging.folder import MAX_LAYER, read, scan
from skills.packaging.tar_writer import compress, write_tar

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

ARTIFACT_TYPE: Final = "dev.toolhive.skills.v1"
"""The artifact type of the index and of its manifests."""

# Annotations of index and manifests, and labels of the configs.
NAME: Final = "dev.toolhive.skills.name"
DESCRIPTION: Final = "dev.toolhive.skills.description"
VERSION: Final = "dev.toolhive.skills.version"
# An annotation only: a JSON array of references, absent where there are none.
REQUIRES: Final = "dev.toolhive.skills.requires"
# Labels only: a string, and two JSON arrays of strings of which the first may be `null`.
LICENSE: Final = "dev.toolhive.skills.license"
ALLOWED_TOOLS: Final = "dev.toolhive.skills.allowedTools"
FILES: Final = "dev.toolhive.skills.files"

MAX_CONFIG: Final = 4 * 1024 * 1024
"""The largest config that is read, in bytes: a sparse file may claim any size."""

LAYER_TITLE: Final = "skill.tar.gz"
CREATED_BY: Final = "toolhive package"

PLATFORMS: Final = (
    Platform(architecture="amd64", os="linux"),
    Platform(architecture="arm64", os="linux"),
)
"""The platforms that a skill is packaged for; their order is part of the digest."""

MAX_EPOCH: Final = 2**32 - 1
"""The latest time that a gzip header can hold, in seconds since 1970; it is in 2106."""

# Of any number of zeros, those before the last 19 digits are cut off: int() takes 4300 digits.
_EPOCH = re.compile(r"(?P<sign>[+-]?)0*(?P<digits>[0-9]{1,19})")


class Blob(NamedTuple):
    """A blob in memory and its plain descriptor."""

    descriptor: Descriptor
    data: bytes


@frozen(kw_only=True)
class Package:
    """A skill as an artifact.

    Attributes:
        skill: The content of its SKILL.md.
        diff_id: The digest of the uncompressed tar.
        layer: The compressed tar.
        configs: One for each platform, in the order of `PLATFORMS`.
        manifests: One for each platform, in the same order.
        root: The index.
    """

    skill: SkillMd
    diff_id: Digest
    layer: Blob = field(repr=False)
    configs: tuple[Blob, ...] = field(repr=False)
    manifests: tuple[Blob, ...] = field(repr=False)
    root: Blob = field(repr=False)

    @property
    def name(self) -> str:
        """The name of the skill."""
        return self.skill.name

    @property
    def index(self) -> Descriptor:
        """The plain descriptor of the index, to which a tag points."""
        return self.root.descriptor

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All blobs in the order in which they must be stored: each after those it refers to."""
        return (self.layer, *self.configs, *self.manifests, self.root)


def source_date_epoch(environ: Mapping[str, str]) -> int:
    """Return the epoch of reproducible builds, in seconds since 1970-01-01 UTC.

    Args:
        environ: The environment. The epoch is 0 if SOURCE_DATE_EPOCH is missing or is not a
            decimal integer of 64 bits. `package` checks it against `MAX_EPOCH`.
    """
    match = _EPOCH.fullmatch(environ.get("SOURCE_DATE_EPOCH", ""))
    epoch = 0 if match is None else int(match["sign"] + match["digits"])
    return epoch if -(2**63) <= epoch < 2**63 else 0


def package(path: str | os.PathLike[str], *, epoch: int) -> Package:
    """Make the artifact of a skill folder.

    The rules for names and lengths are not checked here, but by `validate`.

    Args:
        path: The folder.
        epoch: The time of everything in the artifact, in seconds since 1970-01-01 UTC, 0 to
            `MAX_EPOCH`. ToolHive takes all integers, and writes those outside in ways that depend
            on the field.

    Raises:
        SkillFolderError: The folder is missing, has no SKILL.md, or holds something that cannot
            be packaged, such as a symbolic link.
        FrontmatterError: Its SKILL.md cannot be read, or has no name.
        TooLargeError: A limit is exceeded.
        InvalidEpochError: The epoch is out of range.
        OSError: The file system failed.

    Spec: layer:gzip, layer:no-duplicates, config:diff-id-value, manifest:artifact-config,
        annotations:created, config:reproducible.
    """
    if not 0 <= epoch <= MAX_EPOCH:
        raise InvalidEpochError(epoch, limit=MAX_EPOCH)
    folder = scan(path)
    for problem in folder.problems:
        raise problem
    files = {name: read(folder, name) for name in folder.files}
    skill = parse(files[SKILL_MD])
    if not skill.name:
        raise FrontmatterError("name is required; add a line such as `name: my-skill`")
    tar = write_tar(files, epoch)
    return _assemble(skill, files, tar, epoch)


def _assemble(skill: SkillMd, files: Iterable[str], tar: bytes, epoch: int) -> Package:
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    diff_id = Digest.of(tar)
    layer = _blob(_compressed(tar, epoch), OCI_LAYER_GZIP)
    annotations = _annotations(skill, created)
    labels = _labels(skill, files)
    configs: list[Blob] = []
    manifests: list[Blob] = []
    children: list[Descriptor] = []
    for platform in PLATFORMS:
        config = ImageConfig(
            created=created,
            architecture=platform.architecture,
            os=platform.os,
            config=ContainerConfig(labels=labels),
            rootfs=RootFs(diff_ids=(diff_id,)),
            history=(History(created=created, created_by=CREATED_BY),),
        )
        configs.append(_blob(encode(config), OCI_CONFIG))
        manifest = Manifest(
            artifact_type=ARTIFACT_TYPE,
            config=configs[-1].descriptor,
            layers=(evolve(layer.descriptor, annotations=FrozenMap({TITLE: LAYER_TITLE})),),
            annotations=annotations,
        )
        manifests.append(_blob(encode(manifest), OCI_MANIFEST))
        children.append(evolve(manifests[-1].descriptor, platform=platform))
    index = Index(artifact_type=ARTIFACT_TYPE, manifests=tuple(children), annotations=annotations)
    return Package(
        skill=skill,
        diff_id=diff_id,
        layer=layer,
        configs=tuple(configs),
        manifests=tuple(manifests),
        root=_blob(encode(index), OCI_INDEX),
    )


def _compressed(tar: bytes, epoch: int) -> bytes:
    layer = compress(tar, epoch)
    if len(layer) > MAX_LAYER:
        raise TooLargeError(
            f"the files have {len(layer)} bytes when they are compressed,"
            f" the limit is {MAX_LAYER}; remove some",
            what="layer",
            limit=MAX_LAYER,
        )
    return layer


def _blob(data: bytes, media_type: str) -> Blob:
    return Blob(Descriptor.of(data, media_type), data)


def _annotations(skill: SkillMd, created: str) -> FrozenMap[str, str]:
    annotations = {
        CREATED: created,
        NAME: skill.name,
        DESCRIPTION: skill.description,
        VERSION: skill.version,
    }
    if skill.requires:
        annotations[REQUIRES] = dump_json(list(skill.requires)).decode()
    return FrozenMap(annotations)


def _labels(skill: SkillMd, files: Iterable[str]) -> FrozenMap[str, str]:
    tools = skill.allowed_tools
    return FrozenMap(
        {
            NAME: skill.name,
            DESCRIPTION: skill.description,
            VERSION: skill.version,
            LICENSE: skill.license,
            ALLOWED_TOOLS: dump_json(None if tools is None else list(tools)).decode(),
            FILES: dump_json(list(files)).decode(),
        }
    )
