"""Hypothesis strategies for the values, documents and layouts of the specification.

What they give is valid, and as odd as valid may be: unknown properties, Unicode, maps that are
empty or large, documents that refer to subjects. The exceptions are `broken_documents` and
`near_misses`, which give what is valid but for one defect, and say what the defect is.

Values are in `scalar` and `text`, documents and root indexes in `encoding`, folders in `filetree`,
whole layouts in `draft`. A near-miss (`nearmiss`) is made by `spoil`, which breaks a `specimen` of
a document by a `flaw`, or the rest of a layout by a `damage`.
"""

# No `from __future__ import annotations`: a strategy has that name.

from ocilayout.extra import naming_extra

with naming_extra():
    from ocilayout.testing.strategies.draft import layouts
    from ocilayout.testing.strategies.encoding import (
        Document,
        artifact_manifests,
        configs,
        container_configs,
        documents,
        headers,
        histories,
        indexes,
        manifests,
        root_index_documents,
        root_indexes,
        rootfs,
        schema1_manifests,
    )
    from ocilayout.testing.strategies.filetree import File, Folder, Link, Node, Tree
    from ocilayout.testing.strategies.nearmiss import Finding, NearMiss
    from ocilayout.testing.strategies.scalar import (
        annotations,
        descriptors,
        digests,
        media_types,
        platforms,
        ref_names,
        references,
        root_entries,
    )
    from ocilayout.testing.strategies.spoil import CODES, broken_documents, near_misses
    from ocilayout.testing.strategies.text import json_values

__all__ = [
    "CODES",
    "Document",
    "File",
    "Finding",
    "Folder",
    "Link",
    "NearMiss",
    "Node",
    "Tree",
    "annotations",
    "artifact_manifests",
    "broken_documents",
    "configs",
    "container_configs",
    "descriptors",
    "digests",
    "documents",
    "headers",
    "histories",
    "indexes",
    "json_values",
    "layouts",
    "manifests",
    "media_types",
    "near_misses",
    "platforms",
    "ref_names",
    "references",
    "root_entries",
    "root_index_documents",
    "root_indexes",
    "rootfs",
    "schema1_manifests",
]
