# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Items on their way into another database: a restored one has those of its backup, and gets those kept since.

An item that a deploy has put back since the backup was put back into the database that is replaced; in the restored
one it is still kept, as the backup says. Items that came since are not in the backup at all.
"""

from __future__ import annotations

from ...errors import known
from ...postgres.connection import sql
from ...postgres.tables import table_facts
from ...rows.copying import copy_rows
from ...rows.sequences import advance_sequences_of
from ...shapes import Cursor
from .items import SalvageStore

__all__ = ["bring_items"]

COLUMNS = """
    SELECT attname::text FROM pg_catalog.pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""


def bring_items(live: Cursor, new: Cursor) -> int:
    """Bring the items over that the restored database does not have.

    Args:
        live, new: cursors in transactions, nobody else writing to either database.

    Returns:
        How many.
    """
    if not SalvageStore(live).exists():
        return 0
    SalvageStore(new).create()
    if SalvageStore(live).is_owners_alone():
        SalvageStore(new).make_owners_alone()
    new.execute("SELECT item FROM runbook_salvage.manifest")
    brought = {item for (item,) in new.fetchall()}
    live.execute("SELECT item FROM runbook_salvage.manifest ORDER BY item")
    items = [item for (item,) in live.fetchall() if item not in brought]
    if not items:
        return 0
    for table in ("manifest", "kept_row"):
        name = sql.Identifier("runbook_salvage", table)
        live.execute(COLUMNS, (f"runbook_salvage.{table}",))
        columns = sql.SQL(", ").join(sql.Identifier(column) for (column,) in live.fetchall())
        copy_rows(
            live,
            sql.SQL("COPY (SELECT {} FROM {} WHERE item = ANY ({}::bigint[])) TO STDOUT").format(
                columns, name, sql.Literal(items)
            ),
            new,
            # Values of an identity are taken as they are (manual, COPY, Notes).
            sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns),
        )
        # Such a COPY leaves the sequence behind, and the next rollback would be given a number that is taken.
        made = known(table_facts(new, ("runbook_salvage", table)), "the table that create() makes")
        advance_sequences_of(new, made)
    return len(items)
