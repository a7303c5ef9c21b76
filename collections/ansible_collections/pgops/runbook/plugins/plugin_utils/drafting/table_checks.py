# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tables, their columns, constraints and indexes are after CREATE and ALTER TABLE, as conditions."""

from __future__ import annotations

from pglast import ast, enums

from .catalog_conditions import Checks, attribute, exists, forget, regclass, relation
from .names import Name, literal, name_of, parts_of, quoted, types_of

__all__ = ["alter_table", "index", "table"]

_At = enums.AlterTableType
_Type = enums.ConstrType
_Object = enums.ObjectType
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
#: Of which kind there is one, or which names the other table.
_TOLD_BY_KIND = {_Type.CONSTR_PRIMARY: "primary key", _Type.CONSTR_FOREIGN: "foreign key"}
#: What becomes of rows that refer to one that goes, as the catalog and the parser write it.
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_NO_ACTION = "a"
_SERIALS = {
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
    "smallserial": "smallint",
    "serial2": "smallint",
}


def table(checks: Checks, node: ast.CreateStmt) -> None:
    name = name_of(node.relation)
    relation(checks, "table", "rp", name)
    # With IF NOT EXISTS it may be another one.
    for element in () if node.if_not_exists else node.tableElts or ():
        if isinstance(element, ast.ColumnDef):
            _column(checks, name, element)
        elif isinstance(element, ast.Constraint):
            _constraint(checks, name, element)


def _column(checks: Checks, table: Name, column: ast.ColumnDef) -> None:
    """Type, NOT NULL and whether there is a default; of serial types what they stand for."""
    if column.typeName is None:
        return
    checks.pop(("no column", *table, column.colname), None)
    constraints = {one.contype for one in column.constraints or ()}
    kind = column.typeName.names[-1].sval
    serial = _SERIALS.get(kind if len(column.typeName.names) == 1 else "")
    conditions = [
        f"attrelid = {regclass(table)}",
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
    checks["column", *table, column.colname] = (words, exists("pg_attribute", *conditions))
    for one in column.constraints or ():
        _constraint(checks, table, one, _Type.CONSTR_ATTR_NOT_ENFORCED not in constraints)


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


def _constraint(checks: Checks, table: Name, constraint: ast.Constraint, enforced: bool = True) -> None:
    """A constraint, by kind and state; of one without a name the name is PostgreSQL's own affair."""
    if constraint.contype not in _CONTYPES or (
        not constraint.conname and constraint.contype not in _TOLD_BY_KIND
    ):
        return
    conditions = [f"conrelid = {regclass(table)}", f"contype = {literal(_CONTYPES[constraint.contype])}"]
    words = f"{_TOLD_BY_KIND.get(constraint.contype, 'constraint')} of {quoted(*table)}"
    if constraint.conname:
        conditions.append(f"conname = {literal(constraint.conname)}")
        words = f"constraint {quoted(constraint.conname)} of {quoted(*table)}"
    enforced = (enforced and constraint.is_enforced) or constraint.contype not in (
        _Type.CONSTR_CHECK,
        _Type.CONSTR_FOREIGN,
    )
    if not constraint.skip_validation and enforced:
        conditions.append("convalidated")
    if constraint.contype == _Type.CONSTR_FOREIGN:
        conditions.append(f"confrelid = {regclass(name_of(constraint.pktable))}")
        words += f" to {quoted(*name_of(constraint.pktable))}"
        for event, column, action in (
            ("DELETE", "confdeltype", constraint.fk_del_action),
            ("UPDATE", "confupdtype", constraint.fk_upd_action),
        ):
            conditions.append(f"{column} = {literal(action)}")
            words += f" ON {event} {_ACTIONS[action]}" if action != _NO_ACTION else ""
    checks["constraint", *table, constraint.conname or words] = (words, exists("pg_constraint", *conditions))


def alter_table(checks: Checks, node: ast.AlterTableStmt) -> None:
    table = name_of(node.relation)
    if node.missing_ok or node.objtype not in (_Object.OBJECT_TABLE, _Object.OBJECT_FOREIGN_TABLE):
        return
    for command in node.cmds:
        if command.subtype == _At.AT_AddColumn and command.missing_ok:
            name = command.def_.colname
            checks["column", *table, name] = attribute(table, name, "there", "attnum > 0")
        elif command.subtype == _At.AT_AddColumn:
            _column(checks, table, command.def_)
        elif command.subtype == _At.AT_AddConstraint:
            _constraint(checks, table, command.def_)
            # The index that it is made of gets its name.
            checks.pop(("index of", *table, command.def_.indexname or ""), None)
        elif command.subtype == _At.AT_AddIdentity:
            # It makes a sequence, which may have the name of one that is dropped.
            for key in [
                key for key in checks if key[0] == "gone" and key[-1] == f"{table[-1]}_{command.name}_seq"
            ]:
                del checks[key]
        elif command.subtype == _At.AT_DropColumn:
            checks.pop(("column", *table, command.name), None)
            _column_state(checks, table, command.name, "dropped", "NOT ")
        elif command.subtype == _At.AT_DropConstraint:
            forget(checks, (*table, command.name), "constraint")
            # It may be one that has no name in the script.
            for key in [
                key for key in checks if key[0] == "constraint" and key[1:-1] == table and " of " in key[-1]
            ]:
                del checks[key]
        elif command.subtype in (_At.AT_SetNotNull, _At.AT_DropNotNull):
            wanted = command.subtype == _At.AT_SetNotNull
            checks["not null", *table, command.name] = attribute(
                table,
                command.name,
                "NOT NULL" if wanted else "nullable",
                "attnotnull" if wanted else "NOT attnotnull",
            )
        elif command.subtype == _At.AT_ColumnDefault:
            has = command.def_ is not None
            checks["default", *table, command.name] = attribute(
                table,
                command.name,
                "with a default" if has else "without a default",
                "atthasdef" if has else "NOT atthasdef",
            )
        elif command.subtype == _At.AT_AlterColumnType:
            checks.pop(("column", *table, command.name), None)
            kind = command.def_.typeName
            checks["type", *table, command.name] = attribute(
                table, command.name, types_of([kind])[0], _of_type(kind)
            )
        elif command.subtype == _At.AT_ValidateConstraint:
            checks["constraint", *table, command.name] = (
                f"constraint {quoted(command.name)} of {quoted(*table)}, validated",
                exists(
                    "pg_constraint",
                    f"conrelid = {regclass(table)}",
                    f"conname = {literal(command.name)}",
                    "convalidated",
                ),
            )
        elif command.subtype in (_At.AT_EnableRowSecurity, _At.AT_DisableRowSecurity):
            wanted = command.subtype == _At.AT_EnableRowSecurity
            checks["row security", *table] = (
                f"row security of {quoted(*table)} {'enabled' if wanted else 'disabled'}",
                exists("pg_class", f"oid = {regclass(table)}", f"{'' if wanted else 'NOT '}relrowsecurity"),
            )


def _column_state(checks: Checks, table: Name, column: str, words: str, negation: str) -> None:
    checks["no column", *table, column] = (
        f"column {quoted(*table, column)} {words}",
        negation
        + exists(
            "pg_attribute",
            f"attrelid = {regclass(table)}",
            f"attname = {literal(column)}",
            "NOT attisdropped",
        ),
    )


def index(checks: Checks, node: ast.IndexStmt) -> None:
    if not node.idxname:
        return
    table = name_of(node.relation)
    name = (*table[:-1], node.idxname)
    checks.pop(("gone", *name), None)
    if node.if_not_exists:
        checks["index of", *table, node.idxname] = (f"index {quoted(*name)}", f"{regclass(name)} IS NOT NULL")
        return
    conditions = [f"indexrelid = {regclass(name)}", f"indrelid = {regclass(table)}"]
    # ON ONLY makes it invalid, until each partition has one.
    if node.relation.inh:
        conditions.append("indisvalid")
    if node.unique:
        conditions.append("indisunique")
    if node.whereClause is not None:
        conditions.append("indpred IS NOT NULL")
    checks["index of", *table, node.idxname] = (
        f"valid index {quoted(*name)} on {quoted(*table)}",
        exists("pg_index", *conditions),
    )
