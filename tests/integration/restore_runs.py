# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores step by step, for the tests that put backups back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from psycopg2 import sql

from tests.integration.step_runs import StepRuns


class Restore:
    """A restore of the backup of a run, step by step."""

    def __init__(self, runs: StepRuns, source: str | None = None) -> None:
        self.run = runs.another("restore")
        self.source = runs.run_id if source is None else source

    def step(self, name: str, **options: Any) -> dict:
        if name == "preflight":
            options.setdefault("source_run_id", self.source)
        return self.run.step(name, **options)

    def steps(self, *names: str, **options: Any) -> dict:
        answer: dict = {}
        for name in names:
            answer = self.step(name, **(options if name == "swap" else {}))
            assert not answer.get("failed"), f"{name}: {answer.get('msg')}"
        return answer


def slow_check(role: str) -> str:
    """A statement: a check that waits while a role of this name exists, in a database that is being restored only."""
    return f"""
    CREATE FUNCTION slow(text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        WHILE current_database() LIKE 'runbook\\_restore%'
              AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{role}') LOOP
            PERFORM pg_catalog.pg_sleep(0.05);
        END LOOP;
        RETURN true;
    END $$;
    ALTER TABLE notes ADD CHECK (slow(body))"""


def replaced(admin: StepRuns, database: str) -> list[str]:
    """Databases that restores have replaced."""
    rows = admin.ask("SELECT datname FROM pg_database WHERE datname LIKE '%\\_before\\_%' ORDER BY 1")
    heads = {name: name.rpartition("_before_")[0] for (name,) in rows}
    return [
        name
        for name, head in heads.items()
        if head == database or (len(head.encode()) > 30 and database.startswith(head))
    ]


def beside(admin: StepRuns) -> list[str]:
    """Databases that the runbook has made and not dropped."""
    rows = admin.ask("SELECT datname FROM pg_database WHERE datname LIKE 'runbook\\_%' ORDER BY 1")
    return [name for (name,) in rows]


def closed(admin: StepRuns, database: str) -> bool:
    """Whether a database lets nobody in."""
    return (database, False) in admin.ask("SELECT datname, datallowconn FROM pg_database")


def drop_what_restores_left(admin: StepRuns, database: str) -> None:
    """Let everybody in again, and drop what was replaced or is left beside."""
    admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(database)))
    for name in replaced(admin, database):
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    drop_beside(admin)


def drop_beside(admin: StepRuns) -> None:
    """Drop what runs that did not go to their end have left."""
    for name in beside(admin):
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def wait_for(what: Callable[[], object]) -> object:
    deadline = time.monotonic() + 60
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found
