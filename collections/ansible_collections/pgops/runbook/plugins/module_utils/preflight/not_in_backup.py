# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that no dump has: tables of extensions, named before a backup without them is called whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import Refused, StepFailed
from ..postgres.extension_tables import has_rows, tables_not_dumped
from ..sentences import listed
from ..shapes import Cursor, Json

__all__ = ["NOT_IN_BACKUP_SPEC", "check_all_in_backup", "refuse_not_brought_back"]

NOT_IN_BACKUP_SPEC: Json = {"accept_rows_not_in_backup": {"type": "bool", "default": False}}

LEFT_OUT = "pg_dump leaves out what belongs to an extension"

#: What becomes of them, by what the run does.
OF_A_BACKUP = "no backup of this run would hold them"
OF_A_RESTORE = "after the restore they would be only in the database that it replaces"

ACCEPT = (
    "If the rows come from the extension itself, or may be lost, type the same command with -e"
    " accept_rows_not_in_backup=true"
)


def check_all_in_backup(
    cursor: Cursor, accept: bool, consequence: str = OF_A_BACKUP, warn: Callable[[str], object] | None = None
) -> list[str]:
    """That a dump of this database has the rows of all tables.

    Args:
        cursor: of a transaction in production; only reads.
        accept: whether a person has said that it need not.
        consequence: OF_A_BACKUP or OF_A_RESTORE.
        warn: told instead of a refusal, where nothing may hold the run up.

    Returns:
        names of the tables of which it has none.

    Raises:
        Refused: naming them, with the commands.
    """
    tables = [(one.name, one.extension) for one in tables_not_dumped(cursor) if has_rows(cursor, one)]
    names = [name for name, _ in tables]
    if not tables or accept:
        return names
    named = listed([_named(*one) for one in tables])
    what = f"{named} {'has' if len(tables) == 1 else 'have'} rows, and {LEFT_OUT}: {consequence}."
    if warn is not None:
        warn(f"{what} The rollback itself does not depend on it.")
        return names
    raise Refused(
        "rows_not_in_backup", f"{what} Nothing was changed. {_what_to_type(tables)}", not_in_backup=names
    )


def refuse_not_brought_back(lost: Sequence[Json]) -> None:
    """What a restored backup lacks of the tables of extensions.

    Args:
        lost: as not_brought_back() gives it.

    Raises:
        StepFailed: there is any.
    """
    if not lost:
        return
    lines = [f"{_named(one['table'], one['extension'])}: {_difference(one)}" for one in lost]
    raise StepFailed(
        "rows_not_in_backup",
        f"The backup is sound, but {LEFT_OUT}, and the extension did not bring it back: {listed(lines)}."
        f" {_what_to_type([(one['table'], one['extension']) for one in lost])}",
        not_in_backup=list(lost),
    )


def _difference(table: Json) -> str:
    rows = f"{table['rows']} {'row' if table['rows'] == 1 else 'rows'} in production"
    if table["rows_in_copy"] is None:
        return f"{rows}, and no such table in the restored database"
    if table["rows_in_copy"] == table["rows"]:
        return f"{rows}, and as many, with other values, in the restored database"
    return f"{rows}, and {table['rows_in_copy']} in the restored database"


def _named(table: str, extension: str) -> str:
    return f"{table} (of extension {extension})"


def _what_to_type(found: Sequence[tuple[str, str]]) -> str:
    commands = [f"ALTER EXTENSION {extension} DROP TABLE {table}" for table, extension in found]
    return (
        "If a table is the application's own, whoever owns the extension takes it out of that:"
        f" {listed(commands, 5)}. {ACCEPT}"
    )
