# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file is written whole or not at all, and is on disk before anybody is told so."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils import durable
from ansible_collections.pgops.runbook.plugins.module_utils.durable import one_at_a_time, write_file_durably


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


def test_one_process_at_a_time_is_in_a_folder(tmp_path: Path) -> None:
    order = tmp_path / "order"
    fork = multiprocessing.get_context("fork")

    def work(begun: Any, told: Any) -> None:
        with one_at_a_time(tmp_path):
            begun.set()
            told.wait(10)
            order.write_text("the first")

    begun, told = fork.Event(), fork.Event()
    process = fork.Process(target=work, args=(begun, told))
    process.start()
    begun.wait(10)
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)
    told.set()
    with one_at_a_time(tmp_path):
        assert order.read_text() == "the first"
    process.join()


def test_a_file_system_without_locks_is_an_error_only_where_the_lock_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(durable.fcntl, "flock", no_locks)
    done = []
    with one_at_a_time(tmp_path, needed=False):
        done.append("this")
    with pytest.raises(OSError, match="No locks"), one_at_a_time(tmp_path):
        done.append("that")
    assert done == ["this"]
