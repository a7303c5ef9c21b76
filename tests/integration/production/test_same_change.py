# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change that no dump carries over, and so no comparison of the two schemas sees, must be the same on both sides."""

from __future__ import annotations

import pytest

from tests.integration.step_runs import StepRuns

# Triggers of a foreign key: a dump of the schema does not say that they are disabled.
DISABLED = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'remark'::regclass AND tgenabled = 'D'"


def where(condition: str, statement: str) -> str:
    """A migration that takes the same locks on both sides, and does ``statement`` on one of them."""
    return (
        "ALTER TABLE remark ADD COLUMN author text;\n"
        f"DO $$ BEGIN IF current_database() {condition} 'runbook%' THEN {statement}; END IF; END $$;"
    )


@pytest.fixture
def referring(runs: StepRuns) -> StepRuns:
    runs.execute("CREATE TABLE remark (note int REFERENCES notes)")
    runs.write(rollback__002_author_rollback="ALTER TABLE remark DROP COLUMN author;")
    return runs


def test_what_is_disabled_in_production_only_is_rolled_back(referring: StepRuns) -> None:
    runs = referring
    runs.write(migrations__002_author=where("NOT LIKE", "ALTER TABLE remark DISABLE TRIGGER ALL"))
    runs.up_to("rehearse")
    answer = runs.step("apply")
    assert (answer.get("failed"), answer.get("outcome")) == (True, "unchanged"), answer
    assert "Migration 002 made another schema in production than on the copy" in answer["msg"]
    assert "constraint public.remark.remark_note_fkey: disabled triggers" in answer["msg"]
    assert runs.ask(DISABLED) == [(0,)]
    assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]


def test_a_rollback_that_enables_what_was_disabled_before_is_refused(referring: StepRuns) -> None:
    """The copy has them disabled as production has."""
    runs = referring
    runs.execute("ALTER TABLE remark DISABLE TRIGGER ALL")
    runs.write(
        migrations__002_author=where("LIKE", "ALTER TABLE remark DISABLE TRIGGER ALL"),
        rollback__002_author_rollback="ALTER TABLE remark DROP COLUMN author; ALTER TABLE remark ENABLE TRIGGER ALL;",
    )
    runs.up_to("verify_restore")
    refused = runs.step("rehearse")
    assert refused["reason_code"] == "rehearsal_rollback_schema_differs", refused
    assert "constraint public.remark.remark_note_fkey: disabled triggers" in refused["msg"]


def test_what_was_disabled_before_is_no_difference(referring: StepRuns) -> None:
    referring.execute("ALTER TABLE remark DISABLE TRIGGER ALL")
    referring.write(migrations__002_author="ALTER TABLE remark ADD COLUMN author text;")
    referring.up_to("verify")
    assert referring.ask(DISABLED) == [(2,)]
