# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The chain over SSH against three hosts with addresses of their own, as a user with no other rights, on their servers.

The hosts have the system's Python and PostgreSQL, and not those of the project.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.stories.application import FOREIGN_VARIABLES, PREPARED, PROJECT, Run, write_scripts
from tests.integration.stories.network_hosts import LOGIN, NetworkHosts, NetworkUnusable

HOSTS = ("db1", "db2", "db3")


@pytest.fixture(scope="module")
def network() -> Iterator[NetworkHosts]:
    try:
        made = NetworkHosts(HOSTS)
    except NetworkUnusable as error:
        pytest.skip(f"hosts of their own addresses: {error}")
    yield made
    made.stop()


class Fleet:
    """A database of the application on each host, and playbook runs on all of them."""

    def __init__(self, network: NetworkHosts, folder: Path, database: str) -> None:
        self.network, self.folder, self.database = network, folder, database
        self.sql_dir = write_scripts(folder / "sql")
        self.backups = network.folder / f"backups-{database}"
        for host in HOSTS:
            with contextlib.closing(network.connect(host, "postgres")) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute(f'CREATE DATABASE "{database}"')
            self.execute(host, PREPARED)

    def execute(self, host: str, statement: str, database: str | None = None) -> list[tuple]:
        with (
            contextlib.closing(self.network.connect(host, database or self.database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def run(self, playbook: str, *arguments: str) -> Run:
        inventory = {
            "databases": {
                "hosts": {host: self.network.variables(host) for host in HOSTS},
                "vars": {
                    "db_name": self.database,
                    "sql_dir": str(self.sql_dir),
                    "backup_dir": str(self.backups),
                    "artifacts_dir": str(self.folder / "artifacts"),
                },
            }
        }
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(path), playbook, *arguments],
            cwd=PROJECT,
            env={name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout + done.stderr, self.folder / "artifacts")

    def records(self, playbook: str) -> dict[str, dict[str, Any]]:
        """The newest run.json of each host's runs of a playbook."""
        found = {}
        for path in sorted((self.folder / "artifacts").glob("*/run.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            if not path.parent.is_symlink() and record["playbook"] == playbook:
                found[record["target"]] = record
        return found

    def has_column(self, host: str) -> bool:
        return bool(
            self.execute(
                host,
                "SELECT attnum FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'author'",
            )
        )


@pytest.fixture
def fleet(network: NetworkHosts, tmp_path: Path, request: pytest.FixtureRequest) -> Fleet:
    return Fleet(network, tmp_path, request.node.name[:40])


def outcomes(records: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {host: record["outcome"] for host, record in records.items()}


def test_deployed_and_taken_back_on_all_three_and_deployed_again_on_one(fleet: Fleet) -> None:
    run = fleet.run("deploy.yml", "-e", "migration=002")
    assert run.status == 0, run.output
    assert outcomes(fleet.records("deploy")) == dict.fromkeys(HOSTS, "deployed")
    identities = {record["steps"][0]["receipt"] for record in fleet.records("deploy").values()}
    assert len(identities) == len(HOSTS)
    assert all(fleet.has_column(host) for host in HOSTS)
    for host in HOSTS:
        fleet.execute(host, f"UPDATE notes SET author = '{host}' WHERE id = 1")

    run = fleet.run("emergency_rollback.yml", "-e", "migration=002")
    assert run.status == 0, run.output
    assert outcomes(fleet.records("emergency_rollback")) == dict.fromkeys(HOSTS, "rolled_back")
    assert not any(fleet.has_column(host) for host in HOSTS)

    run = fleet.run("deploy.yml", "-e", "migration=002", "--limit", "db1")
    assert run.status == 0, run.output
    assert fleet.execute("db1", "SELECT author FROM notes WHERE id = 1") == [("db1",)]
    assert not fleet.has_column("db2")
    for host in HOSTS:
        left = fleet.execute(
            host, "SELECT datname FROM pg_database WHERE datname LIKE 'runbook%'", "postgres"
        )
        assert left == []
    made = [path for path in fleet.backups.rglob("*") if path.owner() != LOGIN or path.stat().st_mode & 0o077]
    assert made == [], "of the unprivileged user, and readable by nobody else"


def test_a_host_that_is_cut_off_is_named_and_the_others_stand(fleet: Fleet) -> None:
    """The last test of this file: the host stays cut off. A connection to it is open, and ssh would wait for ever."""
    assert fleet.run("playbooks/status.yml").status == 0
    fleet.network.cut_off("db3")
    run = fleet.run("deploy.yml", "-e", "migration=002")
    assert run.status != 0
    found = fleet.records("deploy")
    assert outcomes(found) == {"db1": "deployed", "db2": "deployed", "db3": "refused"}, run.output
    assert found["db3"]["reason_code"] == "host_unreachable"
    assert "Host db3 could not be reached during step preflight" in found["db3"]["reason"]
    assert (fleet.has_column("db1"), fleet.has_column("db2")) == (True, True)
