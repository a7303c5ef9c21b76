# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups by pgbackrest: made, proven on a scratch cluster, rehearsed there and put back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest import restore_point
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.scratch import ScratchCluster

from tests.integration.restore_runs import Restore, drop_what_restores_left, wait_for
from tests.integration.step_runs import StepRuns
from tests.meanwhile import over_and_over
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
    admin.execute("DROP DATABASE shop WITH (FORCE)", "DROP ROLE IF EXISTS deployer")


def written_all_the_time(runs: StepRuns) -> AbstractContextManager[None]:
    """Inside, an application writes."""
    words = "INSERT INTO notes (body) VALUES ('written meanwhile')"
    return over_and_over(runs.server, runs.database, 0.02, lambda cursor: cursor.execute(words))


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
    assert (before["kind"], before["engine"], before["folder"]) == ("restore_point", "pgbackrest", None)
    dumped = back.must("backup", purpose="emergency", kind="full")["outputs"]
    assert (dumped["kind"], dumped["engine"]) == ("full", "pg_dump")
    back.steps("emergency_rollback", "smoke_test")
    back.conclude("rolled_back")
    assert ("author",) not in shop.ask("SELECT attname FROM pg_attribute WHERE attrelid = 'notes'::regclass")

    shop.execute("DELETE FROM notes")
    # To the moment before the rollback, with the rows that were written on the new schema.
    unknown = Restore(shop).step("preflight", restore_to="runbook_nowhere")
    assert unknown["reason_code"] == "restore_point_unusable", unknown["msg"]
    assert before["restore_point"] in unknown["msg"]
    then = Restore(shop)
    assert not then.step("preflight", restore_to=before["restore_point"]).get("failed")
    swapped = then.steps("restore", "count_rows", "swap")
    assert swapped["outputs"]["restored_to"] == before["restore_point"]
    assert shop.ask("SELECT body FROM notes WHERE author = 'ann'") == [("on the new schema",)]
    then.run.conclude("restored")

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
    assert "Transactions ended between" in answer["msg"]
    assert archiving.scratches() == []
    shop.conclude("failed")

    # In another database of the server it makes no difference.
    again = shop.another()
    again.must("preflight")
    # What keeps the application from writing does not keep the rehearsal from it.
    again.must("maintenance_window", mode="read_only")
    writer = threading.Thread(target=just_then, args=("postgres", "CREATE TABLE elsewhere ()"))
    writer.start()
    again.must("backup")
    writer.join()
    assert again.must("verify_restore")["outputs"]["data_equal"]
    execute(archiving.server, "DROP TABLE elsewhere")
    again.must("rehearse")
    assert archiving.scratches() == []
    again.must("announce", outcome="failed", maintenance_ended=True)


def test_what_a_killed_run_has_left_is_restored_over(shop: StepRuns, archiving: ArchivingServer) -> None:
    shop.steps("preflight", "maintenance_window", "backup", "verify_restore")
    (left,) = archiving.scratches()
    scratch = ScratchCluster(str(archiving.scratch), shop.run_id)
    before = (Path(scratch.data) / "PG_VERSION").stat().st_ino
    os.kill(scratch.running(), signal.SIGKILL)
    wait_for(lambda: not scratch.running())
    with contextlib.suppress(ChildProcessError):
        os.wait()
    again = shop.another("rehearse")
    again.steps("preflight", "backup")
    assert again.must("verify_restore")["outputs"]["data_equal"]
    (now,) = archiving.scratches()
    assert now != left
    # A file that is as it was is left as it is.
    assert (archiving.scratch / now / "run/data/PG_VERSION").stat().st_ino == before
    again.conclude("failed")
    assert archiving.scratches() == []
    shop.conclude("failed")
    assert shop.run_id in Restore(shop, "nowhere").step("preflight")["msg"]
    # What is in backup_dir goes as a dump would; the repository is pgbackrest's own.
    cleaned = shop.another("cleanup").must("cleanup", backup_keep={"count": 1})["outputs"]
    assert ([one["run_id"] for one in cleaned["removed"]], cleaned["left_alone"]) == ([shop.run_id], [])
    assert cleaned["backups"] == [again.run_id]
    missing = Restore(shop).step("preflight")
    assert missing["reason_code"] == "backup_missing", missing["msg"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"stanza": "other"}, "backup_engine_unusable", "stanza-create"),
        ({"stanza": ""}, "backup_engine_unusable", "-e pgbackrest_stanza="),
        ({"config": "/nowhere.conf"}, "backup_engine_unusable", "/nowhere.conf"),
        ({"scratch_dir": "/proc/scratch"}, "scratch_dir_unusable", "/proc"),
    ],
)
def test_what_is_missing_is_said_before_anything(
    shop: StepRuns, archiving: ArchivingServer, change: dict[str, str], code: str, words: str
) -> None:
    answer = shop.step("preflight", engine=archiving.engine(**change))
    assert (answer["outcome"], answer["reason_code"]) == ("refused", code), answer["msg"]
    assert words in answer["msg"]
    assert shop.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'runbook'") == [(0,)]


def test_what_does_not_go_together_is_refused(shop: StepRuns, archiving: ArchivingServer) -> None:
    answer = shop.step("preflight", encryption={"method": "age", "recipients": ["age1x"]})
    assert "repo1-cipher-type" in answer["msg"]
    answer = shop.step("preflight", rehearsal_host="elsewhere")
    assert "Take the group out" in answer["msg"]
    shop.execute("INSERT INTO cache (body) VALUES ('gone after a crash')")
    answer = shop.step("preflight")
    assert answer["reason_code"] == "unlogged_rows_not_backed_up", answer["msg"]
    assert 'ALTER TABLE "public"."cache" SET LOGGED' in answer["msg"]


def test_an_archive_that_does_not_work_is_found(shop: StepRuns, archiving: ArchivingServer) -> None:
    # To nobody's repository, and with success.
    with archiving.archiving_by("true"):
        answer = shop.step("preflight")
        assert answer["reason_code"] == "backup_engine_unusable", answer["msg"]
        assert "archive_command" in answer["msg"]
        assert "Nothing was changed" in answer["msg"]


def test_who_may_not_see_where_the_data_are_is_told_what_to_type(
    shop: StepRuns, archiving: ArchivingServer
) -> None:
    shop.execute(
        "CREATE ROLE deployer LOGIN CREATEDB",
        "ALTER DATABASE shop OWNER TO deployer",
        "ALTER TABLE notes OWNER TO deployer",
        "ALTER TABLE cache OWNER TO deployer",
        "ALTER TABLE schema_migrations OWNER TO deployer",
        "ALTER SCHEMA public OWNER TO deployer",
    )
    runs = StepRuns(shop.server, "shop", shop.folder, user="deployer", engine=shop.engine)
    for words in (
        'GRANT EXECUTE ON FUNCTION pg_create_restore_point(text), pg_switch_wal() TO "deployer"',
        'GRANT pg_read_all_settings TO "deployer"',
    ):
        answer = runs.step("preflight")
        assert answer["reason_code"] == "role_lacks_privilege", answer["msg"]
        assert words in answer["msg"]
        shop.execute(words)
    runs.steps("preflight", "maintenance_window", "backup", "verify_restore", "rehearse")
    runs.conclude("failed")


def test_a_backup_that_its_repository_has_lost_changes_nothing(
    shop: StepRuns, archiving: ArchivingServer
) -> None:
    """Somebody's retention, between the proof and the change of production."""
    shop.execute("INSERT INTO schema_migrations VALUES ('001')")
    label = shop.steps("preflight", "maintenance_window", "backup")["outputs"]["label"]
    shop.steps("verify_restore", "rehearse")
    archiving.run("--type=full", "backup")
    for other in json.loads(archiving.run("--output=json", "info"))[0]["backup"][:-1]:
        if label == other["label"] or label.startswith(f"{other['label']}_"):
            archiving.run(f"--set={other['label']}", "expire")
            break
    answer = shop.step("apply")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "backup_missing"), answer
    assert f"pgbackrest no longer has backup {label} in its repository" in answer["msg"]
    assert "which makes a new backup" in answer["msg"]
    assert shop.ask("SELECT count(*) FROM pg_attribute WHERE attname = 'author'") == [(0,)]
    assert "no longer has backup" in shop.another("status").must("status")["outputs"]["backup_gone"]["why"]
    shop.conclude("refused")


def test_without_archiving(runs: StepRuns, archiving: ArchivingServer) -> None:
    answer = runs.step("preflight", engine=archiving.engine())
    assert answer["reason_code"] == "wal_archiving_off", answer["msg"]
    assert "backup_engine=pg_dump" in answer["msg"]
