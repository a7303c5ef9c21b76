# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sqitch's registry: changes, what they depend on, tags and a log of events (manual page sqitch, "The registry")."""

from __future__ import annotations

from typing import Any, Dict

from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor, Json, TableName
from .table import TEXT_TYPES, RecordTable, delete, insert, need_columns, there_is

__all__ = ["Sqitch"]


class Sqitch(RecordTable):
    """One row a change; only Sqitch can make its registry, with `sqitch deploy` of an empty plan or a first change."""

    name = "sqitch"
    table = "changes"
    schema = "sqitch"
    made = ()
    beside = ()
    others = ("dependencies", "events", "projects", "releases", "tags")

    def check(self, cursor: Cursor, table: TableName, columns: Dict[str, str]) -> None:
        need_columns(
            table, columns, {"change_id": TEXT_TYPES, "script_hash": TEXT_TYPES, "project": TEXT_TYPES}
        )

    def applied(self, cursor: Cursor, table: TableName) -> set[str]:
        """Of other projects, which may share the registry, nothing is said."""
        projects = {one["project"] for one in self.entries.values()}
        known = {one["change_id"]: version for version, one in self.entries.items()}
        cursor.execute(sql.SQL("SELECT change_id, change, project FROM {}").format(sql.Identifier(*table)))
        return {
            known.get(change_id, change)
            for change_id, change, project in cursor.fetchall()
            if project in projects or not projects
        }

    def record(
        self, cursor: Cursor, table: TableName, version: str, description: str, columns: Dict[str, str]
    ) -> None:
        entry = self.entry(version)
        if there_is(cursor, table, {"change_id": entry["change_id"]}):
            return
        who = _committer(cursor)
        schema = table[0]
        if not there_is(cursor, (schema, "projects"), {"project": entry["project"]}):
            creator = {"creator_name": who["committer_name"], "creator_email": who["committer_email"]}
            insert(
                cursor, (schema, "projects"), {"project": entry["project"], "uri": entry["uri"], **creator}
            )
        change = {key: entry[key] for key in ("change_id", "change", "project", "note", *_PLANNED)}
        insert(cursor, table, {**change, "script_hash": entry["script_hash"], **who})
        for needed in entry["dependencies"]:
            insert(cursor, (schema, "dependencies"), {"change_id": entry["change_id"], **needed})
        for tag in entry["tags"]:
            row = {**tag, "project": entry["project"], "change_id": entry["change_id"], **who}
            insert(cursor, (schema, "tags"), row)
        self._log(cursor, schema, "deploy", entry, who)

    def forget(self, cursor: Cursor, table: TableName, version: str) -> None:
        entry = self.entry(version)
        if not there_is(cursor, table, {"change_id": entry["change_id"]}):
            return
        for name in ("tags", "dependencies", self.table):
            delete(cursor, (table[0], name), {"change_id": entry["change_id"]})
        self._log(cursor, table[0], "revert", entry, _committer(cursor))

    @staticmethod
    def _log(cursor: Cursor, schema: str, event: str, entry: Json, who: Dict[str, str]) -> None:
        kinds = {"requires": "require", "conflicts": "conflict"}
        lists: Dict[str, Any] = {
            column: [needed["dependency"] for needed in entry["dependencies"] if needed["type"] == kind]
            for column, kind in kinds.items()
        }
        lists["tags"] = [tag["tag"] for tag in entry["tags"]]
        change = {key: entry[key] for key in ("change_id", "change", "project", "note", *_PLANNED)}
        insert(cursor, (schema, "events"), {"event": event, **change, **lists, **who})


_PLANNED = ("planned_at", "planner_name", "planner_email")


def _committer(cursor: Cursor) -> Dict[str, str]:
    """Who writes: the database's name for them, as Sqitch takes the operating system's where nothing is configured."""
    cursor.execute("SELECT session_user::pg_catalog.text, pg_catalog.current_database()::pg_catalog.text")
    name, database = one_row(cursor)
    return {"committer_name": name, "committer_email": f"{name}@{database}"}
