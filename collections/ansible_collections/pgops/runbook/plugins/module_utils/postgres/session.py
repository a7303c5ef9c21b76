# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Session settings that decide how PostgreSQL writes values, names and expressions as text, and how quickly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..shapes import Cursor

__all__ = ["PINNED_SETTINGS", "QUICKER_SETTINGS", "SAFE_PATH", "Pinned", "pin_session", "restore_session"]


#: Whoever may create in a schema of the search_path can put a function or an operator there that fits the arguments of
#: a statement better than that of pg_catalog, and has it called with the rights of who sends the statement
#: (CVE-2018-1058; manual, "Writing SECURITY DEFINER Functions Safely"). Operators inside of IN, BETWEEN, USING and the
#: like cannot be qualified. Temporary objects last: else a script could leave one in front of those of pg_catalog.
SAFE_PATH = "pg_catalog, pg_temp"


class Pinned(NamedTuple):
    """A setting's value for fingerprints, and why it must not be left to the role or the database."""

    value: str
    reason: str


# PostgreSQL manual, "Client Connection Defaults" and "Version and Platform Compatibility".
PINNED_SETTINGS: Mapping[str, Pinned] = {
    "TimeZone": Pinned("UTC", "timestamptz and timetz are written in the session's zone"),
    "DateStyle": Pinned("ISO, MDY", "dates and timestamps are written in this style"),
    "IntervalStyle": Pinned("postgres", "intervals are written in this style"),
    "extra_float_digits": Pinned("3", "below 1, float4 and float8 are rounded when written"),
    "bytea_output": Pinned("hex", "bytea is written in this format"),
    "xmlbinary": Pinned("base64", "binary values inside xml are written in this encoding"),
    "xmloption": Pinned("content", "xml constants in expressions are read as document or content"),
    "lc_monetary": Pinned("C", "money is written with this locale's signs and decimals"),
    "search_path": Pinned(SAFE_PATH, "names are written without a schema when the path finds them"),
    "quote_all_identifiers": Pinned("off", "decides whether plain names get quotes"),
    "standard_conforming_strings": Pinned("on", "decides how backslashes in constants are written"),
    "row_security": Pinned("off", "a policy must raise an error, never hide rows from a fingerprint"),
}


# With the same answers, sooner: statements over the rows of whole tables sort and join in this much memory, where the
# server grants less; and each runs once, which takes less time than to compile it (manual, "When to JIT?").
QUICKER_SETTINGS: Mapping[str, str] = {"work_mem": "64MB", "jit": "off"}


def pin_session(cursor: Cursor, local: bool) -> dict[str, str]:
    """Set every pinned setting, and those that make our statements quicker; return the values they had.

    Args:
        cursor: any psycopg2 cursor.
        local: until the end of the transaction (SET LOCAL) instead of the session. Give the result to
            :func:`restore_session` when the rest of the transaction must not notice.

    Returns:
        the previous values by name, JSON-able.

    Raises:
        psycopg2.Error: when the server refuses a value.
    """
    values = {**{name: pinned.value for name, pinned in PINNED_SETTINGS.items()}, **QUICKER_SETTINGS}
    cursor.execute(
        # The inner query reads before the outer one writes; OFFSET 0 keeps the planner from merging them.
        "SELECT name, previous, pg_catalog.set_config(name, value, %(local)s) FROM ("
        " SELECT n AS name, pg_catalog.current_setting(n) AS previous,"
        " CASE WHEN n = 'work_mem' AND pg_catalog.pg_size_bytes(pg_catalog.current_setting(n))"
        " > pg_catalog.pg_size_bytes(v) THEN pg_catalog.current_setting(n) ELSE v END AS value"
        " FROM unnest(%(names)s::pg_catalog.text[], %(values)s::pg_catalog.text[]) AS s(n, v)"
        " OFFSET 0) AS pinned",
        {"names": list(values), "values": list(values.values()), "local": local},
    )
    # By position and by name: the caller's cursor may return tuples or mappings.
    rows = cursor.fetchall()
    return {_field(row, 0, "name"): _field(row, 1, "previous") for row in rows}


def restore_session(cursor: Cursor, previous: Mapping[str, str], local: bool = True) -> None:
    """Put back what :func:`pin_session` returned.

    Args:
        cursor: a cursor of the same connection.
        previous: the result of :func:`pin_session`.
        local: the same value as was given to :func:`pin_session`.
    """
    cursor.execute(
        "SELECT pg_catalog.set_config(n, v, %(local)s)"
        " FROM unnest(%(names)s::pg_catalog.text[], %(values)s::pg_catalog.text[]) AS s(n, v)",
        {"names": list(previous), "values": list(previous.values()), "local": local},
    )


def _field(row: Any, position: int, name: str) -> str:
    return row[name] if isinstance(row, Mapping) else row[position]
