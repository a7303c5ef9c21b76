# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Large objects that a rollback unlinks: kept with owner and privileges, and made again under their numbers.

Rows only have the number of one (manual, "Large Objects"); what is in it belongs to no table. Once it is unlinked its
content cannot be read, not even in the same transaction: which ones go is learnt in an attempt that is undone.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..postgres.answers import one_row
from ..postgres.bisect import NotTaken, savepoint
from ..postgres.connection import sql
from ..shapes import Cursor, Json
from .store.items import LARGE_OBJECTS, SalvageStore
from .store.rows import enter_large_object, numbers_of_large_objects, write_large_object

__all__ = ["LargeObjectWatch", "keep_large_objects", "make_large_objects_again"]

OBJECT = "pg_largeobject"
TAKEN = "another large object has its number now"

# Of the granted privileges those to the owner are not asked for: an owner has them.
FACTS = """
    SELECT m.oid::bigint, pg_catalog.pg_get_userbyid(m.lomowner)::text,
           ARRAY(SELECT jsonb_build_array(CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
                                          a.privilege_type, a.is_grantable)
                 FROM pg_catalog.aclexplode(m.lomacl) a WHERE a.grantee <> m.lomowner)
    FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = ANY (%s::oid[]) ORDER BY m.oid"""


class LargeObjectWatch:
    """Which large objects there are before a script, and which of them went.

    Args:
        cursor: of the script's transaction, before its first statement.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        cursor.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)")
        self.any: bool = one_row(cursor)[0]
        if self.any:
            cursor.execute(
                "CREATE TEMPORARY TABLE runbook_large_object ON COMMIT DROP AS"
                " SELECT oid FROM pg_catalog.pg_largeobject_metadata"
            )

    def gone(self) -> set[int]:
        """OIDs of those that were unlinked since."""
        if not self.any:
            return set()
        self.cursor.execute(
            "SELECT oid::bigint FROM pg_temp.runbook_large_object"
            " EXCEPT SELECT oid::bigint FROM pg_catalog.pg_largeobject_metadata"
        )
        return {oid for (oid,) in self.cursor.fetchall()}

    def close(self) -> None:
        if self.any:
            self.cursor.execute("DROP TABLE pg_temp.runbook_large_object")


def keep_large_objects(store: SalvageStore, run_id: str, version: str, oids: Iterable[int]) -> int:
    """Keep large objects that are still there; gives the number of the item.

    Args:
        oids: of large objects that the role of this session owns.
    """
    cursor = store.cursor
    cursor.execute(FACTS, (sorted(oids),))
    facts = {str(oid): {"owner": owner, "granted": granted} for oid, owner, granted in cursor.fetchall()}
    # Of each somebody has said who may read it.
    store.make_owners_alone()
    item = store.begin_item(run_id, version, LARGE_OBJECTS, facts={"object": OBJECT, "large_objects": facts})
    for oid in map(int, facts):
        enter_large_object(cursor, item, oid)
    return item


def make_large_objects_again(cursor: Cursor, store: SalvageStore, item: Json) -> None:
    """Make the large objects of an item again; those that cannot be are held back, and the rest is forgotten."""
    for oid, numbers in numbers_of_large_objects(cursor, item["item"]).items():
        facts = item["facts"]["large_objects"].get(str(oid), {})
        try:
            with savepoint(cursor):
                cursor.execute("SELECT pg_catalog.lo_create(%s)", (oid,))
                write_large_object(cursor, item["item"], oid)
                _give(cursor, oid, facts)
        except NotTaken as failure:
            store.hold_back(item["item"], TAKEN if failure.values_taken else failure.reason, numbers)
    store.forget_returned(item["item"])


def _give(cursor: Cursor, oid: int, facts: Json) -> None:
    """Give it its owner and privileges."""
    number = sql.Literal(oid)
    for grantee, right, grantable in facts.get("granted", []):
        cursor.execute(
            sql.SQL("GRANT {} ON LARGE OBJECT {} TO {}{}").format(
                sql.SQL({"SELECT": "SELECT", "UPDATE": "UPDATE"}[right]),
                number,
                sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC"),
                sql.SQL(" WITH GRANT OPTION" if grantable else ""),
            )
        )
    cursor.execute("SELECT current_user::text")
    owner = facts.get("owner")
    if owner and owner != one_row(cursor)[0]:
        cursor.execute(sql.SQL("ALTER LARGE OBJECT {} OWNER TO {}").format(number, sql.Identifier(owner)))
