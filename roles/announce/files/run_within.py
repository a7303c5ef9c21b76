# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a command that gets this program's standard input, and end it with all that it has started when time is over.

usage: run_within.py SECONDS COMMAND [WORD ...]
Exit status: that of the command; 124 when time was over, as of timeout(1); 127 when it could not be started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def main(arguments: list[str]) -> int:
    """Run the command line."""
    seconds, *command = arguments
    try:
        process = subprocess.Popen(command, start_new_session=True)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    try:
        return process.wait(float(seconds))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(f"{command[0]} had not ended after {seconds} s", file=sys.stderr)
        return 124


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
