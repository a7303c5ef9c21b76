# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each rollback gives back schema, rows and sequences: in order, out of order, and all the way to an empty database."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import Any

import pglast
import pytest
from pglast import ast

from demo.local_server import LocalServer
from tests.integration.sql.database_state import state_of, state_within
from tests.integration.sql.midi_library import PROJECT, STEMS, error_of, execute, script

LATER = STEMS[1:]
NUMBERS = "public.schema_migrations_id_seq"
# Times of the run itself: a second run has others.
OWN_TIMES = {
    "public.schema_migrations": {"applied_at"},
    "public.tags": {"created_at"},
    "public.tag_categories": {"created_at"},
}


def version(stem: str) -> str:
    return stem.split("_")[0] if stem[0].isdigit() else stem


def without_own_times(rows: dict[str, list[dict]]) -> dict[str, list[str]]:
    return {
        table: sorted(
            str({k: v for k, v in row.items() if k not in OWN_TIMES.get(table, ())}) for row in content
        )
        for table, content in rows.items()
    }


@pytest.mark.parametrize("stem", STEMS)
def test_a_round_trip_leaves_no_trace(databases: Any, copy: Any, stem: Any) -> None:
    database = copy(databases.before(stem))
    before = state_of(databases, database)

    execute(databases, database, script("migrations", stem))
    applied = state_of(databases, database)
    execute(databases, database, script("rollback", stem))
    back = state_of(databases, database)
    execute(databases, database, script("migrations", stem))
    again = state_of(databases, database)

    assert before.differences(applied) != []
    assert before.differences(back) == []
    assert again.schema == applied.schema
    assert again.next_values == applied.next_values
    assert without_own_times(again.rows) == without_own_times(applied.rows)


@pytest.mark.parametrize("stem", STEMS)
def test_rows_written_since_do_not_hinder_and_old_rows_stay(databases: Any, stem: Any) -> None:
    """The sample rows of the migration stand for what users did; only what they changed themselves may differ."""
    with databases.undone(databases.before(stem)) as transaction:
        before = state_within(transaction)
        transaction.execute(script("migrations", stem))
        transaction.load_sample(stem)
        used = state_within(transaction)
        transaction.execute(script("rollback", stem))
        back = state_within(transaction)

    assert back.schema == before.schema
    for table, rows in back.rows.items():
        if table == "public.schema_migrations" or stem == "update_normalized_filenames":
            assert rows == before.rows[table]
        elif stem.startswith("007") and table == "public.tags":
            assert rows == [row for row in used.restricted_to(back)[table] if row in rows]
            # Which of the seeded ones stay: test_defects_of_the_guide.py
            assert {row["name"] for row in rows} >= {row["name"] for row in before.rows[table]}
        else:
            assert rows == used.restricted_to(back)[table]


@pytest.mark.parametrize("stem", LATER)
def test_a_rollback_under_later_migrations_gives_the_stack_without_it(databases: Any, stem: Any) -> None:
    with databases.undone(databases.before(stem)) as transaction:
        before = state_within(transaction)
        for later in STEMS[STEMS.index(stem) + 1 :]:
            transaction.execute(script("migrations", later))
        never_applied = state_within(transaction)

    with databases.undone(databases.stage(len(STEMS))) as transaction:
        full = state_within(transaction)
        transaction.execute(script("rollback", stem))
        back = state_within(transaction)

        assert back.schema == never_applied.schema
        for table, rows in back.rows.items():
            kept = full.restricted_to(back)[table]
            if table == "public.schema_migrations":
                kept = [row for row in kept if row["version"] != version(stem)]
            elif stem.startswith("007") and table == "public.tags":
                kept = [row for row in kept if row in rows]
            elif stem == "update_normalized_filenames":
                kept = before.rows[table]
            assert rows == kept, table

        transaction.execute(script("migrations", stem))
        transaction.execute(script("verify", stem))


def test_the_filename_rollback_works_under_migrations_applied_after_it(databases: Any) -> None:
    with databases.undone(databases.stage(1)) as transaction:
        first = state_within(transaction)
        for stem in ("update_normalized_filenames", "010_harmonic_analysis", "002_add_parent_folder"):
            transaction.execute(script("migrations", stem))
        transaction.execute(script("rollback", "update_normalized_filenames"))
        back = state_within(transaction)

    assert first.restricted_to(back)["public.files"] == back.restricted_to(first)["public.files"]
    assert not any("normalized_filenames" in name for name in [*back.schema, *back.rows])


def test_all_rollbacks_in_reverse_give_an_empty_database(databases: Any, copy: Any) -> None:
    database = copy(databases.stage(len(STEMS)))
    for count, stem in reversed(list(enumerate(STEMS))):
        execute(databases, database, script("rollback", stem))
        if count:
            assert (
                state_of(databases, database).schema == state_of(databases, databases.stage(count)).schema
            ), stem

    assert state_of(databases, databases.stage(0)).differences(state_of(databases, database)) == []


def test_scripts_run_with_psql_as_they_are(databases: Any, copy: Any, server: LocalServer) -> None:
    database = copy(databases.stage(0))
    files = [PROJECT / "sql" / "migrations" / f"{stem}.sql" for stem in STEMS]
    files += [PROJECT / "sql" / "rollback" / f"{stem}_rollback.sql" for stem in reversed(STEMS)]
    for file in files:
        done = subprocess.run(
            [
                str(Path(server.bindir) / "psql"),
                *(
                    "-X",
                    "-q",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-h",
                    server.host,
                    "-p",
                    str(server.port),
                    "-U",
                    server.user,
                ),
                *("-d", database, "-f", str(file)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert state_of(databases, databases.stage(0)).differences(state_of(databases, database)) == []


def test_scripts_run_statement_by_statement_in_one_outer_transaction(databases: Any, copy: Any) -> None:
    """The way of the runbook: the script's own BEGIN and COMMIT are left out, everything is one transaction."""
    database = copy(databases.stage(0))
    with contextlib.closing(databases.server.connect(database)) as connection, connection.cursor() as cursor:
        for kind, stems in (("migrations", STEMS), ("rollback", tuple(reversed(STEMS)))):
            for stem in stems:
                first, *inner, last = pglast.split(script(kind, stem))
                assert (first.rsplit("\n", 1)[-1], last) == ("BEGIN", "COMMIT")
                for statement in inner:
                    cursor.execute(statement)
        connection.commit()
    assert state_of(databases, databases.stage(0)).differences(state_of(databases, database)) == []


@pytest.mark.parametrize("kind", ["migrations", "rollback"])
@pytest.mark.parametrize("stem", STEMS)
def test_each_script_is_one_transaction(kind: str, stem: Any) -> None:
    statements = pglast.parse_sql(script(kind, stem))
    control = [s.stmt.kind.name for s in statements if isinstance(s.stmt, ast.TransactionStmt)]

    assert control == ["TRANS_STMT_BEGIN", "TRANS_STMT_COMMIT"]
    assert isinstance(statements[0].stmt, ast.TransactionStmt)
    assert isinstance(statements[-1].stmt, ast.TransactionStmt)


@pytest.mark.parametrize("stem", ["007_enhanced_tags", "update_normalized_filenames"])
def test_a_rollback_that_fails_at_its_end_changes_nothing(databases: Any, copy: Any, stem: str) -> None:
    """Sequences included: what is set back with ALTER SEQUENCE is undone with the rest."""
    database = copy(databases.after(stem))
    before = state_of(databases, database)
    failing = script("rollback", stem).rstrip().removesuffix("COMMIT;") + "SELECT 1 / 0;\nCOMMIT;\n"

    assert "division by zero" in error_of(databases, database, failing)
    assert before.differences(state_of(databases, database)) == []


@pytest.mark.parametrize("stem", LATER)
def test_a_version_that_is_recorded_already_uses_up_no_number(databases: Any, stem: Any) -> None:
    """A runbook may have recorded the version first; the script must not take a value for a row it does not write."""
    with databases.undone(databases.before(stem)) as transaction:
        transaction.execute(f"INSERT INTO schema_migrations (id, version) VALUES (1000, '{version(stem)}')")
        recorded = state_within(transaction)
        transaction.execute(script("migrations", stem))
        after = state_within(transaction)

    assert after.rows["public.schema_migrations"] == recorded.rows["public.schema_migrations"]
    assert after.next_values[NUMBERS] == recorded.next_values[NUMBERS]


@pytest.mark.parametrize("stem", LATER)
def test_a_version_recorded_after_it_keeps_its_number(databases: Any, stem: Any) -> None:
    """The sequence goes back only when nothing above remains: no number is given out twice."""
    with databases.undone(databases.after(stem)) as transaction:
        transaction.execute("INSERT INTO schema_migrations (version) VALUES ('later')")
        before = state_within(transaction).next_values[NUMBERS]
        transaction.execute(script("rollback", stem))
        assert state_within(transaction).next_values[NUMBERS] == before


@pytest.mark.parametrize("stem", LATER)
def test_a_sequence_that_stands_below_the_version_is_not_put_forward(databases: Any, stem: Any) -> None:
    """A number written by hand, above what the sequence ever gave, says nothing about where the sequence stood."""
    with databases.undone(databases.after(stem)) as transaction:
        transaction.execute(f"UPDATE schema_migrations SET id = 1000 WHERE version = '{version(stem)}'")
        before = state_within(transaction).next_values[NUMBERS]
        transaction.execute(script("rollback", stem))
        assert state_within(transaction).next_values[NUMBERS] == before
