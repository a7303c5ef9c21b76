# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kept rows of one item, each beside the row that it is now: theirs, base and now.

The kept records are read, once, into the types that the table has now, and each is told the row that it belongs to.
Which one that is does not rest on a number that the migration hands out: see salvage.identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...postgres.answers import one_row
from ...postgres.bisect import NotTaken, bisect, savepoint
from ...postgres.columns import own_type_columns
from ...postgres.connection import sql
from ...postgres.tables import Table
from ...postgres.values import equal
from ...rows.changes import CHANGED
from ...rows.policies import HOLD_BACK
from ...shapes import Cursor
from ..identity import telling_columns
from ..key import Key, alike, field, fields, numbered_rows, plain_columns
from ..store.returning import range_of_numbers, read_kept

__all__ = ["ANOTHER_OR_CHANGED", "ANOTHER_ROW", "WaitingRows"]

ANOTHER_ROW = "another row has its number now"
ANOTHER_OR_CHANGED = "nothing in its row is as it was: another row may have its key by now"
MADE_MEANWHILE = "the migration makes a row that says the same now, and which may be the same thing"
OTHER_VALUE = "the types of its table no longer hold its values as they were"

# Besides what the engine of rows wants: the columns that count (NULL: all), whether there is a record on each side
# (NULL: none) and its values, the row as it is now, whether that is base to the letter, columns that stay, and why the
# row does.
WORK_TABLE = """
    CREATE TEMPORARY TABLE {work} (number bigint, occurrence bigint, place tid, partition oid,
        kept boolean, base boolean, made boolean, written_since boolean, undisturbed boolean, written boolean,
        anew boolean NOT NULL DEFAULT false, kind text, reason text, key text, columns text[], parents text[],
        parent_rows bigint[] NOT NULL DEFAULT '{{}}', conflict text[] NOT NULL DEFAULT '{{}}',
        theirs {shape}, basis {shape}, now {shape})"""

# By which rows are found and chosen; to sort the values of whole rows would take long, and tell the planner nothing.
ANALYZED = "ANALYZE {work} (number, occurrence, place, partition, kind, reason, key)"

# What the migration makes of the row by itself, and nothing else: what users had made of it goes back.
UNDISTURBED = """
    CASE WHEN columns <> '{{}}' AND NOT columns && {stuck}::text[] AND kept <> base THEN {kind} END"""

NOT_FOUND = "place = NULL, partition = NULL, now = NULL, undisturbed = false, kind = NULL"

PLACE = """
    UPDATE {work} k SET place = now.place, partition = now.partition, now = now.values
    FROM ({now}) AS now WHERE k.place IS NULL AND {same}"""

UNCLAIMED = """
    AND NOT EXISTS (SELECT FROM {work} other WHERE other.place = now.place AND other.partition = now.partition)"""

# Of a name that nobody else has: where several rows would do, none does.
ONLY_ONE = """
    UPDATE {work} k SET place = now.place, partition = now.partition, now = now.values
    FROM (SELECT now.*, count(*) OVER (PARTITION BY k.number) AS rows, k.number AS of_row
          FROM {work} k JOIN ({now}) AS now ON {same} WHERE k.place IS NULL AND k.base IS NOT NULL {unclaimed}) AS now
    WHERE now.of_row = k.number AND now.rows = 1"""


class WaitingRows:
    """What waits of one item.

    Args:
        cursor: of the transaction, with pinned settings and immediate constraints.
        item: as SalvageStore.open_items() gives it, of a kind that has rows of a table.
        table: that they go into.

    Attributes:
        columns: names, of the record.
        lost: of these the ones that the table does not have any more.
        unsettable: of the table's those that no UPDATE may set.
        settable_numbers: those that one may, while numbers_settable() lets it.
        work: SQL identifier of the work table.
        plain: of the columns those that are compared without being written, once they are read.
        own_types: of the columns those whose types the application has made.
        placed: whether its rows have the places of those that have their keys, and these are still there.
        known_again: whether its rows have their places for good.
        numbered_anew: whether any of its rows get a number that they did not have.
        held_back: whether any were since forget_what_stays() was called.
    """

    def __init__(self, cursor: Cursor, item: dict[str, Any], table: Table) -> None:
        self.cursor = cursor
        self.item = item
        self.table = table
        facts = item["facts"]
        self.columns: list[str] = item["columns"]
        self.lost = [name for name in self.columns if name not in table.columns]
        self.present = [name for name in self.columns if name in table.columns]
        self.key = Key(item["key_columns"], facts["unique_key"])
        self.named_by_text: bool = facts.get("named_by_text", False)
        self.table_dropped: bool = facts.get("table_dropped", False)
        self.by_content: bool = facts.get("by_content", False)
        self.has_key: bool = facts.get("has_key", facts["unique_key"])
        self.base_known: bool = facts.get("base_known", True)
        self.assigned: list[str] = facts.get("assigned", [])
        self.volatile: list[str] = facts.get("volatile", [])
        self.generated: list[str] = facts.get("generated", [])
        self.serial: list[str] = facts.get("serial", [])
        self.numbered: bool = facts.get("numbered", False)
        self.made: list[str] = facts.get("made", [])
        self.names: list[list[str]] = facts.get("names", [])
        self.defaults: dict[str, str] = facts.get("defaults", {})
        self.parents: list[dict[str, Any]] = facts.get("parents", [])
        self.placed = False
        self.known_again = False
        self.numbered_anew = False
        self.held_back = False
        self.numbers: list[str] = self.assigned or (self.key.columns if self.numbered else [])
        # The migration has just made them, and holds its lock.
        self.settable_numbers = [name for name in table.always_identity if name in self.made]
        self.unsettable = [name for name in table.always_identity if name not in self.made]
        self.plain: frozenset[str] = frozenset()
        self.own_types: frozenset[str] = frozenset()
        self._telling: list[str] | None = None
        self.work = sql.Identifier("pg_temp", f"runbook_row_{item['item']}")
        self.shape = sql.Identifier("pg_temp", f"runbook_shape_{item['item']}")

    @property
    def name(self) -> tuple[str, str]:
        return self.table.name

    def run(self, statement: str, **parts: sql.Composable) -> None:
        """Run SQL with the work table as {work}, the shape of its values as {shape}."""
        self.cursor.execute(sql.SQL(statement).format(work=self.work, shape=self.shape, **parts))

    def any(self, *conditions: sql.Composable) -> tuple[bool, ...]:
        """Whether there is a row k of the work table for each of the conditions."""
        asked = sql.SQL(", ").join(
            sql.SQL("coalesce(bool_or({}), false)").format(condition) for condition in conditions
        )
        self.run("SELECT {asked} FROM {work} k", asked=asked)
        return one_row(self.cursor)

    def counting_columns(self) -> list[str]:
        """Names of the columns that count in any row to be changed."""
        changed = [
            sql.SQL("k.kind = {} AND {} = ANY (k.columns)").format(sql.Literal(CHANGED), sql.Literal(name))
            for name in self.present
        ]
        return [name for name, counts in zip(self.present, self.any(*changed)) if counts]

    def now(self) -> sql.Composable:
        """SQL query for the rows of the table as they are: key, occurrence, place, partition, line and values."""
        values = sql.SQL(", ").join(
            sql.Identifier(name) if name in self.present else sql.SQL("NULL") for name in self.columns
        )
        return numbered_rows(
            self.table.name,
            self.table.partitioned,
            self.key,
            self.present,
            values=sql.SQL("ROW({})::{}").format(values, self.shape),
        )

    # Reading ---------------------------------------------------------------------------------------------

    def make(self) -> None:
        """Make the work table, and the shape of its values."""
        parts = [
            sql.SQL("{} AS {}").format(
                sql.Identifier(name) if name in self.present else sql.SQL("NULL::text"), sql.Identifier(name)
            )
            for name in self.columns
        ]
        self.run(
            "CREATE TEMPORARY TABLE {shape} AS SELECT {parts} FROM {target} WITH NO DATA",
            parts=sql.SQL(", ").join(parts),
            target=sql.Identifier(*self.table.name),
        )
        self.plain = plain_columns(self.cursor, self.shape)
        self.own_types = own_type_columns(self.cursor, self.shape)
        self.run(WORK_TABLE)

    def read(self) -> dict[int, str]:
        """Read the kept records; gives number -> reason of those that the table's types do not hold."""
        numbers, failing = range_of_numbers(self.cursor, self.item), {}
        if numbers:
            try:
                with savepoint(self.cursor):
                    self._read(numbers[0], numbers[-1], self.now())
                self.placed = True
            except NotTaken:
                # Joined with the table once for all of them, not once for each part.
                failing = bisect(self.cursor, self._read, numbers)
        self.run(ANALYZED)
        return {number: HOLD_BACK.reason(failure) for number, failure in failing.items()}

    def _read(self, low: int, high: int, now: sql.Composable | None = None) -> None:
        read_kept(
            self.cursor, self.item, self.work, self.shape, low, high, OTHER_VALUE, now, self._undisturbed()
        )

    def _undisturbed(self) -> sql.Composable | None:
        """SQL: the kind of a kept row of which nothing but base is there now; None where that cannot be told."""
        if self.lost:
            return None
        stuck = sql.Literal([*self.numbers, *self.unsettable])
        return sql.SQL(UNDISTURBED).format(stuck=stuck, kind=sql.Literal(CHANGED))

    # Knowing again ---------------------------------------------------------------------------------------

    def find_places(self, by_number: bool = False) -> None:
        """Tell each kept row the one that it is now.

        Args:
            by_number: whether a key is believed though nothing else is as it was: a person has looked.
        """
        self._follow_references()
        if not self.placed:
            self.run("UPDATE {work} SET " + NOT_FOUND + " WHERE place IS NOT NULL")
            by_key = sql.SQL("now.key = k.key AND now.occurrence = k.occurrence")
            self.run(PLACE, now=self.now(), same=by_key)
        self.placed = False
        if not self.has_key:
            return
        if self.key.unique and set(self.key.columns) <= set(self.columns):
            # Equal keys may be written differently: 1.0 and 1.00, or any two letters of a citext.
            self._find(self.key.columns, "coalesce(k.basis, k.theirs)")
        if self.assigned:
            if self.key.columns == self.assigned:
                self._doubt_numbers()
            self._say_another()
        if not by_number and self.key.columns != self.assigned and not self.named_by_text:
            self._doubt_strangers()
        if self.numbered:
            self._find_renumbered()
        if self.by_content and not by_number:
            self._doubt_added()

    def _follow_references(self) -> None:
        """Rows that are known by what they refer to are known by its number of today."""
        names = sorted(self.key.columns)
        references = {name for key in self.table.foreign_keys for name in key.columns}
        if not references & set(names) or not set(names) <= set(self.columns):
            return
        self.run(
            "UPDATE {work} k SET key = known.key FROM ("
            "SELECT number, CASE WHEN base THEN {basis} ELSE {theirs} END AS key FROM {work}) AS known"
            " WHERE known.number = k.number AND known.key <> k.key",
            basis=fields("basis", names),
            theirs=fields("theirs", names),
        )
        if self.cursor.rowcount:
            self.placed = False

    def _same(self, names: Sequence[str], value: str) -> sql.Composable:
        return sql.SQL(" AND ").join(
            equal(
                field("now.values", name),
                sql.SQL("({}).{}").format(sql.SQL(value), sql.Identifier(name)),
                name in self.own_types,
            )
            for name in names
        )

    def _find(self, names: Sequence[str], value: str) -> None:
        same = sql.SQL("{}{}").format(self._same(names, value), sql.SQL(UNCLAIMED).format(work=self.work))
        self.run(PLACE, now=self.now(), same=same)

    def _content(self, but: Sequence[str]) -> list[str]:
        """Columns that say what a row is about: none that are handed out, nor that follow the time."""
        left_out = {*but, *self.assigned, *self.generated, *self.volatile}
        return [name for name in self.present if name not in left_out]

    def _doubt_numbers(self) -> None:
        """A number alone names nothing: applied again, the migration may hand it out to another row."""
        self.run("UPDATE {work} SET " + NOT_FOUND + " WHERE base IS NOT NULL AND place IS NOT NULL")

    def _say_another(self) -> None:
        """Say of rows that are not found that another thing has their number, where one has."""
        self.run(
            "UPDATE {work} k SET reason = {reason} FROM ({now}) AS now WHERE k.reason IS NULL"
            " AND k.base IS NOT NULL AND k.kept IS NOT NULL AND k.place IS NULL AND {same}{unclaimed}",
            reason=sql.Literal(ANOTHER_ROW),
            now=self.now(),
            same=self._same(self.assigned, "k.basis"),
            unclaimed=sql.SQL(UNCLAIMED).format(work=self.work),
        )

    def _find_renumbered(self) -> None:
        """Rows that the migration makes under another number each time: by another key, else by their content."""
        # Under the number of one that the migration brings there may be another one that it brings.
        doubted = sql.SQL("k.made AND k.reason = {}").format(sql.Literal(ANOTHER_OR_CHANGED))
        self.run("UPDATE {work} k SET " + NOT_FOUND + " WHERE {doubted}", doubted=doubted)
        made_again = sql.SQL(
            "k.base IS NOT NULL AND ({} OR k.reason IS NULL AND (k.kept IS NULL OR k.columns && {}::text[]))"
        ).format(doubted, sql.Literal(self.numbers))
        unclaimed = sql.SQL(UNCLAIMED).format(work=self.work)
        for names in self.names:
            if set(names) <= set(self.present):
                same = sql.SQL("{} AND {}{}").format(made_again, self._same(names, "k.basis"), unclaimed)
                self.run(PLACE, now=self.now(), same=same)
        self.run("UPDATE {work} k SET reason = NULL WHERE {doubted} AND k.place IS NOT NULL", doubted=doubted)
        content = self._content(self.key.columns)
        if content:
            # Not with alike(): by the texts the rows are joined.
            same = sql.SQL("{} AND {} = {}").format(
                made_again, fields("now.values", content), fields("k.basis", content)
            )
            self.run(ONLY_ONE, now=self.now(), same=same, unclaimed=unclaimed)

    def _doubt_strangers(self) -> None:
        """A row of another thing may have got a key that was free: nothing of it is the same.

        A row that only the migration brings is the same if all of it is.
        """
        content = self.telling()
        if not content:
            return
        equal = sql.SQL(" OR ").join(
            sql.SQL("((basis).{} IS NOT NULL AND {})").format(
                sql.Identifier(name), alike("now", "basis", [name], self.plain)
            )
            for name in content
        )
        known = sql.SQL(" OR ").join(
            sql.SQL("(basis).{} IS NOT NULL").format(sql.Identifier(name)) for name in content
        )
        self.run(
            "UPDATE {work} SET reason = {reason} WHERE base IS NOT NULL AND place IS NOT NULL"
            " AND NOT undisturbed AND CASE WHEN made THEN NOT {same} ELSE ({known}) AND NOT ({equal}) END",
            reason=sql.Literal(ANOTHER_OR_CHANGED),
            known=known,
            equal=equal,
            same=alike("now", "basis", content, self.plain),
        )

    def _doubt_added(self) -> None:
        """What users had added, the migration may make by itself now, of what they wrote on the old schema since.

        Both have numbers that were handed out, and nothing else names them, so that only what they say can tell.
        """
        # Many rows may refer to one.
        content = self._content([name for key in self.table.foreign_keys for name in key.columns])
        telling = self._telling_of(content) if content else []
        if not telling:
            return
        equal = sql.SQL(" OR ").join(self._same([name], "k.theirs") for name in telling)
        self.run(
            "UPDATE {work} k SET reason = {reason} FROM ({now}) AS now WHERE k.reason IS NULL AND k.kept"
            " AND k.base IS NULL AND k.columns IS NULL AND k.place IS NULL AND ({equal}){unclaimed}",
            reason=sql.Literal(MADE_MEANWHILE),
            now=self.now(),
            equal=equal,
            unclaimed=sql.SQL(UNCLAIMED).format(work=self.work),
        )

    def telling(self) -> list[str]:
        """Columns that tell whether a row with the key is the same: of the rows as they are at the first call."""
        if self._telling is None:
            new = [] if set(self.made) >= set(self.columns) else self.made
            content = self._content([*self.key.columns, *new])
            if content and (not self.numbered or self.table_dropped):
                # A key that people give may be given again, and a number is handed out anew where an earlier migration
                # makes the table again; and in a column of few values rows are alike by chance.
                content = self._telling_of(content) or content
            self._telling = content
        return self._telling

    def _telling_of(self, names: Sequence[str]) -> list[str]:
        return telling_columns(self.cursor, self.table.identifier(), names, self.own_types)

    # What stays ------------------------------------------------------------------------------------------

    def hold_back(self, condition: sql.Composable, reason: str) -> bool:
        """Say why rows stay that have no reason yet; whether there are any.

        Args:
            condition: SQL, on row k of the work table.
        """
        self.run(
            "UPDATE {work} k SET reason = {reason} WHERE k.reason IS NULL AND k.columns IS DISTINCT FROM '{{}}'"
            " AND ({condition})",
            reason=sql.Literal(reason),
            condition=condition,
        )
        found = self.cursor.rowcount > 0
        self.held_back = self.held_back or found
        return found

    def forget_what_stays(self) -> None:
        """What stays is not written."""
        if self.held_back:
            self.run("UPDATE {work} SET kind = NULL WHERE reason IS NOT NULL AND kind IS NOT NULL")
        self.held_back = False

    def reasons(self) -> dict[int, str]:
        """Number -> reason, of the rows that stay."""
        self.cursor.execute(
            sql.SQL(
                "SELECT number, reason FROM {} WHERE reason IS NOT NULL AND columns IS DISTINCT FROM '{{}}'"
            ).format(self.work)
        )
        return dict(self.cursor.fetchall())

    def close(self) -> None:
        self.run("DROP TABLE {work}; DROP TABLE {shape}")
