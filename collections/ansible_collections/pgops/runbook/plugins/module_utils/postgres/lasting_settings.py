# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings that last: ALTER DATABASE and ALTER ROLE ... SET, of another database made again from the catalog.

Said as a literal, PostgreSQL takes names of objects that are not there, with a notice; a session that sets them itself
gets an error. A session that begins with them gets a warning at most, and goes on without.
"""

from __future__ import annotations

from ..shapes import Cursor
from .connection import psycopg2, sql

__all__ = ["PASSED_OVER", "elements", "permitted", "set_statement"]

# Settings whose value is a list of names; written as a literal it would be read back as one name (pg_dump knows the
# same list: variable_is_guc_list_quote in src/bin/pg_dump/dumputils.c).
LISTS = (
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
)

#: Of a value that no role may set any more, and that no session of the replaced database had either.
REFUSED_TO_ALL = "22023"

#: SQLSTATEs with which a server refuses a setting, where a session that has it all the same goes on without it: what
#: only superusers may set, a parameter of an extension that is not there, a locale that is not there.
PASSED_OVER = ("42501", "42704", REFUSED_TO_ALL)


def set_statement(of: sql.Composable, name: str, value: str) -> sql.Composed:
    """``ALTER ... SET``.

    Args:
        of: whose setting, as ``DATABASE x``.
        name, value: as pg_db_role_setting has them.
    """
    parameter = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
    values = sql.SQL(", ").join(map(sql.Literal, elements(value) if name in LISTS else [value]))
    return sql.SQL("ALTER {} SET {} TO {}").format(of, parameter, values)


def permitted(cursor: Cursor, statement: sql.Composable) -> bool:
    """Give a database a property of another one, in the cursor's transaction; whether no superuser needs to."""
    cursor.execute("SAVEPOINT property")
    try:
        cursor.execute(statement)
    except psycopg2.Error as error:
        if error.pgcode not in PASSED_OVER:
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT property")
        return error.pgcode == REFUSED_TO_ALL
    cursor.execute("RELEASE SAVEPOINT property")
    return True


def elements(value: str) -> list[str]:
    """The names in a list such as ``"$user", public``: a name in double quotes may hold commas and ``""``."""
    names: list[str] = []
    name, quoted, position = "", False, 0
    while position < len(value):
        letter = value[position]
        if quoted and value[position : position + 2] == '""':
            name += '"'
            position += 1
        elif letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            names.append(name)
            name = ""
        elif quoted or not letter.isspace():
            name += letter
        position += 1
    return [*names, name]
