# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger knows which run has taken the application out of service and not back."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import RUN_LOCK, Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.maintenance import (
    note_in_service,
    note_out_of_service,
    out_of_service,
)
from psycopg2.extensions import cursor as Cursor

from demo.local_server import LocalServer

CONTROLLER = {"pid": 1}


def left(cursor: Cursor, but: str = "another") -> list[str]:
    return [run["run_id"] for run in out_of_service(cursor, but)]


def test_from_the_note_before_it_is_done_to_the_note_that_it_is_undone(connection: Any) -> None:
    with connection.cursor() as cursor:
        assert left(cursor) == [], "there is no ledger"
        ledger = Ledger()
        ledger.create(cursor)
        for name in ("first", "second"):
            ledger.open_run(cursor, name, "deploy", ["002"], "ann@host", CONTROLLER)
        assert left(cursor) == []
        note_out_of_service(cursor, "first", ["app", "on"])
        (run,) = out_of_service(cursor, "second")
        assert {
            key: run[key] for key in ("run_id", "playbook", "operator", "controller", "close_command")
        } == {
            "run_id": "first",
            "playbook": "deploy",
            "operator": "ann@host",
            "controller": CONTROLLER,
            "close_command": ["app", "on"],
        }
        assert (run["ended"], run["lease_expired"], run["at_work"]) == (False, False, False)
        assert left(cursor, but="first") == [], "a run does not take its own application back"
        ledger.finish_run(cursor, "first", "deployed", "")
        assert out_of_service(cursor, "second")[0]["ended"]
        assert note_in_service(cursor, "first")
        assert left(cursor) == []
        assert not note_in_service(cursor, "first"), "it is in service already"
        assert not note_in_service(cursor, "second"), "it never was out of it"


def test_a_step_that_is_at_work_is_seen(server: LocalServer, database: str, connection: Any) -> None:
    with connection.cursor() as cursor:
        Ledger().create(cursor)
        Ledger().open_run(cursor, "first", "deploy", ["002"], "ann@host", CONTROLLER)
        note_out_of_service(cursor, "first", [])
        connection.commit()
        other = server.connect(database)
        try:
            with other.cursor() as holder:
                holder.execute("SELECT pg_advisory_lock(%s)", (RUN_LOCK,))
            assert out_of_service(cursor, "x")[0]["at_work"]
        finally:
            other.close()


def test_an_earlier_layout_knows_of_no_maintenance(connection: Any) -> None:
    with connection.cursor() as cursor:
        Ledger().create(cursor)
        Ledger().open_run(cursor, "first", "deploy", ["002"], "ann@host", CONTROLLER)
        cursor.execute(
            "ALTER TABLE runbook.run DROP COLUMN out_of_service_since, DROP COLUMN in_service_again,"
            " DROP COLUMN close_command; UPDATE runbook.release SET number = 4"
        )
        assert left(cursor) == []
        assert not note_in_service(cursor, "first")
