# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables, columns, comments and rows with hostile names are deployed, taken back with what users wrote, and come back.

Names in variables, files and headers: `make faults NAMES=500`; in every room of the SQL folder: tests/unit/sql.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from psycopg2 import sql

from benchmarks.fault_stories.names import LONGEST_IDENTIFIER, names
from benchmarks.fault_stories.truth import OWNED
from tests.integration.production.there_and_back import back, there
from tests.integration.step_runs import StepRuns

SEED, MANY = 1126, 40


def identifiers() -> list[str]:
    """Those that PostgreSQL takes whole."""
    found = [name for name in names(SEED, 4 * MANY) if "\0" not in name]
    return [name for name in found if 0 < len(name.encode()) <= LONGEST_IDENTIFIER][:MANY]


def scripts(runs: StepRuns, known: list[str]) -> tuple[str, str]:
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        made = sql.SQL(
            "CREATE TABLE {0} ({0} text PRIMARY KEY, other_ int); COMMENT ON TABLE {0} IS {1};"
            " COMMENT ON COLUMN {0}.{0} IS {1}; INSERT INTO {0} VALUES ({1}, 1);\n"
        )
        gone = sql.SQL("DROP TABLE {};\n")
        return (
            "".join(made.format(sql.Identifier(name), sql.Literal(name)).as_string(cursor) for name in known),
            "".join(gone.format(sql.Identifier(name)).as_string(cursor) for name in known),
        )


def rows(runs: StepRuns, known: list[str]) -> dict[str, list[tuple]]:
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        found = {}
        for name in known:
            cursor.execute(sql.SQL("SELECT * FROM {} ORDER BY other_").format(sql.Identifier(name)))
            found[name] = cursor.fetchall()
        return found


def write(runs: StepRuns, known: list[str]) -> None:
    with (
        contextlib.closing(runs.server.connect(runs.database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for name in known:
            insert = sql.SQL("INSERT INTO {} VALUES ({}, 2)")
            cursor.execute(insert.format(sql.Identifier(name), sql.Literal(f"of a user: {name}")))


def test_there_back_and_there_again(runs: StepRuns) -> None:
    known = identifiers()
    assert len(known) == MANY
    apply, rollback = scripts(runs, known)
    runs.write(migrations__002_author=apply, rollback__002_author_rollback=rollback)
    there(runs)
    write(runs, known)
    back(runs)
    assert runs.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(2,)]
    there(runs)
    assert rows(runs, known) == {name: [(name, 1), (f"of a user: {name}", 2)] for name in known}
    assert not [one for one in (Path.cwd(), Path.home(), runs.folder) if (one / OWNED).exists()]
