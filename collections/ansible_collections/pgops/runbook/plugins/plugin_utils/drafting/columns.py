# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Subcommands of ALTER TABLE about a column, taken back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pglast import ast, enums

from .again import made_again
from .altering import Altered, settings
from .grants import granted
from .names import literal, parts_of, quoted
from .undo import CannotInvert, Undo, part

__all__ = ["HANDLERS", "foreign_options"]

_At = enums.AlterTableType
_Handler = Callable[[Altered, ast.AlterTableCmd], "Undo | None"]

_STORAGES = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSIONS = {"": "default", "p": "pglz", "l": "lz4"}


def _of_a_column(handler: _Handler) -> _Handler:
    """A column that the script has added goes as a whole."""

    def unless_made(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
        if command.name and altered.has_made(command.name):
            return None
        return handler(altered, command)

    return unless_made


def _add(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    name = command.def_.colname
    known = altered.scene.column_in_database(altered.name, name)
    if command.missing_ok and not altered.born and part(altered.facts, "columns", known):
        return None
    altered.scene.make(altered.scene.key("column", altered.name, name))
    if altered.goes_along(command):
        return None
    word = "ATTRIBUTE" if altered.head.startswith("ALTER TYPE") else "COLUMN"
    undo = altered.undo(f"DROP {word} {quoted(name)}", column=name)
    undo.destroys = "PARTIAL"
    return undo


def _default(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    if altered.born:
        gone = altered.undo(f"ALTER COLUMN {quoted(command.name)} DROP DEFAULT", column=command.name)
        return None if altered.goes_along(command) else gone
    before = altered.column(command.name)["default"]
    action = f"SET DEFAULT {before}" if before is not None else "DROP DEFAULT"
    return altered.undo(f"ALTER COLUMN {quoted(command.name)} {action}", column=command.name)


def _not_null(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    before = altered.column(command.name)["not_null"]
    wanted = command.subtype == _At.AT_SetNotNull
    if before == wanted:
        return None
    named = [
        one
        for one in altered.facts["constraints"].values()
        if one["type"] == "n" and one["columns"] == [altered.column(command.name)["name"]]
    ]
    if before and named:
        return altered.undo(
            f"ADD CONSTRAINT {named[0]['name']} {named[0]['definition']}", column=command.name
        )
    action = "SET" if before else "DROP"
    return altered.undo(f"ALTER COLUMN {quoted(command.name)} {action} NOT NULL", column=command.name)


def _statistics(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    if command.name:
        before = altered.column(command.name)["statistics"]
        which = quoted(command.name)
    else:
        numbered = [one for one in altered.facts["columns"].values() if one["number"] == command.num]
        before, which = (numbered[0]["statistics"] if numbered else None), str(command.num)
    return altered.undo(f"ALTER COLUMN {which} SET STATISTICS {-1 if before is None else before}")


def _storage(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    before = _STORAGES[altered.column(command.name)["storage"]]
    return altered.undo(f"ALTER COLUMN {quoted(command.name)} SET STORAGE {before}", column=command.name)


def _compression(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    before = _COMPRESSIONS[altered.column(command.name)["compression"]]
    return altered.undo(f"ALTER COLUMN {quoted(command.name)} SET COMPRESSION {before}", column=command.name)


def _options(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    wanted = [item.defname for item in command.def_]
    actions = settings(wanted, altered.column(command.name)["options"])
    return altered.undo(
        *(f"ALTER COLUMN {quoted(command.name)} {action}" for action in actions), column=command.name
    )


def _generic_options(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    back = foreign_options(command.def_, altered.column(command.name)["foreign_options"])
    return altered.undo(f"ALTER COLUMN {quoted(command.name)} {back}", column=command.name)


def foreign_options(items: Iterable[ast.DefElem], had: Sequence[str]) -> str:
    """An action that gives options of a foreign object the values that they had.

    Args:
        items: as the script changes them.
        had: as the catalogs have them, "name=value".
    """
    values = dict(option.split("=", 1) for option in had)
    changes = []
    for item in items:
        dropped = item.defaction == enums.DefElemAction.DEFELEM_DROP
        if item.defname in values:
            changes.append(
                f"{'ADD' if dropped else 'SET'} {quoted(item.defname)} {literal(values[item.defname])}"
            )
        elif not dropped:
            changes.append(f"DROP {quoted(item.defname)}")
    return f"OPTIONS ({', '.join(changes)})"


def _drop(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    scene, name = altered.scene, command.name
    if scene.erase(scene.key("column", altered.name, name)):
        return None
    live = scene.column_in_database(altered.name, name)
    word = "ATTRIBUTE" if altered.head.startswith("ALTER TYPE") else "COLUMN"
    if command.missing_ok and part(altered.facts, "columns", live) is None:
        return None
    column = altered.column(name)
    if column["inherited"]:
        raise CannotInvert(f"Column {quoted(live)} comes from a parent table.")
    if altered.facts["kind"] == "c":
        return _came_back(altered, Undo([f"{altered.head} ADD ATTRIBUTE {_defined(column, False)};"]), column)
    cascade = command.behavior == enums.DropBehavior.DROP_CASCADE
    facts = scene.live.ask(
        "table column" if altered.facts["kind"] != "f" else "foreign table column",
        [*scene.name_in_database("relation", altered.name), live],
        dump=True,
        cascade=cascade,
        **({"path": scene.path} if scene.path is not None else {}),
    )
    if facts is None:
        raise CannotInvert(f"The database has no column {quoted(live)}.")
    kinds = [one["kind"] for one in facts["made"]["statements"]]
    numbered = "SEQUENCE" in kinds
    undo = Undo([f"{altered.head} ADD COLUMN {_defined(column, not numbered)};"], about=altered.key)
    named = any(
        " NOT NULL " in one["sql"] for one in facts["made"]["statements"] if one["kind"] == "CHECK CONSTRAINT"
    )
    if column["not_null"] and not named:
        undo.statements.append(f"{altered.head} ALTER COLUMN {quoted(live)} SET NOT NULL;")
    if not numbered:
        facts = {
            **facts,
            "made": {
                **facts["made"],
                "statements": [one for one in facts["made"]["statements"] if one["kind"] != "DEFAULT"],
            },
        }
    made_again(scene, facts, undo)
    undo.statements += _settings(altered, column)
    if altered.facts["rows"] and not column["generated"]:
        undo.loses.append(
            f"The values of {altered.facts['identity']}.{quoted(live)} do not come back: {word.lower()} and table have"
            " rows. Have the migration keep them, or leave it so, in which case a rehearsal asks for"
            " the consent accept_data_loss."
        )
    return _came_back(altered, undo, column)


def _came_back(altered: Altered, undo: Undo, column: Mapping[str, Any]) -> Undo:
    """A column comes back as the last one."""
    if not column["last"]:
        undo.leaves.append(f"column order {altered.facts['identity']}")
    undo.about = altered.key
    return undo


def _defined(column: Mapping[str, Any], with_default: bool) -> str:
    words = [column["name"], column["type"]]
    if column["collation"]:
        words.append(f"COLLATE {column['collation']}")
    if column["generated"]:
        kind = "VIRTUAL" if column["generated"] == "v" else "STORED"
        words.append(f"GENERATED ALWAYS AS ({column['default']}) {kind}")
    elif column["default"] is not None and with_default:
        words.append(f"DEFAULT {column['default']}")
    return " ".join(words)


def _settings(altered: Altered, column: Mapping[str, Any]) -> list[str]:
    """What is said of a column beside its definition."""
    head, name = f"{altered.head} ALTER COLUMN {column['name']}", column["name"]
    statements = []
    if column["storage"] != column["type_storage"]:
        statements.append(f"{head} SET STORAGE {_STORAGES[column['storage']]};")
    if column["compression"]:
        statements.append(f"{head} SET COMPRESSION {_COMPRESSIONS[column['compression']]};")
    if column["statistics"] not in (None, -1):
        statements.append(f"{head} SET STATISTICS {column['statistics']};")
    if column["options"]:
        statements += [
            f"{head} {action};"
            for action in settings([o.split("=")[0] for o in column["options"]], column["options"])
        ]
    if column["foreign_options"]:
        given = ", ".join(
            f"{quoted(key)} {literal(value)}"
            for key, value in (o.split("=", 1) for o in column["foreign_options"])
        )
        statements.append(f"{head} OPTIONS ({given});")
    where = quoted(*altered.name)
    if column["comment"] is not None:
        statements.append(f"COMMENT ON COLUMN {where}.{name} IS {literal(column['comment'])};")
    statements += [granted(right, f"TABLE {where}", name) for right in column["privileges"]]
    return statements


# A value of the first type is one of the second and comes back the same (manual, "Data Types").
_WIDER = {
    "smallint": ("integer", "bigint", "numeric", "text", "character varying"),
    "integer": ("bigint", "numeric", "text", "character varying", "double precision"),
    "bigint": ("numeric", "text", "character varying"),
    "real": ("double precision",),
    "character varying": ("text", "character varying", "citext"),
    "text": ("text", "character varying", "citext"),
    "date": ("timestamp without time zone",),
    "uuid": ("text", "character varying"),
    "boolean": ("text",),
    "cidr": ("inet",),
    "numeric": ("numeric",),
    "inet": (),
}


def _type(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    name = command.name
    column = altered.column(name)
    collation = f" COLLATE {column['collation']}" if column["collation"] else ""
    if altered.facts["kind"] == "c":
        return altered.undo(f"ALTER ATTRIBUTE {quoted(name)} TYPE {column['type']}{collation}", column=name)
    actions = [
        f"ALTER COLUMN {quoted(name)} TYPE {column['type']}{collation} USING {quoted(name)}::{column['type']}"
    ]
    if altered.facts["kind"] == "f":
        actions = [f"ALTER COLUMN {quoted(name)} TYPE {column['type']}{collation}"]
    if column["generated"]:
        actions = [f"ALTER COLUMN {quoted(name)} TYPE {column['type']}{collation}"]
    elif column["default"] is not None:
        # What the server makes of a default in the other type is not what it was.
        actions = [
            f"ALTER COLUMN {quoted(name)} DROP DEFAULT",
            *actions,
            f"ALTER COLUMN {quoted(name)} SET DEFAULT {column['default']}",
        ]
    undo = altered.undo(*actions, column=name)
    if altered.facts["own_collations"] and (command.def_.collClause is not None or column["collation"]):
        undo.cannot.append(
            f"Indexes on {quoted(name)} take on its collation, and one that had another by itself does not get it back:"
            " look at them."
        )
    made = command.def_.typeName
    # A domain of the script's own holds what the type under it holds.
    made = altered.scene.domains.get(altered.scene.key("type", parts_of(made.names)), made)
    if altered.facts["rows"] and (
        command.def_.raw_default is not None or not _comes_back(column["type"], made)
    ):
        undo.loses.append(
            f"Whether each value of {altered.facts['identity']}.{quoted(name)} is again what it was as {column['type']}"
            " is not known: look at the conversion, here and in the migration."
        )
    return undo


def _comes_back(before: str, made: ast.TypeName) -> bool:
    """Whether each value of a type is known to survive the way there and back."""
    if made.arrayBounds:
        return False
    after = _TYPE_NAMES.get(made.names[-1].sval, made.names[-1].sval)
    limits = [item.val.ival for item in made.typmods or () if hasattr(getattr(item, "val", None), "ival")]
    plain, _, own = before.partition("(")
    if after not in _WIDER.get(plain, ()):
        return False
    if not limits:
        return True
    had = [int(number) for number in re.findall(r"\d+", own)]
    if plain == "character varying" and after == plain:
        return bool(had) and limits[0] >= had[0]
    if plain == after == "numeric" and len(had) == len(limits) == 2:
        return limits[1] >= had[1] and limits[0] - limits[1] >= had[0] - had[1]
    return False


_TYPE_NAMES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "varchar": "character varying",
    "timestamp": "timestamp without time zone",
    "bool": "boolean",
}


def _add_identity(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    altered.scene.identities.add(altered.scene.key("column", altered.name, command.name))
    return altered.undo(f"ALTER COLUMN {quoted(command.name)} DROP IDENTITY", column=command.name)


def _set_identity(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    column = altered.column(command.name)
    if any(item.defname == "restart" for item in command.def_):
        raise CannotInvert(
            "RESTART sets where the numbers go on; where they stood is not known when this is taken back."
        )
    sequence = column["sequence"]
    if sequence is None:
        raise CannotInvert(f"Column {column['name']} is no identity column in the database.")
    always = "ALWAYS" if column["identity"] == "a" else "BY DEFAULT"
    actions = (
        f"SET GENERATED {always} SET INCREMENT BY {sequence['seqincrement']} SET MINVALUE {sequence['seqmin']}"
        f" SET MAXVALUE {sequence['seqmax']} SET START WITH {sequence['seqstart']} SET CACHE {sequence['seqcache']}"
        f" SET {'' if sequence['seqcycle'] else 'NO '}CYCLE"
    )
    return altered.undo(f"ALTER COLUMN {quoted(command.name)} {actions}", column=command.name)


def _drop_identity(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    raise CannotInvert(
        "DROP IDENTITY drops the sequence: write ADD GENERATED ... AS IDENTITY with its name and where its"
        " numbers go on."
    )


def _set_expression(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    before = altered.column(command.name)["default"]
    return altered.undo(
        f"ALTER COLUMN {quoted(command.name)} SET EXPRESSION AS ({before})", column=command.name
    )


def _drop_expression(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    """No statement makes an ordinary column generated again: it is dropped, and added as it was."""
    column = altered.column(command.name)
    if command.missing_ok and not column["generated"]:
        return None
    undo = _drop(altered, command)
    if undo is None or not column["generated"] or column["inherited"]:
        raise CannotInvert(
            "DROP EXPRESSION makes an ordinary column of a generated one, and no statement makes it generated again:"
            " the column would have to be dropped and added."
        )
    undo.statements.insert(0, f"{altered.head} DROP COLUMN {quoted(command.name)};")
    undo.destroys = "PARTIAL"
    return undo


HANDLERS: Mapping[Any, _Handler] = {
    _At.AT_AddColumn: _add,
    _At.AT_ColumnDefault: lambda altered, command: (
        _default(altered, command) if altered.born else _of_a_column(_default)(altered, command)
    ),
    _At.AT_SetNotNull: _of_a_column(_not_null),
    _At.AT_DropNotNull: _of_a_column(_not_null),
    _At.AT_SetStatistics: _of_a_column(_statistics),
    _At.AT_SetStorage: _of_a_column(_storage),
    _At.AT_SetCompression: _of_a_column(_compression),
    _At.AT_SetOptions: _of_a_column(_options),
    _At.AT_ResetOptions: _of_a_column(_options),
    _At.AT_AlterColumnGenericOptions: _of_a_column(_generic_options),
    _At.AT_DropColumn: _drop,
    _At.AT_AlterColumnType: _of_a_column(_type),
    _At.AT_AddIdentity: _of_a_column(_add_identity),
    _At.AT_SetIdentity: _of_a_column(_set_identity),
    _At.AT_DropIdentity: _of_a_column(_drop_identity),
    _At.AT_SetExpression: _of_a_column(_set_expression),
    _At.AT_DropExpression: _of_a_column(_drop_expression),
}
