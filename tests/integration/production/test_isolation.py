# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever isolation a database, a role or a script asks for by default, no row is younger than what is kept.

A transaction of REPEATABLE READ takes its snapshot with its first query, before it has its locks: what others commit
while it waits for one is in the table that it drops, and not in what it sees.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from tests.integration.step_runs import StepRuns

LEVELS = ("repeatable read", "serializable")
FORMS = {"one transaction": "", "one by one": "-- Transaction: none\n"}


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["database", "role"])
def isolated(request: pytest.FixtureRequest, runs: StepRuns, level: str) -> Iterator[StepRuns]:
    """Runs in a database, or of a role, whose transactions are of another isolation by default."""
    setting = f"SET default_transaction_isolation = '{level}'"
    if request.param == "database":
        runs.execute(f"ALTER DATABASE {runs.database} {setting}")
        yield runs
        return
    runs.user = "isolated"
    runs.execute("CREATE ROLE isolated SUPERUSER LOGIN", f"ALTER ROLE isolated {setting}")
    yield runs
    runs.execute(f"REASSIGN OWNED BY isolated TO {runs.server.user}", "DROP OWNED BY isolated")
    runs.execute("DROP ROLE isolated")


@contextlib.contextmanager
def writing(runs: StepRuns, statement: str) -> Iterator[list[bool]]:
    """Another session writes, and commits when somebody waits for it; gives whether anybody did."""
    waited: list[bool] = []
    with contextlib.closing(runs.server.connect(runs.database)) as writer:
        with writer.cursor() as cursor:
            cursor.execute("SET default_transaction_isolation = 'read committed'")
            writer.commit()
            cursor.execute(statement)
            pid = writer.get_backend_pid()

        def commit_when_somebody_waits() -> None:
            deadline = time.monotonic() + 60
            while not waited and time.monotonic() < deadline:
                time.sleep(0.05)
                if runs.ask(f"SELECT FROM pg_stat_activity WHERE {pid} = ANY (pg_blocking_pids(pid))"):
                    waited.append(True)
            writer.commit()

        thread = threading.Thread(target=commit_when_somebody_waits)
        thread.start()
        try:
            yield waited
        finally:
            thread.join()


def deploy(runs: StepRuns) -> None:
    runs.another().deploy()


def roll_back_under_writes(runs: StepRuns, statement: str) -> None:
    run = runs.another("emergency_rollback").up_to_rollback()
    with writing(runs, statement) as waited:
        answer = run.step("emergency_rollback", lock_timeout_seconds=60, lock_attempts=1)
    assert waited
    assert not answer.get("failed"), answer
    run.conclude("rolled_back")


@pytest.mark.pairs
@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_is_committed_while_the_rollback_waits_is_kept(isolated: StepRuns, form: str) -> None:
    isolated.write(
        migrations__002_author="CREATE TABLE star (id int PRIMARY KEY, note int);"
        "ALTER TABLE notes ADD COLUMN author text;",
        rollback__002_author_rollback=FORMS[form] + "DROP TABLE star; ALTER TABLE notes DROP COLUMN author;",
    )
    deploy(isolated)
    isolated.execute("INSERT INTO star VALUES (1, 1)")
    roll_back_under_writes(
        isolated, "INSERT INTO star VALUES (2, 2); UPDATE notes SET author = 'ada' WHERE id = 1"
    )
    assert isolated.ask("SELECT to_regclass('star')") == [(None,)]
    deploy(isolated)
    assert isolated.ask("SELECT array_agg(id ORDER BY id) FROM star") == [([1, 2],)]
    assert isolated.ask("SELECT author FROM notes WHERE id = 1") == [("ada",)]


@pytest.mark.pairs
@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_is_committed_while_the_migration_waits_is_migrated(isolated: StepRuns, form: str) -> None:
    isolated.write(
        migrations__002_author=FORMS[form] + "UPDATE notes SET body = upper(body);",
        rollback__002_author_rollback="UPDATE notes SET body = lower(body);",
    )
    isolated.up_to("rehearse")
    with writing(isolated, "UPDATE notes SET body = 'eins' WHERE id = 1") as waited:
        answer = isolated.step("apply", lock_timeout_seconds=60, lock_attempts=1)
    assert waited
    assert not answer.get("failed"), answer
    assert isolated.ask("SELECT array_agg(body ORDER BY id) FROM notes") == [(["EINS", None, "DREI"],)]


@pytest.mark.parametrize(
    "sets", ["RESET ALL;", "SET default_transaction_isolation = 'serializable';"], ids=["reset", "set"]
)
def test_a_script_does_not_set_it_for_the_next_one(runs: StepRuns, sets: str) -> None:
    """The session is that of the whole run."""
    runs.execute(f"ALTER DATABASE {runs.database} SET default_transaction_isolation = 'serializable'")
    runs.write(
        migrations__002_author=f"{sets} ALTER TABLE notes ADD COLUMN author text;",
        rollback__002_author_rollback=f"{sets} ALTER TABLE notes DROP COLUMN author;",
        migrations__003_more="CREATE TABLE level AS SELECT current_setting('transaction_isolation') AS name;",
        rollback__003_more_rollback="DROP TABLE level;",
        migrations__004_one="-- Transaction: none\n"
        "INSERT INTO level VALUES (current_setting('transaction_isolation'));",
        rollback__004_one_rollback="DELETE FROM level WHERE ctid = (SELECT max(ctid) FROM level);",
        verify__004_one="SELECT current_setting('transaction_isolation') = 'read committed';",
    )
    run = runs.another(wanted="pending")
    run.up_to("verify")
    assert runs.ask("SELECT array_agg(name) FROM level") == [(["read committed", "read committed"],)]
