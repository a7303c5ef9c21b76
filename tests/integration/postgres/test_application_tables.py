# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which tables are the application's: one answer, and every room that asks gets it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import DUMPED_TABLES
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import dead_column_slots
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import (
    content_fingerprint,
    stored_tables,
)
from ansible_collections.pgops.runbook.plugins.module_utils.impact.meter import (
    ImpactMeter,
    held_locks,
    rows_written,
    table_files,
    table_sizes,
)
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.versions import VersionTable
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.application_tables import (
    APPLICATION,
    APPLICATION_AND_RUNBOOK,
    INCLUDED,
    LEDGER,
    LEFT_OUT,
    RELATIONS,
    SAVED,
    SEQUENCES,
    STORED,
    TABLES,
    in_schemas,
    is_application_schema,
    of_application,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.sequences import positions
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.sequences import sequence_positions
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.watch import DestructionWatch

from tests.integration.postgres.every_kind import (
    CONFIGURATION,
    LEAVES,
    MEMBERS,
    PARENTS,
    RUNBOOK,
    VERSION_TABLE,
    VERSIONS,
    VIEW,
    labels,
    make_every_kind,
)


@pytest.fixture
def cursor(server: Any, database: str, connection: Any) -> Iterator[Any]:
    """In a database with every kind of relation, while another session has a temporary table."""
    with connection.cursor() as cursor:
        make_every_kind(cursor)
        cursor.execute(f'ALTER DATABASE {database} SET search_path = public, "Odd Versions"')
    connection.commit()
    with (
        contextlib.closing(server.connect(database)) as other,
        contextlib.closing(server.connect(database)) as ours,
    ):
        with other.cursor() as foreign:
            foreign.execute("CREATE TEMPORARY TABLE of_another_session (id serial)")
        other.commit()
        with ours.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE of_this_session (id serial)")
            yield cursor


def answer(cursor: Any, condition: str, values: dict[str, Any] | None = None) -> set[tuple[str, str]]:
    cursor.execute(f"SELECT n.nspname::text, c.relname::text FROM {RELATIONS} WHERE {condition}", values)
    return set(cursor.fetchall())


def of(schema: str, *names: str) -> set[tuple[str, str]]:
    return {(schema, name) for name in names}


TABLES_OF_USERS = LEAVES | PARENTS | VERSION_TABLE


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (of_application(TABLES), TABLES_OF_USERS),
        (of_application(STORED), LEAVES | VERSION_TABLE | VIEW),
        (of_application(TABLES, members=SAVED), TABLES_OF_USERS | CONFIGURATION),
        (of_application(TABLES, members=INCLUDED), TABLES_OF_USERS | MEMBERS),
        (of_application(TABLES, APPLICATION_AND_RUNBOOK), TABLES_OF_USERS | RUNBOOK),
        (of_application(TABLES, LEDGER), of("runbook", "receipts")),
        (
            of_application(TABLES, partitions=False),
            TABLES_OF_USERS - of("public", "branch", "leaf"),
        ),
        (
            of_application(SEQUENCES),
            of("pgx", "plain_id_seq") | of("Odd Versions", "schema_migrations_id_seq"),
        ),
        (
            of_application(SEQUENCES, members=SAVED),
            of("pgx", "plain_id_seq")
            | of("Odd Versions", "schema_migrations_id_seq")
            | of("public", "saved_id_seq"),
        ),
    ],
)
def test_what_the_parameters_ask_for(cursor: Any, condition: str, expected: set[tuple[str, str]]) -> None:
    assert answer(cursor, condition) == expected


def test_the_record_of_versions_is_left_out_by_its_quoted_name(cursor: Any) -> None:
    condition = of_application(TABLES, version_tables="%(versions)s")
    assert answer(cursor, condition, {"versions": [VERSIONS]}) == LEAVES | PARENTS
    assert answer(cursor, condition, {"versions": None}) == TABLES_OF_USERS


def test_no_setting_of_the_session_changes_the_answer(cursor: Any) -> None:
    """With standard_conforming_strings off, LIKE 'pg\\_%' would leave out schema pgx."""
    cursor.execute("SET standard_conforming_strings = off; SET search_path = ''")
    assert answer(cursor, of_application(TABLES, members=LEFT_OUT)) == TABLES_OF_USERS


@pytest.mark.parametrize("whose", [APPLICATION, APPLICATION_AND_RUNBOOK, LEDGER])
def test_schemas_of_that_owner(cursor: Any, whose: str) -> None:
    cursor.execute(f"SELECT n.nspname::text FROM pg_namespace n WHERE {in_schemas(whose)}")
    ours = {"public", "pgx", "Odd Versions", "information_schema x"}
    assert {name for (name,) in cursor.fetchall()} == {
        APPLICATION: ours,
        APPLICATION_AND_RUNBOOK: ours | {"runbook", "runbook_salvage"},
        LEDGER: {"runbook"},
    }[whose]


def test_a_name_that_is_known_has_the_same_answer(cursor: Any) -> None:
    cursor.execute(f"SELECT n.nspname::text, {in_schemas()} FROM pg_namespace n")
    answers = dict(cursor.fetchall())
    assert {True, False} == set(answers.values())
    assert {name: is_application_schema(name) for name in answers} == answers


def test_content_is_of_leaves_views_and_saved_rows(cursor: Any) -> None:
    cursor.execute("INSERT INTO saved (mine) VALUES (true), (false)")
    tables = {(table.schema, table.relation): table for table in stored_tables(cursor)}
    assert set(tables) == LEAVES | VERSION_TABLE | VIEW | CONFIGURATION
    assert tables["public", "saved"].condition == "WHERE mine"
    assert tables["public", "base"].condition == ""
    found = content_fingerprint(cursor)
    assert found["tables"]["public.saved"]["rows"] == 1
    assert set(found["sequences"]) == {
        "pgx.plain_id_seq",
        '"Odd Versions".schema_migrations_id_seq',
        "public.saved_id_seq",
    }


def test_salvage_watches_what_users_write(cursor: Any) -> None:
    watch = DestructionWatch(cursor)
    assert {table.name for table in watch.before.values()} == LEAVES | PARENTS
    roots = {table.name for oid, table in watch.before.items() if table.root == oid}
    assert roots == (LEAVES | PARENTS) - of("public", "branch", "leaf")
    assert set(sequence_positions(cursor, watch.versions)) == of("pgx", "plain_id_seq") | of(
        "public", "member_id_seq", "saved_id_seq"
    )


def _quoted(cursor: Any, names: set[str]) -> set[str]:
    """Names of tables as PostgreSQL itself quotes them."""
    cursor.execute(
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname || '.' || c.relname = ANY (%s)",
        (list(names),),
    )
    return {name for (name,) in cursor.fetchall()}


def test_the_impact_is_measured_of_whatever_keeps_users_waiting(cursor: Any) -> None:
    measured = _quoted(cursor, labels(LEAVES | VERSION_TABLE | VIEW | MEMBERS))
    assert {name for _, name, _ in table_files(cursor)} == measured
    assert set(table_sizes(cursor)) == measured
    cursor.execute(
        "LOCK public.root, runbook.receipts, of_this_session, pgx.plain, public.member, pg_catalog.pg_class"
        " IN ACCESS EXCLUSIVE MODE"
    )
    assert {name for _, name, mode in held_locks(cursor) if mode == "AccessExclusiveLock"} == {
        "public.root",
        "public.branch",
        "public.leaf",
        "pgx.plain",
        "public.member",
    }


def test_rows_are_counted_in_the_tables_of_users(cursor: Any) -> None:
    meter = ImpactMeter(cursor)
    for table in ("pgx.plain", "runbook.receipts", "of_this_session", "pg_like.own"):
        cursor.execute(f"INSERT INTO {table} DEFAULT VALUES")
    assert meter.result()["rows"] == {"pgx.plain": {"inserted": 1, "updated": 0, "deleted": 0}}
    assert positions(cursor) == {("pgx", "plain_id_seq"): 1}


def test_rows_written_are_those_of_users(cursor: Any) -> None:
    cursor.execute("SELECT pg_stat_force_next_flush()")
    cursor.connection.commit()
    before = rows_written(cursor)
    for table in ("pgx.plain", "runbook.receipts", "runbook_salvage.kept", "pg_like.own"):
        cursor.execute(f"INSERT INTO {table} DEFAULT VALUES; SELECT pg_stat_force_next_flush()")
    cursor.connection.commit()
    assert rows_written(cursor) - before == 1


def test_the_dump_holds_every_table_still_that_pg_dump_reads(cursor: Any) -> None:
    cursor.execute(DUMPED_TABLES)
    assert set(cursor.fetchall()) == TABLES_OF_USERS | MEMBERS | RUNBOOK


def test_the_schema_is_of_the_application_and_of_its_record_of_versions(cursor: Any) -> None:
    named = {key.split(" ", 1)[1] for key in read_schema(cursor) if key.startswith("schema ")}
    assert named == {"public", "pgx", '"Odd Versions"', '"information_schema x"'}
    cursor.execute("ALTER TABLE pgx.plain ADD gone int; ALTER TABLE pgx.plain DROP gone")
    assert dead_column_slots(cursor) == {"pgx.plain": 1}


def test_an_own_record_of_versions_is_no_schema_whatever_the_name_of_its_schema(
    server: Any, database: str, cursor: Any
) -> None:
    cursor.execute(
        'DROP TABLE "Odd Versions".schema_migrations;'
        f' ALTER DATABASE {database} SET search_path = "Odd Versions"'
    )
    cursor.connection.commit()
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        _own_record_is_no_schema(cursor)


def _own_record_is_no_schema(cursor: Any) -> None:
    before = read_schema(cursor)
    VersionTable(cursor).record("001", "first")
    assert VersionTable(cursor).quoted_names() == [VERSIONS]
    assert read_schema(cursor) == before
