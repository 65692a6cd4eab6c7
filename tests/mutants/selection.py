"""Which tests are run on the mutants of a module: the quickest first, for they kill the most."""

from __future__ import annotations

from typing import Final

TESTS: Final = {
    "ocilayout/model/digest.py": ("tests/unit/model/test_digest.py",),
    "ocilayout/model/reference.py": (
        "tests/unit/test_signature.py",
        "tests/unit/model/test_reference.py",
        "tests/property/test_reference_laws.py",
    ),
    "ocilayout/model/codec.py": (
        "tests/unit/test_signature.py",
        "tests/unit/model/test_codec.py",
        "tests/unit/model/test_manifest.py",
        "tests/unit/model/test_config.py",
        "tests/unit/model/test_header.py",
        "tests/unit/model/test_descriptor.py",
        "tests/property/test_codec_laws.py",
    ),
    "ocilayout/layout/rootindex.py": (
        "tests/unit/layout/test_rootindex.py",
        "tests/unit/layout/test_edit.py",
        "tests/property/test_rootindex_laws.py",
    ),
    "ocilayout/model/graph.py": (
        "tests/unit/test_signature.py",
        "tests/unit/model/test_graph.py",
        "tests/unit/transfer/test_copying.py",
        "tests/property/test_graph_laws.py",
    ),
    "ocilayout/layout/garbage.py": (
        "tests/unit/test_signature.py",
        "tests/unit/layout/test_garbage.py",
    ),
    "skills/store/builds.py": (
        "tests/unit/skills/test_facade.py",
        "tests/unit/skills/store/test_builds.py",
        "tests/unit/skills/store/test_service.py",
    ),
}
"""The tests of each module, in the order in which they run."""
