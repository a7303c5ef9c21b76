# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What drills that were killed have left in backup_dir goes; nothing else does."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ansible_collections.pgops.runbook.plugins.module_utils.drill.remains import (
    PARTS,
    dead_folders,
    run_of,
)

DRILL = "20260101T000000Z-library-0001"


def folder(backup_dir: Path, name: str, hours_old: float) -> Path:
    made = backup_dir / name
    (made / "backup").mkdir(parents=True)
    then = time.time() - hours_old * 3600
    os.utime(made, (then, then))
    return made


def test_only_what_drills_have_left_long_ago_goes(tmp_path: Path) -> None:
    old = [folder(tmp_path, run_of(DRILL, part), 25) for part in PARTS]
    staying = [
        folder(tmp_path, run_of("20260102T000000Z-library-0002", "deploy"), 1),
        folder(tmp_path, DRILL, 25),
        folder(tmp_path, "20260101T000000Z-a-drill-library-0003", 25),
    ]
    link = tmp_path / run_of("20260103T000000Z-x-0001", "deploy")
    link.symlink_to(staying[1])
    os.utime(link, (0, 0), follow_symlinks=False)
    assert dead_folders(str(tmp_path)) == sorted(one.name for one in old)
    assert not any(one.exists() for one in old)
    assert all((one / "backup").is_dir() for one in staying)
    assert link.is_symlink()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert dead_folders(str(tmp_path / "nowhere")) == []
