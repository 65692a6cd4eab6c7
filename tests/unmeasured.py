"""The environment of children that measure no coverage.

A child leaves a database that cannot be read if it is killed while it writes what it has measured,
or may not write a file that large.
"""

from __future__ import annotations

import os


def unmeasured() -> dict[str, str]:
    """Return this environment without what makes a child measure."""
    return {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE")}
