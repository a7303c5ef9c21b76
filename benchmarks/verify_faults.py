# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes of single objects that a migration has made, written from what the system catalogs say of each.

They share nothing with the verify scripts that have to notice them, and nothing with the runbook's own fingerprint.
Owners and privileges are left alone: they are the database's, and not a migration's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Made", "changes_of", "objects"]

# Kind -> (identity, facts ...) of the application's objects, by names as PostgreSQL writes them.
APPLICATIONS = """
    NOT EXISTS (SELECT FROM pg_depend WHERE classid = {0} AND objid = {1} AND deptype = 'e')
    AND {2} NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND {2} NOT LIKE 'pg_temp%%'
"""
RELATIONS = APPLICATIONS.format("'pg_class'::regclass", "c.oid", "nspname::text")
FROM_RELATIONS = "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"

QUERIES = {
    "table": f"""SELECT c.oid::regclass::text, EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid)
        {FROM_RELATIONS} WHERE relkind = 'r' AND {RELATIONS}""",
    "view": f"""SELECT c.oid::regclass::text, pg_get_viewdef(c.oid) {FROM_RELATIONS}
        WHERE relkind = 'v' AND {RELATIONS}""",
    "sequence": f"""SELECT c.oid::regclass::text, format_type(seqtypid, NULL)
        {FROM_RELATIONS} JOIN pg_sequence ON seqrelid = c.oid WHERE {RELATIONS}""",
    "column": f"""SELECT c.oid::regclass || ' ' || quote_ident(attname), c.oid::regclass::text, quote_ident(attname),
            format_type(atttypid, atttypmod), attnotnull, atthasdef
        {FROM_RELATIONS} JOIN pg_attribute ON attrelid = c.oid
        WHERE relkind = 'r' AND attnum > 0 AND NOT attisdropped AND {RELATIONS}""",
    "constraint": f"""SELECT c.oid::regclass || ' ' || quote_ident(conname), c.oid::regclass::text,
            quote_ident(conname), contype::text, pg_get_constraintdef(o.oid)
        {FROM_RELATIONS} JOIN pg_constraint o ON conrelid = c.oid
        WHERE relkind = 'r' AND contype IN ('p', 'u', 'f', 'c') AND {RELATIONS}""",
    "index": f"""SELECT c.oid::regclass::text, indrelid::regclass::text, pg_get_indexdef(c.oid),
            EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u'))
        {FROM_RELATIONS} JOIN pg_index ON indexrelid = c.oid WHERE {RELATIONS}""",
    "trigger": f"""SELECT c.oid::regclass || ' ' || quote_ident(tgname), c.oid::regclass::text, quote_ident(tgname)
        {FROM_RELATIONS} JOIN pg_trigger ON tgrelid = c.oid WHERE NOT tgisinternal AND {RELATIONS}""",
    "function": f"""SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), provolatile::text, proisstrict
        FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
        WHERE prokind = 'f' AND {APPLICATIONS.format("'pg_proc'::regclass", "p.oid", "nspname::text")}""",
    "enum": f"""SELECT t.oid::regtype::text, min(enumlabel)
        FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace JOIN pg_enum ON enumtypid = t.oid
        WHERE {APPLICATIONS.format("'pg_type'::regclass", "t.oid", "nspname::text")} GROUP BY 1""",
    "schema": f"""SELECT quote_ident(nspname) FROM pg_namespace n
        WHERE nspname <> 'public' AND {APPLICATIONS.format("'pg_namespace'::regclass", "n.oid", "nspname::text")}""",
}

# Of a type that a column may have: another one that holds its values, and a default that it has nowhere.
OTHER_TYPES = {
    "text": "varchar",
    "integer": "bigint",
    "smallint": "integer",
    "bigint": "numeric",
    "jsonb": "json",
}
OTHER_DEFAULTS = {
    "text": "'planted'",
    "integer": "77",
    "smallint": "77",
    "bigint": "77",
    "boolean": "NULL::boolean IS NULL",
}


@dataclass(frozen=True)
class Made:
    """One object: its kind, and what the query of that kind says of it, its identity first."""

    kind: str
    facts: tuple[Any, ...]


def objects(cursor: Any) -> list[Made]:
    """All objects of the application in this database."""
    found = []
    for kind, query in QUERIES.items():
        cursor.execute(f"{query} ORDER BY 1")
        found += [Made(kind, facts) for facts in cursor.fetchall()]
    return found


def changes_of(made: Made) -> Iterator[str]:
    """Statements, each of which makes the object another one; some may not be possible where it is."""
    return CHANGES[made.kind](*made.facts)


def _table(name: str, has_triggers: bool) -> Iterator[str]:
    yield f"COMMENT ON TABLE {name} IS 'planted'"
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {name} SET (fillfactor = 51)"
    yield f"ALTER TABLE {name} SET UNLOGGED"
    yield f"ALTER TABLE {name} REPLICA IDENTITY FULL"
    if has_triggers:  # those of foreign keys too
        yield f"ALTER TABLE {name} DISABLE TRIGGER ALL"
    yield f"ALTER TABLE {name} RENAME TO planted"
    yield f"DROP TABLE {name} CASCADE"


def _view(name: str, body: str) -> Iterator[str]:
    inner = body.rstrip().rstrip(";")
    yield f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM ({inner}) AS planted WHERE false"
    yield f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM ({inner}) AS planted LIMIT 10"
    yield f"ALTER VIEW {name} SET (security_barrier = true)"
    yield f"ALTER VIEW {name} SET (security_invoker = true)"
    yield f"COMMENT ON VIEW {name} IS 'planted'"
    yield f"ALTER VIEW {name} RENAME TO planted"
    yield f"DROP VIEW {name} CASCADE"


def _sequence(name: str, type_name: str) -> Iterator[str]:
    other = "integer" if type_name == "bigint" else "bigint"
    for change in (
        "INCREMENT 2",
        "START 3",
        "CACHE 5",
        "CYCLE",
        "MAXVALUE 9999999",
        "MINVALUE -5",
        f"AS {other}",
    ):
        yield f"ALTER SEQUENCE {name} {change}"
    yield f"ALTER SEQUENCE {name} OWNED BY NONE"
    yield f"COMMENT ON SEQUENCE {name} IS 'planted'"
    yield f"ALTER SEQUENCE {name} RENAME TO planted"
    yield f"DROP SEQUENCE {name} CASCADE"


def _column(
    identity: str, table: str, name: str, type_name: str, not_null: bool, has_default: bool
) -> Iterator[str]:
    column = f"ALTER TABLE {table} ALTER {name}"
    yield f"COMMENT ON COLUMN {table}.{name} IS 'planted'"
    yield f"{column} {'DROP' if not_null else 'SET'} NOT NULL"
    yield f"{column} SET STATISTICS 7"
    if has_default:
        yield f"{column} DROP DEFAULT"
    if type_name in OTHER_DEFAULTS:
        yield f"{column} SET DEFAULT {OTHER_DEFAULTS[type_name]}"
    if type_name in OTHER_TYPES:
        yield f"{column} TYPE {OTHER_TYPES[type_name]} USING {name}::text::{OTHER_TYPES[type_name]}"
    if type_name == "text":
        yield f'{column} TYPE text COLLATE "C"'
    if type_name in ("text", "jsonb", "bytea"):
        yield f"{column} SET STORAGE EXTERNAL"
    yield f"ALTER TABLE {table} RENAME {name} TO planted"
    yield f"ALTER TABLE {table} DROP {name} CASCADE"


def _constraint(identity: str, table: str, name: str, kind: str, definition: str) -> Iterator[str]:
    drop, again = f"ALTER TABLE {table} DROP CONSTRAINT {name}", f"ADD CONSTRAINT {name}"
    yield f"COMMENT ON CONSTRAINT {name} ON {table} IS 'planted'"
    yield f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO planted"
    yield f"{drop} CASCADE"
    if kind == "f":
        yield f"ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED"
        yield f"{drop}, {again} {definition.partition(' ON DELETE')[0]} ON DELETE SET DEFAULT"
    if kind == "c":
        yield f"{drop}, {again} CHECK (true)"
        yield f"{drop}, {again} {definition} NO INHERIT"
    if kind in "fc":
        yield f"{drop}, {again} {definition} NOT VALID"
    if kind in "pu":
        yield f"{drop} CASCADE; ALTER TABLE {table} {again} {definition} DEFERRABLE"


def _index(name: str, table: str, definition: str, of_key: bool) -> Iterator[str]:
    yield f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass"
    yield f"COMMENT ON INDEX {name} IS 'planted'"
    yield f"ALTER INDEX {name} SET (fillfactor = 51)"
    yield f"ALTER TABLE {table} CLUSTER ON {name.rpartition('.')[2]}"
    if not of_key:
        head, where, _ = definition.partition(" WHERE ")
        yield f"DROP INDEX {name}; {head} WHERE {'true' if where else 'false'}"
        yield f"ALTER INDEX {name} RENAME TO planted"
        yield f"DROP INDEX {name}"


def _trigger(identity: str, table: str, name: str) -> Iterator[str]:
    for state in ("DISABLE", "ENABLE ALWAYS", "ENABLE REPLICA"):
        yield f"ALTER TABLE {table} {state} TRIGGER {name}"
    yield f"COMMENT ON TRIGGER {name} ON {table} IS 'planted'"
    yield f"ALTER TRIGGER {name} ON {table} RENAME TO planted"
    yield f"DROP TRIGGER {name} ON {table}"


def _function(signature: str, definition: str, volatility: str, strict: bool) -> Iterator[str]:
    head, begin, rest = (
        definition.partition("BEGIN") if "BEGIN" in definition else definition.partition("SELECT")
    )
    yield f"{head}{begin} {'PERFORM 1;' if begin == 'BEGIN' else ''}/* planted */ {rest}"
    if begin == "BEGIN":
        yield f"{head}BEGIN RAISE 'planted'; {rest}"
    function = f"ALTER FUNCTION {signature}"
    yield f"{function} {'CALLED ON NULL INPUT' if strict else 'STRICT'}"
    for one in {"IMMUTABLE", "STABLE", "VOLATILE"} - {
        {"i": "IMMUTABLE", "s": "STABLE", "v": "VOLATILE"}[volatility]
    }:
        yield f"{function} {one}"
    for one in ("SECURITY DEFINER", "PARALLEL RESTRICTED", "COST 7", "LEAKPROOF", "SET search_path = public"):
        yield f"{function} {one}"
    yield f"COMMENT ON FUNCTION {signature} IS 'planted'"
    yield f"{function} RENAME TO planted"
    yield f"DROP FUNCTION {signature} CASCADE"


def _enum(name: str, label: str) -> Iterator[str]:
    quoted = "'" + label.replace("'", "''") + "'"
    yield f"ALTER TYPE {name} ADD VALUE 'planted'"
    yield f"ALTER TYPE {name} ADD VALUE 'planted' BEFORE {quoted}"
    yield f"ALTER TYPE {name} RENAME VALUE {quoted} TO 'planted'"
    yield f"COMMENT ON TYPE {name} IS 'planted'"
    yield f"ALTER TYPE {name} RENAME TO planted"


def _schema(name: str) -> Iterator[str]:
    yield f"COMMENT ON SCHEMA {name} IS 'planted'"
    yield f"ALTER SCHEMA {name} RENAME TO planted"


CHANGES: dict[str, Callable[..., Iterator[str]]] = {
    "table": _table,
    "view": _view,
    "sequence": _sequence,
    "column": _column,
    "constraint": _constraint,
    "index": _index,
    "trigger": _trigger,
    "function": _function,
    "enum": _enum,
    "schema": _schema,
}
