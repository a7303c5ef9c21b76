#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run playbooks of the project as a person would, all at once, and see whether each ends as it should.

Reads a list from standard input, as JSON; shared/tasks/run_playbooks.yml says what is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
SECONDS_ALLOWED = 300


def command_of(run: Mapping[str, Any], state: Path) -> list[str]:
    """What a person would type.

    Args:
        run: name, playbook (path below the project), variables, and if need be arguments.
        state: the scenario's folder.
    """
    variables = {"artifacts_dir": str(state / "artifacts" / run["name"]), **run["variables"]}
    return [
        str(Path(sys.executable).with_name("ansible-playbook")),
        f"--inventory={PROJECT / 'molecule' / 'shared' / 'inventory'}",
        f"--extra-vars={json.dumps(variables)}",
        *run.get("arguments", []),
        str(PROJECT / run["playbook"]),
    ]


def main(arguments: list[str]) -> int:
    """Write what each said to ``<state>/output/<name>``; exit status 1 where one did not end as it should."""
    parser = argparse.ArgumentParser(description="Run playbooks of the project, all at once.")
    parser.add_argument("--state", type=Path, required=True, help="the scenario's folder")
    options = parser.parse_args(arguments)
    output = options.state / "output"
    output.mkdir(exist_ok=True)
    runs = json.load(sys.stdin)
    processes = []
    for run in runs:
        with (output / run["name"]).open("w") as said:
            processes.append(
                subprocess.Popen(
                    command_of(run, options.state),
                    cwd=PROJECT,
                    env={**os.environ, "ANSIBLE_FORCE_COLOR": "false"},
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                )
            )
    wrong = []
    for run, process in zip(runs, processes, strict=True):
        try:
            status = process.wait(timeout=SECONDS_ALLOWED)
        except subprocess.TimeoutExpired:
            process.terminate()
            status = process.wait()
        if (status == 0) != run["succeeds"]:
            wrong.append(f"{run['name']} ended with {status} and said:\n{(output / run['name']).read_text()}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
