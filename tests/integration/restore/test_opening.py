# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the live database can be replaced, and by this role: said before anything is restored."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from ansible_collections.pgops.runbook.plugins.module_utils.restore import opening
from ansible_collections.pgops.runbook.plugins.module_utils.restore.opening import (
    check_replaceable,
    open_restore,
    refuse_missing_database,
)
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.restore_runs import Restore
from tests.integration.step_runs import StepRuns, target


@pytest.fixture
def keeper(runs: StepRuns, admin: StepRuns) -> Iterator[str]:
    """A role that owns the database and may create others: just what is needed."""
    admin.execute(
        "CREATE ROLE keeper LOGIN CREATEDB",
        'CREATE ROLE "Odd; owner"',
        f"ALTER DATABASE {runs.database} OWNER TO keeper",
    )
    yield "keeper"
    admin.execute(f"ALTER DATABASE {runs.database} OWNER TO CURRENT_USER")
    runs.user = None
    runs.execute('DROP OWNED BY keeper, "Odd; owner" CASCADE', 'DROP ROLE keeper, "Odd; owner"')


def check(runs: StepRuns, user: str, host: str | None = None) -> dict:
    place = target(runs.server, runs.database)
    with (
        contextlib.closing(
            psycopg2.connect(host=runs.server.host, port=runs.server.port, user=user, dbname=runs.database)
        ) as connection,
        connection.cursor() as cursor,
    ):
        return check_replaceable(cursor, {**place, "login_host": host or place["login_host"]})


def refusal(runs: StepRuns, user: str) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        check(runs, user)
    return caught.value.code, caught.value.reason


# Rights ------------------------------------------------------------------------------------------------


def test_an_owner_that_may_create_databases_is_enough(runs: StepRuns, keeper: str) -> None:
    found = check(runs, keeper)
    assert found["database_bytes"] > 0
    assert (found["slots"], found["subscriptions"]) == ([], [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            "ALTER ROLE keeper NOCREATEDB",
            'Role keeper may not create and rename databases. A superuser types: ALTER ROLE "keeper" CREATEDB',
        ),
        (
            "ALTER DATABASE {database} OWNER TO CURRENT_USER",
            "Role keeper may not rename database {database}, which belongs to {user}. {user} is a superuser, of whom"
            " nobody is made a member: the database needs an owner who is none, or a superuser types this command as"
            ' db_user. A superuser types: ALTER DATABASE "{database}" OWNER TO "keeper"',
        ),
        (
            'ALTER DATABASE {database} OWNER TO "Odd; owner"',
            "Role keeper may not rename database {database}, which belongs to Odd; owner. Whoever may, types: GRANT"
            ' "Odd; owner" TO "keeper"',
        ),
    ],
)
def test_a_right_that_is_missing_is_named_with_its_statement(
    runs: StepRuns, admin: StepRuns, keeper: str, change: str, reason: str
) -> None:
    names = {"database": runs.database, "user": runs.server.user}
    admin.execute(change.format(**names))
    assert refusal(runs, keeper) == ("role_lacks_privilege", reason.format(**names))
    assert check(runs, runs.server.user), "a superuser lacks none"
    admin.execute(reason.format(**names).split(" types: ")[-1])
    assert check(runs, keeper), "what is named is all that it needs"


def test_the_owner_of_the_application_is_named_where_the_role_may_act_as_it(
    runs: StepRuns, admin: StepRuns, keeper: str
) -> None:
    runs.execute(
        f"ALTER DATABASE {runs.database} OWNER TO CURRENT_USER", 'ALTER TABLE notes OWNER TO "Odd; owner"'
    )
    assert refusal(runs, keeper)[1].endswith(f'ALTER DATABASE "{runs.database}" OWNER TO "keeper"')
    runs.execute('GRANT "Odd; owner" TO keeper')
    command = refusal(runs, keeper)[1].split(" types: ")[-1]
    assert command == f'ALTER DATABASE "{runs.database}" OWNER TO "Odd; owner"'
    admin.execute(command)
    assert check(runs, keeper)


def test_a_member_that_may_not_set_the_role_could_not_give_the_database_to_it(
    runs: StepRuns, admin: StepRuns, keeper: str
) -> None:
    admin.execute(
        f'ALTER DATABASE {runs.database} OWNER TO "Odd; owner"', 'GRANT "Odd; owner" TO keeper WITH SET FALSE'
    )
    command = refusal(runs, keeper)[1].split(" types: ")[-1]
    assert command == 'GRANT "Odd; owner" TO "keeper" WITH INHERIT TRUE, SET TRUE'
    admin.execute(command)
    assert check(runs, keeper)


def test_a_deploy_says_what_a_restore_would_lack_and_goes_on(
    runs: StepRuns, admin: StepRuns, keeper: str
) -> None:
    runs.execute(
        f"ALTER DATABASE {runs.database} OWNER TO CURRENT_USER",
        f"GRANT CREATE ON DATABASE {runs.database} TO keeper",
        "ALTER TABLE notes OWNER TO keeper",
        "ALTER TABLE schema_migrations OWNER TO keeper",
    )
    runs.user = keeper
    said = "A restore of this database would be refused (playbooks/restore.yml), should it ever be needed: Role keeper"
    warned = str(runs.must("preflight")["warnings"])
    assert said in warned
    assert f'ALTER DATABASE "{runs.database}" OWNER TO "keeper"' in warned
    runs.conclude("failed")
    admin.execute(f"ALTER DATABASE {runs.database} OWNER TO keeper")
    assert said not in str(runs.another().must("preflight").get("warnings"))
    runs.user = None


def test_a_member_of_the_owner_is_enough_too(runs: StepRuns, admin: StepRuns, keeper: str) -> None:
    admin.execute("CREATE ROLE member LOGIN CREATEDB IN ROLE keeper")
    try:
        assert check(runs, "member")
    finally:
        admin.execute("DROP ROLE member")


def test_sessions_that_it_may_not_end_are_named(runs: StepRuns, admin: StepRuns, keeper: str) -> None:
    admin.execute("CREATE ROLE app LOGIN")
    try:
        with contextlib.closing(
            psycopg2.connect(host=runs.server.host, port=runs.server.port, user="app", dbname=runs.database)
        ):
            code, reason = refusal(runs, keeper)
            assert (code, "may not end the sessions of app" in reason) == ("role_lacks_privilege", True)
            assert reason.endswith('GRANT pg_signal_backend TO "keeper"')
            admin.execute("GRANT pg_signal_backend TO keeper")
            assert check(runs, keeper)
            with contextlib.closing(runs.server.connect(runs.database)):
                code, reason = refusal(runs, keeper)
                assert code == "role_lacks_privilege"
                assert f"Superuser {runs.server.user} has sessions in this database" in reason
                assert check(runs, runs.server.user)
    finally:
        admin.execute("DROP ROLE app")


# Room --------------------------------------------------------------------------------------------------


def test_room_is_looked_for_on_the_disk_of_this_machine_only(runs: StepRuns, keeper: str) -> None:
    found = check(runs, runs.server.user)
    assert found["room_bytes"] > found["database_bytes"]
    assert check(runs, runs.server.user, "db.example.org")["room_bytes"] is None
    assert check(runs, keeper)["room_bytes"] is None, "it is not told where the data lies"


def test_a_service_may_lead_to_another_machine(
    runs: StepRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = tmp_path / "services"
    services.write_text(
        f"[far]\nhost=db.example.org\nhostaddr=127.0.0.1\nport={runs.server.port}\n", encoding="utf-8"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    far = {
        "login_user": runs.server.user,
        "login_password": runs.server.password,
        "login_db": runs.database,
        "service": "far",
    }
    with contextlib.closing(connect(far)) as connection, connection.cursor() as cursor:
        assert check_replaceable(cursor, far)["room_bytes"] is None


def test_a_disk_without_room_for_a_second_database_is_refused(runs: StepRuns) -> None:
    with (
        contextlib.closing(runs.server.connect(runs.database)) as connection,
        connection.cursor() as cursor,
        pytest.raises(Refused, match=r"the restored database needs \d+ MiB beside the live one") as caught,
    ):
        opening._check_server_room(cursor, target(runs.server, runs.database), 2**62)
    assert caught.value.code == "server_disk_full"


# A database that is gone -------------------------------------------------------------------------------


def test_a_missing_database_is_said_with_the_way_to_restore_its_dump(runs: StepRuns) -> None:
    gone = {**target(runs.server, runs.database), "login_db": "it's gone"}
    folder = runs.backups / "r1/backup/dump"
    folder.mkdir(parents=True)
    refuse_missing_database(target(runs.server, runs.database), str(runs.backups), "r1")
    with pytest.raises(Refused, match="There is no database it's gone on this server") as caught:
        refuse_missing_database(gone, str(runs.backups), "r1")
    assert caught.value.code == "database_missing"
    quoted = "'it'\"'\"'s gone'"
    assert f"createdb --template=template0 {quoted} && pg_restore" in caught.value.reason
    assert caught.value.reason.endswith(f"--dbname={quoted} {folder}")
    with pytest.raises(Refused, match=r"Check db_name\.$"):
        refuse_missing_database(gone, str(runs.backups), "r2")


# Opened ------------------------------------------------------------------------------------------------


def opened(restore: Restore, work: Callable[[Step], dict] = lambda step: open_restore(step, "ada")) -> dict:
    return restore.run.work(
        "preflight",
        work,
        source_run_id=restore.source,
        restore_to="",
        take_over=restore.run.run_id,
        ended_elsewhere=None,
        max_replica_lag_mb=1024,
        accept_slot_loss=False,
        accept_rows_not_in_backup=False,
    )


def test_a_run_is_opened_for_the_migrations_of_the_backup(proven: StepRuns) -> None:
    restore = Restore(proven)
    outputs = opened(restore)["outputs"]
    assert outputs["source"]["run_id"] == proven.run_id
    assert (outputs["migrations"], outputs["swapped_by"]) == (["002"], None)
    assert "interrupted_run" not in outputs
    assert proven.ask(
        "SELECT run_id, playbook, operator, migrations FROM runbook.run WHERE finished IS NULL"
    ) == [(restore.run.run_id, "restore", "ada", ["002"])]
    ((inputs,),) = proven.ask(
        f"SELECT document::json ->> 'inputs' FROM runbook.receipt WHERE run_id = '{restore.run.run_id}'"
    )
    assert outputs["source"]["manifest_sha256"] in inputs


def test_a_backup_that_cannot_be_put_back_opens_none(proven: StepRuns) -> None:
    answer = opened(Restore(proven, "r1"))
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "run_unknown")
    assert proven.ask("SELECT FROM runbook.run WHERE finished IS NULL") == []


def test_a_backup_that_a_cleanup_removes_while_the_restore_waits_for_the_database_opens_none(
    proven: StepRuns,
) -> None:
    restore = Restore(proven)

    def removed_meanwhile(step: Step) -> dict:
        lock = step.take_run_lock

        def locked() -> None:
            shutil.rmtree(proven.backups / proven.run_id)
            lock()

        step.take_run_lock = locked
        return open_restore(step, "ada")

    answer = opened(restore, removed_meanwhile)
    assert (answer.get("outcome"), answer.get("reason_code")) == ("refused", "backup_missing"), answer
    assert proven.ask("SELECT FROM runbook.run WHERE finished IS NULL") == []
