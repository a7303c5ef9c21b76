# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The phases of a drill, one after the other, and what came of each."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence

from ..errors import Refused, RunbookError
from ..ledger.versions import VersionTable
from ..postgres.connection import psycopg2, transaction
from ..postgres.message import one_line
from ..rehearsal.rehearsal import Rehearsal
from ..sentences import listed
from ..shapes import Catalog, Content, Json, Migration
from ..step.step import Step
from .night import Night
from .proof import count_rows, refuse_lost_rows, rows_of
from .remains import run_of
from .writes import write_as_users

__all__ = ["Phases"]


class Phases:
    """What a drill does on its copy.

    Args:
        step: the step drill.
        night: plays runs on the copy.
        migrations: with their scripts, in order.

    Attributes:
        done: of each that was begun: phase, status, started, seconds, and what came of it.
    """

    def __init__(self, step: Step, night: Night, migrations: Sequence[Migration]) -> None:
        self.step = step
        self.night = night
        self.migrations = list(migrations)
        self.done: list[Json] = []
        self._deployed: tuple[Catalog, Content] = ({}, {})
        self._kept: list[Json] = []

    def play_all(self) -> None:
        """All phases.

        Raises:
            RunbookError: one failed; it is the last of ``done``.
        """
        if self.night.begin():
            self._phase("take_back", self._take_back)
        self._phase("deploy", self._deploy)
        self._phase("writes", self._write)
        # Made-up rows are not those that smoke scripts know.
        self.night.smoke = []
        self._phase("rollback", self._roll_back)
        self._phase("restore", self._restore)
        self._phase("deploy_again", self._deploy_again)

    def _phase(self, name: str, work: Callable[[], Json]) -> None:
        clock = time.monotonic()
        started = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        phase: Json = {"phase": name, "status": "failed", "started": started}
        self.done.append(phase)
        try:
            phase.update(work(), status="ok")
        except (RunbookError, psycopg2.Error) as error:
            phase["reason"] = error.reason if isinstance(error, RunbookError) else one_line(error)
            raise
        finally:
            phase["seconds"] = round(time.monotonic() - clock, 3)

    def _take_back(self) -> Json:
        """What is deployed already, so that it can be deployed."""
        found = self._rollback_of("before")
        return {**found, "kept_rows": sum(one["rows"] for one in found.pop("salvage"))}

    def _deploy(self) -> Json:
        wanted = self.migrations[0]["version"] if len(self.migrations) == 1 else "pending"
        outputs = self.night.run("deploy", "deploy", "deployed", wanted)
        return {
            "steps": outputs["seconds"],
            "statements_seconds": _statements(outputs["apply"]),
            "verified": outputs["verify"]["verify_scripts"],
        }

    def _write(self) -> Json:
        params = self.step.params
        connection = self.night.copy.connect()
        try:
            written = write_as_users(connection, self.night.copy.name, params["rows"], params["seed"])
            self._deployed = Rehearsal(connection).state()
        finally:
            connection.close()
        return written

    def _roll_back(self) -> Json:
        found = self._rollback_of("rollback")
        self._kept = found.pop("salvage")
        return {**found, "kept_rows": sum(one["rows"] for one in self._kept)}

    def _rollback_of(self, part: str) -> Json:
        outputs = self.night.run(part, "emergency_rollback", "rolled_back", self.migrations[-1]["version"])
        done = outputs["emergency_rollback"]["migrations"]
        return {
            "steps": outputs["seconds"],
            "statements_seconds": _statements(outputs["emergency_rollback"]),
            "schema_restored": all(one["schema_restored"] for one in done),
            "salvage": [item for one in done for item in one["salvage"]],
        }

    def _restore(self) -> Json:
        source = run_of(self.step.run_id, "deploy")
        outputs = self.night.run("restore", "restore", "restored", "", source_run_id=source, carry_over=True)
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
        connection = self.night.copy.connect()
        returned: list[Json] = []
        try:
            again = Rehearsal(
                connection, statement_timeout_seconds=self.step.params["statement_timeout_seconds"]
            )
            for migration in self.migrations:
                returned += again.apply({**migration, "verify": None}, puts_back=True, again=True).returned
            catalog, content = again.state()
            lines = again.differing(self._deployed[0], catalog)
            with transaction(connection) as cursor:
                books = VersionTable(cursor).quoted_names()
        finally:
            connection.close()
        if lines:
            raise Refused(
                "drill_schema_differs",
                f"In the drill the schema after rollback, restore and another deploy is not the one that was deployed:"
                f" {listed(lines)}. Production was not touched. Rehearse the migration:"
                " ansible-playbook playbooks/rehearse.yml",
            )
        rows = count_rows(self._kept, returned)
        differing = rows_of(self._deployed[1], content, books)
        refuse_lost_rows(differing, rows.held_back)
        return {"schema_equal": True, **rows._asdict(), "rows_differing": differing}


def _statements(outputs: Json) -> float:
    """How long the statements took: what production would wait for."""
    return round(sum(one["seconds"] for done in outputs["migrations"] for one in done["statements"]), 3)
