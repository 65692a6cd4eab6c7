"""Layouts as the programs of the field write them, made from nothing with plain JSON and hashes.

Nothing here uses our writer. Each function in `docker` and `tool` makes one layout in a folder that
does not exist yet, and says in its docstring which program writes such a layout and which commit of
its source was read. `SHAPES` has them all by name. What a program writes as a tar is given here as
the folder that the tar holds.
"""

from tests.shapes import docker, tool
from tests.shapes.writer import SHAPES

__all__ = ["SHAPES", "docker", "tool"]
