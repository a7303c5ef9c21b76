# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users had made of the rows, and what the migration makes of them again by itself: theirs and base.

The old schema cannot hold everything. What it lost is the difference between the database before a rollback and the
database after rolling back and applying again. The second is made here, in the rollback's transaction, looked at, and
undone: it says by itself which values are users' and which the migration computes anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from ...postgres.answers import one_row
from ...postgres.columns import own_type_columns
from ...postgres.connection import sql
from ...postgres.other_encodings import in_own_encoding
from ...postgres.tables import ForeignKey, Table
from ...postgres.values import equal, text_of
from ...shapes import Cursor, Json, TableName
from ..key import alike, field, fields, plain_columns
from .image import TableImage
from .settling import settled_identity

__all__ = ["Difference"]

MAKE = """
    CREATE TEMPORARY TABLE {shape} AS SELECT {names} FROM {target} WITH NO DATA;
    CREATE TEMPORARY TABLE {work} (number bigint GENERATED ALWAYS AS IDENTITY, partition oid, place tid, key text,
        occurrence bigint, kept text, base text, columns text[], written_since boolean, untouched boolean,
        recorded boolean, parents text[], theirs {shape}, basis {shape})"""

ENUMS = """
    SELECT a.attname::text, t.typtype = 'e'
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    WHERE a.attrelid = %s AND a.attnum > 0 AND 'e' IN (t.typtype, e.typtype)"""

# OFFSET 0 keeps a record that is cast from being read anew for each of its columns.
FIND = """
    INSERT INTO {work} (partition, place, key, occurrence, kept, base, recorded, written_since, untouched, theirs,
        basis, columns)
    SELECT found.*, CASE WHEN found.kept IS NOT NULL AND found.base IS NOT NULL THEN {differing} END
    FROM (SELECT coalesce(was.partition, now.partition), coalesce(was.place, now.place), coalesce(now.key, was.key),
                 coalesce(now.occurrence, was.occurrence), was.line AS kept, now.line AS base,
                 was.line IS NULL AND {recorded}, {written}, {untouched}, CAST(was.line AS {shape}) AS theirs,
                 now.values AS basis
          FROM {image} was FULL JOIN ({now}) AS now ON now.key = was.key AND now.occurrence = was.occurrence
          WHERE was.line IS DISTINCT FROM now.line OFFSET 0) AS found"""

# Whether there are rows of users that the migration does not make, such as it makes beyond them, and records.
UNMATCHED = """
    SELECT coalesce(bool_or(kept IS NOT NULL AND base IS NULL), false),
           coalesce(bool_or(kept IS NULL AND NOT recorded), false), coalesce(bool_or(recorded), false),
           coalesce(bool_or(columns = '{{}}'), false) FROM {work}"""

# A row that the rollback itself adds is a record of what it did, unless it had been in another table.
FORGET_RECORDS = "DELETE FROM {work} k WHERE k.recorded{elsewhere}"
ELSEWHERE = " AND NOT EXISTS (SELECT FROM {others} o WHERE o.base IS NULL AND {theirs} = {basis})"

# One row that has lost its match stands with the one of this key that has none either.
PAIR = """
    WITH found AS (
        SELECT mine.number AS mine, other.number AS other, other.base, other.basis, other.key, other.occurrence,
               row_number() OVER (PARTITION BY mine.number ORDER BY other.partition, other.place) AS of_mine,
               row_number() OVER (PARTITION BY other.number ORDER BY mine.partition, mine.place) AS of_other
        FROM {work} mine JOIN {work} other ON {same}
        WHERE mine.base IS NULL AND other.kept IS NULL AND NOT other.recorded),
    pairs AS (SELECT * FROM found WHERE of_mine = 1 AND of_other = 1),
    gone AS (DELETE FROM {work} USING pairs WHERE {work}.number = pairs.other)
    UPDATE {work} k SET base = pairs.base, basis = pairs.basis, key = pairs.key, occurrence = pairs.occurrence
    FROM pairs WHERE k.number = pairs.mine"""

SAY_COLUMNS = """
    UPDATE {work} SET columns = {differing} WHERE columns IS NULL AND kept IS NOT NULL AND base IS NOT NULL"""

# The same parent under another number is no change of the child.
SAME_PARENT = """
    UPDATE {work} k SET columns = (SELECT coalesce(array_agg(name), '{{}}') FROM unnest(k.columns) AS name
                                   WHERE name <> ALL ({mine}::text[]))
    FROM {parents} p WHERE k.columns && {mine}::text[] AND p.columns && {referred}::text[]
      AND {theirs} = {their_parent} AND {basis} = {base_parent}"""

# And another parent under the same number is one.
OTHER_PARENT = """
    INSERT INTO {work} (key, occurrence, kept, base, written_since, theirs, basis, columns)
    SELECT now.key, now.occurrence, was.line, now.line, {written}, CAST(was.line AS {shape}), CAST(now.line AS {shape}),
           {mine}::text[]
    FROM {image} was JOIN ({now}) AS now ON now.key = was.key AND now.occurrence = was.occurrence
    JOIN {parents} p ON p.columns && {referred}::text[] AND {their_parent} = {field_of_line}
    WHERE was.line = now.line"""

CONTEXT = """
    INSERT INTO {work} (key, occurrence, kept, base, written_since, theirs, basis, columns)
    SELECT now.key, now.occurrence, was.line, now.line, {written}, CAST(was.line AS {shape}), CAST(now.line AS {shape}),
           '{{}}'
    FROM {image} was JOIN ({now}) AS now ON now.key = was.key AND now.occurrence = was.occurrence
    WHERE (was.reference IN (SELECT {theirs} FROM {children} k WHERE {counts})
           OR now.reference IN (SELECT {basis} FROM {children} k WHERE {counts}))
      AND NOT EXISTS (SELECT FROM {work} known WHERE known.key = now.key AND known.occurrence = now.occurrence)"""

# As the rows lay; what was added for others to refer to comes behind them.
OUT = """
    COPY (SELECT {item}, key, occurrence, kept, base, columns, written_since, parents FROM {work}
          ORDER BY kept IS NULL, partition, place, number) TO STDOUT"""


class Difference:
    """In what the rows of one table differ from what the migration makes of them again.

    Args:
        cursor: of the transaction in which it was applied again, with pinned settings.
        image: the rows as users had made them.
        table: the same table now.
        only_grew: whether the rollback did nothing with its rows but add some, and the migration likewise: what
            they added is a record of what they did, and no user took it out.
        zone: time zone in which the migration ran.
        old_keys: columns of unique keys of the table that the rollback left: see settled_identity().
    """

    def __init__(
        self,
        cursor: Cursor,
        image: TableImage,
        table: Table,
        only_grew: bool = False,
        zone: str = "UTC",
        old_keys: Sequence[list[str]] = (),
    ) -> None:
        self.cursor = cursor
        self.image = image
        self.table = table
        self.zone = zone
        self.parents: list[Json] = []
        self.work = sql.Identifier("pg_temp", f"runbook_differs_{image.label}")
        self.shape = sql.Identifier("pg_temp", f"runbook_made_again_{image.label}")
        target = sql.Identifier(*table.name)
        self.run(MAKE, names=self._shape(), target=target)
        self.plain = plain_columns(cursor, self.shape)
        self.own_types = own_type_columns(cursor, self.shape)
        identity = settled_identity(cursor, image, table, self.shape, old_keys)
        if identity != image.identity:
            image.know_by(identity, self.shape)
        # What has this transaction's own number was there before the savepoint in which it was applied again.
        mine = sql.SQL("xmin = pg_catalog.pg_current_xact_id()::xid")
        recorded = sql.SQL("now.of_the_rollback" if only_grew else "false")
        now = image.rows(of_the_rollback=mine, values=self._values())
        self.run(FIND, recorded=recorded, differing=self._differing(), now=now)
        self.run(UNMATCHED)
        theirs_alone, base_alone, self.recorded, equal = one_row(cursor)
        if theirs_alone and base_alone:
            self._pair()
        #: Whether rows may be in the work table that differ in nothing.
        self.may_be_equal = equal or (theirs_alone and base_alone)

    def _pair(self) -> None:
        """Let what did not find its match stand with what has none either."""
        for columns in self._names():
            if columns == self.image.identity.assigned and not self._numbers_are_stable():
                continue
            self.run(PAIR, same=self._equal("mine", "theirs", "other", "basis", columns))
        if self.image.identity.has_key and not self.image.identity.by_content:
            self._pair_by_content()
        self.run(SAY_COLUMNS, differing=self._differing())

    def run(self, statement: str, **parts: sql.Composable) -> None:
        """Run SQL with {work}, the {shape} of its values, {image}, and whether its row ``was`` is {written} since."""
        written = sql.SQL("was.written_since" if self.image.made else "NULL::boolean")
        parts = {
            "work": self.work,
            "shape": self.shape,
            "image": self.image.table,
            "written": written,
            "untouched": sql.SQL("NOT was.written_since" if self.image.has_ages else "NULL::boolean"),
            **parts,
        }
        self.cursor.execute(sql.SQL(statement).format(**parts))

    def _shape(self) -> sql.Composable:
        """SQL: the columns; of an enum as text: people may have given it labels that the migration does not."""
        return sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(value, sql.Identifier(name)) for name, value in self._columns().items()
        )

    def _values(self) -> sql.Composable:
        """SQL: a row of the table as a value of the shape."""
        return sql.SQL("ROW({})::{}").format(sql.SQL(", ").join(self._columns().values()), self.shape)

    def _columns(self) -> dict[str, sql.Composable]:
        self.cursor.execute(ENUMS, (self.table.oid,))
        enums = dict(self.cursor.fetchall())
        columns: dict[str, sql.Composable] = {name: sql.Identifier(name) for name in self.image.columns}
        for name in enums.keys() & columns.keys():
            text = text_of(columns[name], own_type=True)
            columns[name] = text if enums[name] else sql.SQL("({})::text[]").format(text)
        return columns

    def _equal(self, one: str, row: str, other: str, other_row: str, names: Sequence[str]) -> sql.Composable:
        return sql.SQL(" AND ").join(
            equal(field(f"{one}.{row}", name), field(f"{other}.{other_row}", name), name in self.own_types)
            for name in names
        )

    def _names(self) -> list[list[str]]:
        """Keys by which a row may be known that the first one did not find."""
        identity = self.image.identity
        if not identity.has_key:
            return []
        found = [identity.assigned, *([] if identity.by_content else [identity.key.columns]), *identity.names]
        return [columns for columns in found if columns and set(columns) <= set(self.image.columns)]

    def _numbers_are_stable(self) -> bool:
        """Whether the migration hands out the same numbers to the same rows: all rows that are found say so.

        A table that was there is numbered in the order in which its rows lie, and any UPDATE may have changed that.
        """
        numbers = self.image.identity.assigned
        self.cursor.execute(
            sql.SQL(
                "SELECT count(*) FILTER (WHERE kept IS NOT NULL AND base IS NOT NULL AND {} <> {}),"
                " (SELECT count(*) FROM {}) - count(*) FILTER (WHERE kept IS NOT NULL AND base IS NULL) FROM {}"
            ).format(fields("theirs", numbers), fields("basis", numbers), self.image.table, self.work)
        )
        renumbered, found = one_row(self.cursor)
        return renumbered == 0 and (found > 0 or not self.image.made)

    def _pair_by_content(self) -> None:
        """Rows that got another number, or a key that was rounded or cut, and are the same in all the rest."""
        identity = self.image.identity
        left_out = {*identity.key.columns, *identity.generated, *self.image.made}
        rest = [name for name in self.image.columns if name not in left_out]
        if rest:
            same = sql.SQL("{} = {}").format(fields("mine.theirs", rest), fields("other.basis", rest))
            self.run(PAIR, same=same)

    def _differing(self) -> sql.Composable:
        """SQL: names of the columns in which both records differ."""
        names = sql.SQL(", ").join(
            sql.SQL("CASE WHEN NOT {} THEN {} END").format(
                alike("theirs", "basis", [name], self.plain), sql.Literal(name)
            )
            for name in self.image.columns
        )
        return sql.SQL("array_remove(ARRAY[{}]::text[], NULL)").format(names)

    # Rows that are handed numbers, and those that refer to them ------------------------------------------

    def _references(self, others: dict[TableName, Difference]) -> list[tuple[ForeignKey, Difference]]:
        """Foreign keys to tables whose rows are handed the number that is referred to."""
        return [
            (key, others[key.parent])
            for key in self.table.foreign_keys
            if key.parent in others
            and set(key.referred) == set(others[key.parent].image.identity.numbers)
            and set(key.columns) <= set(self.image.columns)
        ]

    def compare_parents(self, others: dict[TableName, Difference]) -> None:
        """Tell children of renumbered parents that differ from children of the same parent under another number."""
        for key, parent in self._references(others):
            parts = {
                "parents": parent.work,
                "mine": sql.Literal(key.columns),
                "referred": sql.Literal(key.referred),
                "their_parent": fields("p.theirs", key.referred),
                "base_parent": fields("p.basis", key.referred),
            }
            of_line = sql.SQL("ROW({})::text").format(
                sql.SQL(", ").join(
                    sql.SQL("(CAST(was.line AS {})).{}").format(self.shape, sql.Identifier(name))
                    for name in key.columns
                )
            )
            if parent.renumbers(key.referred):
                self.may_be_equal = True
                self.run(
                    SAME_PARENT,
                    theirs=fields("k.theirs", key.columns),
                    basis=fields("k.basis", key.columns),
                    **parts,
                )
                self.run(OTHER_PARENT, now=self.image.rows(), field_of_line=of_line, **parts)

    def renumbers(self, columns: Sequence[str]) -> bool:
        """Whether a row that is the same has another number now."""
        self.cursor.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE columns && %s)").format(self.work), (list(columns),)
        )
        return one_row(self.cursor)[0]

    def forget_records(self, others: dict[TableName, Difference]) -> None:
        """Forget rows that a rollback, which does nothing else with the table, added to it."""
        if not self.recorded:
            return
        elsewhere: list[sql.Composable] = []
        for other in others.values():
            common = [name for name in self.image.columns if name in other.image.columns]
            if (
                other is not self
                and self.image.identity.has_key
                and set(self.image.identity.key.columns) <= set(common)
            ):
                elsewhere.append(
                    sql.SQL(ELSEWHERE).format(
                        others=other.work, theirs=fields("o.theirs", common), basis=fields("k.basis", common)
                    )
                )
        self.run(FORGET_RECORDS, elsewhere=sql.SQL("").join(elsewhere))

    def forget_equal(self) -> None:
        """Forget rows that differ in nothing."""
        if self.may_be_equal:
            self.run("DELETE FROM {work} WHERE columns = '{{}}'")

    def add_context(self, others: dict[TableName, Difference]) -> None:
        """Keep, beside rows that refer to numbered ones, these, by which the ones that they meant are recognised."""
        for key, parent in self._references(others):
            if not parent.image.identity.assigned:
                continue
            parent.run(
                CONTEXT,
                now=parent.image.rows(),
                children=self.work,
                theirs=fields("k.theirs", key.columns),
                basis=fields("k.basis", key.columns),
                counts=sql.SQL("(k.columns IS NULL OR k.columns && {}::text[])").format(
                    sql.Literal(key.columns)
                ),
            )

    def copy_out(self, item: int, file: IO[bytes]) -> None:
        """Write what differs where undoing does not reach it."""
        query = sql.SQL(OUT).format(item=sql.Literal(item), work=self.work)
        self.cursor.copy_expert(query + in_own_encoding(self.cursor), file)
