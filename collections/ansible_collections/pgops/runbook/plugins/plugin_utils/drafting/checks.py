# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verify script of a migration, drafted: what its statements make is there, by what the system catalogs say.

As the library's own verify scripts do, names are looked up on the search_path, as in the migration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pglast import ast, enums, parse_sql

from .names import Name, literal, name_of, parts_of, quoted, types_of

__all__ = ["Check", "checks_of", "verify_text"]

_At = enums.AlterTableType
_Type = enums.ConstrType
_Object = enums.ObjectType

#: What is said where it does not hold, and the condition.
Check = tuple[str, str]

#: Kind and name of an object -> its check; in the order in which they are made.
Checks = dict[tuple[str, ...], Check]

#: As format_type() writes types, of those that have a length.
_WITH_LENGTH = {
    "varchar": "character varying",
    "bpchar": "character",
    "numeric": "numeric",
    "varbit": "bit varying",
    "bit": "bit",
}
_CONTYPES = {
    _Type.CONSTR_CHECK: "c",
    _Type.CONSTR_FOREIGN: "f",
    _Type.CONSTR_PRIMARY: "p",
    _Type.CONSTR_UNIQUE: "u",
    _Type.CONSTR_EXCLUSION: "x",
}
_VOLATILITIES = {"volatile": "v", "stable": "s", "immutable": "i"}


def checks_of(text: str) -> list[Check]:
    """What can be asked of the catalogs after a script that parses, each with words for where it does not hold."""
    found: Checks = {}
    temporary: set[Name] = set()
    for raw in parse_sql(text):
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
            handler(found, raw.stmt)
    return list(found.values())


def _regclass(name: Name) -> str:
    return f"to_regclass({literal(quoted(*name))})"


def _exists(catalog: str, *conditions: str) -> str:
    return f"EXISTS (SELECT FROM {catalog} WHERE {' AND '.join(conditions)})"


def _relation(found: Checks, word: str, kinds: str, name: Name) -> None:
    listed = ", ".join(literal(kind) for kind in kinds)
    found.pop(("gone", *name), None)
    found["relation", *name] = (
        f"{word} {quoted(*name)}",
        _exists("pg_class", f"oid = {_regclass(name)}", f"relkind IN ({listed})"),
    )


def _table(found: Checks, node: ast.CreateStmt) -> None:
    name = name_of(node.relation)
    _relation(found, "table", "rp", name)
    # With IF NOT EXISTS it may be another one.
    for element in () if node.if_not_exists else node.tableElts or ():
        if isinstance(element, ast.ColumnDef):
            _column(found, name, element)
        elif isinstance(element, ast.Constraint):
            _constraint(found, name, element)


def _column(found: Checks, table: Name, column: ast.ColumnDef) -> None:
    """Type, NOT NULL and whether there is a default; of serial types what they stand for."""
    if column.typeName is None:
        return
    found.pop(("no column", *table, column.colname), None)
    constraints = {one.contype for one in column.constraints or ()}
    kind = column.typeName.names[-1].sval
    serial = _SERIALS.get(kind if len(column.typeName.names) == 1 else "")
    conditions = [
        f"attrelid = {_regclass(table)}",
        f"attname = {literal(column.colname)}",
        "NOT attisdropped",
        f"atttypid = {literal(serial)}::regtype" if serial else _of_type(column.typeName),
    ]
    words = f"column {quoted(*table, column.colname)} {serial or types_of([column.typeName])[0]}"
    if serial or constraints & {_Type.CONSTR_NOTNULL, _Type.CONSTR_PRIMARY}:
        conditions.append("attnotnull")
        words += " NOT NULL"
    if serial or _Type.CONSTR_DEFAULT in constraints:
        conditions.append("atthasdef")
        words += " with a default"
    if _Type.CONSTR_GENERATED in constraints:
        conditions.append("attgenerated <> ''")
        words += ", generated"
    if _Type.CONSTR_IDENTITY in constraints:
        conditions.append("attidentity <> ''")
        words += ", an identity"
    found["column", *table, column.colname] = (words, _exists("pg_attribute", *conditions))
    for one in column.constraints or ():
        _constraint(found, table, one, _Type.CONSTR_ATTR_NOT_ENFORCED not in constraints)


_SERIALS = {
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
    "smallserial": "smallint",
    "serial2": "smallint",
}


def _of_type(kind: ast.TypeName) -> str:
    name = kind.names[-1].sval
    limits = [item.val.ival for item in kind.typmods or () if hasattr(getattr(item, "val", None), "ival")]
    if limits and name in _WITH_LENGTH and not kind.arrayBounds:
        written = [*limits, 0] if name == "numeric" and len(limits) == 1 else limits
        text = f"{_WITH_LENGTH[name]}({','.join(map(str, written))})"
        return f"format_type(atttypid, atttypmod) = {literal(text)}"
    return f"atttypid = to_regtype({literal(_without_length(kind))})"


def _without_length(kind: ast.TypeName) -> str:
    name = quoted(*parts_of(kind.names))
    return name + "[]" * bool(kind.arrayBounds)


def _constraint(found: Checks, table: Name, one: ast.Constraint, enforced: bool = True) -> None:
    """A constraint, by kind and state; of one without a name the name is PostgreSQL's own affair."""
    if one.contype not in _CONTYPES or (not one.conname and one.contype not in _TOLD_BY_KIND):
        return
    conditions = [f"conrelid = {_regclass(table)}", f"contype = {literal(_CONTYPES[one.contype])}"]
    words = f"{_TOLD_BY_KIND.get(one.contype, 'constraint')} of {quoted(*table)}"
    if one.conname:
        conditions.append(f"conname = {literal(one.conname)}")
        words = f"constraint {quoted(one.conname)} of {quoted(*table)}"
    enforced = (enforced and one.is_enforced) or one.contype not in (_Type.CONSTR_CHECK, _Type.CONSTR_FOREIGN)
    if not one.skip_validation and enforced:
        conditions.append("convalidated")
    if one.contype == _Type.CONSTR_FOREIGN:
        conditions.append(f"confrelid = {_regclass(name_of(one.pktable))}")
        words += f" to {quoted(*name_of(one.pktable))}"
    found["constraint", *table, one.conname or words] = (words, _exists("pg_constraint", *conditions))


#: Of which kind there is one, or which names the other table.
_TOLD_BY_KIND = {_Type.CONSTR_PRIMARY: "primary key", _Type.CONSTR_FOREIGN: "foreign key"}


def _alter_table(found: Checks, node: ast.AlterTableStmt) -> None:
    table = name_of(node.relation)
    if node.missing_ok or node.objtype not in (_Object.OBJECT_TABLE, _Object.OBJECT_FOREIGN_TABLE):
        return
    for command in node.cmds:
        if command.subtype == _At.AT_AddColumn and command.missing_ok:
            name = command.def_.colname
            found["column", *table, name] = _attribute(table, name, "there", "attnum > 0")
        elif command.subtype == _At.AT_AddColumn:
            _column(found, table, command.def_)
        elif command.subtype == _At.AT_AddConstraint:
            _constraint(found, table, command.def_)
            # The index that it is made of gets its name.
            found.pop(("index of", *table, command.def_.indexname or ""), None)
        elif command.subtype == _At.AT_DropColumn:
            found.pop(("column", *table, command.name), None)
            _column_state(found, table, command.name, "dropped", "NOT ")
        elif command.subtype == _At.AT_DropConstraint:
            _forget(found, (*table, command.name), "constraint")
            # It may be one that has no name in the script.
            for key in [
                key for key in found if key[0] == "constraint" and key[1:-1] == table and " of " in key[-1]
            ]:
                del found[key]
        elif command.subtype in (_At.AT_SetNotNull, _At.AT_DropNotNull):
            wanted = command.subtype == _At.AT_SetNotNull
            found["not null", *table, command.name] = _attribute(
                table,
                command.name,
                "NOT NULL" if wanted else "nullable",
                "attnotnull" if wanted else "NOT attnotnull",
            )
        elif command.subtype == _At.AT_ColumnDefault:
            has = command.def_ is not None
            found["default", *table, command.name] = _attribute(
                table,
                command.name,
                "with a default" if has else "without a default",
                "atthasdef" if has else "NOT atthasdef",
            )
        elif command.subtype == _At.AT_AlterColumnType:
            found.pop(("column", *table, command.name), None)
            kind = command.def_.typeName
            found["type", *table, command.name] = _attribute(
                table, command.name, types_of([kind])[0], _of_type(kind)
            )
        elif command.subtype == _At.AT_ValidateConstraint:
            found["constraint", *table, command.name] = (
                f"constraint {quoted(command.name)} of {quoted(*table)}, validated",
                _exists(
                    "pg_constraint",
                    f"conrelid = {_regclass(table)}",
                    f"conname = {literal(command.name)}",
                    "convalidated",
                ),
            )
        elif command.subtype in (_At.AT_EnableRowSecurity, _At.AT_DisableRowSecurity):
            wanted = command.subtype == _At.AT_EnableRowSecurity
            found["row security", *table] = (
                f"row security of {quoted(*table)} {'enabled' if wanted else 'disabled'}",
                _exists("pg_class", f"oid = {_regclass(table)}", f"{'' if wanted else 'NOT '}relrowsecurity"),
            )


def _attribute(table: Name, column: str, words: str, condition: str) -> Check:
    return (
        f"column {quoted(*table, column)} {words}",
        _exists(
            "pg_attribute",
            f"attrelid = {_regclass(table)}",
            f"attname = {literal(column)}",
            "NOT attisdropped",
            condition,
        ),
    )


def _column_state(found: Checks, table: Name, column: str, words: str, negation: str) -> None:
    found["no column", *table, column] = (
        f"column {quoted(*table, column)} {words}",
        negation
        + _exists(
            "pg_attribute",
            f"attrelid = {_regclass(table)}",
            f"attname = {literal(column)}",
            "NOT attisdropped",
        ),
    )


def _index(found: Checks, node: ast.IndexStmt) -> None:
    if not node.idxname:
        return
    table = name_of(node.relation)
    name = (*table[:-1], node.idxname)
    found.pop(("gone", *name), None)
    if node.if_not_exists:
        found["index of", *table, node.idxname] = (f"index {quoted(*name)}", f"{_regclass(name)} IS NOT NULL")
        return
    conditions = [f"indexrelid = {_regclass(name)}", f"indrelid = {_regclass(table)}"]
    # ON ONLY makes it invalid, until each partition has one.
    if node.relation.inh:
        conditions.append("indisvalid")
    if node.unique:
        conditions.append("indisunique")
    if node.whereClause is not None:
        conditions.append("indpred IS NOT NULL")
    found["index of", *table, node.idxname] = (
        f"valid index {quoted(*name)} on {quoted(*table)}",
        _exists("pg_index", *conditions),
    )


def _view(found: Checks, node: ast.ViewStmt) -> None:
    _relation(found, "view", "v", name_of(node.view))


def _table_as(found: Checks, node: ast.CreateTableAsStmt) -> None:
    view = node.objtype == _Object.OBJECT_MATVIEW
    _relation(found, "materialized view" if view else "table", "m" if view else "rp", name_of(node.into.rel))


def _sequence(found: Checks, node: ast.CreateSeqStmt) -> None:
    _relation(found, "sequence", "S", name_of(node.sequence))


def _routine(found: Checks, node: ast.CreateFunctionStmt) -> None:
    name = parts_of(node.funcname)
    args = types_of([one.argType for one in node.parameters or () if one.mode.value in "divb"])
    signature = f"{quoted(*name)}({', '.join(args)})"
    conditions = [f"oid = to_regprocedure({literal(signature)})"]
    words = []
    for option in node.options or ():
        value = getattr(option.arg, "sval", getattr(option.arg, "boolval", None))
        if option.defname == "volatility" and isinstance(value, str):
            conditions.append(f"provolatile = {literal(_VOLATILITIES[value])}")
            words.append(value.upper())
        elif option.defname == "strict":
            conditions.append("proisstrict" if value else "NOT proisstrict")
            words.append("STRICT" if value else "CALLED ON NULL INPUT")
        elif option.defname == "security":
            conditions.append("prosecdef" if value else "NOT prosecdef")
            words.append("SECURITY DEFINER" if value else "SECURITY INVOKER")
    kind = "procedure" if node.is_procedure else "function"
    found["routine", *name, *args] = (" ".join([kind, signature, *words]), _exists("pg_proc", *conditions))


def _on_table(
    catalog: str, of: str, by: str, word: str, names: Callable[[Any], tuple[Name, str]]
) -> Callable[..., None]:
    def handler(found: Checks, node: Any) -> None:
        table, name = names(node)
        found[word, *table, name] = (
            f"{word} {quoted(name)} on {quoted(*table)}",
            _exists(catalog, f"{of} = {_regclass(table)}", f"{by} = {literal(name)}"),
        )

    return handler


def _type(names: Callable[[Any], Name], word: str = "type") -> Callable[..., None]:
    def handler(found: Checks, node: Any) -> None:
        name = names(node)
        found["type", *name] = (
            f"{word} {quoted(*name)}",
            f"to_regtype({literal(quoted(*name))}) IS NOT NULL",
        )

    return handler


def _enum_value(found: Checks, node: ast.AlterEnumStmt) -> None:
    name = parts_of(node.typeName)
    found["label", *name, node.newVal] = (
        f"label {node.newVal} of {quoted(*name)}",
        _exists(
            "pg_enum",
            f"enumtypid = to_regtype({literal(quoted(*name))})",
            f"enumlabel = {literal(node.newVal)}",
        ),
    )


def _alone(catalog: str, by: str, word: str, name: Callable[[Any], str]) -> Callable[..., None]:
    def handler(found: Checks, node: Any) -> None:
        called = name(node)
        if called:
            found[word, called] = (f"{word} {quoted(called)}", _exists(catalog, f"{by} = {literal(called)}"))

    return handler


def _drop(found: Checks, node: ast.DropStmt) -> None:
    for item in node.objects:
        names = (
            parts_of(item)
            if isinstance(item, tuple) and all(isinstance(one, ast.String) for one in item)
            else None
        )
        if isinstance(item, ast.ObjectWithArgs):
            _forget(found, parts_of(item.objname), "routine")
        elif isinstance(item, ast.TypeName):
            _forget(found, parts_of(item.names), "type")
        elif names is not None:
            _forget(found, names)
            if node.removeType == _Object.OBJECT_INDEX:
                for key in [key for key in found if key[0] == "index of" and (*key[1:-2], key[-1]) == names]:
                    del found[key]
            if node.removeType in _GONE:
                found["gone", *names] = (f"{quoted(*names)} dropped", f"{_regclass(names)} IS NULL")


_GONE = (
    _Object.OBJECT_TABLE,
    _Object.OBJECT_VIEW,
    _Object.OBJECT_MATVIEW,
    _Object.OBJECT_INDEX,
    _Object.OBJECT_SEQUENCE,
)


def _forget(found: Checks, name: Name, kind: str = "") -> None:
    """Drop the checks of an object and its parts; of any kind where none is given."""
    for key in [key for key in found if kind in ("", key[0]) and key[1 : 1 + len(name)] == name]:
        del found[key]


def _rename(found: Checks, node: ast.RenameStmt) -> None:
    if node.relation is None:
        return
    name = name_of(node.relation)
    if node.renameType == _Object.OBJECT_COLUMN:
        _forget(found, (*name, node.subname))
        found["column", *name, node.newname] = _attribute(name, node.newname, "renamed", "attnum > 0")
    elif node.renameType in _GONE:
        _forget(found, name)
        to = (*name[:-1], node.newname)
        found.pop(("gone", *to), None)
        found["relation", *to] = (f"{quoted(*to)}, renamed", f"{_regclass(to)} IS NOT NULL")
    else:
        _forget(found, (*name, node.subname or ""))


def _set_schema(found: Checks, node: ast.AlterObjectSchemaStmt) -> None:
    if node.relation is not None:
        name = name_of(node.relation)
        _forget(found, name)
        to = (node.newschema, name[-1])
        found["relation", *to] = (f"{quoted(*to)}, moved", f"{_regclass(to)} IS NOT NULL")


_HANDLERS: Mapping[type, Callable[..., None]] = {
    ast.CreateStmt: _table,
    ast.AlterTableStmt: _alter_table,
    ast.IndexStmt: _index,
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
    ast.DropStmt: _drop,
    ast.RenameStmt: _rename,
    ast.AlterObjectSchemaStmt: _set_schema,
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
