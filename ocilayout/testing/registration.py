"""What Hypothesis is told when it is imported: which strategy gives which of the public types.

Hypothesis finds `register` by an entry point, in every project that has the package installed. It
is not imported here, and no strategy is made before one is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, get_args

from ocilayout import layout, model
from ocilayout.model import FrozenJson, FrozenMap, freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import SearchStrategy

STRATEGIES: Final[Mapping[type, str]] = {
    model.ArtifactManifest: "artifact_manifests",
    model.ContainerConfig: "container_configs",
    model.Descriptor: "descriptors",
    model.Digest: "digests",
    model.Header: "headers",
    model.History: "histories",
    model.ImageConfig: "configs",
    model.Index: "indexes",
    model.Manifest: "manifests",
    model.Platform: "platforms",
    model.Reference: "references",
    layout.RootEntry: "root_entries",
    model.RootFs: "rootfs",
    layout.RootIndex: "root_indexes",
    model.Schema1Manifest: "schema1_manifests",
}
"""The strategy of each type, by its name in `ocilayout.testing.strategies`.

Types that are made of these and of what Hypothesis knows, such as reports, need none.
"""


def register() -> None:
    """Let `from_type` know the public types; Hypothesis calls this when it is imported."""
    given = import_module("hypothesis.strategies")
    for public, name in STRATEGIES.items():
        given.register_type_strategy(public, _lazily(name))
    given.register_type_strategy(FrozenMap, _maps)


def _lazily(name: str) -> Callable[[type], SearchStrategy[Any]]:
    def strategy(_: type) -> SearchStrategy[Any]:
        made: SearchStrategy[Any] = getattr(_strategies(), name)()
        return made

    return strategy


def _maps(kind: type) -> SearchStrategy[FrozenMap[Any, Any]]:
    given = import_module("hypothesis.strategies")
    names, values = get_args(kind) or (str, str)
    # Hypothesis cannot resolve a type that is made of itself.
    of_values = (
        _strategies().json_values().map(freeze) if values == FrozenJson else given.from_type(values)
    )
    maps: SearchStrategy[FrozenMap[Any, Any]] = given.dictionaries(
        given.from_type(names), of_values, max_size=5
    ).map(FrozenMap)
    return maps


def _strategies() -> Any:  # noqa: ANN401 # a module, imported when it is needed
    return import_module("ocilayout.testing.strategies")
