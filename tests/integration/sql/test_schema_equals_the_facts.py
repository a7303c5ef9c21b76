# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""After each migration the public schema is what the facts of the application say: nothing more and nothing less.

The facts (tests/data/midi_schema) were read from the application's own database. The migration of file names adds
nothing to schema public; its schema normalized_filenames is looked at in the tests of that migration.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.execution.script import apply_migration
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from tests.integration.sql.midi_library import PROJECT, STEMS, Undone

COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid), pg_get_serial_sequence(c.relname, a.attname)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum
"""
CONSTRAINTS = """
    SELECT c.conrelid::regclass::text, c.conname, c.contype::text,
           ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k (num, place)
                 JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num ORDER BY k.place),
           pg_get_constraintdef(c.oid), c.confrelid::regclass::text,
           ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k (num, place)
                 JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num ORDER BY k.place),
           c.confdeltype::text, c.confupdtype::text, c.condeferrable, c.convalidated
    FROM pg_constraint c
    WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('p', 'u', 'f', 'c') AND c.conrelid <> 0
"""
INDEXES = """
    SELECT i.indrelid::regclass::text, c.relname, m.amname, i.indisunique,
           ARRAY(SELECT jsonb_build_object(
                     'column', a.attname, 'opclass', o.opcname, 'opclass_is_default', o.opcdefault,
                     'descending', i.indoption[k.place - 1] & 1, 'nulls_first', (i.indoption[k.place - 1] & 2) / 2)
                 FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k (num, place)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
                 JOIN pg_opclass o ON o.oid = i.indclass[k.place - 1] ORDER BY k.place),
           pg_get_expr(i.indpred, i.indrelid), c.reloptions,
           (SELECT conname FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u')),
           i.indisvalid AND i.indisready
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
    WHERE c.relnamespace = 'public'::regnamespace
"""
FUNCTIONS = """
    SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', pg_get_function_arguments(p.oid),
           pg_get_function_result(p.oid), l.lanname, p.provolatile::text, p.proisstrict, p.prosecdef,
           p.proparallel::text
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
"""
TRIGGERS = """
    SELECT tgname, tgrelid::regclass::text, tgtype, tgfoid::regprocedure::text, tgqual IS NULL, tgenabled::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
"""
VIEWS = """
    SELECT c.relname, jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
                                ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm') GROUP BY 1
"""
ENUMS = """
    SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
    FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY 1
"""
SEQUENCES = """
    SELECT c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement,
           d.refobjid::regclass || '.' || (SELECT attname FROM pg_attribute
                                           WHERE attrelid = d.refobjid AND attnum = d.refobjsubid)
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
    LEFT JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'a' AND d.classid = 'pg_class'::regclass
"""
COMMENTS = """
    SELECT CASE WHEN d.objsubid > 0 THEN 'column ' || c.relname || '.' || a.attname
                WHEN c.relkind = 'v' THEN 'view ' || c.relname ELSE 'table ' || c.relname END
    FROM pg_description d JOIN pg_class c ON d.classoid = 'pg_class'::regclass AND c.oid = d.objoid
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'function ' || p.proname FROM pg_description d JOIN pg_proc p
        ON d.classoid = 'pg_proc'::regclass AND p.oid = d.objoid
    WHERE p.pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
"""
ACTIONS = {"a": "NO ACTION", "c": "CASCADE", "n": "SET NULL", " ": None}
KINDS = {"p": "PRIMARY KEY", "u": "UNIQUE", "f": "FOREIGN KEY", "c": "CHECK"}


def facts(stems: tuple[str, ...]) -> dict[str, dict]:
    """The facts of several migrations added up, in the shape that found() gives."""
    total: dict[str, dict] = {
        key: {}
        for key in (
            "columns",
            "constraints",
            "indexes",
            "functions",
            "triggers",
            "views",
            "enums",
            "sequences",
            "comments",
        )
    }
    for stem in stems:
        one = json.loads(
            (PROJECT / "tests" / "data" / "midi_schema" / f"{stem}.json").read_text(encoding="utf-8")
        )
        for table, described in one.get("tables", {}).items():
            total["columns"][table] = [_column(column) for column in described["columns"]]
            total["constraints"] |= {(table, c["name"]): _constraint(c) for c in described["constraints"]}
            total["indexes"] |= {(table, i["name"]): _index(i) for i in described["indexes"]}
        for table, columns in one.get("columns_added_to_existing_tables", {}).items():
            total["columns"][table] = total["columns"][table] + [_column(column) for column in columns]
        for c in one.get("constraints_added_to_existing_tables", []):
            total["constraints"][c["table"], c["name"]] = _constraint(c)
        for i in one.get("indexes_added_to_existing_tables", []):
            total["indexes"][i["table"], i["name"]] = _index(i)
        for signature, f in one.get("functions", {}).items():
            keys = (
                "arguments",
                "returns",
                "language",
                "volatility",
                "strict",
                "security_definer",
                "parallel",
            )
            total["functions"][signature] = tuple(f[key] for key in keys)
        for t in one.get("triggers", []):
            assert t["when"] is None
            total["triggers"][t["name"]] = (
                t["table"],
                t["timing"],
                frozenset(t["events"]),
                t["for_each"],
                t["function"],
            )
        total["views"] |= {name: view["columns"] for name, view in one.get("views", {}).items()}
        total["enums"] |= one.get("enum_types", {})
        total["sequences"] |= {
            name: (s["data_type"], s["start"], s["increment"], s["owned_by"])
            for name, s in one.get("sequences", {}).items()
        }
        total["comments"] |= dict.fromkeys(comment["object"] for comment in one.get("comments_set_on", []))
    return total


def _column(column: dict) -> tuple:
    return column["name"], column["type"], column["nullable"], column["default"], column.get("sequence")


def _constraint(c: dict) -> tuple:
    if c["type"] == "CHECK":
        # pg_constraint lists the columns of a check by their place in the table, the facts by their first use.
        return "CHECK", frozenset(c["columns"]), c["definition"]
    if c["type"] != "FOREIGN KEY":
        return c["type"], tuple(c["columns"])
    reference = (c["references"]["table"], tuple(c["references"]["columns"]))
    return c["type"], tuple(c["columns"]), reference, c["on_delete"], c["on_update"], c["deferrable"]


def _index(i: dict) -> tuple:
    orders = {"ASC NULLS LAST": (0, 0), "DESC NULLS FIRST": (1, 1), None: (0, 0)}
    columns = tuple(
        (c["column"], c["opclass"], c["opclass_is_default"], *orders[c.get("order")]) for c in i["columns"]
    )
    return i["method"], i["unique"], columns, i["predicate"], i["with"], i.get("backs_constraint")


def found(transaction: Undone) -> dict[str, dict]:
    """What schema public holds, in the shape that facts() gives."""
    rows = transaction.query
    columns: dict[str, list] = {}
    for table, *column in rows(COLUMNS):
        columns.setdefault(table, []).append(tuple(column))
    constraints = {}
    for table, name, kind, mine, text, other, theirs, deleted, updated, deferrable, valid in rows(
        CONSTRAINTS
    ):
        assert valid, f"{name} is not validated"
        constraints[table, name] = {
            "c": ("CHECK", frozenset(mine), text),
            "f": (
                "FOREIGN KEY",
                tuple(mine),
                (other, tuple(theirs)),
                ACTIONS[deleted],
                ACTIONS[updated],
                deferrable,
            ),
        }.get(kind, (KINDS[kind], tuple(mine)))
    indexes = {}
    for table, name, method, unique, keys, predicate, options, constraint, valid in rows(INDEXES):
        assert valid, f"{name} is not valid"
        described = tuple(
            (k["column"], k["opclass"], k["opclass_is_default"], k["descending"], k["nulls_first"])
            for k in keys
        )
        indexes[table, name] = (method, unique, described, predicate, options, constraint)
    functions = {}
    for signature, arguments, result, language, volatility, strict, definer, parallel in rows(FUNCTIONS):
        words = {"v": "VOLATILE", "s": "STABLE", "i": "IMMUTABLE"}[volatility], {"u": "UNSAFE"}[parallel]
        functions[signature] = (arguments, result, language, words[0], strict, definer, words[1])
    triggers = {}
    for name, table, bits, function, unconditional, enabled in rows(TRIGGERS):
        assert (unconditional, enabled) == (True, "O"), name
        events = frozenset(
            word
            for bit, word in ((4, "INSERT"), (8, "DELETE"), (16, "UPDATE"), (32, "TRUNCATE"))
            if bits & bit
        )
        timing = "BEFORE" if bits & 2 else "AFTER"
        triggers[name] = (table, timing, events, "ROW" if bits & 1 else "STATEMENT", function)
    return {
        "columns": columns,
        "constraints": constraints,
        "indexes": indexes,
        "functions": functions,
        "triggers": triggers,
        "views": dict(rows(VIEWS)),
        "enums": dict(rows(ENUMS)),
        "sequences": {name: tuple(rest) for name, *rest in rows(SEQUENCES)},
        "comments": dict.fromkeys(name for (name,) in rows(COMMENTS)),
    }


@pytest.mark.parametrize("count", range(1, len(STEMS) + 1), ids=STEMS)
def test_each_stage_equals_the_facts(databases: Any, count: Any) -> None:
    expected = facts(STEMS[:count])
    with databases.undone(databases.stage(count)) as transaction:
        actual = found(transaction)

    for kind in expected:
        assert actual[kind] == expected[kind], kind


def test_totals_are_those_of_the_facts(databases: Any) -> None:
    """The sums stated beside the facts guard against facts that the comparison above would not read."""
    last = json.loads(
        (PROJECT / "tests" / "data" / "midi_schema" / f"{STEMS[-1]}.json").read_text(encoding="utf-8")
    )
    with databases.undone(databases.stage(len(STEMS))) as transaction:
        actual = found(transaction)

    totals = last["cumulative_totals_after"]
    assert len(actual["columns"]) == totals["tables"]
    assert sum(map(len, actual["columns"].values())) == totals["columns"]
    assert len(actual["constraints"]) == totals["constraints(p,u,f,c)"]
    for kind in ("indexes", "functions", "triggers", "views", "enums", "sequences"):
        assert len(actual[kind]) == totals[kind], kind


def test_the_runbooks_own_way_of_running_the_scripts_gives_the_same(databases: Any) -> None:
    """Statement by statement, without the scripts' BEGIN and COMMIT, and recording the versions."""
    migrations = read_sql_library(PROJECT / "sql").payload(STEMS)
    with databases.undone(databases.stage(0)) as transaction:
        for migration in migrations:
            apply_migration(transaction.cursor, migration)
        assert found(transaction) == facts(STEMS)
        recorded = transaction.query("SELECT version FROM schema_migrations ORDER BY id")
    assert [version for (version,) in recorded] == [migration["version"] for migration in migrations]


@pytest.mark.parametrize(
    "fault",
    [
        "ALTER TABLE files ALTER filename_bpm TYPE double precision",
        "ALTER TABLE files ADD COLUMN extra text",
        "ALTER TABLE files ALTER metadata_source DROP DEFAULT",
        "ALTER TABLE tags DROP CONSTRAINT tags_parent_tag_id_fkey",
        "DROP INDEX idx_files_copyright_trgm; CREATE INDEX idx_files_copyright_trgm ON files (copyright)",
        "ALTER TABLE files DISABLE TRIGGER files_updated_at_trigger",
        "ALTER TYPE musical_key ADD VALUE 'H'",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION get_text_metadata_stats() VOLATILE",
        "COMMENT ON TABLE schema_migrations IS 'more'",
    ],
)
def test_the_comparison_sees_a_fault(databases: Any, fault: str) -> None:
    with databases.undone(databases.stage(len(STEMS))) as transaction:
        transaction.execute(fault)
        try:
            seen = found(transaction) != facts(STEMS)
        except AssertionError:
            seen = True
    assert seen
