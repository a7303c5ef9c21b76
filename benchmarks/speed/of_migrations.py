# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All ten migrations on an empty database, beside psql and the tools that are installed."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speed.bench import PROJECT, Bench
from benchmarks.speed.tools import seconds_of_tool, tools_at_hand
from benchmarks.speed.turns import orders

__all__ = ["migrations"]

UNDER_TEST = "migrations_under_test"
SCRIPTS = sorted((PROJECT / "sql" / "migrations").glob("*.sql"))


def migrations(bench: Bench) -> None:
    sides = ["runbook", "psql", *tools_at_hand()]
    for number, order in enumerate(orders(sides, bench.sizes.turns, bench.chance), 1):
        for side in order:
            with bench.folder(f"migrations_{side}") as folder, bench.database(UNDER_TEST) as database:
                _apply_all(bench, side, database, folder)
        bench.say(f"turn {number} of {bench.sizes.turns}, {', '.join(order)}")


def _apply_all(bench: Bench, side: str, database: str, folder: Path) -> None:
    if side == "runbook":
        done = bench.playbook(bench.application(database, folder), "deploy.yml", "migration=pending")
        bench.add({"migrations/runbook/all": done.seconds, "migrations/runbook/apply": done.steps["apply"]})
    elif side == "psql":
        bench.add({"migrations/psql": sum(bench.programs.script(database, script) for script in SCRIPTS)})
    else:
        seconds = seconds_of_tool(side, bench.server, database, folder, SCRIPTS)
        bench.add({f"migrations/{side}": seconds})
