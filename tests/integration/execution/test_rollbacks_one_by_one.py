# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollbacks outside one transaction: what may be in one and stands together is in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Work
from ansible_collections.pgops.runbook.plugins.module_utils.execution.recipe_one_by_one import (
    roll_back_one_by_one,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.keeper import (
    LossesSeen,
    NotForeseen,
)

from tests.integration.execution.one_by_one_runs import Here, query, run, script_of
from tests.integration.step_runs import StepRuns

GROUPED = (
    "DROP INDEX CONCURRENTLY IF EXISTS item_name;\nUPDATE item SET name = 'a' WHERE id = 1;\n"
    "DELETE FROM item WHERE id = 2;\nVACUUM item;\nCREATE INDEX item_again ON item (name);"
)


def grouped(tmp_path: Path, rollback: Any = GROUPED) -> Any:
    return script_of(tmp_path, "SELECT 1;", "-- Transaction: none\n" + rollback)


class Noting(Here):
    """Notes between which statements rows are said to change, in which transaction."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.changes = []

    def before_rows_change(self, cursor: Any, work: Any) -> None:
        cursor.execute("SELECT txid_current()")
        self.changes.append(cursor.fetchone()[0])

    def after_rows_changed(self, cursor: Any, work: Any) -> None:
        self.before_rows_change(cursor, work)
        cursor.execute("SELECT count(*), max(name) FILTER (WHERE id = 1) FROM item")
        self.changes.append(cursor.fetchone())


def test_statements_of_a_rollback_that_stand_together_are_one_transaction(table: Any, tmp_path: Path) -> None:
    hooks = Noting(table)
    timings = run(table, grouped(tmp_path), direction="rollback", hooks=hooks)
    assert [timing["line"] for timing in timings] == [2, 3, 4, 5, 6]
    before, after, seen = hooks.changes
    assert before == after, "one transaction, and one keeping of rows"
    assert seen == (999, "a")
    written = query(table, "SELECT ordinal, xmin::text FROM runbook.journal_statement ORDER BY 1")
    assert len({xmin for ordinal, xmin in written if ordinal in (2, 3)}) == 1
    assert len({xmin for _, xmin in written}) == 4
    assert query(table, "SELECT count(*) FROM runbook.journal_statement WHERE done IS NULL") == [(0,)]


def test_an_apply_script_commits_statement_by_statement(table: Any, tmp_path: Path) -> None:
    hooks = Noting(table)
    migration = script_of(
        tmp_path, "-- Transaction: none\nUPDATE item SET name = 'a';\nUPDATE item SET name = 'b';"
    )
    run(table, migration, hooks=hooks)
    assert len(set(query(table, "SELECT xmin::text FROM runbook.journal_statement"))) == 2
    assert hooks.changes == []


def test_a_part_that_fails_is_undone_and_gone_on_with(table: Any, tmp_path: Path) -> None:
    migration = grouped(
        tmp_path,
        "DROP INDEX CONCURRENTLY IF EXISTS item_name;\nUPDATE item SET name = 'a' WHERE id = 1;\n"
        "SELECT setval('number', 7);\nSELECT 1 / count(*) FROM missing;",
    )
    query(table, "CREATE SEQUENCE number; SELECT setval('number', 50)")
    with pytest.raises(StepFailed, match=r"line 5: relation .missing. .*1 of 4 statements are committed"):
        run(table, migration, direction="rollback")
    assert query(table, "SELECT name FROM item WHERE id = 1") == [("name 1",)]
    assert query(table, "SELECT nextval('number')") == [(51,)]
    assert query(table, "SELECT ordinal FROM runbook.journal_statement") == [(1,)]
    query(table, "CREATE TABLE missing AS SELECT 1; SELECT 1")
    assert [one["line"] for one in run(table, migration, direction="rollback")] == [3, 4, 5]


def test_what_was_not_foreseen_is_undone_and_tried_again(table: Any, tmp_path: Path) -> None:
    class Learning(Noting):
        losses_seen = None

        def after_rows_changed(self, cursor: Any, work: Any) -> None:
            if self.losses_seen is None:
                raise NotForeseen("001", LossesSeen({7: "losses"}))

        def not_foreseen(self, found: Any) -> None:
            self.losses_seen = found.losses_seen.losses

    hooks = Learning(table)
    run(table, grouped(tmp_path), direction="rollback", hooks=hooks)
    assert hooks.losses_seen == {7: "losses"}
    assert len(set(hooks.changes)) == 2, "two attempts"
    assert query(table, "SELECT count(*) FROM item") == [(999,)]


def test_a_part_that_seemed_to_change_no_rows_and_does_is_undone(table: Any, tmp_path: Path) -> None:
    """What rows are kept by is one part; whatever else destroys something is not let through."""
    query(
        table,
        "CREATE FUNCTION drop_rows() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN DELETE FROM item WHERE id < 11; END $$;"
        "CREATE EVENT TRIGGER drops ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION drop_rows();"
        "SELECT 1",
    )
    with pytest.raises(
        StepFailed,
        match=r"line 6: .* destroyed rows or columns of public\.item.*4 of 5 statements are committed",
    ):
        run(table, grouped(tmp_path), direction="rollback", hooks=Noting(table))
    assert query(table, "SELECT count(*) FROM item") == [(999,)]


def test_a_rollback_that_changes_rows_in_two_places_is_refused_by_preflight_and_by_the_rehearsal(
    runs: StepRuns,
) -> None:
    runs.write(
        rollback__002_author_rollback="-- Transaction: none\nUPDATE notes SET body = NULL;\nVACUUM notes;\n"
        "ALTER TABLE notes DROP COLUMN author;"
    )
    answer = runs.step("preflight")
    assert answer["outcome"] == "refused"
    for text in (
        "rollback/002_author_rollback.sql",
        "2 places (lines 2, 4)",
        "put the statements",
        "together",
    ):
        assert text in answer["msg"]
    work = Work(
        script_of(runs.folder, "SELECT 1;", "UPDATE notes SET body = NULL; VACUUM; DELETE FROM notes;"), ""
    )
    with pytest.raises(Refused, match=r"2 places \(lines 1, 1\)"):
        roll_back_one_by_one(work.migration, Here(None))


def test_indexes_settings_and_statistics_may_stand_anywhere(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text; CREATE INDEX notes_author ON notes (author);"
        " CREATE INDEX notes_body ON notes (body);",
        rollback__002_author_rollback="SET work_mem = '8MB';\nDROP INDEX CONCURRENTLY notes_author;\n"
        "DROP INDEX notes_body;\nANALYZE notes;\nVACUUM notes;\nALTER TABLE notes DROP COLUMN author;\nVACUUM notes;",
    )
    runs.up_to("verify")
    run_back = runs.another("emergency_rollback")
    runs.steps("smoke_test")
    runs.conclude("deployed")
    runs.execute("UPDATE notes SET author = 'ada' WHERE id = 1")
    run_back.up_to_rollback()
    (taken_back,) = run_back.must("emergency_rollback")["outputs"]["migrations"]
    assert taken_back["schema_restored"] is True
    assert [(one["kind"], one["rows"]) for one in taken_back["salvage"]] == [("dropped columns", 1)]
