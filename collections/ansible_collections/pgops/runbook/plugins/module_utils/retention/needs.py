# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which runs' backups somebody may still need, whatever backup_keep says."""

from __future__ import annotations

from collections.abc import Sequence

from ..ledger.ledger import Ledger
from ..ledger.receipts import in_force, latest
from ..preflight.opening import backups_of
from ..salvage.store.items import SalvageStore
from ..shapes import Cursor, Receipt

__all__ = ["needed_runs", "untested_runs", "waiting_migrations"]

OPEN = "it has not ended"
RESTORED = "run {} is putting it back"
HALF_DONE = "migration {} is half done"
UNTESTED = "migration {} was applied, and its smoke tests have not succeeded"
FILES_BEHIND = "files on disk have not followed migration {}"
WAITS = "rows that its rollback of {} has kept wait in the salvage"

# Runs that began something for a migration that is not done, and the runs that applied that migration.
HALF_DONE_RUNS = "SELECT run_id, migration FROM runbook.journal WHERE closed IS NULL ORDER BY journal_id"
BEHIND_RUNS = """
    SELECT run_id, migration FROM runbook.path_change_set WHERE closed IS NULL AND direction <> 'rehearsed'
    ORDER BY set_id"""


def needed_runs(cursor: Cursor, chain: Sequence[Receipt]) -> dict[str, str]:
    """run_id -> why its backup stays, as a sentence.

    Args:
        chain: all receipts of the ledger, oldest first.
    """
    if not Ledger().exists(cursor):
        return {}
    reasons: dict[str, str] = {}
    cursor.execute("SELECT run_id FROM runbook.run WHERE finished IS NULL ORDER BY started")
    for (run_id,) in cursor.fetchall():
        for name in backups_of([one for one in chain if one["run_id"] == run_id], run_id):
            reasons.setdefault(name, OPEN if name == run_id else RESTORED.format(run_id))
    appliers = _appliers(chain)
    for query, why in ((HALF_DONE_RUNS, HALF_DONE), (BEHIND_RUNS, FILES_BEHIND)):
        cursor.execute(query)
        for begun_by, version in cursor.fetchall():
            for name in filter(None, (begun_by, appliers.get(version))):
                reasons.setdefault(name, why.format(version))
    for run_id, version in untested_runs(chain).items():
        reasons.setdefault(run_id, UNTESTED.format(version))
    for run_id, version in SalvageStore(cursor).waiting():
        reasons.setdefault(run_id, WAITS.format(version))
    return reasons


def waiting_migrations(cursor: Cursor) -> list[str]:
    """Versions of which a rollback has kept something that has not gone back."""
    return sorted({version for _, version in SalvageStore(cursor).waiting()})


def _appliers(chain: Sequence[Receipt]) -> dict[str, str]:
    """Version -> the run that applied it, of migrations that are in place."""
    newest: dict[str, Receipt] = {}
    for receipt in in_force(chain):
        if receipt["status"] == "ok" and receipt["step"] in ("apply", "emergency_rollback", "adopt"):
            newest[receipt["migration"] or ""] = receipt
    return {version: one["run_id"] for version, one in newest.items() if one["step"] == "apply"}


def untested_runs(chain: Sequence[Receipt]) -> dict[str, str]:
    """run_id -> version of a migration that it applied, that is in place, and that it has not tested to the end.

    It may have to be taken back yet, and where its rollback fails, its backup is what there is.

    Args:
        chain: all receipts of the ledger, oldest first.
    """
    untested = {}
    for version, run_id in _appliers(chain).items():
        tested = latest([one for one in chain if one["run_id"] == run_id], "smoke_test")
        if tested is None or tested["status"] != "ok":
            untested[run_id] = version
    return untested
