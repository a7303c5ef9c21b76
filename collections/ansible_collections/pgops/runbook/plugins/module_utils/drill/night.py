# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs of a night on the copy, which stands in the place of production: the same steps, gates and receipts.

The receipts go into the ledger of the copy. What acts on the controller or on other hosts is no part of any step here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ..backup.copy import CopyDatabase
from ..backup.emergency import FULL, RESTORE_POINT
from ..errors import Refused
from ..ledger.ledger import Ledger
from ..ledger.receipts import CHAINS
from ..ledger.upgrade import upgrade
from ..ledger.versions import VersionTable
from ..postgres.connection import transaction
from ..restore.opening import open_restore
from ..shapes import Cursor, Json, Script
from ..step.options import operator_name, step_argument_spec
from ..step.played import options_of, play
from ..step.step import Step
from .remains import run_of

__all__ = ["Night", "Steps", "Work"]

#: What a step does; returns the outputs for its receipt.
Work = Callable[[Step], Optional[Json]]

#: Step -> its options, and its work.
Steps = Mapping[str, tuple[Json, Work]]

NOT_TOUCHED = "Production was not touched."


class Night:
    """Plays runs on the copy of a drill.

    Args:
        step: the step drill.
        copy: the restored backup, which is there.
        versions: of the migrations that the drill is about, in order.
        steps: those of production.

    Attributes:
        smoke: the smoke scripts of the runs to come.
    """

    def __init__(self, step: Step, copy: CopyDatabase, versions: Sequence[str], steps: Steps) -> None:
        self.step = step
        self.copy = copy
        self.versions = list(versions)
        self.steps = steps
        self.smoke: list[Script] = step.smoke_scripts()
        self._target = {**copy.target, "login_db": copy.name}

    def begin(self) -> bool:
        """Close what is open on the copy; whether one of the migrations is applied there already.

        A run that was at work in production when the backup was made is at work in no copy of it.
        """
        applied: list[str] = []

        def work(cursor: Cursor) -> None:
            upgrade(cursor)
            open_run = Ledger().unfinished_run_id(cursor)
            if open_run is not None:
                Ledger().finish_run(cursor, open_run, "refused", "this database is a copy")
            applied.extend(VersionTable(cursor).applied())

        self._on_copy(work)
        return bool(set(self.versions) & set(applied))

    def run(self, part: str, playbook: str, outcome: str, wanted: str, **options: Any) -> Json:
        """Play all steps of a run; returns what each has found, and by ``seconds`` how long each took.

        Raises:
            Refused: one failed, with its code and its reason.
        """
        outputs: Json = {"seconds": {}}
        run_id = run_of(self.step.run_id, part)
        for name in CHAINS[playbook][0]:
            clock = time.monotonic()
            params = self._params(name, run_id, playbook, wanted, options)
            answer = play(name, params, self._work(name, playbook)).answer
            if answer.get("failed"):
                raise Refused(
                    answer["reason_code"],
                    f"The drill failed on its copy, in step {name} of its {playbook}: {answer['msg'].rstrip('.')}."
                    f" {NOT_TOUCHED}",
                )
            outputs[name] = answer["outputs"]
            outputs["seconds"][name] = round(time.monotonic() - clock, 3)
        self._on_copy(lambda cursor: Ledger().finish_run(cursor, run_id, outcome, ""))
        return outputs

    def _on_copy(self, work: Callable[[Cursor], object]) -> None:
        connection = self.copy.connect()
        try:
            with transaction(connection) as cursor:
                work(cursor)
        finally:
            connection.close()

    def _work(self, name: str, playbook: str) -> Work:
        if (name, playbook) == ("preflight", "restore"):
            return lambda step: open_restore(step, operator_name(step.params["run"]["operator"]))
        return self.steps[name][1]

    def _params(self, name: str, run_id: str, playbook: str, wanted: str, options: Json) -> Json:
        purpose = "emergency" if name == "emergency_backup" else "deploy"
        given = {
            **self._given(),
            **options,
            "target": self._target,
            "copy_target": self._target,
            "backup_dir": self.step.params["backup_dir"],
            "backup_max_age_minutes": self.step.params["backup_max_age_minutes"],
            "run": self._run_options(run_id, playbook, wanted),
            "plan": self._plan(name, playbook),
            "purpose": purpose,
        }
        return options_of(step_argument_spec(**self.steps[name][0]), given)

    def _given(self) -> Json:
        """Options of the drill, some of which its steps have too: with nobody to wait for, and no mark in the WAL."""
        given = dict(self.step.params)
        if given["emergency_backup"] == RESTORE_POINT:
            given["emergency_backup"] = FULL
        return {**given, "kind": given["emergency_backup"], "max_replica_lag_mb": 0, "progress_file": ""}

    def _run_options(self, run_id: str, playbook: str, wanted: str) -> Json:
        """Of a run for which no files on disk follow, and which nobody signs: it ends with the copy."""
        return {
            **self.step.params["run"],
            "run_id": run_id,
            "playbook": playbook,
            "migration": wanted,
            "tag": "",
            "library_hosts": [],
            "signed": None,
            "last_receipt": "",
            "died": None,
        }

    def _plan(self, name: str, playbook: str) -> Json:
        plan = {key: value for key, value in self.step.plan.items() if key != "opening"}
        plan["smoke"] = [] if playbook == "restore" else self.smoke
        if playbook == "restore":
            return {**plan, "migrations": []}
        if name != "preflight":
            return plan
        digests = {script["name"]: script["sha256"] for script in self.smoke}
        exactly = self.versions if playbook == "emergency_rollback" else []
        return {**plan, **self.step.plan["opening"], "smoke_digests": digests, "exactly": exactly}
