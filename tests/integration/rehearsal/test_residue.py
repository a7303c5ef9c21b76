# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What no rollback can take back: allowed where it is declared or accepted, and then in production too."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.step_runs import StepRuns

MIGRATIONS = {
    "column order": (
        "ALTER TABLE notes DROP COLUMN body;",
        "ALTER TABLE notes ADD COLUMN body text;",
        "column order notes",
    ),
    "enum label": (
        # As most write it, without IF NOT EXISTS: the second time the label is there.
        "ALTER TYPE mood ADD VALUE 'trial' BEFORE 'glad';",
        "-- PostgreSQL cannot drop a label\nUPDATE notes SET mood = 'sad' WHERE mood::text = 'trial';",
        "enum label mood.trial",
    ),
}


@pytest.fixture(params=list(MIGRATIONS))
def left(request: pytest.FixtureRequest, runs: StepRuns) -> tuple[StepRuns, str, str]:
    """Runs of a migration whose rollback leaves something, that rollback's text, and how it is declared."""
    apply, rollback, line = MIGRATIONS[request.param]
    runs.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "ALTER TABLE notes ADD COLUMN mood mood",
        "UPDATE notes SET mood = 'glad'",
        "ALTER TABLE notes ALTER COLUMN body SET STORAGE main",
    )
    if request.param == "column order":
        rollback += " ALTER TABLE notes ALTER COLUMN body SET STORAGE main;"
    runs.write(
        migrations__002_author=f"-- Data Loss: PARTIAL\n{apply}", rollback__002_author_rollback=rollback
    )
    return runs, rollback, line


def up_to_rehearsal(runs: StepRuns, **options: Any) -> dict[str, Any]:
    runs.up_to("verify_restore")
    return runs.step("rehearse", accept_data_loss=True, **options)


def test_undeclared_it_is_refused_with_the_line_to_add(left: tuple[StepRuns, str, str]) -> None:
    runs, _, line = left
    answer = up_to_rehearsal(runs)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "rehearsal_rollback_leaves_residue"), (
        answer["msg"]
    )
    assert f"-- Leaves: {line}" in answer["msg"]
    assert "-e accept_residue=002" in answer["msg"]


@pytest.mark.parametrize("way", ["declared", "accepted"])
def test_it_goes_all_the_way_and_is_deployed_again(left: tuple[StepRuns, str, str], way: str) -> None:
    runs, rollback, line = left
    options: dict[str, Any] = {"accept_residue": True}
    if way == "declared":
        runs.write(rollback__002_author_rollback=f"-- Leaves: {line}\n{rollback}")
        options = {}
    for _ in range(2):
        answer = up_to_rehearsal(runs, **options)
        assert not answer.get("failed"), answer
        runs.must("apply")
        runs.conclude()
        back = runs.another("emergency_rollback").up_to_rollback()
        outputs = back.must("emergency_rollback")["receipts"][-1]["outputs"]
        assert outputs["schema_restored"] is True
        back.must("smoke_test")
        back.conclude("rolled_back")
        runs = runs.another()
    status = runs.another("status").must("status")["outputs"]
    assert status["drift"] == []
    assert status["residue"] == {"002": [f"{line.rpartition(' ')[0]} public.{line.rpartition(' ')[2]}"]}
    assert runs.ask("SELECT count(*) FROM notes WHERE mood = 'glad'") == [(3,)]


def test_a_label_that_is_there_for_another_reason_is_in_the_way(runs: StepRuns) -> None:
    runs.execute("CREATE TYPE mood AS ENUM ('sad', 'trial')")
    runs.write(
        migrations__002_author="ALTER TYPE mood ADD VALUE 'trial';",
        rollback__002_author_rollback="-- Leaves: enum label mood.trial\nSELECT 1;",
    )
    answer = up_to_rehearsal(runs)
    assert answer["reason_code"] == "statement_failed"
    assert 'enum label "trial" already exists' in answer["msg"]


def test_what_is_declared_is_all_that_may_be_left(left: tuple[StepRuns, str, str]) -> None:
    runs, rollback, line = left
    runs.write(
        rollback__002_author_rollback=f"-- Leaves: {line}\n{rollback} CREATE TABLE forgotten (id int);"
    )
    answer = up_to_rehearsal(runs)
    assert answer["reason_code"] == "rehearsal_rollback_schema_differs"
    assert "table public.forgotten" in answer["msg"]


CAREFUL = (
    "CREATE TABLE notes_before AS TABLE notes; ALTER TABLE notes DROP COLUMN body;",
    "ALTER TABLE notes ADD COLUMN body text; UPDATE notes SET body = k.body FROM notes_before k WHERE k.id = notes.id;"
    " DROP TABLE notes_before;",
)


def test_a_column_whose_values_are_kept_in_a_copy_of_its_table(runs: StepRuns) -> None:
    """The copy has the order that its table has, the second time another one than the first."""
    apply, rollback = CAREFUL
    runs.execute("ALTER TABLE notes ADD COLUMN tone text")
    runs.write(
        migrations__002_author=f"-- Data Loss: PARTIAL\n{apply}",
        rollback__002_author_rollback=f"-- Leaves: column order notes\n{rollback}",
    )
    rows = runs.ask("SELECT id, body, tone FROM notes ORDER BY id")
    for _ in range(2):
        answer = up_to_rehearsal(runs)
        assert not answer.get("failed"), answer
        runs.must("apply")
        runs.conclude()
        runs.another("emergency_rollback").roll_back()
        assert runs.ask("SELECT id, body, tone FROM notes ORDER BY id") == rows
        runs = runs.another()


def test_another_order_of_a_table_that_was_there_is_seen(runs: StepRuns) -> None:
    apply, rollback = CAREFUL
    runs.execute("ALTER TABLE notes ADD COLUMN tone text", "CREATE TABLE beside (a int, b int)")
    runs.write(
        migrations__002_author=f"-- Data Loss: PARTIAL\n{apply}",
        rollback__002_author_rollback=f"-- Leaves: column order notes\n{rollback}"
        " ALTER TABLE beside DROP a; ALTER TABLE beside ADD a int;",
    )
    refused = up_to_rehearsal(runs)
    assert refused["reason_code"] == "rehearsal_rollback_leaves_residue"
    assert "beside" in refused["msg"]
