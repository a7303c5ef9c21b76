# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbers that cannot be used are refused before anything is done, each by its name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.numbers import LIMITS, check_numbers

ROLES = Path(__file__).resolve().parents[3] / "roles"
SPECS = yaml.safe_load((ROLES / "variables/meta/argument_specs.yml").read_text())["argument_specs"]["main"]
DEFAULTS = yaml.safe_load((ROLES / "runbook/defaults/main.yml").read_text())

# Looked at where they are used, each in a sentence of its own.
ELSEWHERE = {"announce_timeout_seconds", "maintenance_window_timeout_seconds"}


def check(playbook: str = "deploy", **variables: Any) -> None:
    check_numbers(playbook, variables, lambda value: value)


def test_each_variable_that_is_a_number_has_its_limits() -> None:
    numbers = {name for name, option in SPECS["options"].items() if option.get("type") in ("int", "float")}
    assert numbers - ELSEWHERE == set(LIMITS)


def test_the_defaults_are_within_them() -> None:
    check(**{name: DEFAULTS[name] for name in LIMITS})


@pytest.mark.parametrize("name", sorted(LIMITS))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "1e400", "many", True, [1], 10**20])
def test_what_is_no_number_in_them_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Refused, match=f"{name} is .* has to be a number from") as refused:
        check(**{name: value})
    assert refused.value.code == "setting_invalid"


@pytest.mark.parametrize("name", sorted(set(LIMITS) - {"rehearsal_rows_seed"}))
def test_nothing_is_below_nought(name: str) -> None:
    with pytest.raises(Refused, match=name):
        check(**{name: -1})


def test_what_is_not_given_or_empty_is_left_alone() -> None:
    check(lock_attempts=None)
    check(lock_attempts="3", lock_timeout_seconds="0.5")


def test_a_rollback_is_kept_from_by_what_it_uses_alone() -> None:
    check("emergency_rollback", drill_max_age_days=-1, max_lock_seconds=math.nan)
    with pytest.raises(Refused, match="lock_timeout_seconds"):
        check("emergency_rollback", lock_timeout_seconds=0)
