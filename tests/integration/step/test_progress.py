# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step tells of itself while it works: its own counters, the server's, and who waits behind it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.activity import advance, begin
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from ansible_collections.pgops.runbook.plugins.module_utils.step import progress

from demo.local_server import LocalServer
from tests.integration.restore_runs import wait_for


@pytest.fixture
def target(server: LocalServer, database: str) -> dict[str, Any]:
    return {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.user,
        "login_db": database,
    }


def newest(path: Path) -> dict[str, Any]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return json.loads(lines[-1]) if lines else {}


def test_counters_and_those_who_wait_are_told(
    target: dict[str, Any],
    tmp_path: Path,
    server: LocalServer,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.02)
    path = tmp_path / "progress"
    with (
        contextlib.closing(server.connect(database)) as reader,
        # Closed first, however this ends: the reader waits for its lock, and nobody can close a session at work.
        contextlib.closing(connect(target)) as ours,
        ours.cursor() as cursor,
    ):
        cursor.execute("CREATE TABLE public.files (id int); COMMIT; BEGIN; LOCK TABLE public.files")
        with progress.progress_told(str(path), target):
            begin("reading tables", total=5)
            advance(2)
            wait_for(lambda: newest(path).get("done") == 2)
            assert newest(path)["waiting"] == 0

            def read() -> None:
                with reader.cursor() as own:
                    own.execute("SELECT FROM files")

            waiting = threading.Thread(target=read)
            waiting.start()
            wait_for(lambda: newest(path)["waiting"] == 1)
            ours.rollback()
            waiting.join()
            wait_for(lambda: newest(path)["waiting"] == 0)
    assert not path.exists()


def test_an_index_that_is_being_built_is_told(
    target: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.005)
    path = tmp_path / "progress"
    with contextlib.closing(connect(target)) as ours, ours.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE public.files AS SELECT i, md5(i::text) AS name FROM generate_series(1, 300000) AS i"
        )
        told: list[dict[str, Any]] = []
        with progress.progress_told(str(path), target):
            wait_for(lambda: bool(newest(path)))
            cursor.execute("CREATE INDEX ON public.files (name)")
            told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [one["server"] for one in told if one.get("server", "").startswith("CREATE INDEX ")]


def test_a_server_that_does_not_answer_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.005)
    nobody = {"login_host": str(tmp_path), "login_port": 1, "login_user": "nobody", "login_db": "none"}
    tried = threading.Event()

    def refuses(given: dict[str, Any], **options: Any) -> None:
        tried.set()
        return connect(given, **options)

    monkeypatch.setattr(progress, "connect", refuses)
    with progress.progress_told(str(tmp_path / "progress"), nobody):
        assert tried.wait(60)
    assert not (tmp_path / "progress").exists()


def test_a_file_or_link_that_is_there_is_not_written_to(tmp_path: Path, target: dict[str, Any]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(FileExistsError), progress.progress_told(str(tmp_path / "link"), target):
        pass
    assert not (tmp_path / "precious").exists()


def test_without_a_file_nothing_is_told(target: dict[str, Any]) -> None:
    before = threading.active_count()
    with progress.progress_told("", target):
        assert threading.active_count() == before


def named(folder: Path, letter: str) -> Path:
    return folder / f".pgops-runbook-progress-{letter * 32}"


def test_what_a_killed_step_has_left_is_removed_and_nothing_else(
    tmp_path: Path, target: dict[str, Any]
) -> None:
    """Of the next step that is at work in the folder; one that lives holds a lock on its file."""
    left, alive, another = named(tmp_path, "a"), named(tmp_path, "b"), tmp_path / ".pgops-runbook-progress-x"
    for path in (left, alive, another):
        path.touch()
    named(tmp_path, "c").symlink_to(another)
    with alive.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with progress.progress_told(str(named(tmp_path, "d")), target):
            assert not left.exists()
    assert alive.exists()
    assert another.exists()
    assert named(tmp_path, "c").is_symlink()
    assert not named(tmp_path, "d").exists()
