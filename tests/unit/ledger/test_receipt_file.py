# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The receipts of a rehearsal lie in a file beside its backup, and are a chain like those of the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.digests import digest_of
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipt_file import ReceiptFile

IDENTITY = {"system_identifier": "1", "database": "midi", "database_oid": 5}
STEPS = ("preflight", "backup", "verify_restore")


@pytest.fixture
def written(tmp_path: Path) -> ReceiptFile:
    file = ReceiptFile(str(tmp_path), "run-1")
    file.open_run(None, "run-1", "rehearse", ["002"], "ada", {})
    for step in STEPS:
        file.append(None, "run-1", step, "ok", "2026-01-01T00:00:00Z", IDENTITY, outputs={"step": step})
    return file


def rewrite(file: ReceiptFile, change) -> None:
    content = json.loads(Path(file.path).read_text(encoding="utf-8"))
    change(content["receipts"])
    Path(file.path).write_text(json.dumps(content), encoding="utf-8")


def test_a_chain_is_whole_and_each_receipt_names_the_one_before_it(written: ReceiptFile) -> None:
    found = written.receipts(None)
    assert [one["step"] for one in found] == list(STEPS)
    assert [one["previous"] for one in found[1:]] == [one["digest"] for one in found[:-1]]
    assert not written.chain_is_broken(None, "run-1")


def test_a_receipt_that_was_removed_is_missed(written: ReceiptFile) -> None:
    rewrite(written, lambda receipts: receipts.pop(1))
    assert written.chain_is_broken(None, "run-1")


def test_a_receipt_with_another_content_and_its_right_digest_is_found(written: ReceiptFile) -> None:
    def forge(receipts: list[dict]) -> None:
        receipts[1]["outputs"] = {}
        receipts[1]["digest"] = digest_of(
            {key: value for key, value in receipts[1].items() if key != "digest"}
        )

    rewrite(written, forge)
    assert written.chain_is_broken(None, "run-1")


def test_a_run_is_finished_once(written: ReceiptFile) -> None:
    assert written.finish_run(None, "run-1", "rehearsed", None)
    assert not written.finish_run(None, "run-1", "failed", None)
    run = written.run(None, "run-1")
    assert (run["finished"], run["outcome"], run["playbook"]) == (True, "rehearsed", "rehearse")


def test_without_a_file_there_is_no_run(tmp_path: Path) -> None:
    nobody = ReceiptFile(str(tmp_path), "run-2")
    assert nobody.run(None, "run-2") is None
    assert nobody.receipts(None) == []
    assert not nobody.finish_run(None, "run-2", "failed", None)
