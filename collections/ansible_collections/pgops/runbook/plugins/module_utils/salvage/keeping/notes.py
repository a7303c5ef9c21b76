# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept beside what differs, so that the next deploy knows it again and sees what may be a user's.

Numbers that people know rows by, rows that others refer to, who wrote a row, and which columns follow the moment.
"""

from __future__ import annotations

from ...postgres.answers import one_row
from ...postgres.columns import columns_of
from ...postgres.connection import sql
from ...postgres.references import parents_first
from ...postgres.tables import table_facts
from ...postgres.values import text_of
from ...shapes import Json, TableName
from ..identity import hands_out_numbers
from ..key import field, record
from .base import Difference

__all__ = ["facts", "settle"]

# Version 4 or 7, of the variant that RFC 9562 describes.
MADE_UP_UUID = "^.{14}[47].{4}[89ab]"

# Rows are numbered in the order in which they lie, which is another way after every UPDATE. Nobody wrote the number:
# nothing waits of a row that has nothing else. One that is no key goes back as any value does.
NUMBERED = """
    UPDATE {work} SET columns = columns || ARRAY(SELECT unnest({more}::text[]) EXCEPT SELECT unnest(columns))
    WHERE kept IS NOT NULL AND base IS NOT NULL AND NOT columns @> {more}::text[];
    UPDATE {work} SET columns = '{{}}' WHERE kept IS NOT NULL AND base IS NOT NULL AND columns <@ {numbers}::text[];
    INSERT INTO {work} (key, occurrence, kept, base, written_since, theirs, basis, columns)
    SELECT now.key, now.occurrence, was.line, now.line, {written}, CAST(was.line AS {shape}), CAST(now.line AS {shape}),
           {more}::text[]
    FROM {image} was JOIN ({now}) AS now ON now.key = was.key AND now.occurrence = was.occurrence
    WHERE was.line = now.line
      AND NOT EXISTS (SELECT FROM {work} known WHERE known.key = now.key AND known.occurrence = now.occurrence)"""

# What has the default because somebody wrote it cannot be told from what has it because nobody did.
HAS_DEFAULT = """
    INSERT INTO {work} (key, occurrence, kept, base, theirs, basis, columns, written_since)
    SELECT now.key, now.occurrence, was.line, now.line, CAST(was.line AS {shape}), CAST(now.line AS {shape}), '{{}}',
           true
    FROM {image} was JOIN ({now}) AS now ON now.key = was.key AND now.occurrence = was.occurrence
    WHERE was.written_since AND was.line = now.line
      AND NOT EXISTS (SELECT FROM {work} known WHERE known.key = now.key AND known.occurrence = now.occurrence)"""

# A key that people give may be given to another row; what else is in the parent tells which one was meant.
PARENTS = """
    UPDATE {work} k SET parents[{position}] = p.line FROM (SELECT {referred}, {line} AS line FROM {parent}) AS p
    WHERE k.kept IS NOT NULL AND (k.columns IS NULL OR k.columns && {mine}::text[]) AND {same}"""


def settle(differences: dict[TableName, Difference]) -> None:
    """Tell what differs in tables that refer to each other, and keep what it takes to know it again."""
    for difference in differences.values():
        difference.forget_records(differences)
    for difference in differences.values():
        difference.compare_parents(differences)
    for difference in differences.values():
        difference.forget_equal()
    for difference in differences.values():
        _add_numbers(difference)
    pairs = [(name, key.parent) for name, one in differences.items() for key in one.table.foreign_keys]
    # What is kept for a child may refer to a parent of its own.
    for group in reversed(parents_first(differences, pairs)):
        for name in group:
            differences[name].add_context(differences)
    for difference in differences.values():
        _add_written(difference)
        _note_parents(difference, differences)


def _serial(rows: Difference) -> list[str]:
    """Columns that the migration makes and in which a sequence numbers the rows."""
    made = {*rows.image.made, *rows.image.identity.assigned}
    return [
        one.name
        for one in columns_of(rows.cursor, rows.table.oid)
        if one.name in made and hands_out_numbers(one)
    ]


def _add_numbers(rows: Difference) -> None:
    """Keep the numbers of all rows that have another name: people know them."""
    serial, assigned = _serial(rows), rows.image.identity.assigned
    if serial and not set(serial) & set(rows.image.identity.key.columns):
        rows.run(
            NUMBERED,
            numbers=sql.Literal(assigned),
            more=sql.Literal([name for name in serial if name not in assigned]),
            now=rows.image.rows(),
        )


def _add_written(rows: Difference) -> None:
    """Keep rows into which users may have written a default."""
    if rows.image.defaults:
        rows.run(HAS_DEFAULT, now=rows.image.rows())


def _note_parents(rows: Difference, others: dict[TableName, Difference]) -> None:
    """Note what is in the rows that kept ones refer to by a key that people give, where nothing is kept of them."""
    for key in rows.table.foreign_keys:
        parent = None if key.parent in others else table_facts(rows.cursor, key.parent)
        if parent is None or not set(key.columns) <= set(rows.image.columns):
            continue
        columns = {one.name: one for one in columns_of(rows.cursor, parent.oid)}
        numbers = [one.name for one in columns.values() if hands_out_numbers(one)]
        content = [name for name in parent.columns if name not in key.referred]
        if set(key.referred) & set(numbers) or not content:
            continue
        rows.parents.append(
            {
                "columns": key.columns,
                "parent": list(key.parent),
                "referred": key.referred,
                "content": content,
            }
        )
        rows.run(
            PARENTS,
            position=sql.Literal(len(rows.parents)),
            referred=sql.SQL(", ").join(map(sql.Identifier, key.referred)),
            line=record(content),
            parent=sql.Identifier(*key.parent),
            mine=sql.Literal(key.columns),
            same=sql.SQL(" AND ").join(
                # As text: of an enum the record has no other value.
                sql.SQL("{} = {}").format(
                    text_of(field("k.theirs", mine), mine in rows.own_types),
                    text_of(sql.Identifier("p", theirs), columns[theirs].own_type),
                )
                for mine, theirs in zip(key.columns, key.referred)
            ),
        )


def _volatile(rows: Difference) -> list[str]:
    """Columns whose values are others each time the migration is applied, though nobody has written them.

    Those that it hands out and that are the same in no row; and those into which it writes the time.
    """
    candidates: dict[str, tuple[bool, sql.Composable]] = {}
    for column in columns_of(rows.cursor, rows.table.oid):
        name = column.name
        if name not in rows.image.columns or name in rows.image.identity.numbers:
            continue
        if name in rows.image.identity.generated:
            candidates[name] = not hands_out_numbers(column), sql.SQL("true")
        elif column.type_name in ("timestamptz", "timestamp", "date"):
            moment = sql.SQL("(basis).{} = CAST({} AS {})").format(
                sql.Identifier(name), _moment(rows, column.type_name), sql.SQL(column.type)
            )
            candidates[name] = False, sql.SQL("bool_and({}) FILTER (WHERE {})").format(moment, _counts(name))
        elif column.type_name == "uuid" and (not rows.image.made or name in rows.image.made):
            # Written by the migration, another one each time: a row that nobody has touched since has one too, or all
            # are such as are made by chance or by the time. Of other types it may be what the rollback has cut short.
            made_up = sql.SQL("(basis).{}::text ~ {}").format(sql.Identifier(name), sql.Literal(MADE_UP_UUID))
            candidates[name] = (
                True,
                sql.SQL(
                    "(bool_or(untouched) FILTER (WHERE {counts}) OR bool_and({made_up}) FILTER (WHERE {counts}))"
                ).format(counts=_counts(name), made_up=made_up),
            )
    return _those_that_hold(rows, candidates)


def _those_that_hold(rows: Difference, candidates: dict[str, tuple[bool, sql.Composable]]) -> list[str]:
    """Of columns those that differ in a row, or in all that are on both sides, and of which a condition holds.

    Args:
        candidates: name -> (whether all rows must differ, SQL aggregate of a boolean).
    """
    if not candidates:
        return []
    asked = [
        sql.SQL("count(*) FILTER (WHERE {}), {}").format(_counts(name), condition)
        for name, (_, condition) in candidates.items()
    ]
    rows.cursor.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM {}) - count(*) FILTER (WHERE base IS NULL AND kept IS NOT NULL), {} FROM {}"
        ).format(rows.image.table, sql.SQL(", ").join(asked), rows.work)
    )
    both, *answers = one_row(rows.cursor)
    found = zip(candidates.items(), answers[::2], answers[1::2])
    return [
        name
        for (name, (in_all, _)), differing, holds in found
        if holds and differing and (differing == both or not in_all)
    ]


def _counts(name: str) -> sql.Composable:
    return sql.SQL("{} = ANY (columns)").format(sql.Literal(name))


def _moment(rows: Difference, kind: str) -> sql.Composable:
    """SQL: now() as the migration wrote it."""
    if kind == "timestamptz":
        return sql.SQL("pg_catalog.now()")
    return sql.SQL("(pg_catalog.now() AT TIME ZONE {})").format(sql.Literal(rows.zone))


def facts(rows: Difference) -> Json:
    """What returning takes, beside the rows."""
    return {
        "base_known": True,
        "volatile": _volatile(rows),
        "serial": _serial(rows),
        "defaults": rows.image.defaults,
        "parents": rows.parents,
    }
