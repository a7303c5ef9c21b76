# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands that a run tells, typed as they stand there."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.stories.application import Application, inventory_as_typed, prepare


@pytest.fixture
def two(application: Application) -> Iterator[Application]:
    """Two databases of one inventory, which stands in no default place."""
    second = f"{application.databases[0]}_b"
    with contextlib.closing(application.server.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {second}")
            prepare(application.server, second)
            application.databases.append(second)
            yield application
            cursor.execute(f"DROP DATABASE {second} WITH (FORCE)")


def deployed(application: Application) -> list[int]:
    """In each of the databases, whether 002 is recorded."""
    counts = []
    for name in application.databases:
        with (
            contextlib.closing(application.server.connect(name)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT count(*) FROM schema_migrations WHERE version = '002'")
            counts.append(cursor.fetchone()[0])
    return counts


def typed(application: Application, *command: str) -> Any:
    """What ansible-playbook says, word for word."""
    process = application.start(command[0], *command[1:])
    said, _ = process.communicate(timeout=300)
    return " ".join(said.split())


def test_the_rollback_that_is_told_is_of_the_database_that_was_deployed(two: Application) -> None:
    here = f"{inventory_as_typed(two.folder)} --limit {two.databases[0]}"
    assert two.deploy("002", "--limit", two.databases[1]).status == 0
    said = typed(two, "deploy.yml", "-e", "migration=002", "--limit", two.databases[0])
    told = f"Roll back: ansible-playbook emergency_rollback.yml{here} -e migration=002"
    assert told in said, said
    folder = two.artifacts / "latest"
    for name in ("report.html", "report.md"):
        assert f"emergency_rollback.yml{here} -e migration=002" in (folder / name).read_text(
            encoding="utf-8"
        ), name
    assert deployed(two) == [1, 1]
    # Whoever types it gives no inventory but that one: the one of this test is given a second time.
    words = shlex.split(told.removeprefix("Roll back: ansible-playbook "))
    said = typed(two, *words)
    assert f"rolled_back: 002 on {two.databases[0]}" in said
    assert deployed(two) == [0, 1]

    # The record is for programs and people.
    refused = typed(two, "emergency_rollback.yml", "-e", "migration=002", "--limit", two.databases[0])
    assert not re.search(r"ansible-playbook \S+\.yml (?!-i)", refused), refused


def test_the_rollback_of_several_is_of_those_that_were_deployed_by_that_command(two: Application) -> None:
    first, second = two.databases
    assert two.deploy("002", "--limit", first).status == 0
    said = typed(two, "deploy.yml", "-e", "migration=002")
    here = inventory_as_typed(two.folder)
    assert f"nothing to do 1 {first}" in said
    assert (
        f"Roll back: ansible-playbook emergency_rollback.yml{here} --limit {second} -e migration=002" in said
    ), said
