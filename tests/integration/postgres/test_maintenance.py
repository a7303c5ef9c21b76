# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A swap that was killed while it held the application off is told from outside of the database, and mended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import maintenance
from psycopg2 import sql

from demo.local_server import LocalServer
from tests.integration.step_runs import target


@pytest.fixture
def cursor(server: LocalServer) -> Iterator[Any]:
    """Of the database from which others are closed and renamed."""
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


@pytest.fixture
def killed(cursor: Any, database: str) -> Iterator[str]:
    """A database that lets nobody in, and a restored one beside it that was about to take its place."""
    restored = f"{database}_restored"
    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(restored)))
    mark = maintenance.swap_mark(database, "the-restore", "the-source")
    cursor.execute(
        sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(restored), sql.Literal(mark))
    )
    maintenance.allow_connections(cursor, database, False)
    try:
        yield database
    finally:
        maintenance.allow_connections(cursor, database, True)
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(restored)))


def lets_in(server: LocalServer, database: str) -> bool:
    try:
        server.connect(database).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_it_is_found_by_the_comment_of_the_restored_database(cursor: Any, killed: str) -> None:
    found = maintenance.interrupted_swap(cursor, killed)
    assert found == {
        "restored": f"{killed}_restored",
        "database": killed,
        "run_id": "the-restore",
        "source": "the-source",
        "closed": True,
    }
    assert maintenance.interrupted_swap(cursor, "another") is None


def test_the_application_is_let_in_again(server: LocalServer, killed: str) -> None:
    assert not lets_in(server, killed)
    maintenance.reopen_after_interrupted_swap(target(server, killed), writes=False)
    assert not lets_in(server, killed), "check mode changes nothing"
    maintenance.reopen_after_interrupted_swap(target(server, killed))
    assert lets_in(server, killed)


def test_a_swap_that_is_still_at_work_is_left_alone(
    server: LocalServer, cursor: Any, killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "LOCK_WAIT_SECONDS", 0.3)
    maintenance.take_swap_lock(cursor, killed)
    with pytest.raises(Refused, match=f"Another restore is swapping database {killed} at this moment"):
        maintenance.reopen_after_interrupted_swap(target(server, killed))
    assert not lets_in(server, killed)


MARKED = maintenance.SWAP_MARK


@pytest.mark.parametrize(
    ("comment", "makes"),
    [
        ("x", "CREATE ROLE clerk SUPERUSER"),
        ("[]", "CREATE ROLE clerk SUPERUSER"),
        ('{{"database": "{0}"}}', "CREATE ROLE clerk SUPERUSER"),
        ('{{"database": "{0}", "run_id": "r; curl", "source": "s"}}', "CREATE ROLE clerk SUPERUSER"),
        ('{{"database": "{0}", "run_id": "r", "source": "s\\n"}}', "CREATE ROLE clerk SUPERUSER"),
        ('{{"database": "{0}", "run_id": "r", "source": 7}}', "CREATE ROLE clerk SUPERUSER"),
        ('{{"database": "{0}", "run_id": "r", "source": "s"}}', "CREATE ROLE clerk CREATEDB"),
    ],
)
def test_a_comment_of_somebody_else_lets_nobody_in_and_hides_nothing(
    server: LocalServer, cursor: Any, killed: str, comment: str, makes: str
) -> None:
    """Its database comes first: what is not of a restore, or of who could not do it himself, is passed over."""
    cursor.execute(f"DROP ROLE IF EXISTS clerk; {makes}")
    cursor.execute("CREATE DATABASE aaa OWNER clerk")
    try:
        mark = sql.Literal(f"{MARKED}{comment.format(killed)}")
        cursor.execute(sql.SQL("COMMENT ON DATABASE aaa IS {}").format(mark))
        found = maintenance.interrupted_swap(cursor, killed)
        assert found is not None
        assert found["run_id"] == "the-restore"
        cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS NULL").format(sql.Identifier(f"{killed}_restored")))
        assert maintenance.reopen_after_interrupted_swap(target(server, killed)) is None
        assert not lets_in(server, killed)
    finally:
        cursor.execute("DROP DATABASE aaa")
        cursor.execute("DROP ROLE clerk")


def test_what_a_member_of_the_owner_has_begun_is_believed(cursor: Any, killed: str) -> None:
    """He could let others in himself; the restored database is his until it has the name."""
    cursor.execute(
        "DROP ROLE IF EXISTS shop_owner; CREATE ROLE shop_owner; DROP ROLE IF EXISTS shop_deployer"
    )
    cursor.execute("CREATE ROLE shop_deployer; GRANT shop_owner TO shop_deployer")
    live, restored = sql.Identifier(killed), sql.Identifier(f"{killed}_restored")
    try:
        cursor.execute(sql.SQL("ALTER DATABASE {} OWNER TO shop_owner").format(live))
        cursor.execute(sql.SQL("ALTER DATABASE {} OWNER TO shop_deployer").format(restored))
        assert maintenance.interrupted_swap(cursor, killed) is not None
    finally:
        for one in (live, restored):
            cursor.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(one))
        cursor.execute("DROP ROLE shop_deployer; DROP ROLE shop_owner")
