# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups by pgbackrest: made, proven on a scratch cluster, rehearsed there and put back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest import restore_point

from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns
from tests.pgbackrest_server import ArchivingServer, archiving_server, whats_missing
from tests.streaming import execute

pytestmark = pytest.mark.skipif(bool(whats_missing()), reason=whats_missing() or "")


@pytest.fixture(scope="module")
def archiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArchivingServer]:
    with archiving_server(tmp_path_factory.mktemp("archiving") / "state") as made:
        yield made


@pytest.fixture
def shop(archiving: ArchivingServer, tmp_path: Path) -> Iterator[StepRuns]:
    """A database with a table in a tablespace, one that is unlogged and empty, and a migration to deploy."""
    admin = StepRuns(archiving.server, "postgres", tmp_path)
    admin.execute("CREATE DATABASE shop")
    made = StepRuns(archiving.server, "shop", tmp_path, engine=archiving.engine())
    made.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text DEFAULT 'nobody';",
        rollback__002_author_rollback="ALTER TABLE notes DROP COLUMN author;",
    )
    made.execute(
        "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
        "CREATE TABLE notes (id serial PRIMARY KEY, body text) TABLESPACE fast",
        "INSERT INTO notes (body) VALUES ('one'), (NULL), ('drei')",
        "CREATE UNLOGGED TABLE cache (id serial, body text)",
        "SELECT nextval('cache_id_seq')",
    )
    yield made
    drop_what_restores_left(admin, "shop")
    admin.execute("DROP DATABASE shop WITH (FORCE)")


@contextlib.contextmanager
def written_all_the_time(runs: StepRuns) -> Iterator[None]:
    """Inside, an application writes."""
    stop = threading.Event()

    def write() -> None:
        with contextlib.closing(runs.server.connect(runs.database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while not stop.wait(0.02):
                    cursor.execute("INSERT INTO notes (body) VALUES ('written meanwhile')")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_deploy_a_rollback_and_a_restore(shop: StepRuns, archiving: ArchivingServer) -> None:
    shop.execute("BEGIN", "INSERT INTO schema_migrations VALUES ('001')", "PREPARE TRANSACTION 'of the app'")
    with written_all_the_time(shop):
        shop.must("preflight")
        backup = shop.steps("maintenance_window", "backup")["outputs"]
        proof = shop.must("verify_restore")["outputs"]
    assert (backup["engine"], backup["type"], backup["stanza"]) == ("pgbackrest", "full", "main")
    assert proof["schema_equal"]
    assert proof["data_equal"]
    assert proof["rows"] == backup["rows"] >= 3
    assert len(archiving.scratches()) == 1
    shop.execute("ROLLBACK PREPARED 'of the app'")
    shop.must("rehearse")
    assert archiving.scratches() == []
    shop.steps("apply", "verify", "smoke_test")
    shop.conclude()
    shop.execute("INSERT INTO notes (body, author) VALUES ('on the new schema', 'ann')")

    back = shop.another("emergency_rollback")
    back.must("preflight")
    before = back.must("backup", purpose="emergency")["outputs"]
    assert (before["kind"], before["folder"]) == ("restore_point", None)
    back.steps("emergency_rollback", "smoke_test")
    back.conclude("rolled_back")
    assert ("author",) not in shop.ask("SELECT attname FROM pg_attribute WHERE attrelid = 'notes'::regclass")

    shop.execute("DELETE FROM notes")
    Restore(shop).steps("preflight", "restore", "count_rows", "swap")
    assert archiving.scratches() == []
    assert shop.ask("SELECT count(*) FROM notes") == [(backup["rows"],)]
    assert shop.ask("SELECT count(*) FROM pg_tables WHERE tablespace = 'fast'") == [(1,)]


def test_whoever_writes_just_then_makes_no_false_difference(
    shop: StepRuns, archiving: ArchivingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the snapshot and the restore point, which is as little as one statement takes, others commit."""
    monkeypatch.setattr(restore_point, "EXPORT", restore_point.EXPORT + " FROM pg_sleep(1.5)")
    monkeypatch.setattr(restore_point, "TRIES", 1)
    shop.steps("preflight", "maintenance_window")

    def just_then(database: str, statement: str) -> None:
        waiting = "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_create_restore_point%' AND wait_event = 'PgSleep'"
        while not shop.ask(waiting):
            time.sleep(0.05)
        execute(archiving.server, statement, database=database)

    writer = threading.Thread(target=just_then, args=("shop", "UPDATE notes SET body = 'another'"))
    writer.start()
    shop.must("backup")
    writer.join()
    answer = shop.step("verify_restore")
    assert answer["reason_code"] == "restore_point_not_quiet", answer["msg"]
    assert "1 transactions" in answer["msg"]
    assert archiving.scratches() == []
    shop.conclude("failed")

    # In another database of the server it makes no difference.
    again = shop.another()
    again.steps("preflight", "maintenance_window")
    writer = threading.Thread(target=just_then, args=("postgres", "CREATE TABLE elsewhere ()"))
    writer.start()
    again.must("backup")
    writer.join()
    assert again.must("verify_restore")["outputs"]["data_equal"]
    execute(archiving.server, "DROP TABLE elsewhere")
    again.conclude("failed")
    assert archiving.scratches() == []
