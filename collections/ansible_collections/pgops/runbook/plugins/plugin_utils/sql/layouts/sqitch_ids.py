# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How Sqitch knows a change: digests of what its plan says of it (manual page sqitchchanges, "Object IDs").

Each is the SHA-1 of a text in the way that Git names objects: kind, length and a zero byte before it. A change's text
names the change before it, so that an identity stands for all of the plan up to it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ....module_utils import shapes
from .sqitch import PLAN, place_of, versions_of_plan
from .sqitch_conf import top_dir
from .sqitch_plan import Change, Plan, Tag, read_plan

__all__ = ["change_ids", "registry_rows"]


def change_ids(plan: Plan) -> list[str]:
    """The identity of each change of a plan."""
    identities: list[str] = []
    for change in plan.changes:
        lines = [*_of_project(plan), f"change {change.name}"]
        lines += [f"parent {identities[-1]}"] if identities else []
        lines += _planned(change)
        for word, sign, needs in (("requires", "+", change.requires), ("conflicts", "-", change.conflicts)):
            lines += [word, *(f"  {sign} {need}" for need in needs)] if needs else []
        lines += ["", change.note] if change.note else []
        identities.append(_digest("change", lines))
    return identities


def _tag_id(plan: Plan, tag: Tag, change_id: str) -> str:
    lines = [*_of_project(plan), f"tag @{tag.name}", f"change {change_id}", *_planned(tag)]
    return _digest("tag", [*lines, "", tag.note] if tag.note else lines)


def _of_project(plan: Plan) -> list[str]:
    return [f"project {plan.project}", *([f"uri {plan.uri}"] if plan.uri else [])]


def _planned(one: Change | Tag) -> list[str]:
    return [f"planner {one.planner} <{one.email}>", f"date {one.time}"]


def _digest(kind: str, lines: list[str]) -> str:
    content = "\n".join(lines).encode()
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def registry_rows(root: Path) -> dict[str, shapes.Json]:
    """Version -> what Sqitch would write into its registry for it, of the plan of ``root``.

    Raises:
        SqlLibraryError: see top_dir.
        SqlScriptError: the plan has a wrong line.
    """
    home = root / top_dir(root)
    plan = read_plan((home / PLAN).read_text(encoding="utf-8"), str(home / PLAN))
    ids, names = change_ids(plan), versions_of_plan(plan, home)
    return {name: _row(plan, place, ids, home / "deploy" / f"{name}.sql") for place, name in enumerate(names)}


def _row(plan: Plan, place: int, ids: list[str], script: Path) -> shapes.Json:
    change = plan.changes[place]
    return {
        "change_id": ids[place],
        "change": change.name,
        "project": plan.project,
        "uri": plan.uri,
        "note": change.note,
        **_planned_row(change),
        "script_hash": _hash_of(script),
        "dependencies": [
            *(_dependency("require", need, _named(need, plan, place, ids)) for need in change.requires),
            *(_dependency("conflict", need, None) for need in change.conflicts),
        ],
        "tags": [
            {
                "tag_id": _tag_id(plan, tag, ids[place]),
                "tag": f"@{tag.name}",
                "note": tag.note,
                **_planned_row(tag),
            }
            for tag in change.tags
        ],
    }


def _dependency(kind: str, need: str, change_id: str | None) -> shapes.Json:
    return {"type": kind, "dependency": need, "dependency_id": change_id}


def _named(need: str, plan: Plan, place: int, ids: list[str]) -> str | None:
    found = place_of(need, plan, place)
    return None if found is None else ids[found]


def _planned_row(one: Change | Tag) -> shapes.Json:
    return {"planned_at": one.time, "planner_name": one.planner, "planner_email": one.email}


def _hash_of(script: Path) -> str | None:
    if not script.exists():
        return None
    return hashlib.sha1(script.read_bytes(), usedforsecurity=False).hexdigest()
