# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The frame of every step: connect, look at the gate, work, leave a receipt, say how it ended."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from ..errors import Refused, RunbookError, known
from ..ledger.bookkeeping import keep_books_in
from ..ledger.ledger import Ledger, utc_text
from ..ledger.maintenance import out_of_service
from ..ledger.planted import refuse_planted_in_ledger
from ..ledger.receipt_file import ReceiptFile
from ..ledger.receipts import READING_PLAYBOOKS, committed_versions, outputs_in, script_digests
from ..ledger.upgrade import known_release
from ..postgres.connection import (
    PSYCOPG2_IMPORT_ERROR,
    ServerUnreachable,
    connect,
    psycopg2,
    server_identity,
    transaction,
)
from ..postgres.maintenance import connect_to_closed
from ..postgres.standbys import commit_without_standbys, refuse_endless_commit
from ..shapes import Connection, Cursor, Identity, Json, Migration, Receipt, Script
from .failure import aftermath_of, failure_of
from .gate import pass_gate
from .kinds import (
    FIRST_STEPS,
    LOOKING_SECONDS,
    LOOKING_STEPS,
    PATIENT_STEPS,
    UNGATED_STEPS,
    WAITING_FOR_STANDBYS,
)
from .progress import progress_told
from .waiting import patience, take_run_lock

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

    #: What a step does; returns the outputs for its receipt.
    Work = Callable[["Step"], Optional[Json]]

    #: Opens a run again that has stopped, before the gate is looked at.
    Reopen = Callable[["Step", Cursor], None]

__all__ = ["Step"]


def _readable(error: Exception) -> str:
    """Its text without what no JSON holds: half characters, as of a file's name in another encoding (PEP 383)."""
    return str(error).encode("utf-8", "backslashreplace").decode("utf-8")


class Step:
    """One step of a run.

    A module builds it with its name, and calls ``execute`` with a function that does the work and
    returns the outputs for the receipt. Attributes for that function: ``module``, ``params``,
    ``connection`` (to the target), ``identity``, ``ledger``, ``receipts`` (of this run).

    Args:
        module: AnsibleModule with the options of step_argument_spec.
        name: the step's name.
        automatic: whether this is the rollback that a failed deploy does by itself.
    """

    def __init__(self, module: AnsibleModule, name: str, automatic: bool = False) -> None:
        self.module = module
        self.params = module.params
        self.name = name
        self.automatic = automatic
        self.run_id = self.params["run"]["run_id"]
        self.playbook = self.params["run"]["playbook"]
        self.plan = self.params["plan"]
        keep_books_in(self.plan.get("books"))
        # They only read production: their receipts lie beside their backup instead.
        self.reads_only = self.playbook in READING_PLAYBOOKS
        self.ledger: Ledger | ReceiptFile = (
            ReceiptFile(self.params["backup_dir"], self.run_id) if self.reads_only else Ledger()
        )
        self._connection: Connection | None = None
        self.identity: Identity = {}  # empty until the ledger's layout is known
        self.receipts: list[Receipt] = []
        self.started = ""
        self.recorded: list[Receipt] = []
        self.changed = True
        self.diff: Json | None = None
        self.replication: list[str] = []  # what is to be said of standbys
        # Said where a database that let nobody in was let in again.
        self.reopened: str | None = None
        # Runs that have left the application out of service.
        self.out_of_service: list[Json] = []
        # Of the step with which a run goes on that has stopped; and whether the run is open again.
        self.reopen: Reopen | None = None
        self.goes_on = False
        # Of a step after whose failure a backup may be put back: whether that is known to be gone.
        self.backup_gone: Callable[[Step], Json | None] = lambda _: None
        # Where the ledger has not got what this run committed last: those of its migrations that are applied.
        self.lost: list[str] | None = None
        self.half_done: Json | None = None
        # Whether it has passed the gate, and so held the database for its run.
        self.holds = False

    @property
    def connection(self) -> Connection:
        """To the target; opened before the work begins."""
        return known(self._connection, "the connection of the step")

    @connection.setter
    def connection(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def has_connected(self) -> bool:
        return self._connection is not None

    def take_new_session(self) -> None:
        """Leave the session and what a script has done to it; the run goes on in another one.

        Between the two the database is not locked; a run that comes in between finds ours unfinished, and is refused.

        Raises:
            ServerUnreachable: as ``connect`` does.
            Refused: another step of the same database did not end in time.
        """
        self.connection.close()
        self.connection = connect(self.params["target"])
        self.take_run_lock()

    # The frame -----------------------------------------------------------------------------------------

    def execute(self, work: Work, first: Callable[[], None] | None = None) -> None:
        """Run ``work(step)`` inside the frame; ends the module.

        Args:
            first: function without arguments, called before the target is connected to.
        """
        if PSYCOPG2_IMPORT_ERROR:
            self.module.fail_json(
                reason_code="psycopg2_missing",
                msg=f"the Python package psycopg2 {PSYCOPG2_IMPORT_ERROR} on the host where the step runs. Install"
                f" psycopg2-binary for its interpreter {sys.executable}, or set ansible_python_interpreter to one that"
                " has it; then type the same command again.",
            )
        clock = time.monotonic()
        answer: Json = {}
        try:
            looks = self.name not in PATIENT_STEPS
            # To the very end: a failure is written down too, and a server that recovers is waited for.
            with progress_told(self.params["progress_file"], self.params["target"], looks):
                try:
                    answer = self._succeed(work, first)
                except (RunbookError, psycopg2.Error, UnicodeDecodeError) as error:
                    answer = failure_of(self, error)
        except Exception as error:
            # A defect. ansible-core tells the message of what a module raises, and not its type and place.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{'/'.join(place.filename.split(os.sep)[-2:])} line {place.lineno}"
            raise RuntimeError(f"{type(error).__name__}: {_readable(error)} ({where})") from error
        finally:
            if self._connection is not None:
                self._connection.close()
        answer["step"] = self.name
        answer["started"] = self.started or None
        answer["seconds"] = round(time.monotonic() - clock, 3)
        answer["receipts"] = self.recorded
        answer["committed"] = self.committed()
        answer["out_of_service"] = self.out_of_service
        answer["goes_on"] = self.goes_on
        if self.lost is not None:
            answer["lost"] = self.lost
        if self.half_done is not None:
            answer["half_done"] = self.half_done
        answer["library_hosts"] = self.params["run"]["library_hosts"]
        # Each thing that an answer holds is searched for passwords and written once more; the plan has none.
        self.params.pop("plan", None)
        if answer.get("failed"):
            self.module.fail_json(**answer)
        self.module.exit_json(**answer)

    def _succeed(self, work: Work, first: Callable[[], None] | None) -> Json:
        """All of the step; what the module answers of it.

        Raises:
            RunbookError, psycopg2.Error, UnicodeDecodeError: it failed.
        """
        if first is not None:
            first()
        self.connect()
        with patience(self.connection, self.name):
            self._open()
            outputs = work(self) or {} if self.name in PATIENT_STEPS else {}
        if self.name not in PATIENT_STEPS:
            outputs = work(self) or {}
        if not self.recorded and self.name not in UNGATED_STEPS and not self.module.check_mode:
            with transaction(self.connection) as cursor:
                self.record(cursor, "ok", outputs=outputs)
        answer: Json = {"changed": self.changed or self.reopened is not None, "outputs": outputs}
        if self.diff is not None:
            answer["diff"] = self.diff
        return answer

    def connect(self) -> None:
        """Open the connection; a database that a killed run left closed is let in again where this step may write."""
        try:
            patience = LOOKING_SECONDS if self.name in LOOKING_STEPS else None
            self.connection = connect(self.params["target"], patience=patience)
        except ServerUnreachable as error:
            self.connection, self.reopened = connect_to_closed(
                self.params["target"], error, writes=not self.module.check_mode
            )
            if self.reopened is not None:
                self.module.warn(self.reopened)

    def _open(self) -> None:
        with transaction(self.connection) as cursor:
            self.started = utc_text(cursor)
            # Before there is an identity: into a layout that we do not know, or that is somebody else's, not even the
            # failure is written.
            refuse_planted_in_ledger(cursor, writes=False)
            known_release(cursor)
            self.identity = server_identity(cursor)
            if self._commits():
                refuse_endless_commit(cursor, tries=not self.module.check_mode)
            if self.name not in WAITING_FOR_STANDBYS:
                commit_without_standbys(cursor)
            if self.name in FIRST_STEPS or self.reopen is not None:
                self.out_of_service = out_of_service(cursor, self.run_id)
        if self.name in UNGATED_STEPS:
            return
        if self.module.check_mode:
            return
        died = self.params["run"]["died"]
        if died is not None:
            raise aftermath_of(self, died["code"], died["reason"])
        self.take_run_lock()
        if self.reopen is not None:
            with transaction(self.connection) as cursor:
                self.reopen(self, cursor)
            self.goes_on = True
        with transaction(self.connection) as cursor:
            pass_gate(self, cursor)
        self.holds = True

    def _commits(self) -> bool:
        """Whether the step writes to the target, or says what a run would meet that does.

        Status and salvage do so only where they are asked to, and see to it themselves; what closes a run waits for no
        standby.
        """
        if self.reads_only or self.identity["in_recovery"]:
            return False
        return self.name == "preflight" or not (self.name in UNGATED_STEPS or self.module.check_mode)

    def take_run_lock(self) -> None:
        """Be the one step at work in this database; see ``waiting.take_run_lock``."""
        if not self.reads_only:
            take_run_lock(self.connection)

    # Receipts ------------------------------------------------------------------------------------------

    def record(
        self,
        cursor: Cursor,
        status: str,
        migration: str | None = None,
        inputs: Json | None = None,
        outputs: Json | None = None,
    ) -> Receipt:
        """Write a receipt of this step in the cursor's transaction."""
        receipt = self.ledger.append(
            cursor,
            self.run_id,
            self.name,
            status,
            self.started,
            self.identity,
            migration=migration,
            inputs=inputs,
            outputs=outputs,
        )
        self.recorded.append(receipt)
        if status == "ok":
            # The step may have worked for longer than the lease, and the next one has yet to begin.
            self.ledger.extend_lease(cursor, self.run_id)
        return receipt

    def forget_unwritten(self, count: int) -> None:
        """Drop the receipts beyond ``count``: their transaction was rolled back."""
        del self.recorded[count:]

    def committed(self) -> list[str]:
        """Versions that this run has applied to production and not taken back, as far as its receipts tell."""
        return committed_versions([*self.receipts, *self.recorded])

    # The plan ------------------------------------------------------------------------------------------

    def script_digests(self) -> dict[str, dict[str, str | None]]:
        """dict version -> {"apply", "rollback", "verify", "precheck"} digests of the scripts as they are now."""
        return {
            migration["version"]: script_digests(migration) for migration in self.plan.get("migrations", [])
        }

    def selected_migrations(self) -> list[Migration]:
        """The migrations that preflight of this run selected, in its order, with their statements."""
        by_version = {migration["version"]: migration for migration in self.plan.get("migrations", [])}
        versions = self.outputs_of("preflight")["migrations"]
        missing = [version for version in versions if version not in by_version]
        if missing:
            raise Refused(
                "sql_dir_changed",
                f"The scripts of migration {missing[0]} are no longer in sql_dir. Start a new run.",
            )
        return [by_version[version] for version in versions]

    def smoke_digests(self) -> dict[str, str]:
        """dict name -> digest of the smoke scripts as they are now."""
        return {script["name"]: script["sha256"] for script in self.smoke_scripts()}

    def smoke_scripts(self) -> list[Script]:
        return self.plan.get("smoke", [])

    def outputs_of(self, step: str, migration: str | None = None) -> Json:
        """The outputs in the newest receipt of ``step`` in this run.

        Raises:
            StepFailed: when there is none; the gate has normally seen to it.
        """
        return outputs_in(self.receipts, step, migration)
