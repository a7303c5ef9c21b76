# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real standby that streams beside a deploy: it lags, it goes away, its slot is filled, it has not replayed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.journal import Journal
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import standbys
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect, transaction
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.standbys import endless_commit
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.replication import look_at_standbys
from ansible_collections.pgops.runbook.plugins.module_utils.production import replicas
from ansible_collections.pgops.runbook.plugins.module_utils.production.replicas import wait_for_standbys

from demo.local_server import LocalServer
from tests.integration.restore_runs import Restore
from tests.integration.step_runs import StepRuns, target
from tests.own_server import own_server
from tests.streaming import Standby, changed_settings, execute, no_commit_waits, until

SOME_WAL = "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server of these tests' own."""
    with own_server(tmp_path_factory.mktemp("primary")) as server:
        yield server


@pytest.fixture
def standby(server: LocalServer) -> Iterator[Standby]:
    with Standby(server, "s1") as standby:
        yield standby


def ended(answer: dict) -> tuple[str, str]:
    return answer["outcome"], answer["reason_code"]


def endless(server: LocalServer, role: str = "midi") -> str | None:
    connection = connect({**target(server, "postgres"), "login_user": role})
    with contextlib.closing(connection), transaction(connection) as cursor:
        return endless_commit(cursor)


def behind_by_a_megabyte(runs: StepRuns) -> None:
    runs.execute(SOME_WAL, "DROP TABLE filler")


# Lag -------------------------------------------------------------------------------------------------------


def test_a_standby_that_lags_refuses_a_deploy_before_production_is_touched(
    runs: StepRuns, standby: Standby
) -> None:
    with standby.paused():
        behind_by_a_megabyte(runs)
        answer = runs.step("preflight", max_replica_lag_mb=1)
        assert ended(answer) == ("refused", "replica_lags"), answer
        assert "s1 is " in answer["msg"]
        assert "-e max_replica_lag_mb=0" in answer["msg"]
        assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]
        runs.must("preflight", max_replica_lag_mb=0)
        runs.conclude("failed")
        runs.another().must("preflight")


def test_the_next_batch_waits_for_a_standby_and_not_for_ever(
    runs: StepRuns, server: LocalServer, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(target(server, "postgres"))
    connection.autocommit = True
    with contextlib.closing(connection):
        with standby.paused():
            behind_by_a_megabyte(runs)
            with monkeypatch.context() as patched:
                patched.setattr(replicas, "CATCH_UP_SECONDS", 0.5)
                with pytest.raises(StepFailed, match=r"0\.5 s after the last batch: .*s1 is ") as late:
                    replicas.pause_between_batches(connection, 0, 1)
            assert late.value.code == "replica_lags"
            replicas.pause_between_batches(connection, 0, 0)
            waiting = threading.Thread(target=replicas.pause_between_batches, args=(connection, 0, 1))
            waiting.start()
            waiting.join(0.5)
            assert waiting.is_alive()
        waiting.join(60)
        assert not waiting.is_alive()


def test_what_lags_only_by_the_time_of_apply_refuses_it_there(runs: StepRuns, standby: Standby) -> None:
    runs.up_to("rehearse")
    with standby.paused():
        behind_by_a_megabyte(runs)
        answer = runs.step("apply", max_replica_lag_mb=1)
    assert ended(answer) == ("refused", "replica_lags"), answer
    assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]


def test_a_rollback_is_only_told(runs: StepRuns, standby: Standby) -> None:
    runs.up_to("apply")
    runs.conclude()
    back = runs.another("emergency_rollback")
    with standby.paused():
        behind_by_a_megabyte(runs)
        said = back.must("preflight", max_replica_lag_mb=1)["outputs"]["replication"]
        assert [one[:41] for one in said] == ["Standbys lag by more than 1 MB of WAL: s1"]
        back.must("backup", purpose="emergency", pg_bindir=runs.server.bindir)
        answer = back.must("emergency_rollback", max_replica_lag_mb=1)
    assert answer["outputs"]["replication"][0].startswith("Standbys lag by more than 1 MB")


def test_a_role_that_is_not_shown_the_state_says_so(server: LocalServer, standby: Standby) -> None:
    """Instead of guessing: neither that nobody lags, nor that all do."""
    with ordinary_role(server):
        (said,) = looked(server, "ordinary")
        assert (
            "is not shown how far the connected receiver of WAL got, so that nothing is known of a lag"
            in said
        )
        assert said.endswith('A superuser types: GRANT pg_read_all_stats TO "ordinary"')
        execute(server, "GRANT pg_read_all_stats TO ordinary")
        assert looked(server, "ordinary") == []


def test_what_is_not_shown_is_tried(
    server: LocalServer, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is connected may be the one that is asked for: a COMMIT tells."""
    with ordinary_role(server):
        with changed_settings(server, synchronous_standby_names="s1"):
            until(lambda: endless(server) is None, "the server counts it")
            assert endless(server, "ordinary") is None
        monkeypatch.setattr(standbys, "TRIAL_SECONDS", 1)
        with changed_settings(server, synchronous_standby_names="s2"):
            assert endless(server) == endless(server, "ordinary").replace(
                "its state is not shown", "streaming"
            )
        with changed_settings(server, synchronous_standby_names="2 (s1, s2)"):
            assert "2 standbys have to confirm" in (endless(server, "ordinary") or "")


def looked(server: LocalServer, role: str) -> list[str]:
    connection = connect({**target(server, "postgres"), "login_user": role})
    with contextlib.closing(connection), transaction(connection) as cursor:
        return look_at_standbys(cursor, 1, refuses=True)


@contextlib.contextmanager
def ordinary_role(server: LocalServer) -> Iterator[None]:
    execute(server, "CREATE ROLE ordinary LOGIN")
    try:
        yield
    finally:
        execute(server, "DROP ROLE ordinary")


def test_a_change_by_which_a_standby_falls_behind_is_ended(runs: StepRuns, standby: Standby) -> None:
    runs.write(
        migrations__002_author=f"ALTER TABLE notes ADD COLUMN author text; {SOME_WAL}; DROP TABLE filler; DO $$ BEGIN"
        " IF current_database() NOT LIKE 'runbook%' THEN PERFORM pg_sleep(90); END IF; END $$;"
    )
    runs.up_to("rehearse")
    with standby.paused():
        answer = runs.step("apply", abort_replica_lag_mb=1, abort_blocked_seconds=0)
    assert ended(answer) == ("unchanged", "aborted_for_replica_lag"), answer
    assert answer["details"]["standbys"][0].startswith("s1 is ")
    assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]


# Synchronous standbys --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked_for", "others"),
    [
        ("s1", "FIRST 2 (s1, s2)"),
        ("*", "ANY 2 (*)"),
        ("FIRST 1 (s1, s2)", "s2"),
        ("any 1 (s2, s1)", '2("s1", "2")'),
    ],
)
def test_who_is_connected_is_told_by_the_server(standby: Standby, asked_for: str, others: str) -> None:
    server = standby.primary
    with changed_settings(server, synchronous_standby_names=asked_for):
        until(lambda: endless(server) is None, "the server counts it")
    with changed_settings(server, synchronous_standby_names=others):
        assert endless(server) is not None


def test_a_standby_that_goes_away_refuses_the_next_step_and_the_run_is_closed(
    runs: StepRuns, standby: Standby
) -> None:
    with changed_settings(runs.server, synchronous_standby_names="s1"):
        runs.up_to("verify_restore")
        standby.stop()
        with no_commit_waits(runs.server):
            answer = runs.step("rehearse")
            assert ended(answer) == ("refused", "synchronous_standby_missing"), answer
            assert [one["status"] for one in answer["receipts"]] == ["failed"]
            runs.conclude("refused")
    assert runs.ask("SELECT outcome FROM runbook.run") == [("refused",)]
    assert runs.ask("SELECT FROM pg_database WHERE datname LIKE 'runbook_copy_%'") == []


def test_a_standby_that_goes_away_while_the_script_runs_has_it_rolled_back(
    runs: StepRuns, standby: Standby
) -> None:
    """It keeps no lock over COMMIT; the script waits for a lock meanwhile, which the test holds."""
    with changed_settings(runs.server, synchronous_standby_names="s1"):
        runs.up_to("rehearse")
        with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLE notes IN ACCESS SHARE MODE")
            process = runs.start("apply", lock_timeout_seconds=60)
            until(lambda: runs.ask("SELECT FROM pg_locks WHERE NOT granted"), "the script waits")
            standby.stop()
            other.rollback()
        with no_commit_waits(runs.server):
            out = process.stdout.read()
            process.wait()
        assert '"outcome": "unchanged"' in out
        assert '"synchronous_standby_missing"' in out
        assert "Migration 002 was tried in production and rolled back: COMMIT would wait" in out
    assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]


def test_one_by_one_the_next_statement_does_not_begin(runs: StepRuns, standby: Standby) -> None:
    runs.write(
        migrations__002_author="-- Transaction: none\nCREATE INDEX CONCURRENTLY notes_body ON notes (body);\n"
        "CREATE INDEX CONCURRENTLY notes_both ON notes (id, body);",
        rollback__002_author_rollback="DROP INDEX notes_body; DROP INDEX notes_both;",
    )
    note_done = Journal.note_done

    def standby_goes(journal: Journal, *arguments: Any) -> None:
        note_done(journal, *arguments)
        standby.stop()

    with changed_settings(runs.server, synchronous_standby_names="s1"):
        runs.up_to("rehearse")
        with pytest.MonkeyPatch.context() as patched, no_commit_waits(runs.server):
            patched.setattr(Journal, "note_done", standby_goes)
            answer = runs.step("apply")
        assert ended(answer) == ("failed", "synchronous_standby_missing"), answer
        assert "1 of 2 statements are committed and stay so" in answer["msg"]
        runs.conclude("failed")
        standby.start()
        runs.another().up_to("verify")


@pytest.mark.parametrize("value", ["off", "local"])
@pytest.mark.parametrize("owner", ["DATABASE {database}", "ROLE midi IN DATABASE {database}"])
def test_who_does_not_wait_for_standbys_is_deployed(runs: StepRuns, value: str, owner: str) -> None:
    owner = owner.format(database=runs.database)
    execute(runs.server, f"ALTER {owner} SET synchronous_commit = {value}")
    with (
        changed_settings(runs.server, synchronous_standby_names="nobody"),
        no_commit_waits(runs.server),
    ):
        runs.up_to("verify")
        runs.conclude()
    assert runs.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]


def test_a_rollback_is_refused_where_its_commit_would_hang(runs: StepRuns) -> None:
    runs.up_to("apply")
    runs.conclude()
    with (
        changed_settings(runs.server, synchronous_standby_names="nobody"),
        no_commit_waits(runs.server),
    ):
        answer = runs.another("emergency_rollback").step("preflight")
    assert ended(answer) == ("refused", "synchronous_standby_missing")


def test_a_rehearsal_by_itself_needs_it_for_the_copy(runs: StepRuns) -> None:
    rehearsal = runs.another("rehearse")
    with (
        changed_settings(runs.server, synchronous_standby_names="nobody"),
        no_commit_waits(runs.server),
    ):
        answer = rehearsal.step("preflight")
    assert ended(answer) == ("refused", "synchronous_standby_missing")
    assert answer["msg"].startswith("On the server where the copy is made, COMMIT would wait")


def test_the_status_is_read_and_nothing_is_adopted(runs: StepRuns) -> None:
    with (
        changed_settings(runs.server, synchronous_standby_names="nobody"),
        no_commit_waits(runs.server),
    ):
        runs.must("status")
        answer = runs.step("status", adopt=True)
    assert answer["reason_code"] == "synchronous_standby_missing"
    assert answer["msg"].startswith("COMMIT would wait"), "here, and not only for the copy"


def test_a_standby_that_hangs_is_no_standby(
    server: LocalServer, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary goes on to call it streaming for a minute (wal_sender_timeout)."""
    monkeypatch.setattr(standbys, "TRIAL_SECONDS", 1)
    monkeypatch.setattr(standbys, "SILENT_SECONDS", 1)
    with changed_settings(server, synchronous_standby_names="s1"):
        with standby.frozen():
            until(lambda: (endless(server) or "").count("s1 (streaming, has said nothing for"), "it is seen")
        until(lambda: endless(server) is None, "it is back")


# Slots -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def slot(server: LocalServer, name: str = "reader") -> Iterator[None]:
    execute(server, f"SELECT pg_create_physical_replication_slot('{name}', true)")
    try:
        yield
    finally:
        execute(server, f"SELECT pg_drop_replication_slot('{name}')")


def test_a_slot_that_the_copy_would_overrun_is_seen_in_preflight(runs: StepRuns) -> None:
    runs.execute("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 40000)")
    with slot(runs.server), changed_settings(runs.server, max_slot_wal_keep_size="32MB"):
        answer = runs.step("preflight")
        assert ended(answer) == ("refused", "slot_would_be_lost"), answer
        assert "reader (" in answer["msg"]
        assert "-e accept_slot_loss=true" in answer["msg"]
        (said,) = runs.must("preflight", accept_slot_loss=True)["outputs"]["replication"]
        assert said.startswith("The copy on which the backup is proven takes about")


def test_a_slot_that_a_restore_would_overrun_is_seen_before_anything_is_restored(runs: StepRuns) -> None:
    runs.execute("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 40000)")
    runs.up_to("verify_restore")
    runs.conclude("failed")
    with slot(runs.server), changed_settings(runs.server, max_slot_wal_keep_size="32MB"):
        answer = Restore(runs).step("preflight")
        assert ended(answer) == ("refused", "slot_would_be_lost"), answer
        assert "The restored database takes about" in answer["msg"]
        assert "-e accept_slot_loss=true" in answer["msg"]
        (said,) = Restore(runs).step("preflight", accept_slot_loss=True)["outputs"]["replication"]
        assert said.startswith("The restored database takes about")


def test_a_restore_is_only_told_of_a_lag(runs: StepRuns, standby: Standby) -> None:
    runs.up_to("verify_restore")
    runs.conclude("failed")
    with standby.paused():
        behind_by_a_megabyte(runs)
        (said,) = Restore(runs).step("preflight", max_replica_lag_mb=1)["outputs"]["replication"]
    assert said.startswith("Standbys lag by more than 1 MB of WAL: s1")


def test_a_slot_that_the_migration_would_overrun_is_seen_when_it_was_measured(runs: StepRuns) -> None:
    """Some MB of rows become a hundred."""
    runs.write(
        migrations__002_author="CREATE TABLE big AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 70000);",
        rollback__002_author_rollback="DROP TABLE big;",
    )
    with slot(runs.server), changed_settings(runs.server, max_slot_wal_keep_size="160MB"):
        runs.up_to("verify_restore")
        answer = runs.step("rehearse")
        assert ended(answer) == ("refused", "slot_would_be_lost"), answer
        assert "On the copy the migration wrote" in answer["msg"]
        assert "reader (" in answer["msg"]
    runs.conclude("refused")


def test_a_slot_that_others_fill_after_the_rehearsal_is_seen_in_apply(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    with slot(runs.server), changed_settings(runs.server, max_slot_wal_keep_size="16MB"):
        fill_slot(runs)
        answer = runs.step("apply")
        assert ended(answer) == ("refused", "slot_would_be_lost"), answer
        assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]
        answer = runs.must("apply", accept_slot_loss=True)
        assert answer["outputs"]["replication"][0].startswith("On the copy the migration wrote")


def fill_slot(runs: StepRuns) -> None:
    """Until nothing more is safe; no checkpoint has taken its WAL yet."""
    query = "SELECT safe_wal_size FROM pg_replication_slots WHERE slot_name = 'reader'"
    execute(runs.server, "CREATE TABLE filler (x text)")
    for _ in range(100):
        ((safe,),) = runs.ask(query)
        if safe is None or safe <= 0:
            break
        execute(runs.server, "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
    execute(runs.server, "DROP TABLE filler")
    assert safe is not None
    assert safe <= 0


# After COMMIT ----------------------------------------------------------------------------------------------


def test_a_standby_that_has_replayed_is_waited_for(runs: StepRuns, standby: Standby) -> None:
    runs.up_to("rehearse")
    assert runs.must("apply", replica_wait_seconds=60)["outputs"]["replication"] == []
    with contextlib.closing(standby.connect(runs.database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM schema_migrations")
        assert cursor.fetchone() == (2,)


def test_a_standby_that_has_not_is_said_and_fails_nothing(runs: StepRuns, standby: Standby) -> None:
    runs.up_to("rehearse")
    with standby.paused():
        (said,) = runs.must("apply", replica_wait_seconds=1)["outputs"]["replication"]
    assert said.startswith("1 s after COMMIT (replica_wait_seconds) standbys have not replayed it: s1 is ")
    runs.steps("verify")


def test_where_it_cannot_be_asked_nothing_fails(server: LocalServer, standby: Standby) -> None:
    """What is committed is committed, whatever becomes of the session."""
    with contextlib.closing(connect(target(server, "postgres"))) as connection:
        execute(server, f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        (said,) = wait_for_standbys(connection, 60)
    assert said.startswith("Whether standbys have the migration could not be asked: ")


def test_without_a_wait_nobody_is_looked_at(runs: StepRuns, standby: Standby) -> None:
    runs.up_to("rehearse")
    with standby.paused():
        assert runs.must("apply")["outputs"]["replication"] == []
