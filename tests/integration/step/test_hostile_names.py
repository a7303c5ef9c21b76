# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""No step calls a function, an operator or a type that somebody has planted in the way to those of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.integration.restore_runs import drop_what_restores_left
from tests.integration.step.hostile import calls, plant, remove_planter
from tests.integration.step.hostile_types import TABLES, types_and_casts
from tests.integration.step_runs import StepRuns

PREPARE = ("preflight", "maintenance_window", "backup", "verify_restore", "rehearse")

#: A column, and a table that goes with its rows; each name of a type or a function has its schema.
AUTHOR = {
    "migrations__002_author": "ALTER TABLE notes ADD COLUMN author pg_catalog.text;"
    " CREATE TABLE star (id pg_catalog.int4 PRIMARY KEY, mark pg_catalog.text);"
    " UPDATE notes SET author = 'nobody';",
    "rollback__002_author_rollback": "DROP TABLE star; ALTER TABLE notes DROP COLUMN author;",
    "verify__002_author": "SELECT true FROM notes;",
    "smoke__notes": "SELECT true FROM notes;",
}
#: The same with values of types that somebody has made, with casts of their own.
OF_MOODS = (
    "m app.mood, d app.dom, t app.tint, s app.shade, p app.pair, r app.span, rs app.spans, ms app.mood[],"
    " ss app.shade[]"
)
ROW = "'a', 'b', 'b', 'c', '(1,x)', '[1,3)', '{[1,3)}', '{a,b}', '{b,c}'"
SKIES = (
    f"CREATE TABLE skies ({OF_MOODS}, PRIMARY KEY (m, d, s));"
    f" CREATE TABLE clouds (id pg_catalog.int4 PRIMARY KEY, {OF_MOODS});"
)
MORE = {
    "z": "app.mood DEFAULT 'a'",
    "y": "app.shade DEFAULT 'a'",
    "x": "app.dom",
    "w": "app.mood[]",
    "v": "app.span",
    "u": "app.pair",
}
ADDED = ", ".join(f"ADD COLUMN {name} {kind}" for name, kind in MORE.items())
DROPPED = ", ".join(f"DROP COLUMN {name}" for name in MORE)
MORE_COLUMNS = f"ALTER TABLE notes {ADDED}; ALTER TABLE moods {ADDED};"
TYPED = {
    **AUTHOR,
    "migrations__002_author": AUTHOR["migrations__002_author"]
    + MORE_COLUMNS
    + SKIES
    + "UPDATE moods SET note = 'two', z = 'b';",
    "rollback__002_author_rollback": "DROP TABLE clouds; DROP TABLE skies; UPDATE moods SET note = 'one';"
    f" ALTER TABLE notes {DROPPED}; ALTER TABLE moods {DROPPED};" + AUTHOR["rollback__002_author_rollback"],
}
SET = "y = 'c', x = 'b', w = '{a}', v = '[1,2)', u = '(1,y)'"
WRITTEN = (
    "INSERT INTO app.star VALUES (1, 'a'), (2, NULL)",
    f"UPDATE app.notes SET author = 'ada', z = 'b', {SET} WHERE id OPERATOR(pg_catalog.=) 1",
    f"UPDATE app.moods SET z = 'c', {SET}",
    f"INSERT INTO app.skies VALUES ({ROW})",
    f"INSERT INTO app.clouds VALUES (1, {ROW}), (2, {ROW})",
)
#: From the first migration on, in a database that has nothing yet.
FROM_EMPTY = {
    **AUTHOR,
    "migrations__001_notes": "CREATE TABLE notes (id pg_catalog.int4 PRIMARY KEY, body pg_catalog.text);"
    f" CREATE SCHEMA app; {'; '.join((*types_and_casts('app'), TABLES[0]))};"
    " CREATE TABLE app.skies (m app.mood REFERENCES app.moods, d app.dom UNIQUE, p app.pair UNIQUE);",
    "rollback__001_notes_rollback": "DROP TABLE notes; DROP SCHEMA app CASCADE;",
}
#: The same outside of a transaction, with an index that a statement finds by the application's search_path.
ONE_BY_ONE = {
    "migrations__002_author": "ALTER TABLE notes ADD COLUMN author pg_catalog.text;"
    " CREATE INDEX CONCURRENTLY notes_author ON notes (author); UPDATE notes SET author = 'nobody';",
    "rollback__002_author_rollback": "DROP INDEX CONCURRENTLY notes_author;"
    " ALTER TABLE notes DROP COLUMN author;",
}
FILES = {
    "migrations__002_author": "-- Files: rename notes.body\n"
    "UPDATE notes SET body = 'ein' WHERE id OPERATOR(pg_catalog.=) 1;",
    "rollback__002_author_rollback": "UPDATE notes SET body = 'one' WHERE id OPERATOR(pg_catalog.=) 1;",
}


@pytest.fixture
def planted(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """The schema that is first in the database's search_path is full of what fits as well as pg_catalog's own."""
    runs.execute(
        "CREATE SCHEMA app",
        "ALTER TABLE notes SET SCHEMA app",
        "ALTER TABLE schema_migrations SET SCHEMA app",
    )
    assert plant(runs, "app", types_and_casts("app")) > 1200
    runs.execute(*TABLES)
    admin.execute(f"ALTER DATABASE {runs.database} SET search_path = app, public, pg_catalog")
    runs.write(**TYPED)
    yield runs
    drop_what_restores_left(admin, runs.database)
    admin.execute(f"DROP DATABASE {runs.database} WITH (FORCE)", f"CREATE DATABASE {runs.database}")
    remove_planter(admin)


class Watched:
    """Steps that must succeed, and after which nothing planted was called."""

    def __init__(self, runs: StepRuns) -> None:
        self.runs = runs
        self.since = runs.server.log.stat().st_size

    def __call__(self, run: StepRuns, *names: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for name in names:
            answer = run.step(name, **options)
            assert calls(self.runs, self.since) == [], (name, answer.get("msg"))
            assert not answer.get("failed"), (name, answer["msg"])
        return answer

    def deploy(self) -> StepRuns:
        run = self.runs.another()
        self(run, *PREPARE, "apply", "verify", "smoke_test")
        self(run, "announce", outcome="deployed")
        return run

    def roll_back(self) -> None:
        run = self.runs.another("emergency_rollback")
        self(run, "preflight")
        self(run, "backup", purpose="emergency", pg_bindir=run.server.bindir)
        self(run, "emergency_rollback", "smoke_test")
        self(run, "announce", outcome="rolled_back")


def test_what_is_planted_is_found_before_what_postgresql_has(planted: StepRuns) -> None:
    """The test's own eyes: whoever takes no care calls it."""
    since = planted.server.log.stat().st_size
    for careless in (
        "SELECT format('a', 'b'::pg_catalog.text, 'c'::pg_catalog.text)",
        "SELECT relname = 'notes' FROM pg_catalog.pg_class LIMIT 1",
        "SELECT 'a'::text",
    ):
        with pytest.raises(psycopg2.errors.RaiseException):
            planted.ask(careless)
    assert calls(planted, since) == [
        "format(pg_catalog.text, pg_catalog.text, pg_catalog.text)",
        "name = name",
        "type text",
    ]


def test_deployed_rolled_back_and_by_hand(planted: StepRuns, tmp_path: Path) -> None:
    watched = Watched(planted)
    watched.deploy()
    planted.execute(
        *WRITTEN,
    )
    watched.roll_back()
    watched(planted.another("status"), "status")
    by_hand = planted.another("salvage")
    items = watched(by_hand, "salvage")["outputs"]["items"]
    for item in items:
        watched(by_hand, "salvage", item=item["item"])
        path = tmp_path / f"{item['item']}.csv"
        watched(by_hand, "salvage", action="export", item=item["item"], file=str(path))
    returned = watched.deploy()
    assert returned.ask("SELECT pg_catalog.count(*) FROM app.star") == [(2,)]
    read = ["a", "b", "b", "c", "(1,x)", "[1,3)", "{[1,3)}", "{a,b}", "{b,c}"]
    assert returned.ask("SELECT * FROM app.skies") == [tuple(read)]
    assert returned.ask("SELECT * FROM app.clouds ORDER BY id") == [(1, *read), (2, *read)]
    written = ("c", "c", "b", "{a}", "[1,2)", "(1,y)")
    assert returned.ask(f"SELECT {', '.join(MORE)} FROM app.moods") == [written, written]
    watched.roll_back()
    item = watched(by_hand, "salvage")["outputs"]["items"][0]["item"]
    refused = by_hand.another("salvage").step("salvage", action="purge", item=item)["msg"]
    confirm = refused.rpartition("salvage_confirm=")[2]
    watched(by_hand.another("salvage"), "salvage", action="purge", item=item, confirm=confirm)


def test_kept_rows_put_back_by_hand(planted: StepRuns) -> None:
    """The columns and the table are there again without a deploy, which would have put the rows back itself."""
    watched = Watched(planted)
    watched.deploy()
    planted.execute(
        *WRITTEN,
    )
    watched.roll_back()
    planted.execute(
        "SET search_path = app; ALTER TABLE app.notes ADD COLUMN author pg_catalog.text",
        "CREATE TABLE app.star (id pg_catalog.int4 PRIMARY KEY, mark pg_catalog.text)",
        MORE_COLUMNS,
        SKIES,
    )
    items = watched(planted.another("salvage"), "salvage")["outputs"]["items"]
    assert len(items) == 5, items
    for item in items:
        watched(planted.another("salvage"), "salvage", action="put_back", item=item["item"], prefer="kept")
    assert planted.ask("SELECT pg_catalog.count(*) FROM app.star") == [(2,)]
    assert planted.ask("SELECT author FROM app.notes WHERE id OPERATOR(pg_catalog.=) 1") == [("ada",)]


def test_rehearsed_from_an_empty_database(planted: StepRuns) -> None:
    """A role has planted in the database that new ones are copies of, too."""
    template = StepRuns(planted.server, "template1", planted.folder)
    template.execute("CREATE SCHEMA app")
    try:
        plant(template, "app")
        planted.write(**FROM_EMPTY)
        (planted.sql_dir / "smoke/notes.sql").unlink()  # it would fail where 001 is rolled back
        watched = Watched(planted)
        run = planted.another("rehearse", "all")
        watched(run, "preflight")
        run.migration = "pending"  # as the plan of that step is made: with all scripts
        proofs = watched(run, "rehearse_from_empty")["outputs"]["migrations"]
        assert [one["version"] for one in proofs] == ["001", "002"]
    finally:
        template.execute("DROP OWNED BY planter CASCADE", "DROP SCHEMA app CASCADE")


def test_one_by_one(planted: StepRuns) -> None:
    planted.write(**ONE_BY_ONE)
    watched = Watched(planted)
    watched.deploy()
    planted.execute("UPDATE app.notes SET author = 'ada' WHERE id OPERATOR(pg_catalog.=) 1")
    watched.roll_back()


def test_restored_with_the_rows_since(planted: StepRuns) -> None:
    watched = Watched(planted)
    source = watched.deploy()
    planted.execute(
        "INSERT INTO app.notes (body) VALUES ('since')",
        "UPDATE app.moods SET t = 'c', ms = '{b}', p = NULL, rs = '{}' WHERE note OPERATOR(pg_catalog.=) 'two'",
        f"INSERT INTO app.moods (m, d, t, s, p, r, rs, ms, ss) VALUES ('c', {ROW[5:]})",
    )
    run = planted.another("restore")
    watched(run, "preflight", source_run_id=source.run_id)
    watched(run, "restore", "count_rows")
    watched(run, "swap", carry_over=True)
    watched(run, "smoke_test")
    watched(run, "announce", outcome="restored")
    assert planted.ask("SELECT pg_catalog.count(*) FROM app.notes") == [(4,)]
    assert planted.ask("SELECT m, t, ms, p, rs, note FROM app.moods ORDER BY m") == [
        ("a", "c", "{b}", None, "{}", "two"),
        ("b", "c", "{b}", None, "{}", "two"),
        ("c", "b", "{a,b}", "(1,x)", "{[1,3)}", None),
    ]
    watched(planted.another("status"), "status")


def test_adopted(planted: StepRuns) -> None:
    planted.write(**AUTHOR)
    watched = Watched(planted)
    planted.execute("ALTER TABLE app.notes ADD COLUMN author pg_catalog.text")
    planted.execute("CREATE TABLE app.star (id pg_catalog.int4 PRIMARY KEY, mark pg_catalog.text)")
    watched(planted.another("status", "pending"), "status", adopt=True)


def test_files_that_follow(planted: StepRuns, tmp_path: Path) -> None:
    planted.write(**FILES)
    planted.library_hosts = ("media1",)
    watched = Watched(planted)
    run = planted.another()
    root = tmp_path / "library"
    root.mkdir()
    for name in ("one", "drei"):
        (root / name).write_text(name)
    files: dict[str, Any] = {
        "library_host": "media1",
        "library_root": str(root),
        "library_state_dir": str(tmp_path / "state"),
    }
    watched(run, *PREPARE)
    watched(run, "files_check", **files, accept_paths_elsewhere=True)
    watched(run, "apply", "verify", "smoke_test")
    watched(run, "files_rename", **files)
    watched(run, "announce", outcome="deployed")
    assert sorted(path.name for path in root.iterdir()) == ["drei", "ein"]


def test_a_function_that_fits_better_than_that_of_pg_catalog(runs: StepRuns, admin: StepRuns) -> None:
    """With the path that a database has by itself pg_catalog is first, and still not the first choice."""
    runs.execute(
        "CREATE FUNCTION public.format(text, text, text) RETURNS text LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$"
    )
    runs.write(**AUTHOR)
    watched = Watched(runs)
    watched.deploy()
    watched.roll_back()
