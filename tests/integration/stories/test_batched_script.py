# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A migration that fills a column in batches: deployed, gone on with, rolled back and deployed again, by real steps."""

from __future__ import annotations

import pytest

from tests.integration.salvage.salvage_runs import deploy, roll_back
from tests.integration.step_runs import StepRuns

ROWS = 2000

COLUMN = {
    "migrations__002_author": "ALTER TABLE notes ADD COLUMN size int;",
    "rollback__002_author_rollback": "ALTER TABLE notes DROP COLUMN size;",
}

FILL = "-- Batches: 300 rows\n{}UPDATE notes SET size = 10 / id WHERE size IS NULL;"


@pytest.fixture
def filling(runs: StepRuns) -> StepRuns:
    """Migration 002 adds a column and fills it in batches; its rollback drops it."""
    runs.write(
        **{**COLUMN, "migrations__002_author": FILL.format("ALTER TABLE notes ADD COLUMN size int;\n")}
    )
    runs.execute(
        f"INSERT INTO notes (id, body) SELECT n, 'note ' || n FROM generate_series(101, {ROWS + 100}) n"
    )
    return runs


def test_what_users_write_comes_back(filling: StepRuns) -> None:
    _, fill = deploy(filling)["statements"]
    assert fill["batches"] > 3
    assert filling.ask("SELECT count(*) FROM notes WHERE size IS NULL") == [(0,)]
    filling.execute(
        "UPDATE notes SET size = -1 WHERE id = 150", "INSERT INTO notes (id, body, size) VALUES (9, 'x', 7)"
    )
    notes = filling.ask("SELECT * FROM notes ORDER BY id")
    roll_back(filling)
    returned = deploy(filling)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert filling.ask("SELECT * FROM notes ORDER BY id") == notes


def test_a_deploy_that_stops_in_the_middle_goes_on(filling: StepRuns) -> None:
    run = filling.another()
    run.up_to("rehearse")
    # In the last page, and since the rehearsal.
    filling.execute("INSERT INTO notes (id, body) VALUES (0, 'of a user')")
    failed = run.step("apply")
    assert failed["failed"]
    assert "division by zero" in failed["msg"]
    assert "1 of 2 statements and" in failed["msg"]
    assert "batches of the one at line 3 are committed" in failed["msg"]
    run.conclude("failed")
    left = filling.ask("SELECT count(*) FROM notes WHERE size IS NULL")[0][0]
    assert 0 < left < ROWS
    filling.execute("UPDATE notes SET id = 5000 WHERE id = 0", "UPDATE notes SET size = -1 WHERE id = 101")
    applied = deploy(filling)
    (fill,) = applied["statements"]
    assert fill["rows"] == left
    assert filling.ask("SELECT count(*) FROM notes WHERE size IS NULL") == [(0,)]
    assert filling.ask("SELECT size FROM notes WHERE id = 101") == [(-1,)], "done once, it is a user's"


def test_who_goes_on_and_gets_no_further_leaves_it_half_done_and_says_so(filling: StepRuns) -> None:
    blocks = "INSERT INTO notes (id, body) VALUES (0, 'of a user')"
    first = filling.another()
    first.up_to("rehearse")
    filling.execute(blocks)
    failed = first.step("apply")
    assert failed["half_done"]["migration"] == "002"
    assert "batches of the one at line 3" in failed["half_done"]["words"]
    first.conclude("failed")
    filling.execute("DELETE FROM notes WHERE id = 0")
    second = filling.another()
    second.up_to("rehearse")
    # Before all that is left to be filled.
    filling.execute("UPDATE notes SET size = 0 WHERE size IS NULL", blocks)
    again = second.step("apply")
    assert (again["outcome"], again["reason_code"]) == ("failed", "statement_failed"), again
    assert again["half_done"] == failed["half_done"]
    assert "batches of the one at line 3 are committed" in again["msg"]
    unfinished = filling.another("status", "").step("status")["outputs"]
    assert unfinished["unfinished_run"]["committed"]["half_done"] == failed["half_done"]["words"]
    assert unfinished["half_done"]["resumed_by"] == second.run_id
    second.conclude("failed")
    filling.execute("DELETE FROM notes WHERE id = 0")
    filling.write(
        migrations__002_author=FILL.format("ALTER TABLE notes ADD COLUMN size int;\n").replace("10", "20")
    )
    edited = filling.another()
    assert edited.step("preflight")["reason_code"] == "script_edited_when_half_done"
    edited.must("preflight", accept_edited_scripts=True)
    edited.steps("maintenance_window", "backup", "verify_restore")
    assert edited.step("rehearse")["reason_code"] == "script_edited_when_half_done", "not even then"


def test_one_that_never_ends_is_refused_by_its_rehearsal(filling: StepRuns) -> None:
    filling.write(
        migrations__002_author="-- Batches: 300 rows\nUPDATE notes SET body = body || '!' WHERE id > 0;",
        rollback__002_author_rollback="UPDATE notes SET body = left(body, -1);",
    )
    run = filling.another()
    run.up_to("verify_restore")
    refused = run.step("rehearse")
    assert refused["reason_code"] == "batches_never_end", refused
    assert filling.ask("SELECT count(*) FROM notes WHERE body LIKE '%!'") == [(0,)]


def test_a_rollback_in_batches_is_refused(filling: StepRuns) -> None:
    filling.write(rollback__002_author_rollback="-- Batches: 300 rows\nDELETE FROM notes WHERE size > 0;")
    refused = filling.another().step("preflight")
    assert refused["reason_code"] == "batches_not_possible"
    assert "002_author_rollback.sql" in refused["msg"]
