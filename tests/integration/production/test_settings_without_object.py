# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of databases and roles that name what is not there: where psql goes on, so does a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.restore.properties import read_properties

from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns

# What ALTER ... SET takes with a notice, whatever there is; a session that sets it itself gets an error.
OF_DATABASE = (
    "temp_tablespaces = nosuch, pg_default",
    "default_tablespace = nosuch",
    "default_table_access_method = nosuch",
)
OF_ROLE = ("default_text_search_config = 'nosuch.english'", "temp_tablespaces = nosuch")

# What it refuses, so that it was there once: locales that the system has lost, parameters and words of older releases.
LOST = ("lc_time=xx_XX", "lc_messages=xx_XX", "gone_parameter=1", "DateStyle=nosuch")


@pytest.fixture
def elsewhere(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """A database with all of them, and its role with some everywhere."""
    role, everywhere = runs.server.user, "ALTER ROLE {} {} temp_tablespaces"
    admin.execute(
        *(f"ALTER DATABASE {runs.database} SET {one}" for one in OF_DATABASE),
        *(f"ALTER ROLE {role} IN DATABASE {runs.database} SET {one}" for one in OF_ROLE),
        everywhere.format(role, "SET") + " = nowhere",
        f"UPDATE pg_db_role_setting SET setconfig = setconfig || ARRAY{list(LOST)}::text[] WHERE setrole = 0 AND"
        f" setdatabase = (SELECT oid FROM pg_database WHERE datname = '{runs.database}')",
    )
    yield runs
    admin.execute(everywhere.format(role, "RESET"))
    drop_what_restores_left(admin, runs.database)


def test_a_deploy_and_a_restore_go_on_without_them(elsewhere: StepRuns) -> None:
    elsewhere.write(
        verify__002_author="SELECT current_setting('temp_tablespaces') = 'nosuch';",
    )
    elsewhere.deploy()
    restore = Restore(elsewhere)
    restore.steps("preflight", "restore", "count_rows", "swap")
    restore.run.conclude("restored")
    with (
        contextlib.closing(elsewhere.server.connect(elsewhere.database)) as connection,
        connection.cursor() as cursor,
    ):
        settings = read_properties(cursor, elsewhere.database)["settings"]
    role = elsewhere.server.user
    # What the server does not take is not in the restored database.
    assert settings == [
        [None, "default_table_access_method", "nosuch"],
        [None, "default_tablespace", "nosuch"],
        [None, "temp_tablespaces", "nosuch, pg_default"],
        [role, "default_text_search_config", "nosuch.english"],
        [role, "temp_tablespaces", "nosuch"],
    ]


def test_the_runbooks_own_tables_are_in_the_databases_tablespace(runs: StepRuns, admin: StepRuns) -> None:
    admin.execute(
        "SET allow_in_place_tablespaces = on",
        "CREATE TABLESPACE fast LOCATION ''",
        f"ALTER DATABASE {runs.database} SET default_tablespace = fast",
        f"ALTER DATABASE {runs.database} SET temp_tablespaces = fast",
    )
    try:
        runs.must("preflight")
        runs.conclude("failed")
        in_it = "SELECT count(*) FROM pg_class c JOIN pg_tablespace t ON t.oid = reltablespace WHERE spcname = 'fast'"
        assert runs.ask(in_it) == [(0,)]
    finally:
        admin.execute(f"ALTER DATABASE {runs.database} RESET ALL", "DROP TABLESPACE fast")
