# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""make bench for the smallest sizes: what is slow is shown as slow, and what failed is told. No test of time."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from random import Random

import pytest

from benchmarks import bench as command
from benchmarks.speed.bench import Bench, Sizes
from benchmarks.speed.of_fingerprint import copy_everything, fingerprint, fingerprint_everything
from benchmarks.speed.of_tables import tables
from benchmarks.speed.probe import Statements, probing
from benchmarks.speed.rows import comparisons
from demo.local_server import LocalServer

SLEEP = 0.4  # seconds; far beyond what twenty files take


@pytest.fixture
def bench(server: LocalServer, tmp_path: Path) -> Bench:
    return Bench(server, tmp_path, Sizes(20, 2, 1), Random(1), lambda text: None)


def slow(bench: Bench) -> None:
    copy_everything(bench)
    time.sleep(SLEEP)


def test_planted_slowness_is_in_the_ratio_and_a_failure_in_the_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library of twenty files; own and peer are the same but for a pause, and then the other way round."""
    figures = {}

    def planted(bench: Bench) -> None:
        for own, peer in ((copy_everything, slow), (slow, copy_everything)):
            bench.samples.clear()
            fingerprint(bench, own, peer)
            (found,) = comparisons(bench.samples)
            figures[own.__name__] = (found.ratio, found.met)
        fingerprint_everything(bench)  # what is measured otherwise does its work as well

    def broken(bench: Bench) -> None:
        raise RuntimeError("psql ended with status 3")

    monkeypatch.setattr(command, "MEASUREMENTS", {"fingerprint": planted, "tables": broken})
    arguments = ["--files", "20", "--turns", "2", "--seed", "7", "--into", str(tmp_path / "into")]
    assert command.main([*arguments, "--only", "fingerprint", "tables"]) == 1
    said = capsys.readouterr()
    assert "seed 7" in said.out
    assert "psql ended with status 3" in said.err
    assert "ended with an error: tables" in said.err
    assert figures["slow"][0] > 1 > figures["copy_everything"][0]
    assert (figures["slow"][1], figures["copy_everything"][1]) == (False, True)
    results = json.loads((tmp_path / "into" / "results.json").read_text())
    assert [len(series) for series in results["samples"].values()] == [2, 2]
    assert results["rows"][0]["ratio"] == figures["slow"][0]
    assert (results["files"], results["seed"], results["cores"] > 0) == (20, 7, True)
    assert results["postgresql"].startswith("18.")
    assert "| NO |" in (tmp_path / "into" / "table.md").read_text()
    assert {path.name for path in (tmp_path / "into").glob("*.svg")} == {"figures.svg", "ratios.svg"}


def test_a_column_is_added_by_both(bench: Bench) -> None:
    """By a whole deploy beside psql; nothing is left behind."""
    tables(bench, ["deploy"])
    assert {name: len(series) for name, series in bench.samples.items()} == {
        f"tables/{side}/deploy/{who}": 1 for side in ("runbook", "psql") for who in ("reader", "writer")
    }
    assert [one.name for one in comparisons(bench.samples)] == [
        f"{who} waits, deploy of ADD COLUMN" for who in ("reader", "writer")
    ]
    with contextlib.closing(bench.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname ~ '^tables_|^runbook'")
        assert cursor.fetchall() == []
    assert list(bench.scratch.iterdir()) == []


@pytest.fixture
def one_table(server: LocalServer, database: str) -> str:
    with (
        contextlib.closing(server.connect(database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    return database


STATEMENTS = Statements("SELECT id FROM t WHERE id = 1", "UPDATE t SET id = id + 1 WHERE id = 1")


def test_who_is_locked_out_has_waited_as_long_as_the_lock_was_held(
    server: LocalServer, one_table: str
) -> None:
    with (
        probing(server, one_table, STATEMENTS) as probes,
        contextlib.closing(server.connect(one_table)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("LOCK TABLE t")
        while len(waiting(server)) < 2:
            time.sleep(0.01)
        time.sleep(SLEEP)
    assert min(probe.longest for probe in probes.values()) > SLEEP
    assert min(probe.asked for probe in probes.values()) > 0
    with contextlib.closing(server.connect(one_table)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM t")
        assert cursor.fetchall() == [(1,)]


def waiting(server: LocalServer) -> list[tuple[int]]:
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return cursor.fetchall()


def test_a_probe_that_ends_before_its_time_is_no_figure(server: LocalServer, one_table: str) -> None:
    with (
        pytest.raises(RuntimeError, match=r"the writer of test_\d+ failed: .*no_such_table"),
        probing(server, one_table, Statements(STATEMENTS.reader, "DELETE FROM no_such_table")),
    ):
        pass
