"""What Hypothesis is told when it is imported: which strategy gives which of the public types.

Hypothesis finds `register` by an entry point, in every project that has the package installed. It
is not imported here, and no strategy is made before one is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, get_args

from ocilayout.layout import RootEntry, RootIndex
from ocilayout.model import (
    ArtifactManifest,
    ContainerConfig,
    Descriptor,
    Digest,
    FrozenJson,
    FrozenMap,
    Header,
    History,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    Reference,
    RootFs,
    Schema1Manifest,
    freeze,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import SearchStrategy

STRATEGIES: Final[Mapping[type, str]] = {
    ArtifactManifest: "artifact_manifests",
    ContainerConfig: "container_configs",
    Descriptor: "descriptors",
    Digest: "digests",
    Header: "headers",
    History: "histories",
    ImageConfig: "configs",
    Index: "indexes",
    Manifest: "manifests",
    Platform: "platforms",
    Reference: "references",
    RootEntry: "root_entries",
    RootFs: "rootfs",
    RootIndex: "root_indexes",
    Schema1Manifest: "schema1_manifests",
}
"""The strategy of each type, by its name in `ocilayout.testing.strategies`.

Types that are made of these and of what Hypothesis knows, such as reports, need none.
"""


def register() -> None:
    """Let `from_type` know the public types; Hypothesis calls this when it is imported."""
    given = import_module("hypothesis.strategies")
    for model, name in STRATEGIES.items():
        given.register_type_strategy(model, _lazily(name))
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
