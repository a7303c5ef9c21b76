# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server that compiles what it deems dear compiles nothing of the runbook's: see jit in OUR_SETTINGS.

The server of the tests is built without a compiler, as those of packages are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local_server import SUPERUSER, LocalServer
from tests.integration.step_runs import StepRuns
from tests.releases import programs_by_release

COMPILED = """
    SELECT query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
    WHERE s.jit_functions > 0 AND d.datname = 'application'"""


def _compiles(programs: Path) -> bool:
    return (programs.parent / "lib" / "llvmjit.so").exists()


@pytest.fixture
def compiling(tmp_path: Path) -> Iterator[LocalServer]:
    """A server that compiles what costs a hundredth of what it usually would, and counts what."""
    programs = next((one for one in programs_by_release().values() if _compiles(one)), None)
    if programs is None:
        pytest.skip("no server that compiles is installed (Debian's package postgresql is one)")
    server = LocalServer(tmp_path / "server", fsync=False, programs=programs, roles=(SUPERUSER,))
    try:
        server.start()
        admin = StepRuns(server, "postgres", tmp_path)
        admin.execute(
            "ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements",
            "ALTER SYSTEM SET jit_above_cost = 1000",
        )
        server.stop()
        server.start()
        admin.execute("CREATE DATABASE application")
        yield server
    finally:
        server.remove()


def test_only_what_a_script_says_is_compiled(compiling: LocalServer, tmp_path: Path) -> None:
    runs = StepRuns(compiling, "application", tmp_path, migration="001")
    runs.write(
        migrations__001_notes="CREATE TABLE notes (scripts_own bigint);\n"
        "INSERT INTO notes (scripts_own) SELECT count(*) FROM pg_class a, pg_class b;",
        rollback__001_notes_rollback="DROP TABLE notes;",
    )
    runs.execute(
        "CREATE EXTENSION pg_stat_statements", "CREATE TABLE schema_migrations (version text PRIMARY KEY)"
    )
    preflight = _compiled_in(runs, "preflight")
    runs.steps("maintenance_window", "backup", "verify_restore")  # pg_dump has its own questions compiled
    deploy = _compiled_in(runs, "rehearse", "apply", "verify")
    runs.conclude()
    back = runs.another("emergency_rollback", "001")
    back.steps("preflight")
    back.must("backup", purpose="emergency", kind="salvage")
    rollback = _compiled_in(back, "emergency_rollback")

    assert any("scripts_own" in one for one in deploy)
    assert {one for one in preflight | deploy | rollback if "scripts_own" not in one} == set()


def _compiled_in(runs: StepRuns, *steps: str) -> set[str]:
    runs.execute("SELECT pg_stat_statements_reset()")
    runs.steps(*steps)
    return {query for (query,) in runs.ask(COMPILED)}
