"""The keys of annotations that a store acts on.

Spec: annotations:reserved.
"""

from __future__ import annotations

REF_NAME = "org.opencontainers.image.ref.name"
CREATED = "org.opencontainers.image.created"
TITLE = "org.opencontainers.image.title"

# containerd and BuildKit write the full name of an image here, and only its tag in REF_NAME.
CONTAINERD_IMAGE_NAME = "io.containerd.image.name"

# ToolHive marks a tag with it that was built in this store, not pulled.
LOCAL_BUILD = "dev.stacklok.toolhive.local-build"

# These describe the tag and not the content: an entry that loses its tag loses them too. All other
# annotations stay with the entry.
NAME_BOUND = frozenset({REF_NAME, CONTAINERD_IMAGE_NAME, LOCAL_BUILD})
