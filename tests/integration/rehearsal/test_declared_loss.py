# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A loss that the header declares and the operator accepts: deployed, and named wherever it is told of the rollback."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.data_loss import accepted_loss
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.rehearse_from_empty import (
    rehearse_from_empty,
)

from tests.integration.step_runs import StepRuns, migration

TOUCHED = (
    "ALTER TABLE notes ADD COLUMN updated timestamptz NOT NULL DEFAULT '2001-01-01'",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN NEW.updated = clock_timestamp(); RETURN NEW; END'",
    "CREATE TRIGGER touched BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch()",
)

LOGGED = (
    "CREATE TABLE log (at timestamptz DEFAULT clock_timestamp(), id int)",
    "CREATE FUNCTION note_down() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN INSERT INTO log (id) VALUES (NEW.id); RETURN NULL; END'",
    "CREATE TRIGGER logged AFTER UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION note_down()",
)

APPLY = "ALTER TABLE notes ADD COLUMN author text; UPDATE notes SET author = upper(body);"


@pytest.fixture
def touched(runs: StepRuns, admin: StepRuns) -> StepRuns:
    runs.execute(*TOUCHED)
    return runs


def rehearsed(runs: StepRuns, header: str, **options: Any) -> dict[str, Any]:
    runs.write(migrations__002_author=f"{header}\n{APPLY}")
    runs.up_to("verify_restore")
    return runs.step("rehearse", **options)


@pytest.mark.parametrize("declared", ["PARTIAL", "COMPLETE"])
def test_what_is_declared_and_accepted_is_deployed_and_named(touched: StepRuns, declared: str) -> None:
    runs = touched
    answer = rehearsed(runs, f"-- Data Loss: {declared}", accept_data_loss=True)
    assert not answer.get("failed"), answer["msg"]
    (proof,) = answer["outputs"]["migrations"]
    assert (proof["schema_restored"], proof["data_restored"], proof["reapplied_equal"]) == (True, False, True)
    (lost,) = proof["not_given_back"]
    assert (lost["table"], lost["rows_before"], lost["rows_after"]) == ("public.notes", 3, 3)
    assert (lost["changed"], lost["gone"], lost["new"], lost["columns"]) == (3, 0, 0, {"updated": 3})
    assert "3 rows changed in updated" in lost["words"]
    runs.steps("apply", "verify", "smoke_test")
    runs.conclude()
    status = runs.another("status").step("status")["outputs"]
    assert status["migrations"][1]["proof"]["not_given_back"] == ["public.notes"]

    back = runs.another("emergency_rollback").up_to_rollback()
    (taken,) = back.must("emergency_rollback")["outputs"]["migrations"]
    assert [one["words"] for one in taken["not_given_back"]] == [lost["words"]]


def test_rows_that_a_trigger_writes_down_are_counted(runs: StepRuns, admin: StepRuns) -> None:
    runs.execute(*LOGGED)
    answer = rehearsed(runs, "-- Data Loss: PARTIAL", accept_data_loss=True)
    assert not answer.get("failed"), answer["msg"]
    (proof,) = answer["outputs"]["migrations"]
    (lost,) = proof["not_given_back"]
    assert (lost["table"], lost["problem"], lost["new"]) == ("public.log", "3 rows more", 3)


@pytest.mark.parametrize(
    ("header", "options", "advice"),
    [
        (
            "",
            {},
            "If these rows need not come back, declare it in the migration's header (-- Data Loss: PARTIAL) and give"
            " -e accept_data_loss=002.",
        ),
        (
            "-- Data Loss: NONE",
            {"accept_data_loss": True},
            "accept_data_loss lets only a loss pass that is declared: if these rows need not come back, write"
            " -- Data Loss: PARTIAL in the migration's header.",
        ),
        (
            "-- Data Loss: PARTIAL",
            {},
            "If that is the loss that the header declares (Data Loss: PARTIAL), give -e accept_data_loss=002.",
        ),
    ],
)
def test_else_it_is_refused_with_what_to_do(
    touched: StepRuns, header: str, options: dict[str, Any], advice: str
) -> None:
    answer = rehearsed(touched, header, **options)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "rehearsal_rollback_data_differs")
    assert "3 rows changed in updated" in answer["msg"]
    assert answer["msg"].endswith(f"Correct the rollback script. {advice}")


def test_rows_that_a_later_rollback_left_otherwise_are_not_held_against_an_earlier_one(
    touched: StepRuns,
) -> None:
    runs = touched
    runs.migration = "pending"
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text; CREATE TABLE star (id int);",
        rollback__002_author_rollback="DROP TABLE star; ALTER TABLE notes DROP COLUMN author;",
        migrations__003_mark="-- Data Loss: PARTIAL\nALTER TABLE notes ADD COLUMN mark text;"
        " UPDATE notes SET mark = 'x';",
        rollback__003_mark_rollback="ALTER TABLE notes DROP COLUMN mark;",
    )
    runs.up_to("verify_restore")
    answer = runs.step("rehearse", accept_data_loss=True)
    assert not answer.get("failed"), answer["msg"]
    first, second = answer["outputs"]["migrations"]
    assert [one["table"] for one in second["not_given_back"]] == ["public.notes"]
    assert (first["data_restored"], first["not_given_back"], first["not_compared"]) == (
        None,
        [],
        ["public.notes"],
    )


def test_from_an_empty_database_too(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE schema_migrations (version text PRIMARY KEY)")
    connection.commit()
    first = migration(
        "001",
        ["CREATE TABLE notes (id int PRIMARY KEY, body text)", "INSERT INTO notes VALUES (1, 'a')", *TOUCHED],
        ["DROP TABLE notes", "DROP FUNCTION touch()"],
    )
    second = migration(
        "002",
        ["ALTER TABLE notes ADD COLUMN author text", "UPDATE notes SET author = body"],
        ["ALTER TABLE notes DROP COLUMN author"],
    )
    chain = [{**first, "requires": []}, {**second, "requires": ["001"], "data_loss": "PARTIAL"}]
    evidence = rehearse_from_empty(connection, chain, [], 1, accept_data_loss=True)
    assert [proof["data_restored"] for proof in evidence] == [True, False]


def test_from_an_empty_database_it_is_refused_as_well(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE schema_migrations (version text PRIMARY KEY); CREATE TABLE log (id int)")
    connection.commit()
    one = {
        **migration("001", ["INSERT INTO log VALUES (1)"], ["SELECT 1"]),
        "requires": [],
        "data_loss": "PARTIAL",
    }
    with pytest.raises(Refused, match="give -e accept_data_loss=001"):
        rehearse_from_empty(connection, [one], [], 1)


def test_without_a_production_to_ask_the_table_is_named_alone(connection: Any) -> None:
    problem = {"table": "public.log", "problem": "1 rows more", "rows_before": 0, "rows_after": 1}
    one = {**migration("001", ["SELECT 1"], ["SELECT 1"]), "data_loss": "COMPLETE"}
    (lost,) = accepted_loss(one, [problem], {"tables": {}}, (None, connection), True)
    assert lost == {**problem, "words": "public.log: 1 rows more (0 rows before, 1 after)"}
