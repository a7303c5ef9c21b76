# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which servers and client programs preflight takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.server import (
    check_client_programs,
    check_server,
)

IDENTITY = {"database": "library", "server_version": 180006, "in_recovery": False}


@pytest.mark.parametrize("version", [150000, 150018, 160001, 180006, 190000])
def test_supported_servers(version: int) -> None:
    check_server({**IDENTITY, "server_version": version})


@pytest.mark.parametrize(("version", "major"), [(140020, 14), (90624, 9), (149999, 14)])
def test_an_older_server_is_refused(version: int, major: int) -> None:
    with pytest.raises(Refused, match=rf"is PostgreSQL {major}, and the runbook needs 15 or newer"):
        check_server({**IDENTITY, "server_version": version})


def test_a_standby_is_refused() -> None:
    with pytest.raises(Refused, match=r"library is a standby.*Set db_host to the primary"):
        check_server({**IDENTITY, "in_recovery": True})


def programs(folder: Path, **versions: str) -> str:
    """Real programs that say a version, as PostgreSQL's do."""
    for name, answer in versions.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
        program.chmod(0o755)
    return str(folder)


def test_programs_of_the_servers_version_and_newer_ones(tmp_path: Path) -> None:
    bindir = programs(
        tmp_path,
        pg_dump="pg_dump (PostgreSQL) 18.0",
        pg_restore="pg_restore (PostgreSQL) 19beta1 (Debian 19~beta1-1)",
    )
    assert check_client_programs(IDENTITY, bindir) == {"pg_dump": 18, "pg_restore": 19}


@pytest.mark.parametrize("old", ["pg_dump", "pg_restore"])
def test_each_older_program_is_refused(tmp_path: Path, old: str) -> None:
    answers = {name: f"{name} (PostgreSQL) 18.1" for name in ("pg_dump", "pg_restore")}
    answers[old] = f"{old} (PostgreSQL) 17.5"
    with pytest.raises(Refused, match=rf"{old} is version 17 and the server is 18"):
        check_client_programs(IDENTITY, programs(tmp_path, **answers))


@pytest.mark.parametrize(
    ("server", "client", "goes"), [(15, 16, True), (16, 17, False), (15, 18, False), (17, 18, True)]
)
def test_programs_that_set_what_the_server_does_not_know(
    tmp_path: Path, server: int, client: int, goes: bool
) -> None:
    """Measured: pg_restore 18 ends with an error in PostgreSQL 15, "SET transaction_timeout = 0"."""
    names = ("pg_dump", "pg_restore")
    bindir = programs(tmp_path, **{name: f"{name} (PostgreSQL) {client}.1" for name in names})
    identity = {**IDENTITY, "server_version": server * 10000}
    if goes:
        assert check_client_programs(identity, bindir) == dict.fromkeys(names, client)
    else:
        with pytest.raises(Refused, match=rf"is version {client} and the server is {server}: .*pg_bindir"):
            check_client_programs(identity, bindir)


def test_a_missing_program_is_refused(tmp_path: Path) -> None:
    bindir = programs(tmp_path, pg_dump="pg_dump (PostgreSQL) 18.1")
    with pytest.raises(Refused, match=r"program pg_restore was not found in .*pg_bindir"):
        check_client_programs(IDENTITY, bindir)


def test_a_program_that_is_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not tell a version"):
        check_client_programs(IDENTITY, programs(tmp_path, pg_dump="hello", pg_restore="hello"))
