# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server of its own for the copies: another one than production's, which can hold what production has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.rehearsal_server import (
    _missing_libraries,
    _other_version,
)

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns, target
from tests.own_server import own_server
from tests.streaming import Standby


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with own_server(tmp_path_factory.mktemp("rehearsal")) as server:
        yield server


@pytest.fixture
def with_roles(runs: StepRuns) -> Iterator[StepRuns]:
    """Production names three roles, each in another way, and has an extension."""
    runs.execute(
        "CREATE ROLE owner_of_notes",
        'CREATE ROLE "May Read"',
        "CREATE ROLE of_policy",
        "CREATE ROLE of_nothing",
        "ALTER TABLE notes OWNER TO owner_of_notes",
        'GRANT SELECT ON notes TO "May Read"',
        "CREATE POLICY own ON notes TO of_policy USING (true)",
        "CREATE EXTENSION citext",
    )
    yield runs
    runs.execute(
        'DROP OWNED BY owner_of_notes, "May Read", of_policy CASCADE',
        'DROP ROLE owner_of_notes, "May Read", of_policy, of_nothing',
    )


def test_production_s_own_server_is_none(runs: StepRuns) -> None:
    answer = runs.step("preflight", copy_target=target(runs.server, "postgres"), rehearsal_host="rehearsal1")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "rehearsal_server_is_production")
    assert "Group rehearsal names rehearsal1" in answer["msg"]
    assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]


@pytest.fixture
def clone(runs: StepRuns) -> Iterator[Standby]:
    """A standby of production's server, made by pg_basebackup: it has the same system identifier."""
    with Standby(runs.server, "rehearsal1") as made:
        yield made


def test_a_clone_of_production_s_server_is_another_one(runs: StepRuns, clone: Standby) -> None:
    there = {"copy_target": {**target(runs.server, "postgres"), "login_port": clone.port}}
    answer = runs.step("preflight", **there, rehearsal_host="rehearsal1")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "rehearsal_server_unusable")
    assert answer["details"]["obstacles"] == ["it is a standby, in which no database can be made"]
    clone.promote()
    runs.must("preflight", **there, rehearsal_host="rehearsal1")
    runs.steps("maintenance_window", "backup")
    copies = "SELECT count(*) FROM pg_database WHERE datname LIKE 'runbook_copy%'"
    before = runs.ask(copies)
    runs.must("verify_restore", **there)
    assert runs.ask(copies) == before, "the copy is on the clone"
    runs.must("rehearse", **there)
    runs.must("apply")


def test_roles_that_are_missing_there_are_named_with_what_makes_them(
    with_roles: StepRuns, other: LocalServer
) -> None:
    there = {"copy_target": target(other, "postgres"), "rehearsal_host": "rehearsal1"}
    answer = with_roles.step("preflight", **there)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "rehearsal_server_unusable")
    (obstacle,) = answer["details"]["obstacles"]
    commands = obstacle.split("there, type: ")[1].split("; ")
    assert commands == ['CREATE ROLE "May Read"', 'CREATE ROLE "of_policy"', 'CREATE ROLE "owner_of_notes"']
    on_other = StepRuns(other, "postgres", with_roles.folder)
    on_other.execute(*commands)
    assert with_roles.step("preflight", **there).get("failed") is not True


def test_a_tablespace_that_is_missing_there_is_named(
    runs: StepRuns, admin: StepRuns, other: LocalServer
) -> None:
    in_place = ("SET allow_in_place_tablespaces = on", "CREATE TABLESPACE \"Fast disk\" LOCATION ''")
    there = {"copy_target": target(other, "postgres"), "rehearsal_host": "rehearsal1"}
    on_other = StepRuns(other, "postgres", runs.folder)
    admin.execute(*in_place)
    try:
        runs.execute('CREATE TABLE archive (id int) TABLESPACE "Fast disk"')
        answer = runs.step("preflight", **there)
        assert (answer["outcome"], answer["reason_code"]) == ("refused", "rehearsal_server_unusable")
        (obstacle,) = answer["details"]["obstacles"]
        assert obstacle.endswith("there, type: CREATE TABLESPACE \"Fast disk\" LOCATION '...'")
        on_other.execute(*in_place)
        runs.must("preflight", **there)
    finally:
        runs.execute("DROP TABLE archive")
        admin.execute('DROP TABLESPACE "Fast disk"')
        on_other.execute('DROP TABLESPACE IF EXISTS "Fast disk"')


def test_a_library_that_sessions_there_cannot_load_is_named(
    runs: StepRuns, admin: StepRuns, other: LocalServer
) -> None:
    with (
        contextlib.closing(runs.server.connect(runs.database)) as here,
        contextlib.closing(other.connect("postgres")) as there,
        here.cursor() as cursor,
        there.cursor() as copy_cursor,
    ):
        # Production has it as long as this test's session lasts, which began before.
        admin.execute(
            f'ALTER DATABASE {runs.database} SET session_preload_libraries = auto_explain, "no such"'
        )
        (obstacle,) = _missing_libraries(cursor, copy_cursor)
    assert obstacle.endswith("session_preload_libraries of production's database names: no such")


def test_the_backup_is_proven_and_the_migration_rehearsed_there(runs: StepRuns, other: LocalServer) -> None:
    there = {"copy_target": target(other, "postgres")}
    runs.must("preflight", **there, rehearsal_host="rehearsal1")
    runs.must("maintenance_window")
    runs.must("backup", pg_bindir=runs.server.bindir)
    runs.must("verify_restore", **there, pg_bindir=runs.server.bindir)
    copies = "SELECT count(*) FROM pg_database WHERE datname LIKE 'runbook_copy%'"
    assert StepRuns(other, "postgres", runs.folder).ask(copies) == [(1,)]
    assert runs.ask(copies) == [(0,)]
    runs.must("rehearse", **there)
    runs.must("apply")
    assert StepRuns(other, "postgres", runs.folder).ask(copies) == [(0,)]


@pytest.mark.parametrize(
    ("production", "there", "lines"),
    [
        (180001, 180003, []),
        (170009, 180001, ["it has PostgreSQL 18, and production 17"]),
        (180001, 150018, ["it has PostgreSQL 15, and production 18"]),
    ],
)
def test_a_minor_version_may_differ(production: int, there: int, lines: list[str]) -> None:
    assert _other_version(production, there) == lines
