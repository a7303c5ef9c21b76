# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The application's schema in one transaction: read as a whole before a script, afterwards where it was changed.

What is read after a script is read under its locks, in front of everybody who waits for them. It takes as long as what
the script has changed is large, and not as long as the schema is.
"""

from __future__ import annotations

from collections.abc import Set

from ..shapes import Catalog, Cursor
from .application import of_application
from .catalog import assembled, pinned
from .changed import CatalogWatch, Objects
from .rows import CatalogReader

__all__ = ["SchemaReading"]


class SchemaReading:
    """Reads the whole schema when it is made.

    Args:
        cursor: see read_catalog().

    Attributes:
        schema: the application's schema, as it was when this was made.
        changed: keys that again() has read again the last time, in what was and in what is; None: all of them.

    Raises:
        ValueError, psycopg2.Error: see read_catalog().
    """

    def __init__(self, cursor: Cursor) -> None:
        with pinned(cursor) as own:
            self._reader = CatalogReader(own)
            # The watch begins first: what somebody else changes while the rows are read is read again.
            self._watch = CatalogWatch(own, self._reader.columns, self._reader.members)
            self._reader.read_all()
            self._read = assembled(own, self._reader)
        self.schema = of_application(cursor, self._read.catalog)
        self.changed: Set[str] | None = set()

    def again(self, cursor: Cursor) -> Catalog:
        """The application's schema now, later in the same transaction."""
        with pinned(cursor) as own:
            objects = self._watch.changed(own)
            catalog = self._whole(own) if objects is None else self._with_part(own, objects)
        return of_application(cursor, catalog)

    def _whole(self, cursor: Cursor) -> Catalog:
        self.changed = None
        reader = CatalogReader(cursor)
        reader.read_all()
        return assembled(cursor, reader).catalog

    def _with_part(self, cursor: Cursor, objects: Objects) -> Catalog:
        """The first catalog, in which these objects and their parts stand as they are now."""
        self.changed = set()
        if not any(objects.values()):
            return self._read.catalog
        reader = self._reader.of(cursor, objects)
        reader.read_all()
        now = assembled(cursor, reader, whole=False).catalog
        roots = [(name, oid) for name, oids in objects.items() for oid in oids]
        before = set().union(*(self._read.keys.get(root, set()) for root in roots))
        self.changed = before | now.keys()
        found = {key: facts for key, facts in self._read.catalog.items() if key not in before}
        found.update(now)
        return {key: found[key] for key in sorted(found)}
