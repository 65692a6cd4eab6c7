"""Skills in a local store, the registries beyond it, and what is installed from it.

The one class of this package. Its methods say what callers may expect; the rules stand where they
are carried out: in `builds`, `cache`, `exchange`, `validation` and `install`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from platformdirs import user_data_path

from ocilayout import InvalidNameError, Layout
from skills import builds, cache, validation
from skills.artifact import SkillContent, read_content
from skills.clients import require_clients
from skills.errors import NotALocalBuildError
from skills.exchange import Exchange
from skills.install import Installer, Sources, State, default_state, is_name, require_skill
from skills.layer import open_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta
    from typing import Self

    from ocilayout import Reference
    from ocilayout.model import Source
    from ocilayout.registry import Repository
    from skills.exchange import Report
    from skills.install import InstalledSkill

STORE_VARIABLE: Final = "OCI_SKILLS_STORE"

Durability = Literal["commit", "none"]


def default_store() -> Path:
    """Return the folder of the store: `$OCI_SKILLS_STORE`, else the one that ToolHive uses.

    That is `toolhive/skills` in `$XDG_DATA_HOME`, if that is an absolute path (`~` and variables
    are expanded), or in the platform's data folder.
    """
    if store := os.environ.get(STORE_VARIABLE):
        return Path(store)
    data = Path(os.path.expandvars(os.environ.get("XDG_DATA_HOME", ""))).expanduser()
    return (data if data.is_absolute() else user_data_path()) / "toolhive" / "skills"


def anonymous_repository(reference: Reference) -> Repository:
    """Return the repository of a reference, to be reached without credentials."""
    # What builds and lists needs no registry, and starts sooner without.
    from ocilayout.registry import Repository  # noqa: PLC0415

    return Repository(f"{reference.host}/{reference.repository}")


class SkillService:
    """Skills in a local store, and those that are installed for a user.

    Attributes:
        layout: The store.
    """

    layout: Layout

    def __init__(
        self,
        layout: Layout,
        *,
        registry: Callable[[Reference], Repository] | None = None,
        home: str | os.PathLike[str] | None = None,
        state: str | os.PathLike[str] | None = None,
        durability: Durability = "commit",
    ) -> None:
        """Use a store.

        Args:
            layout: The store.
            registry: Makes the repository of a reference, for credentials or certificates; it is
                closed after use. By default registries are reached without credentials.
            home: The home folder to install into; that of the user by default.
            state: The folder of the record of what is installed; by default `ocilayout/skills` in
                `$XDG_STATE_HOME`, or in `.local/state` of the home folder that is given.
            durability: Whether what is installed is forced onto the disk, as for `Layout.open`.
        """
        self.layout = layout
        self._exchange = Exchange(layout, registry or anonymous_repository)
        if state is None:
            state = default_state() if home is None else Path(home, ".local/state/ocilayout/skills")
        user = Path.home() if home is None else Path(home)
        self._installer = Installer(user, State(Path(state), durable=durability == "commit"))

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        registry: Callable[[Reference], Repository] | None = None,
        home: str | os.PathLike[str] | None = None,
        state: str | os.PathLike[str] | None = None,
        durability: Durability = "commit",
    ) -> Self:
        """Open a store, and make it if it is missing.

        Args:
            path: The folder of the store; `default_store()` if it is not given.
            registry: As for the constructor.
            home: As for the constructor.
            state: As for the constructor.
            durability: As for `Layout.open`, for the store and for what is installed.

        Raises:
            LayoutExistsError: The folder holds something that is not a store.
            OciLayoutError: As `Layout.open` says.
            OSError: The file system refused.
        """
        # Tags of ToolHive may lie outside the ref.name grammar; `require_tag` is the rule here.
        where = default_store() if path is None else path
        layout = Layout.open(where, create=True, durability=durability, strict_names=False)
        return cls(layout, registry=registry, home=home, state=state, durability=durability)

    # ------------------------------------------------------------ local builds

    def validate(self, path: str | os.PathLike[str]) -> validation.ValidationResult:
        """Check the folder of a skill. See `validation.validate`."""
        return validation.validate(path)

    def build(
        self, path: str | os.PathLike[str], *, tag: str | None = None, validate: bool = True
    ) -> builds.BuildResult:
        """Package the folder of a skill into the store, as a local build. See `builds.build`."""
        return builds.build(self.layout, path, tag=tag, validate=validate)

    def list_builds(self) -> list[builds.LocalBuild]:
        """Return the local builds, sorted bytewise by tag. See `builds.list_builds`."""
        return builds.list_builds(self.layout)

    def delete_build(self, tag: str) -> None:
        """Delete a local build. See `builds.delete_build`."""
        builds.delete_build(self.layout, tag)

    def adopt(self, tag: str) -> None:
        """Mark a tag as a local build, such as one from before the mark. See `builds.adopt`."""
        builds.adopt(self.layout, tag)

    # ------------------------------------------------------------ registries and the cache

    def pull(
        self,
        reference: str,
        *,
        name: str | None = None,
        replace: bool = False,
        on_event: Report = None,
    ) -> builds.BuildResult:
        """Pull an artifact into the store; it is not a local build. See `Exchange.pull`."""
        return self._exchange.pull(reference, name=name, replace=replace, on_event=on_event)

    def copy(
        self, source: Source, ref: str, *, name: str, replace: bool = False
    ) -> builds.BuildResult:
        """Copy an artifact from a layout, an archive or a registry into the store, like `pull`.

        Args:
            source: As for `Exchange.copy`.
            ref: As for `Exchange.copy`.
            name: The tag in the store.
            replace: As for `Exchange.copy`.

        Raises:
            InvalidTagError: The name is not a valid tag.
            SkillError: As `Exchange.copy` says.
            OciLayoutError: As `Exchange.copy` says.
        """
        builds.require_tag(name)
        content = self._exchange.copy(source, ref, name, replace=replace)
        return builds.BuildResult(reference=name, digest=content.digest)

    def push(self, reference: str, *, on_event: Report = None) -> builds.BuildResult:
        """Push what a tag in the store points to to its registry. See `Exchange.push`."""
        return self._exchange.push(reference, on_event=on_event)

    def get_content(
        self, reference: str, *, refresh: bool = False, on_event: Report = None
    ) -> SkillContent:
        """Look at a skill without installing it.

        A skill in the store is shown without asking a registry, be it built or pulled. Otherwise it
        is pulled, and stays in the store until the cache is pruned.

        Args:
            reference: A tag or a digest in the store, or a full reference.
            refresh: Whether to ask the registry what the reference points to now.
            on_event: As for `ocilayout.copy`.

        Raises:
            InvalidNameError: It is not in the store, and does not name a registry.
            SkillError: As `Exchange.pull` and `artifact.read_content` say.
            OciLayoutError: As `Exchange.pull` and `artifact.read_content` say.
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
        """Return the pulled artifacts, sorted bytewise by reference. See `cache.list_cache`."""
        return cache.list_cache(self.layout)

    def remove_cached(self, reference: str) -> None:
        """Remove a pulled artifact. See `cache.remove_cached`."""
        cache.remove_cached(self.layout, reference)

    def prune_cache(
        self, *, older_than: timedelta | None = None, dry_run: bool = False
    ) -> list[cache.CachedSkill]:
        """Remove the pulled artifacts that can be pulled again. See `cache.prune_cache`."""
        return cache.prune_cache(self.layout, older_than=older_than, dry_run=dry_run)

    # ------------------------------------------------------------ installed skills

    def install(  # noqa: PLR0913 # each is an option by its name
        self,
        source: str | os.PathLike[str],
        *,
        version: str | None = None,
        clients: Iterable[str] = (),
        scope: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
        force: bool = False,
        replace: bool = False,
        builds_only: bool = False,
        on_event: Report = None,
    ) -> InstalledSkill:
        """Install a skill for clients, or update it where it is installed.

        Its files are written aside and swapped in, so that each folder holds the old or the new
        files at any instant, whole. A skill that is installed already is compared file by file,
        and left alone if it is the same.

        Args:
            source: The name of a skill in the store, where a tag of that name comes before builds
                of the skill; a full reference, which is asked for at its registry; a digest in the
                store; or an archive, by its path or as `oci-archive:PATH[:NAME]`.
            version: The version, where the source does not say it.
            clients: The names of clients; by default, or with `all`, every client that is found.
                Clients that have the skill already keep it.
            scope: `user` or `project`; by default that of a project if its root is given.
            project_root: A folder with a `.git` in it.
            force: Whether local edits may be lost, and folders that were not installed from here.
            replace: Whether content of a registry or an archive may take the tag of a local build
                with other content.
            builds_only: Whether to refuse what is not a local build. The source must be a name.
            on_event: As for `ocilayout.copy`.

        Returns:
            The skill as it is installed now.

        Raises:
            InvalidNameError: The source is neither a name nor a reference.
            ReferenceNotFoundError: There is no such skill.
            AmbiguousSkillError: Several builds are that skill.
            NotALocalBuildError: It is not a local build, and had to be.
            NameMismatchError: The artifact is another skill than the source says.
            NotASkillError: The artifact is not a skill.
            LayerError: Its files are damaged, or must not be installed.
            TooLargeError: It is larger than what is installed.
            LocalBuildConflictError: The tag that it would get is a build with other content.
            ClientError: A client is unknown, or none was found.
            ScopeError: The scope is unknown, or the folder is not a project.
            TargetError: A folder cannot be used: it holds something else, a link leads away, or
                the files were edited.
            RecordError: The record of what is installed cannot be read.
            RegistryError: The registry failed or refused.
            OciLayoutError: As `ocilayout.copy` says.
            OSError: The file system refused; everything is as it was.
        """
        names = list(clients)
        place = self._installer.place(scope, project_root)
        require_clients(names)
        sources = Sources(self.layout, self._exchange)
        if builds_only and not is_name(source):
            raise NotALocalBuildError(os.fspath(source))
        found = sources.find(source, version=version, replace=replace, on_event=on_event)
        if builds_only:
            builds.require_build(self.layout, found.artifact.reference, found.artifact.digest)
        data = self.layout.blobs.read(found.artifact.layer)
        with open_layer(data, diff_id=found.artifact.diff_id) as layer:
            require_skill(found, layer)
            return self._installer.install(found, layer, clients=names, place=place, force=force)

    def uninstall(
        self,
        name: str,
        *,
        scope: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
        force: bool = False,
    ) -> None:
        """Remove a skill from all clients that have it, and the folders that were made for it.

        Args:
            name: The name of the skill.
            scope: As for `install`.
            project_root: As for `install`.
            force: Whether local edits may be lost.

        Raises:
            NotInstalledError: It is not installed there.
            LocalEditsError: Its files were edited.
            ScopeError: As for `install`.
            RecordError: As for `install`.
            OSError: The file system refused; folders that are still there are still recorded.
        """
        self._installer.uninstall(name, scope=scope, project_root=project_root, force=force)

    def list_installed(
        self,
        *,
        scope: str | None = None,
        client: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
    ) -> list[InstalledSkill]:
        """Return the installed skills, sorted by name.

        Args:
            scope: Only those for the user, or only those in projects.
            client: Only those for this client.
            project_root: Only those in this project.

        Raises:
            ClientError: There is no such client.
            ScopeError: The scope is unknown, or the folder is not a project.
            RecordError: As for `install`.
        """
        return self._installer.installed(scope=scope, client=client, project_root=project_root)
