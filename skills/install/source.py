"""The sources of installs: local builds, references to registries, and archives.

A full reference is asked for at its registry, since its tag may have moved; a local build with that
tag stays as it is, and is installed if the registry does not have other content. A bare name is the
name of a skill, and is looked for among the builds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout import (
    Archive,
    InvalidNameError,
    Reference,
    ReferenceNotFoundError,
    RegistryError,
)
from skills import builds, skillmd
from skills.artifact import Artifact, read_artifact
from skills.errors import AmbiguousSkillError, NameMismatchError, NotASkillError
from skills.exchange import parse, parse_source
from skills.folder import SKILL_MD
from skills.validation import check_name

if TYPE_CHECKING:
    import os

    from ocilayout import Descriptor, Layout
    from skills.exchange import Exchange, Report
    from skills.layer import Layer

ARCHIVE_PREFIX: Final = "oci-archive:"
_FOREIGN: Final = ("git://", "http://", "https://")


@frozen(kw_only=True)
class Candidate:
    """A skill in the store that can be installed.

    Attributes:
        artifact: The artifact.
        tag: The tag in its reference; may be empty.
        version: The version that was asked for; may be empty.
    """

    artifact: Artifact
    tag: str = ""
    version: str = ""


def is_name(source: str | os.PathLike[str]) -> bool:
    """Tell whether a source is a bare name, which is looked for in the store only."""
    return isinstance(source, str) and not set("/:@") & set(source)


class Sources:
    """The sources of installs, as one store reaches them."""

    def __init__(self, layout: Layout, exchange: Exchange) -> None:
        """Use a store and its exchange."""
        self._layout = layout
        self._exchange = exchange

    def find(
        self,
        source: str | os.PathLike[str],
        *,
        version: str | None,
        replace: bool,
        on_event: Report,
    ) -> Candidate:
        """Find a skill, and copy it into the store if it is not there.

        Args:
            source: As for `SkillService.install`.
            version: As for `SkillService.install`.
            replace: As for `SkillService.install`.
            on_event: As for `SkillService.install`.

        Raises:
            SkillError: As `SkillService.install` says.
            OciLayoutError: As `SkillService.install` says.
        """
        if version and not version.isprintable():
            raise InvalidNameError(f"{version!r} is not a valid version")
        if not isinstance(source, str):
            return self._from_archive(Path(source), None, replace=replace)
        if source.startswith(ARCHIVE_PREFIX):
            path, _, name = source.removeprefix(ARCHIVE_PREFIX).partition(":")
            return self._from_archive(Path(path), name or None, replace=replace)
        if source.startswith(_FOREIGN):
            raise InvalidNameError(f"{source!r} is not a reference; skills come from registries")
        if "/" in source:
            return self._from_reference(source, version, replace=replace, on_event=on_event)
        if ":" in source or "@" in source:
            return self._candidate(self._layout.resolve(source), source)
        return self._by_name(source, version or "")

    # ------------------------------------------------------------ kinds of sources

    def _from_reference(
        self, text: str, version: str | None, *, replace: bool, on_event: Report
    ) -> Candidate:
        parsed = parse(text)
        if parsed.tag is None and parsed.digest is None:
            text = f"{text}:{version or 'latest'}"
            parsed = parse(text)
        content = self._content_of(text, parsed, replace=replace, on_event=on_event)
        return self._candidate(content, text, parsed, version=version or "")

    def _content_of(
        self, text: str, parsed: Reference, *, replace: bool, on_event: Report
    ) -> Descriptor:
        here = self._layout.entries(name=text)
        content = here[-1].descriptor if here else None
        if content is not None and content.digest == parsed.digest:
            return content  # a digest has the same content everywhere
        try:
            self._exchange.pull(text, name=None, replace=replace, on_event=on_event)
        except (RegistryError, ReferenceNotFoundError):
            # A build that was not pushed, or a registry that cannot be asked: no other content
            # is known by this reference.
            if content is None or replace or not builds.is_local_build(here):
                raise
            return content
        return self._layout.resolve(text)

    def _by_name(self, name: str, version: str) -> Candidate:
        if reason := check_name(name):
            raise InvalidNameError(f"{reason}; or give a full reference")
        tagged = self._tagged(name)
        if tagged is not None and tagged.name == name and version in ("", tagged.version):
            return Candidate(artifact=tagged, version=version)
        found = [
            build
            for build in builds.list_builds(self._layout)
            if build.name == name and version in ("", build.version, build.tag)
        ]
        if len({build.digest for build in found}) > 1:
            raise AmbiguousSkillError(name, [(build.tag, build.version) for build in found])
        if found:
            tag = found[0].tag
            content = self._layout.resolve(tag)
            return self._candidate(content, tag, parse_source(tag), version=version)
        if tagged is not None and tagged.name != name:
            raise NameMismatchError(name, tagged.name, where=f"the tag {name!r} of the store")
        wanted = f"version {version} of " if version else ""
        raise ReferenceNotFoundError(
            f"no build in the store is {wanted}the skill {name!r}; build it, or give a full"
            " reference such as ghcr.io/org/skill:v1"
        )

    def _tagged(self, name: str) -> Artifact | None:
        try:
            content = self._layout.resolve(name)
        except ReferenceNotFoundError:
            return None
        return read_artifact(self._layout, content, name)

    def _from_archive(self, path: Path, name: str | None, *, replace: bool) -> Candidate:
        with Archive.open(path) as archive:
            entries = archive.entries(name=name)
            if len({entry.descriptor.digest for entry in entries}) != 1:
                names = ", ".join(map(repr, archive.tags())) or "no tags"
                raise ReferenceNotFoundError(
                    f"{str(path)!r} does not say which skill to install; it has {names}, give one"
                    f" as {ARCHIVE_PREFIX}{path}:NAME"
                )
            entry = entries[0]
            digest = str(entry.descriptor.digest)
            taken = entry.name if entry.name is not None and builds.is_tag(entry.name) else None
            self._exchange.copy(archive, digest, taken, replace=replace)
        parsed = parse_source(taken or "")
        return self._candidate(entry.descriptor, taken or digest, parsed)

    # ------------------------------------------------------------ checks of the artifact

    def _candidate(
        self,
        content: Descriptor,
        reference: str,
        source: Reference | None = None,
        *,
        version: str = "",
    ) -> Candidate:
        artifact = read_artifact(self._layout, content, reference)
        if reason := check_name(artifact.name):
            raise NotASkillError(reference, reason)
        tag = ""
        if source is not None:
            tag = source.tag or ""
            last = source.repository.rpartition("/")[2]
            if artifact.name != last:
                raise NameMismatchError(last, artifact.name, where=f"the artifact {reference!r}")
        return Candidate(artifact=artifact, tag=tag, version=version)


def require_skill(candidate: Candidate, layer: Layer) -> None:
    """Refuse a layer that does not hold the skill of its artifact.

    Raises:
        NotASkillError: It has no SKILL.md, or its SKILL.md cannot be read.
        NameMismatchError: Its SKILL.md has another name.
    """
    artifact = candidate.artifact
    file = layer.find(SKILL_MD)
    if file is None:
        raise NotASkillError(artifact.reference, f"it has no file {SKILL_MD}")
    draft = skillmd.draft(layer.read(file))
    if draft.skill is None:
        raise NotASkillError(artifact.reference, str(draft.problems[0]))
    if draft.skill.name != artifact.name:
        raise NameMismatchError(artifact.name, draft.skill.name, where=f"its {SKILL_MD}")
