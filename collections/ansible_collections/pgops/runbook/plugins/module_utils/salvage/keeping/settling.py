# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the rows of a table are recognised, where its newest schema alone has no good answer.

The old schema may have a key that the migration took away. Else it is the text or the content that tells rows apart on
both sides: as users left them, and as the migration makes them again. What users wrote into a column that is the same
in all rows that the migration makes tells nothing about which of those a row is.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...postgres.answers import one_row
from ...postgres.columns import columns_of
from ...postgres.connection import sql
from ...postgres.tables import Table
from ...shapes import Cursor
from ..identity import NAMING, ROWS_TO_NAME, Identity, all_different, varying
from ..key import Key
from .image import TableImage

__all__ = ["settled_identity"]


def settled_identity(
    cursor: Cursor, image: TableImage, table: Table, shape: sql.Composable, old_keys: Sequence[list[str]]
) -> Identity:
    """The identity of the rows of an image.

    Args:
        cursor: of the transaction in which the migration was applied again.
        image: the rows as users had made them.
        table: the same table as the migration makes it again.
        shape: SQL identifier of a table with the types of the image's columns.
        old_keys: columns of the unique keys of the table that the rollback left, by their names in the image.
    """
    known = image.identity
    if known.has_key and not known.by_content:
        return known
    keys = [key for key in old_keys if not set(key) & {*image.made, *known.generated}]
    if keys:
        numbered = set(keys[0]) <= set(known.computed)
        names = [key for key in keys if not set(key) & set(known.computed)]
        # Nobody has looked since whether its values are unique.
        return known._replace(
            key=Key(keys[0], False), has_key=True, numbered=numbered, names=names, by_content=False
        )
    if not known.by_content:
        return known
    theirs = sql.SQL("(SELECT (r).* FROM (SELECT CAST(line AS {}) AS r FROM {} OFFSET 0) AS kept)").format(
        shape, image.table
    )
    base = table.identifier()
    columns = columns_of(cursor, table.oid)
    texts = [one.name for one in columns if one.name in known.key.columns and one.type_name in NAMING]
    cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(base))
    makes_rows = one_row(cursor)[0]
    naming = all_different(cursor, theirs, texts) if texts else []
    if naming and makes_rows:
        naming = all_different(cursor, base, naming)
    if naming:
        many = bool(all_different(cursor, theirs, naming[:1], ROWS_TO_NAME))
        return known._replace(key=Key(naming[:1], False), by_content=False, named_by_text=many)
    if not makes_rows:
        # All of them are users', and nothing is to be told from what the migration makes.
        return known._replace(key=Key(known.assigned, True), by_content=False)
    if image.made:
        return known
    content = varying(cursor, base, known.key.columns, {one.name for one in columns if one.own_type})
    return known._replace(key=Key(content, False)) if content else known
