"""The sources of installs: local builds, references to registries, and archives.

A full reference is pulled from its registry, since its tag may have moved; a local build with that
tag stays as it is, and is installed if the registry does not have other content. A bare name is the
name of a skill, and is looked up among the builds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve

from ocilayout import (
    Archive,
    InvalidNameError,
    Reference,
    ReferenceNotFoundError,
    RegistryError,
)
from skills.errors import AmbiguousSkillError, NameMismatchError, NotASkillError
from skills.model import SKILL_MD, check_name, draft, is_tag, origin_of, parse_reference
from skills.packaging import Artifact, read_artifact
from skills.store.builds import is_local_build
from skills.store.exchange import Exchange

if TYPE_CHECKING:
    import os

    from ocilayout import Descriptor
    from skills.packaging import Layer
    from skills.store.exchange import Report

ARCHIVE_PREFIX: Final = "oci-archive:"
_FOREIGN: Final = ("git://", "http://", "https://")


def is_name(source: str | os.PathLike[str]) -> bool:
    """Tell whether a source is a bare name, which is looked up in the store only."""
    return isinstance(source, str) and not set("/:@") & set(source)


class Sources(Exchange):
    """Finds the skills to install in a store, and copies those in that it does not have."""

    def _find_source(
        self,
        source: str | os.PathLike[str],
        *,
        version: str | None,
        replace: bool,
        on_event: Report,
    ) -> Artifact:
        """Return the artifact of a source, with the version that was asked for, if there is one."""
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
            return self._artifact(self.layout.resolve(source), source)
        return self._by_name(source, version or "")

    # ------------------------------------------------------------ kinds of sources

    def _from_reference(
        self, text: str, version: str | None, *, replace: bool, on_event: Report
    ) -> Artifact:
        parsed = parse_reference(text)
        if parsed.tag is None and parsed.digest is None:
            text = f"{text}:{version or 'latest'}"
            parsed = parse_reference(text)
        content = self._content_of(text, parsed, replace=replace, on_event=on_event)
        return self._artifact(content, text, parsed, version=version or "")

    def _content_of(
        self, text: str, parsed: Reference, *, replace: bool, on_event: Report
    ) -> Descriptor:
        entries = self.layout.entries(name=text)
        content = entries[-1].descriptor if entries else None
        if content is not None and content.digest == parsed.digest:
            return content  # a digest has the same content everywhere
        try:
            self.pull(text, replace=replace, on_event=on_event)
        except (RegistryError, ReferenceNotFoundError):
            # A build that was not pushed, or a registry that cannot be reached: there is no other
            # content for this reference.
            if content is None or replace or not is_local_build(entries):
                raise
            return content
        return self.layout.resolve(text)

    def _by_name(self, name: str, version: str) -> Artifact:
        if reason := check_name(name):
            raise InvalidNameError(f"{reason}; or give a full reference")
        tagged = self._tagged(name)
        if tagged is not None and tagged.name == name and version in ("", tagged.version):
            return tagged
        candidates = [
            build
            for build in self.list_builds()
            if build.name == name and version in ("", build.version, build.tag)
        ]
        if len({build.digest for build in candidates}) > 1:
            raise AmbiguousSkillError(name, [(build.tag, build.version) for build in candidates])
        if candidates:
            tag = candidates[0].tag
            content = self.layout.resolve(tag)
            return self._artifact(content, tag, origin_of(tag), version=version)
        if tagged is not None and tagged.name != name:
            raise NameMismatchError(name, tagged.name, where=f"the tag {name!r} of the store")
        wanted = f"version {version} of " if version else ""
        raise ReferenceNotFoundError(
            f"no build in the store is {wanted}the skill {name!r}; build it, or give a full"
            " reference such as ghcr.io/org/skill:v1"
        )

    def _tagged(self, name: str) -> Artifact | None:
        try:
            content = self.layout.resolve(name)
        except ReferenceNotFoundError:
            return None
        return read_artifact(self.layout, content, name)

    def _from_archive(self, path: Path, name: str | None, *, replace: bool) -> Artifact:
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
            # Other programs allow names in an archive that are not valid tags here.
            tag = entry.name if entry.name is not None and is_tag(entry.name) else None
            self._copy(archive, digest, tag, replace=replace)
        return self._artifact(entry.descriptor, tag or digest, origin_of(tag or ""))

    # ------------------------------------------------------------ the artifact

    def _artifact(
        self,
        content: Descriptor,
        reference: str,
        source: Reference | None = None,
        *,
        version: str = "",
    ) -> Artifact:
        artifact = read_artifact(self.layout, content, reference)
        if reason := check_name(artifact.name):
            raise NotASkillError(reference, reason)
        tag = ""
        if source is not None:
            tag = source.tag or ""
            last = source.repository.rpartition("/")[2]
            if artifact.name != last:
                raise NameMismatchError(last, artifact.name, where=f"the artifact {reference!r}")
        return evolve(artifact, tag=tag, version=version or artifact.version)


def require_skill(artifact: Artifact, layer: Layer) -> None:
    """Refuse a layer whose SKILL.md is not that of its artifact.

    Raises:
        NotASkillError: The layer has no SKILL.md, or its SKILL.md cannot be parsed.
        NameMismatchError: The SKILL.md has another name than the artifact.
    """
    file = layer.find(SKILL_MD)
    if file is None:
        raise NotASkillError(artifact.reference, f"it has no file {SKILL_MD}")
    parsed = draft(layer.read(file))
    if parsed.skill is None:
        raise NotASkillError(artifact.reference, str(parsed.problems[0]))
    if parsed.skill.name != artifact.name:
        raise NameMismatchError(artifact.name, parsed.skill.name, where=f"its {SKILL_MD}")
