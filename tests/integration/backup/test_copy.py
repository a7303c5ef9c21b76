# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The copy: a database like the target, made and dropped, and no other one dropped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup import copy as copy_module
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import (
    CopyDatabase,
    copy_name,
    database_settings,
    drop_forgotten,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from psycopg2 import sql

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns, target


@pytest.fixture
def admin(server: LocalServer) -> Iterator[Any]:
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


@pytest.fixture
def copy(server: LocalServer) -> Iterator[Any]:
    one = CopyDatabase(target(server, "postgres"), "run-of-a-copy-test")
    one.drop()
    yield one
    with contextlib.suppress(Refused):
        one.drop()


def settings_of(server: LocalServer, database: str) -> Any:
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        return database_settings(cursor)


@pytest.fixture
def source(admin: Any) -> Iterator[Any]:
    """Makes a database with the options given; dropped afterwards."""

    def make(options: Any) -> str:
        admin.execute(f"CREATE DATABASE copy_source TEMPLATE template0 {options}")
        return "copy_source"

    yield make
    admin.execute("DROP DATABASE IF EXISTS copy_source WITH (FORCE)")


@pytest.mark.parametrize(
    "options",
    [
        "ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'",
        "ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C' LC_COLLATE 'C' LC_CTYPE 'C'",
        "ENCODING 'UTF8' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'",
        "ENCODING 'LATIN1' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'",
        "ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'",
    ],
)
def test_encoding_and_locale_are_kept(
    server: LocalServer, admin: Any, source: Any, copy: Any, options: str
) -> None:
    name = source(options)
    copy.create(settings_of(server, name))
    facts = "to_jsonb(d) - '{oid,datname,datacl,datdba,dattablespace,datfrozenxid,datminmxid}'::text[]"
    admin.execute(f"SELECT {facts} FROM pg_database d WHERE datname IN (%s, %s)", (name, copy.name))
    (first,), (second,) = admin.fetchall()
    assert first == second


SETTINGS = {
    "search_path": '"$user", app, "Odd, Schema"',
    "timezone": "Europe/Berlin",
    "default_text_search_config": "pg_catalog.german",
    "app.tenant": 'it\'s 100% "quoted"',
    "statement_timeout": "90s",
    "DateStyle": "German",
}


def test_settings_of_the_database_are_kept(server: LocalServer, admin: Any, source: Any, copy: Any) -> None:
    name = source("")
    for setting, value in SETTINGS.items():
        literal = value if setting == "search_path" else "'" + value.replace("'", "''") + "'"
        admin.execute(f"ALTER DATABASE {name} SET {setting} = {literal}")
    copy.create(settings_of(server, name))
    shown = []
    for database in (name, copy.name):
        with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT n, current_setting(n) FROM unnest(%s::text[]) n", (list(SETTINGS),))
            shown.append(dict(cursor.fetchall()))
    assert shown[0] == shown[1]
    assert shown[0]["search_path"] == SETTINGS["search_path"]
    assert shown[0]["app.tenant"] == SETTINGS["app.tenant"]


def test_the_roles_own_settings_in_the_database_are_kept(
    server: LocalServer, admin: Any, source: Any, copy: Any
) -> None:
    """ALTER ROLE ... IN DATABASE decides where unqualified names of a migration go."""
    name = source("")
    admin.execute(f"ALTER ROLE {server.user} IN DATABASE {name} SET search_path = app, public")
    copy.create(settings_of(server, name))
    with contextlib.closing(server.connect(copy.name)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("app, public",)


def test_a_setting_that_only_a_superuser_may_make_does_not_prevent_the_copy(
    server: LocalServer, admin: Any, source: Any, copy: Any
) -> None:
    name = source("")
    admin.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = 5000")
    admin.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    admin.execute("CREATE ROLE copy_maker LOGIN CREATEDB")
    try:
        made = CopyDatabase({**copy.target, "login_user": "copy_maker"}, copy.run_id)
        made.create(settings_of(server, name))
        with contextlib.closing(server.connect(copy.name)) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW timezone")
            assert cursor.fetchone() == ("Asia/Tokyo",), "the others are kept"
    finally:
        copy.drop()
        admin.execute("DROP ROLE copy_maker")


def test_it_is_made_while_the_original_is_in_use_and_with_its_settings(
    server: LocalServer, admin: Any, source: Any, copy: Any
) -> None:
    """CREATE DATABASE ... TEMPLATE would do neither."""
    name = source("")
    admin.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    with contextlib.closing(server.connect(name)) as user, user.cursor() as cursor:
        cursor.execute("SELECT 1")
        with pytest.raises(psycopg2.errors.ObjectInUse):
            admin.execute(f"CREATE DATABASE another TEMPLATE {name}")
        copy.create(settings_of(server, name))
    admin.execute(f"CREATE DATABASE another TEMPLATE {name}")
    try:
        kept = settings_of(server, name)["settings"]
        assert kept
        assert settings_of(server, copy.name)["settings"] == kept
        assert settings_of(server, "another")["settings"] != kept
    finally:
        admin.execute("DROP DATABASE another")


# Who gets in ---------------------------------------------------------------------------------------------

ROLES = ("copy_owner", "copy_maker", "copy_app", "copy_stranger")


@pytest.fixture
def roles(admin: Any) -> Iterator[Any]:
    admin.execute("CREATE ROLE copy_owner")
    admin.execute("CREATE ROLE copy_maker LOGIN CREATEDB NOINHERIT IN ROLE copy_owner")
    admin.execute("CREATE ROLE copy_app LOGIN")
    admin.execute("CREATE ROLE copy_stranger LOGIN")
    yield
    for name in ROLES:
        admin.execute(f"DROP ROLE {name}")


def rights_on(admin: Any, database: str) -> Any:
    """Role -> what it may on a database, with a star where it may grant that."""
    rights = ("CREATE", "TEMPORARY")
    found = {}
    for role in ROLES:
        admin.execute(
            "SELECT array(SELECT p FROM unnest(%s::text[]) AS p WHERE has_database_privilege(%s, %s, p))",
            ([*rights, *(f"{one} WITH GRANT OPTION" for one in rights)], role, database),
        )
        found[role] = admin.fetchone()[0]
    return found


def may_connect(admin: Any, database: str) -> list[Any]:
    admin.execute(
        "SELECT rolname::text FROM pg_roles WHERE has_database_privilege(oid, %s, 'CONNECT') AND NOT rolsuper",
        (database,),
    )
    return [name for (name,) in admin.fetchall()]


@pytest.mark.parametrize(
    "statements",
    [
        (),
        ("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", "GRANT CONNECT ON DATABASE {} TO copy_app"),
        ("REVOKE ALL ON DATABASE {} FROM PUBLIC", "GRANT TEMPORARY ON DATABASE {} TO copy_app"),
        ("REVOKE ALL ON DATABASE {} FROM PUBLIC",),
        ("GRANT ALL ON DATABASE {} TO copy_app WITH GRANT OPTION", "GRANT CREATE ON DATABASE {} TO PUBLIC"),
    ],
    ids=["as it is made", "connect", "temporary", "nothing", "everything"],
)
def test_nobody_else_is_let_in_and_what_roles_make_there_is_as_in_the_original(
    server: LocalServer, admin: Any, roles: Any, source: Any, copy: Any, statements: tuple[Any, ...]
) -> None:
    name = source("OWNER copy_owner")
    for statement in statements:
        admin.execute(statement.format(name))
    copy.create(settings_of(server, name))
    assert may_connect(admin, copy.name) == []
    assert rights_on(admin, copy.name) == rights_on(admin, name)
    with pytest.raises(psycopg2.OperationalError, match="does not have CONNECT privilege"):
        psycopg2.connect(host=server.host, port=server.port, user="copy_app", dbname=copy.name)


def test_nobody_has_come_in_before(
    server: LocalServer, admin: Any, copy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who connects to a database that is still empty may stay, and read what is restored."""
    really, tried = copy_module.keep_others_out, []

    def look(*arguments: Any) -> None:
        with pytest.raises(psycopg2.OperationalError, match="not currently accepting connections") as refused:
            server.connect(copy.name)
        tried.append(refused)
        really(*arguments)

    monkeypatch.setattr(copy_module, "keep_others_out", look)
    copy.create()
    assert tried
    copy.connect().close()


def test_who_made_it_gets_in_though_he_acts_as_another_role(
    server: LocalServer, admin: Any, roles: Any, source: Any, copy: Any
) -> None:
    """PostgreSQL asks whether he may while it knows only as whom he has logged in."""
    admin.execute("ALTER ROLE copy_owner CREATEDB")
    admin.execute("ALTER ROLE copy_maker SET role = copy_owner")
    name = source("OWNER copy_owner")
    made = CopyDatabase({**copy.target, "login_user": "copy_maker"}, copy.run_id)
    try:
        made.create(settings_of(server, name))
        # As a rehearsal that was killed leaves its session; and one that has just ended may still be about to go.
        with contextlib.closing(made.connect()):
            assert sorted(may_connect(admin, copy.name)) == ["copy_maker", "copy_owner"]
            assert made.drop()
    finally:
        made.drop()


def test_a_role_that_the_server_of_the_copy_does_not_have_is_passed_over(
    admin: Any, roles: Any, copy: Any
) -> None:
    rights = [[None, "CREATE", False, "x"], ["nobody there", "CREATE", True, "x"]]
    copy.create({"privileges": rights})
    assert rights_on(admin, copy.name)["copy_app"] == ["CREATE"]


def test_what_the_role_may_not_make_in_production_it_may_not_make_in_the_copy(
    runs: StepRuns, admin: Any
) -> None:
    """Though it owns the copy: a migration that makes a schema would fail in production for the first time."""
    runs.execute("DROP ROLE IF EXISTS plain")
    runs.execute(
        "CREATE ROLE plain LOGIN CREATEDB",
        f"GRANT CREATE ON DATABASE {runs.database} TO plain",
        "ALTER TABLE notes OWNER TO plain",
        "ALTER TABLE schema_migrations OWNER TO plain",
    )
    runs.user = "plain"
    try:
        runs.up_to("verify")
        runs.steps("smoke_test")
        runs.conclude()
        runs.write(
            migrations__003_own="CREATE SCHEMA own;",
            rollback__003_own_rollback="DROP SCHEMA own;",
            migrations__004_tag="ALTER TABLE notes ADD COLUMN tag text;",
            rollback__004_tag_rollback="ALTER TABLE notes DROP COLUMN tag;",
        )
        runs.user = None
        runs.execute(f"REVOKE CREATE ON DATABASE {runs.database} FROM plain")
        runs.user = "plain"
        schema = runs.another()
        schema.migration = "003"
        schema.up_to("verify_restore")
        answer = schema.step("rehearse")
        assert answer["outcome"] == "refused", answer
        assert "permission denied for database" in answer["msg"]
        schema.conclude("refused")
        column = runs.another()
        column.migration = "004"
        (runs.sql_dir / "migrations/003_own.sql").unlink()
        (runs.sql_dir / "rollback/003_own_rollback.sql").unlink()
        column.up_to("verify")
        column.conclude()
    finally:
        runs.user = None
        runs.execute(
            "DROP SCHEMA IF EXISTS runbook, runbook_salvage CASCADE",
            "DROP OWNED BY plain CASCADE",
            "DROP ROLE plain",
        )


def test_it_is_dropped_with_sessions_left_behind(copy: Any) -> None:
    copy.create()
    left_behind = copy.connect()
    assert copy.drop() is True
    assert copy.drop() is False
    with contextlib.suppress(Exception):
        left_behind.close()


@pytest.mark.parametrize("comment", ["'the books'", "'migration runbook: copy of run another-run'"])
def test_a_database_that_this_run_did_not_make_is_left_alone(admin: Any, copy: Any, comment: str) -> None:
    admin.execute(f"CREATE DATABASE {copy.name}")
    try:
        admin.execute(f"COMMENT ON DATABASE {copy.name} IS {comment}")
        with pytest.raises(Refused, match=r"which this run did not make\. It was left alone"):
            copy.drop()
        admin.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (copy.name,))
        assert admin.fetchone() == (1,)
    finally:
        admin.execute(f"DROP DATABASE {copy.name}")


# Copies that nobody drops --------------------------------------------------------------------------------

LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
def left_behind(admin: Any) -> Iterator[Any]:
    """Makes a database with that comment; dropped afterwards."""
    made = []

    def make(name: Any, comment: Any) -> Any:
        made.append(name)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        admin.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(comment))
        )
        return name

    yield make
    for name in made:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def test_the_copy_of_a_run_killed_long_ago_is_dropped(server: LocalServer, left_behind: Any) -> None:
    name = left_behind(copy_name("killed"), f"migration runbook: copy of run killed, made {LONG_AGO}")
    assert name in drop_forgotten(target(server, "postgres"))
    assert name not in drop_forgotten(target(server, "postgres"))


def test_the_next_run_drops_it(left_behind: Any, runs: StepRuns) -> None:
    name = left_behind(copy_name("killed"), f"migration runbook: copy of run killed, made {LONG_AGO}")
    assert name in runs.steps("preflight")["outputs"]["forgotten_copies"]


def test_a_copy_in_use_and_a_young_one_are_not(
    server: LocalServer, admin: Any, copy: Any, left_behind: Any
) -> None:
    name = left_behind(copy_name("slow"), f"migration runbook: copy of run slow, made {LONG_AGO}")
    copy.create()
    with contextlib.closing(server.connect(name)):
        dropped = drop_forgotten(target(server, "postgres"))
    assert name not in dropped
    assert copy.name not in dropped
    admin.execute("SELECT count(*) FROM pg_database WHERE datname IN (%s, %s)", (name, copy.name))
    assert admin.fetchone() == (2,)


@pytest.mark.parametrize(
    ("name", "comment"),
    [
        ("books", f"migration runbook: copy of run books, made {LONG_AGO}"),
        (copy_name("other"), "migration runbook: copy of run other"),
        (copy_name("other"), "migration runbook: copy of run other, made long ago"),
        (copy_name("other"), "migration runbook: copy of run other, made 2026-13-01T00:00:00Z"),
        (copy_name("other"), f"a copy of run other, made {LONG_AGO}"),
    ],
)
def test_what_does_not_say_that_it_is_one_is_left_alone(
    server: LocalServer, left_behind: Any, name: Any, comment: str
) -> None:
    assert left_behind(name, comment) not in drop_forgotten(target(server, "postgres"))


def test_schema_public_is_missing_where_it_was_dropped(server: LocalServer, copy: Any, database: str) -> None:
    """Every new database has one, and no dump says that it was dropped."""
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        for statement, expected in (("SELECT 1", 1), ("DROP SCHEMA public", 0)):
            cursor.execute(statement)
            copy.create(database_settings(cursor))
            try:
                with contextlib.closing(copy.connect()) as inside, inside.cursor() as own:
                    own.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'public'")
                    assert own.fetchone() == (expected,)
            finally:
                copy.drop()
