# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A proven backup takes the place of the live database, with the ledger, and with consent with the rows since."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import (
    maintenance as maintenance_database,
)
from psycopg2 import sql

from tests.integration.restore_runs import Restore, closed, replaced, wait_for
from tests.integration.step_runs import StepRuns, target

STEPS = ("preflight", "restore", "count_rows", "swap", "smoke_test")


# The whole way ---------------------------------------------------------------------------------------------


def test_the_backup_takes_the_place_of_the_live_database(proven: StepRuns, admin: StepRuns) -> None:
    proven.another().up_to("apply")
    proven.execute(
        "INSERT INTO notes (body, author) VALUES ('since', 'ada')",
        "UPDATE notes SET body = 'uno' WHERE id = 1",
        "DELETE FROM notes WHERE id = 3",
        "UPDATE runbook.run SET finished = now(), outcome = 'failed' WHERE finished IS NULL",
        "INSERT INTO runbook.path_change_set (run_id, migration, direction, path_column, changes)"
        " SELECT run_id, '002', 'deploy', '{public,notes,body}', 3 FROM runbook.run ORDER BY started DESC LIMIT 1",
        "INSERT INTO runbook.journal (run_id, migration, direction, catalog_before) VALUES ('r', '002', 'apply', '')",
    )
    before = proven.ask("SELECT * FROM notes ORDER BY id")
    chain = proven.ask("SELECT position, digest FROM runbook.receipt ORDER BY 1")
    restore = Restore(proven)
    counted = restore.steps("preflight", "restore", "count_rows")["outputs"]["rows"]
    expected = {"public.notes": {"added": 1, "changed": 1, "deleted": 1}}
    assert counted["tables"] == expected
    assert counted["paths_changed"] == {"public.notes.body": 3}, "files on disk have followed them"
    swap = restore.steps("swap")["outputs"]
    assert swap["rows"]["tables"] == expected
    assert swap["rows"]["only_live"]["columns"] == {"public.notes.author": 1}
    assert proven.ask("SELECT * FROM notes ORDER BY id") == [(1, "one"), (2, None), (3, "drei")]
    assert proven.ask("SELECT version FROM schema_migrations") == [("001",)]
    assert proven.ask("SELECT nextval('notes_id_seq')") == [(5,)], "no number is given out twice"
    assert replaced(admin, proven.database) == [swap["replaced"]]
    old = StepRuns(proven.server, swap["replaced"], proven.folder)
    assert old.ask("SELECT * FROM notes ORDER BY id") == before, "the replaced database can be read"
    restore.steps("smoke_test")
    restore.run.conclude("restored")
    found = proven.ask("SELECT position, digest FROM runbook.receipt ORDER BY 1")
    assert found[: len(chain)] == chain, "the ledger of the live database goes on in the restored one"
    assert len(found) == len(chain) + len(STEPS)
    assert proven.ask("SELECT outcome FROM runbook.run ORDER BY started DESC LIMIT 1") == [("restored",)]
    assert old.ask("SELECT outcome, reason FROM runbook.run ORDER BY started DESC LIMIT 1") == [
        ("restored", "this database was replaced")
    ]
    for one in (proven, old):
        assert one.another("status").must("status")["outputs"]["contradicted"] == [], "both ledgers are right"
    assert list((proven.backups / restore.run.run_id).iterdir()) == [], "no copy of the ledger is left"
    # The migration can be deployed again: neither drift nor a half truth in the ledger is in its way.
    proven.another().up_to("apply")
    assert proven.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]


def test_no_row_is_lost_while_the_application_writes(proven: StepRuns, admin: StepRuns) -> None:
    """Each writer notes what the server has confirmed, and comes back when it was sent away."""
    stop, lost, confirmed = threading.Event(), threading.Event(), [{}, {}]

    def write(mine: dict[int, str], number: int) -> None:
        while not stop.is_set():
            with (
                contextlib.suppress(psycopg2.Error),
                contextlib.closing(proven.server.connect(proven.database)) as own,
            ):
                own.autocommit = True
                with own.cursor() as cursor:
                    while not stop.is_set():
                        text = f"{number}-{len(mine)}"
                        cursor.execute("INSERT INTO notes (body) VALUES (%s) RETURNING id", (text,))
                        mine[cursor.fetchone()[0]] = text
                        first = min(mine)
                        cursor.execute("UPDATE notes SET body = body || '!' WHERE id = %s", (first,))
                        mine[first] += "!"
            lost.set()
            time.sleep(0.02)

    threads = [threading.Thread(target=write, args=(mine, n)) for n, mine in enumerate(confirmed)]
    for thread in threads:
        thread.start()
    try:
        restore = Restore(proven)
        restore.steps("preflight", "restore", "count_rows")
        wait_for(lambda: all(len(mine) > 50 for mine in confirmed))
        swap = restore.steps("swap", carry_over=True)["outputs"]
        wait_for(lost.is_set)
        before_the_end = [len(mine) for mine in confirmed]
        wait_for(lambda: all(len(mine) > n + 5 for mine, n in zip(confirmed, before_the_end, strict=True)))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    found = dict(proven.ask("SELECT id, body FROM notes"))
    for mine in confirmed:
        for key, text in mine.items():
            # A write whose confirmation was lost with the session may have taken effect.
            assert found[key] in (text, text + "!"), key
    assert swap["left"] == {"tables": {}, "rows": []}
    assert swap["rows"]["tables"]["public.notes"]["added"] > 100
    old = StepRuns(proven.server, swap["replaced"], proven.folder)
    kept = dict(old.ask("SELECT id, body FROM notes"))
    assert kept.keys() <= found.keys(), "what the replaced database holds was carried over"


# What must not be put back ---------------------------------------------------------------------------------


def test_a_backup_that_was_never_proven_is_refused(runs: StepRuns) -> None:
    runs.up_to("backup")
    runs.conclude("failed")
    answer = Restore(runs).step("preflight")
    assert answer["outcome"] == "refused"
    assert f"The backup of run {runs.run_id} was never proven by restoring it" in answer["msg"]
    rollback = runs.another("emergency_rollback", "001")
    rollback.steps("preflight")
    assert not rollback.step("backup", purpose="emergency").get("failed")
    rollback.conclude("failed")
    answer = Restore(runs, rollback.run_id).step("preflight")
    assert "Its backup before the rollback was never proven by restoring it" in answer["msg"]


def test_what_does_not_belong_to_this_database_is_refused(proven: StepRuns, admin: StepRuns) -> None:
    for given, reason in (
        ("", "The run whose backup is to be put back is not named: -e run_id="),
        ("../../etc", "The run whose backup"),
        ("20260101T000000Z-nobody-0000", "This database knows no run 20260101T000000Z-nobody-0000"),
    ):
        answer = Restore(proven, given).step("preflight")
        assert answer["outcome"] == "refused"
        assert reason in answer["msg"]
        assert f"newest first: {proven.run_id}." in answer["msg"]
    twin = f"{proven.database}_twin"
    admin.execute(f"CREATE DATABASE {twin} TEMPLATE {proven.database}")
    try:
        other = StepRuns(proven.server, twin, proven.folder, run_id=proven.run_id)
        assert f"is of database {proven.database}" in Restore(other).step("preflight")["msg"]
    finally:
        admin.execute(f"DROP DATABASE {twin} WITH (FORCE)")
    proven.execute(
        "UPDATE runbook.receipt SET document = replace(document, '\"ok\"', '\"OK\"') WHERE step = 'backup'"
    )
    answer = Restore(proven).step("preflight")
    assert "receipt of step backup" in answer["msg"]
    assert "was changed after it was written" in answer["msg"]


def test_a_damaged_backup_and_one_of_another_history_are_refused(proven: StepRuns, admin: StepRuns) -> None:
    restore = Restore(proven)
    restore.steps("preflight")
    folder = proven.backups / proven.run_id / "backup"
    data = max((folder / "dump").iterdir(), key=lambda path: path.stat().st_size)
    sound = data.read_bytes()
    data.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    answer = restore.step("restore")
    assert f"damaged after it was made: {data} is changed" in answer["msg"]
    assert "needs step restore to have succeeded" in restore.step("swap")["msg"]
    data.write_bytes(sound)
    # As if the ledger had begun with another receipt than in the backup.
    proven.execute("INSERT INTO runbook.receipt (position, digest, document) VALUES (0, 'x', '{}')")
    answer = restore.step("restore")
    assert answer["outcome"] == "refused"
    assert "is not the beginning of the one in the live database" in answer["msg"]
    assert admin.ask("SELECT FROM pg_database WHERE datname LIKE 'runbook%'") == [], "nothing is left behind"
    proven.execute("DELETE FROM runbook.receipt WHERE position = 0")
    restore.run.conclude("refused")
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text() + " ")
    assert "was changed after it was written" in Restore(proven).step("preflight")["msg"]


# What a database has beside its rows -----------------------------------------------------------------------

PROPERTIES = """
    SELECT r.rolname::text, d.datconnlimit,
           (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(d.datacl) AS a),
           shobj_description(d.oid, 'pg_database'), d.datcollate,
           d.datlocprovider::text, pg_encoding_to_char(d.encoding), t.spcname::text,
           (SELECT array_agg(setrole::regrole || ' ' || setting ORDER BY setrole::regrole || ' ' || setting)
            FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setdatabase = d.oid)
    FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba JOIN pg_tablespace t ON t.oid = d.dattablespace
    WHERE d.datname = '{}'"""


@pytest.fixture
def roles(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """The runbook's role owns everything and may create databases, and nothing else; the application has another."""
    admin.execute("CREATE ROLE keeper LOGIN CREATEDB", "CREATE ROLE app LOGIN", "CREATE ROLE auditor")
    admin.execute(f"ALTER DATABASE {runs.database} OWNER TO keeper")
    runs.execute("ALTER TABLE notes OWNER TO keeper", "ALTER TABLE schema_migrations OWNER TO keeper")
    runs.execute("GRANT SELECT ON notes TO app")
    runs.user = "keeper"
    runs.up_to("verify_restore")
    runs.conclude("failed")
    yield runs
    for name in [runs.database, *replaced(admin, runs.database)]:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        StepRuns(runs.server, name, runs.folder).execute(
            "REASSIGN OWNED BY keeper TO CURRENT_USER", "DROP OWNED BY keeper, app, auditor"
        )
    for name in replaced(admin, runs.database):
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    admin.execute("DROP ROLE keeper, app, auditor")


def session_of(role: str, runs: StepRuns) -> contextlib.closing:
    connection = psycopg2.connect(
        host=runs.server.host, port=runs.server.port, user=role, dbname=runs.database
    )
    connection.autocommit = True
    return contextlib.closing(connection)


def test_owner_privileges_settings_comment_and_limit_are_carried_over(
    roles: StepRuns, admin: StepRuns
) -> None:
    name, roles.user = roles.database, None
    admin.execute(
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO app WITH GRANT OPTION",
        "SET ROLE app",
        f"GRANT CONNECT ON DATABASE {name} TO auditor",
        "RESET ROLE",
        f"GRANT TEMPORARY ON DATABASE {name} TO auditor",
        f"ALTER DATABASE {name} CONNECTION LIMIT 77",
        f"COMMENT ON DATABASE {name} IS 'the ''live'' one'",
        f'ALTER DATABASE {name} SET search_path = "$user", public, "odd, ""name"',
        f"ALTER DATABASE {name} SET app.tenant = 'a''b'",
        f"ALTER DATABASE {name} SET statement_timeout = '61s'",
        f"ALTER DATABASE {name} SET log_min_duration_statement = 5",
        f"ALTER ROLE app IN DATABASE {name} SET work_mem = '5MB'",
        f"ALTER ROLE keeper IN DATABASE {name} SET search_path = public",
    )
    (before,) = admin.ask(PROPERTIES.format(name))
    restore = Restore(roles)
    beside = restore.steps("preflight", "restore")["outputs"]["restored"]
    lets_in = (
        f"SELECT array_agg(rolname) FROM pg_roles WHERE has_database_privilege(oid, '{beside}', 'CONNECT')"
    )
    assert admin.ask(f"{lets_in} AND NOT rolsuper") == [(None,)], "nobody, until it is the database"
    swap = restore.steps("count_rows", "swap")["outputs"]
    assert swap["not_carried"] == []
    assert admin.ask(PROPERTIES.format(name)) == [before]
    (old,) = admin.ask(PROPERTIES.format(swap["replaced"]))
    assert old[3].startswith("the 'live' one\n")
    assert [*old[:3], *old[4:]] == [*before[:3], *before[4:]], "the replaced database keeps its own"
    assert admin.ask(f"SELECT datallowconn FROM pg_database WHERE datname LIKE '{name}%'") == [
        (True,),
        (True,),
    ]


def test_an_owner_with_createdb_only_swaps_and_names_what_is_for_a_superuser(
    roles: StepRuns, admin: StepRuns
) -> None:
    name = roles.database
    admin.execute(
        f"ALTER DATABASE {name} SET log_min_duration_statement = 5",
        f"ALTER DATABASE {name} SET work_mem = '6MB'",
        f"ALTER ROLE app IN DATABASE {name} SET work_mem = '5MB'",
    )
    restore = Restore(roles)
    with session_of("app", roles):
        answer = restore.step("preflight")
        assert answer.get("outcome") == "refused", answer
        assert "may not end the sessions of app" in answer["msg"]
        assert 'GRANT pg_signal_backend TO "keeper"' in answer["msg"]
    wait_for(lambda: not admin.ask("SELECT FROM pg_stat_activity WHERE usename = 'app'"))
    restore.steps("preflight", "restore", "count_rows")
    with session_of("app", roles) as application, application.cursor() as cursor:
        answer = restore.step("swap")
        assert answer.get("outcome") == "unchanged", answer
        assert f"pid {application.info.backend_pid} (user app" in answer["msg"]
        assert "may not be ended by this role" in answer["msg"]
        cursor.execute("SELECT count(*) FROM notes")
        assert cursor.fetchone() == (3,), "its session lives"
        with session_of("app", roles) as another, another.cursor() as other:
            other.execute("SELECT count(*) FROM notes")  # and the application is let in again
    admin.execute("GRANT pg_signal_backend TO keeper")
    with session_of("app", roles):
        swap = restore.steps("swap")["outputs"]
    assert sorted(swap["not_carried"]) == [
        f"""ALTER DATABASE "{name}" SET "log_min_duration_statement" TO '5'""",
        f"""ALTER ROLE "app" IN DATABASE "{name}" SET "work_mem" TO '5MB'""",
    ]
    assert roles.ask("SHOW work_mem") == [("6MB",)]
    (old,) = admin.ask(PROPERTIES.format(swap["replaced"]))
    assert old[0] == "keeper"


# Killed ----------------------------------------------------------------------------------------------------


def test_killed_while_the_application_is_held_off(proven: StepRuns, admin: StepRuns) -> None:
    """Another session keeps the rows from being carried over; the module is killed while it waits."""
    restore = Restore(proven)
    restore.steps("preflight")
    proven.execute("INSERT INTO notes (body) VALUES ('since')")
    beside = restore.steps("restore")["outputs"]["restored"]
    restore.steps("count_rows")
    with contextlib.closing(proven.server.connect(beside)) as blocker, blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE notes IN SHARE MODE")
        process = restore.run.start("swap", carry_over=True)
        try:
            wait_for(lambda: closed(admin, proven.database))
            wait_for(
                lambda: admin.ask("SELECT FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock'")
            )
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    assert closed(admin, proven.database)
    said = proven.another("status").must("status")["outputs"]["reopened"]
    assert f"restore {restore.run.run_id} was killed while it kept the application out" in said
    assert f"ansible-playbook playbooks/restore.yml -e run_id={proven.run_id}" in said
    assert not closed(admin, proven.database)
    # Typed: the run in between is taken over, as the action plugin does for one whose process is gone.
    again = Restore(proven)
    answer = again.step("preflight", take_over=restore.run.run_id)
    assert not answer.get("failed"), answer
    assert not closed(admin, proven.database)
    assert answer["outputs"]["swapped_by"] is None
    assert admin.ask("SELECT FROM pg_database WHERE datname LIKE 'runbook%'") == [], (
        "what it restored is dropped"
    )
    swap = again.steps("restore", "count_rows", "swap", carry_over=True)["outputs"]
    assert swap["rows"]["tables"] == {"public.notes": {"added": 1, "changed": 0, "deleted": 0}}
    assert proven.ask("SELECT body FROM notes WHERE id = 4") == [("since",)]


def test_killed_after_the_swap_and_before_its_receipt(proven: StepRuns, admin: StepRuns) -> None:
    proven.execute(
        "CREATE FUNCTION runbook.slow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(60); RETURN new; END'",
        "CREATE TRIGGER slow BEFORE INSERT ON runbook.receipt FOR EACH ROW"
        ' WHEN (new.document LIKE \'%"step":"swap"%\') EXECUTE FUNCTION runbook.slow()',
        "INSERT INTO notes (body) VALUES ('since')",
    )
    restore = Restore(proven)
    restore.steps("preflight", "restore", "count_rows")
    process = restore.run.start("swap")
    try:
        wait_for(lambda: admin.ask("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    proven.execute("DROP FUNCTION runbook.slow() CASCADE")
    assert proven.ask("SELECT count(*) FROM notes") == [(3,)], "the restored backup has the name"
    (name,) = replaced(admin, proven.database)
    again = Restore(proven)
    answer = again.step("preflight", take_over=restore.run.run_id)
    assert not answer.get("failed"), answer
    proven.execute("INSERT INTO notes (body) VALUES ('after the swap')")
    swap = again.steps("restore", "count_rows", "swap")["outputs"]
    assert (swap["swapped_by"], swap["replaced"]) == (restore.run.run_id, name)
    assert replaced(admin, proven.database) == [name], "it is not done twice"
    assert proven.ask("SELECT count(*) FROM notes") == [(4,)], "what was written after it stays"
    again.steps("smoke_test")


# Two at a time ---------------------------------------------------------------------------------------------


def test_a_second_operator_is_refused(
    proven: StepRuns, admin: StepRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Restore(proven)
    first.steps("preflight")
    answer = Restore(proven).step("preflight")
    assert answer["outcome"] == "refused"
    assert (
        f"Another run is in progress in this database: {first.run.run_id} (restore of 002)" in answer["msg"]
    )
    beside = first.steps("restore")["outputs"]["restored"]
    first.steps("count_rows")
    monkeypatch.setattr(maintenance_database, "LOCK_WAIT_SECONDS", 0.3)
    connection = maintenance_database.connect_maintenance(target(proven.server, proven.database))
    with contextlib.closing(connection), connection.cursor() as cursor:
        maintenance_database.take_swap_lock(cursor, proven.database)
        answer = first.step("swap")
    assert answer["outcome"] == "refused"
    assert "Another restore is swapping database" in answer["msg"]
    assert proven.ask("SELECT count(*) FROM notes") == [(3,)]
    assert replaced(admin, proven.database) == []
    # A monitoring program that looks into every database is no operator: it is sent away.
    with contextlib.closing(proven.server.connect(beside)) as monitor:
        first.steps("swap")
        with pytest.raises(psycopg2.OperationalError), monitor.cursor() as cursor:
            cursor.execute("SELECT 1")
