# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Both schemas are brought to the newest layout from nothing and from what earlier versions have made."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import digest, read_catalog
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import broken_link
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.schema import (
    COLLECTION_VERSION,
    COMMENTS,
    NEWEST,
    RELEASES,
)
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.upgrade import (
    check_rights_to_upgrade,
    known_release,
    release_of,
    upgrade,
)

from demo.local_server import LocalServer

BEFORE_RELEASES = Path(__file__).parents[2] / "data" / "layouts" / "before_releases.sql"

TABLES = """
    SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('runbook', 'runbook_salvage') AND c.relkind = 'r' ORDER BY 1, 2"""

# Nothing uses them any more.
UNUSED = {
    "runbook.journal_relation",
    "runbook.journal_row",
    "runbook_salvage.made_column",
    "runbook_salvage.made_row",
    "runbook_salvage.made_source",
}


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        yield cursor


def ours(cursor: Any) -> dict[str, Any]:
    """The runbook's schemas as the project's own fingerprint, which leaves them out under their names, sees them."""
    cursor.execute("SAVEPOINT names")
    cursor.execute(
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname IN ('runbook', 'runbook_salvage')"
    )
    for (schema,) in cursor.fetchall():
        cursor.execute(f"ALTER SCHEMA {schema} RENAME TO application_{schema}")
    found = read_catalog(cursor)
    cursor.execute("ROLLBACK TO SAVEPOINT names")
    return {key: facts for key, facts in found.items() if " application_runbook" in key}


@pytest.fixture
def fresh(server: LocalServer) -> dict[str, Any]:
    """The catalog of a database in which an upgrade has made everything."""
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        upgrade(cursor)
        made = ours(cursor)
        connection.rollback()
    return made


def rows(cursor: Any) -> dict[str, list[str]]:
    """Every row of every table, its values by column; a column without a value says nothing."""
    cursor.execute(TABLES)
    found = {}
    for schema, table in cursor.fetchall():
        # Notes of an earlier layout on rows, which this one has no use for, one that it makes of them, and a count that
        # begins with nought.
        cursor.execute(
            "SELECT jsonb_strip_nulls(to_jsonb(t) - '{left_digest,brought,batches}'::text[]"
            " #- '{facts,base_known}')::text"
            f' FROM {schema}."{table}" t ORDER BY 1'
        )
        found[f"{schema}.{table}"] = [line for (line,) in cursor.fetchall()]
    return found


def before_releases(cursor: Any) -> None:
    cursor.execute(BEFORE_RELEASES.read_text(encoding="utf-8"))
    cursor.connection.commit()


# From where -------------------------------------------------------------------------------------------------


def test_an_empty_database_gets_everything_and_says_who_made_it(cursor: Any) -> None:
    assert release_of(cursor) == 0
    assert upgrade(cursor) == list(RELEASES)
    assert release_of(cursor) == NEWEST
    cursor.execute("SELECT number, applied_by, applied_at IS NOT NULL FROM runbook.release")
    assert cursor.fetchall() == [(NEWEST, COLLECTION_VERSION, True)]
    cursor.execute(TABLES)
    assert [f"{schema}.{table}" for schema, table in cursor.fetchall()] == sorted(
        name for name in COMMENTS if name.count(".") == 1
    )


def test_a_second_run_does_nothing(cursor: Any, connection: Any) -> None:
    upgrade(cursor)
    connection.commit()
    assert upgrade(cursor) == []
    cursor.execute(
        "SELECT pg_current_xact_id_if_assigned() IS NULL, (SELECT count(*) FROM runbook.release),"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
    )
    assert cursor.fetchall() == [(True, 1, 0)], "it has written nothing and has made nobody wait"


def test_the_layout_from_before_releases_becomes_that_of_a_fresh_database(
    cursor: Any, fresh: dict[str, Any]
) -> None:
    before_releases(cursor)
    assert release_of(cursor) == 1
    kept = rows(cursor)
    assert upgrade(cursor) == list(RELEASES)
    now = ours(cursor)
    assert now == fresh
    assert digest(now) == digest(fresh)
    assert len(now) > 150
    after = rows(cursor)
    assert len(after.pop("runbook.release")) == 1
    assert len(after.pop("runbook.chain_end")) == 1
    assert after.pop("runbook.approval") == []
    assert after.pop("runbook.drill") == []
    assert Ledger().cut_off(cursor) is None
    assert {name: kept[name] for name in after} == after
    assert set(kept) - set(after) == UNUSED
    assert min(map(len, kept.values())) > 0, "of each table there is a row to lose"
    assert broken_link(Ledger().receipts(cursor)) is None


@pytest.mark.parametrize(
    "lacking",
    [
        "DROP TABLE runbook.journal_row, runbook.journal_relation",
        "DROP TABLE runbook.path_change, runbook.path_change_set",
        "DROP TABLE runbook.journal_row, runbook.journal_relation, runbook.journal_statement, runbook.journal",
        "DROP SCHEMA runbook_salvage CASCADE",
        "DROP TABLE runbook_salvage.made_source, runbook_salvage.made_column;"
        " ALTER TABLE runbook_salvage.kept_row DROP COLUMN brought",
        "ALTER TABLE runbook.path_change_set DROP CONSTRAINT path_change_set_direction_check",
        "UPDATE runbook.path_change_set SET direction = 'rollback' WHERE direction = 'rehearsed';"
        " ALTER TABLE runbook.path_change_set DROP CONSTRAINT path_change_set_direction_check;"
        " ALTER TABLE runbook.path_change_set ADD CONSTRAINT path_change_set_direction_check"
        " CHECK (direction IN ('deploy', 'rollback'))",
    ],
)
def test_what_a_version_had_not_made_yet_is_made(cursor: Any, fresh: dict[str, Any], lacking: str) -> None:
    """Tables came when the first run needed them, and with later versions."""
    before_releases(cursor)
    cursor.execute(lacking)
    kept = rows(cursor)
    upgrade(cursor)
    assert ours(cursor) == fresh
    after = rows(cursor)
    assert {name: after[name] for name in kept if name not in UNUSED} == {
        name: lines for name, lines in kept.items() if name not in UNUSED
    }


@pytest.mark.parametrize("start", ["empty", "before releases"])
def test_a_set_of_changed_paths_has_one_of_three_directions(cursor: Any, start: str) -> None:
    if start == "before releases":
        before_releases(cursor)
        cursor.execute("ALTER TABLE runbook.path_change_set DROP CONSTRAINT path_change_set_direction_check")
    upgrade(cursor)
    insert = (
        "INSERT INTO runbook.path_change_set (run_id, migration, direction, path_column, changes)"
        " VALUES ('r', '009', %s, '{}', 0)"
    )
    for direction in ("deploy", "rollback", "rehearsed"):
        cursor.execute(insert, (direction,))
    with pytest.raises(psycopg2.errors.CheckViolation):
        cursor.execute(insert, ("sideways",))


def test_salvage_without_a_ledger_is_kept(cursor: Any, fresh: dict[str, Any]) -> None:
    before_releases(cursor)
    cursor.execute("DROP SCHEMA runbook CASCADE")
    kept = rows(cursor)
    upgrade(cursor)
    assert ours(cursor) == fresh
    assert rows(cursor).items() >= {name: kept[name] for name in kept if name not in UNUSED}.items()


def test_a_schema_that_was_made_in_advance_is_filled(cursor: Any, fresh: dict[str, Any]) -> None:
    cursor.execute("CREATE SCHEMA runbook")
    upgrade(cursor)
    assert ours(cursor) == fresh


def test_an_upgrade_is_whole_or_it_has_not_been(cursor: Any, connection: Any) -> None:
    before_releases(cursor)
    was = ours(cursor)
    upgrade(cursor)
    connection.rollback()
    assert ours(cursor) == was
    assert release_of(cursor) == 1


# What is refused --------------------------------------------------------------------------------------------


def test_a_newer_layout_is_refused_and_says_what_to_install(cursor: Any, connection: Any) -> None:
    upgrade(cursor)
    cursor.execute("INSERT INTO runbook.release (number, applied_by) VALUES (99, '7.1.0')")
    connection.commit()
    was = rows(cursor)
    for ask in (known_release, upgrade):
        with pytest.raises(Refused) as refused:
            ask(cursor)
        assert "release 99, made by pgops.runbook 7.1.0" in refused.value.reason
        assert (
            f"this is version {COLLECTION_VERSION}, which knows releases up to {NEWEST}"
            in refused.value.reason
        )
        assert "'pgops.runbook:>=7.1.0'" in refused.value.reason
    assert rows(cursor) == was


@pytest.mark.parametrize("how", ["DELETE FROM runbook.release", "TRUNCATE runbook.release"])
def test_a_layout_that_nobody_has_written_down_is_refused_and_says_what_to_do(
    cursor: Any, connection: Any, how: str
) -> None:
    upgrade(cursor)
    cursor.execute(how)
    connection.commit()
    for ask in (known_release, upgrade):
        with pytest.raises(Refused, match=r"runbook.release of database .* is empty") as refused:
            ask(cursor)
        assert refused.value.code == "layout_unknown"
    connection.rollback()
    cursor.execute("DROP SCHEMA runbook, runbook_salvage CASCADE")
    assert upgrade(cursor) == list(RELEASES)


def test_a_strangers_schema_of_the_name_is_left_alone(cursor: Any, connection: Any) -> None:
    cursor.execute("CREATE SCHEMA runbook; CREATE TABLE runbook.run (id int, pace int)")
    connection.commit()
    with pytest.raises(
        Refused, match=r"lack column runbook\.run\.controller, .*ALTER SCHEMA runbook RENAME TO"
    ):
        upgrade(cursor)
    connection.rollback()
    cursor.execute("SELECT to_regnamespace('runbook_salvage'), to_regclass('runbook.receipt')")
    assert cursor.fetchall() == [(None, None)]


@pytest.fixture
def role(server: LocalServer, database: str, connection: Any) -> Iterator[str]:
    """A role that may connect and nothing else."""
    name = f"{database}_deployer"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN")
    connection.commit()
    yield name
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
    connection.commit()


def test_a_role_that_may_make_no_schema_is_told_what_to_grant(
    cursor: Any, connection: Any, role: str
) -> None:
    cursor.execute(f"SET ROLE {role}")
    for ask in (check_rights_to_upgrade, upgrade):
        with pytest.raises(
            Refused, match=f"Role {role} may not create the ledger .*GRANT CREATE ON DATABASE"
        ):
            ask(cursor)
    connection.rollback()


def test_a_role_that_does_not_own_the_schemas_is_told_who_does(
    cursor: Any, connection: Any, role: str
) -> None:
    before_releases(cursor)
    cursor.execute(f"GRANT USAGE ON SCHEMA runbook, runbook_salvage TO {role}; SET ROLE {role}")
    for ask in (check_rights_to_upgrade, upgrade):
        with pytest.raises(
            Refused, match=f"Role {role} may not bring .* from release 1 to {NEWEST}, because they belong to"
        ):
            ask(cursor)
    connection.rollback()


def test_a_role_needs_no_right_where_nothing_is_to_be_done(cursor: Any, connection: Any, role: str) -> None:
    upgrade(cursor)
    cursor.execute(f"GRANT USAGE ON SCHEMA runbook TO {role}; GRANT SELECT ON runbook.release TO {role}")
    cursor.execute(f"SET ROLE {role}")
    check_rights_to_upgrade(cursor)
    assert upgrade(cursor) == []
    connection.rollback()


# Several at once --------------------------------------------------------------------------------------------


def upgrade_beside(server: LocalServer, database: str, cursor: Any, isolation: str) -> list[Any]:
    """What a second session gets whose upgrade begins while the cursor's transaction has not ended."""
    answers: list[Any] = []

    def run() -> None:
        with contextlib.closing(server.connect(database)) as connection, connection.cursor() as other:
            connection.set_session(isolation_level=isolation)
            try:
                answers.append(upgrade(other))
                connection.commit()
            except (Refused, psycopg2.Error) as error:
                answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        if cursor.fetchone()[0]:
            break
        time.sleep(0.02)
    cursor.connection.commit()
    thread.join(timeout=30)
    return answers


def test_two_upgrades_at_once_make_it_once(server: LocalServer, database: str, cursor: Any) -> None:
    before_releases(cursor)
    assert upgrade(cursor) == list(RELEASES)
    assert upgrade_beside(server, database, cursor, "READ COMMITTED") == [[]]
    cursor.execute("SELECT count(*) FROM runbook.release")
    assert cursor.fetchone() == (1,)


def test_a_transaction_that_cannot_see_the_upgrade_of_another_is_told_to_start_again(
    server: LocalServer, database: str, cursor: Any
) -> None:
    assert upgrade(cursor) == list(RELEASES)
    (answer,) = upgrade_beside(server, database, cursor, "REPEATABLE READ")
    assert isinstance(answer, Refused)
    assert "Type the same command again" in answer.reason


# What must not matter ---------------------------------------------------------------------------------------


def test_every_table_and_every_column_has_a_comment(cursor: Any) -> None:
    upgrade(cursor)
    cursor.execute(
        "SELECT c.oid::regclass::text, a.attname::text,"
        " CASE WHEN a.attname IS NULL THEN pg_catalog.obj_description(c.oid, 'pg_class')"
        " ELSE pg_catalog.col_description(c.oid, a.attnum) END"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " CROSS JOIN LATERAL (SELECT 0::int2 AS attnum, NULL::name AS attname UNION ALL"
        " SELECT attnum, attname FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attnum > 0"
        " AND NOT attisdropped) AS a WHERE n.nspname IN ('runbook', 'runbook_salvage') AND c.relkind = 'r'"
    )
    found = cursor.fetchall()
    assert len(found) > 80
    assert [name for *name, comment in found if not comment] == []
    cursor.execute(
        "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname IN ('runbook', 'runbook_salvage')"
        " AND pg_catalog.obj_description(oid, 'pg_namespace') IS NULL"
    )
    assert cursor.fetchall() == []


def test_default_privileges_of_the_application_do_not_reach_what_is_made(
    cursor: Any, connection: Any, role: str, fresh: dict[str, Any]
) -> None:
    cursor.execute(
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {role}; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES"
        f" TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO {role};"
        f" ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {role}, PUBLIC;"
        " ALTER DEFAULT PRIVILEGES REVOKE INSERT ON TABLES FROM CURRENT_USER"
    )
    upgrade(cursor)
    assert ours(cursor) == fresh
    cursor.execute(
        f"SELECT has_schema_privilege('{role}', 'runbook', 'USAGE'),"
        f" has_table_privilege('{role}', 'runbook_salvage.kept_row', 'SELECT')"
    )
    assert cursor.fetchall() == [(False, False)]
    connection.rollback()


def test_what_others_were_granted_on_tables_that_were_there_stays(
    cursor: Any, connection: Any, role: str
) -> None:
    before_releases(cursor)
    cursor.execute(f"GRANT SELECT ON runbook.receipt TO {role}")
    upgrade(cursor)
    cursor.execute(f"SELECT has_table_privilege('{role}', 'runbook.receipt', 'SELECT')")
    assert cursor.fetchone() == (True,)
    connection.rollback()


def test_the_sessions_settings_decide_nothing_and_stay_as_they_were(
    cursor: Any, fresh: dict[str, Any]
) -> None:
    cursor.execute(
        "CREATE DOMAIN public.text AS varchar(3); CREATE DOMAIN pg_temp.jsonb AS int;"
        " CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';"
        " SET search_path = public, pg_temp, pg_catalog"
    )
    upgrade(cursor)
    cursor.execute("SHOW search_path")
    assert cursor.fetchone() == ("public, pg_temp, pg_catalog",)
    cursor.execute("SET search_path = pg_catalog; DROP DOMAIN pg_temp.jsonb")
    assert ours(cursor) == fresh
