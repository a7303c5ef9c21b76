# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which impact a migration may have without being consented to by name; functions of measured values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..consent import CONSENT_SPEC, Consent
from ..errors import Refused
from ..shapes import Impact, Json
from .meter import HARMLESS_MODE, LOCK_MODES

__all__ = ["POLICY_SPEC", "objections", "refuse_by_policy"]

# Options of the rehearse module. A consent is either a higher limit or a variable named after what it accepts.
POLICY_SPEC = {
    "max_lock_seconds": {"type": "float", "default": 5},
    "large_table_mb": {"type": "float", "default": 1024},
    "accept_table_rewrite": CONSENT_SPEC,
    "accept_data_loss": CONSENT_SPEC,
    "accept_empty_rollback": CONSENT_SPEC,
}


def objections(migration: Mapping[str, Any], proof: Json, policy: Json) -> list[str]:
    """What speaks against deploying a rehearsed migration.

    Args:
        migration: dict with version and data_loss (what the header says, or None).
        proof: its evidence: impact, dropped_columns and dropped_tables (lists of names), changes_schema and
            rollback_changed (bool).
        policy: dict with the keys of POLICY_SPEC.

    Returns:
        list of sentences, each with the consent that would let it pass; empty when nothing does.
    """
    return [
        *_unobserved_locks(proof["impact"]),
        *_long_locks(proof["impact"], policy),
        *_rewrites(migration, proof["impact"], policy),
        *_undeclared_loss(migration, proof, policy),
        *_empty_rollback(migration, proof, policy),
    ]


def refuse_by_policy(migrations: Iterable[Mapping[str, Any]], evidence: Iterable[Json], policy: Json) -> None:
    """Refuse the first migration that something speaks against.

    Args:
        migrations, evidence: of the same versions in the same order.

    Raises:
        Refused: with every objection to it; ``details`` has its impact.
    """
    for migration, proof in zip(migrations, evidence):
        reasons = objections(migration, proof, policy)
        if reasons:
            raise Refused(
                "impact_not_allowed",
                f"Migration {migration['version']} was rehearsed, but {'; and '.join(reasons)}. Production was not"
                " touched. Write the migration in a gentler way, or give the variable that stands in"
                " brackets.",
                impact=proof["impact"],
            )


def _large(size: int | None, policy: Json) -> bool:
    return (size or 0) > policy["large_table_mb"] * 2**20


def _megabytes(size: int | None) -> str:
    return f"{(size or 0) / 2**20:.0f} MB"


def _unobserved_locks(impact: Impact) -> Iterator[str]:
    if not impact.get("locks_observed", True):
        yield "its locks could not be observed: the copy's server has no connection to spare (max_connections)"


def _long_locks(impact: Impact, policy: Json) -> Iterator[str]:
    for lock in impact["locks"]:
        strong = LOCK_MODES.index(lock["mode"]) > LOCK_MODES.index(HARMLESS_MODE)
        if (
            strong
            and lock["held_seconds"] > policy["max_lock_seconds"]
            and _large(lock["table_bytes"], policy)
        ):
            yield (
                f"it held {lock['mode']} on {lock['table']} ({_megabytes(lock['table_bytes'])}) for"
                f" {lock['held_seconds']:.1f} s on the copy, where {policy['max_lock_seconds']:g} s are allowed"
                f" (-e max_lock_seconds={lock['held_seconds'] * 2:.0f})"
            )


def _rewrites(migration: Mapping[str, Any], impact: Impact, policy: Json) -> Iterator[str]:
    if _agreed("accept_table_rewrite", migration, policy):
        return
    for table, size in impact["rewritten"].items():
        if _large(size, policy):
            yield (
                f"it rewrites {table} ({_megabytes(size)}), which nobody can read or write meanwhile"
                f" (-e accept_table_rewrite={migration['version']})"
            )


def _undeclared_loss(migration: Mapping[str, Any], proof: Json, policy: Json) -> Iterator[str]:
    if migration.get("data_loss") != "NONE" or _agreed("accept_data_loss", migration, policy):
        return
    deleted = {table: rows["deleted"] for table, rows in proof["impact"]["rows"].items() if rows["deleted"]}
    lost = [f"deletes {count} rows of {table}" for table, count in sorted(deleted.items())]
    lost += [f"drops column {name}" for name in proof["dropped_columns"]]
    lost += [f"drops table {name}" for name in proof["dropped_tables"]]
    if lost:
        yield (
            f"its header says 'Data Loss: NONE', and it {' and '.join(lost)}"
            f" (-e accept_data_loss={migration['version']})"
        )


def _empty_rollback(migration: Mapping[str, Any], proof: Json, policy: Json) -> Iterator[str]:
    if not proof["rollback_changed"] and not _agreed("accept_empty_rollback", migration, policy):
        yield (
            f"its rollback changes neither schema nor rows (-e accept_empty_rollback={migration['version']})"
        )


def _agreed(name: str, migration: Mapping[str, Any], policy: Json) -> bool:
    return Consent.of(policy[name]).given_for(migration["version"])
