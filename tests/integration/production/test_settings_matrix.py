# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploy, rows of users, rollback and deploy again under settings, roles and encodings as people have them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import sql

from demo.local_server import LocalServer
from tests.integration.production.there_and_back import back, there
from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns

#: Settings of one database each, together where they do not meet; the first of a line names it.
SETTINGS: dict[str, dict[str, str]] = {
    "values": {
        "DateStyle": "'SQL, DMY'",
        "TimeZone": "'Asia/Kathmandu'",
        "IntervalStyle": "iso_8601",
        "bytea_output": "escape",
        "extra_float_digits": "'-15'",
        "xmlbinary": "hex",
        "xmloption": "document",
        "lc_monetary": "'C'",
        "lc_messages": "'C'",
    },
    "limits": {
        "statement_timeout": "'900ms'",
        "lock_timeout": "'50ms'",
        "idle_in_transaction_session_timeout": "'400ms'",
        "idle_session_timeout": "'400ms'",
        "transaction_timeout": "'900ms'",
    },
    "no path": {"search_path": "''", "quote_all_identifiers": "on"},
    "another path": {"search_path": "app, public"},
    "dumps": {
        "standard_conforming_strings": "off",
        "escape_string_warning": "off",
        "backslash_quote": "off",
        "array_nulls": "off",
        "transform_null_equals": "on",
        "client_encoding": "'LATIN1'",
        "restrict_nonsystem_relation_kind": "'view'",
        "lo_compat_privileges": "on",
        "event_triggers": "on",
    },
    "storage of rows": {
        "default_toast_compression": "'pglz'",
        "synchronous_commit": "remote_apply",
        "commit_delay": "'10'",
        "gin_fuzzy_search_limit": "1",
        "debug_parallel_query": "regress",
        "max_parallel_maintenance_workers": "0",
    },
    "errors": {
        "exit_on_error": "on",
        "plpgsql.extra_errors": "'all'",
        "plpgsql.variable_conflict": "'error'",
    },
    "odd paths": {"search_path": '\'we, ird\', "quo""te", "$user", \'Größe\', public'},
    "isolation": {
        "default_transaction_isolation": "serializable",
        "default_transaction_deferrable": "on",
        "synchronous_commit": "off",
        "row_security": "on",
    },
    "storage": {
        "default_table_access_method": "heap",
        "default_tablespace": "pg_default",
        "default_statistics_target": "1",
        "temp_buffers": "'800kB'",
        "work_mem": "'64kB'",
        "maintenance_work_mem": "'1MB'",
    },
    "plans": {
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_sort": "off",
        "jit_above_cost": "0",
        "plan_cache_mode": "force_generic_plan",
        "from_collapse_limit": "1",
    },
    "triggers": {"session_replication_role": "replica", "check_function_bodies": "off"},
    "talk": {"client_min_messages": "debug1", "log_statement": "'none'", "track_counts": "off"},
}

APPLY = """
    ALTER TABLE {schema}notes ADD COLUMN author text, ADD COLUMN at timestamptz DEFAULT '2026-03-01 12:00+00',
        ADD COLUMN span interval DEFAULT '1 day 2 hours', ADD COLUMN price float8 DEFAULT 0.1, ADD COLUMN b bytea;
    CREATE TABLE {schema}editors (id int PRIMARY KEY, name text NOT NULL);
    INSERT INTO {schema}editors VALUES (1, 'Größe');"""
ROLLBACK = """
    DROP TABLE {schema}editors;
    ALTER TABLE {schema}notes DROP author, DROP at, DROP span, DROP price, DROP b;"""
WRITTEN = (
    "UPDATE {schema}notes SET author = 'Zoë', span = '3 days', price = 0.1::float8 + 0.2, b = decode('00ff', 'hex'),"
    " at = '2026-07-08 09:10:11.123456+00' WHERE id = 1",
    "INSERT INTO {schema}editors VALUES (2, 'Ünal')",
)
ROWS = """SELECT (SELECT array_agg(encode(textsend(n::text), 'hex') ORDER BY id) FROM {schema}notes n),
                 (SELECT array_agg(encode(textsend(e::text), 'hex') ORDER BY id) FROM {schema}editors e)"""


#: What a program that dumps or restores under such a setting would lose, change or stumble over.
DELICATE = (
    "CREATE TABLE delicate (id int PRIMARY KEY, body text DEFAULT 'schwäbisch 東京', parts int[], words text[] DEFAULT"
    " '{NULL,\"NULL\"}', paid money, span interval, blob bytea, part float8, at timestamptz,"
    " CHECK (words IS DISTINCT FROM '{NULL,x}'))",
    "CREATE VIEW chosen AS SELECT id, body = NULL::text AS unknown, E'a\\\\b\\'c' AS text FROM delicate",
    "CREATE FUNCTION nothing(int[] DEFAULT '{1,NULL}') RETURNS int BEGIN ATOMIC SELECT cardinality($1); END",
    "INSERT INTO delicate VALUES (1, '東京 €', '{1,NULL,3}', '{NULL,\"NULL\",a}', 12.34, '-1 mon +2 days"
    " -03:04', '\\x00ff5c', 0.1::float8 + 0.2, '2026-03-04 05:06:07.891011+00'), (2, E'\\\\ \\' \\t', '{NULL}', NULL,"
    " -1, '1 year', '', 'NaN', '-infinity')",
)


def round_trip(runs: StepRuns, schema: str = "") -> None:
    """What users wrote comes back, and versions are recorded once."""
    where = f"{schema or 'public'}."
    named = f"{schema}." if schema else ""
    runs.write(
        migrations__002_author=APPLY.format(schema=named),
        rollback__002_author_rollback=ROLLBACK.format(schema=named),
        verify__002_author=f"SELECT count(*) = 1, now() FROM {named}editors;",
        smoke__notes=f"SELECT count(*) = 3, now() FROM {named}notes;",
    )
    there(runs)
    runs.execute(*(one.format(schema=where) for one in WRITTEN))
    before = runs.ask(ROWS.format(schema=where))
    back(runs)
    assert runs.ask("SELECT count(*) FROM pg_class WHERE relname = 'editors'") == [(0,)]
    there(runs)
    assert runs.ask(ROWS.format(schema=where)) == before
    assert runs.ask("SELECT count(*) FROM pg_class WHERE relname = 'schema_migrations'") == [(1,)]
    assert runs.ask("SELECT version FROM public.schema_migrations ORDER BY 1") == [("001",), ("002",)]
    assert runs.another("status").must("status")["outputs"]["drift"] == []


def test_there_are_enough_of_them() -> None:
    names = {name for settings in SETTINGS.values() for name in settings}
    assert len(names) >= 25


@pytest.mark.parametrize("which", SETTINGS)
def test_settings_of_the_database(runs: StepRuns, admin: StepRuns, which: str) -> None:
    runs.execute("CREATE SCHEMA app", *DELICATE)
    known = {name for (name,) in admin.ask("SELECT name FROM pg_settings")}
    for name, value in SETTINGS[which].items():
        if name in known:  # not every version has them all
            admin.execute(f"ALTER DATABASE {runs.database} SET {name} = {value}")
    round_trip(runs, "public" if "search_path" in SETTINGS[which] else "")


def test_a_restore_under_settings_that_change_what_a_dump_says(runs: StepRuns, admin: StepRuns) -> None:
    runs.execute(*DELICATE)
    for name in ("client_encoding", "array_nulls"):
        admin.execute(f"ALTER DATABASE {runs.database} SET {name} = {SETTINGS['dumps'][name]}")
    rows = "SELECT convert_to(d::text, 'UTF8') FROM delicate d ORDER BY id"
    before = runs.ask(rows)
    runs.up_to("verify_restore")
    runs.conclude("refused")
    # The restore dumps its own ledger, and has to bring along what is written there.
    runs.execute("UPDATE runbook.run SET reason = U&'\\6771\\4EAC'", "DELETE FROM delicate")
    try:
        restore = Restore(runs)
        restore.steps("preflight", "restore", "count_rows", "swap", "smoke_test")
        assert runs.ask(rows) == before
        reasons = runs.ask("SELECT convert_to(reason, 'UTF8') FROM runbook.run WHERE reason IS NOT NULL")
        assert [bytes(reason).decode() for (reason,) in reasons] == ["東京"]
    finally:
        drop_what_restores_left(admin, runs.database)


@pytest.fixture
def owner(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """A role that is no superuser and owns database and tables."""
    admin.execute(
        "DROP ROLE IF EXISTS matrix_owner, matrix_deployer",
        "CREATE ROLE matrix_owner LOGIN CREATEDB",
        "CREATE ROLE matrix_deployer LOGIN CREATEDB IN ROLE matrix_owner",
        f"ALTER DATABASE {runs.database} OWNER TO matrix_owner",
    )
    runs.execute(
        "ALTER TABLE notes OWNER TO matrix_owner",
        "ALTER TABLE schema_migrations OWNER TO matrix_owner",
        "ALTER SCHEMA public OWNER TO matrix_owner",
    )
    runs.user = "matrix_owner"
    yield runs
    admin.execute(
        "ALTER ROLE matrix_owner RESET ALL",
        f"ALTER DATABASE {runs.database} OWNER TO {runs.server.user}",
    )
    for role in ("matrix_deployer", "matrix_owner"):
        runs.execute(f"REASSIGN OWNED BY {role} TO {runs.server.user}", f"DROP OWNED BY {role}")
        admin.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


ROLES = {
    "plain": (),
    "with settings": (
        "ALTER ROLE matrix_owner SET DateStyle = 'German'",
        "ALTER ROLE matrix_owner SET statement_timeout = '900ms'",
        "ALTER ROLE matrix_owner SET search_path = ''",
        "ALTER ROLE matrix_owner SET session_replication_role = replica",
        "ALTER ROLE matrix_owner SET default_transaction_isolation = 'repeatable read'",
        "ALTER ROLE matrix_owner SET client_encoding = 'LATIN1'",
        "ALTER ROLE matrix_owner SET array_nulls = off",
    ),
}


@pytest.mark.parametrize("settings", ROLES)
def test_a_role_that_is_no_superuser(owner: StepRuns, admin: StepRuns, settings: str) -> None:
    objects = ("TABLE delicate", "VIEW chosen", "FUNCTION nothing")
    owner.execute(*DELICATE, *(f"ALTER {one} OWNER TO matrix_owner" for one in objects))
    admin.execute(*ROLES[settings])
    round_trip(owner, "public")


def test_a_role_that_becomes_another_one_when_it_connects(owner: StepRuns, admin: StepRuns) -> None:
    admin.execute("ALTER ROLE matrix_deployer SET role = matrix_owner")
    owner.user = "matrix_deployer"
    round_trip(owner)
    owners = owner.ask("SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [("matrix_owner",)]


class Utf8Runs(StepRuns):
    """The test's own statements are sent in UTF-8, whatever the database has."""

    def execute(self, *statements: str) -> None:
        super().execute(*(f"SET client_encoding = 'UTF8'; {one}".encode() for one in statements))


@pytest.fixture(params=["LATIN1", "WIN1252", "SQL_ASCII"])
def encoded(request: pytest.FixtureRequest, server: LocalServer, runs: StepRuns) -> Iterator[StepRuns]:
    """As ``runs``, in a database of another encoding."""
    name = f"matrix_{request.param.lower()}"
    with contextlib.closing(server.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            database = sql.Identifier(name)
            cursor.execute(
                sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0").format(
                    database, sql.Literal(request.param)
                )
            )
            try:
                made = Utf8Runs(server, name, Path(runs.folder))
                made.execute(
                    "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
                    "INSERT INTO schema_migrations VALUES ('001')",
                    "CREATE TABLE notes (id serial PRIMARY KEY, body text)",
                    "INSERT INTO notes (body) VALUES ('one'), (NULL), ('Grün')",
                    "COMMENT ON TABLE notes IS 'Übersicht'",
                )
                if request.param == "SQL_ASCII":  # which holds bytes that are no text at all
                    made.execute("UPDATE notes SET body = E'caf\\xe9' WHERE id = 2")
                yield made
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


def test_a_database_of_another_encoding(encoded: StepRuns) -> None:
    round_trip(encoded)


@pytest.mark.parametrize("encoded", ["SQL_ASCII"], indirect=True)
def test_a_definition_that_is_no_text_is_said_to_be_so(encoded: StepRuns) -> None:
    encoded.execute("COMMENT ON TABLE notes IS E'caf\\xe9'")
    answer = encoded.step("preflight")
    assert answer["reason_code"] == "text_not_utf8"
    assert "is not UTF-8, whose encoding SQL_ASCII" in answer["msg"]


@pytest.mark.parametrize("encoded", ["SQL_ASCII"], indirect=True)
def test_values_that_are_no_text_come_back_and_can_be_looked_at(encoded: StepRuns, tmp_path: Path) -> None:
    """Bytes cross from one place to the other as they are, and a person is shown them."""
    values = "SELECT id, encode(author::bytea, 'hex') FROM notes ORDER BY 1"
    encoded.deploy()
    encoded.execute(
        "UPDATE notes SET author = E'caf\\xe9' WHERE id = 1", "UPDATE notes SET author = 'mïne' WHERE id = 3"
    )
    written = encoded.ask(values)
    assert written == [(1, "636166e9"), (2, None), (3, "6dc3af6e65")]
    encoded.another("emergency_rollback").roll_back()
    ((item, rows),) = encoded.ask("SELECT item, rows FROM runbook_salvage.manifest WHERE rows > 0")
    assert rows == 2, "what nobody has written is not kept"
    look = encoded.another("salvage").must("salvage", action="list", item=item)["outputs"]["rows"]
    assert [row["kept"] for row in look] == [{"author": r"caf\xe9"}, {"author": "mïne"}]
    for kind in ("csv", "sql"):
        path = tmp_path / f"kept.{kind}"
        encoded.another("salvage").must("salvage", action="export", item=item, format=kind, file=str(path))
        assert b"caf\xe9" in path.read_bytes()
    encoded.another().deploy()
    assert encoded.ask(values) == written
    encoded.execute("UPDATE notes SET author = NULL")
    psql = [
        str(Path(encoded.server.bindir, "psql")),
        "-X",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        encoded.server.host,
    ]
    psql += ["-p", str(encoded.server.port), "-U", encoded.server.user, "-d", encoded.database]
    subprocess.run([*psql, "-f", str(tmp_path / "kept.sql")], check=True, capture_output=True)
    assert encoded.ask(values) == written
