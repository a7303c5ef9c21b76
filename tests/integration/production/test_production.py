# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What production is at the moment of the apply: another schema, another effect, another error."""

from __future__ import annotations

import pytest

from tests.integration.production.applied import applied
from tests.integration.step_runs import StepRuns


def test_a_schema_that_changed_since_the_rehearsal_is_not_touched(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.execute("CREATE INDEX made_meanwhile ON notes (body)")
    answer = runs.step("apply")
    assert answer["outcome"] == "unchanged"
    assert "no longer the one that was rehearsed, so 002 was not applied" in answer["msg"]
    assert "made_meanwhile" in answer["msg"]
    assert not applied(runs)


def test_another_result_than_on_the_copy_is_rolled_back(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author=(
            "ALTER TABLE notes ADD COLUMN author text;"
            " DO $$ BEGIN IF current_database() NOT LIKE 'runbook%' THEN"
            " CREATE INDEX only_in_production ON notes (author); END IF; END $$;"
        )
    )
    runs.up_to("rehearse")
    answer = runs.step("apply")
    assert answer["outcome"] == "unchanged"
    assert "made another schema in production than on the copy" in answer["msg"]
    assert "only_in_production" in answer["msg"]
    assert not applied(runs)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("verify__002_author", "verify/002_author.sql line 1: the check returned false"),
        ("smoke__books", "smoke/books.sql line 1: the check returned false"),
    ],
)
def test_a_check_that_fails_only_in_production_is_rolled_back(
    runs: StepRuns, script: str, reason: str
) -> None:
    runs.write(**{script: "SELECT current_database() LIKE 'runbook%';"})
    runs.up_to("rehearse")
    answer = runs.step("apply")
    assert answer["outcome"] == "unchanged"
    assert reason in answer["msg"]
    assert not applied(runs)


@pytest.mark.parametrize("increment", [1, -1])
def test_a_sequence_that_a_failed_script_set_is_where_it_was(runs: StepRuns, increment: int) -> None:
    """setval() is not undone by ROLLBACK; the next insert of the application would collide."""
    runs.execute(
        f"CREATE SEQUENCE other INCREMENT {increment}", "SELECT nextval('other') FROM generate_series(1, 9)"
    )
    runs.write(
        migrations__002_author=f"ALTER TABLE notes ADD COLUMN author text; SELECT setval('other', {increment}), "
        "setval('notes_id_seq', 1);",
        verify__002_author="SELECT current_database() LIKE 'runbook%';",
    )
    runs.up_to("backup")
    runs.steps("verify_restore", "rehearse")
    assert runs.step("apply")["outcome"] == "unchanged"
    assert not applied(runs)
    assert runs.ask("SELECT nextval('other'), nextval('notes_id_seq')") == [(10 * increment, 4)]


def test_a_statement_that_fails_only_in_production_is_rolled_back(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text;",
    )
    runs.execute(
        "CREATE FUNCTION runbook.no() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''not in production''; END'",
        "CREATE TRIGGER no BEFORE INSERT ON runbook.receipt FOR EACH ROW"
        ' WHEN (new.document LIKE \'%"status":"ok","step":"apply"%\') EXECUTE FUNCTION runbook.no()',
    )
    answer = runs.step("apply")
    assert answer["outcome"] == "unchanged"
    assert "not in production" in answer["msg"]
    assert not applied(runs)
