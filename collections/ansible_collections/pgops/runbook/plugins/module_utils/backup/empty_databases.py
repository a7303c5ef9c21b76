# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Empty databases, one after the other, in which a rehearsal goes on after a failure."""

from __future__ import annotations

from ..shapes import Connection, Json
from .copy import CopyDatabase

__all__ = ["EmptyDatabases"]


class EmptyDatabases:
    """One empty database after the other, all by the name of the copy.

    Args:
        copy: where they are made.
        like: encoding, locale and settings that each gets (see database_settings).
    """

    def __init__(self, copy: CopyDatabase, like: Json) -> None:
        self.copy = copy
        self._like = like
        self._connection: Connection | None = None

    def anew(self) -> Connection:
        """A connection to an empty database, in the place of the one before."""
        self.close()
        self.copy.create(self._like)
        self._connection = self.copy.connect()
        return self._connection

    def close(self) -> None:
        """Drop it."""
        if self._connection is not None:
            self._connection.close()
        self.copy.drop()
