"""Requirements of the page media-types that no other test covers."""

from __future__ import annotations

import pytest

from ocilayout.model import mediatype


@pytest.mark.spec("media-types:names")
class TestNames:
    def test_the_constants_are_the_names_of_the_text(self) -> None:
        """Each format that has a constant has the name that the specification gives to it."""
        retired = mediatype.RETIRED_TYPES
        oci = {
            name: value
            for name, value in vars(mediatype).items()
            if name.startswith("OCI_") and value not in retired
        }
        assert oci == {
            "OCI_LAYOUT_HEADER": "application/vnd.oci.layout.header.v1+json",
            "OCI_DESCRIPTOR": "application/vnd.oci.descriptor.v1+json",
            "OCI_INDEX": "application/vnd.oci.image.index.v1+json",
            "OCI_MANIFEST": "application/vnd.oci.image.manifest.v1+json",
            "OCI_CONFIG": "application/vnd.oci.image.config.v1+json",
            "OCI_LAYER": "application/vnd.oci.image.layer.v1.tar",
            "OCI_LAYER_GZIP": "application/vnd.oci.image.layer.v1.tar+gzip",
            "OCI_LAYER_ZSTD": "application/vnd.oci.image.layer.v1.tar+zstd",
            "OCI_EMPTY": "application/vnd.oci.empty.v1+json",
        }
