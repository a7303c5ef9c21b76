# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status tells artifacts that were changed, receipts that the ledger has lost, and those without a signature."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import make_receipt
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.signatures import signature_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.artifacts import (
    changed_artifacts,
    contradicting_records,
    runs_without_signatures,
    unsigned_receipts,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import RunRecord
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.page import write_reports

from tests.unit.record.records import settled

IDENTITY = {"system_identifier": "1", "database": "d", "database_oid": 2}


def recorded(tmp_path: Path, playbook: str = "deploy", key: str = "") -> tuple[RunRecord, dict[str, Any]]:
    """A run that has ended, with one receipt, and what the ledger says of it."""
    facts = {"playbook": playbook, "target": "t", "database": "d"}
    record = RunRecord(str(tmp_path), "run1", facts, key=key)
    receipt = make_receipt("run1", "preflight", "ok", "", "", IDENTITY, "0" * 64)
    record.end("preflight", {"receipts": [receipt], "outputs": {"migrations": ["002"]}})
    settled(record)
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


def ended(tmp_path: Path) -> tuple[RunRecord, dict[str, Any]]:
    """As recorded(), with the reports of a run that has ended."""
    record, ledger = recorded(tmp_path)
    record.settle()
    record.note_reports(write_reports(record.content, record.folder))
    record.save()
    ledger["runs"]["run1"].update(record_sha256=record.digest(), outcome=record.content["outcome"])
    return record, ledger


ALL_FILES = ["junit.xml", "receipts/01_preflight.json", "report.html", "report.md"]


def test_the_record_knows_all_files_beside_it(tmp_path: Path) -> None:
    record, ledger = ended(tmp_path)
    assert sorted(record.content["artifacts"]) == ALL_FILES
    there = {path.relative_to(record.folder).as_posix() for path in record.folder.rglob("*.*")}
    assert there == {"run.json", *ALL_FILES}
    assert changed_artifacts(str(tmp_path), ledger) == []
    record.note_unannounced([{"event": "end", "reason": "exit status 1"}])
    record.save()
    assert changed_artifacts(str(tmp_path), ledger) == [], "what is added later on is none of its end"


@pytest.mark.parametrize("name", ALL_FILES)
def test_one_that_is_changed_or_gone_is_told(tmp_path: Path, name: str) -> None:
    record, ledger = ended(tmp_path)
    path = record.folder / name
    kept = path.read_bytes()
    path.write_bytes(kept + b" ")
    assert changed_artifacts(str(tmp_path), ledger) == [f"{path} is not as the run left it"]
    path.unlink()
    assert changed_artifacts(str(tmp_path), ledger) == [f"{path} is gone"]
    path.symlink_to(tmp_path)
    assert changed_artifacts(str(tmp_path), ledger) == [f"{path} is not as the run left it"]
    path.unlink()
    path.write_bytes(kept)
    assert changed_artifacts(str(tmp_path), ledger) == []


def test_a_record_that_is_gone_is_told_and_one_that_was_changed_still_tells_of_the_others(
    tmp_path: Path,
) -> None:
    record, ledger = ended(tmp_path)
    (record.folder / "report.md").unlink()
    record.path.write_text(record.path.read_text().replace('"deploy"', '"rehearse"'))
    assert changed_artifacts(str(tmp_path), ledger) == [
        f"{record.path} is not as the run left it",
        f"{record.folder / 'report.md'} is gone",
    ]
    record.path.write_text("[]")
    assert changed_artifacts(str(tmp_path), ledger) == [f"{record.path} is not as the run left it"]
    record.path.unlink()
    (found,) = changed_artifacts(str(tmp_path), ledger)
    assert found.startswith(f"{record.path} is gone, ")
    shutil.rmtree(record.folder)
    assert changed_artifacts(str(tmp_path), ledger) == [], "a cleanup takes whole folders"


def test_a_run_that_has_not_ended_and_one_of_an_older_release_miss_nothing(tmp_path: Path) -> None:
    record, ledger = ended(tmp_path)
    (record.folder / "report.html").unlink()
    going_on = {"runs": {"run1": {**ledger["runs"]["run1"], "record_sha256": None}}}
    assert changed_artifacts(str(tmp_path), {**ledger, **going_on}) == []
    del record.content["artifacts"]
    record.save()
    ledger["runs"]["run1"]["record_sha256"] = record.digest()
    assert changed_artifacts(str(tmp_path), ledger) == []
    record.end("backup", {"receipts": [], "outputs": {}})
    record.note_reports([])
    assert record.content["artifacts"] == {}


def test_the_reports_of_an_earlier_end_are_not_expected(tmp_path: Path) -> None:
    record, _ = ended(tmp_path)
    record.note_reports([])
    assert list(record.content["artifacts"]) == ["receipts/01_preflight.json"]


def test_an_outcome_that_run_json_contradicts_is_told(tmp_path: Path) -> None:
    record, ledger = ended(tmp_path)
    assert contradicting_records(str(tmp_path), ledger) == []
    ledger["runs"]["run1"]["outcome"] = "deployed"
    assert contradicting_records(str(tmp_path), ledger) == [
        {
            "run_id": "run1",
            "outcome": "deployed",
            "why": f"{record.path}, which is as the run left it, says {record.content['outcome']}",
        }
    ]
    record.path.write_text(record.path.read_text().replace('"deploy"', '"rehearse"'))
    assert contradicting_records(str(tmp_path), ledger) == [], "it was changed, and that is told"
    record.path.unlink()
    assert contradicting_records(str(tmp_path), ledger) == []


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
    assert runs_without_signatures([*good, one(4, None)]) == {"r": 2}
