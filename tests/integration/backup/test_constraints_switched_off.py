# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Foreign keys that production does not check (DISABLE TRIGGER ALL): the copy does not either, or it is said."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase

from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns, target

CHECKED = """
    SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE tgisinternal AND tgenabled <> 'D' AND c.relnamespace = 'public'::regnamespace"""


@pytest.fixture
def unchecked(runs: StepRuns) -> StepRuns:
    runs.execute(
        "CREATE TABLE remark (note int REFERENCES notes)",
        "CREATE TABLE log (id int, note int REFERENCES notes) PARTITION BY LIST (id)",
        "CREATE TABLE log_1 PARTITION OF log DEFAULT",
        *(f"ALTER TABLE {name} DISABLE TRIGGER ALL" for name in ("notes", "remark", "log")),
    )
    return runs


def copy_of(runs: StepRuns) -> StepRuns:
    name = CopyDatabase(target(runs.server, runs.database), runs.run_id).name
    return StepRuns(runs.server, name, runs.folder)


def test_the_copy_checks_as_little_and_the_migration_does_the_same_on_both(unchecked: StepRuns) -> None:
    unchecked.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text; INSERT INTO remark VALUES (4711);",
        rollback__002_author_rollback="DELETE FROM remark; ALTER TABLE notes DROP COLUMN author;",
    )
    proof = unchecked.up_to("verify_restore")["outputs"]
    assert "triggers_not_alike" not in proof
    assert copy_of(unchecked).ask(CHECKED) == unchecked.ask(CHECKED) == [(0,)]
    unchecked.steps("rehearse", "apply", "verify", "smoke_test")
    unchecked.conclude()


def test_a_restored_database_checks_as_little(unchecked: StepRuns, admin: StepRuns) -> None:
    unchecked.up_to("verify_restore")
    unchecked.conclude("failed")
    try:
        Restore(unchecked).steps("preflight", "restore", "count_rows", "maintenance_window", "swap")
        assert unchecked.ask(CHECKED) == [(0,)]
    finally:
        drop_what_restores_left(admin, unchecked.database)


@pytest.fixture
def by_no_superuser(unchecked: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    unchecked.user = "switches_nothing"
    admin.execute(f"CREATE ROLE {unchecked.user} LOGIN CREATEDB")
    admin.execute(f"ALTER DATABASE {unchecked.database} OWNER TO {unchecked.user}")
    tables = ("notes", "remark", "log", "log_1", "schema_migrations")
    unchecked.execute(*(f"ALTER TABLE {name} OWNER TO {unchecked.user}" for name in tables))
    yield unchecked
    unchecked.conclude("failed")
    with contextlib.suppress(Exception):
        admin.execute(f"DROP DATABASE {copy_of(unchecked).database} WITH (FORCE)")
    unchecked.execute(f"REASSIGN OWNED BY {unchecked.user} TO {unchecked.server.user}")
    unchecked.execute(f"DROP OWNED BY {unchecked.user}", f"DROP ROLE {unchecked.user}")


def test_who_cannot_switch_them_off_is_told(by_no_superuser: StepRuns) -> None:
    answer = by_no_superuser.up_to("verify_restore")
    lines = answer["outputs"]["triggers_not_alike"]
    (of_remark,) = [line for line in lines if "public.remark.remark_note_fkey on public.remark" in line]
    assert of_remark.endswith("were disabled, are enabled")
    assert "Only a superuser can switch triggers of constraints" in json.dumps(answer["warnings"])


def test_rows_that_break_a_key_are_named_with_it(unchecked: StepRuns) -> None:
    """Nobody can restore such a database by a dump, which makes the key anew and has it checked."""
    unchecked.execute("INSERT INTO remark VALUES (4711)")
    unchecked.steps("preflight", "maintenance_window", "backup")
    refused = unchecked.step("verify_restore")
    assert refused["reason_code"] == "client_program_failed"
    assert 'violates foreign key constraint "remark_note_fkey"' in refused["msg"]
