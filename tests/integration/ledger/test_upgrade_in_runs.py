# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs in databases whose schemas have an older layout, and in one that has a newer one."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.schema import NEWEST, RELEASES

from tests.integration.ledger.test_upgrade import BEFORE_RELEASES
from tests.integration.restore_runs import Restore
from tests.integration.step_runs import StepRuns

LAYOUT = """
    SELECT pg_catalog.concat_ws('.', n.nspname, c.relname, a.attname), pg_catalog.col_description(c.oid, a.attnum)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname IN ('runbook', 'runbook_salvage') AND c.relkind = 'r' ORDER BY c.relname, n.nspname, a.attnum"""

RECEIPTS = "SELECT count(*) FROM runbook.receipt"

KEPT = "SELECT item, key, kept FROM runbook_salvage.kept_row ORDER BY item, number"


@pytest.fixture
def old(runs: StepRuns) -> StepRuns:
    """A database with salvage of an earlier version, in whose ledger no run is entered."""
    runs.execute(
        BEFORE_RELEASES.read_text(encoding="utf-8"),
        "TRUNCATE runbook.run, runbook.receipt, runbook.journal CASCADE",
        "TRUNCATE runbook.path_change_set CASCADE",
    )
    return runs


def test_reading_an_older_layout_leaves_it_and_the_next_deploy_brings_it_up(old: StepRuns) -> None:
    layout, kept = old.ask(LAYOUT), old.ask(KEPT)
    outputs = old.must("status")["outputs"]
    assert outputs["layout"] == {"release": 1, "newest": NEWEST}
    assert [item["rows"] for item in outputs["salvage"]] == [2]
    old.must("preflight", _ansible_check_mode=True)
    old.another("salvage").must("salvage", action="list")
    old.another("rehearse").steps("preflight", "backup", "verify_restore", "rehearse")
    assert old.ask(LAYOUT) == layout
    old.up_to("verify")
    old.conclude()
    assert old.another().must("status")["outputs"]["layout"] == {"release": NEWEST, "newest": NEWEST}
    # The table of releases has come and what a row is merged with; what nothing uses has gone.
    names = {name.rpartition(".")[0] for name, _ in layout} - {
        name.rpartition(".")[0] for name, _ in old.ask(LAYOUT)
    }
    assert names == {
        "runbook.journal_relation",
        "runbook.journal_row",
        "runbook_salvage.made_column",
        "runbook_salvage.made_row",
        "runbook_salvage.made_source",
    }
    assert old.ask(KEPT) == kept


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("name", ["status", "preflight", "salvage"])
def test_a_newer_layout_is_refused_by_every_first_step(runs: StepRuns, name: str, check_mode: bool) -> None:
    runs.steps("preflight")
    runs.conclude("failed")
    runs.execute("INSERT INTO runbook.release VALUES (99, now(), '7.1.0')")
    receipts = runs.ask(RECEIPTS)
    run = runs.another("salvage" if name == "salvage" else "deploy")
    answer = run.step(name, _ansible_check_mode=check_mode)
    assert (answer["failed"], answer["outcome"]) == (True, "refused")
    assert "have the layout of release 99, made by pgops.runbook 7.1.0" in answer["msg"]
    assert runs.ask(RECEIPTS) == receipts


def test_a_newer_layout_that_came_during_a_run_is_written_nothing_into(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window")
    runs.execute("INSERT INTO runbook.release VALUES (99, now(), '7.1.0')")
    receipts, lease = runs.ask(RECEIPTS), runs.ask("SELECT lease_until FROM runbook.run")
    assert "Use version 7.1.0 or newer" in runs.step("backup")["msg"]
    assert (runs.ask(RECEIPTS), runs.ask("SELECT lease_until FROM runbook.run")) == (receipts, lease)


def test_a_restored_backup_gets_the_newest_layout_and_keeps_its_salvage(
    runs: StepRuns, admin: StepRuns
) -> None:
    """The ledger of the live database replaces that of the backup, and says of both schemas which layout they have."""
    runs.steps("preflight")
    layout = runs.ask(LAYOUT)
    runs.execute(
        "DROP SCHEMA runbook_salvage CASCADE; DROP TABLE runbook.release",
        *(
            one
            for one in RELEASES[1]
            if "runbook_salvage" in one and "made_" not in one and "brought" not in one
        ),
        "INSERT INTO runbook_salvage.manifest (run_id, migration, kind, columns, key_columns, facts)"
        " VALUES ('r0', '002', 'dropped table', '{}', '{}', '{}')",
        "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (1, '(1)', 1, '(1)')",
    )
    runs.steps("maintenance_window", "backup", "verify_restore")
    runs.conclude("failed")
    restore = Restore(runs)
    restore.steps("preflight", "restore", "count_rows", "swap", "smoke_test")
    restore.run.conclude("restored")
    assert runs.ask(LAYOUT) == layout
    assert runs.ask("SELECT number FROM runbook.release") == [(NEWEST,)]
    assert runs.ask(KEPT) == [(1, "(1)", "(1)")]
    assert runs.must("status")["outputs"]["broken_receipt"] is None
