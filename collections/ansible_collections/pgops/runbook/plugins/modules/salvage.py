#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: salvage
short_description: List, export, put back or purge the rows that rollbacks kept
description:
  - Works on schema C(runbook_salvage), where a rollback keeps the rows and values that the old schema cannot hold.
  - What changes something is a run of its own in the ledger, and is refused while another run is in progress.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.locks
options:
  action:
    description:
      - V(list) names every item that has not gone back; with O(item), the rows of that one, each beside what is there
        now.
      - V(export) writes the rows of one item to a file.
      - V(restore) puts one item back, without a deploy.
      - V(purge) deletes items.
    type: str
    default: list
    choices: [list, export, restore, purge]
  item:
    description: Number of the item, as V(list) shows it; 0 means none.
    type: int
    default: 0
  format:
    description: How an export is written. V(sql) is INSERT statements, or UPDATE statements for single columns.
    type: str
    default: csv
    choices: [csv, sql]
  file:
    description: Whole path of the file to write, on the host where the module runs. It must not exist.
    type: path
    default: ''
  overwrite:
    description: Whether rows that are there now may be changed or deleted by what is put back; as O(prefer=kept).
    type: bool
    default: false
  prefer:
    description:
      - Who has the last word on what was changed on both sides of the rollback.
      - V(kept) is what users wrote before it; what it overwrites is kept in its place, as an item of its own.
      - V(now) is what is there now; what was kept of it is forgotten.
      - Empty, both wait.
    type: str
    default: ''
    choices: ['', kept, now]
  older_than_days:
    description: Purge what was kept at least so many days ago; -1 means that age does not select.
    type: int
    default: -1
  of_run:
    description: Purge what the rollback with this run_id kept.
    type: str
    default: ''
  confirm:
    description:
      - The word for exactly the rows that a purge deletes, as the refusal without it gives it; empty means not
        confirmed.
    type: str
    default: ''
  limit:
    description: Inventory host that the command in a refusal is limited to; empty where there is only one.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: List what rollbacks kept
  pgops.runbook.salvage:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"

- name: Write the rows of an item to a file
  pgops.runbook.salvage:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    action: export
    item: 3
    format: csv
    file: /var/backups/favorites.csv
"""

RETURN = r"""
receipts:
  description: The receipts that the step wrote.
  returned: always
  type: list
  elements: dict
outputs:
  description: The items, or what became of them.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.by_hand.export import FORMATS, check_export, export_item
from ..module_utils.by_hand.items import find_item, refuse_beside_a_run
from ..module_utils.by_hand.look import look_at_rows
from ..module_utils.by_hand.purge import confirm_purge, purge, to_purge
from ..module_utils.by_hand.put_back import check_put_back, put_back
from ..module_utils.execution.script import LOCK_SPEC, LockPolicy
from ..module_utils.postgres.connection import transaction
from ..module_utils.salvage.returning.decision import KEPT, PREFERENCES
from ..module_utils.salvage.store.items import SalvageStore
from ..module_utils.shapes import Cursor, Json
from ..module_utils.step import Step, step_argument_spec


def list_items(step: Step) -> Json:
    step.changed = False
    if step.params["item"]:
        return list_rows(step)
    with transaction(step.connection) as cursor:
        return {"items": SalvageStore(cursor).summary()}


def list_rows(step: Step) -> Json:
    try:
        with step.connection.cursor() as cursor:
            item, found = find_item(cursor, step.params["item"])
            return {"items": [found], "rows": look_at_rows(cursor, item)}
    finally:
        if not step.connection.closed:
            step.connection.rollback()


def export(step: Step) -> Json:
    params = step.params
    # Every character of a text must come out as it went in.
    step.connection.set_client_encoding("UTF8")
    try:
        with step.connection.cursor() as cursor:
            item, found = find_item(cursor, params["item"])
            check_export(item, params["format"], params["file"])
            if not step.module.check_mode:
                export_item(cursor, item, params["format"], params["file"])
    finally:
        if not step.connection.closed:
            step.connection.rollback()
    return {"item": item["item"], "file": params["file"], "rows": found["rows"]}


def restore(step: Step) -> Json:
    params = step.params
    policy = LockPolicy.from_params(params)
    prefer = params["prefer"] or (KEPT if params["overwrite"] else "")
    if not step.module.check_mode:
        return put_back(step, params["item"], policy, prefer)
    with transaction(step.connection) as cursor:
        refuse_beside_a_run(step, cursor)
        item, found = find_item(cursor, params["item"])
        check_put_back(cursor, item, prefer)
    return {"item": item["item"], "kind": item["kind"], "table": found["table"], "rows": found["rows"]}


def purge_items(step: Step) -> Json:
    params = step.params

    def select(cursor: Cursor) -> list[Json]:
        return to_purge(cursor, params["item"], params["older_than_days"], params["of_run"])

    def confirm(items: list[Json]) -> None:
        named = {
            "salvage_item": params["item"] if params["item"] > 0 else None,
            "salvage_older_than_days": params["older_than_days"] if params["older_than_days"] >= 0 else None,
            "salvage_of_run": params["of_run"] or None,
        }
        typed = " ".join(f"-e {name}={value}" for name, value in named.items() if value is not None)
        limit = f"--limit {params['limit']} " if params["limit"] else ""
        confirm_purge(items, params["confirm"], f"{limit}-e salvage_action=purge {typed}")

    if step.module.check_mode:
        with transaction(step.connection) as cursor:
            refuse_beside_a_run(step, cursor)
            items = select(cursor)
        if items:
            confirm(items)
    else:
        items = purge(step, select, confirm)
    step.changed = bool(items)
    return {"items": items, "rows": sum(item["rows"] for item in items)}


ACTIONS = {"list": list_items, "export": export, "restore": restore, "purge": purge_items}


def work(step: Step) -> Json:
    outputs = ACTIONS[step.params["action"]](step)
    return {"action": step.params["action"], "check_mode": step.module.check_mode, **outputs}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            action={"type": "str", "default": "list", "choices": list(ACTIONS)},
            item={"type": "int", "default": 0},
            format={"type": "str", "default": "csv", "choices": list(FORMATS)},
            file={"type": "path", "default": ""},
            overwrite={"type": "bool", "default": False},
            prefer={"type": "str", "default": "", "choices": list(PREFERENCES)},
            older_than_days={"type": "int", "default": -1},
            of_run={"type": "str", "default": ""},
            confirm={"type": "str", "default": ""},
            limit={"type": "str", "default": ""},
            **LOCK_SPEC,
        ),
        supports_check_mode=True,
    )
    Step(module, "salvage").execute(work)


if __name__ == "__main__":
    main()
