# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings that a database or a role gives to each session: they change nothing of what the runbook sees, or refuse."""

from __future__ import annotations

import pytest

from tests.integration.production.applied import AUTHOR, VERSIONS
from tests.integration.production.there_and_back import back, there
from tests.integration.step_runs import StepRuns


def deployed_and_back(runs: StepRuns, *versions: str) -> None:
    for version in versions:
        there(runs, version)
    assert runs.another("status").must("status")["outputs"]["drift"] == []
    for version in reversed(versions):
        back(runs, version)


@pytest.fixture
def quoting(runs: StepRuns, admin: StepRuns) -> StepRuns:
    admin.execute(f"ALTER DATABASE {runs.database} SET quote_all_identifiers = on")
    return runs


def test_names_that_are_always_quoted(quoting: StepRuns) -> None:
    deployed_and_back(quoting, "002")
    assert (quoting.ask(AUTHOR), quoting.ask(VERSIONS)) == ([], [("001",)])


def test_names_that_are_always_quoted_where_the_runbook_made_the_table_of_versions(quoting: StepRuns) -> None:
    quoting.execute("DROP TABLE schema_migrations", "DROP TABLE notes")
    quoting.write(
        migrations__002_author="RESET ALL; ALTER TABLE notes ADD COLUMN author text;",
        rollback__002_author_rollback="RESET ALL; ALTER TABLE notes DROP COLUMN author;",
    )
    deployed_and_back(quoting, "001", "002")


READ_ONLY = "default_transaction_read_only = on"


@pytest.mark.parametrize("playbook", ["deploy", "emergency_rollback", "rehearse"])
@pytest.mark.parametrize("owner", ["DATABASE", "ROLE", "ROLE IN DATABASE"])
def test_a_database_that_is_read_only_on_purpose_is_not_written(
    runs: StepRuns, admin: StepRuns, owner: str, playbook: str
) -> None:
    runs.execute(
        "INSERT INTO schema_migrations VALUES ('002')" if playbook == "emergency_rollback" else "SELECT 1"
    )
    admin.execute("DROP ROLE IF EXISTS reading", "CREATE ROLE reading SUPERUSER LOGIN")
    whose = {
        "DATABASE": f"DATABASE {runs.database}",
        "ROLE": "ROLE reading",
        "ROLE IN DATABASE": f"ROLE reading IN DATABASE {runs.database}",
    }[owner]
    admin.execute(f"ALTER {whose} SET {READ_ONLY}")
    run = runs.another(playbook)
    run.user = "reading"
    try:
        answer = run.step("preflight")
        assert (answer["outcome"], answer["reason_code"]) == ("refused", "database_read_only")
        command = f"ALTER {whose} RESET default_transaction_read_only"
        assert (
            answer["msg"]
            .replace('"', "")
            .endswith(f"a superuser types: {command}; then type the same command again.")
        )
        admin.execute(command)
        assert not run.step("preflight").get("failed")
        run.conclude("failed")
    finally:
        admin.execute("DROP OWNED BY reading", f"ALTER DATABASE {runs.database} RESET ALL")
        runs.execute(
            f"REASSIGN OWNED BY reading TO {runs.server.user}", "DROP OWNED BY reading", "DROP ROLE reading"
        )


def test_a_restore_is_refused_too(proven: StepRuns, admin: StepRuns) -> None:
    admin.execute(f"ALTER DATABASE {proven.database} SET {READ_ONLY}")
    answer = proven.another("restore").step("preflight", source_run_id=proven.run_id)
    admin.execute(f"ALTER DATABASE {proven.database} RESET ALL")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "database_read_only")


def test_what_writes_without_a_preflight_says_it_too(runs: StepRuns, admin: StepRuns) -> None:
    runs.steps("preflight")
    admin.execute(f"ALTER DATABASE {runs.database} SET {READ_ONLY}")
    answer = runs.step("maintenance_window")
    admin.execute(f"ALTER DATABASE {runs.database} RESET ALL")
    assert answer["reason_code"] == "database_read_only"
    assert "default_transaction_read_only" in answer["msg"]


def test_a_search_path_without_a_schema_is_warned_of(runs: StepRuns, admin: StepRuns) -> None:
    """Not refused: the first migration may make the schema."""
    admin.execute(f"ALTER DATABASE {runs.database} SET search_path = nowhere")
    answer = runs.another().step("preflight")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["applied_before"] == ["001"], "as public.schema_migrations has it"
    (warning,) = map(str, answer["warnings"])
    assert "No schema of the search_path (nowhere) exists in database" in warning
    assert f"ALTER DATABASE {runs.database} SET search_path" in warning.replace('"', "").replace("\\", "")
