# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step preflight; its options are documented in plugins/modules/preflight.py."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import NamedTuple, Optional

from ansible.module_utils.basic import AnsibleModule

from ..backup.emergency import AUTO, EMERGENCY_BACKUP_SPEC, FULL, check_wanted
from ..backup.encryption import ENCRYPTION_SPEC, Encryption
from ..backup.engine import ENGINE_SPEC, BackupEngine, drop_copy, engine_of, refuse_for_drill
from ..backup.files import remove_unencrypted
from ..backup.trial import trial_of
from ..errors import StepFailed
from ..execution.prechecks import PRECHECK_SPEC, ask_prechecks
from ..ledger.journal import open_journal
from ..ledger.ledger import Ledger
from ..ledger.planted import refuse_planted_in_ledger
from ..ledger.privileges import check_rights_of_others
from ..ledger.tags import check_new_tag
from ..ledger.versions import VersionTable
from ..postgres.answers import one_row
from ..postgres.connection import TARGET_SPEC, psycopg2, transaction
from ..preflight.agreed import AGREED_SPEC, agreed
from ..preflight.approvals import APPROVALS_SPEC, approvals_needed, refuse_taken_name
from ..preflight.chain import accept_or_refuse_chain, refuse_broken_chain
from ..preflight.checks import check_lint
from ..preflight.drift import accept_or_refuse_drift
from ..preflight.drills import DRILL_SPEC, refuse_old_drill
from ..preflight.not_in_backup import NOT_IN_BACKUP_SPEC, check_all_in_backup
from ..preflight.opening import (
    TAKE_OVER_SPEC,
    asking_for_files,
    backups_of,
    close_dead_run,
    ends_renaming,
    left_out_of,
    paths_behind,
    select_migrations,
    verified_backup_before,
    what_it_had_done,
)
from ..preflight.replacing import missing_to_replace
from ..preflight.replication import LAG_SPEC, SLOT_SPEC, look_at_server_of_copy, look_at_standbys
from ..preflight.server import (
    check_client_programs,
    check_own_session,
    check_rights,
    check_server,
    cursor_of_copies,
)
from ..preflight.shared_numbers import call_as_deployed, warn_of_shared_numbers
from ..preflight.superuser import called_as_superuser
from ..preflight.together import TOGETHER_SPEC, check_together
from ..restore.opening import open_restore, refuse_missing_database
from ..restore.restored import drop_restored
from ..shapes import Cursor, Json
from ..step.options import operator_name, step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "emergency_backup": EMERGENCY_BACKUP_SPEC["kind"],
    **ENCRYPTION_SPEC,
    **ENGINE_SPEC,
    "cascade": {"type": "bool", "default": False},
    "skip_done": {"type": "bool", "default": False},
    "copy_target": {"type": "dict", "options": TARGET_SPEC},
    "rehearsal_host": {"type": "str", "default": ""},
    "pg_bindir": {"type": "path", "default": ""},
    **TAKE_OVER_SPEC,
    "source_run_id": {"type": "str", "default": ""},
    "restore_to": {"type": "str", "default": ""},
    "lint_gating_rules": {"type": "list", "elements": "str", "default": []},
    **LAG_SPEC,
    **SLOT_SPEC,
    **NOT_IN_BACKUP_SPEC,
    **AGREED_SPEC,
    **APPROVALS_SPEC,
    **PRECHECK_SPEC,
    **DRILL_SPEC,
    **TOGETHER_SPEC,
}


class Selected(NamedTuple):
    """What preflight reads of the database that another run may change.

    Attributes:
        applied: versions, by the application's own table.
        migrations: versions that this run is about.
        only_files: those for which it only ends what an earlier one began with files on disk.
        lint: findings of the linter, or None where it was not asked.
    """

    applied: Collection[str]
    migrations: list[str]
    only_files: list[str]
    lint: Optional[Json]

    def has_work(self) -> bool:
        return bool(self.migrations or self.only_files)


def _say_what_is_read(step: Step) -> None:
    for sentence in filter(None, (step.plan["layout"]["sentence"], *step.plan["warnings"])):
        step.module.warn(sentence)
    for sentence in step.plan["unusable"]:
        step.module.warn(f"A file cannot be used, and is left alone as long as nothing needs it: {sentence}")


def work(step: Step) -> Json:
    _say_what_is_read(step)
    check_server(step.identity)
    check_own_session(step.connection, step.params["target"])
    programs = check_client_programs(step.identity, step.params["pg_bindir"])
    with _all_missing_rights(step), transaction(step.connection) as cursor:
        selected = _select(step, cursor)
        size, replication = _check_servers(step, cursor)
        superuser_calls = _called_as_superuser(step, cursor)
        not_in_backup = _not_in_backup(step, cursor)
    warn_of_shared_numbers(step.plan.get("deployed_files") or {}, step.module.warn)
    opens = selected.has_work() and not step.module.check_mode
    if opens and not step.reads_only:
        step.take_run_lock()
        with transaction(step.connection) as cursor:
            # Whoever held the lock until now may have deployed, or rolled back, what was pending or applied before.
            selected = _select(step, cursor)
        opens = selected.has_work()
    with transaction(step.connection) as cursor:
        refuse_old_drill(step, cursor, selected.migrations)
        if step.module.check_mode and selected.has_work():
            _refuse_drift_in_check_mode(step, cursor)
    together = step.params["together"] and check_together(step.plan["index"], selected.migrations)
    needed = _approvals(step, selected)
    prechecks = ask_prechecks(step, selected.migrations)
    if not selected.has_work():
        step.changed = False
    outputs = {
        "migrations": selected.migrations,
        "sql_layout": step.plan["layout"]["name"],
        "left_out": left_out_of(step, selected.applied),
        "taken_back_since": step.plan.get("taken_back_since") or [],
        **({"faulty": step.plan["faulty"]} if step.plan.get("faulty") else {}),
        "deployed_files": step.plan.get("deployed_files") or {},
        "applied_before": sorted(selected.applied),
        "database_bytes": size,
        "lint": selected.lint,
        "client_programs": programs,
        "prechecks": prechecks,
        "server_version": step.identity["server_version"],
        "files": asking_for_files(step, selected.migrations, selected.only_files),
        "restore_point": _check_emergency_backup(step, selected.migrations),
        "replication": replication,
        "called_as_superuser": superuser_calls,
        **needed,
        **agreed(step, selected.migrations),
        **({"together": True} if together else {}),
        **_tag(step, selected),
        **({"not_in_backup": not_in_backup} if not_in_backup else {}),
    }
    # Of the ledger, and so the same for every step: a task that names other hosts must not leave one out.
    outputs["library_hosts"] = step.params["run"]["library_hosts"] if outputs["files"] else []
    if step.playbook == "emergency_rollback" and selected.migrations:
        with transaction(step.connection) as cursor:
            # Before the oldest of them: the last one that is taken back.
            backup = verified_backup_before(Ledger(), cursor, selected.migrations[-1])
        outputs["restorable_run"] = backup["run_id"] if backup else None
    if not opens:
        with transaction(step.connection) as cursor:
            close_dead_run(step, cursor)
        return outputs
    return _open_run(step, selected, outputs)


@contextlib.contextmanager
def _all_missing_rights(step: Step) -> Iterator[None]:
    """Where PostgreSQL refuses to read something, name that with all else that is missing.

    Raises:
        Refused: naming every right that is missing.
        psycopg2.Error: PostgreSQL's own words, where it is none of those.
    """
    try:
        yield
    except psycopg2.errors.InsufficientPrivilege:
        with transaction(step.connection) as cursor:
            _check_rights(step, cursor)
        raise


def _check_rights(step: Step, cursor: Cursor) -> None:
    on_server = step.playbook != "emergency_rollback" and _engine(step).copies_on_server
    with cursor_of_copies(cursor, step.params["copy_target"]) as copy_cursor:
        check_rights(cursor, copy_cursor, on_server, step.params["rehearsal_host"], trial_of(step))


def _select(step: Step, cursor: Cursor) -> Selected:
    """
    Raises:
        Refused: an item of the checklist is not met.
    """
    VersionTable(cursor).check()
    applied = VersionTable(cursor).applied()
    if step.playbook == "emergency_rollback":
        # Who has to take a migration back cannot wait until people agree on a number.
        call_as_deployed(step.plan, step.params["run"], applied, Ledger().receipts(cursor))
    files_behind = paths_behind(step, cursor)
    only_files = files_behind if ends_renaming(step, applied, files_behind) else []
    migrations = [] if only_files else select_migrations(step, cursor, applied)
    linted = step.playbook != "emergency_rollback" and step.plan["linted"]
    lint = check_lint(step.plan["index"], migrations, step.params["lint_gating_rules"]) if linted else None
    return Selected(applied, migrations, only_files, lint)


def _check_servers(step: Step, cursor: Cursor) -> tuple[int, list[str]]:
    """Rights, room and replication; the size of the database in bytes, and what is to be said of replication."""
    makes_copy = step.playbook != "emergency_rollback"
    engine = _engine(step)
    on_server = makes_copy and engine.copies_on_server
    _check_rights(step, cursor)
    refuse_planted_in_ledger(cursor)
    check_rights_of_others(cursor, step.playbook == "deploy", step.module.warn)
    refuse_broken_chain(step, cursor)
    _say_what_a_restore_lacks(step, cursor)
    cursor.execute("SELECT pg_database_size(current_database())")
    size = one_row(cursor)[0]
    # Who has to take a migration back does not wait for a standby, and a rehearsal changes nothing.
    replication = look_at_standbys(cursor, step.params["max_replica_lag_mb"], step.playbook == "deploy")
    if makes_copy:
        # A rollback needs the room only where its backup is a dump, which that step decides.
        tries = not step.module.check_mode
        engine.check(cursor, step.identity, size, tries)
    if on_server:
        copy_target = step.params["copy_target"] or step.params["target"]
        replication += look_at_server_of_copy(copy_target, size, step.params["accept_slot_loss"], tries)
    if on_server or engine.emergency_kind(step.params["emergency_backup"]) in (AUTO, FULL):
        # Who has to take a migration back without a dump does not wait for a program that makes one unreadable.
        try:
            Encryption.of(step.params).check()
        except StepFailed as error:
            if makes_copy:
                raise
            raise StepFailed(
                error.code, f"{error.reason} Or roll back without a dump: -e emergency_backup=salvage"
            ) from None
    return size, replication


def _say_what_a_restore_lacks(step: Step, cursor: Cursor) -> None:
    """A deploy needs none of it, and is the last that anybody does in peace."""
    missing = missing_to_replace(cursor) if step.playbook == "deploy" else []
    if missing:
        step.module.warn(
            "A restore of this database would be refused (playbooks/restore.yml), should it ever be needed:"
            f" {'. '.join(missing)}"
        )


def _called_as_superuser(step: Step, cursor: Cursor) -> list[str]:
    """What a restore has a superuser call; who has to take a migration back at night was told when it was deployed."""
    if step.playbook == "emergency_rollback":
        return []
    said = called_as_superuser(cursor, step.params["copy_target"])
    for sentence in said:
        step.module.warn(sentence)
    return said


def _not_in_backup(step: Step, cursor: Cursor) -> list[str]:
    """Tables with rows of which the run's backup has none (see check_all_in_backup)."""
    engine = _engine(step)
    if step.playbook == "emergency_rollback":
        # Nobody who has to take a migration back is kept from it.
        makes_dump = engine.emergency_kind(step.params["emergency_backup"]) in (AUTO, FULL)
        return check_all_in_backup(cursor, accept=False, warn=step.module.warn) if makes_dump else []
    if not engine.copies_on_server or step.params["run"]["migration"] == "all":
        return []
    return check_all_in_backup(cursor, step.params["accept_rows_not_in_backup"])


def _approvals(step: Step, selected: Selected) -> Json:
    """dict for the receipt: approvals, what the run needs before it changes production, where that is anything."""
    with transaction(step.connection) as cursor:
        needed = approvals_needed(step, cursor, selected.migrations)
    return {"approvals": needed} if needed else {}


def _tag(step: Step, selected: Selected) -> Json:
    """dict for the receipt: tag, the name of the state after this deploy, where it was given one.

    Raises:
        Refused: another deploy has it.
    """
    tag = step.params["run"]["tag"]
    if not tag or step.playbook != "deploy":
        return {}
    with transaction(step.connection) as cursor:
        check_new_tag(Ledger().receipts(cursor), tag, selected.applied)
    if not selected.migrations:
        step.module.warn(f"Nothing is to be deployed, so that no run has tag {tag}.")
    return {"tag": tag}


def _engine(step: Step) -> BackupEngine:
    """The engine of the run's backup; one that is rehearsed from an empty database has none, but copies on a server."""
    if step.playbook == "rehearse" and step.params["run"]["migration"] == "all":
        return engine_of({**step.params, "engine": None})
    engine = engine_of(step.params)
    if step.playbook == "drill":
        refuse_for_drill(engine)
    return engine


def _refuse_drift_in_check_mode(step: Step, cursor: Cursor) -> None:
    """What a run would be refused for when it is opened; with accept_drift it would keep the schema in the ledger."""
    if step.playbook == "deploy" and not step.params["accept_drift"] and open_journal(cursor) is None:
        accept_or_refuse_drift(cursor, Ledger(), step.ledger.receipts(cursor), accept=False)


def _open_run(step: Step, selected: Selected, outputs: Json) -> Json:
    """Open the run in the ledger; what an interrupted one has left is closed and removed."""
    if step.playbook != "emergency_rollback":
        outputs["forgotten_copies"] = _engine(step).drop_forgotten(step.params["target"], step.connection)
    digests = step.script_digests()
    with transaction(step.connection) as cursor:
        step.ledger.create(cursor)
        interrupted = close_dead_run(step, cursor)
        if interrupted is not None:
            receipts = step.ledger.receipts(cursor, interrupted["run_id"])
            outputs["interrupted_run"] = what_it_had_done(step, cursor, interrupted)
        run = step.params["run"]
        refuse_taken_name(step, cursor)
        outputs.update(accept_or_refuse_chain(step, cursor))
        # Of a migration that is half done the journal says why the schema is neither the old nor the new one.
        if step.playbook == "deploy" and open_journal(cursor) is None:
            chain = step.ledger.receipts(cursor)
            outputs.update(accept_or_refuse_drift(cursor, Ledger(), chain, step.params["accept_drift"]))
        step.ledger.open_run(
            cursor,
            step.run_id,
            step.playbook,
            selected.migrations,
            operator_name(run["operator"]),
            run["controller"],
        )
        inputs = {
            "scripts": {version: digests[version] for version in selected.migrations if version in digests},
            "smoke": step.plan["smoke_digests"],
        }
        step.record(cursor, "ok", inputs=inputs, outputs=outputs)
    if interrupted is not None:
        # Killed between verify_restore and rehearse, it could not drop its copy.
        drop_copy(step.params, interrupted["run_id"], step.connection)
        drop_restored(step.params["target"], interrupted["run_id"], step.params["backup_dir"])
        remove_unencrypted(step.params["backup_dir"], backups_of(receipts, interrupted["run_id"]))
    return outputs


def _check_emergency_backup(step: Step, selected: list[str]) -> Json | None:
    """The backup before a rollback, which in a failed deploy comes when it is too late to choose another one."""
    if step.playbook not in ("deploy", "emergency_rollback") or not selected:
        return None
    scripts = {entry["version"]: entry["one_by_one"]["rollback"] for entry in step.plan["index"]}
    one_by_one = [
        version
        for version in selected
        if scripts[version]["statements"] or scripts[version]["declared"] == "none"
    ]
    return check_wanted(
        step.connection,
        _engine(step).emergency_kind(step.params["emergency_backup"]),
        one_by_one,
        step.run_id,
        # A rollback sets its own one in the next step.
        prove=step.playbook == "deploy" and not step.module.check_mode,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    step = Step(module, "preflight")
    if step.playbook != "restore":
        step.execute(work)

    def first() -> None:
        target = module.params["target"]
        refuse_missing_database(target, module.params["backup_dir"], module.params["source_run_id"])

    step.execute(
        lambda step: open_restore(step, operator_name(module.params["run"]["operator"])), first=first
    )
