# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Paths are changed in the database only when every host of the library was asked, after the last rehearsal."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import make_receipt
from ansible_collections.pgops.runbook.plugins.module_utils.library.hosts import (
    refuse_unless_all_hosts_checked,
)

IDENTITY = {"system_identifier": "1", "database": "midi", "database_oid": 5}


def receipts(*steps: tuple[str, str, dict[str, Any]]) -> list[dict[str, Any]]:
    first = ("preflight", "ok", {"files": ["007"], "library_hosts": ["one", "two"]})
    return [
        make_receipt(
            "run", step, status, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", IDENTITY, "", outputs=outputs
        )
        for step, status, outputs in (first, *steps)
    ]


def asked(host: str, status: str = "ok") -> tuple[str, str, dict[str, Any]]:
    return "files_check", status, {"library_host": host}


REHEARSED = ("rehearse", "ok", {})


def test_all_hosts_were_asked() -> None:
    refuse_unless_all_hosts_checked(receipts(REHEARSED, asked("one"), asked("two")))


@pytest.mark.parametrize(
    ("steps", "missing"),
    [
        ((REHEARSED,), "one, two"),
        ((REHEARSED, asked("one")), "two"),
        ((asked("one"), asked("two"), REHEARSED), "one, two"),
        ((REHEARSED, asked("one"), asked("two", "failed")), "one, two"),
        ((REHEARSED, asked("one"), asked("two", "failed"), asked("two")), "one"),
    ],
)
def test_a_host_that_was_not_asked_since_is_named(steps: tuple, missing: str) -> None:
    with pytest.raises(Refused, match=f"files_check for host {missing}, because migration 007"):
        refuse_unless_all_hosts_checked(receipts(*steps))


def test_nothing_is_asked_where_no_migration_changes_paths() -> None:
    found = receipts(REHEARSED)
    found[0]["outputs"]["files"] = []
    refuse_unless_all_hosts_checked(found)
