# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person types with -e is text, and a conditional takes no text for true or false."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
SPECS = yaml.safe_load((PROJECT / "roles/variables/meta/argument_specs.yml").read_text(encoding="utf-8"))
OPTIONS = SPECS["argument_specs"]["main"]["options"]
BOOLEANS = sorted(name for name, option in OPTIONS.items() if option.get("type") == "bool")
FILES = [
    *sorted(PROJECT.glob("roles/*/tasks/*.yml")),
    *sorted(PROJECT.glob("playbooks/*.yml")),
    PROJECT / "deploy.yml",
    PROJECT / "emergency_rollback.yml",
]

# As an operand: after "if", "not", "and", "or", or as the first word of a conditional.
BARE = re.compile(
    r"(?:\b(?:if|not|and|or)\s+|\bwhen:\s+|^\s*-\s+)(" + "|".join(BOOLEANS) + r")\b(?!\s*\|\s*bool)(?!\s*:)",
    re.M,
)


def bare(text: str) -> list[str]:
    return BARE.findall(text)


def test_there_are_some() -> None:
    assert "auto_restore" in BOOLEANS
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_variable_that_is_true_or_false_is_made_so(path: Path) -> None:
    assert bare(path.read_text(encoding="utf-8")) == []


def test_one_that_is_not_is_found() -> None:
    assert bare("  when: auto_restore or not x") == ["auto_restore"]
    assert bare("  when:\n    - auto_restore\n") == ["auto_restore"]
    assert bare("{{ 1 if auto_restore else 2 }}") == ["auto_restore"]
    assert bare("  when: auto_restore | bool and not cascade | bool") == []
    assert bare("    auto_restore: true") == []
