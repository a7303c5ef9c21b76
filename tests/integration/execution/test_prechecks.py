# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A precondition of an author is asked of production's rows before a run is opened, and can only read."""

from __future__ import annotations

import contextlib

from ansible_collections.pgops.runbook.plugins.module_utils.execution.prechecks import PRECHECK_SPEC

from tests.integration.step_runs import StepRuns

NO_RUN = "SELECT count(*) FROM pg_namespace WHERE nspname = 'runbook'"


def refused(runs: StepRuns, code: str, *words: str, **options: object) -> dict:
    """Preflight refuses and has written nothing."""
    answer = runs.step("preflight", **options)
    assert (answer.get("outcome"), answer.get("reason_code")) == ("refused", code), answer
    assert [word for word in words if word not in answer["msg"]] == [], answer["msg"]
    assert runs.ask(NO_RUN) == [(0,)]
    return answer


def test_one_that_does_not_hold_is_refused_with_its_row_before_anything_is_written(runs: StepRuns) -> None:
    runs.write(
        precheck__002_author="SELECT true;\nSELECT count(*) = 0, 'no body', count(*) FROM notes WHERE body IS NULL;"
    )
    said = ("migration 002", "precheck/002_author.sql line 2", "('no body', 1)", "production was only read")
    answer = refused(runs, "precondition_not_met", *said)
    assert answer["details"]["line"] == 2
    assert "until=" not in answer["msg"]
    runs.execute("UPDATE notes SET body = '' WHERE body IS NULL")
    assert runs.must("preflight")["outputs"]["prechecks"] == ["precheck/002_author.sql"]


WRONG = [
    ("DO $$ BEGIN RAISE EXCEPTION 'there are % notes', 3; END $$;", "there are 3 notes"),
    ("SELECT * FROM nowhere;", 'relation "nowhere" does not exist'),
    ("DELETE FROM notes;", "in a read-only transaction"),
    ("SET TRANSACTION READ WRITE; DELETE FROM notes;", "transaction read-write mode"),
    ("SELECT nextval('notes_id_seq');", "in a read-only transaction"),
    ("SELECT 1; SELECT false;", "line 1: the check returned false"),
]


def test_what_raises_or_would_write_does_not_hold(runs: StepRuns) -> None:
    for text, words in WRONG:
        runs.write(precheck__002_author=text)
        refused(runs, "precondition_not_met", words)
    assert runs.ask("SELECT count(*) FROM notes") == [(3,)]
    assert runs.ask("SELECT nextval('notes_id_seq')") == [(4,)]


def test_it_is_asked_in_the_session_that_a_script_has_and_leaves_nothing(runs: StepRuns) -> None:
    runs.execute(
        "CREATE SCHEMA app",
        f"ALTER DATABASE {runs.database} SET search_path = app, public",
        "CREATE TABLE app.t ()",
    )
    runs.write(
        precheck__002_author="BEGIN; SELECT current_setting('search_path') = 'app, public';\n"
        "SET search_path = nowhere; SELECT pg_advisory_lock(7); ROLLBACK;"
    )
    runs.must("preflight")
    assert runs.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7") == [(0,)]


def test_its_time_is_limited_and_a_script_cannot_lift_the_limit(runs: StepRuns) -> None:
    runs.write(precheck__002_author="SET statement_timeout = 0; SELECT pg_sleep(600);")
    said = ("precheck/002_author.sql", "statement timeout", "0.2 s (precheck_timeout_seconds)")
    refused(runs, "precondition_unanswered", *said, precheck_timeout_seconds=0.2)
    assert PRECHECK_SPEC["precheck_timeout_seconds"]["default"] == 60
    refused(runs, "setting_invalid", "precheck_timeout_seconds", precheck_timeout_seconds=0)


def test_a_lock_that_it_does_not_get_is_no_precondition_that_fails(runs: StepRuns) -> None:
    runs.write(precheck__002_author="SET lock_timeout = '50ms'; SELECT count(*) > 0 FROM notes;")
    with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE notes")
        refused(runs, "precondition_unanswered", "lock timeout", "2 s for a lock")


def test_in_a_chain_each_is_asked_of_what_there_is_before_it(runs: StepRuns) -> None:
    runs.write(
        migrations__003_tag="ALTER TABLE notes ADD COLUMN tag text;",
        rollback__003_tag_rollback="ALTER TABLE notes DROP COLUMN tag;",
        precheck__002_author="SELECT true;",
        precheck__003_tag="SELECT count(author) = 0 FROM notes;",
    )
    both = runs.another(wanted="pending")
    refused(both, "precondition_not_met", "migration 003", '"author" does not exist', "-e until=002")
    runs.must("preflight")  # 002 alone: the other one is not asked


def test_who_rolls_back_or_has_begun_is_not_asked(deployed: StepRuns) -> None:
    deployed.write(precheck__002_author="SELECT false;", precheck__003_tag="SELECT false;")
    back = deployed.another("emergency_rollback")
    assert back.must("preflight")["outputs"]["prechecks"] == []
    back.conclude("failed")
    # What was deployed is still what it was: a precheck was about what came before.
    answer = deployed.another(wanted="003").step("preflight")
    assert answer["reason_code"] == "precondition_not_met"
    deployed.execute(
        "INSERT INTO runbook.journal (run_id, migration, direction, catalog_before)"
        f" VALUES ('{deployed.run_id}', '003', 'apply', '')"
    )
    assert deployed.another(wanted="003").must("preflight")["outputs"]["prechecks"] == []


def test_a_rehearsal_asks_too_and_one_that_asks_nothing_is_none(runs: StepRuns) -> None:
    runs.write(precheck__002_author="SELECT false;")
    refused(runs.another("rehearse"), "precondition_not_met")
    runs.write(precheck__002_author="-- later\n")
    assert runs.another("rehearse").must("preflight")["outputs"]["prechecks"] == []


def test_one_that_was_edited_since_stops_the_run_at_its_next_step(runs: StepRuns) -> None:
    runs.write(precheck__002_author="SELECT true;")
    runs.steps("preflight")
    runs.write(precheck__002_author="SELECT 1 = 1;")
    answer = runs.step("maintenance_window")
    assert (answer["reason_code"], answer["outcome"]) == ("sql_dir_changed", "refused")
    assert "The precheck script of migration 002 was edited" in answer["msg"]
    (runs.sql_dir / "precheck/002_author.sql").unlink()
    assert runs.step("maintenance_window")["reason_code"] == "sql_dir_changed"


def test_one_that_cannot_be_read_is_refused_with_its_place(runs: StepRuns) -> None:
    runs.write(precheck__002_author="SELECT true;\nSELEC;")
    refused(runs, "script_syntax_error", "precheck/002_author.sql, line 2")


def test_check_mode_asks_too_and_opens_nothing(runs: StepRuns) -> None:
    runs.write(precheck__002_author="SELECT false, 'not yet';")
    refused(runs, "precondition_not_met", "not yet", _ansible_check_mode=True)
