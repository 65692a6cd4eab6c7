"""Requirements of the page annotations that no other test covers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from ocilayout import OCI_EMPTY, REF_NAME, Index, Layout, Manifest, decode
from skills.packaging.skill_package import PLATFORMS, package

if TYPE_CHECKING:
    from pathlib import Path

PREDEFINED = {
    f"org.opencontainers.image.{name}"
    for name in (
        "created", "authors", "url", "documentation", "source", "version", "revision", "vendor",
        "licenses", "ref.name", "title", "description", "base.digest", "base.name",
    )
}  # fmt: skip


@pytest.mark.spec("annotations:reserved")
class TestReserved:
    def test_the_keys_of_a_store_are_predefined_or_not_reserved(self) -> None:
        """No known key has a name that the specification reserves for itself."""
        module = vars(import_module("ocilayout.model.annotation"))
        keys = {value for name, value in module.items() if name.isupper()}
        assert {key for key in keys if key.startswith("org.opencontainers")} <= PREDEFINED
        assert all(key.count(".") >= 2 for key in keys)

    def test_the_keys_of_a_skill_are_predefined_or_not_reserved(self, tmp_path: Path) -> None:
        """Every annotation that packaging writes is predefined, or ToolHive's."""
        skill = tmp_path / "hello"
        skill.mkdir()
        (skill / "SKILL.md").write_text("---\nname: hello\ndescription: Says hello.\n---\nHello.\n")
        made = package(skill, epoch=0)
        written = dict(decode(made.root.data, Index).annotations)
        for blob in made.manifests:
            manifest = decode(blob.data, Manifest)
            written |= manifest.annotations
            for layer in manifest.layers:
                written |= layer.annotations
        assert len(made.manifests) == len(PLATFORMS)
        assert {key for key in written if key.startswith("org.")} <= PREDEFINED
        assert {key.split(".")[0] for key in written} == {"org", "dev"}


@pytest.mark.spec("annotations:ref-name-place")
class TestRefNamePlace:
    def test_a_name_is_only_read_in_the_root_index(self, tmp_path: Path) -> None:
        """Inside a document, the annotation is not a name, on a descriptor or on the document."""
        layout = Layout.create(tmp_path / "layout", durability="none")
        config = layout.blobs.put(b"{}", media_type=OCI_EMPTY)
        manifest = layout.put_manifest(
            Manifest(config=config, artifact_type="a/b", annotations={REF_NAME: "inside"})
        )
        part = decode(
            b'{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"%s","size":%d,'
            b'"annotations":{"%s":"part"}}]}'
            % (
                manifest.media_type.encode(),
                manifest.digest.encode(),
                manifest.size,
                REF_NAME.encode(),
            ),
            Index,
        )
        layout.tag("root", layout.put_manifest(part))
        assert layout.tags() == ("root",)
        for name in ("inside", "part"):
            with pytest.raises(LookupError):
                layout.resolve(name)
