# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploys and emergency rollbacks by the modules of the steps, one after the other, as the playbooks start them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.errors import RunbookError
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns

__all__ = ["Chain", "Ended"]

DEPLOY = (
    "preflight",
    "maintenance_window",
    "backup",
    "verify_restore",
    "rehearse",
    "apply",
    "verify",
    "smoke_test",
)
REHEARSE = ("preflight", "backup", "verify_restore", "rehearse")
ROLLBACK = ("preflight", "backup", "emergency_rollback", "smoke_test")
#: Whose failure leaves production untouched; apply takes its own transaction back.
REFUSING = DEPLOY[: DEPLOY.index("apply")]
#: Which steps take which policy of a story.
TAKEN_BY = {
    "accept_data_loss": ("rehearse",),
    "accept_residue": ("rehearse",),
    "accept_empty_rollback": ("rehearse",),
    "accept_table_rewrite": ("rehearse",),
    "large_table_mb": ("rehearse",),
    "max_lock_seconds": ("rehearse",),
    "accept_drift": ("preflight",),
}


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        outcome: as run.json has it.
        step: that failed, or empty.
    """

    outcome: str
    step: str = ""
    reason_code: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return (
            f"{self.outcome} at {self.step}, {self.reason_code}: {self.reason}" if self.step else self.outcome
        )


@dataclass
class Chain:
    """Runs in one database with one folder of SQL.

    Args:
        folder: that has ``sql``.
        number: of the story, which the names of its runs have.
    """

    server: LocalServer
    database: str
    folder: Path
    migration: str
    number: int

    def __post_init__(self) -> None:
        self._runs = itertools.count(1)

    def write(self, path: str, text: str) -> None:
        """Write a file of sql_dir, to the byte."""
        file = self.folder / "sql" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")

    def deploy(self, policy: Mapping[str, str]) -> Ended:
        """The steps of deploy.yml; a failure after COMMIT is taken back, as there."""
        runs = self._run("deploy")
        ended = self._go(runs, DEPLOY, policy, "deployed")
        if ended.step in ("verify", "smoke_test"):
            runs.step("backup", purpose="emergency")
            taken_back = runs.step("emergency_rollback", automatic=True)
            outcome = "failed" if taken_back.get("failed") else "rolled_back"
            ended = Ended(outcome, ended.step, ended.reason_code, ended.reason)
        runs_opened = ended.step != "preflight"
        if runs_opened:
            runs.step("announce", outcome=ended.outcome)
        return ended

    def rehearse(self, policy: Mapping[str, str]) -> Ended:
        """The steps of playbooks/rehearse.yml."""
        return self._go(self._run("rehearse"), REHEARSE, policy, "rehearsed")

    def roll_back(self) -> Ended:
        """The steps of emergency_rollback.yml."""
        runs = self._run("emergency_rollback")
        ended = self._go(runs, ROLLBACK, {}, "rolled_back")
        if ended.step != "preflight":
            runs.step("announce", outcome=ended.outcome)
        return ended

    def _run(self, playbook: str) -> StepRuns:
        run_id = f"20260101T000000Z-s{self.number:03d}-{next(self._runs):04d}"
        return StepRuns(self.server, self.database, self.folder, playbook, self.migration, run_id=run_id)

    def _version(self, playbook: str) -> str:
        """
        Raises:
            RunbookError: the folder cannot be read, or there is no such migration in it.
        """
        library = read_sql_library(self.folder / "sql", tolerant=playbook == "emergency_rollback")
        return library.find(self.migration).version

    def _go(self, runs: StepRuns, steps: tuple[str, ...], policy: Mapping[str, str], well: str) -> Ended:
        for name in steps:
            options: dict[str, Any] = {key: value for key, value in policy.items() if name in TAKEN_BY[key]}
            if name == "backup" and steps is ROLLBACK:
                options["purpose"] = "emergency"
            try:
                # As the controller does: a number may be given in another form than the file's.
                runs.migration = self._version(runs.playbook)
                answer = runs.step(name, **options)
            except RunbookError as error:  # on the controller, before anything is sent
                return Ended(_outcome(name), name, error.code, error.reason)
            if answer.get("failed"):
                return Ended(_outcome(name), name, answer.get("reason_code", ""), answer["msg"])
        return Ended(well)


def _outcome(step: str) -> str:
    return "refused" if step in REFUSING else "unchanged"
