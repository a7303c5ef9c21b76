# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which tables, materialized views and sequences are the application's: the one answer, as SQL.

Not the application's are PostgreSQL's own schemas (``pg_catalog``, ``information_schema``, and all that begin with
``pg_``, which CREATE SCHEMA refuses to everybody else), the schemas of the runbook, and what belongs to an extension,
which CREATE EXTENSION brings back. Temporary tables, also those of other sessions, are in schemas ``pg_temp_N``;
foreign tables, whose rows are elsewhere, and views are of other kinds. An unlogged table is a table.
"""

from __future__ import annotations

__all__ = [
    "APPLICATION",
    "APPLICATION_AND_RUNBOOK",
    "INCLUDED",
    "LEDGER",
    "LEDGER_SCHEMA",
    "LEFT_OUT",
    "NAME",
    "RELATIONS",
    "RUNBOOK_SCHEMAS",
    "SALVAGE_SCHEMA",
    "SAVED",
    "SAVED_ROWS",
    "SEQUENCES",
    "STORED",
    "TABLES",
    "among",
    "in_schemas",
    "is_application_schema",
    "of_application",
]

LEDGER_SCHEMA = "runbook"
SALVAGE_SCHEMA = "runbook_salvage"
RUNBOOK_SCHEMAS = (LEDGER_SCHEMA, SALVAGE_SCHEMA)

# Whose schemas: the application's; those and the runbook's, where all that people own counts; the ledger's alone.
APPLICATION = "application"
APPLICATION_AND_RUNBOOK = "application and runbook"
LEDGER = "ledger"

# Kinds of relations (manual, "pg_class", relkind).
TABLES = "rp"  # partitioned ones too, which have no rows of their own
STORED = "rm"  # what has a file of its own: leaf tables and materialized views
SEQUENCES = "S"

# What belongs to an extension: not the application's; its configuration tables alone, whose rows pg_dump saves
# (manual, "Extension Configuration Tables"); as if it were the application's.
LEFT_OUT = "left out"
SAVED = "saved"
INCLUDED = "included"

#: FROM clause for the conditions below: relations ``c`` with their schemas ``n``.
RELATIONS = "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"

#: Name of such a relation, as everything that compares names writes it: one that needs quotes has them.
NAME = "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)"

_EXTENSION = """pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
          AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'"""

_MEMBERS = {
    LEFT_OUT: f" AND NOT EXISTS (SELECT FROM {_EXTENSION})",
    SAVED: f" AND NOT EXISTS (SELECT FROM {_EXTENSION} AND coalesce(c.oid <> ALL (x.extconfig), true))",
    INCLUDED: "",
}

#: SQL expression: the WHERE clause with which pg_dump saves the rows of an extension's configuration table, or ''.
SAVED_ROWS = f"""coalesce((SELECT x.extcondition[pg_catalog.array_position(x.extconfig, c.oid)]
        FROM {_EXTENSION}), '')"""


def in_schemas(whose: str = APPLICATION, name: str = "n.nspname") -> str:
    """SQL condition: a schema is the application's. It has no parameters and no percent sign.

    Args:
        whose: APPLICATION, APPLICATION_AND_RUNBOOK or LEDGER.
        name: SQL expression of the schema's name.
    """
    if whose == LEDGER:
        return f"{name} = '{LEDGER_SCHEMA}'"
    others = ("information_schema", *(RUNBOOK_SCHEMAS if whose == APPLICATION else ()))
    listed = ", ".join(f"'{other}'" for other in others)
    return f"(NOT pg_catalog.starts_with({name}::text, 'pg_') AND {name} NOT IN ({listed}))"


def is_application_schema(name: str) -> bool:
    """Whether a schema of that name is the application's; what ``in_schemas`` asks, of a name that is known here."""
    return not name.startswith("pg_") and name not in ("information_schema", *RUNBOOK_SCHEMAS)


def among(tables: str, oid: str = "c.oid") -> str:
    """SQL condition: an OID is that of one of the tables whose quoted names an array has."""
    return (
        f"EXISTS (SELECT FROM pg_catalog.unnest({tables}::pg_catalog.text[]) AS listed (name)"
        f" WHERE pg_catalog.to_regclass(listed.name) = {oid})"
    )


def of_application(
    kinds: str,
    whose: str = APPLICATION,
    members: str = LEFT_OUT,
    partitions: bool = True,
    version_tables: str | None = None,
) -> str:
    """SQL condition on ``c`` and ``n`` of RELATIONS: a relation is the application's.

    Args:
        kinds: TABLES, STORED, SEQUENCES, or other letters of relkind.
        whose: as for in_schemas().
        members: LEFT_OUT, SAVED or INCLUDED: what belongs to an extension.
        partitions: whether partitions count, each by itself; else their topmost table stands for all of them.
        version_tables: SQL expression (a placeholder, say) of the quoted names of the record of versions, an array,
            which are left out: their rows come and go with every migration. None: they count.
    """
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return (
        f"(c.relkind IN ({listed}) AND {in_schemas(whose)}"
        + ("" if partitions else " AND NOT c.relispartition")
        + (f" AND NOT {among(version_tables)}" if version_tables else "")
        + _MEMBERS[members]
        + ")"
    )
