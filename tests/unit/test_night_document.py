# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page for the night, and the training for it: every command that they name is one, and no outcome is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.pgops.runbook.plugins.module_utils.reasons import REASONS
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.state import STATE_OF_PRODUCTION

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
TRAINING = (PROJECT / "docs" / "training.md").read_text(encoding="utf-8")

both = pytest.mark.parametrize("text", [TEXT, TRAINING], ids=["night", "training"])


def variables() -> set[str]:
    """All that the roles know, and what the playbooks take besides."""
    # preflight_cascade is taken from the shorter name, which only a command line has.
    known = {"migration", "run_id", "cascade", "tag", "to"}
    for path in (PROJECT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            known |= set(entry.get("options", {}))
    return known


@both
def test_each_playbook_is_there(text: str) -> None:
    named = set(re.findall(r"ansible-playbook (\S+\.yml)", text))
    assert len(named) >= 5
    assert [name for name in sorted(named) if not (PROJECT / name).exists()] == []


@both
def test_each_variable_is_one(text: str) -> None:
    named = set(re.findall(r"-e (\w+)=", text))
    assert {"migration", "take_over", "carry_over"} <= named
    assert sorted(named - variables()) == []


def test_each_reason_of_the_training_is_one() -> None:
    named = set(re.findall(r"reason code is `(\w+)`", TRAINING))
    assert named
    assert named <= set(REASONS)


def test_each_outcome_has_a_row() -> None:
    rows = set(re.findall(r"^\| `(\w+)`", TEXT, re.MULTILINE))
    # A rehearsal and a drill are of the days before.
    assert rows == {*STATE_OF_PRODUCTION, "failed"} - {"rehearsed", "drilled"}
