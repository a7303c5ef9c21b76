# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is deferred to COMMIT happens before the runbook looks, on the copy as in production."""

from __future__ import annotations

import pytest

from tests.integration.step_runs import StepRuns

DEFERRED = "DEFERRABLE INITIALLY DEFERRED"
FAILS = "a constraint or trigger that is deferred to COMMIT fails"
UPDATE = "UPDATE notes SET body = upper(body);"
UPDATE_BACK = "UPDATE notes SET body = lower(body);"
STAMPS = "SELECT array_agg(id ORDER BY id) FROM stamp"

# How each statement of a script may be committed.
FORMS = {"one transaction": "", "one by one": "-- Transaction: none\n"}


def deferred_trigger(runs: StepRuns, event: str, body: str) -> None:
    """A constraint trigger of the application that does ``body`` at COMMIT."""
    runs.execute(
        "CREATE TABLE stamp (id int PRIMARY KEY)",
        "INSERT INTO stamp VALUES (1), (2), (3)",
        f"CREATE FUNCTION note_changed() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body}"
        " RETURN NULL; END $body$",
        f"CREATE CONSTRAINT TRIGGER note_changed AFTER {event} ON notes {DEFERRED}"
        " FOR EACH ROW EXECUTE FUNCTION note_changed()",
    )


def deploy(runs: StepRuns, version: str = "002") -> StepRuns:
    return runs.another(wanted=version).deploy()


def roll_back(runs: StepRuns, **options: object) -> dict:
    run = runs.another("emergency_rollback")
    run.must("preflight", **options)
    if options.get("cascade"):
        # The steps are told of all scripts from here on, as preflight has selected several.
        run.migration = "pending"
    run.must("backup", purpose="emergency", pg_bindir=run.server.bindir)
    answer = run.step("emergency_rollback")
    run.conclude("failed" if answer.get("failed") else "rolled_back")
    return answer


def parents_and_children(runs: StepRuns) -> None:
    runs.execute(
        "CREATE TABLE parent (id int PRIMARY KEY)",
        f"CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent {DEFERRED})",
        "INSERT INTO parent VALUES (0)",
    )


# What a deferred trigger does -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_what_a_deferred_trigger_deletes_in_production_only_is_seen(runs: StepRuns, form: str) -> None:
    deferred_trigger(
        runs,
        "UPDATE",
        "IF current_database() NOT LIKE 'runbook%' THEN DELETE FROM stamp WHERE id = old.id; END IF;",
    )
    runs.write(migrations__002_author=FORMS[form] + UPDATE, rollback__002_author_rollback=UPDATE_BACK)
    runs.up_to("rehearse")
    answer = runs.step("apply")
    assert answer.get("failed"), answer
    assert "public.stamp: 3 rows deleted in production, 0 on the copy" in answer["msg"]
    if not FORMS[form]:
        assert answer["outcome"] == "unchanged"
        assert runs.ask(STAMPS) == [([1, 2, 3],)]


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_a_deferred_trigger_deletes_in_a_rollback_are_kept(runs: StepRuns, form: str) -> None:
    deferred_trigger(runs, "DELETE", "DELETE FROM stamp WHERE id > 3;")
    runs.write(
        migrations__002_author="INSERT INTO notes VALUES (99, 'by the migration');",
        rollback__002_author_rollback=FORMS[form] + "DELETE FROM notes WHERE id = 99;",
    )
    deploy(runs)
    runs.execute("INSERT INTO stamp VALUES (4), (5)")
    answer = roll_back(runs)
    assert not answer.get("failed"), answer
    assert runs.ask(STAMPS) == [([1, 2, 3],)]
    deploy(runs)
    assert runs.ask(STAMPS) == [([1, 2, 3, 4, 5],)]


# What a deferred constraint says ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("direction", ["apply", "rollback"])
def test_a_violation_is_the_scripts_error_in_the_rehearsal(runs: StepRuns, direction: str, form: str) -> None:
    parents_and_children(runs)
    harmless, violates = "CREATE TABLE star (id int);", "INSERT INTO child VALUES (1, 7);"
    runs.write(
        migrations__002_author=FORMS[form] + harmless + (violates if direction == "apply" else ""),
        rollback__002_author_rollback=FORMS[form]
        + "DROP TABLE star;"
        + (violates if direction == "rollback" else ""),
    )
    runs.up_to("verify_restore")
    answer = runs.step("rehearse")
    script = {
        "apply": "migrations/002_author.sql",
        "rollback": "rollback/002_author_rollback.sql",
    }[direction]
    assert (answer.get("failed"), answer.get("outcome")) == (True, "refused"), answer
    assert answer["reason_code"] == "deferred_constraint_violated"
    assert f"{script}: {FAILS}: insert or update on table" in answer["msg"]
    assert 'constraint "child_parent_fkey"' in answer["msg"]
    assert "Key (parent)=(7) is not present" in answer["msg"]


def test_a_violation_that_only_production_has_leaves_it_as_it_was(runs: StepRuns) -> None:
    deferred_trigger(
        runs,
        "UPDATE",
        "IF current_database() NOT LIKE 'runbook%' THEN RAISE EXCEPTION 'note % may not change', old.id; END IF;",
    )
    runs.write(migrations__002_author=UPDATE, rollback__002_author_rollback=UPDATE_BACK)
    runs.up_to("rehearse")
    answer = runs.step("apply")
    assert (answer.get("failed"), answer.get("outcome")) == (True, "unchanged"), answer
    assert f"migrations/002_author.sql: {FAILS}: note 1 may not change" in answer["msg"]
    assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]


def test_a_violation_that_only_productions_rollback_has_leaves_the_migration_applied(runs: StepRuns) -> None:
    parents_and_children(runs)
    runs.write(
        migrations__002_author="INSERT INTO parent VALUES (1);",
        rollback__002_author_rollback="DELETE FROM parent WHERE id = 1;",
    )
    deploy(runs)
    runs.execute("INSERT INTO child VALUES (1, 1)")
    answer = roll_back(runs)
    assert (answer.get("failed"), answer.get("outcome")) == (True, "unchanged"), answer
    assert (
        f"so that it is still applied: rollback/002_author_rollback.sql: {FAILS}: update or delete on"
        in answer["msg"]
    )
    assert runs.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]


# What goes on as it was -------------------------------------------------------------------------------------------


def test_each_script_of_a_cascade_begins_with_constraints_as_they_are_declared(runs: StepRuns) -> None:
    """Each was rehearsed in a transaction of its own, where the child may come before its parent."""
    parents_and_children(runs)
    for version, number in (("002_author", "1"), ("003_more", "2")):
        delete, insert = (
            text.replace("?", number)
            for text in (
                "DELETE FROM child WHERE id = ?; DELETE FROM parent WHERE id = ?;",
                "INSERT INTO child VALUES (?, ?); INSERT INTO parent VALUES (?);",
            )
        )
        runs.write(**{f"migrations__{version}": delete, f"rollback__{version}_rollback": insert})
    runs.execute("INSERT INTO parent VALUES (1), (2)", "INSERT INTO child VALUES (1, 1), (2, 2)")
    deploy(runs)
    deploy(runs, "003")
    answer = roll_back(runs, cascade=True)
    assert not answer.get("failed"), answer
    assert runs.ask("SELECT array_agg(parent ORDER BY id) FROM child") == [([1, 2],)]


def test_a_check_that_writes_finds_constraints_as_they_are_declared(runs: StepRuns) -> None:
    parents_and_children(runs)
    runs.write(
        smoke__child="INSERT INTO child VALUES (1, 1); INSERT INTO parent VALUES (1);",
        verify__002_author="INSERT INTO child VALUES (2, 2); INSERT INTO parent VALUES (2);",
    )
    deploy(runs)
    assert runs.ask("SELECT count(*) FROM child") == [(0,)]
