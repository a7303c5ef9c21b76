# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The server crashes in the midst of a run, recovers, and the run says in all places how it ended."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.local_server import LocalServer
from tests.crashing import Crash
from tests.integration.stories.application import Application, prepare, write_scripts
from tests.own_server import own_server

DATABASE = "shop"

#: In production alone: a copy has another name.
SLOW = "DO $$ BEGIN IF current_database() = 'shop' THEN PERFORM pg_sleep(60); END IF; END $$;\n"

#: When the change is committed, and until it is taken back.
SMOKE = """
    SELECT (SELECT count(*) FROM pg_sleep(CASE WHEN current_database() = 'shop'
        AND EXISTS (SELECT FROM runbook.receipt WHERE step = 'verify' AND status = 'ok')
        AND NOT EXISTS (SELECT FROM runbook.receipt WHERE step = 'emergency_rollback') THEN 60 ELSE 0 END)) = 1, now();
"""


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server that no other test uses."""
    with own_server(tmp_path_factory.mktemp("fragile")) as server:
        yield server


@pytest.fixture
def shop(fragile: LocalServer, tmp_path: Path) -> Application:
    with contextlib.closing(fragile.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {DATABASE}")
    prepare(fragile, DATABASE)
    return Application(fragile, tmp_path, write_scripts(tmp_path / "sql"), [DATABASE])


def ended(shop: Application) -> list[tuple]:
    with contextlib.closing(shop.server.connect(DATABASE)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT outcome, reason, record_sha256 IS NOT NULL FROM runbook.run ORDER BY started")
        return cursor.fetchall()


def deploy_and_crash(shop: Application, seconds: float = 3) -> Any:
    crash = Crash(shop.server, seconds)
    killing = threading.Thread(target=crash.of_who_sleeps, args=(DATABASE,))
    killing.start()
    run = shop.deploy("002")
    killing.join()
    assert crash.held
    return run


def test_in_apply_nothing_is_changed_and_the_ledger_says_so(shop: Application) -> None:
    (shop.sql_dir / "migrations/002_author.sql").write_text(
        f"-- Requires: 001\nALTER TABLE notes ADD COLUMN author text;\n{SLOW}", encoding="utf-8"
    )
    before = shop.contents(ledger=False)
    run = deploy_and_crash(shop)
    assert run.record["outcome"] == "unchanged", run.output
    assert ended(shop) == [("unchanged", run.record["reason"], True)]
    assert shop.contents(ledger=False) == before
    assert "The ledger could not be closed" not in run.output
    status = shop.run("playbooks/status.yml")
    assert status.status == 0, status.output
    assert "CHANGED" not in status.output


def test_after_the_commit_it_is_taken_back(shop: Application) -> None:
    (shop.sql_dir / "smoke").mkdir()
    (shop.sql_dir / "smoke/slow.sql").write_text(SMOKE, encoding="utf-8")
    before = shop.contents(ledger=False)
    run = deploy_and_crash(shop)
    assert run.record["outcome"] == "rolled_back", run.output
    assert [one[0] for one in ended(shop)] == ["rolled_back"]
    assert shop.contents(ledger=False) == before


@pytest.mark.parametrize("has_run_json", [True, False])
def test_an_end_that_was_not_recorded_is_told_as_it_was(shop: Application, has_run_json: bool) -> None:
    """As if the server had been away for longer than anybody waits."""
    (shop.sql_dir / "migrations/002_author.sql").write_text(
        f"-- Requires: 001\nALTER TABLE notes ADD COLUMN author text;\n{SLOW}", encoding="utf-8"
    )
    reason = deploy_and_crash(shop, 0.5).record["reason"]
    with contextlib.closing(shop.server.connect(DATABASE)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE runbook.run SET finished = NULL, outcome = NULL, reason = NULL, record_sha256 = NULL;"
            "ALTER TABLE runbook.receipt DISABLE TRIGGER ALL;"
            "DELETE FROM runbook.receipt WHERE step = 'apply';"
            "UPDATE runbook.chain_end SET (position, digest) ="
            " (SELECT position, digest FROM runbook.receipt ORDER BY position DESC LIMIT 1)"
        )
        connection.commit()
    if not has_run_json:
        shutil.rmtree(shop.artifacts)
    assert shop.deploy("003").status == 0
    first, _ = ended(shop)
    if has_run_json:
        assert first == ("unchanged", reason, True)
    else:
        outcome, said, _ = first
        assert outcome == "unchanged"
        assert "the run's end was not recorded: its controller was gone when run " in said
