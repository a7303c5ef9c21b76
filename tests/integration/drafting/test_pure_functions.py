# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Functions of which a draft takes for granted that they change nothing are such, as PostgreSQL says of them."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.pure_functions import PURE

# They give another value each time, wait, lock, tell others, or set something of the session.
VOLATILE = {
    *("clock_timestamp", "gen_random_uuid", "random", "uuidv4", "uuidv7"),
    *(
        "pg_advisory_lock",
        "pg_advisory_unlock",
        "pg_advisory_xact_lock",
        "pg_notify",
        "pg_sleep",
        "set_config",
    ),
}
# Words of the grammar, which no catalog has.
SYNTAX = {"coalesce", "trim"}


def test_those_that_are_volatile_are_known(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT proname::text, bool_or(provolatile = 'v') FROM pg_proc GROUP BY proname")
        volatile = dict(cursor.fetchall())
    assert {name for name in PURE if name not in volatile} == SYNTAX
    assert {name for name in PURE if volatile.get(name)} == VOLATILE
