# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status tells artifacts that were changed, receipts that the ledger has lost, and those without a signature."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import make_receipt
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.signatures import signature_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.artifacts import (
    changed_artifacts,
    unsigned_receipts,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.record import RunRecord

IDENTITY = {"system_identifier": "1", "database": "d", "database_oid": 2}


def recorded(tmp_path: Path, playbook: str = "deploy", key: str = "") -> tuple[RunRecord, dict[str, Any]]:
    """A run that has ended, with one receipt, and what the ledger says of it."""
    facts = {"playbook": playbook, "target": "t", "database": "d"}
    record = RunRecord(str(tmp_path), "run1", facts, key=key)
    receipt = make_receipt("run1", "preflight", "ok", "", "", IDENTITY, "0" * 64)
    record.end("preflight", {"receipts": [receipt], "outputs": {"migrations": ["002"]}})
    record.conclude()
    run = {"record_sha256": record.digest(), "receipts": [receipt["digest"]]}
    return record, {"identity": IDENTITY, "runs": {"run1": run}}


def test_what_is_as_it_was_written_is_passed_over(tmp_path: Path) -> None:
    _, ledger = recorded(tmp_path)
    assert changed_artifacts(str(tmp_path), ledger) == []


def test_nobody_else_reads_them(tmp_path: Path) -> None:
    record, _ = recorded(tmp_path / "artifacts")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in record.folder.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {stat.S_IMODE(record.folder.stat().st_mode), modes[record.folder / "receipts"]} == {0o700}


@pytest.mark.parametrize("name", ["run.json", "receipts/01_preflight.json"])
@pytest.mark.parametrize("edit", [lambda text: text.replace('"ok"', '"failed"'), lambda text: text[:-9]])
def test_an_edited_one_is_told(tmp_path: Path, name: str, edit: Any) -> None:
    record, ledger = recorded(tmp_path)
    path = record.folder / name
    path.write_text(edit(path.read_text()))
    assert changed_artifacts(str(tmp_path), ledger) == [f"{path} is not as the run left it"]


def test_a_receipt_that_is_gone_from_the_ledger_is_told(tmp_path: Path) -> None:
    record, ledger = recorded(tmp_path)
    ledger["runs"]["run1"]["receipts"] = []
    lost = [
        f"the ledger no longer has the receipt that {record.folder / 'receipts/01_preflight.json'} is a copy of"
    ]
    assert changed_artifacts(str(tmp_path), ledger) == lost
    assert changed_artifacts(str(tmp_path), {**ledger, "runs": {}}) == lost


def test_other_databases_and_rehearsals_are_passed_over(tmp_path: Path) -> None:
    _, ledger = recorded(tmp_path)
    other = {"identity": {**IDENTITY, "database_oid": 3}, "runs": {}}
    assert changed_artifacts(str(tmp_path), other) == []
    _, ledger = recorded(tmp_path / "rehearsals", "rehearse")
    assert changed_artifacts(str(tmp_path / "rehearsals"), {**ledger, "runs": {}}) == []


def test_the_record_signs_and_knows_what_it_has_signed(tmp_path: Path) -> None:
    record, ledger = recorded(tmp_path, key="key")
    (digest,) = ledger["runs"]["run1"]["receipts"]
    assert record.signed("key") == {digest: signature_of(digest, "key")}
    assert record.signed("another") == {}
    assert changed_artifacts(str(tmp_path), ledger) == []
    assert "key" not in json.loads((record.folder / "run.json").read_text())


def test_signatures_are_missed_after_the_first_of_runs_that_have_ended() -> None:
    def one(position: int, signature: str | None, ended: bool = True) -> dict[str, Any]:
        facts = {"position": position, "run_id": "r", "step": "apply", "digest": str(position)}
        return {**facts, "signature": signature, "ended": ended}

    good = [one(1, None), one(2, signature_of("2", "key")), one(3, None, ended=False)]
    assert unsigned_receipts(good, "key") == []
    (missing,) = unsigned_receipts([*good, one(4, None)], "key")
    assert missing.startswith("receipt 4 (apply in run r) has no signature")
    (wrong,) = unsigned_receipts([*good, one(4, signature_of("4", "another"))], "key")
    assert wrong.startswith("receipt 4 (apply in run r) was not signed with receipt_key")
