# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step drill; its options are documented in plugins/modules/drill.py.

The copy stands in the place of production, and the runs of a night are played on it: the same steps in the same order,
with the same gates and receipts, which go into the ledger of the copy.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ..backup.copy import CopyDatabase
from ..backup.emergency import EMERGENCY_BACKUP_SPEC, FULL, RESTORE_POINT
from ..backup.encryption import ENCRYPTION_SPEC
from ..drill.proof import count_rows, refuse_lost_rows, rows_of
from ..drill.remains import forget_dead_drills, remove_remains, run_of
from ..drill.writes import ROWS_SPEC, refuse_number_of_rows, write_as_users
from ..errors import Refused, RunbookError
from ..execution.script import LOCK_SPEC
from ..impact.policy import POLICY_SPEC
from ..ledger.drills import note_drill
from ..ledger.ledger import Ledger
from ..ledger.receipts import CHAINS
from ..ledger.upgrade import upgrade
from ..ledger.versions import VersionTable
from ..postgres.connection import TARGET_SPEC, psycopg2, transaction
from ..postgres.message import one_line
from ..postgres.standbys import commit_without_standbys
from ..preflight.replication import SLOT_SPEC
from ..preflight.together import TOGETHER_SPEC
from ..rehearsal.rehearsal import RESIDUE_SPEC, Rehearsal
from ..restore.opening import open_restore
from ..salvage.returning.returner import SALVAGE_SPEC
from ..sentences import listed
from ..shapes import Catalog, Content, Cursor, Json, Migration
from ..step.options import operator_name, step_argument_spec
from ..step.played import options_of, play
from ..step.step import Step
from . import (
    apply,
    backup,
    emergency_rollback,
    maintenance_window,
    preflight,
    rehearse,
    restore,
    smoke_test,
    swap,
    verify,
    verify_restore,
)
from . import count_rows as counting

#: Those that not every step has.
OPTIONS: Json = {
    "copy_target": {"type": "dict", "options": TARGET_SPEC},
    **ENCRYPTION_SPEC,
    "pg_bindir": {"type": "path", "default": ""},
    "jobs": {"type": "int", "default": 2},
    **ROWS_SPEC,
    "emergency_backup": EMERGENCY_BACKUP_SPEC["kind"],
    "full_max_mb": EMERGENCY_BACKUP_SPEC["full_max_mb"],
    "statement_timeout_seconds": LOCK_SPEC["statement_timeout_seconds"],
    "accept_drift": {"type": "bool", "default": False},
    "accept_edited_scripts": {"type": "bool", "default": False},
    "accept_broken_chain": {"type": "bool", "default": False},
    **POLICY_SPEC,
    **RESIDUE_SPEC,
    **SLOT_SPEC,
    **SALVAGE_SPEC,
    **TOGETHER_SPEC,
}

#: What a step does; returns the outputs for its receipt.
Work = Callable[[Step], Optional[Json]]

#: Step -> its options, and its work: those of production.
STEPS: dict[str, tuple[Json, Work]] = {
    "preflight": (preflight.OPTIONS, preflight.work),
    "maintenance_window": (maintenance_window.OPTIONS, maintenance_window.work),
    "backup": (backup.OPTIONS, backup.work),
    "verify_restore": (verify_restore.OPTIONS, verify_restore.work),
    "rehearse": (rehearse.OPTIONS, rehearse.work),
    "apply": (apply.OPTIONS, apply.work),
    "verify": ({}, verify.work),
    "smoke_test": (smoke_test.OPTIONS, smoke_test.work),
    "emergency_backup": (backup.OPTIONS, backup.work),
    "emergency_rollback": (emergency_rollback.OPTIONS, emergency_rollback.work),
    "restore": (restore.OPTIONS, restore.work),
    "count_rows": (counting.OPTIONS, counting.work),
    "swap": (swap.OPTIONS, swap.work),
}

NOT_TOUCHED = "Production was not touched."


class Drill:
    """The phases of a drill, one after the other, and what came of each.

    Args:
        step: the step, its gate passed; its connection is to production, which is only read.
        copy: the restored backup, which is there.
        migrations: with their scripts, in order.

    Attributes:
        phases: of each that was begun: phase, status, started, seconds, and what came of it.
    """

    def __init__(self, step: Step, copy: CopyDatabase, migrations: Sequence[Migration]) -> None:
        self.step = step
        self.copy = copy
        self.migrations = list(migrations)
        self.phases: list[Json] = []
        self.target = {**copy.target, "login_db": copy.name}
        self.given = self._given()
        # Made-up rows are not those that smoke and verify scripts know.
        self._smoke = step.smoke_scripts()
        self._deployed: tuple[Catalog, Content] = ({}, {})
        self._kept: list[Json] = []

    def _given(self) -> Json:
        """Options of the steps on the copy: those of the drill, with nobody to wait for and nothing in the WAL."""
        given = {name: self.step.params[name] for name in OPTIONS}
        if given["emergency_backup"] == RESTORE_POINT:
            given["emergency_backup"] = FULL
        return {**given, "kind": given["emergency_backup"], "max_replica_lag_mb": 0}

    def play_all(self) -> None:
        """All phases.

        Raises:
            RunbookError: one failed; it is the last of ``phases``.
        """
        with transaction(self.step.connection) as cursor:
            applied = VersionTable(cursor).applied()
        self._close_what_was_open()
        if any(one["version"] in applied for one in self.migrations):
            self._phase("take_back", self._take_back)
        self._phase("deploy", self._deploy)
        self._phase("writes", self._write)
        self._smoke = []
        self._phase("rollback", self._roll_back)
        self._phase("restore", self._restore)
        self._phase("deploy_again", self._deploy_again)

    def _close_what_was_open(self) -> None:
        """A run that was at work in production when the backup was made is at work in no copy of it."""

        def close(cursor: Cursor) -> None:
            upgrade(cursor)
            open_run = Ledger().unfinished_run_id(cursor)
            if open_run is not None:
                Ledger().finish_run(cursor, open_run, "refused", "this database is a copy")

        self._on_copy(close)

    def _phase(self, name: str, work: Callable[[], Json]) -> None:
        clock = time.monotonic()
        started = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        phase: Json = {"phase": name, "status": "failed", "started": started}
        self.phases.append(phase)
        try:
            phase.update(work(), status="ok")
        except (RunbookError, psycopg2.Error) as error:
            phase["reason"] = error.reason if isinstance(error, RunbookError) else one_line(error)
            raise
        finally:
            phase["seconds"] = round(time.monotonic() - clock, 3)

    # Phases --------------------------------------------------------------------------------------------

    def _take_back(self) -> Json:
        """What is deployed already, so that it can be deployed."""
        return self._rollback_of("before")

    def _deploy(self) -> Json:
        wanted = self.migrations[0]["version"] if len(self.migrations) == 1 else "pending"
        outputs = self._run("deploy", "deploy", "deployed", wanted)
        return {
            "steps": outputs["seconds"],
            "statements_seconds": _statements(outputs["apply"]),
            "verified": outputs["verify"]["verify_scripts"],
        }

    def _write(self) -> Json:
        params = self.step.params
        connection = self.copy.connect()
        try:
            found = write_as_users(connection, self.copy.name, params["rows"], params["seed"])
            self._deployed = Rehearsal(connection).state()
        finally:
            connection.close()
        return found

    def _roll_back(self) -> Json:
        found = self._rollback_of("rollback")
        self._kept = found.pop("salvage")
        return {**found, "kept_rows": sum(one["rows"] for one in self._kept)}

    def _rollback_of(self, part: str) -> Json:
        outputs = self._run(part, "emergency_rollback", "rolled_back", self.migrations[-1]["version"])
        done = outputs["emergency_rollback"]["migrations"]
        return {
            "steps": outputs["seconds"],
            "statements_seconds": _statements(outputs["emergency_rollback"]),
            "schema_restored": all(one["schema_restored"] is not False for one in done),
            "salvage": [item for one in done for item in one["salvage"]],
        }

    def _restore(self) -> Json:
        source = run_of(self.step.run_id, "deploy")
        outputs = self._run("restore", "restore", "restored", "", source_run_id=source, carry_over=True)
        swapped = outputs["swap"]
        tables = swapped["rows"]["tables"].values()
        return {
            "steps": outputs["seconds"],
            "schema_equal": outputs["restore"]["proof"]["schema_equal"],
            "data_equal": outputs["restore"]["proof"]["data_equal"],
            "rows_compared": outputs["restore"]["proof"]["rows"],
            "rows_brought": sum(sum(one.values()) for one in tables),
            "rows_left": swapped["left"],
            "salvage_items": swapped["salvage_items"],
            "held_off_seconds": swapped["held_off_seconds"],
        }

    def _deploy_again(self) -> Json:
        """What the rollback has kept goes back: by the recipe of production, with nothing but that."""
        connection = self.copy.connect()
        returned: list[Json] = []
        try:
            again = Rehearsal(
                connection, statement_timeout_seconds=self.step.params["statement_timeout_seconds"]
            )
            for migration in self.migrations:
                returned += again.apply({**migration, "verify": None}, puts_back=True, again=True).returned
            catalog, content = again.state()
            lines = again.differing(self._deployed[0], catalog)
        finally:
            connection.close()
        if lines:
            raise Refused(
                "drill_schema_differs",
                f"In the drill the schema after rollback, restore and another deploy is not the one that was deployed:"
                f" {listed(lines)}. {NOT_TOUCHED} Rehearse the migration: ansible-playbook playbooks/rehearse.yml",
            )
        rows = count_rows(self._kept, returned)
        differing = rows_of(self._deployed[1], content)
        refuse_lost_rows(differing, rows.held_back)
        return {"schema_equal": True, **rows._asdict(), "rows_differing": differing}

    # Runs on the copy ----------------------------------------------------------------------------------

    def _run(self, part: str, playbook: str, outcome: str, wanted: str, **options: Any) -> Json:
        """Play all steps of a run; returns what each has found, and by ``seconds`` how long each took.

        Raises:
            Refused: one failed, with its code and its reason.
        """
        found: Json = {"seconds": {}}
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
            found[name] = answer["outputs"]
            found["seconds"][name] = round(time.monotonic() - clock, 3)
        self._on_copy(lambda cursor: Ledger().finish_run(cursor, run_id, outcome, ""))
        return found

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
        return STEPS[name][1]

    def _params(self, name: str, run_id: str, playbook: str, wanted: str, options: Json) -> Json:
        purpose = "emergency" if name == "emergency_backup" else "deploy"
        given = {
            **self.given,
            **options,
            "target": self.target,
            "copy_target": self.target,
            "backup_dir": self.step.params["backup_dir"],
            "backup_max_age_minutes": self.step.params["backup_max_age_minutes"],
            "run": self._run_options(run_id, playbook, wanted),
            "plan": self._plan(name, playbook),
            "purpose": purpose,
        }
        return options_of(step_argument_spec(**STEPS[name][0]), given)

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
            "died": None,
        }

    def _plan(self, name: str, playbook: str) -> Json:
        plan = {key: value for key, value in self.step.plan.items() if key != "opening"}
        plan["smoke"] = [] if playbook == "restore" else self._smoke
        if playbook == "restore":
            return {**plan, "migrations": []}
        if name != "preflight":
            return plan
        digests = {script["name"]: script["sha256"] for script in self._smoke}
        versions = [one["version"] for one in self.migrations]
        exactly = versions if playbook == "emergency_rollback" else []
        return {**plan, **self.step.plan["opening"], "smoke_digests": digests, "exactly": exactly}


def _statements(outputs: Json) -> float:
    """How long the statements took: what production would wait for."""
    return round(sum(one["seconds"] for done in outputs["migrations"] for one in done["statements"]), 3)


def work(step: Step) -> Json:
    refuse_number_of_rows(step.params["rows"])
    if step.module.check_mode:
        return {}
    step.changed = True
    copy = CopyDatabase(step.params["copy_target"] or step.params["target"], step.run_id)
    forgotten = forget_dead_drills(copy.target, step.params["backup_dir"])
    drill = Drill(step, copy, step.selected_migrations())
    try:
        drill.play_all()
    except (RunbookError, psycopg2.Error) as error:
        if isinstance(error, RunbookError):
            error.details["phases"] = drill.phases
        _end_failed(step, drill, error.reason if isinstance(error, RunbookError) else one_line(error))
        raise
    except BaseException:
        remove_remains(copy.target, step.run_id, step.params["backup_dir"])
        raise
    remove_remains(copy.target, step.run_id, step.params["backup_dir"])
    _note(step, drill)
    return {
        "migrations": [one["version"] for one in drill.migrations],
        "phases": drill.phases,
        "forgotten": forgotten,
    }


def _end_failed(step: Step, drill: Drill, reason: str) -> None:
    """Take away what there is, and note the drill; what cannot be done is said beside why the drill failed."""
    try:
        remove_remains(drill.copy.target, step.run_id, step.params["backup_dir"])
        _note(step, drill, reason)
    except (RunbookError, psycopg2.Error) as error:
        said = error.reason if isinstance(error, RunbookError) else one_line(error)
        step.module.warn(f"The end of the drill is not in order: {said}")


def _note(step: Step, drill: Drill, reason: Optional[str] = None) -> None:
    """The one line in production: that there was a drill, and what came of it."""
    # Hours may have passed, in which nobody has used the session.
    step.take_new_session()
    operator = operator_name(step.params["run"]["operator"])
    versions = [one["version"] for one in drill.migrations]
    with transaction(step.connection) as cursor:
        commit_without_standbys(cursor, local=True)
        note_drill(cursor, step.run_id, versions, operator, step.started, drill.phases, reason)


def main() -> None:
    module = AnsibleModule(argument_spec=step_argument_spec(**OPTIONS), supports_check_mode=True)
    Step(module, "drill").execute(work)
