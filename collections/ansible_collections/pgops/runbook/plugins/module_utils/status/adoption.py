# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which migrations are in place in a database that the runbook did not build, as its catalog tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..backup.copy import CopyDatabase, database_settings
from ..catalog.application import read_schema
from ..catalog.difference import difference
from ..catalog.remade import Remade
from ..errors import Refused, RunbookError
from ..execution.hooks import Hooks
from ..execution.parts import commits_one_by_one
from ..execution.recipe_one_by_one import apply_one_by_one
from ..execution.script import apply_migration
from ..ledger.receipts import script_digests
from ..ledger.versions import VersionTable
from ..postgres.connection import psycopg2, transaction
from ..postgres.message import one_line
from ..shapes import Catalog, Connection, Json, Migration, Receipt
from ..step.options import operator_name
from ..step.step import Step

__all__ = ["Made", "find_in_place", "made_by_each", "placement", "record_in_place"]

# Who owns an object, who may use it and how it is described differ from site to site.
FACTS_OF_THE_SITE = ("owner", "privileges", "comment")

# Their bodies may have been corrected since; what counts is that they are there, with their arguments.
KINDS_BY_PRESENCE = ("function", "view", "materialized view", "comment")


class Made(NamedTuple):
    """What migrations add to the catalog of an empty database.

    Attributes:
        objects: version -> key -> facts, as they are when all have been applied.
        failed: version -> why it could not be applied there.
    """

    objects: dict[str, Catalog]
    failed: dict[str, str]


def made_by_each(connection: Connection, migrations: Sequence[Migration], hooks: Hooks) -> Made:
    """What each migration adds to the catalog, seen by applying them all to an empty database.

    One that fails there is undone, and those after it are tried all the same.

    Args:
        connection: to the empty database.
        migrations: all of them, in order.
        hooks: of a rehearsal there, for those whose statements commit one by one.
    """
    stages: dict[str, Catalog] = {}
    failed: dict[str, str] = {}
    with transaction(connection) as cursor:
        before = read_schema(cursor)
    for migration in migrations:
        version = migration["version"]
        why = _why_not_applied(connection, migration, hooks)
        with transaction(connection) as cursor:
            after = read_schema(cursor)
        if why is None:
            stages[version] = difference(before, after).added
        else:
            failed[version] = why
        before = after
    final = before
    objects = {
        version: {key: final[key] for key in added if key in final} for version, added in stages.items()
    }
    return Made(objects, failed)


def _why_not_applied(connection: Connection, migration: Migration, hooks: Hooks) -> str | None:
    """Apply a migration; the reason where it fails, of which nothing stays but what committed by itself."""
    try:
        if commits_one_by_one(migration["apply"]):
            apply_one_by_one({**migration, "verify": None}, hooks)
        else:
            with transaction(connection) as cursor:
                apply_migration(cursor, migration)
    except RunbookError as error:
        return error.reason
    except psycopg2.Error as error:
        # At COMMIT.
        return one_line(error)
    return None


def placement(made: Catalog, catalog: Catalog) -> Json:
    """Compare what a migration makes with a database.

    Args:
        made: key -> facts of what it makes.
        catalog: the database's.

    Returns:
        state ("in place", "absent", "partial", or "unknown" for a migration that makes nothing) and
        missing (readable lines).
    """
    compared = {key: facts for key, facts in made.items() if not key.startswith("column order ")}
    if not compared:
        return {"state": "unknown", "missing": []}
    missing = [
        line for key, facts in sorted(compared.items()) for line in _compare(key, facts, catalog.get(key))
    ]
    absent = sum(1 for key in compared if key not in catalog)
    if not missing:
        state = "in place"
    elif absent == len(compared):
        state = "absent"
    else:
        state = "partial"
    return {"state": state, "missing": missing}


def _compare(key: str, facts: Json, there: Json | None) -> list[str]:
    if there is None:
        return [f"{key} is missing"]
    if key.startswith(KINDS_BY_PRESENCE):
        return []
    return [
        f"{key}: {fact} is {there.get(fact)!r}, the migration makes {value!r}"
        for fact, value in facts.items()
        if fact not in FACTS_OF_THE_SITE and there.get(fact) != value
    ]


def find_in_place(
    connection: Connection,
    scratch: CopyDatabase,
    migrations: Sequence[Migration],
    undecided: Mapping[str, str],
    hooks_for: Callable[[Connection], Hooks],
) -> dict[str, Json]:
    """Where every unrecorded migration stands in the database of ``connection``, which is only read.

    Args:
        connection: to the database.
        scratch: one that does not exist; it is made, used and dropped.
        migrations: all that can be run, in order, with statements.
        undecided: version -> why nothing can be told of it.
        hooks_for: gives the hooks of a rehearsal on a connection.

    Returns:
        version -> placement; or, of one of which nothing can be told, state "undecided" and reason.
    """
    with transaction(connection) as cursor:
        VersionTable(cursor).check()
        applied = VersionTable(cursor).applied()
        catalog = read_schema(cursor)
        like = database_settings(cursor)
    scratch.drop()
    try:
        scratch.create(like)
        empty = scratch.connect()
        try:
            made = made_by_each(empty, migrations, hooks_for(empty))
            with transaction(empty) as cursor:
                # There everything can be made anew: the database itself is only read.
                catalog = Remade().in_words_of(cursor, catalog, read_schema(cursor))
        finally:
            empty.close()
    finally:
        scratch.drop()
    placements = {version: placement(objects, catalog) for version, objects in made.objects.items()}
    for version, reason in {**made.failed, **undecided}.items():
        placements[version] = {"state": "undecided", "missing": [], "reason": reason}
    return {version: facts for version, facts in placements.items() if version not in applied}


def record_in_place(step: Step, migrations: Sequence[Migration]) -> None:
    """Record versions in schema_migrations and in the ledger, in one transaction.

    Raises:
        Refused: when a run is in progress.
    """
    step.take_run_lock()
    run = step.params["run"]
    versions = [migration["version"] for migration in migrations]
    receipts: list[Receipt] = []
    with transaction(step.connection) as cursor:
        step.ledger.create(cursor)
        other = step.ledger.unfinished_run(cursor)
        if other is not None:
            raise Refused(
                "another_run_in_progress",
                f"Run {other['run_id']} is in progress in this database. Nothing was recorded. Adopt when it has"
                " ended.",
            )
        step.ledger.open_run(
            cursor, step.run_id, step.playbook, versions, operator_name(run["operator"]), run["controller"]
        )
        for migration in migrations:
            VersionTable(cursor).record(migration["version"], migration["description"])
        catalog = step.ledger.keep_catalog(cursor, read_schema(cursor))
        for migration in migrations:
            receipt = step.ledger.append(
                cursor,
                step.run_id,
                "adopt",
                "ok",
                step.started,
                step.identity,
                migration=migration["version"],
                inputs=script_digests(migration),
                outputs={"catalog_after": catalog},
            )
            receipts.append(receipt)
        step.ledger.finish_run(cursor, step.run_id, "adopted", f"recorded {', '.join(versions)}")
    step.recorded += receipts
