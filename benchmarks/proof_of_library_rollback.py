# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole library taken back to an empty database by one rollback, and deployed again: is every row there?"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

from psycopg2 import sql

from benchmarks.library_database import library_database
from benchmarks.measurement import Measurement, first_of
from benchmarks.module_runs import ModuleRun
from demo.local_server import LocalServer

__all__ = ["measure"]

PROJECT = Path(__file__).resolve().parent.parent
WHAT = "rows of the library, all of whose migrations are rolled back and deployed again"

TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('public', 'normalized_filenames') AND c.relname <> 'schema_migrations'
    ORDER BY 1, 2"""


def measure(
    server: LocalServer,
    files: int,
    say: Callable[[str], None],
    restore_salvage: bool = True,
    stems: Collection[str] = (),
) -> Measurement:
    """Roll everything back with ``cascade=true``, deploy ``migration=pending``, and compare every row.

    Args:
        server: LocalServer.
        files: of the library.
        restore_salvage: whether the deploys put back what the rollback kept; without, rows must be found missing.
        stems: only these of the library's migrations, and without its smoke tests; all of them where none is named.
    """
    with (
        tempfile.TemporaryDirectory(prefix="proof-library-") as folder,
        library_database(server, "library_back", files, stems) as name,
    ):
        _link_scripts(Path(folder) / "sql", stems)
        before = _rows(server, name)
        try:
            kept = _roll_all_back(server, name, Path(folder))
            say(f"{kept} rows kept, {sum(map(sum_of, _rows(server, name).values()))} left")
            _deploy_all(server, name, Path(folder), restore_salvage)
        except RuntimeError as error:
            return Measurement(WHAT, sum(map(sum_of, before.values())), 0, 1, notes=[str(error)])
        after = _rows(server, name)
    missing = {table: rows - after.get(table, Counter()) for table, rows in before.items()}
    more = {table: rows - before.get(table, Counter()) for table, rows in after.items()}
    problems = [
        f"{table}: {sum_of(rows)} rows {words}"
        for words, found in (("are missing or changed", missing), ("are new or changed", more))
        for table, rows in found.items()
        if rows
    ]
    tried = sum(map(sum_of, before.values()))
    notes = [f"{files} files; {kept} rows and values were kept in the meantime", *first_of(problems)]
    lost = sum(map(sum_of, missing.values()))
    return Measurement(WHAT, tried, tried - lost, tried, holds=not problems, notes=notes)


def _link_scripts(sql_dir: Path, stems: Collection[str]) -> None:
    if not stems:
        sql_dir.symlink_to(PROJECT / "sql")
        return
    for kind, ending in (("migrations", ""), ("rollback", "_rollback"), ("verify", "")):
        (sql_dir / kind).mkdir(parents=True)
        for stem in stems:
            name = f"{stem}{ending}.sql"
            (sql_dir / kind / name).symlink_to(PROJECT / "sql" / kind / name)


def sum_of(rows: Counter) -> int:
    """How many rows."""
    return sum(rows.values())


def _rows(server: LocalServer, name: str) -> dict[str, Counter]:
    """table -> every row as PostgreSQL writes it, with the number of its equals."""
    found = {}
    with contextlib.closing(server.connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        for table in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT md5(t::text) FROM {} t").format(sql.Identifier(*table)))
            found[".".join(table)] = Counter(digest for (digest,) in cursor.fetchall())
    return found


def _roll_all_back(server: LocalServer, name: str, folder: Path) -> int:
    """How many rows and values were kept."""
    run = ModuleRun(server, name, folder, "20260101T000000Z-back", "emergency_rollback", "001")
    run.step("preflight", cascade=True)
    run.step("backup", purpose="emergency", pg_bindir=server.bindir)
    done = run.step("emergency_rollback")
    run.step("smoke_test")
    run.step("announce", outcome="rolled_back")
    return sum(item["rows"] for one in done["migrations"] for item in one["salvage"])


def _deploy_all(server: LocalServer, name: str, folder: Path, restore_salvage: bool) -> None:
    run = ModuleRun(server, name, folder, "20260102T000000Z-again", "deploy", "pending")
    for step in ("preflight", "maintenance_window", "backup", "verify_restore"):
        run.step(step)
    for step in ("rehearse", "apply"):
        run.step(step, restore_salvage=restore_salvage)
    for step in ("verify", "smoke_test"):
        run.step(step)
    run.step("announce", outcome="deployed")
