# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the connection arrive where they are used, here and over SSH, and the password nowhere else."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from tests.fresh_database import fresh_database
from tests.integration.stories.application import Application, prepare
from tests.ssh_hosts import SshHosts, SshUnusable
from tests.tls_server import NEWCOMER, PASSWORD, ROLE, TlsServer


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A file with the password."""
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(PASSWORD, encoding="utf-8")
    return path


def certificates(tls: TlsServer) -> dict[str, Any]:
    return {
        "db_sslmode": "verify-full",
        "db_sslrootcert": str(tls.authority.certificate),
        "db_sslcert": str(tls.certificate),
        "db_sslkey": str(tls.key),
    }


@pytest.fixture
def application(tls: TlsServer, scripts: Path, tmp_path: Path, kept: Path) -> Iterator[Application]:
    """The small application on a server that asks for a certificate and a password."""
    with fresh_database(tls.server) as database:
        prepare(tls.server, database)
        made = Application(tls.server, tmp_path, scripts, [database])
        made.variables.update(
            db_host="localhost", db_user=ROLE, db_options="-c work_mem=64MB", **certificates(tls)
        )
        made.variables["db_password_command"] = ["cat", str(kept)]
        yield made


@pytest.fixture
def ssh() -> Iterator[dict[str, Any]]:
    """Variables of a host that is reached over SSH."""
    try:
        hosts = SshHosts(["db"])
    except SshUnusable as error:
        pytest.skip(f"a host of SSH: {error}")
    try:
        yield hosts.variables("db")
    finally:
        hosts.stop()


def rehearsal(tls: TlsServer, folder: Path, **others: Any) -> tuple[str, str]:
    """Arguments that add a server for the copy, which has its own ways in."""
    section = {"host": "localhost", "port": tls.server.port, "user": ROLE, "sslmode": "verify-full"}
    files = {"sslrootcert": tls.authority.certificate, "sslcert": tls.certificate, "sslkey": tls.key}
    services = folder / "services"
    lines = "".join(f"{keyword}={value}\n" for keyword, value in {**section, **files}.items())
    services.write_text(f"[copies]\n{lines}", encoding="utf-8")
    path = folder / "rehearsal.yml"
    host = {"db_name": "postgres", "db_service": "copies", **others}
    path.write_text(yaml.safe_dump({"rehearsal": {"hosts": {"copies": host}}}), encoding="utf-8")
    return "-i", str(path)


def everything_said(application: Application, output: str) -> str:
    files = [path for path in application.artifacts.rglob("*") if path.is_file() and not path.is_symlink()]
    return output + "".join(path.read_text(errors="replace") for path in files)


def is_told(text: str) -> bool:
    """Whether the password is there, as it stands or as JSON writes it."""
    return PASSWORD in text or json.dumps(PASSWORD)[1:-1] in text


def test_without_a_password_nothing_is_touched_and_the_variable_is_named(application: Application) -> None:
    fails = [sys.executable, "-c", f"print({PASSWORD!r}); raise SystemExit(7)"]
    run = application.deploy("002", "-vvv", db_password_command=fails)
    assert run.status != 0
    assert (run.record["outcome"], run.record["reason_code"]) == ("refused", "password_unavailable")
    assert "failed with exit status 7" in run.record["reason"]
    assert not is_told(everything_said(application, run.output))


def test_over_ssh_too_and_for_the_server_of_the_copy(
    application: Application, tls: TlsServer, ssh: dict[str, Any], kept: Path, tmp_path: Path
) -> None:
    copies = rehearsal(tls, tmp_path, db_password_file=str(kept))
    interpreter = tmp_path / "python"
    interpreter.write_text(
        f"#!/bin/sh\nPGSERVICEFILE='{tmp_path / 'services'}' exec '{sys.executable}' \"$@\"\n",
        encoding="utf-8",
    )
    interpreter.chmod(0o755)
    command = [sys.executable, "-c", f"print({PASSWORD!r})"]
    application.variables.update(
        ssh, ansible_python_interpreter=str(interpreter), db_password_command=command
    )
    run = application.deploy("002", "--check", "-vvv", *copies)
    # Which server it is, each of them was asked.
    assert "lead to is production" in " ".join(run.output.split()), run.output
    assert not is_told(run.output)
    kept.chmod(0o644)
    refused = application.deploy("002", "--check", *copies)
    assert "Of the server of the copy: db_password_file" in " ".join(refused.output.split()), refused.output


def test_the_deploy_role_gets_its_password_and_its_maker_goes_by_a_service(
    application: Application, tls: TlsServer, kept: Path, tmp_path: Path
) -> None:
    rehearsal(tls, tmp_path)
    del application.variables["db_password_command"]
    for name in ("db_host", "db_sslmode", "db_sslrootcert", "db_sslcert", "db_sslkey"):
        application.variables.pop(name)
    run = application.run(
        "playbooks/bootstrap_roles.yml",
        env={"PGSERVICEFILE": str(tmp_path / "services")},
        db_host="",
        db_port=5432,
        db_service="copies",
        db_user=NEWCOMER,
        db_password_file=str(kept),
        bootstrap_roles_admin=ROLE,
        bootstrap_roles_admin_password=PASSWORD,
    )
    assert run.status == 0, run.output
    with contextlib.closing(
        psycopg2.connect(
            host="localhost", port=tls.server.port, user=NEWCOMER, password=PASSWORD, dbname="postgres"
        )
    ) as connection:
        assert connection.info.ssl_in_use
