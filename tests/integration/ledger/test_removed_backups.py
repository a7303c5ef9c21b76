# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger says of which runs the backup was removed, and can be asked before it is able to."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.removed_backups import (
    backup_removed,
    forget_removed,
    note_removed,
    runs_without_note,
)
from psycopg2.extensions import cursor as Cursor


def with_runs(cursor: Cursor, *names: str) -> None:
    Ledger().create(cursor)
    for name in names:
        Ledger().open_run(cursor, name, "deploy", ["002"], "ann@host", {"pid": 1})


def test_without_a_ledger_nothing_is_known_and_nothing_made(connection: Any) -> None:
    with connection.cursor() as cursor:
        assert backup_removed(cursor, "first") is None
        assert runs_without_note(cursor, ["first"]) == []
        note_removed(cursor, [])
        forget_removed(cursor, [])
        assert not Ledger().exists(cursor)


def test_from_the_note_to_its_end(connection: Any) -> None:
    with connection.cursor() as cursor:
        with_runs(cursor, "first", "second")
        assert runs_without_note(cursor, ["second", "first", "rehearsal"]) == ["first", "second"]
        note_removed(cursor, ["first", "rehearsal"])
        assert backup_removed(cursor, "first").endswith(" UTC")
        assert [backup_removed(cursor, name) for name in ("second", "rehearsal")] == [None, None]
        assert runs_without_note(cursor, ["first", "second"]) == ["second"]
        forget_removed(cursor, ["first"])
        assert backup_removed(cursor, "first") is None


def test_the_layout_before_can_be_asked_and_is_brought_up_to_date_by_a_note(connection: Any) -> None:
    with connection.cursor() as cursor:
        with_runs(cursor, "first")
        cursor.execute("ALTER TABLE runbook.run DROP COLUMN backup_removed")
        cursor.execute("UPDATE runbook.release SET number = 5")
        assert backup_removed(cursor, "first") is None
        assert runs_without_note(cursor, ["first"]) == ["first"]
        note_removed(cursor, ["first"])
        assert backup_removed(cursor, "first") is not None
