# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is true, told by PostgreSQL's own programs and by the disk."""

from __future__ import annotations

import contextlib
import io
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import make_dsn

from benchmarks.fault_stories.stage import Stage

__all__ = ["OWNED", "State", "ledger_of", "left_behind", "state_of"]

# A name that only a shell or a template engine would have made of the hostile names.
OWNED = "owned_by_a_name"

OWN_SCHEMAS = ("runbook", "runbook_salvage")

TABLES = """
    SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'runbook', 'runbook_salvage')
    ORDER BY 1, 2"""


@dataclass(frozen=True)
class State:
    """The application's schema, as pg_dump writes it, and the rows of each table, as COPY does."""

    schema: str
    rows: tuple[tuple[str, str, str], ...]


def state_of(stage: Stage) -> State:
    """What the application would find."""
    database = stage.database
    server = stage.server
    schema = subprocess.run(
        [
            str(Path(server.bindir, "pg_dump")),
            *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"),
            *("--schema-only", "--restrict-key=0", f"--dbname={make_dsn(dbname=database)}"),
            *(f"--exclude-schema={name}" for name in OWN_SCHEMAS),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        rows = tuple((*name, _rows(cursor, *name)) for name in cursor.fetchall())
    return State(schema, rows)


def _rows(cursor: Any, schema: str, table: str) -> str:
    text = io.StringIO()
    query = sql.SQL('COPY (SELECT * FROM {} AS t ORDER BY t::text COLLATE "C") TO STDOUT')
    cursor.copy_expert(query.format(sql.Identifier(schema, table)).as_string(cursor), text)
    return text.getvalue()


def ledger_of(stage: Stage, run_id: str) -> dict[str, Any] | None:
    """What the ledger has of a run: outcome, finished, and (step, status, migration) of its receipts; or None."""
    if stage.ask("SELECT pg_catalog.to_regclass('runbook.run')") == [(None,)]:
        return None
    quoted = run_id.replace("'", "''")
    runs = stage.ask(f"SELECT outcome, finished IS NOT NULL FROM runbook.run WHERE run_id = '{quoted}'")
    if not runs:
        return None
    receipts = stage.ask(
        "SELECT document::json ->> 'step', document::json ->> 'status', document::json ->> 'migration'"
        f" FROM runbook.receipt WHERE run_id = '{quoted}' ORDER BY position"
    )
    return {"outcome": runs[0][0], "finished": runs[0][1], "receipts": receipts}


def left_behind(stage: Stage, roles: list[str]) -> list[str]:
    """What a command has left that nobody will ever take away.

    Args:
        roles: that there were before.
    """
    databases = "SELECT datname FROM pg_catalog.pg_database WHERE {} ORDER BY 1"
    found = [
        f"database {name}" for (name,) in stage.ask(databases.format("datname LIKE 'runbook%'"), "postgres")
    ]
    found += [
        f"database {name} closed to connections"
        for (name,) in stage.ask(databases.format("NOT datallowconn AND datname <> 'template0'"), "postgres")
    ]
    found += [
        f"session {pid} of the runbook: {query}"
        for pid, query in stage.ask(
            "SELECT pid, query FROM pg_catalog.pg_stat_activity WHERE application_name LIKE 'pgops%'"
            " AND pid <> pg_catalog.pg_backend_pid()",
            "postgres",
        )
    ]
    found += [
        f"advisory lock of session {pid}"
        for (pid,) in stage.ask("SELECT pid FROM pg_catalog.pg_locks WHERE locktype = 'advisory'", "postgres")
    ]
    now = [name for (name,) in stage.ask("SELECT rolname FROM pg_catalog.pg_roles ORDER BY 1", "postgres")]
    found += [f"role {name}" for name in now if name not in roles]
    found += [f"process {pid}" for pid in stage.at_work()]
    found += [
        f"file {path.relative_to(stage.work)}"
        for path in sorted(stage.work.rglob("*"))
        if _is_forgotten(stage, path)
    ]
    if stage.out_of_service.exists():
        found.append("an application out of service")
    return found


def _is_forgotten(stage: Stage, path: Path) -> bool:
    """Whether a file is one of those that are there for the time of a step only."""
    inside = path.relative_to(stage.work).parts
    # ansible-core's own folders, which it leaves when it is killed.
    if inside[0] == "ansible" or any(part.startswith(("ansible", ".ansible")) for part in inside):
        return False
    return (inside[0] == "tmp" and len(inside) == 2) or path.name.startswith((".latest-", OWNED))
