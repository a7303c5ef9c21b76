# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What triggers of an audit note of a migration and of its rollback stays noted, where the header says so."""

from __future__ import annotations

import pytest

from tests.integration.step_runs import StepRuns

AUDIT = """
    CREATE SCHEMA audit; CREATE TABLE audit.log (id serial PRIMARY KEY, what text);
    INSERT INTO audit.log (what) VALUES ('before');
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO audit.log (what) VALUES (TG_OP || NEW.id); RETURN NULL; END $$;
    CREATE TRIGGER note AFTER UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION note()"""
BACK = "UPDATE notes SET body = left(body, -1);"


@pytest.fixture
def audited(runs: StepRuns) -> StepRuns:
    """Migration 002 writes to a table of which each change is noted."""
    runs.execute(AUDIT)
    runs.write(
        migrations__002_author="UPDATE notes SET body = body || '+';", rollback__002_author_rollback=BACK
    )
    return runs


def rehearsed(runs: StepRuns) -> dict:
    runs.up_to("verify_restore")
    return runs.step("rehearse")


def test_undeclared_it_is_a_difference(audited: StepRuns) -> None:
    refused = rehearsed(audited)
    assert refused["reason_code"] == "rehearsal_rollback_data_differs"
    assert "audit.log" in refused["msg"]


@pytest.mark.parametrize("name", ["audit.log", "log"])
def test_declared_it_may_grow(audited: StepRuns, name: str) -> None:
    audited.write(rollback__002_author_rollback=f"-- Leaves: rows of {name}\n{BACK}")
    answer = rehearsed(audited)
    assert not answer.get("failed"), answer
    (evidence,) = answer["outputs"]["migrations"]
    assert (evidence["residue"], evidence["data_restored"]) == ([f"rows of {name}"], True)
    audited.steps("apply", "verify", "smoke_test")
    audited.conclude()
    notes = audited.ask("SELECT count(*) FROM audit.log")
    audited.another("emergency_rollback").roll_back()
    assert audited.ask("SELECT count(*) FROM audit.log") > notes
    audited.another().deploy()


@pytest.mark.parametrize(
    "also",
    [
        "UPDATE audit.log SET what = what || '!' WHERE what = 'before';",
        "DELETE FROM audit.log WHERE what = 'before';",
        "DELETE FROM audit.log WHERE what = 'before'; INSERT INTO audit.log (what) VALUES ('x');",
        "TRUNCATE audit.log; INSERT INTO audit.log (what) SELECT 'x' FROM generate_series(1, 99);",
    ],
)
@pytest.mark.parametrize("script", ["migrations__002_author", "rollback__002_author_rollback"])
def test_but_not_lose_or_change_a_row(audited: StepRuns, script: str, also: str) -> None:
    """In either script."""
    scripts = {
        "migrations__002_author": "UPDATE notes SET body = body || '+';",
        "rollback__002_author_rollback": f"-- Leaves: rows of audit.log\n{BACK}",
    }
    audited.write(**{**scripts, script: f"{scripts[script]} {also}"})
    refused = rehearsed(audited)
    assert refused.get("failed"), refused
    assert "audit.log" in refused["msg"]


def test_nor_another_table(audited: StepRuns) -> None:
    audited.write(
        rollback__002_author_rollback=f"-- Leaves: rows of audit.log\n{BACK} INSERT INTO notes (body) VALUES ('left');"
    )
    refused = rehearsed(audited)
    assert refused["reason_code"] == "rehearsal_rollback_data_differs"
    assert "public.notes" in refused["msg"]


def test_a_table_whose_name_needs_quotes_may_grow_too(audited: StepRuns) -> None:
    audited.execute("""ALTER TABLE audit.log RENAME TO "Log of all";
        CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO audit."Log of all" (what) VALUES (TG_OP || NEW.id); RETURN NULL; END $$""")
    line = 'rows of audit."Log of all"'
    audited.write(rollback__002_author_rollback=f"-- Leaves: {line}\n{BACK}")
    answer = rehearsed(audited)
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["residue"] == [line]
