"""A store of skills: what was built in it, what was pulled into it, and the registries beyond."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from platformdirs import user_data_path

from ocilayout import InvalidNameError, Layout
from ocilayout.copy import put_and_bind
from skills import builds, cache
from skills.builds import BuildResult
from skills.content import SkillContent, read_content
from skills.errors import ValidationError
from skills.exchange import Exchange
from skills.package import package, source_date_epoch
from skills.tag import require_tag
from skills.validation import validate

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from ocilayout import Reference
    from ocilayout.copy import CopySource
    from ocilayout.registry import Repository
    from skills.exchange import Report

Durability = Literal["commit", "none"]

STORE_VARIABLE: Final = "OCI_SKILLS_STORE"


def default_store() -> Path:
    """Return where the store is: `$OCI_SKILLS_STORE`, else the one that ToolHive uses.

    That is `toolhive/skills` in `$XDG_DATA_HOME`, if that is an absolute path (`~` and variables
    are expanded), or in the platform's data folder.
    """
    if store := os.environ.get(STORE_VARIABLE):
        return Path(store)
    data = Path(os.path.expandvars(os.environ.get("XDG_DATA_HOME", ""))).expanduser()
    return (data if data.is_absolute() else user_data_path()) / "toolhive" / "skills"


def open_layout(
    path: str | os.PathLike[str] | None = None, *, durability: Durability = "commit"
) -> Layout:
    """Open the layout of a store, and make it if it is not there.

    Args:
        path: The folder of the store; `default_store()` if it is not given.
        durability: As for `Layout.open`.

    Raises:
        LayoutExistsError: The folder holds something that is no store.
        OciLayoutError: As `Layout.open` says.
        OSError: The file system refused.
    """
    # Tags of ToolHive may lie outside the ref.name grammar; `require_tag` is the rule here.
    where = default_store() if path is None else path
    return Layout.open(where, create=True, durability=durability, strict_names=False)


def repository_of(reference: Reference) -> Repository:
    """Return the repository of a reference, asked for without credentials."""
    # What builds and lists needs no registry, and starts sooner without.
    from ocilayout.registry import Repository  # noqa: PLC0415

    return Repository(f"{reference.host}/{reference.repository}")


class Store:
    """Skills in a local store.

    Attributes:
        layout: The store.
    """

    layout: Layout

    def __init__(
        self, layout: Layout, *, registry: Callable[[Reference], Repository] | None = None
    ) -> None:
        """Use a store.

        Args:
            layout: The store.
            registry: Makes the repository of a reference, for credentials or certificates;
                by default one that is asked for without credentials. It is closed after use.
        """
        self.layout = layout
        self._exchange = Exchange(layout, registry or repository_of)

    def build(
        self, path: str | os.PathLike[str], *, tag: str | None = None, validate: bool = True
    ) -> BuildResult:
        """Package a skill's folder, and put it into the store as a local build.

        The same folder gives the same digest, wherever and whenever it is built; times are those
        of `SOURCE_DATE_EPOCH`, 0 if it is not set.

        Args:
            path: The folder with the SKILL.md.
            tag: The name in the store; the name of the skill if it is not given.
            validate: Whether to refuse what breaks the rules of skills.

        Raises:
            InvalidTagError: The tag is none; nothing was packaged.
            ValidationError: The skill breaks the rules.
            SkillFolderError: The folder, or something in it, cannot be packaged.
            FrontmatterError: The SKILL.md cannot be read.
            TooLargeError: The skill is larger than what can be installed.
            OciLayoutError: As `Layout.tag` says.
            OSError: The file system failed.
        """
        if tag is not None:
            require_tag(tag)
        if validate:
            _require_valid(path)
        packed = package(path, epoch=source_date_epoch(os.environ))
        name = packed.skill.name if tag is None else tag
        require_tag(name)

        def put() -> None:
            for descriptor, data in packed.blobs:
                self.layout.blobs.put(data, media_type=descriptor.media_type, expected=descriptor)

        def bind() -> None:
            self.layout.tag(name, packed.index, annotations=builds.MARK)

        put_and_bind(put, bind)
        return BuildResult(reference=name, digest=packed.index.digest)

    def list_builds(self) -> list[builds.LocalBuild]:
        """Return what was built here, sorted bytewise by tag; nothing that was only pulled.

        Raises:
            DocumentError: `index.json` breaks the specification.
        """
        return builds.list_builds(self.layout)

    def delete_build(self, tag: str) -> None:
        """Take a build away, with the content that nothing else in the store needs.

        Raises:
            NotALocalBuildError: The name is not there, or was not built here.
            OciLayoutError: As `Layout.remove` says.
        """
        builds.delete_build(self.layout, tag)

    def adopt(self, tag: str) -> None:
        """Say of a name that it was built here, such as one from before there was a mark.

        Raises:
            ReferenceNotFoundError: There is no such name.
            NotASkillError: It means something that is not a skill.
            OciLayoutError: As `Layout.annotate` says.
        """
        builds.adopt(self.layout, tag)

    def pull(
        self,
        reference: str,
        *,
        name: str | None = None,
        replace: bool = False,
        on_event: Report = None,
    ) -> BuildResult:
        """Bring an artifact from its registry into the store. It is not listed as a build.

        Args:
            reference: `host/repository`, with a tag or a digest; `latest` if it has neither.
            name: What to call it in the store; the reference if it is not given.
            replace: Whether it may take the name of other content that was built here, which
                then stays without a name.
            on_event: As for `ocilayout.copy.copy`.

        Raises:
            InvalidNameError: The reference is none.
            InvalidTagError: The name is none.
            LocalBuildConflictError: Other content was built here under that name.
            TooLargeError: A part of it is larger than any skill's.
            RegistryError: The registry failed or refused.
            OciLayoutError: As `ocilayout.copy.copy` says.
        """
        return self._exchange.pull(reference, name=name, replace=replace, on_event=on_event)

    def copy(
        self, source: CopySource, ref: str, *, name: str, replace: bool = False
    ) -> BuildResult:
        """Bring an artifact from another layout or a registry into the store, as `pull` does.

        Args:
            source: A `Layout`, an `Archive` or a `Repository`.
            ref: A name or a digest in it.
            name: What to call it in the store.
            replace: As for `pull`.

        Raises:
            InvalidTagError: The name is none.
            LocalBuildConflictError: Other content was built here under that name.
            TooLargeError: A part of it is larger than any skill's.
            OciLayoutError: As `ocilayout.copy.copy` says.
        """
        require_tag(name)
        content = self._exchange.bring(source, ref, name, replace=replace)
        return BuildResult(reference=name, digest=content.digest)

    def push(self, reference: str, *, on_event: Report = None) -> BuildResult:
        """Send what the store has under a reference to the registry that the reference names.

        Args:
            reference: A name in the store that is a full reference.
            on_event: As for `ocilayout.copy.copy`.

        Raises:
            ReferenceNotFoundError: The store has nothing under that name.
            NotPushableError: The name has no registry, or neither tag nor digest.
            RegistryError: The registry failed or refused.
            OciLayoutError: As `ocilayout.copy.copy` says.
        """
        return self._exchange.push(reference, on_event=on_event)

    # ------------------------------------------------------------ looking and keeping

    def get_content(
        self, reference: str, *, refresh: bool = False, on_event: Report = None
    ) -> SkillContent:
        """Look at a skill without installing it.

        What the store has under the reference is shown, be it built or pulled, and no registry is
        asked. Otherwise it is pulled, and stays in the store until the cache is pruned.

        Args:
            reference: A name or a digest in the store, or a full reference.
            refresh: Whether to ask the registry what the reference means now.
            on_event: As for `ocilayout.copy.copy`.

        Raises:
            InvalidNameError: It is not in the store, and says no registry to pull it from.
            LocalBuildConflictError: Other content was built here under that name, and the registry
                was to be asked.
            NotASkillError: It is no skill.
            LayerError: Its files are damaged, or hold what must not be installed.
            TooLargeError: It is larger than what can be installed.
            RegistryError: The registry failed or refused.
            OciLayoutError: Its content is damaged, or as `ocilayout.copy.copy` says.
        """
        content = None if refresh else self._exchange.find(reference)
        if content is None:
            if not refresh and "/" not in reference:
                raise InvalidNameError(
                    f"{reference!r} is not in the store, and names no registry to pull it from"
                )
            content = self.layout.resolve(self.pull(reference, on_event=on_event).reference)
        return read_content(self.layout, content, reference)

    def list_cache(self) -> list[cache.CachedSkill]:
        """Return what was pulled into the store, sorted bytewise by reference; no builds.

        Raises:
            DocumentError: `index.json` breaks the specification.
        """
        return cache.list_cache(self.layout)

    def remove_cached(self, reference: str) -> None:
        """Take something that was pulled away, with the content that nothing else needs.

        Raises:
            NotCachedError: The name is not there, or was built here.
            OciLayoutError: As `Layout.remove` says.
        """
        cache.remove_cached(self.layout, reference)

    def prune_cache(
        self, *, older_than: timedelta | None = None, dry_run: bool = False
    ) -> list[cache.CachedSkill]:
        """Take away what was pulled and can be pulled again by its name. Builds stay.

        Args:
            older_than: How long ago the last pull must be; any time if it is not given.
            dry_run: Whether to change nothing, and say what would go.

        Returns:
            What went, sorted bytewise by reference.

        Raises:
            OciLayoutError: As `Layout.remove` says.
        """
        return cache.prune_cache(self.layout, older_than=older_than, dry_run=dry_run)


def _require_valid(path: str | os.PathLike[str]) -> None:
    result = validate(path)
    if not result.valid:
        raise ValidationError(result.errors)
