# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run is going to do, as ``--diff`` shows it: statements, and what of the schema they alone say.

What they do beyond that only a copy shows, which is written: in check mode there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...module_utils.errors import RunbookError
from ..sql.layouts.choice import AUTO
from ..sql.library import Migration, Script, SqlLibrary, read_sql_library

__all__ = ["planned", "planned_of_run"]

# Kind in a footprint -> what one of them is called.
KINDS = {
    "tables": "table",
    "columns": "column",
    "indexes": "index",
    "views": "view",
    "functions": "function",
    "types": "type",
}


def planned_of_run(run: dict[str, Any], versions: Iterable[str]) -> list[dict[str, str]]:
    """As ``planned``, of the scripts of a run's sql_dir.

    Args:
        run: option of the steps; what is no deploy, rehearsal or rollback shows nothing.
        versions: that preflight has selected, in order.
    """
    if run["playbook"] not in ("deploy", "rehearse", "emergency_rollback") or run["migration"] == "all":
        return []
    try:
        library = read_sql_library(run.get("sql_dir") or "sql", True, run.get("sql_layout") or AUTO)
        return planned(library, versions, rollback=run["playbook"] == "emergency_rollback")
    except RunbookError:
        return []  # a folder that changed under us; the next step says so


def planned(library: SqlLibrary, versions: Iterable[str], rollback: bool) -> list[dict[str, str]]:
    """Differences as ansible-core prints them: of each migration its statements, and what they make or take away.

    Raises:
        RunbookError: a migration is gone, or its script cannot be read.
    """
    differences = []
    for migration in map(library.find, versions):
        script = migration.rollback if rollback else migration.apply
        if script is None:
            continue
        differences.append(_statements(migration, script))
        made = _made(migration)
        if made:
            differences.append(_schema(migration, made, rollback))
    return differences


def _statements(migration: Migration, script: Script) -> dict[str, str]:
    lines = [f"-- line {one.line}\n{one.sql.strip()};\n" for one in script.parse().statements]
    return {
        "before_header": "nothing was written",
        "before": "",
        "after_header": f"statements of migration {migration.version}: {script.name}",
        "after": "".join(lines),
    }


def _made(migration: Migration) -> str:
    creates = migration.apply.parse().creates
    return "".join(
        f"{word} {'.'.join(part for part in name if part)}\n"
        for kind, word in KINDS.items()
        for name in creates[kind]
    )


def _schema(migration: Migration, made: str, rollback: bool) -> dict[str, str]:
    header = f"schema, as far as the statements of {migration.apply.name} say"
    before, after = (made, "") if rollback else ("", made)
    return {"before_header": header, "before": before, "after_header": header, "after": after}
