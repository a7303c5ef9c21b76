#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say how the demo ended, where its record is, and what to type next."""

from __future__ import annotations

import json
import sys
from pathlib import Path

RECORD = Path("artifacts/latest/run.json")
NEXT_STEPS = """
Next, from this folder:
  . .venv/bin/activate
  ansible-playbook deploy.yml -e migration=010               deploy the next migration
  ansible-playbook emergency_rollback.yml -e migration=010   and take it back
  ansible-playbook playbooks/status.yml                      what is applied, pending, proven
  make clean                                                 stop the server, remove all that was made here"""


def main() -> int:
    """Print the outcome; return 0 when the migration was deployed."""
    project = Path(__file__).resolve().parent.parent
    try:
        run = json.loads((project / RECORD).read_text())
    except (OSError, ValueError):
        print(
            f"The demo did not end well: there is no {RECORD}.  The messages above say why.", file=sys.stderr
        )
        return 1
    print(f"\nThe record of this run: {RECORD} (run {run.get('run_id')})")
    print(f"outcome: {run.get('outcome')}")
    if run.get("outcome") != "deployed":
        print(f"failed step: {run.get('failed_step')}\nreason: {run.get('reason')}", file=sys.stderr)
        return 1
    print(NEXT_STEPS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
