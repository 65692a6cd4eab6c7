"""Annotation keys that a store acts on.

Spec: annotations:reserved.
"""

from __future__ import annotations

REF_NAME = "org.opencontainers.image.ref.name"
CREATED = "org.opencontainers.image.created"
TITLE = "org.opencontainers.image.title"

# containerd and BuildKit: the full name of an image, where REF_NAME has its tag only.
CONTAINERD_IMAGE_NAME = "io.containerd.image.name"

# ToolHive's mark of a tag that was built in this store, and not pulled into it.
LOCAL_BUILD = "dev.stacklok.toolhive.local-build"

# These speak of the binding of a name and not of the content. When an entry loses its name
# it loses them too, whoever wrote them; all other annotations stay with the entry.
NAME_BOUND = frozenset({REF_NAME, CONTAINERD_IMAGE_NAME, LOCAL_BUILD})
