# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""``run.json``: what a run did, for people and programs, written on the controller after every step."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from ...module_utils.digests import digest_of
from ...module_utils.ledger.approvals import AWAITING
from .findings import take_approval, take_findings
from .first_content import NOT_ENDED, first_content
from .outcome import (
    FIRST_STEP_THAT_CHANGES,
    UNREPORTED,
    code_of_task,
    complete,
    final_outcome,
    nothing_to_do,
)
from .run_folder import RECEIPTS, RunFolder
from .waiting import code_of_waiting, rows_waiting

__all__ = ["RunRecord", "digest_of_record"]

# Of what a failed step found: tables that differ, and their rows by key. The rest may quote statements of scripts and
# of other sessions, and so a password.
DETAILS_KEPT = ("tables", "rows")

# When the run has ended: whom nobody could tell, the ledger among them, and what was removed then.
ADDED_LATER = ("unannounced", "cleanup", "ledger_unclosed")

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


def _newest(
    run_id: str, written: dict[str, Any] | None, carried: Iterable[dict[str, Any]]
) -> dict[str, Any] | None:
    """Of several contents of one record the one that knows most; none of another run."""
    known = [one for one in (written, *carried) if one and one.get("run_id") == run_id]
    return max(known, key=lambda one: (len(one["steps"]), bool(one["ended"])), default=None)


def digest_of_record(content: dict[str, Any]) -> str:
    """SHA-256 (hex) of the content of run.json, but of what is added when the run has ended."""
    return digest_of({key: value for key, value in content.items() if key not in ADDED_LATER})


class RunRecord:
    """The artifacts of one run of one target.

    Args:
        artifacts_dir: holds one folder for each run, and ``latest``.
        run_id: name of the run.
        facts: playbook, target, database and operator for a record that does not exist yet; controller (see
            this_controller), whose steps are recorded from now on.
        writes: False in check mode.
        carried: contents of run.json that could not be written, as tasks of this run have handed them on.
        key: signs the receipts; none are signed without one.
    """

    def __init__(
        self,
        artifacts_dir: str,
        run_id: str,
        facts: dict[str, Any],
        writes: bool = True,
        carried: Iterable[dict[str, Any]] = (),
        key: str = "",
    ) -> None:
        self.key = key
        # What the commands need that reports name; see typed_here.options_of_here().
        self.here = ("", "")
        self._controller = facts.get("controller")
        self._files = RunFolder(artifacts_dir, run_id)
        self.artifacts_dir, self.folder, self.path = (
            self._files.artifacts_dir,
            self._files.path,
            self._files.record,
        )
        self.writes = writes
        self._begun: str | None = None
        self.content = _newest(run_id, self._files.read(), carried) or first_content(run_id, facts)

    def save(self) -> None:
        """Replace run.json as a whole, and point ``latest`` to its folder.

        Raises:
            OSError: the artifacts folder cannot be written, or what is there is not ours (own_files.NotOurs).
        """
        if self.writes:
            self._files.write(self.content)

    def begin(self, step: str) -> None:
        """Say on disk which step is at work, so that a run that is killed in it tells where it was."""
        self.content["controller"] = self._controller
        # The controller's clock, for a step that fails before it can ask the server's.
        self._begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if not self.failed():
            self.content["reason"] = NOT_ENDED.format(step=f"step {step}")
        before = self.content.get("begun")
        if before not in (None, step):
            # Its task ended in a way that left nothing here: what it has done is not known.
            self.content.setdefault("unreported", []).append(before)
        self.content["begun"] = step
        self.save()

    def agree(self, consents: dict[str, Any], reason: str | None = None) -> None:
        """Note what a step was allowed that it would have refused, and why. Does not save."""
        self.content.setdefault("consents", {}).update(consents)
        self.content["consent_reason"] = reason or self.content.get("consent_reason")

    def expect(self, wanted: str) -> None:
        """Name the migration that was asked for, as long as preflight has not selected any."""
        if not self.content["steps"] and wanted not in ("pending", "all"):
            self.content["migrations"] = [wanted]

    def failed(self) -> bool:
        return any(step["status"] == "failed" for step in self.content["steps"])

    def may_have_committed(self) -> bool:
        """Whether production may have a migration of this run: only what is known not to be is not."""
        return "apply" in self._without_report() or any(
            step.get("committed") or step.get("outcome") not in ("refused", "unchanged")
            for step in self.steps("apply")
        )

    def _without_report(self) -> list[str]:
        """Steps that were begun, and of which nobody knows how they ended."""
        begun = self.content.get("begun")
        return [*self.content.get("unreported", []), *([begun] if begun else [])]

    def has_taken_back(self) -> bool:
        """Whether the rollback is done though its step could not say so, so that there is nothing to restore."""
        return any(step.get("done", False) for step in self.steps("emergency_rollback"))

    def has_begun_to_change(self) -> bool:
        """Whether a step that changes production was begun."""
        changes = FIRST_STEP_THAT_CHANGES[self.content["playbook"]]
        return changes is not None and (bool(self.steps(changes)) or changes in self._without_report())

    def successor(self, run_id: str) -> RunRecord:
        """The record of an attempt on a run that has ended: a run of its own, that comes to nothing."""
        facts = {
            key: self.content.get(key) for key in ("playbook", "target", "database", "operator", "fleet")
        }
        facts["controller"] = self._controller
        record = RunRecord(str(self.artifacts_dir), run_id, facts, writes=self.writes, key=self.key)
        record.content["migrations"] = list(self.content["migrations"])
        return record

    def last_receipt(self) -> str:
        """Digest of the newest receipt that a step has handed over; empty where none has."""
        return next((step["receipt"] for step in reversed(self.content["steps"]) if step["receipt"]), "")

    def steps(self, name: str) -> list[dict[str, Any]]:
        return [step for step in self.content["steps"] if step["step"] == name]

    def end(self, step: str, result: dict[str, Any]) -> None:
        """Take a step's result into the record and mirror its receipts.

        Raises:
            OSError: the artifacts folder cannot be written; ``content`` has it all the same.
        """
        failed = bool(result.get("failed"))
        outputs = result.get("outputs") or {}
        receipts = result.get("receipts") or []
        awaiting = result.get("outcome") == AWAITING
        entry: dict[str, Any] = {
            "step": step,
            "status": "waiting" if awaiting else "failed" if failed else "ok",
            "started": result.get("started") or self._begun,
            "seconds": result.get("seconds"),
            "receipt": receipts[-1]["digest"] if receipts else None,
        }
        if failed:
            if not awaiting:
                entry["outcome"] = self._outcome_of_failure(step, result)
            entry["reason_code"] = result["reason_code"]
            entry["reason"] = result["msg"]
            details = {
                key: value for key, value in (result.get("details") or {}).items() if key in DETAILS_KEPT
            }
            if details:
                entry["details"] = details
            # Of a step that changes production and could not report: the ledger says that the change is there.
            if (result.get("details") or {}).get("done"):
                entry["done"] = True
        if step == "apply":
            entry["committed"] = result.get("committed")
        if result.get("lost") is not None:
            entry["lost"] = result["lost"]
        if result.get("half_done") is not None:
            entry["half_done"] = result["half_done"]
        if "migrations" in outputs:
            entry["migrations"] = [
                found["version"] if isinstance(found, dict) else found for found in outputs["migrations"]
            ]
        self.content["steps"].append(entry)
        self.content["begun"] = None
        take_findings(self.content, step, result)
        self.content["rows_waiting"] = rows_waiting(self.content)
        outcome, failed_step, code, reason = final_outcome(self.content["playbook"], self.content["steps"])
        if failed_step is not None or awaiting:
            self.content.update(outcome=outcome, failed_step=failed_step, reason_code=code, reason=reason)
        if receipts and self.writes:
            self._written().update(self._files.add_receipts(step, receipts, self.key))
        self.save()

    def settle(
        self, failure: str = "", failure_code: str = "", fail_on_held_back: bool = False, wanted: str = ""
    ) -> None:
        """Find out how the run ended. Does not save.

        Args:
            failure: message of the task that failed, when that was not a step of the chain.
            failure_code: the code of its reason, where it has one.
            wanted: the migration that was asked for; it is named where nothing had to be done, or no step was begun.
            fail_on_held_back: whether a deploy after which rows wait says so as a failure does.
        """
        content = self.content
        if failure and wanted:
            self.expect(wanted)
        outcome, failed_step, code, reason = final_outcome(content["playbook"], content["steps"])
        done = {step["step"] for step in content["steps"]}
        nothing_pending = (
            outcome != AWAITING and "preflight" in done and not content["migrations"] and not failure
        )
        if failed_step is None and nothing_pending and not self._files_left():
            reason = nothing_to_do(content["playbook"], wanted)
            if self.files_follow():
                reason = "the database had it; the files on disk, which were behind, have followed"
        elif (
            outcome != AWAITING
            and failed_step is None
            and (failure or self._files_left() or not complete(content["playbook"], done))
        ):
            # The chain ended without one of its steps failing: a task beside them did, or some were left out.
            taken_back = [step for step in self.steps("emergency_rollback") if step.get("migrations")]
            changes = FIRST_STEP_THAT_CHANGES[content["playbook"]]
            # One that was begun and never reported, in whatever way its task was ended, may have changed it.
            changed = changes is not None and changes in {*done, *self._without_report()}
            undone = taken_back and not self._files_left()
            outcome = "refused" if not changed else "rolled_back" if undone else "failed"
            reason = failure or "the run ended before its last step"
            code = code_of_task(failure, failure_code) if failure else "chain_incomplete"
        elif failed_step is None and fail_on_held_back and content["rows_waiting"]:
            code, reason = code_of_waiting(content["rows_waiting"])
        content.update(outcome=outcome, failed_step=failed_step, reason_code=code, reason=reason)
        content["ended"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def make_folder(self) -> None:
        """Make the folder of the run, in which nothing may have been written yet.

        Raises:
            OSError: see save().
        """
        self._files.make()

    def note_reports(self, paths: Iterable[str]) -> None:
        """Keep the digests of the reports, in place of those of an earlier end. Does not save.

        Args:
            paths: of files that were written into the folder; none where they could not be.

        Raises:
            OSError: one cannot be read; then none is kept.
        """
        written = self._written()
        for name in [name for name in written if not name.startswith(f"{RECEIPTS}/")]:
            del written[name]
        written.update(self._files.digests(paths))

    def _written(self) -> dict[str, str]:
        """What the run has written into its folder; a record that an older release has begun has none of it."""
        found: dict[str, str] = self.content.setdefault("artifacts", {})
        return found

    def take_approval(self, result: dict[str, Any]) -> None:
        """What the run needs before it changes production, and has, as a step has found it. Does not save."""
        take_approval(self.content, result)

    def go_on(self) -> None:
        """The run had stopped until it was approved, and is open again. Does not save."""
        self.content.update(
            controller=self._controller,
            ended=None,
            outcome="failed",
            failed_step=None,
            reason_code="run_not_ended",
            reason=NOT_ENDED.format(step="step approval"),
        )

    def needs_approval(self) -> bool:
        """Whether preflight has found that others have to approve the run."""
        return self.content.get("approval") is not None

    def has_gone_on(self) -> bool:
        """Whether the run has stopped until it was approved, and goes on."""
        return any(step["status"] == "ok" for step in self.steps("approval"))

    def note_unannounced(self, announcements: list[dict[str, Any]]) -> None:
        """Keep which announcements reached nobody, and why: dicts with event and reason. Does not save."""
        self.content["unannounced"] = [
            {key: str(one.get(key, "")) for key in ("event", "reason")} for one in announcements
        ]

    def note_cleanup(self, removed: dict[str, Any], warnings: list[str]) -> None:
        """Keep what was removed when the run had ended, and what could not be. Does not save.

        Args:
            removed: kind -> dicts with run_id and bytes, among others.
        """
        self.content["cleanup"] = {
            **{
                kind: [{"run_id": one["run_id"], "bytes": one["bytes"]} for one in things]
                for kind, things in removed.items()
            },
            "warnings": warnings,
        }

    def files_follow(self) -> bool:
        """Whether files on disk belong to this run: a migration changes paths, and the inventory has a library."""
        return bool(self.content.get("files") and self.content["files"]["hosts"])

    def _files_left(self) -> bool:
        """Whether a host of the library has not been brought into agreement."""
        return self.files_follow() and None in self.content["files"]["hosts"].values()

    def is_open_in_ledger(self) -> bool:
        """Whether preflight has opened this run in the database, or died, and nobody knows what it had committed."""
        preflight = self.steps("preflight")
        if not preflight or not self.writes:
            return False
        opened = bool(self.content["migrations"]) or self.files_follow()
        return opened if preflight[-1]["status"] == "ok" else preflight[-1].get("reason_code") in UNREPORTED

    def _outcome_of_failure(self, step: str, result: dict[str, Any]) -> str:
        if step == "files_rename":
            return "failed"  # also where it refused: the database has been changed, and the files have not followed
        chain_changes = FIRST_STEP_THAT_CHANGES[self.content["playbook"]]
        if result.get("outcome") in ("refused", "unchanged"):
            return result["outcome"]
        reached = step == chain_changes or bool(self.steps(chain_changes or ""))
        return "failed" if reached else "refused"

    def signed(self, key: str) -> dict[str, str]:
        """digest -> signature of this run's receipts, of those copies whose signature is right."""
        return self._files.signatures(key)

    def digest(self) -> str:
        """See digest_of_record()."""
        return digest_of_record(self.content)
