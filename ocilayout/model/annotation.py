"""The keys of annotations that a store acts on.

Spec: annotations:reserved.
"""

from __future__ import annotations

REF_NAME = "org.opencontainers.image.ref.name"
CREATED = "org.opencontainers.image.created"
TITLE = "org.opencontainers.image.title"

# containerd and BuildKit write the full name of an image here, and only its tag in REF_NAME.
CONTAINERD_IMAGE_NAME = "io.containerd.image.name"
