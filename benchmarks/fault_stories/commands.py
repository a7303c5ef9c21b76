# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands that faults happen to, each with the state that it begins in and the one that it is to lead to."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.fault_stories.application import DATABASE, MIGRATION, PREPARED, SCRIPTS, WRITTEN_SINCE
from benchmarks.fault_stories.judge import AFTER, AS_IT_WAS, BEFORE, TOUCHED_NOT, Command
from benchmarks.fault_stories.stage import Play, Stage
from benchmarks.fault_stories.truth import State, state_of

__all__ = ["STARTS", "count_statements", "prepare"]

#: Command -> what is kept under this name is what it begins with.
STARTS = {"deploy": "pristine", "rollback": "deployed", "restore": "deployed"}

DEPLOY = ("deploy.yml", "-e", f"migration={MIGRATION}")
ROLL_BACK = ("emergency_rollback.yml", "-e", f"migration={MIGRATION}")
PENDING = ("deploy.yml", "-e", "migration=pending")

STILL_HAS = "Production STILL HAS"
HAS = "Production has the migration."
IS_BEFORE = "Production is as it was before the migration"
ROLLED_BACK = "Production WAS ROLLED BACK"
RESTORED = "Production is the restored backup"


def prepare(stage: Stage) -> dict[str, Command]:
    """Start the stage's server, keep what cases begin with, and say what each command is to do.

    Raises:
        RuntimeError: the deploy of the preparation failed.
    """
    stage.empty()
    stage.server.start()
    stage.ask(f"CREATE DATABASE {DATABASE}", "postgres")
    stage.ask(PREPARED)
    pristine = state_of(stage)
    stage.keep("pristine")
    after_deploy = _by_hand(stage, SCRIPTS["migrations/002_author.sql"])
    stage.begin("pristine")
    after_rollback = _by_hand(stage, WRITTEN_SINCE.replace(", 'ann'", ""))
    stage.begin("pristine")
    deployed = count_statements(stage, "deploy", DEPLOY)
    stage.ask(WRITTEN_SINCE)
    with_rows = state_of(stage)
    stage.keep("deployed")
    run_id = (deployed.record or {})["run_id"]
    return {
        "deploy": Command(
            "deploy",
            DEPLOY,
            "deployed",
            {BEFORE: pristine, AFTER: after_deploy},
            ("already_applied", "applied_without_smoke_test"),
            PENDING,
            undone="rolled_back",
            says={
                TOUCHED_NOT: (BEFORE,),
                AS_IT_WAS: (BEFORE,),
                IS_BEFORE: (BEFORE,),
                HAS: (AFTER,),
                STILL_HAS: (AFTER,),
            },
        ),
        "rollback": Command(
            "rollback",
            ROLL_BACK,
            "rolled_back",
            {BEFORE: with_rows, AFTER: after_rollback},
            ("not_applied",),
            DEPLOY,
            says={
                TOUCHED_NOT: (BEFORE,),
                AS_IT_WAS: (BEFORE,),
                IS_BEFORE: (AFTER,),
                ROLLED_BACK: (AFTER,),
            },
        ),
        "restore": Command(
            "restore",
            ("playbooks/restore.yml", "-e", f"run_id={run_id}"),
            "restored",
            {BEFORE: with_rows, AFTER: pristine},
            (),
            PENDING,
            says={TOUCHED_NOT: (BEFORE,), AS_IT_WAS: (BEFORE,), RESTORED: (AFTER,)},
        ),
    }


def count_statements(stage: Stage, name: str, arguments: Sequence[str]) -> Play:
    """Run a command to which nothing happens, and keep in the stage how many statements each of its steps has.

    Raises:
        RuntimeError: it failed.
    """
    begun = time.monotonic()
    play = stage.play(*arguments, fault={"step": "", "at": 0, "action": ""})
    if play.status != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed without any fault: {play.output}")
    stage.seconds[name] = time.monotonic() - begun
    counts = stage.counts.setdefault(name, {})
    for line in (stage.folder / "planted" / "census").read_text(encoding="utf-8").splitlines():
        step, number = line.split()
        counts[step] = max(int(number), counts.get(step, 0))
    return play


def _by_hand(stage: Stage, statements: str) -> State:
    """The state after the application's statements, without the runbook."""
    stage.ask(statements)
    if "ADD COLUMN" in statements:
        stage.ask(f"INSERT INTO schema_migrations VALUES ('{MIGRATION}')")
    return state_of(stage)
