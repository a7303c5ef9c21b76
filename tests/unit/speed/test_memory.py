# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much memory a process and those below it have held, by what the kernel says of real ones."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.memory import MEGABYTE, Peaks

# A process of its own with one below it, which has held fifty megabytes and holds them no more.
CHILD = f"held = bytearray({50 * MEGABYTE}); del held; print(flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_the_most_of_a_child_is_seen_after_it_is_given_back_and_is_not_the_parents() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        peaks = Peaks(process.pid)
        peaks.start()
        while not peaks.largest:
            time.sleep(0.01)
        peaks.ended.set()
        peaks.join()
        process.stdin.write("\n")
    assert peaks.largest > 50 * MEGABYTE > peaks.controller > MEGABYTE


def test_a_process_that_is_gone_has_held_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    peaks = Peaks(process.pid)
    peaks.start()
    time.sleep(0.3)
    peaks.ended.set()
    peaks.join()
    assert (peaks.controller, peaks.largest) == (0, 0)
