# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A selection of the faults leaves only true words, and the judge sees each lie and each left-over that is planted."""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import random
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import faults
from benchmarks.fault_stories.commands import prepare
from benchmarks.fault_stories.judge import (
    AFTER,
    BEFORE,
    Command,
    Verdict,
    untrue_of_run,
    untrue_of_status,
)
from benchmarks.fault_stories.kills import Case
from benchmarks.fault_stories.stage import Play, Stage
from benchmarks.fault_stories.truth import left_behind, state_of


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, dict[str, Command]]]:
    stage = Stage(tmp_path_factory.mktemp("stage"), forks=True)
    try:
        yield stage, prepare(stage)
    finally:
        stage.remove()


@pytest.fixture(scope="module")
def deployed(prepared: tuple[Stage, dict[str, Command]]) -> tuple[Stage, Command, Play]:
    """A deploy to which nothing has happened."""
    stage, commands = prepared
    stage.begin("pristine")
    return stage, commands["deploy"], stage.play(*commands["deploy"].arguments)


def changed(play: Play, **facts: Any) -> Play:
    """The same run with another run.json."""
    return dataclasses.replace(play, record={**copy.deepcopy(play.record), **facts})


def test_a_run_that_was_stopped_goes_on_with_the_cases_that_are_left() -> None:
    cases = [Case(f"kind {one % 3}", "deploy", f"case {one}") for one in range(9)]

    def chosen(skip: int, many: int) -> list[Case]:
        options = argparse.Namespace(only=[], cases=many, skip=skip)
        return faults.choose(cases, options, random.Random(1))

    assert [*chosen(0, 4), *chosen(4, 3)] == chosen(0, 7)
    assert [*chosen(0, 0)[:4], *chosen(4, 0)] == chosen(0, 0)


def test_what_was_found_is_there_when_somebody_interrupts(prepared: tuple[Stage, dict[str, Command]]) -> None:
    class Lie(Case):
        def play(self, *arguments: Any) -> Verdict:
            return Verdict(["a lie"])

    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    rows: dict[str, faults.Row] = {}
    with pytest.raises(KeyboardInterrupt):
        faults.play_all([Lie("kind", "deploy", "one")], [prepared], interrupt, rows)
    assert "UNTRUE one: a lie" in faults.table(list(rows.values()))


def test_what_is_true_is_not_called_a_lie(deployed: tuple[Stage, Command, Play]) -> None:
    stage, command, play = deployed
    assert play.status == 0, play.output
    assert command.states[AFTER] == state_of(stage)
    assert untrue_of_run(stage, command, play, AFTER) == []
    assert left_behind(stage, roles(stage)) == []


@pytest.mark.parametrize(
    ("facts", "status", "now", "found"),
    [
        ({"outcome": "unchanged"}, 2, AFTER, "outcome unchanged, and the state is that from after"),
        ({"outcome": "refused"}, 2, AFTER, "outcome refused"),
        ({"outcome": "rolled_back"}, 2, AFTER, "outcome rolled_back"),
        ({}, 0, BEFORE, "exit status 0, outcome deployed, and the state is that from before"),
        ({}, 2, AFTER, "exit status 2 and outcome deployed"),
        ({"outcome": "failed", "reason": "?"}, 2, BEFORE, "outcome failed, and nothing was changed"),
        ({"outcome": "failed", "reason": "?"}, 2, AFTER, "the ledger says deployed and run.json failed"),
        ({}, 0, BEFORE, "the newest receipt of a change is apply, and the state is before"),
        ({}, 0, BEFORE, "the report says 'Production has the migration.'"),
        ({"run_id": "20260101T000000Z-nobody-0000"}, 0, AFTER, "the ledger knows nothing of a run"),
    ],
)
def test_lies_are_found(
    deployed: tuple[Stage, Command, Play], facts: dict[str, Any], status: int, now: str, found: str
) -> None:
    stage, command, play = deployed
    said = untrue_of_run(stage, command, dataclasses.replace(changed(play, **facts), status=status), now)
    assert any(found in sentence for sentence in said), said


def test_a_status_that_does_not_know_it_is_found(deployed: tuple[Stage, Command, Play]) -> None:
    stage, command, play = deployed
    status = dataclasses.replace(play, output="  002_author  pending\n")
    assert untrue_of_status(stage, command, status, BEFORE) == []
    assert "does not say applied" in untrue_of_status(stage, command, status, AFTER)[0]
    stage.out_of_service.touch()
    try:
        assert "out of service" in untrue_of_status(stage, command, status, BEFORE)[0]
    finally:
        stage.out_of_service.unlink()


def test_left_overs_are_found(deployed: tuple[Stage, Command, Play]) -> None:
    stage, _, _ = deployed
    before = roles(stage)
    stage.ask("CREATE DATABASE runbook_copy_x", "postgres")
    stage.ask("CREATE ROLE left_by_somebody", "postgres")
    (stage.work / "tmp" / "left.part").touch()
    with contextlib.closing(stage.server.connect("postgres")) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        cursor.execute("SET application_name = 'pgops.runbook'")
        found = "\n".join(left_behind(stage, before))
    stage.ask("DROP DATABASE runbook_copy_x", "postgres")
    stage.ask("DROP ROLE left_by_somebody", "postgres")
    (stage.work / "tmp" / "left.part").unlink()
    for what in (
        "database runbook_copy_x",
        "role left_by_somebody",
        "advisory lock",
        "session",
        "tmp/left.part",
    ):
        assert what in found
    assert left_behind(stage, before) == []


def roles(stage: Stage) -> list[str]:
    return [name for (name,) in stage.ask("SELECT rolname FROM pg_catalog.pg_roles", "postgres")]


def test_a_few_of_every_kind(prepared: tuple[Stage, dict[str, Command]]) -> None:
    chance = random.Random(7)
    options = argparse.Namespace(only=[], cases=faults.QUICK_CASES, skip=0)
    cases = faults.choose(faults.all_cases(*prepared, ["deploy"], chance), options, chance)
    rows = faults.play_all(cases, [prepared], print)
    assert "untrue words" in faults.table(rows)
    assert [(row.untrue, row.left) for row in rows] == [([], [])] * len(rows), faults.table(rows)
    assert sum(row.cases for row in rows) > 0
