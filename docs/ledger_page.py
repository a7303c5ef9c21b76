#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write docs/ledger.md, the tables that the runbook makes: from the comments of a real database, made on the spot.

`make documents` runs it.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.schema import NEWEST  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.upgrade import upgrade  # noqa: E402
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.application_tables import (  # noqa: E402
    LEDGER_SCHEMA,
    SALVAGE_SCHEMA,
)

from demo.local_server import LocalServer  # noqa: E402

__all__ = ["PAGE", "page_of"]

PAGE = PROJECT / "docs" / "ledger.md"

COLUMNS = """
    SELECT n.nspname::text, obj_description(n.oid, 'pg_namespace'),
           c.relname::text, obj_description(c.oid, 'pg_class'),
           a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(c.oid, a.attnum)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = ANY (%s) AND c.relkind = 'r' ORDER BY n.nspname, c.oid, a.attnum"""


def page_of(cursor: Any) -> str:
    """The page, for the schemas that the cursor's database has."""
    cursor.execute(COLUMNS, ([LEDGER_SCHEMA, SALVAGE_SCHEMA],))
    lines = [
        "# The runbook's own schemas",
        "",
        f"Layout of release {NEWEST}. Made from the comments of a fresh database by `make documents`;"
        " do not edit.",
    ]
    for (schema, purpose), of_schema in groupby(cursor.fetchall(), key=lambda row: row[:2]):
        lines += ["", f"## {schema}", "", purpose]
        for (table, holds), columns in groupby(of_schema, key=lambda row: row[2:4]):
            lines += ["", f"### {schema}.{table}", "", f"{holds[0].upper()}{holds[1:]}.", ""]
            lines += ["| column | type | holds |", "| --- | --- | --- |"]
            lines += [
                f"| {name} | {kind}{'' if filled else ', or NULL'} | {comment} |"
                for *_, name, kind, filled, comment in columns
            ]
    return "\n".join([*lines, ""])


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="runbook-page-") as folder:
        server = LocalServer(Path(folder), fsync=False)
        try:
            server.start()
            with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
                upgrade(cursor)
                PAGE.write_text(page_of(cursor), encoding="utf-8")
        finally:
            server.remove()
    print(PAGE.relative_to(PROJECT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
