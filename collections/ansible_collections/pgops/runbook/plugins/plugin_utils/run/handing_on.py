# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A record that cannot be written goes from task to task through Ansible's own variables."""

from __future__ import annotations

import json
from typing import Any

from ..record.record import RunRecord

__all__ = ["carried", "hand_on", "unwritten"]


def unwritten(record: RunRecord, error: OSError) -> str:
    """What is said of a record that cannot be written: each step has left its receipt in the database."""
    what = f"{record.path} could not be written: {error.strerror}."
    if not record.last_receipt():
        return f"{what} No step has left a receipt, and the ledger has nothing of this run."
    return f"{what} The ledger in the database has all receipts: ansible-playbook playbooks/status.yml"


def hand_on(record: RunRecord, error: OSError, result: dict[str, Any]) -> None:
    """Let the tasks that follow know what run.json does not: production may have been changed by now.

    Ansible keeps facts of a task that went well; from one that failed the playbook's rescue takes the record.
    """
    result["warnings"] = [*result.get("warnings", []), unwritten(record, error)]
    if result.get("failed"):
        result["runbook_record"] = record.content
    else:
        result["ansible_facts"] = {"runbook_record": record.content}


def carried(task_vars: dict[str, Any]) -> list[dict[str, Any]]:
    """Records that were handed on to a task, without the tags that ansible-core puts on values."""
    places = (task_vars, task_vars.get("ansible_facts") or {})
    return [
        json.loads(json.dumps(place["runbook_record"])) for place in places if place.get("runbook_record")
    ]
