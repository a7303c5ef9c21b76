# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A proven backup takes the place of the live database, with the ledger, and with consent with the rows since."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg2 import sql
from step_runs import StepRuns


def replaced(runs: StepRuns) -> list[str]:
    found = runs.ask(
        f"SELECT datname FROM pg_database WHERE datname LIKE '{runs.database}\\_before\\_%' ORDER BY 1"
    )
    return [name for (name,) in found]


@pytest.fixture
def deployed(runs: StepRuns) -> Iterator[StepRuns]:
    """002 is deployed; what restores leave is removed."""
    runs.up_to("verify")
    runs.steps("smoke_test")
    runs.conclude()
    yield runs
    for name in replaced(runs):
        StepRuns(runs.server, "postgres", runs.folder).execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )


class Restore:
    """A restore of the backup of a run, step by step."""

    def __init__(self, runs: StepRuns, source: str | None = None) -> None:
        self.run = runs.another("restore")
        self.source = runs.run_id if source is None else source

    def step(self, name: str, **options) -> dict:
        if name == "preflight":
            options.setdefault("source_run_id", self.source)
        return self.run.step(name, **options)

    def up_to(self, last: str, **options) -> dict:
        names = ("preflight", "restore", "count_rows", "swap", "smoke_test")
        answer: dict = {}
        for name in names[: names.index(last) + 1]:
            answer = self.step(name, **(options if name == "swap" else {}))
            assert not answer.get("failed"), f"{name}: {answer.get('msg')}"
        return answer


def test_the_backup_takes_the_place_of_the_live_database(deployed: StepRuns) -> None:
    deployed.execute(
        "INSERT INTO notes (body, author) VALUES ('since', 'ada')",
        "UPDATE notes SET body = 'uno' WHERE id = 1",
        "DELETE FROM notes WHERE id = 3",
    )
    before = deployed.ask("SELECT * FROM notes ORDER BY id")
    chain = deployed.ask("SELECT position, digest FROM runbook.receipt ORDER BY 1")
    restore = Restore(deployed)
    counted = restore.up_to("count_rows")["outputs"]["rows"]
    expected = {"public.notes": {"added": 1, "changed": 1, "deleted": 1}}
    assert counted["tables"] == expected
    swap = restore.step("swap")
    assert not swap.get("failed"), swap
    assert swap["outputs"]["rows"]["tables"] == expected
    assert swap["outputs"]["rows"]["only_live"]["columns"] == {"public.notes.author": 1}
    assert deployed.ask("SELECT * FROM notes ORDER BY id") == [(1, "one"), (2, None), (3, "drei")]
    assert deployed.ask("SELECT version FROM schema_migrations") == [("001",)]
    assert deployed.ask("SELECT nextval('notes_id_seq')") == [(5,)], "no number is given out twice"
    assert replaced(deployed) == [swap["outputs"]["replaced"]]
    old = StepRuns(deployed.server, swap["outputs"]["replaced"], deployed.folder)
    assert old.ask("SELECT * FROM notes ORDER BY id") == before, "the replaced database can be read"
    restore.up_to_end = restore.step("smoke_test")
    assert not restore.up_to_end.get("failed"), restore.up_to_end
    restore.run.conclude("restored")
    found = deployed.ask("SELECT position, digest FROM runbook.receipt ORDER BY 1")
    assert found[: len(chain)] == chain, "the ledger of the live database goes on in the restored one"
    assert len(found) == len(chain) + 5
    assert deployed.ask("SELECT outcome FROM runbook.run ORDER BY started") == [("deployed",), ("restored",)]
    # And the migration can be deployed again: neither drift nor a half truth in the ledger is in its way.
    again = deployed.another()
    again.up_to("verify")
    assert deployed.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]
