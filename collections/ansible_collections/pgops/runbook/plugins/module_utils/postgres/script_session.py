# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose turn it is in a session: the runbook's, under settings of its own, or a script's, under what psql would give.

A migration and the receipt on it are one transaction, and so are in one session. What a script sets there must not
decide what the runbook's statements mean or where they write, and what the runbook sets must not decide what a script
does: it would do something else when somebody runs it by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..shapes import Connection, Cursor
from .advisory_locks import hold_in_transaction, locks_held, take_again
from .answers import one_row
from .session import PINNED_SETTINGS, SAFE_PATH, Pinned
from .statement_limits import StatementLimits, in_transaction

__all__ = [
    "OUR_SETTINGS",
    "STRINGS",
    "STRINGS_OF_ROLE",
    "leave_nothing",
    "on_our_path",
    "on_role_path",
    "path_of_role",
    "relation_oid",
    "schemas_of_role",
    "scripts_turn",
    "take_our_turn",
]

#: Of whatever a role, a database or a script sets, what would change our own statements: added to what decides how
#: values are written. PostgreSQL manual, "Client Connection Defaults". Those that a version does not have are left out.
OUR_SETTINGS: Mapping[str, Pinned] = {
    **PINNED_SETTINGS,
    # Named, the temporary schema is the last one: what lies there takes no catalog's place.
    "search_path": Pinned(SAFE_PATH, "an object of the application must not stand in for a catalog"),
    # A transaction of REPEATABLE READ takes its snapshot before it has its locks: rows that others commit while it
    # waits for one would be in the table that it drops, and not in what it sees. What needs one snapshot of all says
    # so itself.
    "default_transaction_isolation": Pinned("read committed", "a rollback must see what it waited for"),
    "lock_timeout": Pinned("0", "limits are those of the runbook's own variables"),
    "statement_timeout": Pinned("0", "reading a large database takes longer than a query of the application"),
    "transaction_timeout": Pinned("0", "a backup is one transaction for as long as it takes"),
    "idle_in_transaction_session_timeout": Pinned("0", "the snapshot of a backup waits for pg_dump"),
    "idle_session_timeout": Pinned("0", "the session with the run's lock waits for programs"),
    # Without it the server notices that a killed client is gone only when its statement has ended, and keeps the
    # session's locks until then (manual, "TCP Settings").
    "client_connection_check_interval": Pinned("1s", "a killed client keeps its locks"),
    "default_table_access_method": Pinned("heap", "decides what the runbook's own tables can do"),
    # temp_tablespaces is left: whoever sets it wants large temporary files there, and PostgreSQL goes past what it may
    # not use.
    "default_tablespace": Pinned("", "the role may make no tables of the runbook's there"),
    "exit_on_error": Pinned("off", "errors are asked for, and a session that ends of one has no savepoint"),
    "array_nulls": Pinned("on", "decides whether NULL in an array is a value"),
    "transform_null_equals": Pinned("off", "decides what a comparison with NULL gives"),
    "session_replication_role": Pinned("origin", "foreign keys and triggers would not look at rows put back"),
    "lc_messages": Pinned("C", "messages are quoted in sentences in English"),
    # What asks the catalogs is estimated far above jit_above_cost, gives a few rows, and runs once: to compile it takes
    # two seconds where the answer takes five milliseconds, and locks are held meanwhile (manual, "When to JIT?").
    "jit": Pinned("off", "compiling a question to the catalogs takes longer than all answers together"),
}

#: Only a superuser may set these; for everybody else they stay as they are.
SUPERUSER_ONLY = ("session_replication_role", "lc_messages")

# First of all: until then nothing may have an operator, or a function without its schema.
LOOK_IN_CATALOG_ONLY = f"SELECT pg_catalog.set_config('search_path', '{SAFE_PATH}', false)"

READ = """
    SELECT n, pg_catalog.current_setting(n, true) FROM unnest(%s::pg_catalog.text[]) AS s(n)
    WHERE pg_catalog.current_setting(n, true) IS NOT NULL"""

SET = """
    SELECT pg_catalog.set_config(n, v, false) FROM unnest(%s::pg_catalog.text[], %s::pg_catalog.text[]) AS s(n, v)
    WHERE pg_catalog.current_setting(n, true) <> v
      AND (pg_catalog.current_setting('is_superuser') = 'on' OR n <> ALL (%s::pg_catalog.text[]))"""

# A role whose COMMITs may be lost in a crash is one thing; that we report one and it is lost is another. For standbys,
# which such a role does not wait for, we do not wait either.
COMMITS_STAY = """
    SELECT pg_catalog.set_config('synchronous_commit', 'local', false)
    WHERE pg_catalog.current_setting('synchronous_commit') = 'off'"""

# Kept rows wait in temporary tables, which go through the disk where they do not fit. It can be said only before a
# session makes the first one, and is taken as it is needed (manual, "Resource Consumption"). Also in a script's turn.
MORE_TEMPORARY = """
    SELECT pg_catalog.set_config('temp_buffers', '64MB', false)
    WHERE pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0::pg_catalog.oid
      AND pg_catalog.pg_size_bytes(pg_catalog.current_setting('temp_buffers')) OPERATOR(pg_catalog.<) 67108864"""

# The parts of DISCARD ALL that a transaction allows and that leave our own temporary tables and locks alone.
AS_IT_BEGAN = (
    "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; DEALLOCATE ALL; UNLISTEN *; DISCARD SEQUENCES"
)

# What depends on the session's temporary schema and was made since, as DROP names it. What belongs to a role that may
# not be acted for stays until the session ends.
TEMPORARY = """
    SELECT CASE o.type WHEN 'composite type' THEN 'type' ELSE o.type END, o.identity, d.objid::bigint
    FROM pg_catalog.pg_depend d, pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS o
    WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
      AND d.refobjid = pg_catalog.pg_my_temp_schema() AND d.objid <> ALL (%s::pg_catalog.oid[])
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_shdepend s
                      WHERE s.classid = d.classid AND s.objid = d.objid AND s.deptype = 'o'
                        AND s.dbid = (SELECT oid FROM pg_catalog.pg_database
                                      WHERE datname = pg_catalog.current_database())
                        AND NOT pg_catalog.pg_has_role(s.refobjid, 'USAGE'))"""

STRINGS = "standard_conforming_strings"

#: What the role has of it, where a session had to begin with another value (see connection).
STRINGS_OF_ROLE = "pgops_runbook.strings_of_role"

STRINGS_AS_THE_ROLE_HAS_THEM = f"""
    SELECT pg_catalog.set_config('{STRINGS}', pg_catalog.current_setting('{STRINGS_OF_ROLE}', true), false)
    WHERE pg_catalog.current_setting('{STRINGS_OF_ROLE}', true) OPERATOR(pg_catalog.<>) ''"""

# DEFAULT is what role and database have, whatever was set since (manual, SET). In pg_settings it stands, too, which is
# made of all settings each time.
PATH_OF_ROLE = "SET LOCAL search_path TO DEFAULT"

# The inner query comes first, and OFFSET 0 keeps the planner from merging the two.
SCHEMAS_OF_ROLE = f"""{PATH_OF_ROLE};
    SELECT schemas, pg_catalog.set_config('search_path', %s, true)
    FROM (SELECT pg_catalog.current_schemas(false)::pg_catalog.text[] AS schemas OFFSET 0) AS found"""


def take_our_turn(cursor: Cursor) -> None:
    """The runbook's own settings, until somebody sets others; in a transaction that is undone, until then.

    Raises:
        psycopg2.Error: the server refuses a value.
    """
    cursor.execute(LOOK_IN_CATALOG_ONLY)
    _set(cursor, {name: pinned.value for name, pinned in OUR_SETTINGS.items()}, COMMITS_STAY, MORE_TEMPORARY)


def schemas_of_role(cursor: Cursor) -> list[str]:
    """The schemas in which the role finds names without one, as far as they exist: its search_path, not ours."""
    cursor.execute("SELECT pg_catalog.current_setting('search_path')")
    cursor.execute(SCHEMAS_OF_ROLE, one_row(cursor))
    return one_row(cursor)[0]


def path_of_role(cursor: Cursor) -> str:
    """The search_path that the role has in this database, whatever the session has."""
    cursor.execute("SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'")
    return one_row(cursor)[0]


@contextmanager
def on_role_path(cursor: Cursor) -> Iterator[None]:
    """Inside, names are found where the role finds them: for what calls the application's own triggers.

    Only in a transaction; where that fails inside, it is undone with the rest of it.
    """
    cursor.execute("SELECT pg_catalog.current_setting('search_path')")
    ours = one_row(cursor)[0]
    cursor.execute(PATH_OF_ROLE)
    try:
        yield
    finally:
        if _answers(cursor.connection):
            cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (ours,))


@contextmanager
def on_our_path(cursor: Cursor) -> Iterator[None]:
    """Inside a script's turn: for the runbook's own statements between those of the script.

    Operators, and functions that are named without their schema, would be those of the application.
    """
    local = in_transaction(cursor.connection)
    cursor.execute(
        "SELECT pg_catalog.current_setting('search_path'), pg_catalog.set_config('search_path', %s, %s)",
        (SAFE_PATH, local),
    )
    theirs = one_row(cursor)[0]
    try:
        yield
    finally:
        if _answers(cursor.connection):
            cursor.execute("SELECT pg_catalog.set_config('search_path', %s, %s)", (theirs, local))


def relation_oid(cursor: Cursor, name: str) -> int | None:
    """OID of the table, index or sequence that the role finds under this name, as SQL writes it, or None.

    Args:
        cursor: of a transaction.
    """
    with on_role_path(cursor):
        cursor.execute("SELECT pg_catalog.to_regclass(%s)::pg_catalog.oid::pg_catalog.int8", (name,))
        return one_row(cursor)[0]


@contextmanager
def scripts_turn(cursor: Cursor, whole: bool = True) -> Iterator[StatementLimits]:
    """Inside, the session is as psql would find it; afterwards nothing of what was done to it is left.

    Only the limits that hold when it begins hold on: give what this yields to run_script, which sets them again.

    Args:
        cursor: in a transaction, or in autocommit mode.
        whole: whether the script ends with this. Until then its temporary tables, prepared statements and cursors
            stay; leave_nothing() takes them away.

    Yields:
        the limits on statements.
    """
    limits = StatementLimits.in_force(cursor)
    settings = _read(cursor)
    locks = locks_held(cursor)
    if in_transaction(cursor.connection):
        hold_in_transaction(cursor, locks)
    ours = _temporary(cursor, []) if whole else []
    cursor.execute(AS_IT_BEGAN if whole else _KEEPING_PREPARED)
    cursor.execute(STRINGS_AS_THE_ROLE_HAS_THEM)
    cursor.execute(MORE_TEMPORARY)
    limits.begin(cursor)
    try:
        yield limits
    except BaseException:
        if _answers(cursor.connection):
            _end(cursor, settings, limits, whole)
            take_again(cursor, locks)
        raise
    _end(cursor, settings, limits, whole)
    take_again(cursor, locks)
    if whole:
        leave_nothing(cursor, [oid for _, _, oid in ours])


_KEEPING_PREPARED = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"


def _end(cursor: Cursor, settings: Mapping[str, str], limits: StatementLimits, whole: bool) -> None:
    cursor.execute(AS_IT_BEGAN if whole else _KEEPING_PREPARED)
    cursor.execute(LOOK_IN_CATALOG_ONLY)
    # For the session, so that they hold after COMMIT too; of limits that is none, and those now end with it.
    _set(cursor, {**settings, **dict.fromkeys(limits.values, "0")}, MORE_TEMPORARY)
    limits.put_back(cursor)


def _read(cursor: Cursor) -> dict[str, str]:
    cursor.execute(READ, ([*OUR_SETTINGS, "synchronous_commit"],))
    return dict(cursor.fetchall())


def _set(cursor: Cursor, values: Mapping[str, str], *more: str) -> None:
    """Set what differs, and say more in the same message."""
    cursor.execute("; ".join((SET, *more)), (list(values), list(values.values()), list(SUPERUSER_ONLY)))


def _answers(connection: Connection) -> bool:
    """Whether a statement can be sent: the connection is there, and its transaction has not failed."""
    return not connection.closed and connection.get_transaction_status() != _IN_ERROR


#: psycopg2.extensions.TRANSACTION_STATUS_INERROR; that package may be missing where this is only imported.
_IN_ERROR = 3


def _temporary(cursor: Cursor, besides: list[int]) -> list[tuple[str, str, int]]:
    cursor.execute(TEMPORARY, (besides,))
    return cursor.fetchall()


def leave_nothing(cursor: Cursor, besides: list[int]) -> None:
    """Take away what a script has left in the session's temporary schema, its cursors and prepared statements.

    Args:
        cursor: in our own turn.
        besides: OIDs of what there was before it.
    """
    # A cursor that is open holds its tables.
    cursor.execute("CLOSE ALL; DEALLOCATE ALL")
    for kind, identity, _ in _temporary(cursor, besides):
        # Both are PostgreSQL's own words, with quotes where they are needed; one may have gone with another.
        cursor.execute(f"DROP {kind} IF EXISTS {identity} CASCADE")
