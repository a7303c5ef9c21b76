# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Progress of a long step: what the module writes is shown while it works, line by line, and the file goes."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.library import progress as progress_lines
from ansible_collections.pgops.runbook.plugins.plugin_utils.run import progress


def execute(command: str) -> dict[str, str]:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return {"stdout": done.stdout}


def test_lines_are_shown_while_the_module_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.01)
    monkeypatch.setattr(progress_lines, "SECONDS_BETWEEN", 0)
    path, shown, arrived = tmp_path / "it's progress", [], threading.Event()

    def show(line: str) -> None:
        shown.append(line)
        arrived.set()

    with progress.shown_progress(str(path), execute, show):
        lines = progress_lines.ProgressLines(str(path), "médiä1")
        for done in (256, 512):
            arrived.clear()
            lines.files_renamed(done, 1000)
            assert arrived.wait(60), "the line was not shown before the module went on"
    assert shown == ["médiä1: 256 of 1000 renames done", "médiä1: 512 of 1000 renames done"]
    assert not path.exists()


def test_a_file_or_link_that_is_there_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(FileExistsError):
        progress_lines.ProgressLines(str(tmp_path / "link"), "media1")
    assert not (tmp_path / "precious").exists()


def test_without_a_file_nothing_is_written() -> None:
    progress_lines.ProgressLines("", "media1").files_renamed(1, 2)
