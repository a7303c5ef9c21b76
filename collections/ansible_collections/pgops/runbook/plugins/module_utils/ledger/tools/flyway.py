# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Flyway's table: one row for each time that it did something (documentation, "Schema History Table")."""

from __future__ import annotations

import re
from typing import Dict

from ...errors import Refused
from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor, TableName
from .table import INTEGER_TYPES, TEXT_TYPES, RecordTable, delete, need_columns

__all__ = ["Flyway"]

BASELINE, UNDONE = "BASELINE", "UNDO_SQL"


class Flyway(RecordTable):
    """One row a migration; a rollback takes the row out, so that Flyway says Pending."""

    name = "flyway"
    table = "flyway_schema_history"
    made = (
        "CREATE TABLE {t} (installed_rank integer NOT NULL CONSTRAINT {t_pk} PRIMARY KEY, version varchar(50),"
        " description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL,"
        " checksum integer, installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(),"
        " execution_time integer NOT NULL, success boolean NOT NULL)",
        "CREATE INDEX {t_s_idx} ON {t} (success)",
    )
    beside = ("{t}_pk", "{t}_s_idx")

    def check(self, cursor: Cursor, table: TableName, columns: Dict[str, str]) -> None:
        # All that is written with a type of its own: to another type it might be cast by what somebody has made.
        needed = {
            **dict.fromkeys(("version", "type", "installed_by"), TEXT_TYPES),
            **dict.fromkeys(("installed_rank", "checksum", "execution_time"), INTEGER_TYPES),
            "success": ("bool",),
        }
        need_columns(table, columns, needed)
        cursor.execute(
            sql.SQL("SELECT coalesce(version, script) FROM {} WHERE NOT success").format(
                sql.Identifier(*table)
            )
        )
        failed = cursor.fetchone()
        if failed is not None:
            raise Refused(
                "version_table_dirty",
                f"Table {'.'.join(table)} says that {failed[0]} failed. See what of it is in place, put that right, and"
                " say so with: flyway repair",
            )

    def applied(self, cursor: Cursor, table: TableName) -> set[str]:
        cursor.execute(
            sql.SQL(
                "SELECT version, type, success FROM {} WHERE version IS NOT NULL ORDER BY installed_rank"
            ).format(sql.Identifier(*table))
        )
        # Not asked for in SQL, where it might be cast: nobody has looked at its type yet.
        rows = [(version, kind) for version, kind, success in cursor.fetchall() if success is True]
        by_rank = {rank(version): version for version in self.entries}
        applied: set[str] = set()
        for version, kind in rows:
            name = by_rank.get(rank(version), version)
            if kind.endswith(BASELINE):
                applied |= {one for one in self.entries if rank(one) <= rank(version)}
            elif kind.startswith("UNDO"):
                applied.discard(name)
            else:
                applied.add(name)
        return applied

    def record(
        self, cursor: Cursor, table: TableName, version: str, description: str, columns: Dict[str, str]
    ) -> None:
        if version in self.applied(cursor, table):
            return
        entry = self.entry(version)
        cursor.execute(
            sql.SQL("SELECT pg_catalog.max(installed_rank) FROM {}").format(sql.Identifier(*table))
        )
        highest = one_row(cursor)[0] or 0
        cursor.execute(
            sql.SQL(
                "INSERT INTO {} (installed_rank, version, description, type, script, checksum, installed_by,"
                " execution_time, success) VALUES (%s, %s, %s, 'SQL', %s, %s, session_user, 0, true)"
            ).format(sql.Identifier(*table)),
            (highest + 1, version, entry["description"], entry["script"], entry["checksum"]),
        )

    def forget(self, cursor: Cursor, table: TableName, version: str) -> None:
        cursor.execute(
            sql.SQL("SELECT DISTINCT version FROM {} WHERE version IS NOT NULL").format(
                sql.Identifier(*table)
            )
        )
        for (recorded,) in cursor.fetchall():
            if rank(recorded) == rank(version):
                delete(cursor, table, {"version": recorded})


def rank(version: str) -> tuple[int, ...]:
    """Sort key of a version as Flyway compares them: part by part as numbers; 1 and 1.0 are the same."""
    parts = [int(part) for part in re.findall(r"\d+", version)]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)
