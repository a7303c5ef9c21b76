# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The statements that make an object again, with all that goes when it is dropped: as pg_dump writes them.

pg_dump knows how every kind of object is made; ``--verbose`` has it say of each statement which object it is for
(src/bin/pg_dump/pg_backup_archiver.c, _printTocEntry).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..postgres.answers import one_row
from ..postgres.application_tables import RUNBOOK_SCHEMAS
from ..postgres.connection import client_options
from ..postgres.programs import find_program, run_program
from ..shapes import Cursor, Json, Target

__all__ = ["Entry", "entries_in", "made_again", "read_dump"]

# What is dropped with an object: what PostgreSQL calls automatic, internal and of a partition (manual, "pg_depend");
# with CASCADE what rests on it or on a member of an extension too, and then the object whose internal part that is, as
# a view of its rule.
_GONE = """
    WITH RECURSIVE gone (classid, objid, objsubid) AS (
        SELECT * FROM unnest(%(classes)s::oid[], %(objects)s::oid[], %(columns)s::int[])
        UNION
        SELECT n.classid, n.objid, n.objsubid FROM gone g, LATERAL (
            SELECT d.classid, d.objid, d.objsubid FROM pg_depend d
            WHERE (d.refclassid, d.refobjid) = (g.classid, g.objid) AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid)
              AND d.deptype = ANY (%(kinds)s::"char"[])
            UNION ALL
            SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_depend d
            WHERE (d.classid, d.objid) = (g.classid, g.objid) AND d.deptype = 'i' AND g.objsubid = 0
              AND %(cascade)s
        ) AS n
    )
    SELECT DISTINCT classid::int8, objid::int8, objsubid FROM gone"""

_ENTRY = re.compile(
    r"^--\n-- TOC entry (?P<id>\d+) \(class (?P<class>\d+) OID (?P<oid>\d+)\)\n"
    r"(?:-- Dependencies: (?P<needs>[\d ]+)\n)?-- Name: .*; Type: (?P<kind>[A-Z ]+?); Schema: .*\n--\n",
    re.MULTILINE,
)
_PLACE = re.compile(r"^SET (default_tablespace|default_table_access_method) = (.*);\n", re.MULTILINE)
_END = re.compile(
    r"^-- (Completed on|Dumped from|Dumped by) .*\n|^--\n-- PostgreSQL database dump complete\n--\n|^\\.*\n",
    re.MULTILINE,
)
_ORDINARY = {"default_tablespace": "''", "default_table_access_method": "heap"}


class Entry(NamedTuple):
    """One entry of a dump.

    Attributes:
        number: pg_dump's own, by which others say that they need it.
        address: OIDs of catalog and object; zeros for what has none, as a comment.
        needs: numbers of others.
        kind: as TABLE, FK CONSTRAINT, COMMENT.
        place: what has to be set before it, by name: tablespace and access method where they are not the ordinary ones.
    """

    number: int
    address: tuple[int, int]
    needs: tuple[int, ...]
    kind: str
    text: str
    place: Json


def read_dump(target: Target, bindir: str) -> list[Entry]:
    """The whole schema of the database.

    Raises:
        Refused: pg_dump is not there.
        StepFailed: it failed.
    """
    folder = tempfile.mkdtemp(prefix="pgops-runbook-")
    try:
        path = os.path.join(folder, "schema.sql")
        options = [
            *client_options(target),
            "--schema-only",
            "--verbose",
            "--encoding=UTF8",
            "--lock-wait-timeout=10s",
        ]
        # The runbook's own schemas are no migration's.
        options += [*(f"--exclude-schema={name}" for name in RUNBOOK_SCHEMAS), f"--file={path}"]
        run_program(find_program("pg_dump", bindir), options, target)
        with open(path, encoding="utf-8") as file:
            return entries_in(file.read())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def entries_in(text: str) -> list[Entry]:
    """The entries of a verbose dump in plain text, in their order, which is one in which they can be made."""
    matches = list(_ENTRY.finditer(text))
    place = dict(_ORDINARY)
    entries = []
    before = 0
    for match, following in zip(matches, [*matches[1:], None]):
        # Said in front of the entry, and so at the end of the one before it.
        place.update({name: value for name, value in _PLACE.findall(text, before, match.start())})
        before = match.start()
        body = text[match.end() : following.start() if following else len(text)]
        entries.append(
            Entry(
                int(match["id"]),
                (int(match["class"]), int(match["oid"])),
                tuple(map(int, (match["needs"] or "").split())),
                match["kind"],
                _END.sub("", _PLACE.sub("", body)).strip(),
                {name: value for name, value in place.items() if value != _ORDINARY[name]},
            )
        )
    return entries


def made_again(
    cursor: Cursor, entries: Iterable[Entry], addresses: Sequence[Sequence[int]], cascade: bool, user: str
) -> Json:
    """The statements for what goes when the objects are dropped, in an order in which they can be sent.

    Args:
        addresses: (OID of the catalog, OID, number of a column or 0) of each object.
        cascade: whether what rests on them goes too.
        user: the role, quoted: what is its own anyway is not given to it.

    Returns:
        dict: "statements", a list of {"entry": number, "kind", "sql"}; "columns", those of other objects that go too,
        for which there is no statement.
    """
    cursor.execute(
        _GONE,
        {
            "classes": [address[0] for address in addresses],
            "objects": [address[1] for address in addresses],
            "columns": [address[2] for address in addresses],
            "kinds": ["a", "i", "P", "S", *(["n", "e"] if cascade else [])],
            "cascade": cascade,
        },
    )
    gone = cursor.fetchall()
    whole = {(class_oid, oid) for class_oid, oid, column in gone if not column}
    numbers: set[int] = set()
    made: list[Json] = []
    last: list[Json] = []
    has_entry = set()
    attached = _attached(cursor, [oid for _class_oid, oid in whole])
    for entry in entries:
        part = entry.address[0] == 0 and bool(numbers.intersection(entry.needs))
        to_all = next((to_all for text, to_all in attached.items() if entry.text.startswith(text)), None)
        if entry.address in whole or part or (entry.kind in ATTACHED and to_all is not None):
            numbers.add(entry.number)
            has_entry.add(entry.address)
            # A parent that stays gives a partition the indexes that it does not bring along.
            (last if to_all is False else made).append(
                {"entry": entry.number, "kind": entry.kind, "sql": _text(entry, user)}
            )
    made += last
    parts = _parts(cursor, [oid for _class_oid, oid in whole - has_entry], [oid for _class_oid, oid in whole])
    asked = {tuple(address) for address in addresses}
    others = [one for one in gone if one[2] and tuple(one) not in asked and (one[0], one[1]) not in whole]
    return {
        "statements": [*(one for one in made if one["sql"]), *parts, *_filled(cursor, whole)],
        "columns": [_identity(cursor, one) for one in others],
    }


#: Entries that the dump does not say the objects of.
ATTACHED = ("TABLE ATTACH", "INDEX ATTACH")

_ATTACHED = """
    SELECT CASE WHEN p.relkind IN ('i', 'I') THEN 'ALTER INDEX ' ELSE 'ALTER TABLE ONLY ' END || inhparent::regclass
           || ' ATTACH PARTITION ' || inhrelid::regclass || CASE WHEN p.relkind IN ('i', 'I') THEN ';' ELSE ' ' END,
           inhparent = ANY (%(gone)s::oid[]) AND inhrelid = ANY (%(gone)s::oid[])
    FROM pg_inherits JOIN pg_class p ON p.oid = inhparent
    WHERE p.relkind IN ('p', 'I') AND (inhrelid = ANY (%(gone)s::oid[]) OR inhparent = ANY (%(gone)s::oid[]))"""


def _attached(cursor: Cursor, gone: Sequence[int]) -> dict[str, bool]:
    """How the statements begin that attach partitions, and whether parent and partition are both made again."""
    cursor.execute(_ATTACHED, {"gone": list(gone)})
    return dict(cursor.fetchall())


def _identity(cursor: Cursor, address: Sequence[int]) -> str:
    cursor.execute("SELECT identity FROM pg_identify_object(%s, %s, %s)", tuple(address))
    return one_row(cursor)[0]


# Of a table that stays: what pg_dump writes into its CREATE TABLE.
_PARTS = """
    SELECT 'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' '
           || pg_get_constraintdef(oid) || ';' || coalesce(E'\nCOMMENT ON CONSTRAINT ' || quote_ident(conname) || ' ON '
           || conrelid::regclass || ' IS ' || quote_literal(obj_description(oid, 'pg_constraint')) || ';', ''),
           'CHECK CONSTRAINT', oid::int8
    FROM pg_constraint WHERE oid = ANY (%(without)s::oid[]) AND contype IN ('c', 'n') AND conrelid <> 0
      AND conrelid <> ALL (%(gone)s::oid[]) AND coninhcount = 0
    UNION ALL
    SELECT 'ALTER TABLE ' || adrelid::regclass || ' ALTER COLUMN ' || quote_ident(attname) || ' SET DEFAULT '
           || pg_get_expr(adbin, adrelid) || ';', 'DEFAULT', d.oid::int8
    FROM pg_attrdef d JOIN pg_attribute a ON attrelid = adrelid AND attnum = adnum
    WHERE d.oid = ANY (%(without)s::oid[]) AND adrelid <> ALL (%(gone)s::oid[]) AND attgenerated = ''"""


def _parts(cursor: Cursor, without: Sequence[int], gone: Sequence[int]) -> list[Json]:
    cursor.execute(_PARTS, {"without": list(without), "gone": list(gone)})
    return [{"entry": -oid, "kind": kind, "sql": text} for text, kind, oid in cursor.fetchall()]


def _text(entry: Entry, user: str) -> str:
    text = re.sub(
        rf"^ALTER [^\n]* OWNER TO {re.escape(user)};\n*", "", entry.text + "\n", flags=re.MULTILINE
    ).strip()
    if text and entry.place and entry.kind in ("TABLE", "INDEX", "CONSTRAINT", "MATERIALIZED VIEW"):
        before = "".join(f"SET LOCAL {name} = {value};\n" for name, value in entry.place.items())
        after = "".join(f"\nSET LOCAL {name} = {_ORDINARY[name]};" for name in entry.place)
        return before + text + after
    return text


def _filled(cursor: Cursor, whole: Iterable[tuple[int, int]]) -> list[Json]:
    """pg_dump makes a materialized view empty where it dumps no rows."""
    cursor.execute(
        "SELECT oid::int8, (pg_identify_object('pg_class'::regclass, oid, 0)).identity FROM pg_class"
        " WHERE relkind = 'm' AND relispopulated AND oid = ANY (%s::oid[]) ORDER BY oid",
        ([oid for _class_oid, oid in whole],),
    )
    return [
        {"entry": -oid, "kind": "REFRESH", "sql": f"REFRESH MATERIALIZED VIEW {identity};"}
        for oid, identity in cursor.fetchall()
    ]
