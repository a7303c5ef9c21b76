# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Limits on statements that hold for scripts too: a script may make one stricter, and cannot lift it.

pg_dump writes ``SET lock_timeout = 0`` into every file, and a migration that begins as such a file would wait for its
locks without end, with the application queueing behind it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..shapes import Connection, Cursor
from .answers import one_row

__all__ = ["StatementLimits", "in_milliseconds", "in_transaction"]

#: Which there are; transaction_timeout came with PostgreSQL 17.
NAMES = (
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
)

# PostgreSQL manual, "Parameter Names and Values": units of time. Without one it is milliseconds.
UNITS = {"": 1, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}

# Scripts are sent to the server as text that was read already, and so in the encoding of the connection.
ENCODING = "client_encoding"

READ = "SELECT " + ", ".join(f"pg_catalog.current_setting('{name}', true)" for name in (*NAMES, ENCODING))


def in_milliseconds(value: str) -> int:
    """A limit as PostgreSQL writes it.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"(\d+)([a-z]*)", value)
    if found is None or found[2] not in UNITS:
        raise ValueError(f"{value!r} is no time")
    return int(found[1]) * UNITS[found[2]]


def in_transaction(connection: Connection) -> bool:
    """Whether a transaction is open, so that SET LOCAL means something."""
    return connection.get_transaction_status() != 0  # psycopg2.extensions.TRANSACTION_STATUS_IDLE


@dataclass(frozen=True)
class StatementLimits:
    """Limits as they are when a script begins.

    Attributes:
        values: name -> value as PostgreSQL writes it, of those that the server has; "0" is no limit.
        encoding: of what is sent to the server.
    """

    values: Mapping[str, str]
    encoding: str

    @classmethod
    def in_force(cls, cursor: Cursor) -> StatementLimits:
        """The limits of the session as it is now."""
        return cls(*_read(cursor))

    def begin(self, cursor: Cursor) -> None:
        """Set them for a script, whatever its role and database have: they are the runbook's own variables."""
        _set(cursor, self.values)

    def put_back(self, cursor: Cursor) -> None:
        """Set them for what follows the script."""
        _set(cursor, self.values)

    def set_again(self, cursor: Cursor) -> list[str]:
        """Set again what a statement has lifted.

        Returns:
            what it had made of each limit, as in ``lock_timeout = 0``; nothing where it lifted none.
        """
        found, encoding = _read(cursor)
        if encoding != self.encoding:
            _set(cursor, {ENCODING: self.encoding})
        lifted = {name: value for name, value in found.items() if _is_lifted(value, self.values[name])}
        if lifted:
            _set(cursor, {name: self.values[name] for name in lifted})
        return [f"{name} = {value}" for name, value in lifted.items()]


def _is_lifted(value: str, limit: str) -> bool:
    now, greatest = in_milliseconds(value), in_milliseconds(limit)
    return bool(greatest) and (not now or now > greatest)


def _read(cursor: Cursor) -> tuple[dict[str, str], str]:
    cursor.execute(READ)
    *values, encoding = one_row(cursor)
    return {name: value for name, value in zip(NAMES, values) if value is not None}, encoding


def _set(cursor: Cursor, values: Mapping[str, str]) -> None:
    cursor.execute(
        # In the script's turn, and so under its search_path; unnest() with two arguments cannot be qualified.
        "SELECT pg_catalog.set_config(n, v, %s) FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.text[]),"
        " pg_catalog.unnest(%s::pg_catalog.text[])) AS s(n, v)",
        (in_transaction(cursor.connection), list(values), list(values.values())),
    )
