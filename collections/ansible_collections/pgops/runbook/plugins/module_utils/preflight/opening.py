# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Opening a run: which migrations it is about, and that nobody else is at work in the database."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from ..errors import Refused
from ..ledger.aftermath import TAKEN_OVER_SPEC, agrees, committed, ended_as, why_taken_over
from ..ledger.bookkeeping import recorded_in
from ..ledger.deploys import deployed_in_order
from ..ledger.journal import journal_of, open_journal
from ..ledger.ledger import Ledger
from ..ledger.receipts import latest
from ..ledger.removed_backups import backup_removed
from ..ledger.tags import state_of
from ..library.follow import versions_behind
from ..shapes import Cursor, IndexEntry, Json, Receipt
from ..step.step import Step
from .checks import check_scripts_to_apply, check_scripts_to_roll_back, faulty_migrations
from .drift import refuse_applied_again, refuse_edited_scripts
from .drills import select_for_drill
from .half_done import refuse_half_done
from .order import Index, in_order_of_deploys, left_out, refuse_needed, these_newest_first
from .selection import in_place_but_unrecorded, select_for_deploy, select_for_rollback, select_later
from .server import warn_of_search_path
from .shared_numbers import refuse_shared_numbers

#: How a run ended, by the run.json of its controller.
ENDED_SPEC = {key: {"type": "str"} for key in ("run_id", "outcome", "reason", "record_sha256")}

#: Options of a step that may take the place of a run that is dead.
TAKE_OVER_SPEC: Json = {
    "take_over": {"type": "str", "default": ""},
    "taken_over_because": TAKEN_OVER_SPEC,
    "ended_elsewhere": {"type": "dict", "options": ENDED_SPEC},
}

__all__ = [
    "TAKE_OVER_SPEC",
    "asking_for_files",
    "backups_of",
    "close_dead_run",
    "ends_renaming",
    "left_out_of",
    "paths_behind",
    "refuse_living_run",
    "select_migrations",
    "verified_backup_before",
    "what_it_had_done",
]


def paths_behind(step: Step, cursor: Cursor) -> list[str]:
    """Migrations whose new paths the files on disk have not followed: an earlier run was stopped before it could."""
    if step.reads_only or not step.params["run"]["library_hosts"]:
        return []
    return versions_behind(cursor)


def ends_renaming(step: Step, applied: Collection[str], files_behind: Sequence[str]) -> bool:
    """Whether the run is only to end what an earlier one began: the database has what is asked for, the disk not.

    Raises:
        Refused: a deploy of something else; files that are behind are brought along first, so that an obstacle on
            disk does not take a migration back that has nothing to do with it. An emergency rollback never waits.
    """
    wanted = step.params["run"]["migration"]
    if wanted in files_behind:
        return (wanted in applied) == (step.playbook == "deploy")
    if not files_behind or step.playbook != "deploy":
        return False
    if wanted == "pending" and not select_for_deploy(step.plan["index"], wanted, applied, **_limits(step)):
        return True
    version = files_behind[-1]
    finish = "deploy" if version in applied else "emergency_rollback"
    raise Refused(
        "files_behind",
        f"The files on disk have not followed migration {version}: an earlier run was stopped before they had. Finish"
        f" that first: ansible-playbook {finish}.yml -e migration={version}",
    )


def _limits(step: Step) -> Json:
    """Which of the pending migrations the person who started the run wants."""
    return {"until": step.plan.get("until", ""), "skip": step.plan.get("skip", [])}


def left_out_of(step: Step, applied: Collection[str]) -> dict[str, str]:
    """Pending version -> for which one it is left out (see order.left_out)."""
    return left_out(step.plan["index"], applied, **_limits(step))


def asking_for_files(step: Step, selected: Sequence[str], only_files: list[str]) -> list[str]:
    """Migrations that the files on disk have to follow in this run; a rehearsal touches none.

    Args:
        only_files: those that are behind, when the run only ends that.
    """
    if step.reads_only:
        return []
    asking = {entry["version"] for entry in step.plan["index"] if entry.get("files")}
    return only_files or [version for version in selected if version in asking]


def select_migrations(step: Step, cursor: Cursor, applied: Collection[str]) -> list[str]:
    """The versions that this run is about, in the order in which it goes through them.

    Raises:
        Refused: an item of the checklist is not met.
    """
    index, wanted = step.plan["index"], step.params["run"]["migration"]
    receipts = step.ledger.receipts(cursor)
    accept_edited = step.params["accept_edited_scripts"]
    warn_of_search_path(cursor, step.module.warn)
    try:
        refuse_half_done(step, cursor)
    except Refused:
        session = Ledger().session_at_work(cursor)
        if session is None:
            raise
        # It was not stopped: it runs, perhaps without its controller.
        other = step.ledger.unfinished_run(cursor)
        _refuse_living_run(step, other)
        of = f" of run {other['run_id']}" if other is not None else ""
        raise Refused(
            "another_run_in_progress",
            f"A step{of} is still at work in this database, though its controller is gone: server session pid"
            f" {session['pid']} of user {session['user']}, since {session['since']}. Wait until it has ended, then type"
            " the same command again; what it has committed says: ansible-playbook playbooks/status.yml",
        ) from None
    if wanted != "all":
        refuse_shared_numbers(index, applied, Ledger().receipts(cursor))
    if step.playbook == "emergency_rollback":
        with _none_where_done(step) as versions, _unless_a_run_is_in_progress(step, cursor):
            versions += _select_for_rollback(step, receipts, applied)
        check_scripts_to_roll_back(
            index,
            versions,
            lambda version: verified_backup_before(Ledger(), cursor, version),
            step.params["accept_empty_rollback"],
        )
        refuse_edited_scripts(index, versions, receipts, accept_edited, kinds=("rollback",))
        return versions
    if step.playbook == "rehearse" and wanted == "all":
        return _select_for_rehearsal(step, index)
    if open_journal(cursor) is None:
        _refuse_unrecorded(cursor, index, applied)
    if step.playbook == "drill":
        versions = select_for_drill(index, wanted, applied, **_limits(step))
        check_scripts_to_apply(index, versions, False, step.params["accept_empty_rollback"])
        return versions
    if step.playbook == "deploy":
        with _unless_a_run_is_in_progress(step, cursor):
            _refuse_untested(step, cursor, wanted, applied)
    with _none_where_done(step) as versions, _unless_a_run_is_in_progress(step, cursor):
        versions += select_for_deploy(index, wanted, applied, **_limits(step))
    check_scripts_to_apply(index, versions, False, step.params["accept_empty_rollback"])
    refuse_applied_again(index, versions, applied, receipts, step.params["accept_applied_again"])
    if step.playbook == "deploy":
        refuse_edited_scripts(index, applied, receipts, accept_edited)
    return versions


def _select_for_rehearsal(step: Step, index: Sequence[IndexEntry]) -> list[str]:
    """All that can be rehearsed; of the others the rehearsal says at its end that they failed, with all that did.

    Raises:
        Refused: none can be; or this run, in check mode, ends here.
    """
    accept = step.params["accept_empty_rollback"]
    faulty = faulty_migrations(index, accept)
    versions = [entry["version"] for entry in index if entry["version"] not in faulty]
    if not versions or step.module.check_mode:
        check_scripts_to_apply(index, [entry["version"] for entry in index], True, accept)
    step.plan["faulty"] = faulty
    return versions


def _select_for_rollback(step: Step, receipts: Sequence[Receipt], applied: Collection[str]) -> list[str]:
    index = in_order_of_deploys(step.plan["index"], deployed_in_order(receipts))
    if step.plan.get("exactly"):
        return these_newest_first(index, step.plan["exactly"], applied)
    if step.plan.get("down_to"):
        return select_later(index, step.plan["down_to"], applied)
    if step.plan.get("to_tag"):
        return _select_after_tag(step, index, receipts, applied)
    return select_for_rollback(index, step.params["run"]["migration"], applied, step.params["cascade"])


def _select_after_tag(
    step: Step, index: Index, receipts: Sequence[Receipt], applied: Collection[str]
) -> list[str]:
    """
    Raises:
        Refused: there is no such state, or what would stay requires one of them.
    """
    state = state_of(receipts, step.plan["to_tag"])
    order = [entry["version"] for entry in index]
    later = state.later(order, applied)
    refuse_needed(index, f"tag {state.tag}", later, applied)
    gone = [version for version in order if version in state.versions and version not in applied]
    unknown = sorted({*applied} - state.versions - {*order})
    step.plan["taken_back_since"] = gone
    if unknown:
        step.module.warn(
            f"{', '.join(unknown)} was applied after tag {state.tag} and stays: sql_dir has no such migration."
        )
    return later


@contextmanager
def _unless_a_run_is_in_progress(step: Step, cursor: Cursor) -> Iterator[None]:
    """What is not applied, or applied already, is so because of the run that is about to change it: say that first.

    Raises:
        Refused: see _refuse_living_run; else as it comes.
    """
    try:
        yield
    except Refused:
        _refuse_living_run(step, step.ledger.unfinished_run(cursor))
        raise


@contextmanager
def _none_where_done(step: Step) -> Iterator[list[str]]:
    """A list for what is selected, which stays empty where the database is as it was asked for and that is no error."""
    try:
        yield []
    except Refused as refusal:
        done = refusal.code in ("already_applied", "not_applied") and not step.plan.get("down_to")
        if not step.params["skip_done"] or not done:
            raise


def _refuse_untested(step: Step, cursor: Cursor, wanted: str, applied: Collection[str]) -> None:
    """A migration whose run was stopped between COMMIT and its last test is applied, and nobody has looked at it."""
    receipt = Ledger().applied_receipt(cursor, wanted) if wanted in applied else None
    if receipt is None:
        return
    tested = latest(step.ledger.receipts(cursor, receipt["run_id"]), "smoke_test")
    if tested is None or tested["status"] != "ok":
        raise Refused(
            "applied_without_smoke_test",
            f"Migration {wanted} is already applied: {recorded_in()} records it. Run {receipt['run_id']} applied"
            " it, but ended before the smoke tests had succeeded. If the application works, leave it as it is. To"
            f" deploy it anew, first: ansible-playbook emergency_rollback.yml -e migration={wanted}",
        )


def _refuse_unrecorded(cursor: Cursor, index: Sequence[IndexEntry], applied: Collection[str]) -> None:
    unrecorded = in_place_but_unrecorded(cursor, index, applied)
    if unrecorded:
        raise Refused(
            "database_not_adopted",
            f"The objects of {', '.join(unrecorded)} are in place, but {recorded_in()} does not record"
            " these migrations. Look: ansible-playbook playbooks/status.yml;"
            " then record what is in place: ansible-playbook playbooks/status.yml -e adopt=true",
        )


def verified_backup_before(ledger: Ledger, cursor: Cursor, version: str) -> Json | None:
    """The verified backup that was made before ``version`` was deployed: dict run_id, folder; or None.

    One that backup_keep has let go is none, and one whose folder is gone.
    """
    applied = ledger.applied_receipt(cursor, version)
    return None if applied is None else _verified_backup_of(ledger, cursor, applied["run_id"])


def _verified_backup_of(ledger: Ledger, cursor: Cursor, run_id: str) -> Json | None:
    if backup_removed(cursor, run_id) is not None:
        return None
    receipts = ledger.receipts(cursor, run_id)
    backup, proof = latest(receipts, "backup"), latest(receipts, "verify_restore")
    if backup is None or proof is None or proof["status"] != "ok":
        return None
    # Absent in receipts of older releases.
    half_done = backup["outputs"].get("half_done")
    if half_done:
        return _verified_backup_of(ledger, cursor, half_done["run_id"])
    folder = backup["outputs"]["folder"]
    return {"run_id": run_id, "folder": folder} if os.path.isdir(folder) else None


def backups_of(receipts: Sequence[Receipt], run_id: str) -> list[str]:
    """Names of the runs in whose backups a run may have left something: itself, and that whose backup it restored."""
    opening = latest(receipts, "preflight")
    source = (opening["outputs"] if opening else {}).get("source") or {}
    return [run_id, *([source["run_id"]] if source else [])]


def close_dead_run(step: Step, cursor: Cursor) -> Json | None:
    """One run a database; a run that is known to be dead is closed, and said so.

    Returns:
        The run that was found dead, as the ledger gives it, or None.

    Raises:
        Refused: when the other run may still be alive; ``details`` has it as ``holder``.
    """
    other = step.ledger.unfinished_run(cursor)
    if other is None or other["run_id"] == step.run_id:
        return None
    _refuse_living_run(step, other)
    if not step.module.check_mode:
        half_done = journal_of(cursor, other["run_id"])
        receipts = step.ledger.receipts(cursor, other["run_id"])
        step.ledger.finish_run(cursor, other["run_id"], *_how_it_ended(step, other, receipts, half_done))
    return other


def what_it_had_done(step: Step, cursor: Cursor, interrupted: Json) -> Json:
    """What is to be told of a run that was found dead, as the ledger knows it.

    Args:
        interrupted: as close_dead_run() gives it.

    Returns:
        dict: run_id, playbook, migrations, and what it had committed (see aftermath.committed).
    """
    receipts = step.ledger.receipts(cursor, interrupted["run_id"])
    return {
        **{key: interrupted[key] for key in ("run_id", "playbook", "migrations")},
        **committed(receipts, step.identity, journal_of(cursor, interrupted["run_id"])),
    }


def _how_it_ended(
    step: Step, other: Json, receipts: Sequence[Receipt], half_done: Json | None
) -> tuple[str, ...]:
    """Outcome, reason and, where they are those of its run.json, digest of that.

    A run that ended and could not write that into the ledger, because its disk was full or the server away, has it in
    run.json. Whatever that says, the ledger decides where production was changed.
    """
    playbook, identity = other["playbook"], step.identity
    ended = step.params["ended_elsewhere"] or {}
    why = why_taken_over(step.params["taken_over_because"], step.run_id)
    if ended.get("run_id") == other["run_id"]:
        if agrees(playbook, ended["outcome"], receipts, identity, half_done):
            return ended["outcome"], ended["reason"], ended["record_sha256"]
        # Nobody has killed it.
        why = f"its run.json says {ended['outcome']}, which its receipts do not bear out"
    return ended_as(playbook, receipts, identity, half_done, why)


def _refuse_living_run(step: Step, other: Json | None) -> None:
    """See refuse_living_run(); not where it is this run itself."""
    if other is None or other["run_id"] != step.run_id:
        refuse_living_run(step, other)


def refuse_living_run(step: Step, other: Json | None) -> None:
    """One run a database, whatever its lease says: only the controller can see whether that of the other run lives.

    Args:
        other: the run that holds the database, or None.

    Raises:
        Refused: it was not named; ``details`` has it as ``holder``, by which the controller decides.
    """
    if other is None:
        return
    if step.params["take_over"] != other["run_id"]:
        raise Refused(
            "another_run_in_progress",
            f"Another run is in progress in this database: {other['run_id']} ({other['playbook']} of"
            f" {', '.join(other['migrations'])}) by {other['operator']}, since {other['started']}."
            f" Wait until it has finished; if it is known to be dead: -e take_over={other['run_id']}",
            holder=other,
        )
