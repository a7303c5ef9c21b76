# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step salvage; its options are documented in plugins/modules/salvage.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..by_hand.export import FORMATS, check_export, export_item
from ..by_hand.items import find_item, refuse_beside_a_run
from ..by_hand.look import look_at_rows
from ..by_hand.purge import confirm_purge, purge, to_purge
from ..by_hand.put_back import check_put_back, put_back
from ..execution.script import LOCK_SPEC, LockPolicy
from ..postgres.connection import transaction
from ..postgres.standbys import refuse_endless_commit
from ..salvage.returning.decision import KEPT, PREFERENCES
from ..salvage.store.items import SalvageStore
from ..shapes import Cursor, Json
from ..step.options import step_argument_spec
from ..step.step import Step


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
            item, summary = find_item(cursor, params["item"])
            check_export(item, params["format"], params["file"])
            if not step.module.check_mode:
                export_item(cursor, item, params["format"], params["file"])
    finally:
        if not step.connection.closed:
            step.connection.rollback()
    return {"item": item["item"], "file": params["file"], "rows": summary["rows"]}


def put_item_back(step: Step) -> Json:
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


ACTIONS = {"list": list_items, "export": export, "put_back": put_item_back, "purge": purge_items}

#: As it was called before 0.2.0; whoever has it in a script finds it working.
FORMER_NAMES = {"restore": "put_back"}


def work(step: Step) -> Json:
    action = FORMER_NAMES.get(step.params["action"], step.params["action"])
    if action in ("put_back", "purge") and not step.module.check_mode:
        with transaction(step.connection) as cursor:
            refuse_endless_commit(cursor)
    outputs = ACTIONS[action](step)
    return {"action": action, "check_mode": step.module.check_mode, **outputs}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            action={"type": "str", "default": "list", "choices": [*ACTIONS, *FORMER_NAMES]},
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
