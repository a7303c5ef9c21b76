# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gates of preflight and of the maintenance window, each by itself, through the steps of a real run.

Each has its own consent, and only that one opens it.
"""

from __future__ import annotations

import datetime
import time

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.windows import openings
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.lint import find_squawk

from tests.integration.step_runs import StepRuns

RUNS = "SELECT count(*) FROM runbook.run"


def refused(runs: StepRuns, reason: str, name: str = "preflight", **options: object) -> None:
    """The step refuses, and a refused preflight opens no run."""
    known = runs.ask(RUNS) if name == "preflight" else None
    answer = runs.step(name, **options)
    assert (answer.get("failed"), answer.get("outcome")) == (True, "refused"), answer
    assert reason in answer["msg"]
    assert known is None or runs.ask(RUNS) == known


# Drift -----------------------------------------------------------------------------------------------------


def test_drift_is_refused_and_can_be_accepted(deployed: StepRuns) -> None:
    deployed.execute("CREATE INDEX by_hand ON notes (body)")
    next_one = deployed.another(wanted="003")
    refused(
        next_one, "The schema was changed outside of the runbook since its last run: index public.by_hand"
    )
    refused(next_one, "outside of the runbook", accept_edited_scripts=True)
    accepted = next_one.must("preflight", accept_drift=True)["outputs"]
    assert accepted["accepted_drift"] == ["index public.by_hand: was not there before"]
    next_one.conclude("failed")
    # What was accepted is what the database must have from now on.
    assert "accepted_drift" not in deployed.another(wanted="003").must("preflight")["outputs"]


def test_drift_does_not_hold_up_a_rollback(deployed: StepRuns) -> None:
    deployed.execute("CREATE INDEX by_hand ON notes (body)")
    deployed.another("emergency_rollback").must("preflight")


# Edited scripts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "script", "text"),
    [
        ("apply", "migrations__002_author", "ALTER TABLE notes ADD COLUMN author text; -- edited"),
        ("rollback", "rollback__002_author_rollback", "ALTER TABLE notes DROP COLUMN author; -- edited"),
        ("verify", "verify__002_author", "SELECT true;"),
    ],
)
def test_a_script_edited_after_its_deploy_is_refused_and_can_be_accepted(
    deployed: StepRuns, kind: str, script: str, text: str
) -> None:
    deployed.write(**{script: text})
    next_one = deployed.another(wanted="003")
    reason = f"The {kind} script of migration 002 was edited after its deploy"
    refused(next_one, reason)
    refused(next_one, reason, accept_drift=True)
    next_one.must("preflight", accept_edited_scripts=True)


def test_a_rollback_minds_its_own_script_only(deployed: StepRuns) -> None:
    deployed.write(migrations__002_author="ALTER TABLE notes ADD COLUMN author text; -- edited")
    rollback = deployed.another("emergency_rollback")
    rollback.must("preflight")
    rollback.conclude("failed")
    deployed.write(rollback__002_author_rollback="ALTER TABLE notes DROP COLUMN author; -- edited")
    refused(
        deployed.another("emergency_rollback"),
        "The rollback script of migration 002 was edited after its deploy",
    )


# The window ------------------------------------------------------------------------------------------------


def around_now(first: int, last: int) -> dict[str, str]:
    """A window from so many hours after now to so many, in UTC."""
    now = datetime.datetime.now(datetime.UTC)
    start, end = (f"{now + datetime.timedelta(hours=hours):%H:%M}" for hours in (first, last))
    return {"start": start, "end": end, "timezone": "UTC"}


def test_a_closed_window_is_refused_and_nothing_after_it_runs(runs: StepRuns) -> None:
    runs.steps("preflight")
    refused(runs, "Checklist item 'maintenance window'", "maintenance_window", window=around_now(6, 12))
    refused(runs, "needs step maintenance_window to have succeeded", "backup")


def test_an_open_window_lets_the_run_on(runs: StepRuns) -> None:
    runs.steps("preflight")
    window = around_now(-6, 6)
    entered = runs.must("maintenance_window", window=window)["outputs"]
    assert (entered["window"], entered["opening"]["timezone"]) == (window, "UTC")
    runs.steps("backup")


def test_a_run_that_would_not_end_in_its_window_does_not_touch_production(runs: StepRuns) -> None:
    runs.steps("preflight")
    now = datetime.datetime.now(datetime.UTC)
    (opening,) = (
        one for one in openings(around_now(-6, 6), now) if one["opens"] <= now.isoformat() < one["closes"]
    )
    closes = now + datetime.timedelta(seconds=2)
    runs.must(
        "maintenance_window", window={"any": "one"}, openings=[{**opening, "closes": closes.isoformat()}]
    )
    # Who is kept out in it makes the window no other one.
    runs.must("maintenance_window", mode="read_only")
    runs.steps("backup", "verify_restore", "rehearse")
    while datetime.datetime.now(datetime.UTC) < closes:
        time.sleep(0.1)
    answer = runs.step("apply")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "rehearsed_time_exceeds_window")
    assert "which is over" in answer["msg"]
    assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]


def test_a_window_that_nobody_has_read_is_none_that_is_open(runs: StepRuns) -> None:
    runs.steps("preflight")
    refused(runs, "The window was not read", "maintenance_window", window={"start": "x"}, openings=None)


def test_the_window_is_read_in_its_own_time_zone(runs: StepRuns) -> None:
    """Twelve hours away from UTC, what is open there is closed here."""
    runs.steps("preflight")
    here = around_now(-3, 3)
    refused(runs, "it is", "maintenance_window", window={**here, "timezone": "Etc/GMT-12"})
    there = around_now(9, 15)
    runs.must("maintenance_window", window={**there, "timezone": "Etc/GMT-12"})


# Lint ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(find_squawk() is None, reason="squawk is not installed")
def test_what_the_linter_finds_is_refused_where_its_rule_is_a_gate(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="-- Adds a column.\nALTER TABLE notes ADD COLUMN author text NOT NULL;",
        migrations__003_tag="-- Requires: 001\nALTER TABLE notes ADD COLUMN tag text;",
        rollback__003_tag_rollback="ALTER TABLE notes DROP COLUMN tag;",
    )
    gate = {"lint_gating_rules": ["ban-drop-table", "adding-required-field"]}
    runs.another(wanted="003").must("preflight", **gate)
    runs.execute("UPDATE runbook.run SET finished = now(), outcome = 'failed'")
    refused(
        runs,
        "The linter's rule adding-required-field is among preflight_lint_gating_rules.",
        **gate,
        accept_drift=True,
        accept_edited_scripts=True,
    )
    found = runs.must("preflight", lint_gating_rules=["ban-drop-table"])["outputs"]["lint"]["002"]
    assert [(one["rule"], one["line"]) for one in found] == [("adding-required-field", 2)]
