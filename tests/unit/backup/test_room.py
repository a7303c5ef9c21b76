# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backup folder is looked at before anything else happens: whether it can be written, and has the room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import check_room
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused


def test_a_folder_that_is_there_or_can_be_made(tmp_path: Path) -> None:
    check_room(str(tmp_path), 1024)
    check_room(str(tmp_path / "not" / "made"), 1024)


def test_more_than_is_free(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"has \d+ MiB free and the database has \d+ MiB: make room"):
        check_room(str(tmp_path / "not" / "made"), 2**70)


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("", encoding="utf-8")
    with pytest.raises(Refused, match=r"is not a folder: .*/backups is a file"):
        check_room(str(tmp_path / "backups" / "runs"), 1024)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    # The superuser may write anywhere but where nobody can.
    folder = Path("/proc") if os.geteuid() == 0 else tmp_path
    if folder == tmp_path:
        folder.chmod(0o500)
    try:
        with pytest.raises(Refused, match=r"cannot be written|has \d+ MiB free"):
            check_room(str(folder), 0 if folder == tmp_path else 1)
    finally:
        tmp_path.chmod(0o700)
