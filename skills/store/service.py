"""`SkillService`: all that can be done with skills, in one class.

Its methods are those of `builds`, `cache` and `exchange` in this room and of the installer; here
they are put together, and a skill of the store is installed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_data_path

from ocilayout import Layout
from skills.errors import NotALocalBuildError
from skills.install import Installer, require_clients
from skills.packaging import open_layer
from skills.store.builds import require_build
from skills.store.cache import Cache
from skills.store.sources import Sources, is_name, require_skill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from ocilayout import Reference
    from ocilayout.layout import Durability
    from ocilayout.registry import Repository
    from skills.install import InstalledSkill
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


class SkillService(Sources, Cache, Installer):
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
        """Create the service for a store.

        Args:
            layout: The store. It is told that the mark belongs to a tag.
            registry: Makes the repository of a reference, with credentials or certificates; the
                repository is closed after use. By default there are no credentials.
            home: As for `Installer`.
            state: As for `Installer`.
            durability: Whether installed files are forced onto the disk, as for `Layout.open`.
        """
        Sources.__init__(self, layout, registry or _anonymous_repository)
        Installer.__init__(self, home, state, durable=durability == "commit")

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
            replace: As for `may_retag`.
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
            TooLargeError: As `pull`, `read_artifact` and `open_layer` say.
            LocalBuildConflictError: As `may_retag` says.
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
        target = self._scope(scope, project_root)
        require_clients(names)
        if builds_only and not is_name(source):
            raise NotALocalBuildError(os.fspath(source))
        artifact = self._find_source(source, version=version, replace=replace, on_event=on_event)
        if builds_only:
            require_build(self.layout, artifact.reference, artifact.digest)
        data = self.layout.blobs.read(artifact.layer)
        with open_layer(data, diff_id=artifact.diff_id) as layer:
            require_skill(artifact, layer)
            return self._put(artifact, layer, clients=names, scope=target, force=force)
