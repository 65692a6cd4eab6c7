"""`SkillService`: all that can be done with skills, in one class.

Each rule is documented once, where it is carried out: `builds`, `cache`, `exchange` and `sources`
in this room, and the rooms `packaging` and `install`. The methods here refer to it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_data_path

from ocilayout import InvalidNameError, Layout
from skills.errors import NotALocalBuildError
from skills.install import Installer, State, default_state, require_clients
from skills.model import require_tag
from skills.packaging import SkillContent, open_layer, read_content, validate
from skills.store import builds, cache
from skills.store.builds import LOCAL_BUILD
from skills.store.exchange import Exchange
from skills.store.sources import Sources, is_name, require_skill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta
    from typing import Self

    from ocilayout import Reference
    from ocilayout.layout import Durability
    from ocilayout.model import Source
    from ocilayout.registry import Repository
    from skills.install import InstalledSkill
    from skills.model import ValidationResult
    from skills.store.exchange import Report

STORE_VARIABLE: Final = "OCI_SKILLS_STORE"


def default_store() -> Path:
    """Return the folder of the store: `$OCI_SKILLS_STORE`, else the one that ToolHive uses.

    That is `toolhive/skills` in `$XDG_DATA_HOME`, if that is an absolute path (`~` and variables
    are expanded), or in the platform's data folder.
    """
    if store := os.environ.get(STORE_VARIABLE):
        return Path(store)
    data = Path(os.path.expandvars(os.environ.get("XDG_DATA_HOME", ""))).expanduser()
    return (data if data.is_absolute() else user_data_path()) / "toolhive" / "skills"


def _anonymous_repository(reference: Reference) -> Repository:
    """Return the repository of a reference, which is reached without credentials."""
    # Imported here, since commands that need no registry start sooner without urllib3.
    from ocilayout.registry import Repository  # noqa: PLC0415

    return Repository(f"{reference.host}/{reference.repository}")


class SkillService:
    """The skills in a local store, and those installed for a user.

    Attributes:
        layout: The store.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        registry: Callable[[Reference], Repository] | None = None,
        home: str | os.PathLike[str] | None = None,
        state: str | os.PathLike[str] | None = None,
        durability: Durability = "commit",
    ) -> None:
        """Make the service of a store.

        Args:
            layout: The store. It is told that the mark belongs to a tag.
            registry: Makes the repository of a reference, with credentials or certificates; the
                repository is closed after use. By default there are no credentials.
            home: The home folder to install into; that of the user by default.
            state: The folder of the record of installed skills; by default `default_state()`, or
                `.local/state/ocilayout/skills` in `home` if that is given.
            durability: Whether installed files are forced onto the disk, as for `Layout.open`.
        """
        layout.name_annotations |= {LOCAL_BUILD}  # an entry that loses its tag is not a build
        self.layout = layout
        self._exchange = Exchange(layout, registry or _anonymous_repository)
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
        """Open a store, and create it if it is missing.

        Args:
            path: The folder of the store; `default_store()` by default.
            registry: As for the constructor.
            home: As for the constructor.
            state: As for the constructor.
            durability: As for `Layout.open`, for the store and for installed files.

        Raises:
            LayoutExistsError: The folder has files that are not those of a store.
            OciLayoutError: As `Layout.open` says.
            OSError: The file system refused.
        """
        # ToolHive's tags may be outside the ref.name grammar; `require_tag` is the rule here.
        where = default_store() if path is None else path
        layout = Layout.open(where, create=True, durability=durability, strict_names=False)
        return cls(layout, registry=registry, home=home, state=state, durability=durability)

    # ------------------------------------------------------------ local builds

    def validate(self, path: str | os.PathLike[str]) -> ValidationResult:
        """Check the folder of a skill. See `skills.packaging.validate`."""
        return validate(path)

    def build(
        self, path: str | os.PathLike[str], *, tag: str | None = None, validate: bool = True
    ) -> builds.BuildResult:
        """Build the folder of a skill. See `builds.build`."""
        return builds.build(self.layout, path, tag=tag, validate=validate)

    def list_builds(self) -> list[builds.LocalBuild]:
        """Return the local builds. See `builds.list_builds`."""
        return builds.list_builds(self.layout)

    def delete_build(self, tag: str) -> None:
        """Delete a local build. See `builds.delete_build`."""
        builds.delete_build(self.layout, tag)

    def adopt(self, tag: str) -> None:
        """Mark a tag as a local build. See `builds.adopt`."""
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
        """Pull an artifact into the store. See `Exchange.pull`."""
        return self._exchange.pull(reference, name=name, replace=replace, on_event=on_event)

    def copy(
        self, source: Source, ref: str, *, name: str, replace: bool = False
    ) -> builds.BuildResult:
        """Copy an artifact into the store. See `Exchange.copy`.

        Raises:
            InvalidTagError: The name is not a valid tag.
        """
        require_tag(name)
        content = self._exchange.copy(source, ref, name, replace=replace)
        return builds.BuildResult(reference=name, digest=content.digest)

    def push(self, reference: str, *, on_event: Report = None) -> builds.BuildResult:
        """Push the content of a tag to its registry. See `Exchange.push`."""
        return self._exchange.push(reference, on_event=on_event)

    def get_content(
        self, reference: str, *, refresh: bool = False, on_event: Report = None
    ) -> SkillContent:
        """Return the content of a skill, which is pulled if the store does not have it.

        No registry is asked for a skill in the store, whether built or pulled. A pulled one stays
        in the store until the cache is pruned.

        Args:
            reference: A tag or a digest in the store, or a full reference.
            refresh: Whether to pull it again, since its tag may have moved.
            on_event: As for `ocilayout.copy`.

        Raises:
            InvalidNameError: The reference is not in the store, and does not name a registry.
            SkillError: As `Exchange.pull` and `read_content` say.
            OciLayoutError: As `Exchange.pull` and `read_content` say.
        """
        content = None if refresh else self._exchange.find(reference)
        if content is None:
            if not refresh and "/" not in reference:
                raise InvalidNameError(
                    f"{reference!r} is not in the store, and does not name a registry to pull from"
                )
            content = self.layout.resolve(self.pull(reference, on_event=on_event).reference)
        return read_content(self.layout, content, reference)

    def list_cache(self) -> list[cache.CachedSkill]:
        """Return the pulled artifacts. See `cache.list_cache`."""
        return cache.list_cache(self.layout)

    def remove_cached(self, reference: str) -> None:
        """Remove a pulled artifact. See `cache.remove_cached`."""
        cache.remove_cached(self.layout, reference)

    def prune_cache(
        self, *, older_than: timedelta | None = None, dry_run: bool = False
    ) -> list[cache.CachedSkill]:
        """Remove pulled artifacts by their age. See `cache.prune_cache`."""
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
        """Install a skill for clients, or update an installed one.

        The files are written to a temporary folder that is swapped in, so that at any instant each
        folder has either all old or all new files. An installed skill with the same files is left
        as it is.

        Args:
            source: The name of a skill in the store, where a tag of that name comes before builds
                of the skill; a full reference, which is pulled from its registry; a digest in the
                store; or an archive, by its path or as `oci-archive:PATH[:NAME]`.
            version: The version, where the source has none.
            clients: The names of clients; by default, or with `all`, every client that is found.
                Clients that have the skill already keep it.
            scope: `user` or `project`; by default `project` if `project_root` is given.
            project_root: A folder with a `.git` in it.
            force: Whether to replace local edits, and folders that were not installed from here.
            replace: As for `builds.may_retag`.
            builds_only: Whether to refuse a skill that is not a local build. The source must be a
                name.
            on_event: As for `ocilayout.copy`.

        Returns:
            The installed skill.

        Raises:
            InvalidNameError: The source is neither a name nor a reference.
            ReferenceNotFoundError: The source does not exist.
            AmbiguousSkillError: Several builds have that name, and different content.
            NotALocalBuildError: The skill is not a local build, and `builds_only` is true.
            NameMismatchError: The artifact has another name than the source.
            NotASkillError: The artifact is not a skill.
            LayerError: As `open_layer` says.
            TooLargeError: As `Exchange.copy`, `read_artifact` and `open_layer` say.
            LocalBuildConflictError: As `builds.may_retag` says.
            ClientError: A client is unknown, or none was found.
            ScopeError: The scope is unknown, or the folder is not a project.
            TargetError: A folder cannot be used: it was not installed from here, a link leads out
                of the home folder or the project, or the files were edited.
            RecordError: The record of installed skills cannot be read.
            RegistryError: The registry failed or refused.
            OciLayoutError: As `ocilayout.copy` says.
            OSError: The file system refused; nothing was changed.
        """
        names = list(clients)
        # What is wrong with the arguments is reported before anything is pulled.
        target = self._installer.scope(scope, project_root)
        require_clients(names)
        sources = Sources(self.layout, self._exchange)
        if builds_only and not is_name(source):
            raise NotALocalBuildError(os.fspath(source))
        artifact = sources.find(source, version=version, replace=replace, on_event=on_event)
        if builds_only:
            builds.require_build(self.layout, artifact.reference, artifact.digest)
        data = self.layout.blobs.read(artifact.layer)
        with open_layer(data, diff_id=artifact.diff_id) as layer:
            require_skill(artifact, layer)
            return self._installer.install(
                artifact, layer, clients=names, scope=target, force=force
            )

    def uninstall(
        self,
        name: str,
        *,
        scope: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
        force: bool = False,
    ) -> None:
        """Remove a skill from all its clients, and the folders that were made for it.

        The arguments are those of `install`.

        Raises:
            NotInstalledError: The skill is not installed in that scope.
            LocalEditsError: Its files were edited, and `force` is false.
            ScopeError: As for `install`.
            RecordError: As for `install`.
            OSError: The file system refused; folders that still exist are still recorded.
        """
        self._installer.uninstall(name, scope=scope, project_root=project_root, force=force)

    def list_installed(
        self,
        *,
        scope: str | None = None,
        client: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
    ) -> list[InstalledSkill]:
        """Return the installed skills, sorted by name, scope and project.

        Args:
            scope: Only those for the user, or only those in projects.
            client: Only those for this client.
            project_root: Only those in this project.

        Raises:
            ClientError: The client is unknown.
            ScopeError: The scope is unknown, or the folder is not a project.
            RecordError: As for `install`.
        """
        return self._installer.installed(scope=scope, client=client, project_root=project_root)
