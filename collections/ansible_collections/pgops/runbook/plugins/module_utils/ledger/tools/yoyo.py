# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""yoyo-migrations' tables: what is applied, and a log of what was done (its internalmigrations/v2.py, since 6.0)."""

from __future__ import annotations

import hashlib
import socket
from typing import Dict

from ...postgres.connection import sql
from ...shapes import Cursor, TableName
from .table import TEXT_TYPES, RecordTable, delete, need_columns, there_is

__all__ = ["Yoyo"]

LOG, LAYOUT = "_yoyo_log", "_yoyo_version"


class Yoyo(RecordTable):
    """One row a migration, known by the name of its file without the ending, and a row of the log each time."""

    name = "yoyo"
    table = "_yoyo_migration"
    made = (
        "CREATE TABLE {t} (migration_hash varchar(64), migration_id varchar(255), applied_at_utc timestamp,"
        " PRIMARY KEY (migration_hash))",
        "CREATE TABLE {_yoyo_log} (id varchar(36), migration_hash varchar(64), migration_id varchar(255),"
        " operation varchar(10), username varchar(255), hostname varchar(255), comment varchar(255),"
        " created_at_utc timestamp, PRIMARY KEY (id))",
        "CREATE TABLE {_yoyo_version} (version int NOT NULL PRIMARY KEY, installed_at_utc timestamp)",
        "INSERT INTO {_yoyo_version} VALUES (2, pg_catalog.timezone('UTC', pg_catalog.now()))",
    )
    beside = ("{t}_pkey", f"{LOG}_pkey", f"{LAYOUT}_pkey")
    others = (LOG, LAYOUT)

    def check(self, cursor: Cursor, table: TableName, columns: Dict[str, str]) -> None:
        needed = {"migration_hash": TEXT_TYPES, "migration_id": TEXT_TYPES, "applied_at_utc": ("timestamp",)}
        need_columns(table, columns, needed)

    def applied(self, cursor: Cursor, table: TableName) -> set[str]:
        cursor.execute(sql.SQL("SELECT migration_hash, migration_id FROM {}").format(sql.Identifier(*table)))
        known = {_hash(name): version for version, name in self.entries.items()}
        return {known.get(key, name or key) for key, name in cursor.fetchall()}

    def record(
        self, cursor: Cursor, table: TableName, version: str, description: str, columns: Dict[str, str]
    ) -> None:
        name = self.entry(version)
        if there_is(cursor, table, {"migration_hash": _hash(name)}):
            return
        cursor.execute(
            sql.SQL(
                "INSERT INTO {} (migration_hash, migration_id, applied_at_utc)"
                " VALUES (%s, %s, pg_catalog.timezone('UTC', pg_catalog.clock_timestamp()))"
            ).format(sql.Identifier(*table)),
            (_hash(name), name),
        )
        _log(cursor, table[0], "apply", name)

    def forget(self, cursor: Cursor, table: TableName, version: str) -> None:
        name = self.entry(version)
        if there_is(cursor, table, {"migration_hash": _hash(name)}):
            delete(cursor, table, {"migration_hash": _hash(name)})
            _log(cursor, table[0], "rollback", name)


def _hash(name: str) -> str:
    """By what yoyo knows a migration: SHA-256 of its name."""
    return hashlib.sha256(name.encode("utf-8")).hexdigest()


def _log(cursor: Cursor, schema: str, operation: str, name: str) -> None:
    cursor.execute(
        sql.SQL(
            "INSERT INTO {} (id, migration_hash, migration_id, operation, username, hostname, created_at_utc)"
            " VALUES (pg_catalog.gen_random_uuid()::pg_catalog.text, %s, %s, %s, session_user, %s,"
            " pg_catalog.timezone('UTC', pg_catalog.clock_timestamp()))"
        ).format(sql.Identifier(schema, LOG)),
        (_hash(name), name, operation, socket.gethostname()),
    )
