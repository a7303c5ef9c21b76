# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Progress of a long step: what the module writes is read while it works, and the file goes."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.pgops.runbook.plugins.plugin_utils.run import progress


def execute(command: str) -> dict[str, str]:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return {"stdout": done.stdout}


def test_the_newest_line_is_shown_while_the_module_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.01)
    path, shown, arrived = tmp_path / "it's progress", [], threading.Event()

    def show(line: str) -> None:
        if line and line not in shown:
            shown.append(line)
            arrived.set()

    with progress.followed(str(path), execute, show):
        for line in ("médiä 256 of 1000", "médiä 512 of 1000"):
            arrived.clear()
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
            assert arrived.wait(60), "the line was not shown before the module went on"
    assert shown == ["médiä 256 of 1000", "médiä 512 of 1000"]
    assert not path.exists()


def test_on_this_machine_half_a_line_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    assert progress.newest_line(str(path)) == ""
    path.write_text('{"done": 1', encoding="utf-8")
    assert progress.newest_line(str(path)) == ""
    path.write_text('{"done": 1}\n{"done": 2}\n{"do', encoding="utf-8")
    assert progress.newest_line(str(path)) == '{"done": 2}'


def test_a_host_that_is_away_is_no_error_of_who_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.01)
    asked: list[str] = []
    twice = threading.Event()

    def away(command: str) -> dict[str, str]:
        asked.append(command)
        if len(asked) > 1:
            twice.set()
        raise AnsibleConnectionFailure("no route")

    with progress.followed("/tmp/x", away, lambda line: None):
        assert twice.wait(30)
    assert asked[-1].startswith("rm -f")
