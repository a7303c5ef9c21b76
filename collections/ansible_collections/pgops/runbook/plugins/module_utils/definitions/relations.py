# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables, views, indexes and sequences as they are now, down to each setting that ALTER TABLE can change."""

from __future__ import annotations

from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..shapes import Cursor, Json

__all__ = ["relation_facts"]

_RELATION = """
    SELECT relkind::text AS kind, relpersistence::text AS persistence, relrowsecurity AS row_security,
           relforcerowsecurity AS force_row_security, relreplident::text AS replica_identity,
           coalesce(reloptions, '{{}}')::text[] AS options,
           coalesce((SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid), '{{}}')::text[]
               AS toast_options,
           (SELECT quote_ident(spcname) FROM pg_tablespace s, pg_database d WHERE d.datname = current_database()
            AND s.oid = CASE c.reltablespace WHEN 0 THEN d.dattablespace ELSE c.reltablespace END) AS tablespace,
           (SELECT quote_ident(amname) FROM pg_am a WHERE a.oid = c.relam) AS access_method,
           relispopulated AS populated, relispartition AS partition, pg_get_expr(relpartbound, oid) AS bound,
           CASE WHEN reloftype <> 0 THEN format_type(reloftype, NULL) END AS of_type,
           CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END AS query,
           CASE WHEN relkind IN ('i', 'I') THEN pg_get_indexdef(oid) END AS index,
           (SELECT i.indrelid::regclass::text FROM pg_index i WHERE i.indexrelid = c.oid) AS table,
           (SELECT quote_ident(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND i.indisclustered) AS clustered,
           (SELECT quote_ident(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND i.indisreplident) AS replica_index,
           (SELECT coalesce(array_agg(inhparent::regclass::text ORDER BY inhseqno), '{{}}') FROM pg_inherits
            WHERE inhrelid = c.oid) AS parents,
           -- Of an expression there is none: null.
           (SELECT coalesce(array_agg(a.attname::text ORDER BY n), '{{}}') FROM pg_partitioned_table p
            CROSS JOIN generate_series(0, p.partnatts - 1) AS n
            LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[n]
            WHERE p.partrelid = c.oid) AS partition_columns,
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid) AS indexed,
           EXISTS (SELECT FROM pg_index i CROSS JOIN generate_series(0, i.indnkeyatts - 1) AS n
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[n]
                   WHERE i.indrelid = c.oid AND i.indcollation[n] <> a.attcollation) AS own_collations
    FROM pg_class c WHERE oid = {oid}"""

_COLUMNS = """
    SELECT quote_ident(attname) AS name, format_type(atttypid, atttypmod) AS type,
           CASE WHEN attcollation NOT IN (0, typcollation) THEN (pg_identify_object('pg_collation'::regclass,
               attcollation, 0)).identity END AS collation,
           attnotnull AS not_null, pg_get_expr(adbin, adrelid) AS default, attidentity::text AS identity,
           attgenerated::text AS generated, attstorage::text AS storage, typstorage::text AS type_storage,
           attcompression::text AS compression, attstattarget::int AS statistics,
           coalesce(attoptions, '{{}}')::text[] AS options,
           coalesce(attfdwoptions, '{{}}')::text[] AS foreign_options, attinhcount > 0 AS inherited,
           col_description(attrelid, attnum) AS comment, attnum::int AS number,
           (SELECT coalesce(json_agg(json_build_array(CASE grantee WHEN 0 THEN NULL
               ELSE quote_ident(pg_get_userbyid(grantee)) END, privilege_type, is_grantable)), '[]')
            FROM aclexplode(attacl)) AS privileges,
           (SELECT row_to_json(s) FROM pg_depend p JOIN pg_sequence s ON s.seqrelid = p.objid
            WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = attrelid AND p.refobjsubid = attnum
              AND p.classid = 'pg_class'::regclass AND p.deptype = 'i' AND attidentity <> '') AS sequence,
           attnum = (SELECT max(b.attnum) FROM pg_attribute b WHERE b.attrelid = a.attrelid AND NOT b.attisdropped)
               AS last
    FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""

_CONSTRAINTS = """
    SELECT quote_ident(conname) AS name, contype::text AS type, pg_get_constraintdef(c.oid) AS definition,
           convalidated AS validated, condeferrable AS deferrable, condeferred AS deferred,
           EXISTS (SELECT FROM pg_trigger g WHERE g.tgconstraint = c.oid AND g.tgenabled <> 'O') AS disabled,
           obj_description(c.oid, 'pg_constraint') AS comment, coninhcount > 0 AS inherited,
           (SELECT coalesce(array_agg(quote_ident(attname)), '{{}}') FROM pg_attribute
            WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns
    FROM pg_constraint c WHERE conrelid = {oid}"""

_TRIGGERS = """
    SELECT quote_ident(tgname) AS name, tgenabled::text AS enabled, pg_get_triggerdef(oid) AS definition
    FROM pg_trigger WHERE tgrelid = {oid} AND NOT tgisinternal"""

_RULES = """
    SELECT quote_ident(rulename) AS name, ev_enabled::text AS enabled, pg_get_ruledef(oid) AS definition
    FROM pg_rewrite WHERE ev_class = {oid} AND rulename <> '_RETURN'"""

_SEQUENCE = """
    SELECT format_type(seqtypid, NULL) AS type, seqstart::text AS start, seqincrement::text AS increment,
           seqmax::text AS maximum, seqmin::text AS minimum, seqcache::text AS cache, seqcycle AS cycle,
           refobjid::regclass::text || '.' || quote_ident(attname) AS owned_by,
           refobjid::regclass::text AS numbered_table, quote_ident(attname) AS numbered_column,
           -- Whoever may not see it takes it for used; before 18 asking would be an error.
           CASE WHEN has_sequence_privilege(seqrelid, 'USAGE, SELECT')
                THEN pg_sequence_last_value(seqrelid) IS NOT NULL ELSE true END AS used
    FROM pg_sequence
    LEFT JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = seqrelid AND refclassid = 'pg_class'::regclass
                           AND deptype = 'a'
    LEFT JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
    WHERE seqrelid = {oid}"""

_OPTIONS_OF_FOREIGN = (
    "SELECT coalesce(ftoptions, '{{}}')::text[] AS options FROM pg_foreign_table WHERE ftrelid = {oid}"
)

#: What holds rows of its own.
_WITH_ROWS = ("r", "p", "m")


def relation_facts(cursor: Cursor, oid: int) -> Json:
    """The facts of one relation, JSON-able; its columns and other parts by their names, quoted where that is needed."""
    (facts,) = _read(cursor, _RELATION, oid)
    facts["columns"] = {row["name"]: row for row in _read(cursor, _COLUMNS, oid)}
    facts["constraints"] = {row["name"]: row for row in _read(cursor, _CONSTRAINTS, oid)}
    facts["triggers"] = {row["name"]: row for row in _read(cursor, _TRIGGERS, oid)}
    facts["rules"] = {row["name"]: row for row in _read(cursor, _RULES, oid)}
    facts["sequence"] = next(iter(_read(cursor, _SEQUENCE, oid)), None) if facts["kind"] == "S" else None
    foreign = _read(cursor, _OPTIONS_OF_FOREIGN, oid) if facts["kind"] == "f" else []
    facts["foreign_options"] = foreign[0]["options"] if foreign else []
    facts["rows"] = _has_rows(cursor, oid) if facts["kind"] in _WITH_ROWS and facts["populated"] else False
    return facts


def _read(cursor: Cursor, query: str, oid: int) -> list[Json]:
    cursor.execute(f"SELECT row_to_json(facts) FROM ({query.format(oid=int(oid))}) AS facts")
    return [row for (row,) in cursor.fetchall()]


def _has_rows(cursor: Cursor, oid: int) -> bool:
    """Whether it holds any row; a role that may not look is told that it does."""
    cursor.execute(
        "SELECT nspname, relname, has_table_privilege(c.oid, 'SELECT') FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = %s",
        (oid,),
    )
    schema, name, readable = one_row(cursor)
    if not readable:
        return True
    cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, name)))
    return one_row(cursor)[0]
