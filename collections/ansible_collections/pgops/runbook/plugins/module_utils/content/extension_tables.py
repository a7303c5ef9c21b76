# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of tables that belong to an extension and are in no dump, and what of them a restored database has."""

from __future__ import annotations

from typing import Any

from ..postgres.connection import psycopg2
from ..postgres.extension_tables import tables_not_dumped
from ..postgres.session import pin_session, restore_session
from ..shapes import Cursor, Json
from .fingerprint import StoredTable, table_fingerprints

__all__ = ["content_not_dumped", "not_brought_back"]


def content_not_dumped(cursor: Cursor) -> dict[str, Json]:
    """Name -> extension, rows and digest of each such table, as the cursor's transaction sees them."""
    tables = tables_not_dumped(cursor)
    stored = [
        StoredTable(one.oid, one.schema, one.relation, one.name, "table", one.columns, True, "", 0)
        for one in tables
    ]
    with cursor.connection.cursor(cursor_factory=psycopg2.extensions.cursor) as own:
        previous = pin_session(own, local=True)
        facts = dict(table_fingerprints(own, stored))
        restore_session(own, previous, local=True)
    return {
        one.name: {"extension": one.extension, **{key: facts[one.name][key] for key in ("rows", "digest")}}
        for one in tables
    }


def not_brought_back(expected: dict[str, Json], cursor: Cursor) -> list[dict[str, Any]]:
    """Tables of extensions that a restored database has not as they were.

    Args:
        expected: content_not_dumped() of the original.
        cursor: of a transaction in the restored database.

    Returns:
        one {"table", "extension", "rows", "rows_in_copy"} for each; rows_in_copy is None where there is no such table.
    """
    restored = content_not_dumped(cursor) if expected else {}
    return [
        {
            "table": name,
            "extension": facts["extension"],
            "rows": facts["rows"],
            "rows_in_copy": restored[name]["rows"] if name in restored else None,
        }
        for name, facts in sorted(expected.items())
        if {key: restored.get(name, {}).get(key) for key in ("rows", "digest")}
        != {key: facts[key] for key in ("rows", "digest")}
    ]
