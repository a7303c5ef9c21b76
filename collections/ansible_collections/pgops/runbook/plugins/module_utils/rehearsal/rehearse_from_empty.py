# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every migration's rollback, proven from an empty database upwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import Refused, RunbookError
from ..execution.script import ScriptFailed, run_script
from ..postgres.connection import transaction
from ..postgres.script_session import scripts_turn
from ..preflight.requirements import check_declared, makers_of_chain
from ..sentences import listed
from ..shapes import Connection, Json, Migration, Script
from .rehearsal import Rehearsal

__all__ = ["rehearse_from_empty"]


def rehearse_from_empty(
    connection: Connection,
    migrations: Sequence[Migration],
    smoke: Sequence[Script],
    sample_files: int,
    accept_data_loss: bool = False,
    accept_residue: bool = False,
) -> list[Json]:
    """Prove each rollback on the rows of the migrations before it, then all of them with rows everywhere.

    Args:
        connection: to an empty database.
        migrations: all of them, in order; each may have ``sample`` rows, loaded once it is in place.
        smoke: smoke test scripts.
        sample_files: value of the setting sample.files for the sample scripts.
        accept_data_loss, accept_residue: see Rehearsal.

    Returns:
        list of dict: evidence of each migration (see Rehearsal), with ``sample_loaded``, ``rows_over``, the rows that
        were there at the end, and ``depends_on``, the migrations whose objects it uses according to the catalog.

    Raises:
        Refused: at the first failure or difference; ``details`` has the version as ``migration``.
    """
    rehearsal = Rehearsal(connection, smoke, accept_data_loss=accept_data_loss, accept_residue=accept_residue)
    catalogs = [rehearsal.state()[0]]
    evidence, made = [], {}
    # A script without the line requires all before it, so that nothing of it can be missing.
    facts = [{**one, "requires_declared": True} for one in migrations]
    for migration in migrations:
        with _naming(migration):
            result = rehearsal.rehearse([migration])
            (proof,) = result["migrations"]
            made.update(makers_of_chain([proof], result["catalogs"]))
            check_declared([migration], [proof], made, facts)
            catalog = rehearsal.state()[0]
            catalogs.append(catalog)
            proof["sample_loaded"] = _load_sample(connection, migration, sample_files)
        evidence.append(proof)
    _, content = rehearsal.state()
    for position in range(len(migrations) - 1, -1, -1):
        evidence[position]["rows_over"] = rehearsal.rows_in(content)
        with _naming(migrations[position]):
            rehearsal.roll_back(migrations[position])
            catalog, content = rehearsal.state()
            lines = rehearsal.differing(catalogs[position], catalog)
            if lines:
                raise Refused(
                    "rehearsal_rollback_schema_differs",
                    f"The rollback of {migrations[position]['version']}, with users' rows in place, does not give"
                    f" back the schema: {listed(lines)}. Correct the rollback script.",
                )
        evidence[position]["schema_restored_with_users_rows"] = True
    return evidence


@contextmanager
def _naming(migration: Migration) -> Iterator[None]:
    """Adds to the details of an error at which ``migration`` it was."""
    try:
        yield
    except RunbookError as error:
        error.details.setdefault("migration", migration["version"])
        raise


def _load_sample(connection: Connection, migration: Migration, sample_files: int) -> bool:
    script = migration.get("sample")
    if not script:
        return False
    try:
        with transaction(connection) as cursor, scripts_turn(cursor):
            cursor.execute("SELECT pg_catalog.set_config('sample.files', %s, true)", (str(sample_files),))
            run_script(cursor, script)
    except ScriptFailed as error:
        raise Refused(
            "sample_rows_unusable",
            f"The sample rows of {migration['version']} cannot be loaded: {error.reason}",
        ) from None
    return True
