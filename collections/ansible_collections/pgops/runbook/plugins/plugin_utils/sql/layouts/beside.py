# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands beside the migrations in every layout: precheck/, verify/ and sample/, by the name of the migration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..folder import read_folder
from ..found import Contents, Found, Remark

__all__ = ["with_scripts_beside"]


def with_scripts_beside(
    root: Path, migrations: Iterable[Found], warnings: Iterable[Remark], tolerant: bool
) -> Contents:
    """The migrations with their precheck, verify and sample scripts, and a sentence about each that belongs to none.

    Raises:
        SqlLibraryError: a folder or a file is unreadable.
        SqlScriptError: a script is not UTF-8 text, or its header states a wrong value.
    """
    migrations = list(migrations)
    prechecks, verifies, samples = (
        read_folder(root, name, tolerant=tolerant) for name in ("precheck", "verify", "sample")
    )
    stems = {one.stem for one in migrations}
    strays = [
        Remark(scripts[stem].name, f"belongs to no migration (there is none called {stem})", belongs=False)
        for scripts in (prechecks, verifies, samples)
        for stem in scripts
        if stem not in stems
    ]
    return Contents(
        tuple(
            replace(
                one,
                precheck=prechecks.get(one.stem),
                verify=one.verify or verifies.get(one.stem),
                sample=samples.get(one.stem),
            )
            for one in migrations
        ),
        (*warnings, *strays),
    )
