# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages of libpq and of servers, each with the variable that is to be looked at.

Those that a server here can be brought to say: tests/integration/postgres/test_tls.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.unreachable import (
    EVERY_CONNECTION,
    RULES,
    advice,
    without_libpq_advice,
)

DEFAULTS = Path(__file__).resolve().parents[3] / "roles/runbook/defaults/main.yml"


@pytest.mark.parametrize(
    ("message", "variable"),
    [
        ("server does not support SSL, but SSL was required", "db_sslmode"),
        ("host name must be specified for a verified SSL connection", "db_host"),
        ('server certificate for "a" does not match host name "b"', "db_host"),
        ('private key file "/k" must be owned by the current user or root', "db_sslkey"),
        ('certificate authentication failed for user "deploy"', "db_sslcert"),
        ("SSL error: tlsv13 alert certificate required", "db_sslcert"),
        ("SSL error: sslv3 alert certificate expired", "db_sslcert"),
        ("could not load system root certificate paths: x", "db_sslrootcert"),
        ('could not read certificate file "/c": no start line', "db_sslcert"),
        ('syntax error in service file "/s", line 2', "db_service"),
        ('service file "/s" not found', "db_service"),
        ('permission denied to set parameter "log_statement"', "db_options"),
        ('could not access file "nosuch": No such file or directory', "RESET session_preload_libraries"),
        ("server requested SCRAM authentication, but no password supplied", "db_password_command"),
    ],
)
def test_the_variable_is_named(message: str, variable: str) -> None:
    assert variable in advice(message)


@pytest.mark.parametrize(
    "message",
    [
        "connection refused Is the server running on that host and accepting TCP/IP connections?",
        'FATAL: database "shop" does not exist',
        "FATAL: sorry, too many clients already",
        "",
    ],
)
def test_of_others_nothing_is_made_up(message: str) -> None:
    assert advice(message) == ""


def test_only_what_can_be_set_is_advised() -> None:
    public = set(yaml.safe_load(DEFAULTS.read_text(encoding="utf-8")))
    for sentence in (EVERY_CONNECTION, *(what for _, what in RULES)):
        assert set(re.findall(r"\b(?:db|pg)_\w+(?<!\.conf)", sentence)) - {"pg_service"} <= public


def test_what_libpq_advises_is_left_out() -> None:
    first = 'root certificate file "/r" does not exist'
    rest = (
        "Either provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to disable"
        " server certificate verification."
    )
    assert without_libpq_advice(f"{first} {rest}") == first
    assert without_libpq_advice(f"{first} / {rest}") == first
    assert without_libpq_advice(first) == first
