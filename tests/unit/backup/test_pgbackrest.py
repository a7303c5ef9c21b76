# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be said of pgbackrest's backups without a server."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.engine import (
    engine_of,
    engine_of_backup,
    refuse_for_drill,
    refuse_other_engine,
)
from ansible_collections.pgops.runbook.plugins.module_utils.backup.making import DumpMaker, maker_of
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.backup import furthest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.checks import (
    check_scratch_dir,
    check_stanza,
)
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.engine import PgBackRestEngine
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.making import PgBackRestMaker
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.owner import Owner, owner_of
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.program import (
    PgBackRest,
    check_backup_command,
    check_names,
)
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.restore_point import (
    ended_meanwhile,
)
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.scratch import (
    ScratchCluster,
    left_behind,
)
from ansible_collections.pgops.runbook.plugins.module_utils.backup.pgbackrest.settings import (
    configuration,
    is_of_cluster,
    overrides,
    postgres_program,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed


@pytest.fixture
def ourselves() -> Owner:
    account = pwd.getpwuid(os.geteuid())
    return Owner(account.pw_uid, account.pw_gid, account.pw_name, account.pw_dir)


@pytest.mark.parametrize(
    ("before", "after", "ended"),
    [
        ("10:10:", "10:10:", False),
        ("10:12:10,11", "10:12:10,11", False),
        ("10:12:10,11", "11:12:11", True),
        ("10:12:10", "10:13:10,12", False),
        ("10:12:10", "10:13:10", True),
        ("9:10:9", "9:110:9,109", True),
    ],
)
def test_whether_a_transaction_ended_between_two_snapshots(before: str, after: str, ended: bool) -> None:
    assert ended_meanwhile(before, after) is ended


@pytest.mark.parametrize(
    ("value", "increment", "bounds", "expected"),
    [
        (5, 1, (1, 100), 37),
        (5, 10, (1, 1000), 325),
        (90, 1, (1, 100), 101),
        (101, 1, (1, 100), 101),
        (-5, -1, (-100, -1), -37),
        (-90, -1, (-100, -1), -101),
    ],
)
def test_how_far_a_sequence_may_stand(
    value: int, increment: int, bounds: tuple[int, int], expected: int
) -> None:
    assert furthest(value, increment, *bounds) == expected


def test_settings_are_taken_over_but_for_those_that_reach_outside() -> None:
    text = configuration(
        [
            ("archive_command", "cp %p /archive/%f"),
            ("app.greeting", "it's \\ here"),
            ("listen_addresses", "*"),
            ("odd", "two\nlines"),
            ("port", "5432"),
            ("primary_conninfo", "host=x"),
            ("search_path", '"$user", shop'),
            ("shared_preload_libraries", "pg_cron"),
            ("ssl_cert_file", "/etc/x"),
            ("work_mem", "4096"),
        ]
    )
    assert text.splitlines()[1:] == [
        "app.greeting = 'it''s \\\\ here'",
        "search_path = '\"$user\", shop'",
        "shared_preload_libraries = 'pg_cron'",
        "work_mem = '4096'",
    ]


def test_what_stands_above_every_file() -> None:
    words = overrides("/s/copy", "/s/copy/run", "fetch %f %p")
    said = dict(word.split("=", 1) for word in words[1::2])
    assert set(words[::2]) == {"-c"}
    assert said["archive_mode"] == "off"
    assert said["listen_addresses"] == said["primary_conninfo"] == said["archive_command"] == ""
    assert said["max_worker_processes"] == said["max_logical_replication_workers"] == "0"
    assert said["restore_command"] == "fetch %f %p"


@pytest.mark.parametrize(
    ("stanza", "config", "scratch_dir", "named"),
    [
        ("", "", "/s", "pgbackrest_stanza"),
        ("main", "", "", "pgbackrest_scratch_dir"),
        ("main; rm -rf /", "", "/s", "pgbackrest_stanza"),
        ("--config=/tmp/x", "", "/s", "pgbackrest_stanza"),
        ("main", "/etc/$(id)", "/s", "pgbackrest_config"),
        ("main", "", "relative", "pgbackrest_scratch_dir"),
        ("main", "", "/s 'x", "pgbackrest_scratch_dir"),
        ("main", "", "/s\n", "pgbackrest_scratch_dir"),
        ("main", "", "/s/%p", "pgbackrest_scratch_dir"),
        ("main", "", "/srv/../etc", "pgbackrest_scratch_dir"),
    ],
)
def test_names_that_mean_something_to_a_shell_are_refused(
    stanza: str, config: str, scratch_dir: str, named: str
) -> None:
    with pytest.raises(Refused) as refused:
        check_names(stanza, config, scratch_dir)
    assert refused.value.code == "backup_engine_unusable"
    assert refused.value.reason.count(named) >= 1


@pytest.mark.parametrize("words", [["ssh", ""], ["ssh", " "], ["ssh\0", "repo"]])
def test_a_way_to_the_repository_is_of_words(words: list[str]) -> None:
    with pytest.raises(Refused, match=r"pgbackrest_backup_command is .*Nothing was changed") as refused:
        check_backup_command(words)
    assert refused.value.code == "backup_engine_unusable"


def test_a_way_to_the_repository_may_be_any_program() -> None:
    check_backup_command([])
    check_backup_command(
        ["ssh", "-o", "ConnectTimeout=10", "backup@repo", "pgbackrest", "--config=/etc/b.conf"]
    )


def test_plain_names_are_taken() -> None:
    check_names("main-15.shop", "/etc/pgbackrest/pgbackrest.conf", "/srv/pgops_scratch")


def test_a_data_folder_that_is_not_here(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="the database's own host"):
        owner_of(str(tmp_path / "nowhere"))


def test_a_data_folder_is_known_by_its_system_identifier(tmp_path: Path) -> None:
    identity = {"system_identifier": "7300000000000000001"}
    assert not is_of_cluster(str(tmp_path), identity)
    (tmp_path / "global").mkdir()
    (tmp_path / "global/pg_control").write_bytes(struct.pack("=Q", 7300000000000000001) + b"more")
    assert is_of_cluster(str(tmp_path), identity)
    assert not is_of_cluster(str(tmp_path), {"system_identifier": "7"})


def test_the_program_of_the_server(tmp_path: Path) -> None:
    program = tmp_path / "the programs" / "postgres"
    program.parent.mkdir()
    program.touch(0o755)
    (tmp_path / "postmaster.opts").write_text(f'"{program}" "-D" "/data"\n')
    assert postgres_program(str(tmp_path)) == str(program)
    (tmp_path / "postmaster.opts").write_text("postgres -D /data\n")
    with pytest.raises(Refused, match=r"postmaster\.opts"):
        postgres_program(str(tmp_path))


def pretended(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A pgbackrest that does what a shell script does."""
    program = folder / "pgbackrest"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_what_it_says_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ourselves: Owner
) -> None:
    pretended(tmp_path, monkeypatch, "echo 'WARN: an option' >&2; echo 'ERROR: [050]: no lock' >&2; exit 50")
    with pytest.raises(StepFailed, match=r"exit status 50: ERROR: .050.: no lock. Another backup") as failed:
        PgBackRest(ourselves, "main").run("backup")
    assert "WARN" not in failed.value.reason
    pretended(tmp_path, monkeypatch, "kill -9 $$")
    with pytest.raises(StepFailed, match="killed by signal 9"):
        PgBackRest(ourselves, "main").run("backup")


@pytest.mark.parametrize("said", ["[]", '[{"name": "other", "db": [{}]}]', '[{"name": "main", "db": []}]'])
def test_a_stanza_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ourselves: Owner, said: str
) -> None:
    pretended(tmp_path, monkeypatch, f"echo '{said}'")
    with pytest.raises(Refused, match="stanza-create"):
        PgBackRest(ourselves, "main").info()


def test_a_stanza_of_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ourselves: Owner
) -> None:
    pretended(
        tmp_path, monkeypatch, """echo '[{"name": "main", "db": [{"system-id": 7}, {"system-id": 8}]}]'"""
    )
    program = PgBackRest(ourselves, "main")
    check_stanza(program, {"system_identifier": "8", "database": "shop"})
    with pytest.raises(Refused, match=r"Stanza main is of server 8, and shop is on server 7\."):
        check_stanza(program, {"system_identifier": "7", "database": "shop"})


def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch, ourselves: Owner) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Refused, match="apt-get install pgbackrest"):
        PgBackRest(ourselves, "main").info()


# Scratch clusters ------------------------------------------------------------------------------------------


def test_a_folder_of_a_run_that_is_gone_is_taken_over(tmp_path: Path, ourselves: Owner) -> None:
    facts = {"system_identifier": "7", "role": "midi"}
    scratch = str(tmp_path / "scratch")
    first, second, third = (ScratchCluster(scratch, name) for name in ("first", "second", "third"))
    with first.made(ourselves, facts) as has_data:
        assert not has_data
        Path(first.data).mkdir()
        with second.made(ourselves, facts) as taken:
            assert not taken, "somebody is at work on the other"
        with second.made(ourselves, {**facts, "system_identifier": "8"}) as taken:
            assert not taken
    assert second.drop()
    with third.made(ourselves, facts) as taken:
        assert taken
        assert not first.exists()
    assert third.mark()["run_id"] == "third"
    assert [one.folder for one in left_behind(scratch)] == [third.folder]
    kept = ScratchCluster(scratch, "third", keep=True)
    assert not kept.drop()
    assert kept.exists()
    assert third.drop()
    assert not third.drop()
    assert left_behind(scratch) == []


def test_what_a_killed_step_has_left_at_work_is_ended(tmp_path: Path, ourselves: Owner) -> None:
    ours, other = (ScratchCluster(str(tmp_path), name) for name in ("ours", "other"))
    for cluster in (ours, other):
        with cluster.made(ourselves, {"system_identifier": "7", "role": "midi"}):
            pass
    sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
    left, others = (subprocess.Popen([*sleeps, f"--pg1-path={one.data}"]) for one in (ours, other))
    try:
        while b"--pg1-path" not in Path(f"/proc/{left.pid}/cmdline").read_bytes():
            time.sleep(0.01)  # it has not yet become the other program
        assert ours.drop()
        assert left.wait(30) == -signal.SIGKILL
        assert others.poll() is None
        assert other.exists()
    finally:
        for process in (left, others):
            process.kill()
            process.wait()


def test_no_folder_means_no_scratch_cluster() -> None:
    assert not ScratchCluster("", "run").drop()
    assert left_behind("") == []
    assert left_behind("/nowhere") == []


def test_a_link_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    cluster = ScratchCluster(str(tmp_path), "run")
    Path(cluster.folder).symlink_to(tmp_path / "elsewhere")
    assert not cluster.exists()
    assert not cluster.drop()
    assert left_behind(str(tmp_path)) == []


@pytest.mark.parametrize("name", ["/tmp/" + "a-very-long-name" * 8, "/dev/null/x"])
def test_folders_that_cannot_be_used(ourselves: Owner, name: str) -> None:
    with pytest.raises(Refused) as refused:
        check_scratch_dir(name, ourselves, 1)
    assert refused.value.code == "scratch_dir_unusable"


def test_room_is_looked_for(ourselves: Owner) -> None:
    folder = f"/tmp/{secrets.token_hex(16)}"
    check_scratch_dir(folder, ourselves, 1)
    with pytest.raises(Refused, match="MiB free"):
        check_scratch_dir(folder, ourselves, 2**60)


# Which engine ----------------------------------------------------------------------------------------------

ASKED = {"name": "pgbackrest", "stanza": "today", "config": "", "type": "incr", "scratch_dir": "/s"}


def test_a_backup_is_restored_by_the_engine_that_has_made_it() -> None:
    params = {"backup_dir": "/b", "engine": {**ASKED, "keep_scratch": False}}
    assert engine_of({"backup_dir": "/b"}).name == "pg_dump"
    assert engine_of(params).name == "pgbackrest"
    assert engine_of_backup(params, {}).name == "pg_dump"
    made = {"engine": {"name": "pgbackrest", "stanza": "then", "config": "/then.conf"}}
    then: Any = engine_of_backup({**params, "engine": {**params["engine"], "name": "pg_dump"}}, made)
    assert (then.name, then.stanza, then.config, then.scratch_dir) == (
        "pgbackrest",
        "then",
        "/then.conf",
        "/s",
    )


def test_each_engine_has_who_works_with_it() -> None:
    params = {"backup_dir": "/b", "engine": {**ASKED, "keep_scratch": False}}
    assert isinstance(engine_of(params), PgBackRestEngine)
    assert isinstance(maker_of(engine_of(params)), PgBackRestMaker)
    assert isinstance(maker_of(engine_of({"backup_dir": "/b"})), DumpMaker)
    with pytest.raises(TypeError, match="nobody makes backups with tar"):
        maker_of(SimpleNamespace(name="tar"))


def test_a_scratch_copy_is_reached_by_its_socket_alone(tmp_path: Path, ourselves: Owner) -> None:
    production = {"login_host": "db.example", "login_password": "secret", "service": "x", "login_db": "shop"}
    engine = engine_of(
        {"backup_dir": "/b", "engine": {**ASKED, "scratch_dir": str(tmp_path), "keep_scratch": False}}
    )
    copy: Any = engine.copy({**production, "ssl_mode": "verify-full", "options": "-c work_mem=1MB"}, "r1")
    with copy.cluster.made(ourselves, {"system_identifier": "7", "role": "deployer"}):
        pass
    copy = engine.copy(copy.production, "r1")
    assert copy.target["login_host"].startswith(str(tmp_path))
    assert (copy.target["login_password"], copy.target["service"]) == ("", "")
    assert (copy.target["login_user"], copy.target["login_db"]) == ("deployer", copy.name)
    assert copy.target["options"] == "-c work_mem=1MB"
    assert copy.drop()


@pytest.mark.parametrize(("hours", "keep", "left"), [(1, False, 1), (30, False, 0), (30, True, 1)])
def test_what_nobody_needs_any_more_is_dropped(
    tmp_path: Path, ourselves: Owner, hours: float, keep: bool, left: int
) -> None:
    engine = engine_of(
        {"backup_dir": "/b", "engine": {**ASKED, "scratch_dir": str(tmp_path), "keep_scratch": keep}}
    )
    cluster = ScratchCluster(str(tmp_path), "r1")
    with cluster.made(ourselves, {"system_identifier": "7", "role": "midi"}):
        Path(cluster.data).mkdir()
    then = time.time() - hours * 3600
    os.utime(cluster.folder, (then, then))
    dropped = engine.drop_forgotten({"login_db": "shop"})
    assert len(left_behind(str(tmp_path))) == left
    assert dropped == ([] if left else [cluster.folder])


def test_another_engine_in_the_middle_of_a_run_is_refused() -> None:
    refuse_other_engine({}, {})
    refuse_other_engine({"engine": ASKED}, {"engine": "pgbackrest"})
    with pytest.raises(Refused, match="-e backup_engine=pgbackrest"):
        refuse_other_engine({}, {"engine": "pgbackrest"})
    with pytest.raises(Refused, match="-e backup_engine=pg_dump"):
        refuse_other_engine({"engine": ASKED}, {})


def test_a_drill_is_played_on_a_copy_of_pg_dump() -> None:
    refuse_for_drill(engine_of({"backup_dir": "/b"}))
    with pytest.raises(Refused, match="-e backup_engine=pg_dump"):
        refuse_for_drill(engine_of({"backup_dir": "/b", "engine": {**ASKED, "keep_scratch": False}}))


def test_a_rollback_begins_with_a_restore_point() -> None:
    engine = engine_of({"backup_dir": "/b", "engine": {**ASKED, "keep_scratch": False}})
    assert [engine.emergency_kind(kind) for kind in ("auto", "salvage")] == ["restore_point", "salvage"]


def answering(folder: Path, said: list[dict[str, Any]]) -> PgBackRest:
    """pgbackrest with a repository of which ``info`` says this."""
    program = folder / "pgbackrest"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(said)}\nEND\n")
    program.chmod(0o700)
    return PgBackRest(owner_of(str(folder)), "main")


UNREADABLE = {"key": 1, "status": {"code": 99, "message": "[HostConnectError] no route\n to host."}}
READABLE = {"key": 2, "status": {"code": 0, "message": "ok"}}


@pytest.mark.parametrize("repositories", [[UNREADABLE], [UNREADABLE, READABLE]])
def test_of_a_repository_that_cannot_be_read_nobody_says_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repositories: list[dict[str, Any]]
) -> None:
    """That a backup is gone, or that there is no stanza: of either somebody would draw conclusions."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    known = [{"system-id": 1}] if READABLE in repositories else []
    made = [{"label": "20260101-000000F"}]
    stanza = {"name": "main", "db": known, "backup": made if known else [], "repo": repositories}
    program = answering(tmp_path, [stanza])
    if known:
        assert program.backup(label="20260101-000000F") == made[0]
    with pytest.raises(
        Refused, match=r"cannot be read: \[HostConnectError\] no route to host\. Nothing was changed"
    ):
        program.backup(label="20260202-000000F")
    stanza.update(repo=[READABLE], db=[{"system-id": 1}])
    assert answering(tmp_path, [stanza]).backup(label="20260202-000000F") is None
