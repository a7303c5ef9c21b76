# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A work table as the engine wants it, for rows that tests name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import sql
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.tables import table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.rows.changes import TableChanges


def changes(cursor: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> TableChanges:
    """What waits for a table whose first column is its key.

    Args:
        rows: kind, and the values of all columns; numbered from 1.
    """
    facts = table_facts(cursor, ("public", table))
    assert facts is not None
    work = sql.Identifier("pg_temp", f"work_{table}")
    key, *others = facts.columns
    cursor.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {work} AS SELECT 0::bigint AS number, ''::text AS kind, false AS written,"
            " ''::text AS key, 1::bigint AS occurrence, NULL::tid AS place, NULL::oid AS partition, t.* FROM {table} t"
            " WITH NO DATA"
        ).format(work=work, table=sql.Identifier(table))
    )
    for number, (kind, *values) in enumerate(rows, 1):
        cursor.execute(
            sql.SQL("INSERT INTO {} (number, kind, written, key, occurrence, {}) VALUES ({})").format(
                work,
                sql.SQL(", ").join(map(sql.Identifier, facts.columns)),
                sql.SQL(", ").join(map(sql.Literal, (number, kind, False, str(values[0]), 1, *values))),
            )
        )
    now = sql.SQL(
        "SELECT {}::text AS key, 1::bigint AS occurrence, ctid AS place, tableoid AS partition FROM {}"
    ).format(sql.Identifier(key), facts.identifier())
    cursor.execute(
        sql.SQL(
            "UPDATE {} k SET place = now.place, partition = now.partition FROM ({}) AS now"
            " WHERE now.key = k.key AND k.kind <> 'added'"
        ).format(work, now)
    )
    return TableChanges(
        table=facts,
        work=work,
        columns=facts.columns,
        settable=others,
        value=lambda name: sql.SQL("k.{}").format(sql.Identifier(name)),
        now=now,
        key=[key],
    )
