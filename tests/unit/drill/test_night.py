# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the steps of a night are given: the copy in production's place, and nothing that acts elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.drill import night, phases
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import CHAINS
from ansible_collections.pgops.runbook.plugins.module_utils.step.played import PlayedModule
from ansible_collections.pgops.runbook.plugins.module_utils.steps.drill import OPTIONS, STEPS

PRODUCTION = {"login_db": "library", "login_host": "db1", "login_password": "secret"}
SMOKE = [{"name": "smoke/1.sql", "sha256": "s1", "statements": []}]


class OfDrill:
    """What a night takes from the step drill."""

    run_id = "20260101T000000Z-library-0001"

    def __init__(self, **params: Any) -> None:
        defaults = {name: option.get("default") for name, option in OPTIONS.items()}
        run = {"run_id": self.run_id, "tag": "t1", "library_hosts": ["media1"], "signed": {"a": "b"}}
        own = {"target": PRODUCTION, "run": run, "backup_dir": "/b", "backup_max_age_minutes": 7}
        self.params = {**defaults, **own, **params}
        self.plan = {
            "migrations": [{"version": "009"}],
            "smoke": SMOKE,
            "books": {"tool": "rails"},
            "opening": {"index": ["all"], "migrations": ["digests"]},
        }

    def smoke_scripts(self) -> list:
        return list(SMOKE)


def answering(**answer: Any) -> PlayedModule:
    module = PlayedModule({})
    module.exit_json(**answer)
    return module


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Each step that is played, and its options."""
    found: list[tuple[str, dict[str, Any]]] = []

    def play(name: str, params: dict[str, Any], work: object) -> PlayedModule:
        found.append((name, params))
        return answering(outputs={"of": "it"})

    monkeypatch.setattr(night, "play", play)
    monkeypatch.setattr(night.Night, "_on_copy", lambda self, work: None)
    return found


def of_night(**params: Any) -> night.Night:
    step: Any = OfDrill(**params)
    return night.Night(step, CopyDatabase(PRODUCTION, OfDrill.run_id), ["009"], STEPS)


def test_every_step_of_a_chain_can_be_played() -> None:
    played = {
        step for playbook in ("deploy", "emergency_rollback", "restore") for step in CHAINS[playbook][0]
    }
    assert played == set(STEPS)


@pytest.mark.parametrize("playbook", ["deploy", "emergency_rollback", "restore"])
def test_no_step_is_given_production_or_anything_beside_the_copy(playbook: str, given: list) -> None:
    of_night().run("deploy", playbook, "deployed", "009")
    assert [name for name, _ in given] == list(CHAINS[playbook][0])
    for _, params in given:
        assert params["target"]["login_db"].startswith("runbook_copy_")
        assert {**params["target"], "login_db": "library"} == PRODUCTION
        assert params.get("copy_target", params["target"]) == params["target"]
        run = params["run"]
        assert (run["playbook"], run["run_id"]) == (playbook, f"{OfDrill.run_id}-drill-deploy")
        assert (run["tag"], run["library_hosts"], run["signed"]) == ("", [], None)
        assert (params["plan"]["books"], "opening" in params["plan"]) == ({"tool": "rails"}, False)
        assert params.get("approvals_required", 0) == params.get("takes_out_of_service", 0) == 0


def test_only_what_the_copy_is_asked_for_is_in_its_plan(given: list) -> None:
    of_night().run("rollback", "emergency_rollback", "rolled_back", "009")
    plans = {name: params["plan"] for name, params in given}
    assert (plans["preflight"]["index"], plans["preflight"]["exactly"]) == (["all"], ["009"])
    assert plans["preflight"]["smoke_digests"] == {"smoke/1.sql": "s1"}
    assert plans["emergency_rollback"]["migrations"] == [{"version": "009"}]
    given.clear()
    of_night().run("restore", "restore", "restored", "", source_run_id="r1", carry_over=True)
    found = dict(given)
    assert (found["preflight"]["source_run_id"], found["swap"]["carry_over"]) == ("r1", True)
    assert (found["smoke_test"]["plan"]["migrations"], found["smoke_test"]["plan"]["smoke"]) == ([], [])


@pytest.mark.parametrize(
    ("wanted", "made"), [("auto", "auto"), ("salvage", "salvage"), ("restore_point", "full")]
)
def test_no_restore_point_is_set_in_the_wal_of_production(wanted: str, made: str, given: list) -> None:
    of_night(emergency_backup=wanted).run("rollback", "emergency_rollback", "rolled_back", "009")
    found = dict(given)
    assert found["preflight"]["emergency_backup"] == found["emergency_backup"]["kind"] == made
    assert found["emergency_backup"]["purpose"] == "emergency"


def test_a_step_that_fails_ends_the_night_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = answering(failed=True, reason_code="lock_not_available", msg="no lock.")
    monkeypatch.setattr(night, "play", lambda *given: answer)
    with pytest.raises(Refused) as caught:
        of_night().run("deploy", "deploy", "deployed", "009")
    assert caught.value.code == "lock_not_available"
    assert caught.value.reason == (
        "The drill failed on its copy, in step preflight of its deploy: no lock. Production was not touched."
    )


class NoNight:
    """One in which the second phase fails."""

    def begin(self) -> bool:
        return False

    def run(self, *given: object) -> dict[str, Any]:
        raise Refused("lock_not_available", "no lock")


def test_a_phase_that_fails_is_the_last_and_says_why() -> None:
    of: Any = NoNight()
    step: Any = OfDrill()
    found = phases.Phases(step, of, [])
    found.migrations = [{"version": "009"}]
    with pytest.raises(Refused):
        found.play_all()
    (only,) = found.done
    assert (only["phase"], only["status"], only["reason"]) == ("deploy", "failed", "no lock")
    assert only["seconds"] >= 0
