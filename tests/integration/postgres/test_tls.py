# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates, services and options reach our own connections and the client programs alike, or it is said which
variable is wrong.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    ServerUnreachable,
    client_options,
    connect,
    connect_again,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.programs import find_program, run_program

from tests.tls_server import PASSWORD, ROLE, Authority, TlsServer

# How a session has come, and what it has.
SESSION = """
    SELECT pg_catalog.json_build_object(
        'role', session_user, 'ssl', s.ssl, 'certificate', s.client_dn, 'name', current_setting('application_name'),
        'memory', current_setting('work_mem'), 'words', current_setting('test.words', true))
    FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_catalog.pg_backend_pid()"""

EXPECTED = {
    "role": ROLE,
    "ssl": True,
    "certificate": f"/CN={ROLE}",
    "name": "pgops.runbook",
    "memory": "4MB",
    "words": None,
}


def our_session(target: dict[str, Any], again: bool = False) -> dict[str, Any]:
    with contextlib.ExitStack() as open_ones:
        connection = open_ones.enter_context(contextlib.closing(connect(target)))
        if again:
            connection = open_ones.enter_context(contextlib.closing(connect_again(connection)))
        cursor = connection.cursor()
        cursor.execute(SESSION)
        return cursor.fetchone()[0]


def session_of_program(tls: TlsServer, target: dict[str, Any]) -> dict[str, Any]:
    psql = find_program("psql", tls.server.bindir)
    options = [*client_options(target), "--no-psqlrc", "--tuples-only", "--no-align", f"--command={SESSION}"]
    return json.loads(run_program(psql, options, target))


def everybodys_session(tls: TlsServer, target: dict[str, Any]) -> dict[str, Any]:
    """That of each connection, which are the same."""
    found = our_session(target)
    assert our_session(target, again=True) == found
    assert session_of_program(tls, target) == found
    return found


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a certificate that libpq would find by itself, or a password."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PGSYSCONFDIR", str(tmp_path / "home"))
    for name in ("PGSERVICEFILE", "PGOPTIONS", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


# Certificates --------------------------------------------------------------------------------------------


def test_every_connection_shows_the_clients_certificate_and_checks_the_servers(tls: TlsServer) -> None:
    assert everybodys_session(tls, tls.target("postgres")) == EXPECTED


def test_a_backup_is_made_over_tls(tls: TlsServer, tmp_path: Path) -> None:
    target = tls.target("postgres")
    options = [*client_options(target), "--format=directory", "--jobs=2", f"--file={tmp_path / 'dump'}"]
    run_program(find_program("pg_dump", tls.server.bindir), options, target)
    assert (tmp_path / "dump" / "toc.dat").exists()


def test_names_of_files_are_taken_literally(tls: TlsServer, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "dir" \\ sslmode=disable $(touch x)\nä'
    folder.mkdir()
    files = {
        option: str(shutil.copy(source, folder / option))
        for option, source in (
            ("ca_cert", tls.authority.certificate),
            ("ssl_cert", tls.certificate),
            ("ssl_key", tls.key),
        )
    }
    Path(files["ssl_key"]).chmod(0o600)
    assert everybodys_session(tls, tls.target("postgres", **files)) == EXPECTED


@pytest.fixture
def wrong(tls: TlsServer, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Options with which nobody gets in."""
    strange = Authority(tmp_path / "strange")
    strange_certificate, strange_key = strange.sign(ROLE)
    other_certificate, other_key = tls.authority.sign("somebody")
    open_key = shutil.copy(tls.key, tmp_path / "open.key")
    Path(open_key).chmod(0o644)
    return {
        "no certificate": {"ssl_cert": "", "ssl_key": ""},
        "no key": {"ssl_key": ""},
        "missing certificate": {"ssl_cert": "/nowhere/client.crt"},
        "missing key": {"ssl_key": "/nowhere/client.key"},
        "open key": {"ssl_key": open_key},
        "key of another": {"ssl_key": str(strange_key)},
        "certificate of a stranger": {"ssl_cert": str(strange_certificate), "ssl_key": str(strange_key)},
        "certificate of another role": {"ssl_cert": str(other_certificate), "ssl_key": str(other_key)},
        "no authority": {"ca_cert": ""},
        "missing authority": {"ca_cert": "/nowhere/root.crt"},
        "another authority": {"ca_cert": str(strange.certificate)},
        "not a certificate": {"ca_cert": str(tls.key)},
        "authorities of the system": {"ca_cert": "system"},
        "weak mode": {"ca_cert": "system", "ssl_mode": "prefer"},
        "another name": {"login_host": "127.0.0.1"},
        "no tls": {"ssl_mode": "disable"},
        "wrong password": {"login_password": "quite-wrong"},
        "no password": {"login_password": ""},
        "unknown service": {"service": "nowhere\n]"},
        "unknown setting": {"options": "-c nonsense=1"},
        "unknown word": {"options": "nonsense"},
        "impossible value": {"options": "-c work_mem=much"},
        "setting of the server": {"options": "-c shared_buffers=1GB"},
    }


ADVISED = {
    "no certificate": "Set db_sslcert and db_sslkey",
    "no key": "Set db_sslcert and db_sslkey",
    "missing certificate": "Set db_sslcert and db_sslkey",
    "missing key": "Set db_sslcert and db_sslkey",
    "open key": "Set db_sslcert and db_sslkey",
    "key of another": "Set db_sslcert and db_sslkey",
    "certificate of a stranger": "Set db_sslcert and db_sslkey",
    "certificate of another role": "db_sslcert must be made out to db_user",
    "no authority": "Set db_sslrootcert",
    "missing authority": "Set db_sslrootcert",
    "another authority": "Set db_sslrootcert",
    "not a certificate": "Set db_sslrootcert",
    "authorities of the system": "Set db_sslrootcert",
    "weak mode": "Set db_sslmode to verify-full",
    "another name": "Set db_host to a name",
    "no tls": "Check db_sslmode",
    "wrong password": "Check db_user, and db_password, db_password_file or db_password_command",
    "no password": "Check db_user, and db_password, db_password_file or db_password_command",
    "unknown service": "db_service names a section",
    "unknown setting": "Correct db_options",
    "unknown word": "Correct db_options",
    "impossible value": "Correct db_options",
    "setting of the server": "Correct db_options",
}


@pytest.mark.parametrize("case", ADVISED)
def test_the_variable_that_keeps_us_out_is_named(
    tls: TlsServer, wrong: dict[str, dict[str, Any]], case: str
) -> None:
    target = tls.target("postgres", **wrong[case])
    # Programs before 16 take system for the name of a file, which they do not miss in that mode.
    attempts = [
        our_session,
        *([] if case == "weak mode" else [lambda target: session_of_program(tls, target)]),
    ]
    for attempt in attempts:
        with pytest.raises((ServerUnreachable, StepFailed)) as caught:
            attempt(target)
        said = caught.value.reason
        assert ADVISED[case] in said, said
        assert "change sslmode" not in said
        assert PASSWORD not in said


def test_programs_without_tls_are_told_apart(tls: TlsServer, server: Any) -> None:
    target = tls.target("postgres")
    with pytest.raises(StepFailed, match="These programs know no TLS: set pg_bindir"):
        run_program(find_program("pg_dump", server.bindir), client_options(target), target)


# Services ------------------------------------------------------------------------------------------------


@pytest.fixture
def section(tls: TlsServer, home: Path) -> dict[str, Any]:
    """Options that leave all but the password to a section of the user's pg_service.conf."""
    lines = {
        "host": "localhost",
        "port": tls.server.port,
        "user": ROLE,
        "sslmode": "verify-full",
        "sslrootcert": tls.authority.certificate,
        "sslcert": tls.certificate,
        "sslkey": tls.key,
        "dbname": "nowhere",
        "application_name": "somebody",
        "client_encoding": "LATIN1",
        "options": "-c work_mem=7MB",
    }
    text = "\n".join(f"{keyword}={value}" for keyword, value in lines.items())
    (home / ".pg_service.conf").write_text(
        f"[elsewhere]\nhost=/nowhere\n[shop ä's]\n{text}\n", encoding="utf-8"
    )
    return {
        "login_host": "",
        "login_port": 5432,
        "login_user": "",
        "login_password": PASSWORD,
        "login_db": "postgres",
        "ssl_mode": "prefer",
        "service": "shop ä's",
    }


def test_what_a_section_says_holds_where_nothing_else_is_set(tls: TlsServer, section: dict[str, Any]) -> None:
    assert everybodys_session(tls, section) == {**EXPECTED, "memory": "7MB"}


def test_a_variable_stands_above_the_section(tls: TlsServer, section: dict[str, Any]) -> None:
    assert everybodys_session(tls, {**section, "options": "-c work_mem=9MB"})["memory"] == "9MB"
    for other in ({"login_user": "somebody"}, {"ssl_mode": "disable"}, {"ssl_cert": "/nowhere/client.crt"}):
        with pytest.raises(ServerUnreachable):
            our_session({**section, **other})
        with pytest.raises(StepFailed):
            session_of_program(tls, {**section, **other})


def test_what_a_section_sets_stays_when_backslashes_must_be_plain_characters(
    tls: TlsServer, section: dict[str, Any]
) -> None:
    with contextlib.closing(tls.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {ROLE} SET standard_conforming_strings = off")
        connection.commit()
        try:
            assert our_session(section)["memory"] == "7MB"
            assert our_session({**section, "options": "-c work_mem=9MB"}, again=True)["memory"] == "9MB"
        finally:
            cursor.execute(f"ALTER ROLE {ROLE} RESET standard_conforming_strings")
            connection.commit()


def test_a_broken_file_of_services_is_named(tls: TlsServer, section: dict[str, Any], home: Path) -> None:
    (home / ".pg_service.conf").write_text("[shop ä's]\nnonsense\n", encoding="utf-8")
    with pytest.raises(ServerUnreachable, match="Correct the file or db_service"):
        our_session(section)


# Options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", ["it's", 'a "b"', "back\\slash", "$(x) `y` ;|&", "ä日本", "-c work_mem=1MB"]
)
def test_values_of_settings_are_taken_literally(tls: TlsServer, words: str) -> None:
    escaped = words.replace("\\", "\\\\").replace(" ", "\\ ")
    target = tls.target("postgres", options=f"-c work_mem=64MB -c test.words={escaped}")
    assert everybodys_session(tls, target) == {**EXPECTED, "memory": "64MB", "words": words}


@pytest.mark.parametrize("option", ["login_host", "login_db", "options", "service", "ca_cert"])
def test_a_value_with_a_nul_is_refused(tls: TlsServer, option: str) -> None:
    target = tls.target("postgres", **{option: "a\0b"})
    for attempt in (connect, client_options):
        with pytest.raises(Refused, match=r"db_\w+ has a NUL character in it"):
            attempt(target)
