# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which migration depends on which, as the catalog has it (manual, section "Dependency Tracking")."""

from __future__ import annotations

__all__ = ["DependencyWatch"]

# Dependent and referenced object of every dependency between objects that were not there at initdb.
EDGES = """
    SELECT DISTINCT one.type || ' ' || one.identity, other.type || ' ' || other.identity
    FROM pg_catalog.pg_depend,
         LATERAL pg_catalog.pg_identify_object(classid, objid, 0) AS one,
         LATERAL pg_catalog.pg_identify_object(refclassid, refobjid, 0) AS other
    WHERE objid >= 16384 AND refobjid >= 16384 AND (classid, objid) <> (refclassid, refobjid)"""

# Every object of a user depends on something: at the least on its schema.
OBJECTS = """
    SELECT DISTINCT one.type || ' ' || one.identity
    FROM pg_catalog.pg_depend, LATERAL pg_catalog.pg_identify_object(classid, objid, 0) AS one
    WHERE objid >= 16384"""


class DependencyWatch:
    """Learns, stage by stage, which migration made an object and which objects of others it uses.

    What a function's body reads is text to PostgreSQL, and rows are no objects: neither is seen.
    """

    def __init__(self, cursor):
        self._maker = dict.fromkeys(self._rows(cursor, OBJECTS))
        self._edges = set(self._rows(cursor, EDGES))

    @staticmethod
    def _rows(cursor, query):
        cursor.execute(query)
        return [row if len(row) > 1 else row[0] for row in cursor.fetchall()]

    def after(self, cursor, version, added_keys):
        """Take in what ``version`` did.

        Args:
            cursor: of a transaction that sees the migration applied.
            version: the migration applied since the last call.
            added_keys: keys that it added to the catalog; a new column depends on its table.

        Returns:
            list: the earlier versions whose objects it uses, sorted.
        """
        known = dict(self._maker)
        edges = set(self._rows(cursor, EDGES))
        for identity in self._rows(cursor, OBJECTS):
            self._maker.setdefault(identity, version)
        used = {known.get(referenced) for _, referenced in edges - self._edges}
        used |= {
            known.get(f"table {key[len('column ') :].rsplit('.', 1)[0]}") for key in _columns(added_keys)
        }
        self._edges = edges
        return sorted(maker for maker in used if maker is not None)


def _columns(keys):
    return [key for key in keys if key.startswith("column ") and not key.startswith("column order ")]
