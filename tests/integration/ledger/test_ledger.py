# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger in a real database: runs, a chain that two writers cannot fork, catalogs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import altered, broken_link
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    server_identity,
    transaction,
)

from demo.local_server import LocalServer

LEDGER = Ledger()


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        LEDGER.create(cursor)
        connection.commit()
        yield cursor


def append(
    cursor: Any, step: Any, status: str = "ok", migration: Any = None, run_id: str = "r1", **facts: Any
) -> Any:
    identity = server_identity(cursor)
    return LEDGER.append(cursor, run_id, step, status, "2026-01-01T00:00:00Z", identity, migration, **facts)


def open_run(cursor: Any, run_id: str = "r1") -> None:
    LEDGER.open_run(cursor, run_id, "deploy", ["009"], "ada@desk", {"pid": 1})


def test_a_database_without_ledger_has_no_runs_and_no_receipts(connection: Any) -> None:
    with connection.cursor() as cursor:
        assert not LEDGER.exists(cursor)
        assert LEDGER.receipts(cursor) == []
        assert LEDGER.run(cursor, "r1") is None
        assert LEDGER.unfinished_run(cursor) is None
        assert LEDGER.last_run(cursor) is None
        assert LEDGER.applied_receipt(cursor, "009") is None


def test_it_is_created_once(connection: Any) -> None:
    with connection.cursor() as cursor:
        assert LEDGER.create(cursor) is True
        assert LEDGER.create(cursor) is False


def test_a_run_is_open_until_it_is_finished(cursor: Any) -> None:
    open_run(cursor)
    unfinished = LEDGER.unfinished_run(cursor)
    assert (unfinished["run_id"], unfinished["lease_expired"]) == ("r1", False)
    assert unfinished["controller"] == {"pid": 1}
    assert LEDGER.finish_run(cursor, "r1", "deployed", None) is True
    assert LEDGER.finish_run(cursor, "r1", "failed", "again") is False, "how it ended stays"
    assert LEDGER.unfinished_run(cursor) is None
    assert LEDGER.run(cursor, "r1")["outcome"] == "deployed"
    assert LEDGER.last_run(cursor)["outcome"] == "deployed"


def test_a_lease_expires_and_every_step_extends_it(cursor: Any) -> None:
    open_run(cursor)
    cursor.execute("UPDATE runbook.run SET lease_until = clock_timestamp() - interval '1 s'")
    assert LEDGER.unfinished_run(cursor)["lease_expired"] is True
    LEDGER.extend_lease(cursor, "r1")
    assert LEDGER.unfinished_run(cursor)["lease_expired"] is False


def test_a_name_is_used_once(cursor: Any) -> None:
    open_run(cursor)
    with pytest.raises(Exception, match="run_pkey"):
        open_run(cursor)


def test_receipts_come_back_as_they_were_written(cursor: Any) -> None:
    written = [
        append(cursor, "preflight", inputs={"scripts": {"009": {"apply": "ü"}}}),
        append(cursor, "backup", outputs={"seconds": 1.25, "names": ["a\\b", 'q"', None], "big": 2**60}),
        append(cursor, "apply", migration="009", run_id="r2"),
    ]
    cursor.connection.commit()
    assert LEDGER.receipts(cursor) == written
    assert LEDGER.receipts(cursor, "r1") == written[:2]
    assert broken_link(LEDGER.receipts(cursor)) is None


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE runbook.receipt SET document = replace(document, '\"failed\"', '\"ok\"') WHERE position = 2",
        "UPDATE runbook.receipt SET digest = md5('x') WHERE position = 2",
    ],
)
def test_a_receipt_changed_in_the_table_is_found(cursor: Any, tampering: str) -> None:
    append(cursor, "preflight")
    append(cursor, "backup", status="failed")
    append(cursor, "announce")
    cursor.execute(tampering)
    assert altered(LEDGER.receipts(cursor))["step"] == "backup"
    assert broken_link(LEDGER.receipts(cursor))["step"] == "backup"


def test_a_deleted_receipt_is_found(cursor: Any) -> None:
    for step in ("preflight", "backup", "verify_restore"):
        append(cursor, step)
    cursor.execute("DELETE FROM runbook.receipt WHERE position = 2")
    assert broken_link(LEDGER.receipts(cursor))["step"] == "verify_restore"
    assert LEDGER.chain_is_broken(cursor, "r1")


@pytest.mark.parametrize("position", [1, 2])
def test_a_run_misses_what_was_deleted_before_its_own_receipts(cursor: Any, position: int) -> None:
    for run_id in ("r1", "r1", "r2"):
        append(cursor, "preflight", run_id=run_id)
    assert not LEDGER.chain_is_broken(cursor, "r1")
    assert not LEDGER.chain_is_broken(cursor, "r2")
    cursor.execute("DELETE FROM runbook.receipt WHERE position = %s", (position,))
    assert LEDGER.chain_is_broken(cursor, "r2") == (position == 2)


def test_a_receipt_in_the_place_of_another_is_found_by_the_next_one(cursor: Any) -> None:
    """Its document and its digest belong together."""
    for step in ("preflight", "backup", "verify_restore"):
        append(cursor, step)
    document = '\'{"step":"backup","run_id":"r1","previous":"x"}\''
    cursor.execute(
        f"UPDATE runbook.receipt SET document = {document},"
        f" digest = encode(sha256({document}::bytea), 'hex') WHERE position = 2"
    )
    assert LEDGER.chain_is_broken(cursor, "r1")


def test_two_writers_do_not_fork_the_chain(server: LocalServer, database: str, cursor: Any) -> None:
    """The second one waits for the end of the first one's transaction, and names its receipt as predecessor."""
    written = []

    def write() -> None:
        with contextlib.closing(server.connect(database)) as own, transaction(own) as own_cursor:
            written.append(append(own_cursor, "second"))

    first = append(cursor, "first")
    thread = threading.Thread(target=write)
    thread.start()
    with contextlib.closing(server.connect(database)) as observer, observer.cursor() as looking:
        observer.autocommit = True
        deadline = time.monotonic() + 20
        waiting = False
        while not waiting and time.monotonic() < deadline:
            looking.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            waiting = looking.fetchone()[0] > 0
    assert waiting
    assert written == []
    cursor.connection.commit()
    thread.join()
    assert written[0]["previous"] == first["digest"]
    assert broken_link(LEDGER.receipts(cursor)) is None


def test_a_rolled_back_receipt_leaves_no_gap(cursor: Any) -> None:
    append(cursor, "preflight")
    cursor.connection.commit()
    append(cursor, "apply")
    cursor.connection.rollback()
    append(cursor, "verify")
    assert [one["step"] for one in LEDGER.receipts(cursor)] == ["preflight", "verify"]
    assert broken_link(LEDGER.receipts(cursor)) is None


def test_the_receipt_of_a_deploy_counts_until_it_is_rolled_back_or_replaced(cursor: Any) -> None:
    first = append(cursor, "apply", migration="009")
    assert LEDGER.applied_receipt(cursor, "009") == first
    append(cursor, "apply", status="failed", migration="009", run_id="r2")
    assert LEDGER.applied_receipt(cursor, "009") == first, "a failed attempt is none"
    append(cursor, "emergency_rollback", migration="009", run_id="r3")
    assert LEDGER.applied_receipt(cursor, "009") is None
    again = append(cursor, "apply", migration="009", run_id="r4")
    assert LEDGER.applied_receipt(cursor, "009") == again
    append(cursor, "adopt", migration="009", run_id="r5")
    assert LEDGER.applied_receipt(cursor, "009") is None, "what an adopted migration made is not known"
    assert LEDGER.applied_receipt(cursor, "010") is None


def test_a_deploy_that_a_restore_has_undone_does_not_count(cursor: Any) -> None:
    """What the backup had counts on; what came between the backup and the swap is gone with its database."""
    first = append(cursor, "apply", migration="008")
    append(cursor, "apply", migration="009", run_id="r2")
    append(cursor, "swap", run_id="r3", outputs={"receipts_in_backup": 1})
    assert LEDGER.applied_receipt(cursor, "008") == first
    assert LEDGER.applied_receipt(cursor, "009") is None
    again = append(cursor, "apply", migration="009", run_id="r4")
    assert LEDGER.applied_receipt(cursor, "009") == again


def test_a_catalog_comes_back_only_if_it_is_the_one_that_was_kept(cursor: Any) -> None:
    catalog = {"table public.t": {"owner": "ü", "options": None, "n": 1}}
    digest = LEDGER.keep_catalog(cursor, catalog)
    assert LEDGER.keep_catalog(cursor, dict(catalog)) == digest
    assert LEDGER.catalog(cursor, digest) == catalog
    cursor.execute("UPDATE runbook.catalog SET catalog = '{}'")
    with pytest.raises(Refused, match="no longer holds the recorded schema"):
        LEDGER.catalog(cursor, digest)
    with pytest.raises(Refused, match="no longer holds the recorded schema"):
        LEDGER.catalog(cursor, "0" * 64)
