# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""README.md tells of everything that a person can set or meets: variables, steps, items of the checklist, commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT / "collections/ansible_collections/pgops/runbook/plugins"
README = (PROJECT / "README.md").read_text(encoding="utf-8")

#: Set by playbooks only, or by a shorter name on the command line.
OF_PLAYBOOKS = re.compile(
    r".*_automatic|runbook_playbook|preflight_cascade|status_adopt|import_from|approve_(run_id|comment)"
)
#: What an empty default means, in a word of its own.
IN_WORDS = {
    "db_name": "required",
    "db_host": "libpq's",
    "db_user": "libpq's",
    "db_password": "libpq's",
    "db_sslrootcert": "libpq's",
    "db_sslcert": "libpq's",
    "db_sslkey": "libpq's",
    "pg_bindir": "PATH",
    "sql_dir": "sql",
    "artifacts_dir": "artifacts",
    "check_output_dir": "artifacts/check",
    "migration": "required",
    "import_project": "required",
    "maintenance_window_hours": "always",
    "salvage_item": "none",
    "salvage_older_than_days": "none",
}
ON_THE_COMMAND_LINE = {
    "adopt": "false",
    "cascade": "false",
    "from": "required",
    "name": "none",
    "run_id": "none",
    "skip": "none",
    "tag": "none",
    "until": "none",
    "to": "none",
    "restore_to": "none",
    "approval_comment": "none",
}


def _as_word(name: str, value: Any) -> str:
    if name in IN_WORDS:
        return IN_WORDS[name]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and value:
        return ", ".join(map(str, value))
    return str(value) if value not in ("", [], {}) else "none"


def _public_variables() -> dict[str, str]:
    """Name -> default as the README has to say it."""
    found = dict(ON_THE_COMMAND_LINE)
    for specs in sorted((PROJECT / "roles").glob("*/meta/argument_specs.yml")):
        options = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
        found |= {
            name: _as_word(name, option.get("default"))
            for name, option in options.items()
            if not OF_PLAYBOOKS.fullmatch(name)
        }
    return found


def _documented_variables() -> dict[str, str]:
    """Name -> default in the tables below the heading Variables; a row may be of several."""
    part = README[README.index("### Variables") : README.index("## As a collection")]
    found: dict[str, str] = {}
    for first, default, _ in re.findall(r"^\| (`.*?) \| (.*?) \| (.*) \|$", part, re.MULTILINE):
        names = re.findall(r"`(\w+)`", first)
        values = default.replace("`", "").split(", ")
        if len(values) == 1:
            values *= len(names)
        elif len(names) == 1:
            values = [", ".join(values)]
        assert len(names) == len(values), first
        assert not found.keys() & set(names), f"twice: {names}"
        found |= dict(zip(names, values, strict=True))
    return found


def test_every_public_variable_is_there_with_its_default() -> None:
    assert _documented_variables() == _public_variables()


def test_the_chain_of_a_deploy_is_that_of_its_playbook() -> None:
    """A role that is called twice, at the beginning and at the end, stands there twice; what resumes a run does not."""
    plays = yaml.safe_load((PROJECT / "deploy.yml").read_text(encoding="utf-8"))
    (tasks,) = (play["tasks"] for play in plays if play.get("tasks"))
    roles = [task["ansible.builtin.import_role"] for task in tasks[0]["block"]]
    # Neither what resumes a run is a step, nor what decides whether it begins.
    steps = [role["name"] for role in roles if role.get("tasks_from") != "go_on" and role["name"] != "fleet"]
    drawn = re.findall(r"^    (\w+) +\|", README, re.MULTILINE)
    assert drawn == [*steps, "announce"]
    told = re.findall(r"^\| `(\w+)` \| .* \| .* \|$", README[: README.index("## Commands")], re.MULTILINE)
    assert told == steps


def test_every_item_of_the_checklist_is_explained() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in PLUGINS.rglob("*.py"))
    items = set(re.findall(r"Checklist item '(.+?)'", code))
    assert items, "refusals name items"
    table = README[README.index("| checklist item |") : README.index("`emergency_rollback.yml` takes")]
    assert set(re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)) == items


def test_every_outcome_is_explained() -> None:
    report = (PLUGINS / "plugin_utils/report/state.py").read_text(encoding="utf-8")
    block = report[report.index("STATE_OF_PRODUCTION = {") : report.index("LOOK =")]
    table = README[README.index("| outcome | production |") : README.index("Beside the sentence stands")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {
        *re.findall(r'^    "(\w+)":', block, re.MULTILINE),
        "failed",
    }


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make (?:PYTHON=\S+ )?([a-z][a-z-]*)", README))))
def test_every_make_command_exists(target: str) -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_make_command_that_help_lists_is_there() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    listed = set(re.findall(r"@echo 'make ([a-z][a-z-]*)", makefile))
    assert {name for name in listed if f"`make {name}" not in README} == set()


def test_every_playbook_is_there() -> None:
    playbooks = {path.name for path in (*PROJECT.glob("*.yml"), *(PROJECT / "playbooks").glob("*.yml"))} - {
        "requirements.yml",
        "execution-environment.yml",
    }
    assert {name for name in playbooks if name not in README} == set()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(([\w./-]+?)(?:#[\w-]+)?\)", README))))
def test_every_link_leads_somewhere(name: str) -> None:
    assert (PROJECT / name).exists()


@pytest.mark.parametrize("heading", sorted(set(re.findall(r"\]\(#([\w-]+)\)", README))))
def test_every_link_within_the_page_leads_to_a_heading(heading: str) -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    assert heading in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
