# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Servers of other releases of PostgreSQL than the one that the tests install, where the machine has any.

Those of Debian and Ubuntu are found by themselves; further folders of programs are named in the environment variable
PGOPS_POSTGRESQL_PROGRAMS, with a colon between two, as PATH is written.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["programs_of_other_releases"]

VARIABLE = "PGOPS_POSTGRESQL_PROGRAMS"


def programs_of_other_releases() -> list[Path]:
    """Folders with initdb and postgres, sorted."""
    named = [Path(one) for one in os.environ.get(VARIABLE, "").split(os.pathsep) if one]
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *named]
    return sorted(path for path in found if (path / "initdb").exists() and (path / "postgres").exists())
