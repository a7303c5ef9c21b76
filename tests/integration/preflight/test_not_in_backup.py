# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A table that belongs to an extension is in no dump: its rows are named before a backup is called whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.not_in_backup import NOT_IN_BACKUP_SPEC

from tests.integration.restore_runs import Restore, drop_what_restores_left, replaced
from tests.integration.step_runs import StepRuns, target

LOST = {"table": "public.own", "extension": "hstore", "rows": 2, "rows_in_copy": None}


def add_member(runs: StepRuns) -> None:
    runs.execute(
        "CREATE EXTENSION hstore",
        "CREATE TABLE own (id serial PRIMARY KEY, word text)",
        "CREATE INDEX ON own (word)",
        "ALTER EXTENSION hstore ADD TABLE own",
    )


@pytest.fixture
def member(runs: StepRuns) -> StepRuns:
    """A table of the application, with two rows, that somebody has given to an extension."""
    add_member(runs)
    runs.execute("INSERT INTO own (word) VALUES ('one'), ('two')")
    return runs


def test_nobody_accepts_it_unasked() -> None:
    assert NOT_IN_BACKUP_SPEC["accept_rows_not_in_backup"]["default"] is False


@pytest.mark.parametrize("playbook", ["deploy", "rehearse"])
def test_preflight_names_it_and_says_what_to_type(member: StepRuns, playbook: str) -> None:
    member.playbook = playbook
    refused = member.step("preflight")
    assert refused["reason_code"] == "rows_not_in_backup"
    assert "public.own (of extension hstore)" in refused["msg"]
    assert "ALTER EXTENSION hstore DROP TABLE public.own" in refused["msg"]
    assert "-e accept_rows_not_in_backup=true" in refused["msg"]
    assert member.ask("SELECT to_regclass('runbook.runs')") == [(None,)], "nothing was opened"
    # What the refusal says to type is enough.
    member.execute("ALTER EXTENSION hstore DROP TABLE public.own")
    steps = ["preflight", "maintenance_window", "backup", "verify_restore"]
    assert "not_in_backup" not in member.steps(*steps[:1], *steps[1 + (playbook == "rehearse") :])["outputs"]


def test_accepted_it_is_named_by_the_proof_with_its_rows(member: StepRuns) -> None:
    accepted = {"accept_rows_not_in_backup": True}
    assert member.must("preflight", **accepted)["outputs"]["not_in_backup"] == ["public.own"]
    member.steps("maintenance_window", "backup")
    proof = member.must("verify_restore", **accepted)["outputs"]
    assert proof["not_in_backup"] == [LOST]
    member.steps("rehearse", "apply", "verify", "smoke_test")
    member.conclude()


def test_rows_that_come_after_preflight_are_found_by_the_proof(runs: StepRuns) -> None:
    add_member(runs)
    runs.steps("preflight", "maintenance_window")
    runs.execute("INSERT INTO own (word) VALUES ('one'), ('two')")
    runs.steps("backup")
    refused = runs.step("verify_restore")
    assert refused["reason_code"] == "rows_not_in_backup"
    assert "public.own (of extension hstore): 2 rows in production, and no such table" in refused["msg"]
    assert refused["details"]["not_in_backup"] == [LOST]
    name = CopyDatabase(target(runs.server, runs.database), runs.run_id).name
    assert runs.ask(f"SELECT FROM pg_database WHERE datname = '{name}'") == [], "the copy is gone"


def test_a_configuration_table_is_no_case(member: StepRuns) -> None:
    """pg_dump has its rows (manual, Extension Configuration Tables)."""
    member.execute(
        "DROP TABLE IF EXISTS saved",
        "UPDATE pg_extension SET extconfig = ARRAY['own'::regclass::oid], extcondition = '{WHERE true}'"
        " WHERE extname = 'hstore'",
    )
    assert "not_in_backup" not in member.must("preflight")["outputs"]


def test_a_rollback_goes_on_and_says_it(member: StepRuns) -> None:
    accepted = {"accept_rows_not_in_backup": True}
    member.must("preflight", **accepted)
    member.steps("maintenance_window", "backup")
    member.must("verify_restore", **accepted)
    member.steps("rehearse", "apply", "verify", "smoke_test")
    member.conclude()
    back = member.another("emergency_rollback")
    answer = back.must("preflight")
    assert "public.own (of extension hstore)" in json.dumps(answer["warnings"])
    assert answer["outputs"]["not_in_backup"] == ["public.own"]


@pytest.fixture
def proven_without(member: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    accepted = {"accept_rows_not_in_backup": True}
    member.must("preflight", **accepted)
    member.steps("maintenance_window", "backup")
    member.must("verify_restore", **accepted)
    member.conclude("failed")
    yield member
    drop_what_restores_left(admin, member.database)


def test_a_restore_asks_too_and_names_the_rows(proven_without: StepRuns, admin: StepRuns) -> None:
    restore = Restore(proven_without)
    refused = restore.step("preflight")
    assert refused["reason_code"] == "rows_not_in_backup"
    assert "only in the database that it replaces" in refused["msg"]
    found = restore.step("preflight", accept_rows_not_in_backup=True)
    assert found["outputs"]["not_in_backup"] == ["public.own"]
    proof = restore.steps("restore")["outputs"]["proof"]
    assert proof["not_in_backup"] == [LOST]
    restore.steps("count_rows", "maintenance_window", "swap")
    (before,) = replaced(admin, proven_without.database)
    kept = StepRuns(proven_without.server, before, proven_without.folder)
    assert kept.ask("SELECT count(*) FROM own") == [(2,)]
