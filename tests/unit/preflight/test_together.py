# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations of which one cannot run in a transaction are refused by name before anything is done."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.together import check_together

PLAIN: dict[str, Any] = {"statements": [], "declared": None}
CONCURRENTLY = {"statements": [{"line": 3, "command": "CREATE INDEX CONCURRENTLY"}], "declared": None}
DECLARED = {"statements": [], "declared": "none"}


def entry(version: str, apply: dict = PLAIN, rollback: dict = PLAIN) -> dict[str, Any]:
    return {
        "version": version,
        "apply_name": f"migrations/{version}.sql",
        "rollback_name": f"rollback/{version}_rollback.sql",
        "one_by_one": {"apply": apply, "rollback": rollback},
    }


def test_several_that_can_be_in_one_are() -> None:
    assert check_together([entry("002"), entry("003"), entry("004", CONCURRENTLY)], ["002", "003"]) is True


@pytest.mark.parametrize("versions", [[], ["003"]])
def test_one_alone_is_no_matter_of_this(versions: list[str]) -> None:
    assert check_together([entry("002"), entry("003", CONCURRENTLY, DECLARED)], versions) is False


@pytest.mark.parametrize(
    ("scripts", "words"),
    [
        ((CONCURRENTLY, PLAIN), "migrations/003.sql line 3 has CREATE INDEX CONCURRENTLY"),
        ((PLAIN, CONCURRENTLY), "rollback/003_rollback.sql line 3 has CREATE INDEX CONCURRENTLY"),
        ((DECLARED, PLAIN), "the header of migrations/003.sql says '-- Transaction: none'"),
        ((PLAIN, DECLARED), "the header of rollback/003_rollback.sql says '-- Transaction: none'"),
    ],
)
def test_one_that_cannot_is_named_with_what_to_type(scripts: tuple, words: str) -> None:
    with pytest.raises(Refused) as caught:
        check_together([entry("002"), entry("003", *scripts)], ["002", "003"])
    assert caught.value.code == "together_not_possible"
    assert caught.value.reason.startswith("Migration 003 cannot be in one transaction with the others: ")
    assert words in caught.value.reason
    assert caught.value.reason.endswith("-e skip=003")
