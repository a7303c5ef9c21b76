# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""maintenance_mode: PostgreSQL keeps the application out, or from writing, and gives back what it had taken."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger import maintenance_mode
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import other_sessions
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.maintenance_mode import BLOCK, READ_ONLY

from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns

# app connects by PUBLIC, pool by a group, boss owns the database, modest deploys.
ROLES = (
    "app LOGIN",
    "reports",
    "pool LOGIN IN ROLE reports",
    "boss LOGIN",
    "monitoring LOGIN IN ROLE pg_read_all_stats",
    "modest LOGIN CREATEDB IN ROLE boss, pg_read_all_stats, pg_signal_backend",
)

ACCESS = """
    SELECT (SELECT array_agg(a::text ORDER BY a::text)::text
            FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a),
           (SELECT array_agg(r::text ORDER BY r::text)::text FROM
            (SELECT setrole, setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid) r)
    FROM pg_database d WHERE datname = current_database()"""


IS_SET = """
    SELECT count(*) FROM pg_db_role_setting WHERE 'default_transaction_read_only=on' = ANY (setconfig)
    AND setdatabase = (SELECT oid FROM pg_database WHERE datname = '{}')"""


@dataclass
class Shop:
    """A database with roles, and sessions of theirs."""

    runs: StepRuns
    open: Callable[..., Any]

    def access(self) -> list[tuple]:
        """Who may connect and what is set, as the server says it."""
        return self.runs.ask(ACCESS)

    def gets_in(self, role: str) -> bool:
        with contextlib.suppress(psycopg2.OperationalError):
            connect(self.runs, role).close()
            return True
        return False

    def writes(self, role: str) -> bool:
        with contextlib.closing(connect(self.runs, role)) as connection:
            return writes(connection)

    def enter(self, mode: str, **options: Any) -> dict[str, Any]:
        options = {"grace_seconds": 0.2, **options}
        return self.runs.step("maintenance_window", mode=mode, **options)

    def noted(self) -> list[dict[str, Any]]:
        return self.runs.another("status").must("status")["out_of_service"]

    def end(self, **options: Any) -> dict[str, Any]:
        return self.runs.must("announce", outcome="", **{"maintenance_ended": True, **options})


def connect(runs: StepRuns, role: str) -> Any:
    server = runs.server
    return psycopg2.connect(host=server.host, port=server.port, user=role, dbname=runs.database)


def writes(connection: Any) -> bool:
    with connection.cursor() as cursor:
        try:
            cursor.execute("INSERT INTO notes (body) VALUES ('x')")
        except psycopg2.errors.ReadOnlySqlTransaction:
            return False
        finally:
            connection.rollback()
    return True


def lives(connection: Any) -> bool:
    with (
        contextlib.suppress(psycopg2.OperationalError, psycopg2.InterfaceError),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT 1")
        return True
    return False


@pytest.fixture
def shop(runs: StepRuns, admin: StepRuns) -> Iterator[Shop]:
    names = [role.split()[0] for role in ROLES]
    for role in ROLES:
        admin.execute(f"DROP ROLE IF EXISTS {role.split()[0]}", f"CREATE ROLE {role}")
    admin.execute(
        f"ALTER DATABASE {runs.database} OWNER TO boss",
        f"GRANT CONNECT ON DATABASE {runs.database} TO reports WITH GRANT OPTION",
        f"ALTER DATABASE {runs.database} SET work_mem = '5MB'",
    )
    runs.execute(
        "ALTER TABLE notes OWNER TO boss",
        "ALTER TABLE schema_migrations OWNER TO boss",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC",
    )
    sessions = []

    def open_session(role: str) -> Any:
        sessions.append(connect(runs, role))
        return sessions[-1]

    yield Shop(runs, open_session)
    for session in sessions:
        session.close()
    admin.execute(f"DROP DATABASE {runs.database} WITH (FORCE)", f"DROP ROLE {', '.join(names)}")


@pytest.fixture
def begun(shop: Shop) -> Shop:
    """A run that has noted that it takes the application out of service, by no command."""
    shop.runs.must("preflight")
    shop.runs.must("maintenance_window", takes_out_of_service=True, by_command=False)
    return shop


@pytest.mark.parametrize("deployer", ["superuser", "modest"])
def test_nobody_else_is_let_in_and_who_is_in_has_to_go(shop: Shop, deployer: str) -> None:
    if deployer == "modest":
        shop.runs.user = "modest"
        shop.runs.execute("CREATE SCHEMA runbook AUTHORIZATION modest")
        shop.runs.execute("CREATE SCHEMA runbook_salvage AUTHORIZATION modest")
    shop.runs.must("preflight")
    shop.runs.must("maintenance_window", takes_out_of_service=True, by_command=False)
    before, pool = shop.access(), shop.open("pool")
    entered = shop.enter("block", keep_roles=["monitoring"])
    assert not entered.get("failed"), entered["msg"]
    assert entered["outputs"] == {"mode": "block", "ended_sessions": 1}
    assert not lives(pool)
    let_in = [role for role in ("app", "pool", "boss", "monitoring", "modest") if shop.gets_in(role)]
    assert let_in == ["monitoring", *(["modest"] if deployer == "modest" else [])]
    (left,) = shop.noted()
    assert (left["mode"], left["close_command"]) == ("block", None)
    assert shop.end()["outputs"] == {"mode_ended": "block"}
    assert shop.access() == before, "as it was, grant options included"
    assert shop.noted() == []
    assert not shop.end()["changed"], "a second time does nothing"


@pytest.mark.parametrize("before", [None, "off"])
def test_sessions_only_read_but_for_those_of_the_runbook(begun: Shop, before: str | None) -> None:
    if before:
        begun.runs.execute(
            f"ALTER DATABASE {begun.runs.database} SET default_transaction_read_only = {before}"
        )
    access, old, busy = begun.access(), begun.open("pool"), begun.open("app")
    assert writes(old)
    with busy.cursor() as cursor:
        cursor.execute("INSERT INTO notes (body) VALUES ('half')")
    assert begun.enter("read_only")["outputs"] == {"mode": "read_only", "ended_sessions": 2}
    assert not lives(old)
    assert not lives(busy), "its transaction had its time"
    assert not begun.writes("app")
    meanwhile = begun.open("boss")
    assert not writes(meanwhile)
    if before is None:
        begun.runs.steps("backup", "verify_restore", "rehearse", "apply", "verify")
    assert begun.end()["outputs"] == {"mode_ended": "read_only"}
    assert not lives(meanwhile), "a pool would go on with it, and never write again"
    assert begun.writes("app")
    assert begun.access() == access
    if before is None:
        begun.runs.steps("smoke_test")
        begun.runs.conclude()
        assert begun.runs.another("status").must("status")["outputs"]["drift"] == []


def test_a_session_has_time_to_end_its_transaction(begun: Shop, admin: StepRuns) -> None:
    busy = begun.open("app")
    with busy.cursor() as cursor:
        cursor.execute("SELECT 1")
    process = begun.runs.start("maintenance_window", mode="read_only", grace_seconds=60)
    try:
        # From elsewhere: a session of the runbook's role in the database would have it refused.
        while admin.ask(IS_SET.format(begun.runs.database)) == [(0,)]:
            assert process.poll() is None
            time.sleep(0.05)
        with busy.cursor() as cursor:
            cursor.execute("INSERT INTO notes (body) VALUES ('kept')")
        busy.commit()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.stdout.close()
    assert not lives(busy)
    assert begun.runs.ask("SELECT count(*) FROM notes WHERE body = 'kept'") == [(1,)]


# Mode, options, what is in the way, how it is taken away again, reason_code, and what is said.
REFUSED = (
    (
        "read_only",
        {},
        "ALTER ROLE app SET default_transaction_read_only = off",
        "ALTER ROLE app RESET ALL",
        "maintenance_mode_not_held",
        'types: ALTER ROLE "app" RESET default_transaction_read_only.',
    ),
    (
        "read_only",
        {},
        "ALTER ROLE pool IN DATABASE {} SET default_transaction_read_only = off",
        "ALTER ROLE pool IN DATABASE {} RESET ALL",
        "maintenance_mode_not_held",
        'types: ALTER ROLE "pool" IN DATABASE "{}" RESET default_transaction_read_only.',
    ),
    (
        "block",
        {},
        "SET ROLE reports; GRANT CONNECT ON DATABASE {} TO monitoring",
        "SET ROLE reports; REVOKE CONNECT ON DATABASE {} FROM monitoring",
        "maintenance_mode_not_held",
        "was granted by reports, who is not its owner",
    ),
    (
        "block",
        {"keep_roles": ['nob"ody']},
        "SELECT 1",
        "SELECT 1",
        "setting_invalid",
        'names nob"ody, and the server has no such role',
    ),
    (
        "block",
        {"keep_roles": ["reports"]},
        "SELECT 1",
        "SELECT 1",
        "maintenance_mode_not_held",
        "would let pool in, by membership",
    ),
)


def test_what_would_not_hold_is_refused_and_nothing_is_changed(begun: Shop) -> None:
    name, app = begun.runs.database, begun.open("app")
    for mode, options, statement, undo, code, words in REFUSED:
        begun.runs.execute(statement.format(name))
        before = begun.access()
        answer = begun.enter(mode, **options)
        assert (answer.get("reason_code"), words.format(name) in answer["msg"]) == (code, True), answer["msg"]
        assert (begun.access(), lives(app)) == (before, True)
        assert begun.noted()[0]["mode"] is None
        begun.runs.execute(undo.format(name))


@pytest.mark.parametrize("mode", ["block", "read_only"])
def test_a_session_of_the_runbooks_own_role_is_not_taken_for_the_runbook(begun: Shop, mode: str) -> None:
    own, before = begun.open(begun.runs.server.user), begun.access()
    for check in (True, False):
        answer = begun.enter(mode, _ansible_check_mode=check)
        assert answer["reason_code"] == "maintenance_mode_not_held"
        assert f"pid {own.info.backend_pid} (role {begun.runs.server.user}," in answer["msg"]
    assert begun.access() == before
    assert not begun.enter(mode, keep_roles=[begun.runs.server.user]).get("failed")
    assert lives(own)


def test_one_that_is_about_to_end_is_waited_for(begun: Shop) -> None:
    own = begun.open(begun.runs.server.user)
    closing = threading.Timer(0.5, own.close)
    closing.start()
    assert not begun.enter(BLOCK).get("failed")
    closing.join()


def test_without_the_rights_each_grant_that_is_missing_is_named(begun: Shop) -> None:
    begun.runs.execute(
        "GRANT ALL ON SCHEMA runbook TO app", "GRANT ALL ON ALL TABLES IN SCHEMA runbook TO app"
    )
    begun.runs.user = "app"
    answer = begun.enter("block")
    assert answer["reason_code"] == "role_lacks_privilege"
    assert answer["msg"].endswith(
        'types: GRANT "boss" TO "app"; GRANT "pg_read_all_stats", "pg_signal_backend" TO "app"'
    )


def test_what_a_script_grants_meanwhile_is_told(begun: Shop) -> None:
    begun.enter("block")
    begun.runs.execute(f"GRANT CONNECT ON DATABASE {begun.runs.database} TO app")
    (warning,) = begun.end()["warnings"]
    assert "privileges on the database were changed by somebody else" in str(warning)
    assert begun.gets_in("pool")


def test_who_may_not_grant_does_not_take_it_for_done(begun: Shop) -> None:
    begun.enter(BLOCK, keep_roles=["app"])
    begun.runs.execute(
        "GRANT ALL ON SCHEMA runbook TO app", "GRANT ALL ON ALL TABLES IN SCHEMA runbook TO app"
    )
    begun.runs.user = "app"
    answer = begun.runs.step("announce", outcome="", maintenance_ended=True)
    assert answer["reason_code"] == "role_lacks_privilege"
    assert "Role app has not the rights of boss" in answer["msg"]
    begun.runs.user = None
    assert begun.noted()[0]["mode"] == BLOCK
    begun.end()
    assert begun.gets_in("pool")


def test_killed_before_the_sessions_were_ended_it_is_done_once_more(
    begun: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = begun.access()
    begun.enter(READ_ONLY)
    meanwhile = begun.open("pool")
    with monkeypatch.context() as patched:
        patched.setattr(maintenance_mode, "end_sessions", None)
        with pytest.raises(TypeError):
            maintenance_mode.end_mode(begun.open(begun.runs.server.user), begun.runs.run_id)
    assert (begun.access(), lives(meanwhile), begun.noted()[0]["mode"]) == (before, True, READ_ONLY)
    begun.end()
    assert (begun.access(), lives(meanwhile), begun.noted()) == (before, False, [])


def test_sessions_that_may_not_be_ended_are_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_sessions, "END_SECONDS", 0.2)
    boss, app = shop.open("boss"), shop.open("app")
    ended, left = other_sessions.end_sessions(shop.open("monitoring"), [], 0)
    assert (ended, [one.pid for one in left]) == (0, [boss.info.backend_pid, app.info.backend_pid])
    assert str(left[1]).startswith(
        f"pid {app.info.backend_pid} (role app, application unnamed, from the server"
    )


@pytest.mark.parametrize("mode", [READ_ONLY, BLOCK])
def test_after_a_restore_both_databases_are_as_before(
    shop: Shop, proven: StepRuns, admin: StepRuns, mode: str
) -> None:
    before = shop.access()
    restore = Restore(proven)
    restore.steps("preflight", "restore", "count_rows")
    restore.run.must("maintenance_window", takes_out_of_service=True, by_command=False)
    shop.runs = restore.run
    assert not shop.enter(mode).get("failed")
    swap = restore.steps("swap")["outputs"]
    assert shop.writes("app") is False if mode == READ_ONLY else not shop.gets_in("app")
    restore.steps("smoke_test")
    assert shop.end()["outputs"] == {"mode_ended": mode}
    restore.run.conclude("restored")
    assert shop.access() == before
    shop.runs = StepRuns(proven.server, swap["replaced"], proven.folder)
    assert shop.access() == before
    drop_what_restores_left(admin, proven.database)
