"""The one class that ties the skills layer together: a store, and what is installed from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from skills import validation
from skills.builds import require_build
from skills.errors import NotALocalBuildError
from skills.install import Installer, Sources, State, default_state, is_name, require_skill
from skills.layer import open_layer
from skills.store import Store, open_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from ocilayout import Layout, Reference
    from ocilayout.registry import Repository
    from skills.exchange import Report
    from skills.install import InstalledSkill
    from skills.store import Durability
    from skills.validation import ValidationResult


class SkillService(Store):
    """Skills in a local store, and those that are installed for a user."""

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
            registry: Makes the repository of a reference, for credentials or certificates;
                by default one that is asked for without credentials. It is closed after use.
            home: The home folder to install into; that of the user by default.
            state: Where it is remembered what is installed; by default `ocilayout/skills` in
                `$XDG_STATE_HOME`, or in `.local/state` of the home folder that is given.
            durability: Whether what is installed is forced onto the disk, as for `Layout.open`.
        """
        super().__init__(layout, registry=registry)
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
        """Open a store, and make it if it is not there.

        Args:
            path: The folder of the store; `default_store()` if it is not given.
            registry: As for the constructor.
            home: As for the constructor.
            state: As for the constructor.
            durability: As for `Layout.open`, for the store and for what is installed.

        Raises:
            LayoutExistsError: The folder holds something that is no store.
            OciLayoutError: As `Layout.open` says.
            OSError: The file system refused.
        """
        return cls(
            open_layout(path, durability=durability),
            registry=registry,
            home=home,
            state=state,
            durability=durability,
        )

    def validate(self, path: str | os.PathLike[str]) -> ValidationResult:
        """Check a skill folder; all that is wrong is reported at once.

        Raises:
            OSError: The file system failed.
        """
        return validation.validate(path)

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
        """Install a skill for clients, or bring it up to date where it is installed.

        Its files are written aside and swapped in, so that at any instant the old or the new ones
        are there, whole. What is installed already is compared file by file, and left as it is if
        it is the same.

        Args:
            source: The name of a skill in the store, where what has that name comes before builds
                that say they are that skill; a full reference, which is asked for at its
                registry; a digest in the store; or an archive, by its path or as
                `oci-archive:PATH[:NAME]`.
            version: Which one, where the source does not say.
            clients: For whom, by name; by default, or with `all`, for every client that is found.
                Clients that have the skill already keep it.
            scope: `user` or `project`; by default that of a project if its root is given.
            project_root: A folder with a `.git` in it.
            force: Whether what is in the way may be lost: local edits, and folders that were not
                installed from here.
            replace: Whether what comes from a registry or an archive may take the name of other
                content that was built here.
            builds_only: Whether to refuse what was not built here. The source must be a name.
            on_event: As for `ocilayout.copy.copy`.

        Returns:
            What is installed now.

        Raises:
            InvalidNameError: The source is neither a name nor a reference.
            ReferenceNotFoundError: There is no such skill.
            AmbiguousSkillError: Several builds are that skill.
            NotALocalBuildError: It was not built here, and had to be.
            NameMismatchError: What was found is another skill than the source says.
            NotASkillError: It is no skill.
            LayerError: Its files are damaged, or hold what must not be installed.
            TooLargeError: It is larger than what is installed.
            LocalBuildConflictError: Other content was built here under the name that it would get.
            ClientError: A client is unknown, or none was found.
            ScopeError: The scope is none, or the folder is no project.
            TargetError: A folder cannot be used: there is something else, a link leads away, or
                the files were edited.
            RecordError: The record of what is installed cannot be read.
            RegistryError: The registry failed or refused.
            OciLayoutError: As `ocilayout.copy.copy` says.
            OSError: The file system refused; everything is as it was.
        """
        names = list(clients)
        self._installer.require(clients=names, scope=scope, project_root=project_root)
        sources = Sources(self.layout, self._exchange)
        if builds_only and not is_name(source):
            raise NotALocalBuildError(os.fspath(source))
        found = sources.find(source, version=version, replace=replace, on_event=on_event)
        if builds_only:
            require_build(self.layout, found.artifact.reference, found.artifact.digest)
        data = self.layout.blobs.read(found.artifact.layer)
        with open_layer(data, diff_id=found.artifact.diff_id) as layer:
            require_skill(found, layer)
            return self._installer.install(
                found,
                layer,
                clients=names,
                scope=scope,
                project_root=project_root,
                force=force,
            )

    def uninstall(
        self,
        name: str,
        *,
        scope: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
        force: bool = False,
    ) -> None:
        """Remove a skill from all clients that it was installed for, and the folders made for it.

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
            OSError: The file system refused; what is still there is still recorded.
        """
        self._installer.uninstall(name, scope=scope, project_root=project_root, force=force)

    def list_installed(
        self,
        *,
        scope: str | None = None,
        client: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
    ) -> list[InstalledSkill]:
        """Return what is installed, sorted by name.

        Args:
            scope: Only what is installed for the user, or only what is in projects.
            client: Only what is installed for this client.
            project_root: Only what is in this project.

        Raises:
            ClientError: There is no such client.
            ScopeError: The scope is none, or the folder is no project.
            RecordError: As for `install`.
        """
        return self._installer.installed(scope=scope, client=client, project_root=project_root)
