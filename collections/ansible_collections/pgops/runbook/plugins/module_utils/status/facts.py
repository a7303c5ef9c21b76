# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is true in a database: facts for playbooks/status.yml, gathered by reading only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from ..generation.evidence import rows_seen
from ..ledger.aftermath import committed
from ..ledger.approvals import waiting_runs
from ..ledger.chain import accepted_faults, broken_receipt
from ..ledger.drills import newest_drill
from ..ledger.journal import journal_of, open_journal
from ..ledger.ledger import Ledger
from ..ledger.outcomes import contradicted_outcomes
from ..ledger.privileges import rights_of_others
from ..ledger.receipts import in_force, latest
from ..ledger.residue import residue_left
from ..ledger.schema import NEWEST
from ..ledger.tags import tag_states
from ..ledger.upgrade import release_of
from ..ledger.versions import VersionTable
from ..library.follow import files_behind
from ..postgres.connection import server_identity
from ..preflight.drift import edited_scripts, schema_drift
from ..preflight.order import unknown_applied
from ..preflight.selection import in_place_but_unrecorded
from ..preflight.shared_numbers import shared_numbers
from ..salvage.store.items import OF_TABLES, SalvageStore
from ..sentences import cut
from ..shapes import Cursor, IndexEntry, Json, Receipt

__all__ = ["database_status"]


T = TypeVar("T")

# The newest of them; the report counts the others, and the history has them.
TAGS_SHOWN = 3

#: What to read, in words; how; and what stands for it where it cannot be read now.
Read = Callable[[str, Callable[[], T], T], T]


def _at_once(what: str, function: Callable[[], T], otherwise: T) -> T:
    return function()


def database_status(
    cursor: Cursor, ledger: Ledger, index: Sequence[IndexEntry], read: Read[Any] = _at_once
) -> Json:
    """Applied, pending, edited, drifted; the chain of receipts; the last run.

    Args:
        cursor: of the database; only reads.
        ledger: the database's.
        index: the migrations of sql_dir, in order (see the SQL library's index).
        read: reads a part that may have to wait for a lock (see PatientReader).

    Returns:
        migrations (list), in_place_but_unrecorded, unknown_versions, last_run, contradicted (see
        outcomes.contradicted_outcomes), drill (the newest, or None; see
        drills.read_drills), unfinished_run, at_work (the session of
        a step that is at work, or None), waiting (deploys that have stopped until they are approved, and can still go
        on), half_done (the journal of a migration whose statements commit one by one, and not all of which have; its
        changes are no drift), broken_receipt,
        cut_off (a sentence, or None), accepted_chain (runs that went on although the chain was broken, each with its
        faults), receipts (how many), rights_of_others (what lets others than the owner write the
        runbook's schemas, or read kept rows), drift, salvage, rows_waiting (migration that is applied -> rows of its
        salvage that did not go back), residue (migration -> what its rollback could not take back), left_out (pending
        migration -> run_id of the run that left it out, skipped: the one for which it did), files_behind, tags (the
        newest states with a name, each with what was deployed later), layout (release: of the runbook's own schemas, 0
        for none; newest: that the next deploy brings them to).
    """
    recorded: set[str] | None = read(
        "which migrations are applied was not read", VersionTable(cursor).applied, None
    )
    applied = recorded or set()
    receipts = ledger.receipts(cursor)
    broken = broken_receipt(receipts)
    half_done = open_journal(cursor)
    salvage = read("the salvage was not read", SalvageStore(cursor).summary, [])
    shared = list(shared_numbers(index, applied, receipts))
    sharing = {entry["version"] for one in shared for entry in one.sharing}
    return {
        "migrations": [_migration(entry, recorded, in_force(receipts), sharing) for entry in index],
        "shared_numbers": [one.sentence for one in shared],
        "in_place_but_unrecorded": (
            []
            if recorded is None or half_done
            else read(
                "what is in place was not read",
                lambda: in_place_but_unrecorded(cursor, index, {*applied, *sharing}),
                [],
            )
        ),
        "unknown_versions": unknown_applied(index, applied - {one.recorded for one in shared}),
        "last_run": ledger.last_run(cursor),
        "contradicted": contradicted_outcomes(cursor, receipts),
        "drill": newest_drill(cursor),
        "unfinished_run": _unfinished_run(cursor, ledger, receipts),
        "at_work": ledger.session_at_work(cursor),
        "waiting": _waiting(cursor),
        "half_done": half_done,
        "broken_receipt": (
            {key: broken[key] for key in ("run_id", "step", "migration", "finished")} if broken else None
        ),
        "cut_off": ledger.cut_off(cursor),
        "accepted_chain": accepted_faults(receipts),
        "receipts": len(receipts),
        "rights_of_others": [
            {"role": one.role, "name": one.name, "privileges": one.privileges, "revoke": one.revoke}
            for one in rights_of_others(cursor)
            if one.harmful
        ],
        "drift": (
            []
            if half_done
            else read(
                "the schema was not compared", lambda: cut(schema_drift(cursor, ledger, receipts)[0]), []
            )
        ),
        "salvage": salvage,
        "rows_waiting": _rows_waiting(salvage, applied),
        "residue": _residue(receipts, applied),
        "left_out": _left_out(index, receipts, applied),
        "tags": _tags(receipts, index, applied),
        "tags_in_all": len(tag_states(receipts)),
        "files_behind": files_behind(cursor),
        "layout": {"release": release_of(cursor), "newest": NEWEST},
    }


def _tags(receipts: Sequence[Receipt], index: Sequence[IndexEntry], applied: Collection[str]) -> list[Json]:
    """The newest states with a name, and what was deployed after each."""
    order = [entry["version"] for entry in index]
    states = tag_states(receipts)
    return [
        {
            "tag": state.tag,
            "run_id": state.run_id,
            "started": state.started,
            "later": state.later(order, applied),
        }
        for state in states[:TAGS_SHOWN]
    ]


def _unfinished_run(cursor: Cursor, ledger: Ledger, receipts: Sequence[Receipt]) -> Json | None:
    """The run that holds the database, with what it has committed so far."""
    run = ledger.unfinished_run(cursor)
    if run is None:
        return None
    own = [receipt for receipt in receipts if receipt["run_id"] == run["run_id"]]
    half_done = journal_of(cursor, run["run_id"])
    return {**run, "committed": committed(own, server_identity(cursor), half_done)}


def _waiting(cursor: Cursor) -> list[Json]:
    """Deploys that have stopped until they are approved, and can still go on."""
    return [
        {key: run[key] for key in ("run_id", "migrations", "operator", "since", "approval")}
        for run in waiting_runs(cursor)
        if run["approval"] and not run["expired"] and not run["changed_by"]
    ]


def _rows_waiting(salvage: Sequence[Json], applied: Collection[str]) -> dict[str, int]:
    """Of which applied migration how many rows wait; what of it no user wrote, only where it was held back."""
    waiting: dict[str, int] = {}
    for item in salvage:
        rows = item["rows"] if item["kind"] in OF_TABLES else item["held_back"]
        if rows and item["migration"] in applied:
            waiting[item["migration"]] = waiting.get(item["migration"], 0) + rows
    return waiting


def _residue(receipts: Sequence[Receipt], applied: Collection[str]) -> dict[str, list[str]]:
    """Of which migration that was rolled back what is still there."""
    return {
        version: residue
        for version, residue in residue_left(receipts).items()
        if residue and version not in applied
    }


def _left_out(
    index: Sequence[IndexEntry], receipts: Sequence[Receipt], applied: Collection[str]
) -> dict[str, Json]:
    """What runs of pending migrations have left out and nobody has deployed since."""
    left_out: dict[str, Json] = {}
    for one in receipts:
        if one["step"] == "preflight" and one["status"] == "ok":
            for version, skipped in (one["outputs"].get("left_out") or {}).items():
                left_out[version] = {"run_id": one["run_id"], "skipped": skipped}
    return {
        entry["version"]: left_out[entry["version"]]
        for entry in index
        if entry["version"] in left_out and entry["version"] not in applied
    }


def _migration(
    entry: IndexEntry,
    recorded: Collection[str] | None,
    receipts: Sequence[Receipt],
    sharing: Collection[str] = (),
) -> Json:
    """A migration's state, and its last proof: the rehearsal that compared its rollback.

    Args:
        recorded: the versions that are applied, or None where that is not known.
        sharing: versions whose number is recorded, so that it is not known which of them it means.
    """
    version = entry["version"]
    applied = recorded or ()
    known = recorded is not None and version not in sharing
    facts: Json = {
        "version": version,
        "stem": entry["stem"],
        "state": "unknown" if not known else "applied" if version in applied else "pending",
        "edited": [],
        "proof": None,
        "run_id": None,
    }
    receipt = latest(
        [one for one in receipts if one["step"] == "apply" and one["status"] == "ok"], "apply", version
    )
    if receipt is not None and version in applied:
        facts["run_id"] = receipt["run_id"]
    if version in applied:
        facts["edited"] = edited_scripts(entry, receipts)
    for rehearsal in reversed(receipts):
        if rehearsal["step"] != "rehearse" or rehearsal["status"] != "ok":
            continue
        proof = next(
            (found for found in rehearsal["outputs"]["migrations"] if found["version"] == version), None
        )
        if proof is not None:
            facts["proof"] = {
                "run_id": rehearsal["run_id"],
                "finished": rehearsal["finished"],
                "schema_restored": proof["schema_restored"],
                "data_restored": proof["data_restored"],
                "rows_compared": rows_seen(proof).rows,
                # Receipts of older releases do not have it: nothing was let pass then.
                "not_given_back": [one["table"] for one in proof.get("not_given_back") or []],
            }
            break
    return facts
