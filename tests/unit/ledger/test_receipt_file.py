# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The receipts of a rehearsal lie in a file beside its backup, as a chain like that of the ledger."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.digests import digest_of
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipt_file import ReceiptFile
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import FIRST_PREVIOUS

IDENTITY = {"system_identifier": "7", "database": "library", "database_oid": 5}


@pytest.fixture
def file(tmp_path: Path) -> ReceiptFile:
    file = ReceiptFile(str(tmp_path), "r1")
    file.open_run(None, "r1", "rehearse", ("009", "010"), "ada@desk", {})
    return file


def append(file: ReceiptFile, step: str, **facts: Any) -> dict[str, Any]:
    return file.append(None, "r1", step, "ok", "2026-01-01T00:00:00.000000Z", IDENTITY, **facts)


def test_without_a_file_there_is_no_run_and_no_receipt(tmp_path: Path) -> None:
    file = ReceiptFile(str(tmp_path), "r1")
    assert (file.run(None, "r1"), file.receipts(None)) == (None, [])
    assert file.finish_run(None, "r1", "rehearsed", "") is False
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_open_until_it_is_finished_once(file: ReceiptFile) -> None:
    open_run = {"run_id": "r1", "playbook": "rehearse", "migrations": ["009", "010"]}
    assert file.run(None, "r1") == {**open_run, "finished": False, "outcome": None}
    assert file.finish_run(None, "r1", "rehearsed", "all went well") is True
    assert file.finish_run(None, "r1", "failed", "it did not") is False
    assert file.run(None, "r1") == {**open_run, "finished": True, "outcome": "rehearsed"}


def test_receipts_are_a_chain_that_a_later_process_goes_on_with(file: ReceiptFile) -> None:
    first = append(file, "preflight", outputs={"migrations": ["009"]})
    later = ReceiptFile(str(Path(file.path).parents[1]), "r1")
    second = append(later, "backup", migration="009", inputs={"a": 1})
    assert (first["previous"], second["previous"]) == (FIRST_PREVIOUS, first["digest"])
    assert file.receipts(None) == [first, second]
    assert second["finished"] > second["started"]
    assert file.chain_is_broken(None, "r1") is False


def forge(receipts: list[dict[str, Any]]) -> None:
    """Another content, with its right digest."""
    receipts[0]["outputs"] = {}
    receipts[0]["digest"] = digest_of({key: value for key, value in receipts[0].items() if key != "digest"})


@pytest.mark.parametrize(
    "edit",
    [
        forge,
        lambda receipts: receipts[0]["outputs"].update(rows=2),
        lambda receipts: receipts.pop(0),
        lambda receipts: receipts.reverse(),
    ],
)
def test_a_file_that_was_edited_is_a_broken_chain(file: ReceiptFile, edit: Any) -> None:
    append(file, "backup", outputs={"rows": 1})
    append(file, "verify_restore")
    path = Path(file.path)
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content["receipts"])
    path.write_text(json.dumps(content), encoding="utf-8")
    assert file.chain_is_broken(None, "r1") is True


def test_the_folder_is_its_owners_alone(file: ReceiptFile) -> None:
    assert stat.S_IMODE(Path(file.path).parent.stat().st_mode) == 0o700
    assert [path.name for path in Path(file.path).parent.iterdir()] == ["receipts.json"]


def test_it_holds_no_database(file: ReceiptFile) -> None:
    assert file.create(None) is False
    assert file.unfinished_run(None) is None
    assert file.keep_catalog(None, {}) is None
