# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of the module tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local_server import LocalServer
from tests.integration.restore_runs import drop_beside, drop_what_restores_left
from tests.integration.step_runs import StepRuns
from tests.tls_server import TlsServer, programs_with_tls, tls_server


@pytest.fixture
def runs(server: LocalServer, database: str, tmp_path: Path) -> StepRuns:
    """A database with one table, recorded as 001, and a migration 002 that adds a column to it."""
    made = StepRuns(server, database, tmp_path)
    made.write(
        migrations__001_notes="CREATE TABLE notes (id serial PRIMARY KEY, body text);",
        rollback__001_notes_rollback="DROP TABLE notes;",
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text;",
        rollback__002_author_rollback="ALTER TABLE notes DROP COLUMN author;",
    )
    made.execute(
        "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
        "INSERT INTO schema_migrations VALUES ('001')",
        "CREATE TABLE notes (id serial PRIMARY KEY, body text)",
        "INSERT INTO notes (body) VALUES ('one'), (NULL), ('drei')",
    )
    return made


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A server that asks for TLS and a client's certificate."""
    programs = programs_with_tls()
    if programs is None:
        pytest.skip("no PostgreSQL that was built with TLS is installed")
    with tls_server(tmp_path_factory.mktemp("tls"), programs) as started:
        yield started


@pytest.fixture
def deployed(runs: StepRuns) -> StepRuns:
    """A database in which the runbook has deployed 002, and a migration 003 that is next."""
    runs.deploy()
    runs.write(
        migrations__003_tag="ALTER TABLE notes ADD COLUMN tag text;",
        rollback__003_tag_rollback="ALTER TABLE notes DROP COLUMN tag;",
    )
    return runs


@pytest.fixture
def admin(runs: StepRuns) -> StepRuns:
    """Statements in the maintenance database of a server on which no earlier test has left a copy."""
    statements = StepRuns(runs.server, "postgres", runs.folder)
    drop_beside(statements)
    return statements


@pytest.fixture
def proven(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """A run whose backup was proven and that has ended; what restores leave is removed."""
    runs.up_to("verify_restore")
    runs.conclude("failed")
    yield runs
    drop_what_restores_left(admin, runs.database)
