# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Code that somebody else has hung on tables, and that PostgreSQL calls with the rights of whoever writes or restores.

A check, a generated column, a default, a trigger, the expression of an index or of statistics: all of them are called
as the current user, and may do whatever he may. Whose function it is decides who has written it; one of a
superuser's is no gain for anybody. What names it is told by ``pg_depend``, through operators, domains and composite
types; PostgreSQL's own functions are not in there, and a few of them run what a text says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..shapes import Cursor
from .answers import one_row

__all__ = ["Call", "calls", "may_call", "superuser_of_session"]

#: Of volatile functions of PostgreSQL's own, those that expressions are full of and that reach nothing.
HARMLESS = [
    *("clock_timestamp", "timeofday", "random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7"),
    *("currval", "lastval", "nextval", "pg_current_xact_id", "pg_current_xact_id_if_assigned"),
    *("txid_current", "txid_current_if_assigned"),
]

#: Of others, those that call code of the application by its name or OID; besides all that read a relation into XML.
CALLS_BY_NAME = [
    *("array_in", "domain_in", "multirange_in", "range_in", "record_in", "ts_rewrite", "ts_stat"),
    *("array_recv", "domain_recv", "multirange_recv", "range_recv", "record_recv"),
]

# The role that connected, too: code that it calls under another role can go back to it (RESET ROLE).
SUPERUSER = """
    SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolsuper AND rolname IN (current_user, session_user)
    ORDER BY rolname = current_user DESC LIMIT 1"""

# Of PostgreSQL's own functions those that matter here; p is pg_proc.
REACHES_OTHERS = """(
              p.provolatile = 'v' AND p.proname <> ALL (%(harmless)s) OR p.proname = ANY (%(by_name)s)
              OR p.proname LIKE '%%\\_to\\_xml%%')"""

# All that CALLS would name has one of these, and what a rule does is any statement. PostgreSQL's own objects are in no
# row of pg_depend.
MAY_CALL = f"""
    WITH objects (class, oid) AS (
        SELECT 'pg_catalog.pg_class'::regclass::oid, unnest(%(tables)s::oid[]) UNION ALL
        SELECT 'pg_catalog.pg_constraint'::regclass, k.oid FROM pg_catalog.pg_constraint k
        WHERE k.conrelid = ANY (%(tables)s::oid[]) UNION ALL
        SELECT 'pg_catalog.pg_attrdef'::regclass, e.oid FROM pg_catalog.pg_attrdef e
        WHERE e.adrelid = ANY (%(tables)s::oid[]) UNION ALL
        SELECT 'pg_catalog.pg_class'::regclass, i.indexrelid FROM pg_catalog.pg_index i
        WHERE i.indrelid = ANY (%(tables)s::oid[]) UNION ALL
        SELECT 'pg_catalog.pg_trigger'::regclass, g.oid FROM pg_catalog.pg_trigger g
        WHERE g.tgrelid = ANY (%(tables)s::oid[]) AND NOT g.tgisinternal UNION ALL
        SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid FROM pg_catalog.pg_statistic_ext s
        WHERE s.stxrelid = ANY (%(tables)s::oid[])),
    expressions (tree) AS (
        SELECT k.conbin::text FROM pg_catalog.pg_constraint k WHERE k.conrelid = ANY (%(tables)s::oid[]) UNION ALL
        SELECT e.adbin::text FROM pg_catalog.pg_attrdef e WHERE e.adrelid = ANY (%(tables)s::oid[]) UNION ALL
        SELECT g.tgqual::text FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ANY (%(tables)s::oid[]) UNION ALL
        SELECT pg_catalog.concat(i.indexprs, i.indpred) FROM pg_catalog.pg_index i
        WHERE i.indrelid = ANY (%(tables)s::oid[]) UNION ALL
        SELECT s.stxexprs::text FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = ANY (%(tables)s::oid[]) UNION ALL
        SELECT y.partexprs::text FROM pg_catalog.pg_partitioned_table y WHERE y.partrelid = ANY (%(tables)s::oid[]))
    SELECT EXISTS (SELECT FROM objects o JOIN pg_catalog.pg_depend d ON d.classid = o.class AND d.objid = o.oid
                   WHERE d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass,
                                          'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_opclass'::regclass))
        OR EXISTS (SELECT FROM expressions e
                   CROSS JOIN LATERAL pg_catalog.regexp_matches(e.tree, ':funcid ([0-9]+)', 'g') AS m
                   JOIN pg_catalog.pg_proc p ON p.oid = m[1]::oid WHERE {REACHES_OTHERS})
        OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = ANY (%(tables)s::oid[]))"""

# What hangs on tables (%s: SELECT of their OIDs), what that depends on, and the functions among it. A disabled trigger
# is called by nobody, and one of a replica only where it replays.
CALLS = """
    WITH RECURSIVE tables (oid) AS (%(tables)s),
    roots (class, oid, kind, name, relation) AS (
        SELECT 'pg_catalog.pg_class'::regclass::oid, oid, 'column or partition key', NULL::text, oid FROM tables
        UNION ALL
        SELECT 'pg_catalog.pg_constraint'::regclass, k.oid,
               CASE k.contype WHEN 'c' THEN 'check' ELSE 'constraint' END, k.conname::text, k.conrelid
        FROM pg_catalog.pg_constraint k JOIN tables t ON t.oid = k.conrelid WHERE k.contype IN ('c', 'x') UNION ALL
        SELECT 'pg_catalog.pg_attrdef'::regclass, e.oid,
               CASE a.attgenerated WHEN '' THEN 'default' ELSE 'generated column' END, a.attname::text, e.adrelid
        FROM pg_catalog.pg_attrdef e JOIN tables t ON t.oid = e.adrelid
        JOIN pg_catalog.pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum UNION ALL
        SELECT 'pg_catalog.pg_class'::regclass, i.indexrelid,
               CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_constraint k
                                 WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)
                    THEN 'constraint' ELSE 'index' END, c.relname::text, i.indrelid
        FROM pg_catalog.pg_index i JOIN tables t ON t.oid = i.indrelid
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid UNION ALL
        -- Whoever plans a query calls what is constant in them, as in the expressions of an index.
        SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid, 'statistics',
               s.stxnamespace::regnamespace::text || '.' || quote_ident(s.stxname), s.stxrelid
        FROM pg_catalog.pg_statistic_ext s JOIN tables t ON t.oid = s.stxrelid
        %(others)s),
    reached (class, oid, kind, name, relation) AS (
        SELECT * FROM roots UNION
        SELECT next.class, next.oid, r.kind, r.name, r.relation
        FROM reached r CROSS JOIN LATERAL (
            SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
            WHERE d.classid = r.class AND d.objid = r.oid AND d.refclassid IN (
                'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_type'::regclass,
                'pg_catalog.pg_opclass'::regclass) UNION ALL
            SELECT 'pg_catalog.pg_constraint'::regclass, k.oid FROM pg_catalog.pg_constraint k
            WHERE r.class = 'pg_catalog.pg_type'::regclass AND k.contypid = r.oid UNION ALL
            SELECT 'pg_catalog.pg_class'::regclass, y.typrelid FROM pg_catalog.pg_type y
            WHERE r.class = 'pg_catalog.pg_type'::regclass AND y.oid = r.oid AND y.typrelid <> 0 UNION ALL
            SELECT 'pg_catalog.pg_proc'::regclass, s.amproc::oid
            FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_amproc s ON s.amprocfamily = o.opcfamily
            WHERE r.class = 'pg_catalog.pg_opclass'::regclass AND o.oid = r.oid UNION ALL
            SELECT 'pg_catalog.pg_operator'::regclass, s.amopopr
            FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_amop s ON s.amopfamily = o.opcfamily
            WHERE r.class = 'pg_catalog.pg_opclass'::regclass AND o.oid = r.oid) AS next (class, oid)),
    expressions (kind, name, relation, tree) AS (
        SELECT r.kind, r.name, r.relation, e.tree::text
        FROM reached r CROSS JOIN LATERAL (
            SELECT k.conbin FROM pg_catalog.pg_constraint k
            WHERE r.class = 'pg_catalog.pg_constraint'::regclass AND k.oid = r.oid UNION ALL
            SELECT d.adbin FROM pg_catalog.pg_attrdef d
            WHERE r.class = 'pg_catalog.pg_attrdef'::regclass AND d.oid = r.oid UNION ALL
            SELECT t.tgqual FROM pg_catalog.pg_trigger t
            WHERE r.class = 'pg_catalog.pg_trigger'::regclass AND t.oid = r.oid UNION ALL
            SELECT s.stxexprs FROM pg_catalog.pg_statistic_ext s
            WHERE r.class = 'pg_catalog.pg_statistic_ext'::regclass AND s.oid = r.oid UNION ALL
            SELECT p.partexprs FROM pg_catalog.pg_partitioned_table p
            WHERE r.class = 'pg_catalog.pg_class'::regclass AND p.partrelid = r.oid UNION ALL
            SELECT x.tree FROM pg_catalog.pg_index i CROSS JOIN LATERAL (VALUES (i.indexprs), (i.indpred)) AS x (tree)
            WHERE r.class = 'pg_catalog.pg_class'::regclass AND i.indexrelid = r.oid) AS e (tree)
        WHERE e.tree IS NOT NULL),
    called (kind, name, relation, function) AS (
        -- An operator class of an extension's has functions of PostgreSQL's own, which are no gain for anybody.
        SELECT r.kind, r.name, r.relation, r.oid FROM reached r JOIN pg_catalog.pg_proc p ON p.oid = r.oid
        WHERE r.class = 'pg_catalog.pg_proc'::regclass AND p.pronamespace <> 'pg_catalog'::regnamespace UNION
        SELECT e.kind, e.name, e.relation, p.oid
        FROM expressions e CROSS JOIN LATERAL pg_catalog.regexp_matches(e.tree, ':funcid ([0-9]+)', 'g') AS m
        JOIN pg_catalog.pg_proc p ON p.oid = m[1]::oid
        LEFT JOIN pg_catalog.pg_class c ON c.oid = e.relation
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
          AND %(reaches)s
          AND (e.kind = 'trigger' OR c.relowner IS NULL
               OR NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid = c.relowner)))
    SELECT f.kind, f.name, n.nspname::text, c.relname::text, f.function::regprocedure::text,
           CASE WHEN p.pronamespace = 'pg_catalog'::regnamespace THEN pg_catalog.pg_get_userbyid(c.relowner)
                ELSE pg_catalog.pg_get_userbyid(p.proowner) END::text, p.pronamespace = 'pg_catalog'::regnamespace
    FROM called f JOIN pg_catalog.pg_proc p ON p.oid = f.function
    LEFT JOIN pg_catalog.pg_class c ON c.oid = f.relation LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE p.pronamespace = 'pg_catalog'::regnamespace
       OR NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid = p.proowner)
    ORDER BY 5, 3, 4, 1, 2"""

TRIGGERS = """UNION ALL
        SELECT 'pg_catalog.pg_trigger'::regclass, g.oid, 'trigger', g.tgname::text, g.tgrelid
        FROM pg_catalog.pg_trigger g JOIN tables t ON t.oid = g.tgrelid
        WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')"""

EVENT_TRIGGERS = """UNION ALL
        SELECT 'pg_catalog.pg_event_trigger'::regclass, v.oid, 'event trigger', v.evtname::text, NULL
        FROM pg_catalog.pg_event_trigger v WHERE v.evtenabled IN ('O', 'A')"""


class Call(NamedTuple):
    """A function that somebody who is no superuser has written, or has written into an expression.

    Attributes:
        kind: what calls it: check, constraint, default, generated column, index, statistics, trigger, event trigger, or
            column or partition key (of the table itself: the domain of a column, say).
        name: of that, or None; of statistics with their schema, as SQL writes it.
        schema, table: where it hangs, or None.
        function: it, with its arguments, as PostgreSQL writes it.
        owner: whose it is; of one of PostgreSQL's own, whose the table is.
        built_in: whether it is one of PostgreSQL's own.
    """

    kind: str
    name: str | None
    schema: str | None
    table: str | None
    function: str
    owner: str
    built_in: bool

    def what(self) -> str:
        """The function and whose it is, in words."""
        return f"{self.function}, which {self.owner} {'put there' if self.built_in else 'owns'}"

    def where(self) -> str:
        """What calls it, in words: check x of public.t."""
        what = self.kind if self.name is None else f"{self.kind} {self.name}"
        return what if self.table is None else f"{what} of {self.schema}.{self.table}"


def superuser_of_session(cursor: Cursor) -> str | None:
    """The superuser with whose rights this session can act, or None."""
    cursor.execute(SUPERUSER)
    row = cursor.fetchone()
    return None if row is None else row[0]


def may_call(cursor: Cursor, tables: Sequence[int]) -> bool:
    """Whether anything hangs on these tables that calls() with TRIGGERS may name, or a rule: a quicker question.

    Args:
        cursor: in our own turn.
        tables: OIDs.
    """
    values = {"tables": list(tables), "harmless": HARMLESS, "by_name": CALLS_BY_NAME}
    cursor.execute(MAY_CALL, values)
    return one_row(cursor)[0]


def calls(cursor: Cursor, tables: str, values: Mapping[str, object], others: str) -> list[Call]:
    """Functions of roles that are no superusers, and of PostgreSQL's own those that run what they are given.

    Args:
        cursor: in our own turn.
        tables: SELECT of OIDs; where it has values, with named placeholders, a percent sign twice.
        values: for these.
        others: TRIGGERS, EVENT_TRIGGERS, or nothing.
    """
    query = CALLS % {"tables": tables, "others": others, "reaches": REACHES_OTHERS}
    cursor.execute(query, {**values, "harmless": HARMLESS, "by_name": CALLS_BY_NAME})
    return [Call(*row) for row in cursor.fetchall()]
