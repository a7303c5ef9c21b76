# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every single change of a schema shows in the catalog under its key, and its inverse takes it back."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import digest, read_catalog
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import (
    describe,
    difference,
    undone,
)

from demo.local_server import LocalServer
from tests.integration.catalog.changes import CHANGES, Change
from tests.integration.catalog.dump import schema_dump


@pytest.mark.parametrize("change", CHANGES, ids=[change.do for change in CHANGES])
def test_a_change_shows_and_its_inverse_takes_it_back(
    server: LocalServer, rich: Any, copy_of_rich: Any, change: Change
) -> None:
    before, dump_before = rich
    names = {"database": copy_of_rich, "user": server.user}
    with contextlib.closing(server.connect(copy_of_rich)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET allow_system_table_mods = on")
            after = _run(connection, cursor, change.do, names)
            dump_after = schema_dump(server, copy_of_rich)
            again = _run(connection, cursor, change.undo, names)
            dump_again = schema_dump(server, copy_of_rich)

    found = difference(before, after)
    key = change.key.replace("{user}", server.user)
    assert key in {**found.added, **found.removed, **found.changed}
    assert digest(after) != digest(before)
    assert describe(found)
    assert (dump_after != dump_before) == (change.not_dumped is None)
    assert describe(difference(before, again)) == []
    assert dump_again == dump_before
    assert undone(after, before, after) == (before, [])


def _run(connection: Any, cursor: Any, statements: str, names: dict[str, str]) -> dict:
    for statement in statements.format(**names).split("; ") if "ATOMIC" not in statements else [statements]:
        cursor.execute(statement)
    cursor.execute("BEGIN")
    catalog = read_catalog(cursor)
    cursor.execute("COMMIT")
    return catalog
