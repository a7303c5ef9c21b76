# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL's client programs: found, asked for their version, and their failures told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import client_options
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.programs import (
    ended_program,
    find_program,
    program_major_version,
    run_program,
)

from tests.integration.step_runs import target


def program(folder: Path, text: str, name: str = "tool") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_real_program_runs_with_the_connection_of_its_target(server: Any, database: str) -> None:
    path = find_program("pg_dump", str(server.bindir))
    assert program_major_version(path) >= 13
    options = [
        f"--host={server.host}",
        f"--port={server.port}",
        f"--username={server.user}",
        f"--dbname={database}",
    ]
    assert "PostgreSQL database dump complete" in run_program(path, options, target(server, database))


def test_what_a_real_program_says_of_its_failure_is_told(server: Any, database: str) -> None:
    path = find_program("pg_dump", str(server.bindir))
    options = [
        f"--host={server.host}",
        f"--port={server.port}",
        f"--username={server.user}",
        "--dbname=not_there",
    ]
    with pytest.raises(StepFailed, match=r"pg_dump failed with exit status 1: .*not_there.* does not exist"):
        run_program(path, options, target(server, database))


def test_a_program_that_is_missing_or_may_not_be_run_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(Refused, match=rf"pg_dump was not found in {tmp_path} \(pg_bindir\)"):
        find_program("pg_dump", str(tmp_path))
    (tmp_path / "pg_dump").write_text("", encoding="utf-8")
    with pytest.raises(Refused, match="pg_dump was not found"):
        find_program("pg_dump", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="pg_dump was not found on PATH"):
        find_program("pg_dump")
    made = program(tmp_path, "exit 0", "pg_restore")
    assert find_program("pg_restore") == made


def test_the_major_version_of_a_packagers_wording(tmp_path: Path) -> None:
    path = program(tmp_path, "echo 'pg_dump (PostgreSQL) 16.9 (Debian 16.9-1)'")
    assert program_major_version(path) == 16
    with pytest.raises(Refused, match="does not tell a version: no licence"):
        program_major_version(program(tmp_path, "echo 'no licence' >&2"))


def test_a_program_that_is_killed_is_told_by_its_signal(tmp_path: Path) -> None:
    path = program(tmp_path, "kill -9 $$")
    with pytest.raises(StepFailed, match=r"tool was killed by signal 9\."):
        run_program(path, [], {"login_db": "x"})


def test_the_password_is_in_the_environment_and_on_no_command_line(tmp_path: Path) -> None:
    path = program(tmp_path, 'printf "%s|%s|%s" "$PGPASSWORD" "$LC_MESSAGES" "$*"; cat')
    told = {"login_db": "x", "login_password": "s3cret", "ssl_mode": "require"}
    assert run_program(path, ["--one"], told, ["a b"]) == "s3cret|C|--one a b"
    on_command_line = " ".join(client_options(told))
    assert "sslmode=require" in on_command_line
    assert "s3cret" not in on_command_line


def test_only_the_last_lines_of_a_long_complaint_are_told(tmp_path: Path) -> None:
    path = program(tmp_path, "seq 1 9 >&2; exit 3")
    with pytest.raises(StepFailed, match=r"^tool failed with exit status 3: 5 / 6 / 7 / 8 / 9$"):
        run_program(path, [], {"login_db": "x"})


def test_the_error_itself_is_told_however_long_its_context_is(tmp_path: Path) -> None:
    said = (
        'pg_restore: error: COPY failed for table "t": ERROR:  no such thing\nCONTEXT:  one\n'
        + "and more\n" * 9
        + "pg_restore: error: could not execute query: ERROR:  canceling statement\n"
    )
    path = program(tmp_path, f"cat >&2 <<'END'\n{said}END\nexit 1", "pg_restore")
    with pytest.raises(StepFailed) as raised:
        run_program(path, [], {"login_db": "x"})
    assert raised.value.reason.count("ERROR:  no such thing") == 1
    assert "no such thing / ... / and more" in raised.value.reason


def test_what_a_program_makes_nobody_else_may_read_and_nobody_answers_it(tmp_path: Path) -> None:
    asking = program(tmp_path, 'read -r answer || echo "nobody" > "$WHERE"; printf "\\377"')
    answer = ended_program([asking], {"WHERE": str(tmp_path / "made")})
    assert (tmp_path / "made").read_text() == "nobody\n"
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600
    assert (answer.returncode, answer.stdout) == (0, "\ufffd")
