# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The proof of a backup: restored, it has the schema and the data that its snapshot saw."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..activity import begin
from ..catalog.application import read_schema
from ..catalog.catalog import carried_by_dump, of_dumped_tables, without_extensions
from ..catalog.difference import describe
from ..catalog.remade import difference_left
from ..content.difference import difference as content_difference
from ..content.differing_rows import differing_rows, in_words
from ..content.extension_tables import not_brought_back
from ..content.fingerprint import content_fingerprint
from ..errors import StepFailed
from ..postgres.answers import one_row
from ..postgres.connection import transaction
from ..postgres.lone_extensions import those_missing
from ..postgres.trigger_states import read_trigger_states, set_trigger_states, states_not_alike
from ..sentences import listed
from ..shapes import Catalog, Connection, Content, Cursor, Json
from .copy import CopyDatabase
from .files import BackupFiles

__all__ = [
    "compare_with_backup",
    "fill_and_compare",
    "restore_dump",
    "sequences_outside",
    "warn_of_what_lacks",
]


def sequences_outside(
    before: dict[str, int], after: dict[str, int], restored: dict[str, int]
) -> dict[str, list[int | None]]:
    """Sequences whose restored next value is not between those seen before and after the dump.

    Sequences are not covered by a snapshot (manual, "Sequence Manipulation Functions"), so production may
    have taken values while the dump was made.
    """
    wrong = {}
    for name, first in before.items():
        low, high = sorted((first, after.get(name, first)))
        value = restored.get(name)
        if value is None or not low <= value <= high:
            wrong[name] = [low, high, value]
    return wrong


def as_dumped(content: Content) -> Content:
    """A content fingerprint without what no dump holds: the rows of materialized views.

    pg_restore refreshes them, so that one that is stale in production is fresh in the copy. Whether they are
    populated is compared.
    """
    tables = {
        name: {**facts, "rows": 0, "digest": ""} if facts["kind"] == "materialized view" else facts
        for name, facts in content["tables"].items()
    }
    return {**content, "tables": tables}


def restore_dump(files: BackupFiles, manifest: Json, copy: CopyDatabase, bindir: str, jobs: int) -> None:
    """Make the copy, and restore a dump into it."""
    copy.create(manifest["settings"])
    files.restore(copy.target, copy.name, bindir, jobs, manifest)
    states = manifest.get("trigger_states", [])
    if states:
        connection = copy.connect()
        try:
            with transaction(connection) as cursor:
                set_trigger_states(cursor, states)
        finally:
            connection.close()


def fill_and_compare(
    fill: Callable[[], str | None],
    manifest: Json,
    copy: CopyDatabase,
    production: Connection | None = None,
) -> Json:
    """Restore the backup into the copy and compare.

    Args:
        fill: makes the copy and restores into it (BackupEngine.fill_copy, fill_beside).
        manifest: what the backup must hold.
        copy: CopyDatabase, not existing yet; it is left in place.
        production: idle connection to the database that was backed up, to name the rows where the data differ; None
            where it has long gone on.

    Returns:
        dict: schema_equal, data_equal, tables, rows, seconds; where there is anything, not_in_backup: what no dump
        has of tables of extensions (see not_brought_back), and triggers_not_alike: sentences on what only a superuser
        could have restored, and extensions_left_out, which the role may not make and on which nothing depends.

    Raises:
        StepFailed: with what differs; ``details`` has the tables, and the rows as differing_rows() gives them.
    """
    clock = time.monotonic()
    # Of backups of older releases nobody knows how large their database was.
    begin("restoring", manifest.get("database_bytes"), "bytes", copy.size)
    doubt = fill()
    connection = copy.connect()
    try:
        with transaction(connection):
            content = _content_with_schema(connection, manifest)
        # Where rows differ they are looked for in a transaction of another kind.
        _check_rows(manifest["content"], content, production, connection)
        _check_sequences(manifest, content)
        with transaction(connection) as cursor:
            # Backups of older releases, and those of a whole server, do not have it.
            lost = not_brought_back(manifest.get("not_dumped", {}), cursor)
            states = _states_not_alike(cursor, manifest)
            left_out = [one.key for one in those_missing(cursor, manifest.get("lone_extensions", []))]
    except StepFailed as error:
        if doubt is None or error.code != "copy_differs_from_production":
            raise
        raise StepFailed(
            "restore_point_not_quiet",
            f"{doubt}; and the two are not alike: {error.reason} Production is as it was, and nothing is known against"
            " the backup. Run again when less is written, as with maintenance_mode=read_only.",
            **error.details,
        ) from None
    finally:
        connection.close()
    return {
        "schema_equal": True,
        "data_equal": True,
        "tables": len(content["tables"]),
        "rows": sum(table["rows"] for table in content["tables"].values()),
        "seconds": round(time.monotonic() - clock, 3),
        **({"not_in_backup": lost} if lost else {}),
        **({"triggers_not_alike": states} if states else {}),
        **({"extensions_left_out": left_out} if left_out else {}),
    }


def warn_of_what_lacks(warn: Callable[[str], object], proof: Json) -> None:
    """Say what a role that is no superuser could not restore.

    Args:
        proof: of fill_and_compare(); those of other kinds have nothing of this.
    """
    lines = proof.get("triggers_not_alike")
    if lines:
        warn(
            f"Only a superuser can switch triggers of constraints: in the restored database {listed(lines)}. There"
            " foreign keys and unique constraints are checked which production does not check: what the migration does"
            " may fail on the copy alone. After a restore, if it is to stay so, a superuser types: ALTER TABLE ..."
            " DISABLE TRIGGER ALL"
        )
    extensions = proof.get("extensions_left_out")
    if extensions:
        commands = listed([f"CREATE EXTENSION {name}" for name in extensions])
        warn(
            f"The restored database has no {listed(extensions, separator=', ')}: the role may not make such an"
            " extension, and nothing of the application depends on it. After a restore, whoever may types, in that"
            f" database: {commands}"
        )


def compare_with_backup(connection: Connection, manifest: Json) -> Content:
    """Compare a restored database with what its backup must hold.

    Args:
        connection: to the restored database; a transaction that is open on it goes on.
        manifest: see fill_and_compare.

    Returns:
        the restored content.

    Raises:
        StepFailed: with what differs.
    """
    content = _content_with_schema(connection, manifest)
    _check_rows(manifest["content"], content, None, connection)
    _check_sequences(manifest, content)
    return content


def _content_with_schema(connection: Connection, manifest: Json) -> Content:
    """The content of a restored database whose schema is the one that was backed up."""
    with connection.cursor() as cursor:
        catalog = read_schema(cursor)
        content = content_fingerprint(cursor)
        left_out = [one.key for one in those_missing(cursor, manifest.get("lone_extensions", []))]
        _check_schema(cursor, without_extensions(manifest["catalog"], left_out), catalog)
        _states_not_alike(cursor, manifest)
    return content


def _states_not_alike(cursor: Cursor, manifest: Json) -> list[str]:
    """Sentences on triggers of constraints that have another state than in production.

    Raises:
        StepFailed: there are such, and a superuser could have made them alike.
    """
    if "trigger_states" not in manifest:
        return []  # of an older release, or of a whole server
    lines = states_not_alike(manifest["trigger_states"], read_trigger_states(cursor))
    cursor.execute("SELECT pg_catalog.current_setting('is_superuser')::boolean")
    if lines and one_row(cursor)[0]:
        raise StepFailed(
            "copy_differs_from_production",
            f"The schema of the restored backup is not that of production: {listed(lines)}.",
        )
    return lines


def _check_schema(cursor: Cursor, expected: Catalog, restored: Catalog) -> None:
    # Each side without what no dump carries over: an invalid index of production is missing in every copy.
    lines = describe(
        difference_left(cursor, *(carried_by_dump(of_dumped_tables(one)) for one in (expected, restored)))
    )
    if lines:
        raise StepFailed(
            "copy_differs_from_production",
            f"The schema of the restored backup is not that of production: {listed(lines)}.",
        )


def _check_rows(
    expected: Content, restored: Content, production: Connection | None, copy: Connection
) -> None:
    problems = content_difference(as_dumped(expected), as_dumped(restored))
    if problems:
        rows = differing_rows(production, copy, expected, problems)
        lines = [
            f"{found['table']}: {found['problem']}{in_words(rows, found['table'])}" for found in problems
        ]
        raise StepFailed(
            "copy_differs_from_production",
            f"The rows of the restored backup are not those of production: {listed(lines)}.{_who_writes(copy)}",
            tables=problems,
            rows=rows,
        )


# The copy has them, too, and each session of the runbook in it is a login (manual, "Event Triggers"; PostgreSQL 17).
LOGIN_TRIGGERS = """
    SELECT quote_ident(evtname) FROM pg_catalog.pg_event_trigger
    WHERE evtevent = 'login' AND evtenabled IN ('O', 'A') ORDER BY 1"""


def _who_writes(copy: Connection) -> str:
    """A sentence on triggers that may have written in the copy itself, as a log of logins; empty without any."""
    with transaction(copy) as cursor:
        cursor.execute(LOGIN_TRIGGERS)
        triggers = [name for (name,) in cursor.fetchall()]
    if not triggers:
        return ""
    return (
        f" The database has a trigger that fires at each login, {listed(triggers)}: if it writes into that table, it"
        " does so in the copy, too, and nothing is wrong with the backup. Have its function return where"
        " current_setting('application_name') is 'pgops.runbook', then type the same command again."
    )


def _check_sequences(manifest: Json, restored: Content) -> None:
    outside = sequences_outside(
        manifest["content"]["sequences"], manifest["sequences_after"], restored["sequences"]
    )
    if outside:
        name, (low, high, value) = next(iter(outside.items()))
        raise StepFailed(
            "copy_differs_from_production",
            f"Sequence {name} stands at {value} in the restored backup; in production it stood between {low} and"
            f" {high} while the backup was made.",
        )
