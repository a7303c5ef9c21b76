# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which schemas a session looks for names in: the runbook's statements in PostgreSQL's own, scripts as the application.

Whoever may create in a schema of the search_path can put a function or an operator there that fits the arguments of a
statement better than that of pg_catalog, and has it called with the rights of who sends the statement (CVE-2018-1058;
manual, "Writing SECURITY DEFINER Functions Safely"). Names of functions can be qualified; operators inside of IN,
BETWEEN, USING, IS DISTINCT FROM and the like cannot. So the path is PostgreSQL's, and the application's only while a
statement of the application runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..shapes import Cursor
from .answers import one_row

__all__ = [
    "SAFE_PATH",
    "as_application",
    "look_in_catalog_only",
    "relation_oid",
    "type_oid",
]

#: Temporary objects last: else a script could leave a temporary type or table in front of one of pg_catalog.
SAFE_PATH = "pg_catalog, pg_temp"

# Where a session keeps the path that database, role and scripts have set. It goes back at a ROLLBACK, as the path does.
# With a word in front, because RESET ALL leaves nothing, which is a path too: then the database's own counts again.
KEPT = "pgops_runbook.search_path"
UNWRAPPED = f"pg_catalog.substring(pg_catalog.current_setting('{KEPT}', true), '^is (.*)$')"

# Until the path is set nothing here may have an operator, or a function without its schema.
HIDE = f"""
    SELECT pg_catalog.set_config('{KEPT}', pg_catalog.concat('is ', pg_catalog.current_setting('search_path')), %s),
           pg_catalog.set_config('search_path', '{SAFE_PATH}', false)"""

# A value of NULL sets what database and role give.
SHOW = f"""
    SELECT CASE WHEN pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.=) '{SAFE_PATH}'
                 AND pg_catalog.current_setting('{KEPT}', true) IS NOT NULL
           THEN pg_catalog.set_config('search_path', {UNWRAPPED}, false) END"""


def look_in_catalog_only(cursor: Cursor) -> None:
    """The first statement of every session of the runbook."""
    cursor.execute(HIDE, (False,))


@contextmanager
def as_application(cursor: Cursor) -> Iterator[None]:
    """Inside, names are looked for where the application does; afterwards in PostgreSQL's own schemas again.

    What a script sets inside holds for the next statement of the application too, in a transaction until its end.
    A session with another path (pinned, or not one of the runbook's) keeps it. An error leaves the path to the
    ROLLBACK, where there is a transaction. The cursor keeps the answer of what was executed inside.
    """
    connection = cursor.connection
    with connection.cursor() as own:
        own.execute(SHOW)
        ours = one_row(own)[0] is not None
    try:
        yield
    except BaseException:
        if (
            ours
            and connection.autocommit
            and not connection.closed
            and not connection.info.transaction_status
        ):
            _hide(cursor)
        raise
    if ours:
        _hide(cursor)


def _hide(cursor: Cursor) -> None:
    # One by one there is no transaction; what is set for its rest would be gone with the statement.
    local = bool(cursor.connection.info.transaction_status)
    with cursor.connection.cursor() as own:
        own.execute(HIDE, (local,))


def relation_oid(cursor: Cursor, name: str) -> int | None:
    """OID of the table, index or sequence that the application finds under this name, as SQL writes it, or None."""
    return _oid(cursor, "SELECT pg_catalog.to_regclass(%s)::pg_catalog.oid", name)


def type_oid(cursor: Cursor, name: str) -> int | None:
    """As relation_oid(), of a type."""
    return _oid(cursor, "SELECT pg_catalog.to_regtype(%s)::pg_catalog.oid", name)


def _oid(cursor: Cursor, query: str, name: str) -> int | None:
    with as_application(cursor):
        cursor.execute(query, (name,))
    return one_row(cursor)[0]
