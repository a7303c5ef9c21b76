# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All migrations up from an empty database, all back to it, and up again."""

from __future__ import annotations

import json

import pytest

VERSIONS = ["001", "002", "003", "006", "007", "008", "009", "010", "011", "update_normalized_filenames"]


@pytest.fixture
def first_run(scenario_state) -> dict:
    """Return the record of the deployment by converge, which is older than that of the idempotence run."""
    path = min((scenario_state / "artifacts").glob("2*/run.json"))
    return json.loads(path.read_text())


@pytest.mark.parametrize("which", ["first", "again"])
def test_every_migration_was_deployed_and_proven_in_one_run(which, first_run, record_of):
    run = first_run if which == "first" else record_of("again")
    assert (run["outcome"], run["migrations"]) == ("deployed", VERSIONS)
    assert (run["proof"]["schema_restored"], run["proof"]["data_restored"]) == (True, True)
    assert run["proof"]["rehearsed"] == VERSIONS
    assert [step["step"] for step in run["steps"]].count("backup") == 1


def test_database_was_in_use_before_it_went_back(snapshot_of):
    used = snapshot_of("used")["tables"]
    assert len(used["public.files"]["rows"]) == 40
    assert sum(1 for table in used.values() if table["rows"]) > 10


def test_rollback_took_back_newest_first(record_of, query):
    run = record_of("back")
    assert (run["outcome"], run["playbook"], run["reason"]) == ("rolled_back", "emergency_rollback", None)
    assert run["migrations"] == VERSIONS[::-1]
    assert run["proof"]["schema_restored"] is True
    order = query(
        "midi_library",
        "SELECT migration FROM runbook.receipt WHERE step = 'emergency_rollback' AND status = 'ok' ORDER BY position",
    )
    assert [version for (version,) in order] == VERSIONS[::-1]


def test_nothing_but_the_ledger_was_left(snapshot_of):
    empty, back = snapshot_of("empty"), snapshot_of("back")
    assert "CREATE" not in empty["schema"]
    assert back == empty


def test_second_way_up_gives_the_same_schema_as_the_first(snapshot_of, present, query):
    assert present("midi_library")["schema"] == snapshot_of("deployed")["schema"]
    recorded = query("midi_library", "SELECT version FROM schema_migrations ORDER BY id")
    assert [version for (version,) in recorded] == VERSIONS
