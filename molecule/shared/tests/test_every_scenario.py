# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must be true after any runs, whatever became of them."""

from __future__ import annotations

import hashlib
import json
import re
import stat

import pytest


@pytest.fixture
def ledgers(query) -> dict[str, list[tuple]]:
    """Return database -> (position, digest, document) of its receipts in order."""
    names = [name for (name,) in query("postgres", "SELECT datname FROM pg_database WHERE datallowconn")]
    return {
        name: query(name, "SELECT position, digest, document FROM runbook.receipt ORDER BY position")
        for name in names
        if query(name, "SELECT to_regclass('runbook.receipt')") != [(None,)]
    }


def test_no_copy_and_no_session_is_left(query):
    assert query("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'runbook%'") == []
    assert (
        query(
            "postgres",
            "SELECT datname, application_name, state FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        == []
    )


def test_receipts_are_chained_by_their_digests(ledgers):
    assert ledgers
    for database, receipts in ledgers.items():
        assert receipts, database
        previous = "0" * 64
        for place, (position, digest, document) in enumerate(receipts, start=1):
            facts = json.loads(document)
            canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert document == canonical, (database, position)
            assert hashlib.sha256(document.encode()).hexdigest() == digest, (database, position)
            assert (position, facts["previous"]) == (place, previous), (database, position)
            previous = digest


def test_ended_runs_are_closed_and_agree_with_their_record(query, ledgers, scenario_state):
    records = {}
    for path in scenario_state.glob("artifacts/**/run.json"):
        record = json.loads(path.read_text())
        records[record["run_id"]] = record
    assert records
    for database in ledgers:
        runs = query(database, "SELECT run_id, finished IS NOT NULL, outcome FROM runbook.run")
        for run_id, finished, outcome in runs:
            if outcome != "adopted" and run_id in records and not run_id.startswith("abandoned"):
                assert finished, run_id
                assert outcome == records[run_id]["outcome"], run_id


def test_receipts_are_mirrored(ledgers, scenario_state):
    known = {digest for receipts in ledgers.values() for _, digest, _ in receipts}
    mirrored = [json.loads(path.read_text()) for path in scenario_state.glob("artifacts/**/receipts/*.json")]
    assert mirrored
    for receipt in mirrored:
        document = {key: value for key, value in receipt.items() if key != "digest"}
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert receipt["digest"] == hashlib.sha256(canonical.encode()).hexdigest()
        assert receipt["digest"] in known


def test_backups_can_be_read_by_their_owner_only(scenario_state):
    backups = scenario_state / "backups"
    runs = list(backups.iterdir())
    assert runs
    for run in runs:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", run.name)
        for path in [run, *run.rglob("*")]:
            mode = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == mode, path
