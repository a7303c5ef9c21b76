# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each rollback gives back schema, rows and sequences: in order, out of order, and all the way to an empty database."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pglast
import pytest

from tests.integration.sql.database_state import state_of
from tests.integration.sql.midi_library import PROJECT, STEMS, error_of, execute, load_sample, query, script

LATER = STEMS[1:]
# Times of the run itself: a second run has others.
OWN_TIMES = {"public.schema_migrations": {"applied_at"}, "public.tags": {"created_at"}, "public.tag_categories": {"created_at"}}


def version(stem: str) -> str:
    return stem.split("_")[0] if stem[0].isdigit() else stem


def without_own_times(rows: dict[str, list[dict]]) -> dict[str, list[str]]:
    return {
        table: sorted(str({k: v for k, v in row.items() if k not in OWN_TIMES.get(table, ())}) for row in content)
        for table, content in rows.items()
    }


@pytest.mark.parametrize("stem", STEMS)
def test_a_round_trip_leaves_no_trace(databases, copy, stem):
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
def test_rows_written_since_do_not_hinder_and_old_rows_stay(databases, copy, stem):
    """The sample rows of the migration stand for what users did; only what they changed themselves may differ."""
    database = copy(databases.before(stem))
    before = state_of(databases, database)
    execute(databases, database, script("migrations", stem))
    load_sample(databases, database, stem)
    used = state_of(databases, database)
    execute(databases, database, script("rollback", stem))
    back = state_of(databases, database)

    assert back.schema == before.schema
    for table, rows in back.rows.items():
        if table == "public.schema_migrations":
            assert rows == before.rows[table]
        elif stem.startswith("007") and table == "public.tags":
            kept = [row for row in used.restricted_to(back)[table] if row in rows]
            assert rows == kept  # which of them: test_defects_of_the_guide.py
            assert {row["name"] for row in rows} >= {row["name"] for row in before.rows[table]}
        elif stem == "update_normalized_filenames":
            assert rows == before.rows[table]
        else:
            assert rows == used.restricted_to(back)[table]


@pytest.mark.parametrize("stem", LATER)
def test_a_rollback_under_later_migrations_gives_the_stack_without_it(databases, copy, stem):
    database = copy(databases.stage(len(STEMS)))
    full = state_of(databases, database)
    execute(databases, database, script("rollback", stem))
    back = state_of(databases, database)

    others = tuple(other for other in STEMS if other != stem)
    assert back.schema == state_of(databases, databases.stack(others)).schema
    for table, rows in back.rows.items():
        kept = full.restricted_to(back)[table]
        if table == "public.schema_migrations":
            kept = [row for row in kept if row["version"] != version(stem)]
        elif stem.startswith("007") and table == "public.tags":
            kept = [row for row in kept if row in rows]
        elif stem == "update_normalized_filenames":
            kept = state_of(databases, databases.before(stem)).rows[table]
        assert rows == kept, table

    execute(databases, database, script("migrations", stem))
    execute(databases, database, script("verify", stem))


def test_the_filename_rollback_works_under_migrations_applied_after_it(databases, copy):
    first = ("001_initial_schema", "update_normalized_filenames", "010_harmonic_analysis", "002_add_parent_folder")
    database = copy(databases.stack(first))
    execute(databases, database, script("rollback", "update_normalized_filenames"))

    names = "SELECT id, filename, filepath, search_vector::text FROM files ORDER BY id"
    assert query(databases, database, names) == query(databases, databases.stage(1), names)
    expected = state_of(databases, databases.stack(tuple(s for s in first if not s.startswith("update"))))
    assert state_of(databases, database).schema == expected.schema


def test_all_rollbacks_in_reverse_give_an_empty_database(databases, copy):
    database = copy(databases.stage(len(STEMS)))
    for count, stem in reversed(list(enumerate(STEMS))):
        execute(databases, database, script("rollback", stem))
        if count:
            assert state_of(databases, database).schema == state_of(databases, databases.stage(count)).schema, stem

    assert state_of(databases, databases.stage(0)).differences(state_of(databases, database)) == []


def test_scripts_run_with_psql_as_they_are(databases, copy, server):
    database = copy(databases.stage(0))
    files = [PROJECT / "sql" / "migrations" / f"{stem}.sql" for stem in STEMS]
    files += [PROJECT / "sql" / "rollback" / f"{stem}_rollback.sql" for stem in reversed(STEMS)]
    for file in files:
        done = subprocess.run(
            [
                str(Path(server.bindir) / "psql"),
                *("-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.host, "-p", str(server.port), "-U", server.user),
                *("-d", database, "-f", str(file)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert state_of(databases, databases.stage(0)).differences(state_of(databases, database)) == []


def test_scripts_run_statement_by_statement_in_one_outer_transaction(databases, copy):
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
def test_each_script_is_one_transaction(databases, copy, kind, stem):
    """Failing in the last statement before its COMMIT, a script leaves nothing behind."""
    database = copy(databases.before(stem) if kind == "migrations" else databases.after(stem))
    before = state_of(databases, database)
    text = script(kind, stem)
    assert text.rstrip().endswith("\nCOMMIT;")

    failing = text.rstrip().removesuffix("COMMIT;") + "SELECT 1 / 0;\nCOMMIT;\n"
    assert "division by zero" in error_of(databases, database, failing)
    after = state_of(databases, database)
    # nextval() is never undone; what a script sets back it must not have set back when it failed.
    if kind == "rollback":
        assert before.differences(after) == []
    else:
        assert [d for d in before.differences(after) if not d.startswith("sequence ")] == []


@pytest.mark.parametrize("stem", LATER)
def test_a_version_that_is_recorded_already_uses_up_no_number(databases, copy, stem):
    """A runbook may have recorded the version first; the script must not then take a value for a row it does not write."""
    database = copy(databases.before(stem))
    execute(databases, database, f"INSERT INTO schema_migrations (version) VALUES ('{version(stem)}')")
    recorded = state_of(databases, database)
    execute(databases, database, script("migrations", stem))

    after = state_of(databases, database)
    assert after.rows["public.schema_migrations"] == recorded.rows["public.schema_migrations"]
    name = "public.schema_migrations_id_seq"
    assert after.next_values[name] == recorded.next_values[name]


@pytest.mark.parametrize("stem", LATER)
def test_a_version_recorded_after_it_keeps_its_number(databases, copy, stem):
    """The sequence goes back only when nothing above remains: no number is given out twice."""
    database = copy(databases.after(stem))
    execute(databases, database, "INSERT INTO schema_migrations (version) VALUES ('later')")
    name = "public.schema_migrations_id_seq"
    before = state_of(databases, database).next_values[name]
    execute(databases, database, script("rollback", stem))

    assert state_of(databases, database).next_values[name] == before
    execute(databases, database, "INSERT INTO schema_migrations (version) VALUES ('latest')")
