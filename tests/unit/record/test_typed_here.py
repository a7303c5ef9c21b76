# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands as they have to be typed here."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.typed_here import (
    options_of_here,
    typed_here,
)

DEFAULT = ["/etc/ansible/hosts"]


def options(*databases: str, inventory: Any = DEFAULT, extra_vars: Any = ()) -> tuple[str, str]:
    return options_of_here("shop", databases, {"inventory": inventory, "extra_vars": extra_vars}, DEFAULT)


def told(text: str, *databases: str, **given: Any) -> str:
    return typed_here(text, options(*databases, **given))


def test_of_one_database_in_the_usual_place_it_is_as_ever() -> None:
    assert options("shop") == ("", "")
    assert (
        told("Look: ansible-playbook playbooks/status.yml", "shop")
        == "Look: ansible-playbook playbooks/status.yml"
    )


def test_beside_another_database_it_names_its_own() -> None:
    assert told("Look: ansible-playbook playbooks/status.yml. Then wait", "shop", "shop2") == (
        "Look: ansible-playbook playbooks/status.yml --limit shop. Then wait"
    )


def test_each_command_of_a_sentence() -> None:
    assert told(
        "ansible-playbook a.yml -e x=1, or ansible-playbook pgops.runbook.deploy -e y=2", "shop", "b"
    ) == (
        "ansible-playbook a.yml --limit shop -e x=1, or ansible-playbook pgops.runbook.deploy --limit shop -e y=2"
    )


def test_what_is_told_once_more_is_not_written_twice() -> None:
    here = options("shop", "b", inventory=["i"], extra_vars=["sql_dir=s"])
    once = typed_here("ansible-playbook deploy.yml -e migration=002", here)
    assert (
        typed_here(once, here)
        == once
        == ("ansible-playbook deploy.yml -i i -e sql_dir=s --limit shop -e migration=002")
    )


@pytest.mark.parametrize(
    "playbook", ["playbooks/check.yml", "playbooks/import.yml", "pgops.runbook.new_migration"]
)
def test_where_no_database_is_asked_none_is_named(playbook: str) -> None:
    assert (
        told(f"ansible-playbook {playbook}", "shop", "b", inventory=["i"])
        == f"ansible-playbook {playbook} -i i"
    )


def test_a_sentence_that_names_its_databases_is_left_with_them() -> None:
    here = options("shop", "b", inventory=["i"])
    once = typed_here("ansible-playbook deploy.yml --limit b,c -e migration=002", here)
    assert typed_here(once, here) == once == "ansible-playbook deploy.yml -i i --limit b,c -e migration=002"
    assert (
        told("ansible-playbook deploy.yml --limit b", "shop", "b") == "ansible-playbook deploy.yml --limit b"
    )


def test_a_host_that_is_no_database_of_the_inventory_limits_nothing() -> None:
    assert options("a", "b") == ("", "")


@pytest.mark.parametrize(
    ("extra_vars", "typed"),
    [
        (["migration=002 sql_dir=/a/sql"], "-e sql_dir=/a/sql"),
        (["sql_dir='/a b/sql'"], "-e 'sql_dir=/a b/sql'"),
        (["@there.yml", "accept_drift=true"], "-e @there.yml"),
        (['{"db_name": "books", "db_password": "secret"}'], "-e db_name=books"),
        (["db_password=secret"], ""),
        (["{not json"], ""),
        (["[1]"], ""),
    ],
)
def test_places_are_typed_again_and_nothing_else(extra_vars: list[str], typed: str) -> None:
    assert options("shop", extra_vars=extra_vars) == ((f" {typed}",) * 2 if typed else ("", ""))


def test_names_are_quoted_for_the_shell() -> None:
    _, typed = options_of_here("a b'c", ["a b'c", "d"], {"inventory": ["/x y/i"]}, DEFAULT)
    assert shlex.split(typed) == ["-i", "/x y/i", "--limit", "a b'c"]


def test_in_lists_and_dicts_but_not_in_what_has_a_digest() -> None:
    command = "ansible-playbook deploy.yml"
    answer = {"msg": command, "lines": [command, 3], "receipts": [{"document": command}], "none": None}
    assert typed_here(answer, ("", " --limit shop")) == {
        "msg": f"{command} --limit shop",
        "lines": [f"{command} --limit shop", 3],
        "receipts": [{"document": command}],
        "none": None,
    }
