# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which migrations a run is about, by what is applied; and which look as if they were, though nothing records them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..errors import Refused
from ..ledger.bookkeeping import recorded_in
from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..postgres.script_session import relation_oid
from ..shapes import Cursor, IndexEntry
from .order import Index, cascade_order, dependents, later_than, pending, unmet_requirements

__all__ = ["in_place_but_unrecorded", "select_for_deploy", "select_for_rollback", "select_later"]


def select_for_deploy(
    index: Index, wanted: str, applied: Collection[str], until: str = "", skip: Collection[str] = ()
) -> list[str]:
    """The versions that this deploy applies, in order.

    Args:
        index: the migrations of sql_dir, in order (see the SQL library's index).
        wanted: a version, or "pending".
        applied: recorded versions.
        until, skip: of pending ones, see order.pending.

    Raises:
        Refused: already applied, or a requirement is not met.
    """
    if wanted == "pending":
        return pending(index, applied, until, skip)
    if wanted in applied:
        raise Refused(
            "already_applied", f"Migration {wanted} is already applied: {recorded_in()} records it."
        )
    unmet = unmet_requirements(index, wanted, applied)
    if unmet:
        raise Refused(
            "requirement_not_applied",
            f"Checklist item 'dependencies identified': migration {wanted} requires {', '.join(unmet)}, not applied"
            f" yet. Deploy {unmet[0]} first, or all with -e migration=pending.",
        )
    return [wanted]


def select_for_rollback(index: Index, wanted: str, applied: Collection[str], cascade: bool) -> list[str]:
    """The versions that this rollback takes back, in the order in which that happens.

    Raises:
        Refused: not applied, or applied migrations depend on it and ``cascade`` is false.
    """
    if wanted not in applied:
        raise Refused(
            "not_applied", f"Migration {wanted} is not applied: {recorded_in()} does not record it."
        )
    needed_by = dependents(index, wanted, applied)
    if needed_by and not cascade:
        raise Refused(
            "needed_by_later_migration",
            f"Migration {wanted} cannot be rolled back alone: {', '.join(needed_by)} depend on it."
            " Roll these back first, or all together, newest first, with -e cascade=true.",
        )
    return cascade_order(index, wanted, applied)


def select_later(index: Index, stays: str, applied: Collection[str]) -> list[str]:
    """The versions that a rollback down to ``stays`` takes back, in the order in which that happens; maybe none.

    Raises:
        Refused: ``stays`` is not applied, or what would stay requires one of them.
    """
    if stays not in applied:
        raise Refused(
            "not_applied",
            f"Migration {stays}, which is to stay, is not applied: {recorded_in()} does not record it. Name the last"
            " one that is to stay: -e to=<version>. What is applied: ansible-playbook playbooks/status.yml",
        )
    return later_than(index, stays, applied)


def in_place_but_unrecorded(
    cursor: Cursor, index: Iterable[IndexEntry], applied: Collection[str]
) -> list[str]:
    """Versions whose tables and columns all exist although nothing records them.

    A quick look by name; playbooks/status.yml compares definitions.
    """
    return [
        entry["version"]
        for entry in index
        if entry["version"] not in applied and entry["creates"] and _all_exist(cursor, entry["creates"])
    ]


def _all_exist(cursor: Cursor, creates: dict[str, list[list[str | None]]]) -> bool:
    tables = [(schema, table, None) for schema, table in creates["tables"]]
    columns = [tuple(column) for column in creates["columns"]]
    if not tables and not columns:
        return False
    for schema, table, column in tables + columns:
        # Where scripts find what they name without a schema.
        name = sql.Identifier(*filter(None, (schema, table))).as_string(cursor)
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = %(table)s"
            " AND (%(column)s::text IS NULL OR (attname = %(column)s AND NOT attisdropped)))",
            {"table": relation_oid(cursor, name), "column": column},
        )
        if not one_row(cursor)[0]:
            return False
    return True
