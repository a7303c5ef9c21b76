# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a script changes that all databases of the server share is seen before it is committed on the copy.

That a rehearsal asks: role_created_in_a_block in tests/integration/benchmarks/test_migrations_of_strangers.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import copy_name
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.replication import detach_subscriptions
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.shared_objects import (
    refuse_shared_changes,
    shared_state,
)

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns


@pytest.fixture
def cursor(server: LocalServer, database: str) -> Iterator[Any]:
    """Of a transaction beside a role that is there, which all is undone."""
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE shared_old CREATEROLE")
        connection.commit()
        try:
            yield cursor
        finally:
            connection.rollback()
            cursor.execute("DROP ROLE shared_old")
            connection.commit()


@pytest.fixture
def other_database(server: LocalServer) -> Iterator[str]:
    """One that the transaction of the cursor is not in."""
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("CREATE DATABASE shared_beside")
        yield "shared_beside"
        cursor.execute("DROP DATABASE shared_beside")


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE ROLE shared_new", "role shared_new"),
        ('CREATE ROLE "odd ""one"""', 'role "odd ""one"""'),
        ("DROP ROLE shared_old", "role shared_old"),
        ("ALTER ROLE shared_old LOGIN", "role shared_old"),
        ("ALTER ROLE shared_old PASSWORD 'x'", "a role"),
        ("ALTER ROLE shared_old SET work_mem = '1MB'", "role shared_old"),
        ("GRANT pg_monitor TO shared_old", "membership of shared_old in pg_monitor"),
        ("ALTER DATABASE postgres SET work_mem = '1MB'", "settings of database postgres"),
        ("GRANT SET ON PARAMETER work_mem TO shared_old", "privileges on parameter work_mem"),
        ("COMMENT ON ROLE shared_old IS 'x'", "comment on role shared_old"),
        ("GRANT CREATE ON TABLESPACE pg_default TO shared_old", "tablespace pg_default"),
        ("SELECT pg_replication_origin_create('shared_origin')", "replication origin shared_origin"),
    ],
)
def test_it_is_refused_and_named(cursor: Any, statement: str, named: str) -> None:
    before = shared_state(cursor)
    cursor.execute(f"DO $do$ BEGIN EXECUTE $x${statement}$x$; END $do$")
    with pytest.raises(Refused) as caught:
        refuse_shared_changes(cursor, "migrations/x.sql", before)
    assert caught.value.code == "statement_forbidden"
    assert caught.value.reason.startswith(
        f"On the copy migrations/x.sql changes {named}, which all databases"
    )


@pytest.mark.parametrize(
    "statement", ["REASSIGN OWNED BY shared_old TO pg_database_owner", "DROP OWNED BY shared_old"]
)
def test_what_a_role_owns_or_may_do_in_other_databases_is_theirs(
    server: LocalServer, cursor: Any, statement: str
) -> None:
    cursor.execute(
        "GRANT CREATE ON DATABASE template1 TO shared_old; ALTER DATABASE postgres OWNER TO shared_old"
    )
    cursor.connection.commit()
    before = shared_state(cursor)
    try:
        cursor.execute(statement.replace("pg_database_owner", server.user))
        with pytest.raises(Refused, match=r"changes database (postgres|template1), which all databases"):
            refuse_shared_changes(cursor, "migrations/x.sql", before)
    finally:
        cursor.connection.rollback()
        cursor.execute(
            f"ALTER DATABASE postgres OWNER TO {server.user}; REVOKE ALL ON DATABASE template1 FROM shared_old"
        )
        cursor.connection.commit()


def test_who_is_no_superuser_is_told_too(cursor: Any) -> None:
    cursor.execute("SET ROLE shared_old")
    before = shared_state(cursor)
    cursor.execute("CREATE ROLE shared_new")
    with pytest.raises(Refused, match="role shared_new"):
        refuse_shared_changes(cursor, "migrations/x.sql", before)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (id int); ALTER TABLE t OWNER TO shared_old; GRANT SELECT ON t TO shared_old",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '8MB'); END $$",
        "DO $$ BEGIN EXECUTE format('ALTER ROLE shared_old IN DATABASE %I RESET ALL', current_database()); END $$",
        "SET ROLE shared_old",
    ],
)
def test_what_belongs_to_this_database_is_no_such_change(cursor: Any, statement: str) -> None:
    before = shared_state(cursor)
    cursor.execute(statement)
    refuse_shared_changes(cursor, "migrations/x.sql", before)
    cursor.execute("RESET ROLE")


def test_what_somebody_else_changes_meanwhile_is_not_the_scripts(server: LocalServer, cursor: Any) -> None:
    before = shared_state(cursor)
    with contextlib.closing(server.connect("postgres")) as other, other.cursor() as theirs:
        theirs.execute("ALTER ROLE shared_old LOGIN")
        other.commit()
    cursor.execute("CREATE TABLE t (id int)")
    refuse_shared_changes(cursor, "migrations/x.sql", before)


def test_what_is_done_meanwhile_to_another_database_is_not_the_scripts(
    server: LocalServer, other_database: str, cursor: Any
) -> None:
    """As another run of a fleet does that lets its application in again, while this one has its script run."""
    before = shared_state(cursor)
    cursor.execute("CREATE TABLE t (id int); GRANT SELECT ON t TO shared_old")
    with contextlib.closing(server.connect("postgres")) as other, other.cursor() as theirs:
        theirs.execute(f"REVOKE CONNECT ON DATABASE {other_database} FROM PUBLIC")
        other.commit()
    refuse_shared_changes(cursor, "migrations/x.sql", before)
    cursor.execute(f"GRANT CONNECT ON DATABASE {other_database} TO shared_old")
    with pytest.raises(Refused, match=f"changes database {other_database}, which"):
        refuse_shared_changes(cursor, "migrations/x.sql", before)


def test_a_slot_that_no_transaction_takes_back_is_named(server: LocalServer, cursor: Any) -> None:
    before = shared_state(cursor)
    try:
        cursor.execute("SELECT pg_create_physical_replication_slot('shared_slot')")
        with pytest.raises(Refused, match=r"replication slot shared_slot.*pg_drop_replication_slot"):
            refuse_shared_changes(cursor, "migrations/x.sql", before)
    finally:
        cursor.connection.rollback()
        cursor.execute("SELECT pg_drop_replication_slot('shared_slot')")
        cursor.connection.commit()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        # Nobody else may connect to a copy: there it changes nothing.
        ("REVOKE CONNECT ON DATABASE %I FROM PUBLIC", "owner, privileges or another property"),
        ("GRANT CREATE ON DATABASE %I TO PUBLIC", "owner, privileges or another property"),
        ("ALTER DATABASE %I CONNECTION LIMIT 7", "owner, privileges or another property"),
        ("COMMENT ON DATABASE %I IS ''the shop''", "comment"),
    ],
)
@pytest.mark.parametrize("headed", ["", "-- Transaction: none\n"])
def test_the_database_itself_is_not_what_a_copy_shows(
    runs: StepRuns, statement: str, named: str, headed: str
) -> None:
    text = f"{headed}DO $do$ BEGIN EXECUTE format('{statement}', current_database()); END $do$;"
    runs.write(migrations__002_author=f"{text} ALTER TABLE notes ADD author text;")
    runs.up_to("verify_restore")
    refused = runs.step("rehearse")
    assert refused["reason_code"] == "statement_forbidden", refused
    assert f"changes {named} of the database itself" in refused["msg"]
    assert "hand" in refused["msg"]
    runs.conclude("refused")
    # The copy is still known as this run's, and gone.
    copies = f"SELECT datname FROM pg_database WHERE datname = '{copy_name(runs.run_id)}'"
    assert runs.ask(copies) == []
    runs.another().must("preflight")


def test_a_setting_of_the_database_is_the_applications(runs: StepRuns) -> None:
    text = "DO $do$ BEGIN EXECUTE format('ALTER DATABASE %I {} work_mem{}', current_database()); END $do$;"
    runs.write(
        migrations__002_author=text.format("SET", " = ''2MB''"),
        rollback__002_author_rollback=text.format("RESET", ""),
    )
    runs.up_to("rehearse")


@pytest.mark.parametrize("which", ["migrations__002_author", "rollback__002_author_rollback"])
def test_the_subscription_of_a_copy_is_never_started(runs: StepRuns, which: str) -> None:
    """Its worker would read from the slot what production's own is to read."""
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            "CREATE SUBSCRIPTION feed CONNECTION 'host=/nonexistent dbname=x' PUBLICATION p"
            " WITH (connect = false, slot_name = held)"
        )
        try:
            scripts = {
                "migrations__002_author": "ALTER TABLE notes ADD COLUMN n int;",
                "rollback__002_author_rollback": "ALTER TABLE notes DROP COLUMN n;",
            }
            scripts[which] += "DO $$ BEGIN ALTER SUBSCRIPTION feed ENABLE; END $$;"
            runs.write(**scripts)
            runs.up_to("verify_restore")
            refused = runs.step("rehearse")
            assert refused["reason_code"] == "statement_forbidden", refused
            assert "starts a subscription (feed)" in refused["msg"]
            cursor.execute("SELECT subenabled FROM pg_subscription")
            assert cursor.fetchall() == [(False,)], "of any database of the server"
        finally:
            detach_subscriptions(connection)
