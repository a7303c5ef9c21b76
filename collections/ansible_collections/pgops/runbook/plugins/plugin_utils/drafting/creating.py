# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""CREATE taken back: what a script makes is dropped; what it replaces comes back as the database had it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError

from .again import remade
from .constraints import INDEXED, SUFFIX, chosen_name
from .names import Name, literal, name_of, names_in, parts_of, printed, quoted, types_of
from .undo import CannotInvert, Scene, Undo, part

__all__ = ["HANDLERS"]

_Object = enums.ObjectType
_Type = enums.ConstrType
_Handler = Callable[[Scene, Any], "list[Undo]"]


def _made(scene: Scene, kind: str, name: Name, drop: str, destroys: str = "", *parts: str) -> list[Undo]:
    """An object that the script makes, and that DROP takes away."""
    key = scene.key(kind, name, *parts)
    scene.make(key)
    return [Undo([f"{drop};"], about=key, destroys=destroys)]


def _there_already(scene: Scene, wanted: bool, kind: str, name: Name) -> bool:
    """IF NOT EXISTS, and it is there: the statement does nothing."""
    return bool(wanted) and not scene.is_born(kind, name) and scene.find(kind, name) is not None


def _table(scene: Scene, node: ast.CreateStmt) -> list[Undo]:
    name = name_of(node.relation)
    if _is_temporary(scene, node.relation) or _there_already(scene, node.if_not_exists, "relation", name):
        return []
    undos = _made(scene, "relation", name, f"DROP TABLE {quoted(*name)}", "COMPLETE")
    _note_indexes(scene, name, node.tableElts or ())
    if node.partbound is not None and scene.is_born("relation", name_of(node.inhRelations[0])):
        return []  # goes with its parent
    return undos


def _note_indexes(scene: Scene, table: Name, elements: Iterable[Any]) -> None:
    """The indexes that keys bring along, by the names that PostgreSQL gives them."""
    for element in elements:
        of = [element.colname] if isinstance(element, ast.ColumnDef) else []
        for constraint in (
            [element] if isinstance(element, ast.Constraint) else element.constraints or () if of else ()
        ):
            if constraint.contype in INDEXED:
                columns = (
                    []
                    if constraint.contype == _Type.CONSTR_PRIMARY
                    else of or [key.sval for key in constraint.keys or ()]
                )
                called = constraint.conname or "_".join([table[-1], *columns, SUFFIX[constraint.contype]])
                scene.make(scene.key("relation", (*table[:-1], called)))


def _foreign_table(scene: Scene, node: ast.CreateForeignTableStmt) -> list[Undo]:
    base = node.base
    name = name_of(base.relation)
    if _there_already(scene, base.if_not_exists, "relation", name):
        return []
    return _made(scene, "relation", name, f"DROP FOREIGN TABLE {quoted(*name)}")


def _is_temporary(scene: Scene, relation: ast.RangeVar) -> bool:
    if relation.relpersistence == "t" or relation.schemaname == "pg_temp":
        scene.temporary.add(relation.relname)
        return True
    return False


def _table_as(scene: Scene, node: ast.CreateTableAsStmt) -> list[Undo]:
    relation = node.into.rel
    name = name_of(relation)
    view = node.objtype == _Object.OBJECT_MATVIEW
    if _is_temporary(scene, relation) or _there_already(scene, node.if_not_exists, "relation", name):
        return []
    word = "MATERIALIZED VIEW" if view else "TABLE"
    return _made(scene, "relation", name, f"DROP {word} {quoted(*name)}", "" if view else "COMPLETE")


def select_into(scene: Scene, node: ast.SelectStmt) -> list[Undo]:
    """SELECT ... INTO, which makes a table."""
    relation = node.intoClause.rel
    if _is_temporary(scene, relation):
        return []
    return _made(scene, "relation", name_of(relation), f"DROP TABLE {quoted(*name_of(relation))}", "COMPLETE")


def _view(scene: Scene, node: ast.ViewStmt) -> list[Undo]:
    name = name_of(node.view)
    if _is_temporary(scene, node.view):
        return []
    drop = f"DROP VIEW {quoted(*name)}"
    if scene.is_born("relation", name):
        return []
    facts = scene.find("relation", name) if node.replace else None
    if facts is None:
        return _made(scene, "relation", name, drop)
    if not facts["used"]:
        undo = remade(scene, f"{drop};", "relation", name, words=f"view {quoted(*name)}")
    else:
        options = (
            f" WITH ({', '.join(_view_option(one) for one in facts['options'])})" if facts["options"] else ""
        )
        undo = Undo([f"CREATE OR REPLACE VIEW {quoted(*name)}{options} AS\n{facts['query'].rstrip(';')};"])
        if not _has_columns(node, len(facts["columns"])):
            undo.cannot.append(
                f"Other objects rest on {quoted(*name)}, so that it is replaced, and CREATE OR REPLACE takes no column"
                " away that the migration may add: drop what rests on it, and make all of it again."
            )
    undo.about = scene.key("relation", name)
    return [undo]


def _has_columns(node: ast.ViewStmt, count: int) -> bool:
    """Whether the query is known to give so many columns."""
    query = node.query
    while getattr(query, "larg", None) is not None:
        query = query.larg
    targets = getattr(query, "targetList", None) or ()
    stars = [one for one in targets if isinstance(getattr(one.val, "fields", [None])[-1], ast.A_Star)]
    return len(targets) == count and not stars


def _view_option(option: str) -> str:
    name, _, value = option.partition("=")
    return f"{name}={literal(value)}"


def _index(scene: Scene, node: ast.IndexStmt) -> list[Undo]:
    table = name_of(node.relation)
    if scene.is_temporary(table):
        return []
    if _goes_along(scene, table, node):
        if node.idxname:
            scene.make(scene.key("relation", (*table[:-1], node.idxname)))
        return []
    if node.idxname:
        name = (*table[:-1], node.idxname)
        if _there_already(scene, node.if_not_exists, "relation", name):
            return []
    else:
        columns = [item.name for item in node.indexParams]
        if not all(columns):
            raise CannotInvert(
                "The index has no name, so that it is not known what it will be called. Name it."
            )
        name = (*table[:-1], chosen_name(scene, table, columns, "idx", set()))
    (undo,) = _made(scene, "relation", name, f"DROP INDEX {quoted(*name)}")
    if all(item.name for item in node.indexParams):
        scene.indexed[scene.key("relation", name)] = [item.name for item in node.indexParams]
    undo.of, undo.only_indexes = scene.key("relation", table), bool(node.concurrent)
    return [undo]


def _routine(scene: Scene, node: ast.CreateFunctionStmt) -> list[Undo]:
    name = parts_of(node.funcname)
    args = types_of([one.argType for one in node.parameters or () if one.mode.value in "divb"])
    if name[0] == "pg_temp":
        _note_body(scene, name[-1], node)
        return []
    word = "PROCEDURE" if node.is_procedure else "FUNCTION"
    drop = f"DROP {word} {quoted(*name)}({', '.join(args)})"
    signature = ", ".join(args)
    if not node.replace or scene.is_born("routine", name, signature):
        return _made(scene, "routine", name, drop, "", signature)
    facts = scene.find(word.lower(), name, args)
    if facts is None:
        return _made(scene, "routine", name, drop, "", signature)
    if _may_replace(node, facts["definition"]):
        undo = Undo([facts["definition"].rstrip() + ";"])
    else:
        undo = remade(scene, f"{drop};", word.lower(), name, args)
    undo.about = scene.key("routine", name, signature)
    return [undo]


def _note_body(scene: Scene, name: str, node: ast.CreateFunctionStmt) -> None:
    """What a function does that ends with the session, where it is written in SQL and is the only one of its name."""
    options = {option.defname: option.arg for option in node.options or ()}
    several = name in scene.functions
    scene.functions[name] = []
    if several:
        return
    if getattr(options.get("language"), "sval", "") == "sql" and "as" in options and not node.replace:
        with contextlib.suppress(ParseError):
            scene.functions[name] = [raw.stmt for raw in parse_sql(options["as"][0].sval)]


def _may_replace(node: ast.CreateFunctionStmt, definition: str | None) -> bool:
    """Whether CREATE OR REPLACE leads back too: parameters keep their names, and none loses its default."""
    try:
        before = parse_sql(definition or "")[0].stmt
    except (ParseError, IndexError):
        return False

    def shape(routine: ast.CreateFunctionStmt) -> list[Any]:
        return [one.name for one in routine.parameters or ()]

    def defaults(routine: ast.CreateFunctionStmt) -> int:
        return sum(one.defexpr is not None for one in routine.parameters or ())

    return shape(before) == shape(node) and defaults(node) <= defaults(before)


def _trigger(scene: Scene, node: ast.CreateTrigStmt) -> list[Undo]:
    table = name_of(node.relation)
    if scene.is_temporary(table) or _goes_along(scene, table, node):
        return []
    return _on_table(scene, "TRIGGER", "triggers", table, node.trigname, node.replace)


def _goes_along(scene: Scene, table: Name, node: ast.Node) -> bool:
    """Whether it goes with a table that the script makes, and holds up nothing that is dropped before that."""
    key = scene.key("relation", table)
    return key in scene.born and not scene.rests_on_later(key, names_in(node))


def _on_table(
    scene: Scene, word: str, kind: str, table: Name, name: str, replace: bool = False
) -> list[Undo]:
    drop = f"DROP {word} {quoted(name)} ON {quoted(*table)}"
    before = replace and not scene.is_born(word.lower(), table, name) and scene.relation(table)
    if before and part(before, kind, name) is not None:
        undo = remade(scene, f"{drop};", word.lower(), (*table, name))
        undo.about, undo.of = scene.key(word.lower(), table, name), scene.key("relation", table)
        return [undo]
    (undo,) = _made(scene, word.lower(), table, drop, "", name)
    undo.of = scene.key("relation", table)
    return [undo]


def _rule(scene: Scene, node: ast.RuleStmt) -> list[Undo]:
    table = name_of(node.relation)
    if _goes_along(scene, table, node):
        return []
    return _on_table(scene, "RULE", "rules", table, node.rulename, node.replace)


def _policy(scene: Scene, node: ast.CreatePolicyStmt) -> list[Undo]:
    table = name_of(node.table)
    if _goes_along(scene, table, node):
        return []
    return _on_table(scene, "POLICY", "", table, node.policy_name)


def _enum(scene: Scene, node: ast.CreateEnumStmt) -> list[Undo]:
    return _type(scene, parts_of(node.typeName))


def _range(scene: Scene, node: ast.CreateRangeStmt) -> list[Undo]:
    return _type(scene, parts_of(node.typeName))


def _composite(scene: Scene, node: ast.CompositeTypeStmt) -> list[Undo]:
    name = name_of(node.typevar)
    scene.make(scene.key("relation", name))
    return _type(scene, name)


def _type(scene: Scene, name: Name, word: str = "TYPE") -> list[Undo]:
    return _made(scene, "type", name, f"DROP {word} {quoted(*name)}")


def _domain(scene: Scene, node: ast.CreateDomainStmt) -> list[Undo]:
    name = parts_of(node.domainname)
    scene.domains[scene.key("type", name)] = node.typeName
    return _type(scene, name, "DOMAIN")


def _sequence(scene: Scene, node: ast.CreateSeqStmt) -> list[Undo]:
    name = name_of(node.sequence)
    if _is_temporary(scene, node.sequence) or _there_already(scene, node.if_not_exists, "relation", name):
        return []
    return _made(scene, "relation", name, f"DROP SEQUENCE {quoted(*name)}", "PARTIAL")


def _extension(scene: Scene, node: ast.CreateExtensionStmt) -> list[Undo]:
    name = (node.extname,)
    if _there_already(scene, node.if_not_exists, "extension", name):
        return []
    if any(option.defname == "cascade" for option in node.options or ()):
        raise CannotInvert("CASCADE may make other extensions too: write which ones have to go.")
    scene.make(("extension", *name))
    return [Undo([f"DROP EXTENSION {quoted(*name)};"], about=("extension", *name))]


def _alone(word: str, kind: str, name: Callable[[Any], str], may_be_there: str = "") -> _Handler:
    """What has a name without a schema."""

    def handler(scene: Scene, node: Any) -> list[Undo]:
        called = name(node)
        if may_be_there and getattr(node, may_be_there) and scene.find(kind, (called,)) is not None:
            return []
        scene.make((kind, called))
        return [Undo([f"DROP {word} {quoted(called)};"], about=(kind, called))]

    return handler


_DEFINED = {
    _Object.OBJECT_AGGREGATE: ("AGGREGATE", "aggregate"),
    _Object.OBJECT_OPERATOR: ("OPERATOR", "operator"),
    _Object.OBJECT_TYPE: ("TYPE", "type"),
    _Object.OBJECT_COLLATION: ("COLLATION", "collation"),
    _Object.OBJECT_TSPARSER: ("TEXT SEARCH PARSER", "text search parser"),
    _Object.OBJECT_TSDICTIONARY: ("TEXT SEARCH DICTIONARY", "text search dictionary"),
    _Object.OBJECT_TSTEMPLATE: ("TEXT SEARCH TEMPLATE", "text search template"),
    _Object.OBJECT_TSCONFIGURATION: ("TEXT SEARCH CONFIGURATION", "text search configuration"),
}


def _define(scene: Scene, node: ast.DefineStmt) -> list[Undo]:
    name = parts_of(node.defnames)
    word, kind = _DEFINED[node.kind]
    signature, args = "", []
    if node.kind == _Object.OBJECT_AGGREGATE:
        args = _aggregate_types(node)
        signature = f"({', '.join(args) or '*'})"
    if node.kind == _Object.OBJECT_OPERATOR:
        args = _operand_types(node)
        signature = f" ({', '.join(args)})"
        where = f"{'.'.join([quoted(part) for part in name[:-1]] + [name[-1]])}"
        return _made(scene, "operator", name, f"DROP OPERATOR {where}{signature}", "", *args)
    drop = f"DROP {word} {quoted(*name)}{signature}"
    if node.if_not_exists and scene.find(kind, name) is not None:
        return []
    if node.replace and scene.find(kind, name, args) is not None:
        undo = remade(scene, f"{drop};", kind, name, args)
        undo.about = scene.key(kind, name, *args)
        return [undo]
    if node.kind == _Object.OBJECT_TYPE and node.definition:
        raise CannotInvert(
            f"A base type and its functions rest on each other: {drop} CASCADE drops them all, and their DROP FUNCTION"
            " has to go from here."
        )
    return _made(scene, kind, name, drop, "", *args)


def _aggregate_types(node: ast.DefineStmt) -> list[str]:
    if node.oldstyle:
        base = [item.arg for item in node.definition if item.defname.lower() == "basetype"]
        return types_of([one for one in base if isinstance(one, ast.TypeName)])
    parameters = node.args[0] if node.args else None
    return types_of([one.argType for one in parameters or ()])


def _operand_types(node: ast.DefineStmt) -> list[str]:
    found = {item.defname.lower(): item.arg for item in node.definition}
    return types_of([found.get("leftarg"), found.get("rightarg")])


def _cast(scene: Scene, node: ast.CreateCastStmt) -> list[Undo]:
    source, target = types_of([node.sourcetype, node.targettype])
    key = ("cast", source, target)
    scene.make(key)
    return [Undo([f"DROP CAST ({source} AS {target});"], about=key)]


def _conversion(scene: Scene, node: ast.CreateConversionStmt) -> list[Undo]:
    name = parts_of(node.conversion_name)
    return _made(scene, "conversion", name, f"DROP CONVERSION {quoted(*name)}")


def _operator_class(scene: Scene, node: ast.CreateOpClassStmt) -> list[Undo]:
    name = parts_of(node.opclassname)
    drop = f"DROP OPERATOR CLASS {quoted(*name)} USING {quoted(node.amname)}"
    if node.opfamilyname is None:
        # It is made with the class where there is none of that name (manual, CREATE OPERATOR CLASS).
        drop = f"DROP OPERATOR FAMILY {quoted(*name)} USING {quoted(node.amname)}"
    return _made(scene, "operator class", name, drop, "", node.amname)


def _operator_family(scene: Scene, node: ast.CreateOpFamilyStmt) -> list[Undo]:
    name = parts_of(node.opfamilyname)
    return _made(
        scene,
        "operator family",
        name,
        f"DROP OPERATOR FAMILY {quoted(*name)} USING {quoted(node.amname)}",
        "",
        node.amname,
    )


def _statistics(scene: Scene, node: ast.CreateStatsStmt) -> list[Undo]:
    table = name_of(node.relations[0]) if isinstance(node.relations[0], ast.RangeVar) else ()
    if table and (scene.is_born("relation", table) or scene.is_temporary(table)):
        if node.defnames:
            scene.make(scene.key("statistics object", parts_of(node.defnames)))
        return []
    if not node.defnames:
        raise CannotInvert(
            "The statistics have no name, so that it is not known what they will be called. Name them."
        )
    name = parts_of(node.defnames)
    if _there_already(scene, node.if_not_exists, "statistics object", name):
        return []
    undos = _made(scene, "statistics object", name, f"DROP STATISTICS {quoted(*name)}")
    undos[0].of = scene.key("relation", table) if table else None
    return undos


def _user_mapping(scene: Scene, node: ast.CreateUserMappingStmt) -> list[Undo]:
    return [Undo([f"DROP USER MAPPING FOR {printed(node.user)} SERVER {quoted(node.servername)};"])]


def _subscription(scene: Scene, node: ast.CreateSubscriptionStmt) -> list[Undo]:
    raise CannotInvert(
        "A subscription has a slot on another server: write ALTER SUBSCRIPTION ... DISABLE, SET (slot_name = NONE) and"
        " DROP SUBSCRIPTION as that server needs it."
    )


def _transform(scene: Scene, node: ast.CreateTransformStmt) -> list[Undo]:
    return [Undo([f"DROP TRANSFORM FOR {printed(node.type_name)} LANGUAGE {quoted(node.lang)};"])]


HANDLERS: Mapping[type, _Handler] = {
    ast.CreateStmt: _table,
    ast.CreateForeignTableStmt: _foreign_table,
    ast.CreateTableAsStmt: _table_as,
    ast.ViewStmt: _view,
    ast.IndexStmt: _index,
    ast.CreateFunctionStmt: _routine,
    ast.CreateTrigStmt: _trigger,
    ast.RuleStmt: _rule,
    ast.CreatePolicyStmt: _policy,
    ast.CreateEnumStmt: _enum,
    ast.CreateRangeStmt: _range,
    ast.CompositeTypeStmt: _composite,
    ast.CreateDomainStmt: _domain,
    ast.CreateSeqStmt: _sequence,
    ast.CreateExtensionStmt: _extension,
    ast.DefineStmt: _define,
    ast.CreateCastStmt: _cast,
    ast.CreateConversionStmt: _conversion,
    ast.CreateOpClassStmt: _operator_class,
    ast.CreateOpFamilyStmt: _operator_family,
    ast.CreateStatsStmt: _statistics,
    ast.CreateUserMappingStmt: _user_mapping,
    ast.CreateSubscriptionStmt: _subscription,
    ast.CreateTransformStmt: _transform,
    ast.CreateAmStmt: _alone("ACCESS METHOD", "access method", lambda node: node.amname),
    ast.CreatePLangStmt: _alone("LANGUAGE", "language", lambda node: node.plname),
    ast.CreateFdwStmt: _alone("FOREIGN DATA WRAPPER", "foreign-data wrapper", lambda node: node.fdwname),
    ast.CreateForeignServerStmt: _alone("SERVER", "server", lambda node: node.servername, "if_not_exists"),
    ast.CreatePublicationStmt: _alone("PUBLICATION", "publication", lambda node: node.pubname),
    ast.CreateEventTrigStmt: _alone("EVENT TRIGGER", "event trigger", lambda node: node.trigname),
}
