# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verify script of a migration, drafted: what its statements make is there, by what the system catalogs say.

As the library's own verify scripts do, names are looked up on the search_path, as in the migration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pglast import ast, enums, parse_sql

from .catalog_conditions import Check, Checks, exists, regclass, relation
from .moved_checks import drop, rename, set_schema
from .names import Name, literal, name_of, parts_of, quoted, types_of
from .savepoints import those_that_hold
from .table_checks import alter_table, index, table

__all__ = ["Check", "checks_of", "verify_text"]

_Object = enums.ObjectType
_VOLATILITIES = {"volatile": "v", "stable": "s", "immutable": "i"}


def checks_of(text: str) -> list[Check]:
    """What can be asked of the catalogs after a script that parses, each with words for where it does not hold."""
    checks: Checks = {}
    temporary: set[Name] = set()
    for raw in those_that_hold(parse_sql(text)):
        relation = getattr(raw.stmt, "relation", None) or getattr(
            getattr(raw.stmt, "into", None), "rel", None
        )
        if isinstance(relation, ast.RangeVar):
            if relation.relpersistence == "t":
                temporary.add(name_of(relation))
            if name_of(relation) in temporary:
                continue
        handler = _HANDLERS.get(type(raw.stmt))
        if handler is not None:
            handler(checks, raw.stmt)
    return list(checks.values())


def _view(checks: Checks, node: ast.ViewStmt) -> None:
    relation(checks, "view", "v", name_of(node.view))


def _table_as(checks: Checks, node: ast.CreateTableAsStmt) -> None:
    view = node.objtype == _Object.OBJECT_MATVIEW
    relation(checks, "materialized view" if view else "table", "m" if view else "rp", name_of(node.into.rel))


def _sequence(checks: Checks, node: ast.CreateSeqStmt) -> None:
    relation(checks, "sequence", "S", name_of(node.sequence))


def _routine(checks: Checks, node: ast.CreateFunctionStmt) -> None:
    name = parts_of(node.funcname)
    if name[0] == "pg_temp":
        return
    args = types_of([one.argType for one in node.parameters or () if one.mode.value in "divb"])
    signature = f"{quoted(*name)}({', '.join(args)})"
    conditions = [f"oid = to_regprocedure({literal(signature)})"]
    words = []
    language = next((one.arg.sval for one in node.options or () if one.defname == "language"), "").lower()
    for option in node.options or ():
        value = getattr(option.arg, "sval", getattr(option.arg, "boolval", None))
        if option.defname == "volatility" and isinstance(value, str):
            conditions.append(f"provolatile = {literal(_VOLATILITIES[value])}")
            words.append(value.upper())
        elif option.defname == "strict":
            conditions.append("proisstrict" if value else "NOT proisstrict")
            words.append("STRICT" if value else "CALLED ON NULL INPUT")
        elif option.defname == "as" and language != "c":
            # In C it is a library and a symbol, of which the catalog may have another one.
            conditions.append(f"prosrc = {literal(option.arg[0].sval)}")
        elif option.defname == "security":
            conditions.append("prosecdef" if value else "NOT prosecdef")
            words.append("SECURITY DEFINER" if value else "SECURITY INVOKER")
    kind = "procedure" if node.is_procedure else "function"
    checks["routine", *name, *args] = (" ".join([kind, signature, *words]), exists("pg_proc", *conditions))


def _on_table(
    catalog: str, of: str, by: str, word: str, names: Callable[[Any], tuple[Name, str]]
) -> Callable[..., None]:
    def handler(checks: Checks, node: Any) -> None:
        table, name = names(node)
        checks[word, *table, name] = (
            f"{word} {quoted(name)} on {quoted(*table)}",
            exists(catalog, f"{of} = {regclass(table)}", f"{by} = {literal(name)}"),
        )

    return handler


def _type(names: Callable[[Any], Name], word: str = "type") -> Callable[..., None]:
    def handler(checks: Checks, node: Any) -> None:
        name = names(node)
        checks["type", *name] = (
            f"{word} {quoted(*name)}",
            f"to_regtype({literal(quoted(*name))}) IS NOT NULL",
        )

    return handler


def _enum_value(checks: Checks, node: ast.AlterEnumStmt) -> None:
    name = parts_of(node.typeName)
    checks["label", *name, node.newVal] = (
        f"label {node.newVal} of {quoted(*name)}",
        exists(
            "pg_enum",
            f"enumtypid = to_regtype({literal(quoted(*name))})",
            f"enumlabel = {literal(node.newVal)}",
        ),
    )


def _alone(catalog: str, by: str, word: str, name: Callable[[Any], str]) -> Callable[..., None]:
    def handler(checks: Checks, node: Any) -> None:
        called = name(node)
        if called:
            checks[word, called] = (f"{word} {quoted(called)}", exists(catalog, f"{by} = {literal(called)}"))

    return handler


_HANDLERS: Mapping[type, Callable[..., None]] = {
    ast.CreateStmt: table,
    ast.AlterTableStmt: alter_table,
    ast.IndexStmt: index,
    ast.ViewStmt: _view,
    ast.CreateTableAsStmt: _table_as,
    ast.CreateSeqStmt: _sequence,
    ast.CreateFunctionStmt: _routine,
    ast.CreateTrigStmt: _on_table(
        "pg_trigger", "tgrelid", "tgname", "trigger", lambda node: (name_of(node.relation), node.trigname)
    ),
    ast.RuleStmt: _on_table(
        "pg_rewrite", "ev_class", "rulename", "rule", lambda node: (name_of(node.relation), node.rulename)
    ),
    ast.CreatePolicyStmt: _on_table(
        "pg_policy", "polrelid", "polname", "policy", lambda node: (name_of(node.table), node.policy_name)
    ),
    ast.CreateEnumStmt: _type(lambda node: parts_of(node.typeName)),
    ast.CreateRangeStmt: _type(lambda node: parts_of(node.typeName)),
    ast.CompositeTypeStmt: _type(lambda node: name_of(node.typevar)),
    ast.CreateDomainStmt: _type(lambda node: parts_of(node.domainname), "domain"),
    ast.AlterEnumStmt: _enum_value,
    ast.CreateSchemaStmt: _alone("pg_namespace", "nspname", "schema", lambda node: node.schemaname),
    ast.CreateExtensionStmt: _alone("pg_extension", "extname", "extension", lambda node: node.extname),
    ast.CreatePublicationStmt: _alone("pg_publication", "pubname", "publication", lambda node: node.pubname),
    ast.CreateEventTrigStmt: _alone(
        "pg_event_trigger", "evtname", "event trigger", lambda node: node.trigname
    ),
    ast.DropStmt: drop,
    ast.RenameStmt: rename,
    ast.AlterObjectSchemaStmt: set_schema,
}
_BODY = """\
DO $check$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(what, E'\\n' ORDER BY what)
    INTO wrong
    FROM (VALUES
{rows}
    ) AS expected (what, holds)
    WHERE holds IS NOT TRUE;

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Migration {version} is not in place as written; missing, or other than written:\\n%', wrong;
    END IF;
END;
$check$;
"""


def verify_text(stem: str, version: str, checks: Iterable[Check]) -> str:
    """The script that fails with a list of what does not hold; one to be written where there is nothing to ask."""
    rows = [f"        ({literal(words)},\n         {condition})" for words, condition in checks]
    head = [
        f"-- Verifies {stem}: what its statements make is there, by the system catalogs. Drafted from them."
    ]
    if not rows:
        head.append(
            "-- Unfinished: the catalogs cannot say whether this migration is in place; write what can, as a query"
        )
        return "\n".join([*head, "--", "-- SELECT count(*) > 0 FROM ...;", ""])
    head += ["--", "-- Add what matters to the application: rows, and what functions return.", ""]
    body = _BODY.format(rows=",\n".join(rows), version=version.replace("'", "''").replace("%", "%%"))
    if "$check$" in "".join(rows):
        body = body.replace("DO $check$", "DO $check_of_migration$", 1)
        body = body[: body.rindex("$check$")] + "$check_of_migration$;\n"
    return "\n".join([*head, body])
