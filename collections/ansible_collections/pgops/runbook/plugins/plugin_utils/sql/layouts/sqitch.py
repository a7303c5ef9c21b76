# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sqitch's layout: sqitch.plan says which changes there are; each has a script in deploy/, revert/ and verify/.

The plan's order is the order, and its requirements are the requirements: `-- requires:` in a script is for people. A
change that was reworked is there twice; the older one is called `<change>@<tag>`, as its files are.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..folder import Script, read_folder, read_script, unusable
from ..found import Contents, Found
from ..header import Header, parse_header
from ..source import SqlScriptError
from .sqitch_conf import top_dir
from .sqitch_plan import Change, Plan, read_plan

__all__ = ["PLAN", "header_of_change", "place_of", "read", "versions_of_plan"]

PLAN = "sqitch.plan"


def read(root: Path, folder: str, tolerant: bool) -> Contents:
    """The changes of the plan in ``root``, or where sqitch.conf has it.

    Raises:
        SqlLibraryError: the plan, or the script that deploys a change, is missing or unreadable.
        SqlScriptError: the plan has a wrong line, a script is not UTF-8 text, or its header states a wrong value.
    """
    home = root / top_dir(root)
    within = "".join(f"{name}/" for name in home.relative_to(root).parts)
    plan_file = read_script(root, home / PLAN, header=lambda text, path: Header())
    plan = read_plan(plan_file.text, plan_file.path)
    versions = versions_of_plan(plan, home)
    prechecks, samples = (read_folder(root, name, tolerant=tolerant) for name in ("precheck", "sample"))
    migrations = []
    for place, change in enumerate(plan.changes):
        name = versions[place]
        migrations.append(
            Found(
                version=name,
                stem=name,
                rank=(place,),
                description=change.note or change.name.replace("_", " "),
                apply=_deploys(root, f"{within}deploy/{name}.sql", plan_file, change, tolerant),
                rollback=_script(root, f"{within}revert/{name}.sql", tolerant),
                rollback_place=f"{within}revert/{name}.sql",
                verify=_script(root, f"{within}verify/{name}.sql", tolerant),
                precheck=prechecks.get(name),
                sample=samples.get(name),
                requires=_requires(plan, place, versions),
            )
        )
    return Contents(tuple(migrations))


def versions_of_plan(plan: Plan, home: Path) -> list[str]:
    """Name of each change: that of its files, which of an older one has the tag at which it was reworked."""
    return [_file_name(change, home) for change in plan.changes]


def _file_name(change: Change, home: Path) -> str:
    if not change.reworked_at:
        return change.name
    names = [f"{change.name}@{tag}" for tag in change.reworked_at]
    return next((name for name in names if (home / "deploy" / f"{name}.sql").exists()), names[-1])


def _requires(plan: Plan, place: int, versions: list[str]) -> tuple[str, ...] | None:
    """Versions that a change requires; None where the plan says nothing, so that all before it are."""
    stated = plan.changes[place].requires
    if not stated:
        return None
    places = {need: place_of(need, plan, place) for need in stated}
    return tuple(need if at is None else versions[at] for need, at in places.items())


def place_of(need: str, plan: Plan, place: int) -> int | None:
    """Place in the plan of what the change at ``place`` requires, or None: it is of another project.

    A name stands for the last change so called before this one, `name@tag` for the one that the tag's state has, and a
    tag alone for the change that it follows.
    """
    name, _sign, tag = need.removeprefix(f"{plan.project}:").partition("@")
    earlier = plan.changes[:place]
    if tag:
        tagged = [at for at, one in enumerate(earlier) if tag in [found.name for found in one.tags]]
        earlier = earlier[: tagged[0] + 1] if tagged else ()
    places = [at for at, one in enumerate(earlier) if name in ("", one.name)]
    return places[-1] if places else None


def _deploys(root: Path, name: str, plan_file: Script, change: Change, tolerant: bool) -> Script:
    script = _script(root, name, tolerant)
    if script is not None:
        return script
    what = f"the plan has {change.name}, and there is no {name}"
    error = SqlScriptError("sqitch_plan_wrong", what, plan_file.path, change.line, 1)
    return unusable(Script(plan_file.path, name, "", "", Header()), error, tolerant)


def _script(root: Path, name: str, tolerant: bool) -> Script | None:
    if not (root / name).exists():
        return None
    return read_script(root, root / name, tolerant=tolerant, header=header_of_change)


def header_of_change(text: str, path: str) -> Header:
    """Sqitch writes one line `-- requires:` for each requirement into a new script; what counts is the plan."""
    return parse_header(re.sub(r"^--[ \t]*requires[ \t]*:", "-- plan has", text, flags=re.M | re.I), path)
