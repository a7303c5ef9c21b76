# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step rehearse; its options are documented in plugins/modules/rehearse.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.engine import ENGINE_SPEC, engine_of, refuse_other_engine
from ..execution.script import LOCK_SPEC
from ..impact.policy import POLICY_SPEC, refuse_by_policy
from ..ledger.upgrade import upgrade
from ..library.follow import bring_rehearsed, library_hosts_of
from ..postgres.connection import TARGET_SPEC, transaction
from ..preflight.replication import SLOT_SPEC, look_at_slots, wal_of_rehearsal
from ..preflight.requirements import check_declared, makers_in_production, makers_of_chain
from ..rehearsal.generated_rows import generated_spec, refuse_too_many_rows, rehearse_on_generated_rows
from ..rehearsal.rehearsal import RESIDUE_SPEC, Rehearsal
from ..salvage.returning.returner import SALVAGE_SPEC
from ..shapes import Connection, Json, Migration
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "copy_target": {"type": "dict", "options": TARGET_SPEC},
    "statement_timeout_seconds": LOCK_SPEC["statement_timeout_seconds"],
    **ENGINE_SPEC,
    **POLICY_SPEC,
    **SALVAGE_SPEC,
    **RESIDUE_SPEC,
    **generated_spec(rows=0),
    **SLOT_SPEC,
}


def work(step: Step) -> Json:
    if step.module.check_mode:
        return {}
    refuse_too_many_rows(step.params)
    migrations = step.selected_migrations()
    # What preflight of a deploy found: a task that names no hosts must not leave the look at the disk out.
    hosts = (
        library_hosts_of(step.receipts) if step.playbook == "deploy" else step.params["run"]["library_hosts"]
    )
    refuse_other_engine(step.params, step.outputs_of("backup"))
    copy = engine_of(step.params).copy(step.params["target"], step.run_id)
    try:
        connection = copy.connect()
        try:
            with transaction(connection) as cursor:
                # Of a backup from before an upgrade; what a migration costs is measured without it.
                upgrade(cursor)
            rehearsal = Rehearsal(
                connection,
                step.smoke_scripts(),
                step.params["restore_salvage"],
                files_follow=bool(hosts),
                production=step.connection,
                accept_data_loss=step.params["accept_data_loss"],
                statement_timeout_seconds=step.params["statement_timeout_seconds"],
                accept_residue=step.params["accept_residue"],
            )
            together = bool(step.outputs_of("preflight").get("together"))
            result = rehearsal.rehearse(migrations, together)
            paths = _bring_paths(step, connection) if hosts else {}
            _check_dependencies(step, migrations, result)
            refuse_by_policy(migrations, result["migrations"], step.params)
            # All that is compared with production is known by now: from here on the copy is like it no longer.
            generated = rehearse_on_generated_rows(
                connection, copy.name, migrations, result["migrations"], step.params
            )
        finally:
            connection.close()
    finally:
        copy.drop()
    replication = _look_at_slots(step, result["migrations"])
    with transaction(step.connection) as cursor:
        for catalog in result["catalogs"].values():
            step.ledger.keep_catalog(cursor, catalog)
    return {
        "migrations": result["migrations"],
        "generated_rows": generated,
        "paths_changed": paths,
        "replication": replication,
    }


def _look_at_slots(step: Step, evidence: list[Json]) -> list[str]:
    """Whether production's slots survive what was measured; a rehearsal by itself writes nothing there, and says it."""
    accept = step.params["accept_slot_loss"] or step.playbook != "deploy"
    with transaction(step.connection) as cursor:
        return look_at_slots(cursor, wal_of_rehearsal(evidence), "On the copy the migration wrote", accept)


def _bring_paths(step: Step, copy: Connection) -> Json:
    """Changed paths, for a deploy that will look whether the files on disk can follow; production is only read else."""
    if step.playbook != "deploy":
        return {}
    with transaction(copy) as copy_cursor, transaction(step.connection) as cursor:
        return bring_rehearsed(copy_cursor, cursor, step.run_id)


def _check_dependencies(step: Step, migrations: list[Migration], result: Json) -> None:
    keys = sorted({key for proof in result["migrations"] for key in proof["uses"]})
    with transaction(step.connection) as cursor:
        made = makers_in_production(cursor, keys, step.plan["facts"])
    made.update(makers_of_chain(result["migrations"], result["catalogs"]))
    check_declared(migrations, result["migrations"], made, step.plan["facts"])


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "rehearse").execute(work)
