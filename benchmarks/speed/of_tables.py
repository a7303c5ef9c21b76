# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One column added in a schema of many empty tables: how long a reader and a writer of its table wait."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.bench import Bench
from benchmarks.speed.probe import Statements
from benchmarks.speed.turns import orders
from tests.integration.stories.application import Application

__all__ = ["tables"]

TEMPLATE, UNDER_TEST = "tables_template", "tables_under_test"
TABLE = (
    "CREATE TABLE t_{} (id int PRIMARY KEY, title text NOT NULL, added timestamptz NOT NULL DEFAULT now());\n"
)
RECORD = """
    CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY, description text,
                                    applied_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO schema_migrations VALUES ('001', 'tables');
"""
STATEMENTS = Statements("SELECT id FROM t_1 WHERE id = 1", "INSERT INTO t_1 (id, title) VALUES (1, '')")
# Names of files below sql_dir.
ADD, TAKE_BACK = "migrations/002_note.sql", "rollback/002_note_rollback.sql"
# What is done, one after the other: by which playbook, and by which script.
WORKS = {"deploy": ("deploy.yml", ADD), "rollback": ("emergency_rollback.yml", TAKE_BACK)}


def tables(bench: Bench, works: Sequence[str] = tuple(WORKS)) -> None:
    """Args: works: those to do, of WORKS; a rollback needs the deploy before it."""
    with bench.folder("tables_sql") as sql_dir, bench.database(TEMPLATE) as template:
        scripts = _scripts(bench.sizes.tables)
        for name, text in scripts.items():
            (sql_dir / name).parent.mkdir(exist_ok=True)
            (sql_dir / name).write_text(text, encoding="utf-8")
        bench.execute(template, scripts["migrations/001_tables.sql"] + RECORD)
        for number, order in enumerate(orders(("runbook", "psql"), bench.sizes.turns, bench.chance), 1):
            for side in order:
                with (
                    bench.folder(f"tables_{side}") as folder,
                    bench.database(UNDER_TEST, template) as database,
                ):
                    application = bench.application(database, folder, sql_dir) if side == "runbook" else None
                    for work in works:
                        with bench.waits(f"tables/{side}/{work}", database, STATEMENTS):
                            _do(bench, database, work, application, sql_dir)
            bench.say(f"turn {number} of {bench.sizes.turns}")


def _scripts(count: int) -> dict[str, str]:
    numbers = range(1, count + 1)
    return {
        "migrations/001_tables.sql": "".join(TABLE.format(number) for number in numbers),
        "rollback/001_tables_rollback.sql": "".join(f"DROP TABLE t_{number};\n" for number in numbers),
        ADD: "-- Requires: 001\nALTER TABLE t_1 ADD COLUMN note text;\n",
        TAKE_BACK: "ALTER TABLE t_1 DROP COLUMN note;\n",
    }


def _do(bench: Bench, database: str, work: str, application: Application | None, sql_dir: Path) -> None:
    """By a playbook where there is an application, else by psql."""
    playbook, script = WORKS[work]
    if application:
        bench.playbook(application, playbook, "migration=002")
    else:
        bench.programs.script(database, sql_dir / script)
