# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ARA, which records what Ansible does, has all tasks of a run, and no password."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.stories.application import Application

ARA = "ara[server]==1.8.0"
PASSWORD = "as-secret-as-can-be"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ARA and what it needs, in a folder of its own."""
    folder = tmp_path_factory.mktemp("ara")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    subprocess.run([*command, "--target", str(folder), ARA], check=True)
    return folder


def values(database: Path) -> Iterator[bytes]:
    """All that is in a database of ARA's; long values are compressed in it."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    yield from _plain(value if isinstance(value, bytes) else str(value).encode())


def _plain(value: bytes) -> Iterator[bytes]:
    yield value
    with contextlib.suppress(zlib.error):
        yield zlib.decompress(value)


def test_the_search_sees_what_is_compressed(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "some.sqlite")) as connection:
        connection.execute("CREATE TABLE result (number int, content blob)")
        connection.execute("INSERT INTO result VALUES (7, ?)", (zlib.compress(PASSWORD.encode()),))
        connection.commit()
    assert next(iter(values(tmp_path / "some.sqlite"))) == b"7"
    assert PASSWORD.encode() in [*values(tmp_path / "some.sqlite")]


def test_every_task_is_recorded_and_no_password(
    application: Application, installed: Path, tmp_path: Path
) -> None:
    run = application.deploy(
        "002",
        env={
            "PYTHONPATH": str(installed),
            "ANSIBLE_CALLBACK_PLUGINS": str(installed / "ara" / "plugins" / "callback"),
            "ARA_BASE_DIR": str(tmp_path / "ara"),
        },
        db_password=PASSWORD,
    )
    assert run.status == 0, run.output
    assert "deployed: 002" in run.output
    recorded = b"\n".join(values(tmp_path / "ara" / "ansible.sqlite"))
    for step in ("preflight", "backup", "verify_restore", "rehearse", "apply", "verify", "smoke_test"):
        assert f"pgops.runbook.{step}".encode() in recorded
    assert run.record["run_id"].encode() in recorded
    assert PASSWORD.encode() not in recorded
