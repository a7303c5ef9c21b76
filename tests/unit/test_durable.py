# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file is written whole or not at all, and is on disk before anybody is told so."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.durable import write_file_durably


def test_the_text_is_there_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "receipts.json"
    path.write_text("the old text, which is longer")
    path.chmod(0o644)
    write_file_durably(str(path), "é😀")
    assert path.read_bytes() == "é😀".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "receipts.json"
    write_file_durably(str(path), "old")
    with pytest.raises(UnicodeEncodeError):
        write_file_durably(str(path), "new \ud800")
    assert path.read_text() == "old"
    (tmp_path / "receipts.json.part").write_text("what a killed one has written of it")
    write_file_durably(str(path), "new")
    assert path.read_text() == "new"


def test_text_and_name_are_on_disk_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No power fails in a test: what is synced when is noted, and done."""
    path = tmp_path / "receipts.json"
    synced: list[tuple[str, str | None, bool]] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        file = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((file.name, file.read_text() if file.is_file() else None, path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    write_file_durably(str(path), "text")
    assert synced == [("receipts.json.part", "text", False), (tmp_path.name, None, True)]
