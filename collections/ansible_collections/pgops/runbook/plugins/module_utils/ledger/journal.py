# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal: how far a migration got whose statements cannot be in one transaction.

A statement that may be in a transaction is in one with its journal entry, so the entry is the truth about it.
One that may not is noted before and after; killed in between, the catalog tells whether it took effect. One that is
carried out in batches is noted with each of them, in its transaction.
"""

from __future__ import annotations

from ..digests import sha256_of_text
from ..errors import Refused
from ..postgres.answers import has_relation, one_row
from ..shapes import Cursor, Json, Statement

__all__ = ["Journal", "close_all_journals", "journal_of", "open_journal"]

# A ledger that nobody has written to since has the layout of an older release.
RESUMED_BY = "pg_catalog.to_jsonb(j) ->> 'resumed_by'"
BATCHES = "coalesce((pg_catalog.to_jsonb(s) ->> 'batches')::int, 0)"


def open_journal(cursor: Cursor) -> Json | None:
    """The journal that was begun and not closed, or None.

    Returns:
        dict: journal_id, run_id, resumed_by (the last run that went on with it, or None), migration, direction,
        catalog_before, done (number of statements done), last_line (of the last statement begun, or None), begun_line
        (of one that was begun and is not done, or None), batches (how many of that one are committed).
    """
    if not has_relation(cursor, "runbook.journal"):
        return None
    cursor.execute(
        f"SELECT j.journal_id, j.run_id, {RESUMED_BY}, j.migration, j.direction, j.catalog_before, count(s.done)::int,"
        f" max(s.line), min(s.line) FILTER (WHERE s.done IS NULL),"
        f" coalesce(sum({BATCHES}) FILTER (WHERE s.done IS NULL), 0)::int"
        " FROM runbook.journal j LEFT JOIN runbook.journal_statement s USING (journal_id)"
        " WHERE j.closed IS NULL GROUP BY j.journal_id ORDER BY j.journal_id DESC LIMIT 1"
    )
    row = cursor.fetchone()
    names = (
        *("journal_id", "run_id", "resumed_by", "migration", "direction", "catalog_before"),
        *("done", "last_line", "begun_line", "batches"),
    )
    return dict(zip(names, row)) if row else None


def journal_of(cursor: Cursor, run_id: str) -> Json | None:
    """As open_journal(), where the run began it, or was the last one that went on with it."""
    journal = open_journal(cursor)
    return journal if journal is not None and run_id in (journal["run_id"], journal["resumed_by"]) else None


def close_all_journals(cursor: Cursor) -> None:
    """Nothing is half done: the database was replaced by one in which nothing of it is begun."""
    cursor.execute("UPDATE runbook.journal SET closed = clock_timestamp() WHERE closed IS NULL")


class Journal:
    """One journal, written statement by statement. No method commits.

    Args:
        journal_id: its number.
        run_id: of the run that began it.
        direction: apply or rollback.
    """

    def __init__(self, journal_id: int, run_id: str | None = None, direction: str = "apply") -> None:
        self.journal_id = journal_id
        self.run_id = run_id
        self.direction = direction

    @classmethod
    def begin(
        cls, cursor: Cursor, run_id: str, migration: str, direction: str, catalog_before: str
    ) -> Journal:
        cursor.execute(
            "INSERT INTO runbook.journal (run_id, migration, direction, catalog_before)"
            " VALUES (%s, %s, %s, %s) RETURNING journal_id",
            (run_id, migration, direction, catalog_before),
        )
        return cls(one_row(cursor)[0], run_id, direction)

    @classmethod
    def resume(cls, cursor: Cursor, half_done: Json, run_id: str) -> Journal:
        """Go on with the one that was begun and not closed.

        Args:
            half_done: as open_journal gives it.
            run_id: of the run that goes on with it.
        """
        if run_id != half_done["run_id"]:
            cursor.execute(
                "UPDATE runbook.journal SET resumed_by = %s WHERE journal_id = %s",
                (run_id, half_done["journal_id"]),
            )
        return cls(half_done["journal_id"], half_done["run_id"], half_done["direction"])

    def state(self, cursor: Cursor, ordinal: int, statement: Statement) -> str:
        """ "new", "begun" or "done".

        Raises:
            Refused: when the statement is not the one that was begun or done.
        """
        cursor.execute(
            "SELECT sha256, done IS NOT NULL FROM runbook.journal_statement"
            " WHERE journal_id = %s AND ordinal = %s",
            (self.journal_id, ordinal),
        )
        row = cursor.fetchone()
        if row is None:
            return "new"
        if row[0] != sha256_of_text(statement["sql"]):
            raise Refused(
                "script_edited_when_half_done",
                f"The statement at line {statement['line']} was edited after it had been committed. A script that is"
                " half done can only be finished as it was. Put the old text of the statement back, and run again.",
            )
        return "done" if row[1] else "begun"

    def note_begin(self, cursor: Cursor, ordinal: int, statement: Statement) -> None:
        cursor.execute(
            "INSERT INTO runbook.journal_statement (journal_id, ordinal, line, sha256) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (journal_id, ordinal) DO UPDATE SET begun = clock_timestamp()",
            (self.journal_id, ordinal, statement["line"], sha256_of_text(statement["sql"])),
        )

    def note_done(self, cursor: Cursor, ordinal: int) -> None:
        cursor.execute(
            "UPDATE runbook.journal_statement SET done = clock_timestamp() WHERE journal_id = %s AND ordinal = %s",
            (self.journal_id, ordinal),
        )

    def note_batch(self, cursor: Cursor, ordinal: int) -> None:
        """One more batch of a statement is done; in the transaction of that batch."""
        cursor.execute(
            "UPDATE runbook.journal_statement SET batches = batches + 1 WHERE journal_id = %s AND ordinal = %s",
            (self.journal_id, ordinal),
        )

    def batches(self, cursor: Cursor, ordinal: int) -> int:
        """How many batches of a statement are committed, by whatever run."""
        cursor.execute(
            "SELECT batches FROM runbook.journal_statement WHERE journal_id = %s AND ordinal = %s",
            (self.journal_id, ordinal),
        )
        row = cursor.fetchone()
        return 0 if row is None else row[0]

    def forget(self, cursor: Cursor, ordinal: int) -> None:
        """A statement that has failed, and so has not taken effect; unless some of its batches have."""
        cursor.execute(
            "DELETE FROM runbook.journal_statement WHERE journal_id = %s AND ordinal = %s AND batches = 0",
            (self.journal_id, ordinal),
        )

    def drop_if_nothing_is_done(self, cursor: Cursor) -> bool:
        """Forget a journal without a statement, so that its migration holds nobody up; returns whether it had none."""
        cursor.execute(
            "DELETE FROM runbook.journal j WHERE journal_id = %s AND NOT EXISTS"
            " (SELECT FROM runbook.journal_statement s WHERE s.journal_id = j.journal_id)",
            (self.journal_id,),
        )
        return cursor.rowcount == 1

    def close(self, cursor: Cursor) -> None:
        cursor.execute(
            "UPDATE runbook.journal SET closed = clock_timestamp() WHERE journal_id = %s", (self.journal_id,)
        )
