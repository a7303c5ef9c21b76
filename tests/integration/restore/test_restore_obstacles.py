# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands in the way of a restore, and databases that are not like others."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.restored import stays_behind
from psycopg2 import sql

from demo.local_server import LocalServer
from tests.integration.restore_runs import (
    Restore,
    beside,
    closed,
    drop_what_restores_left,
    replaced,
    wait_for,
)
from tests.integration.step_runs import StepRuns

SCRIPTS = {
    "migrations__001_notes": "CREATE TABLE notes (id serial PRIMARY KEY, body text);",
    "rollback__001_notes_rollback": "DROP TABLE notes;",
    "migrations__002_author": "ALTER TABLE notes ADD COLUMN author text;",
    "rollback__002_author_rollback": "ALTER TABLE notes DROP COLUMN author;",
}


def prove(runs: StepRuns, owner: str = "CURRENT_USER") -> None:
    """The application in an empty database, and a run with a proven backup that has ended."""
    runs.write(**SCRIPTS)
    runs.execute(
        "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
        "INSERT INTO schema_migrations VALUES ('001')",
        "CREATE TABLE notes (id serial PRIMARY KEY, body text)",
        "INSERT INTO notes (body) VALUES ('one')",
        f"ALTER TABLE schema_migrations OWNER TO {owner}",
        f"ALTER TABLE notes OWNER TO {owner}",
    )
    runs.up_to("verify_restore")
    runs.conclude("failed")


# In the way ------------------------------------------------------------------------------------------------


def test_a_database_of_the_replaced_ones_name(proven: StepRuns, admin: StepRuns) -> None:
    restore = Restore(proven)
    restore.steps("preflight", "restore", "count_rows")
    stamp, number = restore.run.run_id.lower().split("-")[0], restore.run.run_id.split("-")[-1]
    name = f"{proven.database}_before_{stamp}_{number}"
    admin.execute(f"CREATE DATABASE {name}")
    answer = restore.step("swap")
    assert answer["outcome"] == "refused"
    assert f"There is already a database {name}" in answer["msg"]
    assert not closed(admin, proven.database)
    restore.run.conclude("refused")
    assert beside(admin) == []
    assert proven.ask("SELECT count(*) FROM notes") == [(3,)]


def test_a_backup_that_was_removed(proven: StepRuns, admin: StepRuns) -> None:
    shutil.rmtree(proven.backups / proven.run_id)
    answer = Restore(proven).step("preflight")
    assert answer["outcome"] == "refused", answer
    assert f"The backup of run {proven.run_id} is no longer in backup_dir" in answer["msg"]
    assert "Nothing was changed" in answer["msg"]
    assert "newest first" not in answer["msg"], "it is not offered again"
    other = proven.another()
    other.up_to("verify_restore")
    other.conclude("failed")
    assert f"newest first: {other.run_id}." in Restore(proven).step("preflight")["msg"]


def test_a_live_database_that_is_gone(proven: StepRuns, admin: StepRuns) -> None:
    admin.execute(f"DROP DATABASE {proven.database} WITH (FORCE)")
    try:
        answer = Restore(proven).step("preflight")
    finally:
        admin.execute(f"CREATE DATABASE {proven.database}")
    assert answer["outcome"] == "refused", answer
    folder = proven.backups / proven.run_id / "backup" / "dump"
    assert f"There is no database {proven.database} on this server" in answer["msg"]
    assert f"pg_restore --exit-on-error --jobs=2 --dbname={proven.database} {folder}" in answer["msg"]


def test_policies_that_hide_rows_from_the_runbook(runs: StepRuns, admin: StepRuns) -> None:
    """They came since the backup: rows that cannot be seen must not be taken for deleted ones."""
    admin.execute("CREATE ROLE keeper LOGIN CREATEDB")
    admin.execute(f"ALTER DATABASE {runs.database} OWNER TO keeper")
    runs.execute("ALTER TABLE notes OWNER TO keeper", "ALTER TABLE schema_migrations OWNER TO keeper")
    runs.user = "keeper"
    try:
        runs.up_to("verify_restore")
        runs.conclude("failed")
        runs.execute(
            "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE notes FORCE ROW LEVEL SECURITY",
            "CREATE POLICY hidden ON notes USING (id = 1)",
        )
        restore = Restore(runs)
        restore.steps("preflight", "restore")
        answer = restore.step("count_rows")
        assert answer["failed"], answer
        assert "row-level security policy" in answer["msg"]
        assert "BYPASSRLS" in answer["msg"]
        restore.run.conclude("refused")
        admin.execute("ALTER ROLE keeper BYPASSRLS")
        swap = Restore(runs).steps("preflight", "restore", "count_rows", "swap", carry_over=True)
        assert swap["outputs"]["rows"]["tables"] == {}
    finally:
        runs.user = None
        for name in [runs.database, *replaced(admin, runs.database)]:
            StepRuns(runs.server, name, runs.folder).execute(
                "REASSIGN OWNED BY keeper TO CURRENT_USER", "DROP OWNED BY keeper"
            )
        drop_what_restores_left(admin, runs.database)
        admin.execute("DROP ROLE keeper")


def test_an_event_trigger_does_not_note_what_the_runbook_does(runs: StepRuns, admin: StepRuns) -> None:
    runs.execute(
        "CREATE TABLE ddl_log (id serial PRIMARY KEY, tag text)",
        "CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.ddl_log (tag) VALUES (tg_tag); END $$",
    )
    runs.must("preflight")
    runs.execute("CREATE EVENT TRIGGER noting ON ddl_command_end EXECUTE FUNCTION note()")
    runs.steps("maintenance_window", "backup", "verify_restore")
    runs.conclude("failed")
    try:
        runs.execute("CREATE TABLE since (id int)", "INSERT INTO notes (body) VALUES ('since')")
        noted = runs.ask("SELECT id, tag FROM ddl_log ORDER BY id")
        assert [tag for _, tag in noted] == ["CREATE TABLE"]
        restore = Restore(runs)
        counted = restore.steps("preflight", "restore", "count_rows")["outputs"]["rows"]["tables"]
        noted = runs.ask("SELECT id, tag FROM ddl_log ORDER BY id")
        assert counted["public.ddl_log"] == {"added": len(noted), "changed": 0, "deleted": 0}
        swap = restore.steps("swap", carry_over=True)["outputs"]
        assert swap["left"] == {"tables": {}, "rows": []}
        assert runs.ask("SELECT id, tag FROM ddl_log ORDER BY id") == noted
        assert runs.ask("SHOW event_triggers") == [("on",)]
        runs.execute("CREATE TABLE again (id int)")
        assert runs.ask("SELECT tag FROM ddl_log ORDER BY id DESC LIMIT 1") == [("CREATE TABLE",)]
        assert len(runs.ask("SELECT FROM ddl_log")) == len(noted) + 1
    finally:
        drop_what_restores_left(admin, runs.database)


def test_a_setting_that_was_changed_since_the_backup_is_no_drift_after_it(
    proven: StepRuns, admin: StepRuns
) -> None:
    admin.execute(f"ALTER DATABASE {proven.database} SET work_mem = '7MB'")
    swap = Restore(proven).steps("preflight", "restore", "count_rows", "swap", "smoke_test")
    assert swap is not None
    proven.execute("UPDATE runbook.run SET finished = now(), outcome = 'restored' WHERE finished IS NULL")
    assert proven.ask("SHOW work_mem") == [("7MB",)]
    proven.another().must("preflight")


# Names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ['Bücher "Nr. 1"', "x" * 63, "ü" * 31, "a'b %s {} $1"])
def test_a_database_with_a_name_like_this(server: LocalServer, tmp_path: Path, name: str) -> None:
    admin = StepRuns(server, "postgres", tmp_path)
    identifier = sql.Identifier(name)
    admin.execute("CREATE ROLE keeper LOGIN CREATEDB", "CREATE ROLE other")
    admin.execute(sql.SQL("CREATE DATABASE {} OWNER keeper").format(identifier))
    runs = StepRuns(server, name, tmp_path, user="keeper")
    try:
        runs.execute("GRANT ALL ON SCHEMA public TO keeper")
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET log_min_duration_statement = 5").format(identifier),
            sql.SQL("ALTER ROLE other IN DATABASE {} SET work_mem = '5MB'").format(identifier),
        )
        prove(runs, "keeper")
        restore = Restore(runs)
        answer = restore.steps("preflight", "restore", "count_rows", "swap", "smoke_test")
        outputs = latest_swap(runs)
        assert answer["outputs"] is not None
        assert [found for found in replaced(admin, name)] == [outputs["replaced"]]
        assert len(outputs["replaced"].encode()) <= 63
        quoted = '"' + name.replace('"', '""') + '"'
        statements = sorted(outputs["not_carried"])
        assert statements == [
            f"""ALTER DATABASE {quoted} SET "log_min_duration_statement" TO '5'""",
            f"""ALTER ROLE "other" IN DATABASE {quoted} SET "work_mem" TO '5MB'""",
        ]
        admin.execute(*statements)  # what the person is told can be typed
    finally:
        runs.user = None
        for found in [name, *replaced(admin, name)]:
            StepRuns(server, found, tmp_path).execute(
                "REASSIGN OWNED BY keeper TO CURRENT_USER", "DROP OWNED BY keeper, other"
            )
        drop_what_restores_left(admin, name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))
        admin.execute("DROP ROLE keeper, other")


def latest_swap(runs: StepRuns) -> dict:
    ((outputs,),) = runs.ask(
        "SELECT document::jsonb -> 'outputs' FROM runbook.receipt WHERE document::jsonb ->> 'step' = 'swap'"
        " ORDER BY position DESC LIMIT 1"
    )
    return outputs


# What only some servers have -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replicating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server with logical replication, prepared transactions and a tablespace."""
    server = LocalServer(tmp_path_factory.mktemp("replicating") / "state", fsync=False)
    place = None
    try:
        server.start()
        admin = StepRuns(server, "postgres", server.state_dir)
        admin.execute(
            "ALTER SYSTEM SET wal_level = logical", "ALTER SYSTEM SET max_prepared_transactions = 5"
        )
        server.stop()
        server.start()
        place = server.data.parent / "fast_disk"
        place.mkdir()
        owner = server.data.stat()
        shutil.chown(place, owner.st_uid, owner.st_gid)
        admin.execute(f"CREATE TABLESPACE fast LOCATION '{place}'")
        yield server
    finally:
        server.stop(immediate=True)
        if place is not None:
            shutil.rmtree(place)
        server.remove()


@pytest.fixture
def shop(replicating: LocalServer, tmp_path: Path) -> Iterator[StepRuns]:
    """A database of that server, in its tablespace, with a proven backup still to be made."""
    admin = StepRuns(replicating, "postgres", tmp_path)
    admin.execute("CREATE DATABASE shop TABLESPACE fast")
    made = StepRuns(replicating, "shop", tmp_path)
    yield made
    drop_what_restores_left(admin, "shop")
    admin.execute("DROP DATABASE shop WITH (FORCE)")


def test_a_prepared_transaction_is_never_left_behind(shop: StepRuns, tmp_path: Path) -> None:
    prove(shop)
    prepare = ("BEGIN", "INSERT INTO notes (body) VALUES ('prepared')", "PREPARE TRANSACTION 'of the app'")
    shop.execute(*prepare)
    answer = Restore(shop).step("preflight")
    assert answer["outcome"] == "refused"
    assert "Prepared transactions are open in shop: of the app" in answer["msg"]
    shop.execute("ROLLBACK PREPARED 'of the app'")
    restore = Restore(shop)
    restore.steps("preflight", "restore", "count_rows")
    shop.execute(*prepare)
    answer = restore.step("swap")
    assert answer["outcome"] == "unchanged", answer
    assert "prepared transaction" in answer["msg"]
    assert not closed(StepRuns(shop.server, "postgres", tmp_path), "shop")
    shop.execute("COMMIT PREPARED 'of the app'")
    swap = restore.steps("swap", carry_over=True)
    assert swap["outputs"]["rows"]["tables"]["public.notes"]["added"] == 1
    assert shop.ask("SELECT body FROM notes ORDER BY id") == [("one",), ("prepared",)]


def test_the_tablespace_is_the_same(shop: StepRuns) -> None:
    prove(shop)
    swap = Restore(shop).steps("preflight", "restore", "count_rows", "swap")["outputs"]
    where = dict(
        shop.ask("SELECT datname, spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace")
    )
    assert (where["shop"], where[swap["replaced"]]) == ("fast", "fast")


def test_replication_out_of_and_into_the_database_is_said_to_stay_with_the_replaced_one(
    shop: StepRuns, tmp_path: Path
) -> None:
    admin = StepRuns(shop.server, "postgres", tmp_path)
    prove_first = StepRuns(shop.server, "shop", tmp_path)
    prove_first.execute("CREATE TABLE feed (id int PRIMARY KEY, what text)")
    admin.execute("CREATE DATABASE source")
    source = StepRuns(shop.server, "source", tmp_path)
    source.execute(
        "CREATE TABLE feed (id int PRIMARY KEY, what text)",
        "CREATE PUBLICATION feeds FOR TABLE feed",
        "SELECT pg_create_logical_replication_slot('into_shop', 'pgoutput')",
    )
    replaced_one = "shop"
    try:
        shop.execute(
            "CREATE PUBLICATION outgoing FOR TABLE feed",
            "SELECT pg_create_logical_replication_slot('out_of_shop', 'pgoutput')",
            f"CREATE SUBSCRIPTION incoming CONNECTION 'host={shop.server.host} port={shop.server.port}"
            f" user={shop.server.user} dbname=source' PUBLICATION feeds"
            " WITH (create_slot = false, slot_name = into_shop)",
        )
        prove(shop)
        source.execute("INSERT INTO feed VALUES (1, 'before')")
        ((written,),) = source.ask("SELECT pg_current_wal_lsn()::text")
        wait_for_rows(shop, 1)
        # Else it would come again when the restored database goes on from there.
        confirmed = f"SELECT FROM pg_replication_slots WHERE confirmed_flush_lsn >= '{written}'"
        wait_for(lambda: source.ask(f"{confirmed} AND slot_name = 'into_shop'"))
        answer = Restore(shop).step("preflight")
        assert answer["outcome"] == "refused", answer
        assert "Subscriptions write to shop (incoming)" in answer["msg"]
        (statement,) = re.findall(r'ALTER SUBSCRIPTION "incoming" DISABLE;', answer["msg"])
        shop.execute(statement)
        restore = Restore(shop)
        restore.steps("preflight", "restore", "count_rows")
        shop.execute(statement.replace("DISABLE", "ENABLE"))
        answer = restore.step("swap", carry_over=True)
        assert answer["failed"]
        assert "Subscriptions write to shop" in answer["msg"]
        shop.execute(statement)
        swap = restore.steps("swap", carry_over=True)["outputs"]
        replaced_one = swap["replaced"]
        assert swap["slots"] == ["out_of_shop"]
        assert swap["subscriptions"] == ["incoming"]
        assert shop.ask("SELECT id FROM feed") == [(1,)], "what had come so far was carried over"
        assert shop.ask("SELECT pubname FROM pg_publication") == [("outgoing",)]
        ours = "SELECT subenabled FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = '{}'"
        assert shop.ask(ours.format("shop")) == [(False,)]
        assert shop.ask(ours.format(replaced_one)) == [(False,)]
        source.execute("INSERT INTO feed VALUES (2, 'after')")
        detach, *attach = re.findall(r"ALTER SUBSCRIPTION [^;]*;", "\n".join(stays_behind(swap)))
        StepRuns(shop.server, replaced_one, tmp_path).execute(detach)
        shop.execute(*attach)
        wait_for_rows(shop, 2)
    finally:
        for name in ("shop", replaced_one):
            of_one = StepRuns(shop.server, name, tmp_path)
            with contextlib.suppress(psycopg2.Error):
                of_one.execute(
                    "ALTER SUBSCRIPTION incoming DISABLE",
                    "ALTER SUBSCRIPTION incoming SET (slot_name = NONE)",
                    "DROP SUBSCRIPTION incoming",
                )
        admin.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL"
        )
        wait_until_free(admin)
        admin.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
        admin.execute("DROP DATABASE source WITH (FORCE)")


def wait_until_free(admin: StepRuns) -> None:
    wait_for(lambda: not admin.ask("SELECT FROM pg_replication_slots WHERE active"))


def wait_for_rows(runs: StepRuns, count: int) -> None:
    wait_for(lambda: runs.ask("SELECT count(*) FROM feed") == [(count,)])
