# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backup folder is looked at before anything else happens: whether it can be written, and has the room."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import check_room
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused

NOBODY = 65534


def test_a_folder_that_is_there_or_can_be_made(tmp_path: Path) -> None:
    check_room(str(tmp_path), 1024)
    check_room(str(tmp_path / "not" / "made"), 1024)


def test_more_than_is_free(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"has \d+ MiB free, but the database has \d+ MiB. Make room"):
        check_room(str(tmp_path / "not" / "made"), 2**70)


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("", encoding="utf-8")
    with pytest.raises(Refused, match=r"is not a folder: .*/backups is a file"):
        check_room(str(tmp_path / "backups" / "runs"), 1024)


def reason_for_nobody(folder: str) -> str:
    """Why the folder is refused, asked by a process without the superuser's rights, for whom everything is writable."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "not refused"
        try:
            if os.geteuid() == 0:
                os.setresuid(NOBODY, NOBODY, NOBODY)
            check_room(folder, 0)
        except Refused as error:
            answer = error.reason
        finally:
            os.write(writing, answer.encode("utf-8"))
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        answer = file.read().decode("utf-8")
    os.waitpid(child, 0)
    return answer


def test_a_folder_that_cannot_be_written() -> None:
    # Not in tmp_path, which is nobody's to look into.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        assert reason_for_nobody(f"{folder}/backups") == "not refused"
        Path(folder).chmod(0o555)
        assert reason_for_nobody(f"{folder}/backups").startswith(
            "The user who makes the backup may not write to backup_dir"
        )
