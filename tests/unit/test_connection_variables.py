# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each variable of the connection is handed on wherever a server is reached."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    DEFAULTS,
    KEYWORDS,
    TARGET_SPEC,
)

PROJECT = Path(__file__).resolve().parents[2]


def load(path: str) -> dict:
    return yaml.safe_load((PROJECT / path).read_text(encoding="utf-8"))


GIVEN = load("roles/runbook/vars/main.yml")
#: Option of the modules -> public variable.
VARIABLES = dict(re.findall(r"'(\w+)': (\w+)", GIVEN["runbook_target"]))


def of_host(template: str) -> dict[str, str]:
    """Option -> public variable of another host, of the templates that read those."""
    return dict(re.findall(r"'(\w+)': runbook_\w+_variables\.(\w+) \| default\(", template))


def test_the_target_has_all_of_them() -> None:
    assert set(VARIABLES) == set(TARGET_SPEC)
    for option, variable in KEYWORDS.values():
        assert VARIABLES[option] == variable


def test_the_server_of_the_copy_has_all_of_them_and_the_same_defaults() -> None:
    template = GIVEN["runbook_copy_target"]
    assert of_host(template) == VARIABLES
    for option, facts in TARGET_SPEC.items():
        default = facts.get("default", "postgres")
        assert re.search(rf"'{option}': \S+ \| default\({re.escape(repr(default))}\)", template), option


def test_hosts_of_the_library_have_all_of_them_but_the_database() -> None:
    found = {**of_host(GIVEN["runbook_library_connection"]), **of_host(GIVEN["runbook_library_password"])}
    assert {**found, "login_db": "db_name"} == VARIABLES


def test_the_modules_of_others_are_given_what_they_can_take() -> None:
    text = "".join(
        (PROJECT / f"roles/bootstrap_roles/{part}/main.yml").read_text() for part in ("tasks", "vars")
    )
    assert [variable for variable in VARIABLES.values() if variable not in text] == []


def test_defaults_are_those_of_the_role() -> None:
    defaults = load("roles/runbook/defaults/main.yml")
    assert (defaults["db_port"], defaults["db_sslmode"]) == (DEFAULTS["port"], DEFAULTS["sslmode"])
