# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the scripts of migrations will do, decided without a server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.checks import (
    check_scripts_to_apply,
    check_scripts_to_roll_back,
)


def transactions(
    *commands: Any, declared: Any = None, blocks: int = 0, changes: Any = (), shared: Any = ()
) -> dict[Any, Any]:
    """What a script has of statements that cannot be in a transaction: (line, command, object).

    Args:
        shared: (line, command) of statements that reach beyond the database.
    """
    statements = [{"line": line, "command": command, "object": about} for line, command, about in commands]
    return {
        "statements": statements,
        "declared": declared,
        "blocks": blocks,
        "changes": list(changes),
        "shared": [{"line": line, "command": command} for line, command in shared],
    }


def problem(reason: str) -> dict[str, str]:
    """As the controller's parser hands it on."""
    return {"reason_code": "script_syntax_error", "reason": reason}


def entry(version: Any, requires: Any = (), **facts: Any) -> dict[Any, Any]:
    return {
        "version": version,
        "stem": f"{version}_name",
        "requires": list(requires),
        "apply_name": f"migrations/{version}_name.sql",
        "rollback_name": f"rollback/{version}_name_rollback.sql",
        "rollback_place": f"rollback/{version}_name_rollback.sql",
        "problems": [],
        "rollback_problems": [],
        "statements": 2,
        "rollback_statements": 2,
        "one_by_one": {"apply": transactions(), "rollback": transactions()},
        **facts,
    }


INDEX_COMMAND = "CREATE INDEX CONCURRENTLY"
INDEX = [entry("001"), entry("002", ["001"])]


def test_sound_scripts() -> None:
    check_scripts_to_apply(INDEX, ["001", "002"])
    check_scripts_to_roll_back(INDEX, ["002", "001"])


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (
            {"problems": [problem("migrations/x.sql:3:7: syntax error")]},
            r"migrations/x\.sql:3:7: syntax error",
        ),
        ({"statements": 0}, r"no statement: migrations/001_name\.sql is empty"),
        (
            {"rollback_name": None, "rollback_statements": 0},
            r"'rollback script exists'.*no rollback/001_name",
        ),
        ({"rollback_statements": 0}, r"'rollback script exists'.*001_name_rollback\.sql has no statement"),
        (
            {
                "one_by_one": {
                    "apply": transactions((4, "VACUUM", None), declared="one"),
                    "rollback": transactions(),
                }
            },
            r"'migration runs in one transaction': migrations/001_name\.sql line 4: VACUUM.*'-- Transaction: one'",
        ),
        (
            {"one_by_one": {"apply": transactions(), "rollback": transactions((2, "DROP DATABASE", None))}},
            r"rollback/001_name_rollback\.sql line 2: DROP DATABASE reaches beyond",
        ),
        (
            {"one_by_one": {"apply": transactions((2, INDEX_COMMAND, None)), "rollback": transactions()}},
            r"line 2: CREATE INDEX CONCURRENTLY gives the index no name",
        ),
        (
            {
                "one_by_one": {
                    "apply": transactions((2, "VACUUM", None), blocks=1),
                    "rollback": transactions(),
                }
            },
            r"has a BEGIN of its own",
        ),
        (
            {"one_by_one": {"apply": transactions(declared="none", blocks=1), "rollback": transactions()}},
            r"has a BEGIN of its own",
        ),
        (
            {
                "one_by_one": {
                    "apply": transactions(shared=[(3, "CREATE ROLE app")]),
                    "rollback": transactions(),
                }
            },
            r"^migrations/001_name\.sql line 3: CREATE ROLE app changes what all databases of the .*by hand",
        ),
        (
            {"one_by_one": {"apply": transactions(), "rollback": transactions(shared=[(1, "DROP ROLE")])}},
            r"^rollback/001_name_rollback\.sql line 1: DROP ROLE changes",
        ),
    ],
)
def test_scripts_that_may_not_be_applied(facts: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check_scripts_to_apply([entry("001", **facts)], ["001"])


def test_a_rollback_that_may_change_rows_in_two_places() -> None:
    twice = transactions((3, "VACUUM", None), changes=[2, 5])
    reason = r"^rollback/001_name_rollback\.sql may change rows in 2 places \(lines 2, 5\)"
    with pytest.raises(Refused, match=reason):
        check_scripts_to_apply(
            [entry("001", one_by_one={"apply": transactions(), "rollback": twice})], ["001"]
        )
    with pytest.raises(Refused, match=reason):
        check_scripts_to_roll_back(
            [entry("001", one_by_one={"apply": transactions(), "rollback": twice})], ["001"]
        )
    check_scripts_to_apply([entry("001", one_by_one={"apply": twice, "rollback": transactions()})], ["001"])


def test_a_rollback_of_what_is_deployed_does_not_wait_for_a_role_that_it_drops() -> None:
    drops = transactions(shared=[(1, "DROP ROLE")])
    check_scripts_to_roll_back([entry("001", one_by_one={"apply": drops, "rollback": drops})], ["001"])


def test_all_that_is_wrong_is_named_where_all_are_rehearsed() -> None:
    index = [
        entry("001", problems=[problem("001 is broken")]),
        entry("002"),
        entry("003", statements=0),
    ]
    with pytest.raises(Refused, match=r"^001 is broken$"):
        check_scripts_to_apply(index, ["001", "002", "003"])
    with pytest.raises(
        Refused, match=r"The scripts have 2 faults: 001 is broken; Migration 003 has no statement"
    ):
        check_scripts_to_apply(index, ["001", "002", "003"], name_all=True)
    with pytest.raises(Refused, match=r"^001 is broken$"):
        check_scripts_to_apply(index[:2], ["001", "002"], name_all=True)


def test_scripts_of_migrations_that_are_not_selected_do_not_matter() -> None:
    check_scripts_to_apply([entry("001", problems=[problem("broken")]), entry("002")], ["002"])


@pytest.mark.parametrize(
    "facts", [{"rollback_name": None, "rollback_statements": 0}, {"rollback_statements": 0}]
)
def test_a_rollback_without_script_names_the_verified_backup(facts: dict[str, Any]) -> None:
    with pytest.raises(
        Refused, match=r"'rollback script exists'.*\(/backups/r1\).*restore\.yml -e run_id=r1$"
    ):
        check_scripts_to_roll_back(
            [entry("001", **facts)], ["001"], lambda version: {"run_id": "r1", "folder": "/backups/r1"}
        )
    with pytest.raises(Refused) as refused:
        check_scripts_to_roll_back([entry("001", **facts)], ["001"])
    assert "restore.yml" not in refused.value.reason, "no backup is promised where there is none"


def test_a_rollback_that_does_not_parse() -> None:
    broken = entry(
        "001", rollback_problems=[problem("rollback/x.sql:1:1: syntax error")], rollback_statements=0
    )
    with pytest.raises(Refused, match="syntax error"):
        check_scripts_to_roll_back([broken], ["001"])


def test_a_rollback_does_not_ask_whether_the_migration_could_be_applied() -> None:
    check_scripts_to_roll_back([entry("001", problems=[problem("the migration was broken since")])], ["001"])


def test_statements_outside_of_a_transaction_pass_when_they_can_be_gone_on_with() -> None:
    named = transactions((3, INDEX_COMMAND, {"index": [None, "x"]}), (4, "VACUUM", None))
    facts = {"apply": named, "rollback": transactions(declared="none")}
    check_scripts_to_apply([entry("001", one_by_one=facts)], ["001"])
