# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command after a backup gets its folder without a shell, and is ended when its time is over."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.after import run_after_backup

VALUES = {"folder": "/backups/run 1; $(touch x)/backup", "run_id": "run-1"}


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def test_its_words_have_folder_and_run_and_go_through_no_shell(tmp_path: Path) -> None:
    code = f"import sys; open({str(tmp_path / 'said')!r}, 'w').write(repr(sys.argv[1:]))"
    ended = run_after_backup(python(code, "--from={folder}", "{run_id}", "{other} /root"), VALUES, 10)
    assert ended["failure"] is None
    assert ended["seconds"] >= 0
    assert (tmp_path / "said").read_text() == repr([f"--from={VALUES['folder']}", "run-1", "{other} /root"])


@pytest.mark.parametrize(
    ("command", "failure"),
    [
        (["/nowhere/at all"], "/nowhere/at all could not be started: No such file or directory"),
        ([""], " could not be started: "),
        (["nul\0byte"], "could not be started: embedded null byte"),
        (["/"], "/ could not be started: Permission denied"),
        (python("import sys; sys.exit('no\\n room')"), f"{sys.executable} ended with exit status 1: no room"),
        (python("raise SystemExit(3)"), f"{sys.executable} ended with exit status 3"),
        (python("import os; os.kill(os.getpid(), 9)"), f"{sys.executable} was killed by signal 9"),
        (python("import os; os.write(2, b'\\xff' * 9000); os._exit(1)"), "ended with exit status 1: \ufffd"),
    ],
)
def test_why_it_failed(command: list[str], failure: str) -> None:
    said = run_after_backup(command, VALUES, 10)["failure"]
    assert failure in said
    assert len(said) < 700


def test_when_its_time_is_over_it_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid)); sys.stdin.read(); time.sleep(600)"
    )
    assert run_after_backup(python(code), VALUES, 2)["failure"].endswith("had not ended after 2 s")
    status = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    # A signal is sent, and the process gone some moment later; what would sleep on is there long after this.
    deadline = time.monotonic() + 60
    while not _has_ended(status) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _has_ended(status)


def _has_ended(status: Path) -> bool:
    """Whether a process is gone, or waits for its new parent to hear of it."""
    try:
        return status.read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_what_it_leaves_in_the_background_holds_nobody_up() -> None:
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)'])"
    ended = run_after_backup(python(code), VALUES, 60)
    assert ended["failure"] is None
