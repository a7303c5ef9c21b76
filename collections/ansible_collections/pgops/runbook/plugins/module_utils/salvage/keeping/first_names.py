# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How tables were called before the first statement of a rollback whose statements commit one by one.

What its later statements destroy goes back to the tables as they were before the first one, so it is written down
under these names. Tables and columns are known again by OID and number, whatever the statements between call them.
Those that the rollback itself makes on its way are not the migration's any more, and nothing of them is kept.
"""

from __future__ import annotations

import json

from ...ledger.upgrade import upgrade
from ...postgres.application_tables import INCLUDED, RELATIONS, SEQUENCES, of_application
from ..watch import DestructionWatch

__all__ = ["FirstState", "sequences_now"]

NAMES_OF_SEQUENCES = f"""
    SELECT c.oid::bigint, n.nspname::text, c.relname::text
    FROM {RELATIONS} WHERE {of_application(SEQUENCES, members=INCLUDED)}"""


class FirstState:
    """Names from before the first statement, by OID.

    Args:
        cursor: of the statement's transaction.
        journal_id: of the rollback.

    Attributes:
        is_new: whether this is the first statement, so that the names were noted now.
        tables: dict OID -> ((schema, name), columns (number -> name)).
        roots: dict OID of a table -> OID of the topmost table whose partition it was, or its own.
        sequences: dict OID -> (schema, name).
    """

    def __init__(self, cursor, journal_id):
        self.cursor = cursor
        self.journal_id = journal_id
        upgrade(cursor)
        self.is_new = not self._exists()
        if self.is_new:
            self._note()
        self.tables, self.roots, self.sequences = {}, {}, {}
        cursor.execute(
            "SELECT oid, sequence, root, schema_name, name, columns FROM runbook.journal_relation"
            " WHERE journal_id = %s",
            (journal_id,),
        )
        for oid, sequence, root, schema, name, columns in cursor.fetchall():
            if sequence:
                self.sequences[oid] = (schema, name)
            else:
                self.roots[oid] = root
                self.tables[oid] = ((schema, name), {int(number): one for number, one in columns.items()})

    def _exists(self):
        self.cursor.execute(
            "SELECT EXISTS (SELECT FROM runbook.journal_relation WHERE journal_id = %s)", (self.journal_id,)
        )
        return self.cursor.fetchone()[0]

    def _note(self):
        tables = DestructionWatch(self.cursor).before
        found = [
            (oid, False, table.root, *table.name, json.dumps(table.columns)) for oid, table in tables.items()
        ]
        found += [(oid, True, oid, *name, "{}") for oid, name in sequences_now(self.cursor).items()]
        for row in found:
            self.cursor.execute(
                "INSERT INTO runbook.journal_relation (journal_id, oid, sequence, root, schema_name, name, columns)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (self.journal_id, *row),
            )

    def watch(self):
        """A DestructionWatch that sees only what was there before the first statement."""
        watch = DestructionWatch(self.cursor)
        watch.before = {oid: table for oid, table in watch.before.items() if oid in self.tables}
        for oid, table in watch.before.items():
            known = self.tables[oid][1]
            table.columns = {number: name for number, name in table.columns.items() if number in known}
            table.types = {number: kind for number, kind in table.types.items() if number in known}
        return watch

    def first_names(self, oid, columns):
        """dict: what columns (number -> name) are called now -> what they were called first."""
        known = self.tables[oid][1]
        return {name: known[number] for number, name in sorted(columns.items()) if number in known}

    def forget(self):
        """The rollback has ended: nobody needs it any more."""
        for table in ("journal_row", "journal_relation"):
            self.cursor.execute(f"DELETE FROM runbook.{table} WHERE journal_id = %s", (self.journal_id,))


def sequences_now(cursor):
    """dict OID -> (schema, name) of the application's sequences."""
    cursor.execute(NAMES_OF_SEQUENCES)
    return {oid: (schema, name) for oid, schema, name in cursor.fetchall()}
