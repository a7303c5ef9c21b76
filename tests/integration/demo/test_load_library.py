# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Loading set-wise gives what the scripts give one after the other with every index and trigger in place."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from demo import load_library
from demo.bulk_loading import WORK_OF_TRIGGERS
from demo.load_library import DATABASE, NEXT, PROJECT, LoadError, load
from demo.local_server import LocalServer

SQL = PROJECT / "sql"
PLAIN = "loaded_plainly"
LIBRARY = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
)


@contextlib.contextmanager
def _database(server: LocalServer, name: str) -> Iterator[None]:
    """Drop the database at the end; whoever loads it makes it."""
    try:
        yield
    finally:
        _administer(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _administer(server: LocalServer, statement: str, name: str) -> None:
    with contextlib.closing(server.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _load_plainly(server: LocalServer, files: int) -> None:
    """Run the scripts as psql would: each as a whole, with all indexes, keys and triggers in place."""
    _administer(server, "CREATE DATABASE {}", PLAIN)
    with contextlib.closing(server.connect(PLAIN)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SELECT set_config('sample.files', %s, false)", [str(files)])
        for script in sorted((SQL / "migrations").glob("[0-9]*.sql")):
            if script.stem.split("_")[0] < NEXT:
                cursor.execute(script.read_text(encoding="utf-8"))
                cursor.execute((SQL / "sample" / script.name).read_text(encoding="utf-8"))


def _query(server: LocalServer, database: str, text: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def _rows(server: LocalServer, database: str) -> dict[str, list[str]]:
    """Every row of every table, with each time of the load itself as "now"; and where the sequences stand."""
    ((year,),) = _query(server, database, "SELECT extract(year FROM now())::text")
    # The times in the samples are of other years.
    times_of_loading = re.compile(rf"{year}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00")
    tables = {
        table: sorted(
            times_of_loading.sub("now", row)
            for (row,) in _query(server, database, f"SELECT t::text FROM {table} AS t")
        )
        for (table,) in _query(server, database, LIBRARY)
    }
    sequences = _query(server, database, "SELECT sequencename || ' ' || last_value FROM pg_sequences")
    return {**tables, "sequences": sorted(str(row) for row in sequences)}


def _schema(server: LocalServer, database: str) -> str:
    command = [
        *(str(Path(server.bindir, "pg_dump")), "--schema-only", "--restrict-key=0", f"--dbname={database}"),
        *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("files", [1, 60, 700])
def test_the_result_is_that_of_the_application_s_triggers(server: LocalServer, files: int) -> None:
    with _database(server, DATABASE), _database(server, PLAIN):
        load(server, SQL, files, io.StringIO())
        _load_plainly(server, files)
        plain, loaded = _rows(server, PLAIN), _rows(server, DATABASE)
        assert loaded.keys() == plain.keys()
        for table, rows in plain.items():
            assert loaded[table] == rows, table
        assert len(loaded["files"]) == files
        assert _schema(server, DATABASE) == _schema(server, PLAIN)
        assert (
            _query(server, DATABASE, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []
        )
        assert _query(server, DATABASE, "SELECT conname FROM pg_constraint WHERE NOT convalidated") == []
        names = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
        assert {name for (name,) in _query(server, DATABASE, names)} == set(WORK_OF_TRIGGERS)


def test_each_trigger_has_work_to_do_in_the_sample(server: LocalServer) -> None:
    """Otherwise the comparison above would say nothing about it."""
    with _database(server, DATABASE):
        load(server, SQL, 700, io.StringIO())
        for what in (
            "files WHERE search_vector <> ''",
            "files WHERE updated_at > '2025-01-01'",
            "files WHERE updated_at < '2025-01-01'",
            "tags WHERE usage_count > 1",
            "duplicate_groups WHERE duplicate_count > 1",
            "processing_jobs WHERE failed_files > 0",
        ):
            ((count,),) = _query(server, DATABASE, f"SELECT count(*) FROM {what}")
            assert count > 0, what


def test_fifty_thousand_files_are_beyond_no_type_s_range(server: LocalServer) -> None:
    with _database(server, DATABASE):
        load(server, SQL, 50_000, io.StringIO())
        assert _query(server, DATABASE, "SELECT count(*), max(id) FROM files") == [(50_000, 50_000)]
        ((greatest,),) = _query(
            server, DATABASE, "SELECT max(file_size_bytes) FROM files WHERE id > 2 AND NOT is_multi_track"
        )
        assert greatest < 60_200, "200 and a remainder of 60,000"


def test_a_failing_script_is_named_with_the_server_s_reason(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sql"
    (folder / "migrations").mkdir(parents=True)
    (folder / "sample").mkdir()
    first = "CREATE TABLE schema_migrations (id serial, version text UNIQUE, description text); CREATE TABLE a (b int)"
    (folder / "migrations" / "001_first.sql").write_text(first)
    (folder / "sample" / "001_first.sql").write_text(
        "INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (3000000000);"
    )
    monkeypatch.setattr(load_library, "PROJECT", tmp_path)
    with (
        _database(server, DATABASE),
        pytest.raises(LoadError, match=r"sql/sample/001_first.sql failed: integer"),
    ):
        load(server, folder, 10, io.StringIO())


def test_a_row_that_breaks_a_key_is_said_although_keys_were_set_aside(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sql"
    (folder / "migrations").mkdir(parents=True)
    (folder / "sample").mkdir()
    (folder / "migrations" / "001_first.sql").write_text(
        "CREATE TABLE schema_migrations (id serial, version text UNIQUE, description text);"
        "CREATE TABLE a (b int PRIMARY KEY); CREATE TABLE c (b int REFERENCES a)"
    )
    (folder / "sample" / "001_first.sql").write_text("INSERT INTO c VALUES (1)")
    monkeypatch.setattr(load_library, "PROJECT", tmp_path)
    with _database(server, DATABASE), pytest.raises(LoadError, match=r"violates foreign key constraint"):
        load(server, folder, 10, io.StringIO())
