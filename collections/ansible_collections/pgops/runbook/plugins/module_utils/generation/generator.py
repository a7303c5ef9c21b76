# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows for the tables of a rehearsal's copy, made from nothing but the catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

from ..activity import advance, begin
from ..postgres.answers import one_row
from ..postgres.connection import psycopg2, sql, transaction
from ..postgres.message import one_line
from ..postgres.references import parents_first
from ..postgres.script_session import on_role_path
from ..postgres.values import text_of
from ..shapes import Connection, Cursor
from .candidates import Candidates
from .changing import Changed, change_rows
from .filling import Filled, NotInserted, count_up_to, put_in, undone_on_error
from .reach import reach_outside
from .rings import hard_references, plan_keys
from .tables import ForeignKey, Table, read_tables
from .views import refresh_views

__all__ = ["SECONDS", "Generator"]

#: For all tables together; those that are left then get no rows, and the report names them.
SECONDS = 300.0

NO_TIME = "no time was left for it"
PARENTS = 1000


class Generator:
    """Fills tables that have fewer rows than they should, and remembers which columns they had then.

    Args:
        copy: name of the database that may get them; no other one does.
        rows: number of rows that a table should have.
        seed: with the same number and the same schema the rows are the same.
        left_out: gives the quoted names of the tables that record versions.
        only_empty: whether a table that has rows of somebody else stays as it is.
        in_addition: whether a table gets so many rows besides those that it has.

    Attributes:
        unfilled: name of each table that has no row, and why.
        filled: names of the tables that got rows.
    """

    def __init__(
        self,
        copy: str,
        rows: int,
        seed: int,
        left_out: Callable[[Cursor], Sequence[str]],
        only_empty: bool = False,
        in_addition: bool = False,
    ) -> None:
        self.copy = copy
        self.rows = rows
        self.seed = seed
        self.left_out = left_out
        self.only_empty = only_empty
        self.in_addition = in_addition
        self.unfilled: dict[str, str] = {}
        self.filled: set[str] = set()
        self._shapes: dict[str, frozenset[tuple[str, str]]] = {}
        self._round = 0

    def fill(self, connection: Connection) -> list[Filled]:
        """Put rows into the tables that lack some, those that others refer to first.

        Args:
            connection: to the copy; the transactions are this function's.

        Returns:
            what became of each of these tables.

        Raises:
            ValueError: it is another database.
            psycopg2.Error: the connection is gone.
        """
        self._round += 1
        with transaction(connection) as cursor:
            tables, ascii_only, outside = self._read(cursor)
            there = {table.oid: self._there(cursor, table) for table in tables}
        missing = {table.oid: self._missing(table, there[table.oid]) for table in tables}
        outcomes: list[Filled] = []
        begin("filling tables", len(tables))
        ends = time.monotonic() + SECONDS
        for ring in _in_order(tables):
            makers = {
                one.oid: Candidates(one, self._chance(one), ascii_only) for one in ring if missing[one.oid]
            }
            obstacle = NO_TIME if time.monotonic() > ends else outside
            closed = [
                oid for oid, one in makers.items() if obstacle and (one.table.fires or obstacle == NO_TIME)
            ]
            outcomes += [Filled(makers.pop(oid).table.quoted, missing[oid], 0, obstacle) for oid in closed]
            if makers:
                outcomes += _Ring(connection, makers, missing).fill()
            advance(len(ring))
        refresh_views(connection)
        self._remember(outcomes, {table.quoted: there[table.oid] for table in tables})
        return outcomes

    def _read(self, cursor: Cursor) -> tuple[list[Table], bool, str | None]:
        """The tables, whether their texts may have ASCII alone, and why none may be written to.

        Raises:
            ValueError: it is another database.
        """
        self._refuse_other_database(cursor)
        tables = read_tables(cursor, self.left_out(cursor))
        return tables, _encoding(cursor) != "UTF8", reach_outside(cursor)

    def change(self, connection: Connection) -> list[Changed]:
        """Give rows that there are other values, at most so many in a table as it would get new ones.

        Args:
            connection: to the copy; the transactions are this function's.

        Returns:
            what became of each table that has rows.

        Raises:
            ValueError, psycopg2.Error: see fill().
        """
        self._round += 1
        with transaction(connection) as cursor:
            tables, ascii_only, outside = self._read(cursor)
        begin("changing rows", len(tables))
        ends = time.monotonic() + SECONDS
        outcomes: list[Changed] = []
        for table in tables:
            obstacle = outside or (NO_TIME if time.monotonic() > ends else None)
            candidates = Candidates(table, self._chance(table), ascii_only)
            outcomes.append(change_rows(connection, candidates, self.rows, obstacle))
            advance(1)
        return [one for one in outcomes if one.there]

    def forget(self) -> list[str]:
        """Names of the tables that got rows, which are now taken away."""
        names = sorted(self.filled)
        self.filled.clear()
        self._shapes.clear()
        return names

    def _remember(self, outcomes: Sequence[Filled], there: dict[str, int]) -> None:
        for outcome in outcomes:
            self.unfilled.pop(outcome.table, None)
            if outcome.rows:
                self.filled.add(outcome.table)
            elif not there[outcome.table]:
                self.unfilled[outcome.table] = outcome.reason or "nobody knows why"
        # Of tables that are gone there is nothing to say.
        self.unfilled = {name: reason for name, reason in self.unfilled.items() if name in there}
        self.filled &= set(there)

    def _refuse_other_database(self, cursor: Cursor) -> None:
        cursor.execute("SELECT pg_catalog.current_database()")
        (name,) = one_row(cursor)
        if name != self.copy:
            raise ValueError(f"database {name} is not the copy {self.copy}, and gets no generated rows")

    def _chance(self, table: Table) -> Random:
        """Each table has its own: what is made for one does not depend on the others."""
        return Random(f"{self.seed} {self._round} {table.quoted}")  # noqa: S311 - to be repeatable, not secret

    def _there(self, cursor: Cursor, table: Table) -> int:
        """How many rows it has, up to as many as it should have; of one that cannot be read: none."""
        try:
            with undone_on_error(cursor):
                return count_up_to(cursor, table, self.rows)
        except NotInserted:
            return 0

    def _missing(self, table: Table, there: int) -> int:
        """How many rows it lacks: also those with values in columns that it has got since it was filled."""
        before = self._shapes.get(table.quoted)
        self._shapes[table.quoted] = table.shape()
        if table.quoted in self.filled and before is not None and before != table.shape():
            return self.rows
        if self.in_addition:
            return self.rows
        return 0 if there and self.only_empty else self.rows - there


def _encoding(cursor: Cursor) -> str:
    cursor.execute("SELECT pg_catalog.current_setting('server_encoding')")
    return one_row(cursor)[0]


def _in_order(tables: Sequence[Table]) -> list[list[Table]]:
    by_oid = {table.oid: table for table in tables}
    references = [(table.oid, key.parent) for table in tables for key in table.foreign_keys]
    return [[by_oid[oid] for oid in ring] for ring in parents_first(list(by_oid), references)]


class _Ring:
    """Tables that refer to each other, or a single one.

    Args:
        connection: to the copy.
        makers: OID -> what makes the rows.
        missing: OID -> how many rows.
    """

    def __init__(
        self, connection: Connection, makers: dict[int, Candidates], missing: dict[int, int]
    ) -> None:
        self.connection = connection
        self.makers = makers
        self.missing = missing
        tables = [maker.table for maker in makers.values()]
        self.hard = hard_references(tables)
        self.refers_to_itself = any(key.parent in makers for one in tables for key in one.foreign_keys)
        order = parents_first(list(makers), [(child, key.parent) for child, key in self.hard])
        self.order = [oid for group in order for oid in group]

    def fill(self) -> list[Filled]:
        """What became of each table."""
        try:
            with transaction(self.connection) as cursor:
                done = self._fill(cursor)
                # What is only looked at by COMMIT is looked at while one can still say of which tables it is.
                with on_role_path(cursor):
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return done
        except psycopg2.Error as error:
            if self.connection.closed:
                raise
            reason = one_line(error)
            return [Filled(self.makers[oid].table.quoted, self.missing[oid], 0, reason) for oid in self.order]

    def _fill(self, cursor: Cursor) -> list[Filled]:
        if len(self.hard) == 0 or len(self.makers) == 1:
            # Nothing has to wait for the end, and so what is wrong with a row is known at once.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        else:
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        plan_keys(cursor, self.makers, self.hard, self.missing)
        outcomes: dict[int, Filled] = {}
        for part in self._parts():
            for oid in self.order:
                first, wanted = part(self.missing[oid])
                if wanted:
                    outcomes[oid] = self._put_in(cursor, oid, first, wanted, outcomes.get(oid))
        return list(outcomes.values())

    def _parts(self) -> Iterator[Callable[[int], tuple[int, int]]]:
        """(first row, number of rows) of each time: twice where rows refer to others of the first time."""
        if self.refers_to_itself:
            yield lambda count: (0, (count + 1) // 2)
            yield lambda count: ((count + 1) // 2, count // 2)
        else:
            yield lambda count: (0, count)

    def _put_in(self, cursor: Cursor, oid: int, first: int, wanted: int, before: Filled | None) -> Filled:
        maker = self.makers[oid]
        self._look_around(cursor, maker)
        done = put_in(cursor, maker, first, wanted)
        if before is None:
            return done
        return Filled(
            done.table, before.wanted + done.wanted, before.rows + done.rows, before.reason or done.reason
        )

    def _look_around(self, cursor: Cursor, maker: Candidates) -> None:
        """Let a table's rows begin after those that there are, and refer to those of its parents."""
        for key in maker.table.foreign_keys:
            there = _keys_of(cursor, key)
            maker.parents[key.name] = there or _planned(self.makers.get(key.parent), key)
        for name in maker.differing:
            maker.begin[name] = _greatest(cursor, maker.table, name)


def _planned(parent: Candidates | None, key: ForeignKey) -> list[tuple[str, ...]]:
    if parent is None:
        return []
    return [
        tuple(one[name] for name in key.referred) for one in parent.planned if set(key.referred) <= set(one)
    ]


def _keys_of(cursor: Cursor, key: ForeignKey) -> list[tuple[str, ...]]:
    """What rows of a table may refer to, in an order that is the same each time."""
    # By the output functions alone, whatever the types are.
    columns = [text_of(sql.Identifier(name), own_type=True) for name in key.referred]
    query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT {}").format(
        sql.SQL(", ").join(columns),
        sql.Identifier(*key.parent_name),
        sql.SQL(" AND ").join(
            sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in key.referred
        ),
        sql.SQL(", ").join(columns),
        sql.Literal(PARENTS),
    )
    try:
        with undone_on_error(cursor):
            cursor.execute(query)
            return cursor.fetchall()
    except NotInserted:
        return []


def _greatest(cursor: Cursor, table: Table, column: str) -> int:
    """Beyond this number no row has a value in a column of numbers; of others, the number of rows there are."""
    query = sql.SQL("SELECT pg_catalog.max({})::pg_catalog.int8 FROM {}")
    types = {one.name: one.type for one in table.columns}
    try:
        # What the application has made of itself may have a max and a cast that are not PostgreSQL's.
        if types[column].without_domains().kind != "base":
            return count_up_to(cursor, table, 10**6)
        with undone_on_error(cursor):
            cursor.execute(query.format(sql.Identifier(column), table.source()))
            return max(int(one_row(cursor)[0] or 0), 0)
    except (NotInserted, ValueError):
        return count_up_to(cursor, table, 10**6)
