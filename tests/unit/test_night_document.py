# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page for the night: every command that it names is one, and no outcome is left out."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.run import STATE_OF_PRODUCTION

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")


def variables() -> set[str]:
    """All that the roles know, and what the playbooks take besides."""
    # preflight_cascade is taken from the shorter name, which only a command line has.
    known = {"migration", "run_id", "cascade", "to"}
    for path in (PROJECT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            known |= set(entry.get("options", {}))
    return known


def test_each_playbook_is_there() -> None:
    named = set(re.findall(r"ansible-playbook (\S+\.yml)", TEXT))
    assert len(named) >= 5
    assert [name for name in sorted(named) if not (PROJECT / name).exists()] == []


def test_each_variable_is_one() -> None:
    named = set(re.findall(r"-e (\w+)=", TEXT))
    assert {"migration", "cascade", "take_over", "carry_over"} <= named
    assert sorted(named - variables()) == []


def test_each_outcome_has_a_row() -> None:
    rows = set(re.findall(r"^\| `(\w+)`", TEXT, re.MULTILINE))
    # A rehearsal is of the day before.
    assert rows == {*STATE_OF_PRODUCTION, "failed"} - {"rehearsed"}
