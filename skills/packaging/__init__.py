"""From the folder of a skill to its artifact, and back to its files.

The room is not called `package`, since `skills.package` is the function of the facade.
"""

from skills.packaging.folder import descended, validate, walk
from skills.packaging.skill_artifact import (
    Artifact,
    SkillContent,
    read_artifact,
    read_content,
)
from skills.packaging.skill_package import (
    ARTIFACT_TYPE,
    DESCRIPTION,
    MAX_CONFIG,
    NAME,
    VERSION,
    Package,
    package,
    source_date_epoch,
)
from skills.packaging.tar_reader import Layer, SkillFile, open_layer

__all__ = [
    "ARTIFACT_TYPE",
    "DESCRIPTION",
    "MAX_CONFIG",
    "NAME",
    "VERSION",
    "Artifact",
    "Layer",
    "Package",
    "SkillContent",
    "SkillFile",
    "descended",
    "open_layer",
    "package",
    "read_artifact",
    "read_content",
    "source_date_epoch",
    "validate",
    "walk",
]
