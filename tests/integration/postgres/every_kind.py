# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A database with every kind of relation that could be taken for a table of the application, or be overlooked."""

from __future__ import annotations

from typing import Any

VERSIONS = '"Odd Versions".schema_migrations'

# The schema pg_like can be made with allow_system_table_mods only; pg_dump leaves it out by its name.
STATEMENTS = """
    CREATE SCHEMA "Odd Versions"; SET search_path = public, "Odd Versions";
    CREATE TABLE "Odd Versions".schema_migrations (id serial PRIMARY KEY, version text);
    CREATE SCHEMA pgx; CREATE TABLE pgx.plain (id serial PRIMARY KEY);
    CREATE SCHEMA "information_schema x"; CREATE TABLE "information_schema x"."tables" (id int);
    CREATE TABLE public.information_schema (id int);
    CREATE TABLE public."Mixed "" % x" (id int);
    CREATE UNLOGGED TABLE public.unlogged (id int);
    CREATE TABLE public.base (id int); CREATE TABLE public.heir () INHERITS (public.base);
    CREATE TABLE public.root (a int, b int) PARTITION BY LIST (a);
    CREATE TABLE public.branch PARTITION OF public.root FOR VALUES IN (1) PARTITION BY LIST (b);
    CREATE TABLE public.leaf PARTITION OF public.branch FOR VALUES IN (1);
    CREATE MATERIALIZED VIEW public.filled AS SELECT 1 AS one;
    CREATE VIEW public.shown AS SELECT 1 AS one;
    CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
    CREATE FOREIGN TABLE public.elsewhere (line text) SERVER files OPTIONS (filename '/dev/null');
    CREATE EXTENSION hstore; CREATE TABLE public.member (id serial); CREATE TABLE public.saved (id serial, mine bool);
    ALTER EXTENSION hstore ADD TABLE public.member; ALTER EXTENSION hstore ADD SEQUENCE public.member_id_seq;
    ALTER EXTENSION hstore ADD TABLE public.saved; ALTER EXTENSION hstore ADD SEQUENCE public.saved_id_seq;
    UPDATE pg_extension SET extconfig = ARRAY['public.saved'::regclass, 'public.saved_id_seq'::regclass]::oid[],
        extcondition = ARRAY['WHERE mine', ''] WHERE extname = 'hstore';
    CREATE SCHEMA runbook; CREATE TABLE runbook.receipts (id serial);
    CREATE SCHEMA runbook_salvage; CREATE TABLE runbook_salvage.kept (id serial);
    SET allow_system_table_mods = on; CREATE SCHEMA pg_like; CREATE TABLE pg_like.own (id serial);
    SET allow_system_table_mods = off;
"""

LEAVES = {
    ("information_schema x", "tables"),
    ("public", "information_schema"),
    ("public", 'Mixed " % x'),
    ("public", "unlogged"),
    ("public", "base"),
    ("public", "heir"),
    ("public", "leaf"),
    ("pgx", "plain"),
}
VIEW = {("public", "filled")}
PARENTS = {("public", "root"), ("public", "branch")}
VERSION_TABLE = {("Odd Versions", "schema_migrations")}
CONFIGURATION = {("public", "saved")}
MEMBERS = {("public", "member"), *CONFIGURATION}
RUNBOOK = {("runbook", "receipts"), ("runbook_salvage", "kept")}


def make_every_kind(cursor: Any) -> None:
    """Make them all; the version table is found by the search path that is set now."""
    cursor.execute(STATEMENTS)


def labels(names: set[tuple[str, str]]) -> set[str]:
    """``schema.table``, not quoted."""
    return {".".join(name) for name in names}
