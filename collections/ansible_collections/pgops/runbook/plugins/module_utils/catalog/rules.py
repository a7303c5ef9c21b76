# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the rows of PostgreSQL's system catalogs become entries of the schema.

A catalog that is not named here gets the default rule: one entry for each row, named by PostgreSQL, with
all its columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True)
class Rule:
    """How the rows of one catalog become entries.

    Attributes:
        noun: SQL expression (row alias r) for the first word of the key; None: PostgreSQL's own word for it.
        parents: columns that name the object the row is part of, with the catalog of that object; a row is
            read when one of its parents was. The key is then "<noun> <parent's identity>.<name>".
        name: the column that completes the key.
        merged: the row has no entry of its own, its facts belong to the entry of its parent.
        where: SQL condition (row alias r) for the rows that are schema.
        scope_only: SQL condition for rows that get no entry, but whose parts do.
        derived: facts by name, each an SQL expression.
        acl: the column of privileges and the object's kind for acldefault().
        options: columns of "name=value" texts, each of which becomes a fact.
        columns_of: columns holding numbers of columns, with the column naming their table, where
            pg_get_catalog_foreign_keys() does not say it.
        unordered: arrays whose order has no meaning.
        source: another relation to read than the catalog.
    """

    noun: str | None = None
    parents: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    merged: bool = False
    where: str = "true"
    scope_only: str = "false"
    derived: Mapping[str, str] = field(default_factory=dict)
    acl: tuple[str, str] | None = None
    options: tuple[str, ...] = ()
    columns_of: Mapping[str, str] = field(default_factory=dict)
    unordered: tuple[str, ...] = ()
    source: str | None = None


_THIS_DATABASE = "(SELECT d.oid FROM pg_database d WHERE d.datname = current_database())"
_NOT_MADE_BY_ITSELF = (  # the functions and the cast of a range type come with it, and so on
    "NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '{catalog}'::regclass AND d.objid = r.oid"
    " AND d.deptype = 'i')"
)
_EXTENSIONS_NEEDED = (  # ALTER … DEPENDS ON EXTENSION
    "(SELECT array_agg(e.extname::text ORDER BY e.extname) FROM pg_depend d JOIN pg_extension e"
    " ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid"
    " WHERE d.classid = '{catalog}'::regclass AND d.objid = r.oid AND d.deptype = 'x')"
)

# In the order in which they are read: parents first.
RULES: Mapping[str, Rule] = {
    "pg_namespace": Rule(acl=("nspacl", "'n'"), where="(r.oid >= 16384 OR r.nspname = 'public')"),
    "pg_class": Rule(
        where="r.relkind <> 't'",  # TOAST tables are physical
        scope_only="r.relkind = 'c'",  # a composite type stands in pg_type; its columns are read through this
        acl=(
            "relacl",
            "CASE WHEN r.relkind = 'S' THEN 's' WHEN r.relkind NOT IN ('i', 'I') THEN 'r' END::\"char\"",
        ),
        options=("reloptions", "toast_options"),
        derived={
            "definition": "CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid)"
            " WHEN r.relkind IN ('i', 'I') THEN pg_get_indexdef(r.oid) END",
            "partition bound": "pg_get_expr(r.relpartbound, r.oid)",
            "inherits": "(SELECT array_agg(i.inhparent::regclass::text ORDER BY i.inhseqno)"
            " FROM pg_inherits i WHERE i.inhrelid = r.oid)",
            "detach pending": "(SELECT true FROM pg_inherits i WHERE i.inhrelid = r.oid"
            " AND i.inhdetachpending LIMIT 1)",
            "toast_options": "(SELECT array(SELECT 'toast.' || o FROM unnest(t.reloptions) AS o)"
            " FROM pg_class t WHERE t.oid = r.reltoastrelid)",
            "owned by": "CASE WHEN r.relkind = 'S' THEN"
            " (SELECT d.refobjid::regclass::text || '.' || quote_ident(a.attname) FROM pg_depend d"
            " JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
            " WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.objsubid = 0"
            " AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')) END",
            "statistics targets": "CASE WHEN r.relkind IN ('i', 'I') THEN"
            " (SELECT array_agg(a.attnum || ': ' || a.attstattarget ORDER BY a.attnum) FROM pg_attribute a"
            " WHERE a.attrelid = r.oid AND a.attstattarget >= 0) END",
            "depends on extensions": _EXTENSIONS_NEEDED.format(catalog="pg_class"),
        },
    ),
    "pg_index": Rule(parents=(("indexrelid", "pg_class"),), merged=True),
    "pg_sequence": Rule(parents=(("seqrelid", "pg_class"),), merged=True),
    "pg_partitioned_table": Rule(
        parents=(("partrelid", "pg_class"),),
        merged=True,
        derived={"partition key": "pg_get_partkeydef(r.partrelid)"},
    ),
    "pg_foreign_table": Rule(parents=(("ftrelid", "pg_class"),), merged=True, options=("ftoptions",)),
    "pg_type": Rule(
        noun="CASE r.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range'"
        " WHEN 'm' THEN 'multirange' WHEN 'c' THEN 'composite type' ELSE 'type' END",
        # The row type of a table and the array type of a type come and go with it.
        where="(r.typrelid = 0 OR (SELECT c.relkind FROM pg_class c WHERE c.oid = r.typrelid) = 'c')"
        " AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = r.oid)",
        acl=("typacl", "'T'"),
        derived={
            "labels": "CASE WHEN r.typtype = 'e' THEN array(SELECT e.enumlabel::text FROM pg_enum e"
            " WHERE e.enumtypid = r.oid ORDER BY e.enumsortorder) END",
            "default": "CASE WHEN r.typdefaultbin IS NULL THEN r.typdefault"
            " ELSE pg_get_expr(r.typdefaultbin, 0) END",
            "base type": "CASE WHEN r.typbasetype <> 0 THEN format_type(r.typbasetype, r.typtypmod) END",
        },
    ),
    "pg_range": Rule(parents=(("rngtypid", "pg_type"),), merged=True),
    "pg_attribute": Rule(
        noun="'column'",
        parents=(("attrelid", "pg_class"),),
        name="attname",
        # An index's columns have names that a later renaming of the table's columns does not reach; those
        # of sequences are always the same.
        where="r.attnum > 0 AND NOT r.attisdropped AND r.attrelid <> ALL (%(without_columns)s::oid[])",
        options=("attoptions", "attfdwoptions"),
        derived={
            "type": "format_type(r.atttypid, r.atttypmod)",
            "statistics target": "nullif(r.attstattarget, -1)",
            "default": "(SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d"
            " WHERE d.adrelid = r.attrelid AND d.adnum = r.attnum)",
        },
        acl=("attacl", "'c'"),
    ),
    "pg_constraint": Rule(
        noun="'constraint'",
        parents=(("conrelid", "pg_class"), ("contypid", "pg_type")),
        name="conname",
        where="NOT (r.contype = 'f' AND r.conparentid <> 0)",  # made and named by PostgreSQL per partition
        columns_of={"confdelsetcols": "conrelid"},
        derived={
            "definition": "pg_get_constraintdef(r.oid)",
            # ALTER TABLE … DISABLE TRIGGER ALL switches foreign keys off; no dump shows it.
            "disabled triggers": "(SELECT array_agg(t.tgenabled::text ORDER BY t.tgenabled::text)"
            " FROM pg_trigger t WHERE t.tgconstraint = r.oid AND t.tgisinternal AND t.tgenabled <> 'O')",
        },
    ),
    "pg_trigger": Rule(
        noun="'trigger'",
        parents=(("tgrelid", "pg_class"),),
        name="tgname",
        where="NOT r.tgisinternal",  # a foreign key's own triggers: the constraint stands for them
        derived={
            "definition": "pg_get_triggerdef(r.oid)",
            "depends on extensions": _EXTENSIONS_NEEDED.format(catalog="pg_trigger"),
        },
    ),
    "pg_rewrite": Rule(
        noun="'rule'",
        parents=(("ev_class", "pg_class"),),
        name="rulename",
        # A view's own rule: the view's definition stands for it, unless somebody switched it off.
        where="NOT (r.rulename = '_RETURN' AND r.ev_enabled = 'O')",
        derived={"definition": "pg_get_ruledef(r.oid)"},
    ),
    "pg_policy": Rule(
        noun="'policy'",
        parents=(("polrelid", "pg_class"),),
        name="polname",
        unordered=("polroles",),
        derived={
            "using": "pg_get_expr(r.polqual, r.polrelid)",
            "with check": "pg_get_expr(r.polwithcheck, r.polrelid)",
        },
    ),
    "pg_statistic_ext": Rule(
        parents=(("stxrelid", "pg_class"),),
        noun="'statistics'",
        unordered=("stxkind",),
        derived={
            "definition": "pg_get_statisticsobjdef(r.oid)",
            "table": "r.stxrelid::regclass::text",
            "statistics target": "nullif(r.stxstattarget, -1)",
        },
    ),
    "pg_proc": Rule(
        where=_NOT_MADE_BY_ITSELF.format(catalog="pg_proc"),
        acl=("proacl", "'f'"),
        options=("proconfig",),
        derived={
            "arguments": "pg_get_function_arguments(r.oid)",
            "result": "pg_get_function_result(r.oid)",
            "sql body": "pg_get_function_sqlbody(r.oid)",
            "depends on extensions": _EXTENSIONS_NEEDED.format(catalog="pg_proc"),
        },
    ),
    "pg_aggregate": Rule(parents=(("aggfnoid", "pg_proc"),), merged=True),
    "pg_cast": Rule(where=_NOT_MADE_BY_ITSELF.format(catalog="pg_cast")),
    "pg_opfamily": Rule(),
    "pg_amop": Rule(parents=(("amopfamily", "pg_opfamily"),)),
    "pg_amproc": Rule(parents=(("amprocfamily", "pg_opfamily"),)),
    "pg_language": Rule(acl=("lanacl", "'l'")),
    "pg_ts_config": Rule(
        derived={
            "mappings": "(SELECT array_agg(m.maptokentype || ' ' || m.mapseqno || ' '"
            " || m.mapdict::regdictionary::text ORDER BY m.maptokentype, m.mapseqno)"
            " FROM pg_ts_config_map m WHERE m.mapcfg = r.oid)",
        },
    ),
    "pg_foreign_data_wrapper": Rule(acl=("fdwacl", "'F'"), options=("fdwoptions",)),
    "pg_foreign_server": Rule(acl=("srvacl", "'S'"), options=("srvoptions",)),
    "pg_user_mapping": Rule(
        parents=(("umserver", "pg_foreign_server"),),
        source="(SELECT umid AS oid, srvid AS umserver, umuser, umoptions FROM pg_user_mappings)",
        derived={
            "options digest": "encode(sha256(convert_to(array(SELECT unnest(r.umoptions)"
            " ORDER BY 1)::text, 'UTF8')), 'hex')"
        },
    ),
    "pg_publication_rel": Rule(
        parents=(("prpubid", "pg_publication"),),
        columns_of={"prattrs": "prrelid"},
        derived={"where": "pg_get_expr(r.prqual, r.prrelid)"},
    ),
    "pg_publication_namespace": Rule(parents=(("pnpubid", "pg_publication"),)),
    "pg_subscription": Rule(
        where=f"r.subdbid = {_THIS_DATABASE}",
        derived={"connection digest": "encode(sha256(convert_to(r.subconninfo, 'UTF8')), 'hex')"},
    ),
    "pg_default_acl": Rule(unordered=("defaclacl",)),
    "pg_db_role_setting": Rule(
        noun="CASE r.setrole WHEN 0 THEN 'database settings'"
        " ELSE 'database settings of ' || r.setrole::regrole::text END",
        where=f"r.setdatabase = {_THIS_DATABASE}",
        options=("setconfig",),
    ),
    "pg_database": Rule(where=f"r.oid = {_THIS_DATABASE}", acl=("datacl", "'d'"), noun="'database'"),
}
