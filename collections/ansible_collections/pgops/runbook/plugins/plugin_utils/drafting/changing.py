# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""DROP, RENAME, SET SCHEMA, OWNER TO, COMMENT and the ALTERs beside ALTER TABLE taken back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pglast import ast, enums

from .again import made_again, remade, with_rows
from .names import Name, literal, name_of, parts_of, printed, quoted, role_of, types_of, unquoted
from .undo import CannotInvert, Scene, Undo

__all__ = ["HANDLERS", "address_of"]

_Object = enums.ObjectType
_Handler = Callable[[Scene, Any], "list[Undo]"]

_RELATIONS = (
    _Object.OBJECT_TABLE,
    _Object.OBJECT_VIEW,
    _Object.OBJECT_MATVIEW,
    _Object.OBJECT_INDEX,
    _Object.OBJECT_SEQUENCE,
    _Object.OBJECT_FOREIGN_TABLE,
)
_ROUTINES = (
    _Object.OBJECT_FUNCTION,
    _Object.OBJECT_PROCEDURE,
    _Object.OBJECT_ROUTINE,
    _Object.OBJECT_AGGREGATE,
)
_ON_TABLES = {_Object.OBJECT_TRIGGER: "trigger", _Object.OBJECT_RULE: "rule", _Object.OBJECT_POLICY: "policy"}

#: The parser's word -> that of pg_get_object_address.
_KINDS = {
    _Object.OBJECT_AGGREGATE: "aggregate",
    _Object.OBJECT_FUNCTION: "function",
    _Object.OBJECT_PROCEDURE: "procedure",
    _Object.OBJECT_ROUTINE: "routine",
    _Object.OBJECT_CAST: "cast",
    _Object.OBJECT_COLLATION: "collation",
    _Object.OBJECT_CONVERSION: "conversion",
    _Object.OBJECT_DOMAIN: "type",
    _Object.OBJECT_TYPE: "type",
    _Object.OBJECT_EVENT_TRIGGER: "event trigger",
    _Object.OBJECT_EXTENSION: "extension",
    _Object.OBJECT_FDW: "foreign-data wrapper",
    _Object.OBJECT_FOREIGN_SERVER: "server",
    _Object.OBJECT_LANGUAGE: "language",
    _Object.OBJECT_LARGEOBJECT: "large object",
    _Object.OBJECT_OPCLASS: "operator class",
    _Object.OBJECT_OPERATOR: "operator",
    _Object.OBJECT_OPFAMILY: "operator family",
    _Object.OBJECT_PUBLICATION: "publication",
    _Object.OBJECT_SCHEMA: "schema",
    _Object.OBJECT_STATISTIC_EXT: "statistics object",
    _Object.OBJECT_TSCONFIGURATION: "text search configuration",
    _Object.OBJECT_TSDICTIONARY: "text search dictionary",
    _Object.OBJECT_TSPARSER: "text search parser",
    _Object.OBJECT_TSTEMPLATE: "text search template",
    _Object.OBJECT_ACCESS_METHOD: "access method",
    _Object.OBJECT_TABCONSTRAINT: "table constraint",
    _Object.OBJECT_DOMCONSTRAINT: "domain constraint",
    _Object.OBJECT_COLUMN: "table column",
    **_ON_TABLES,
}


def address_of(objtype: Any, item: Any) -> tuple[str, Name, list[str]]:
    """Kind, names and arguments by which the database finds an object, of how the parser has it.

    Raises:
        CannotInvert: of a kind that is not known here.
    """
    if objtype in _RELATIONS:
        return "relation", name_of(item) if isinstance(item, ast.RangeVar) else parts_of(item), []
    kind = _KINDS.get(objtype)
    if kind is None:
        raise CannotInvert("The runbook does not know how objects of this kind are made.")
    if isinstance(item, ast.ObjectWithArgs):
        if item.args_unspecified:
            return "routine of any arguments", parts_of(item.objname), []
        return kind, parts_of(item.objname), types_of(item.objargs)
    if isinstance(item, ast.TypeName):
        return kind, (quoted(*parts_of(item.names)),), []
    if isinstance(item, ast.String):
        return kind, (item.sval,), []
    if objtype == _Object.OBJECT_CAST:
        return kind, (types_of([item[0]])[0],), types_of([item[1]])
    if objtype in (_Object.OBJECT_OPCLASS, _Object.OBJECT_OPFAMILY):
        # The access method comes first, to the parser as to the database.
        return kind, parts_of(item), []
    if objtype == _Object.OBJECT_DOMCONSTRAINT:
        return kind, (quoted(*parts_of(item[0].names)),), [item[1].sval]
    if objtype == _Object.OBJECT_LARGEOBJECT:
        return kind, (str(getattr(item, "ival", getattr(item, "fval", ""))),), []
    return kind, parts_of(item), []


def _born_key(scene: Scene, kind: str, name: Name, args: Sequence[str]) -> tuple[str, ...]:
    if kind in ("function", "procedure", "routine"):
        return scene.key("routine", name, ", ".join(args))
    if kind in ("trigger", "rule", "policy"):
        return scene.key(kind, name[:-1], name[-1])
    if kind == "type":
        return scene.key("type", tuple(unquoted(part) for part in _split(name[0])))
    if kind == "cast":
        return ("cast", *name, *args)
    if kind in ("operator class", "operator family"):
        return scene.key(kind, name[1:], name[0])
    if kind in (
        "extension",
        "schema",
        "server",
        "publication",
        "event trigger",
        "language",
        "access method",
        "foreign-data wrapper",
    ):
        return (kind, *name)
    return scene.key(kind, name, *args)


def _is_born(scene: Scene, kind: str, name: Name, args: Sequence[str]) -> bool:
    if kind == "routine of any arguments":
        return scene.is_routine_born(name)
    if kind == "domain constraint":
        return _born_key(scene, "type", name, ()) in scene.born
    return _born_key(scene, kind, name, args) in scene.born


def _split(name: str) -> list[str]:
    """The parts of a quoted name."""
    import re

    return re.findall(r'"(?:[^"]|"")*"|[^."]+', name)


# DROP ----------------------------------------------------------------------------------------------------------


def _drop(scene: Scene, node: ast.DropStmt) -> list[Undo]:
    cascade = node.behavior == enums.DropBehavior.DROP_CASCADE
    there: list[tuple[str, Name, list[str]]] = []
    for item in node.objects:
        kind, name, args = address_of(node.removeType, item)
        if kind == "relation" and scene.is_temporary(name):
            scene.temporary.discard(name[-1])
            continue
        if scene.erase(_born_key(scene, kind, name, args)):
            continue
        if kind in ("trigger", "rule", "policy") and scene.is_born("relation", name[:-1]):
            continue
        if kind == "routine of any arguments" and scene.is_routine_born(name):
            raise CannotInvert("The script makes a routine of this name: say which arguments it has.")
        there.append((kind, name, args))
    if not there:
        return []
    if node.missing_ok:
        there = [one for one in there if scene.find(*one) is not None]
        if not there:
            return []
    return [_dropped(scene, there, cascade)]


def _dropped(scene: Scene, there: Sequence[tuple[str, Name, list[str]]], cascade: bool) -> Undo:
    loses = []
    for kind, name, args in there:
        facts = scene.find(kind, name, args)
        if facts is None:
            raise CannotInvert(
                f"The database has no {kind} {quoted(*name)}, so that it is not known what it was before."
            )
        loses += with_rows(facts)
        if any(one["disabled"] for one in facts.get("constraints", {}).values()):
            raise CannotInvert(
                f"Triggers of a constraint of {quoted(*name)} are disabled, which no definition says."
            )
    (kind, name, args), *others = there
    beside = [
        {"type": other, "names": scene.name_in_database(other, called), "args": list(given)}
        for other, called, given in others
    ]
    options = {"dump": True, "cascade": cascade, **({"beside": beside} if beside else {})}
    facts = scene.find(kind, name, args, **options)
    undo = made_again(scene, facts or {"made": {"statements": [], "columns": []}}, Undo(loses=loses))
    for kind, name, args in there:
        scene.erase(_born_key(scene, kind, name, args))
        scene.gone.add(_born_key(scene, kind, name, args))
    if not undo.statements:
        undo.cannot.append("pg_dump writes nothing that makes it again.")
    return undo


# RENAME, SET SCHEMA, OWNER -------------------------------------------------------------------------------------


def _rename(scene: Scene, node: ast.RenameStmt) -> list[Undo]:
    back = copy.deepcopy(node)
    kind = node.renameType
    back.missing_ok = False
    if node.relation is not None:
        return _rename_of_relation(scene, node, back)
    if kind in (
        _Object.OBJECT_SCHEMA,
        _Object.OBJECT_FDW,
        _Object.OBJECT_FOREIGN_SERVER,
        _Object.OBJECT_LANGUAGE,
        _Object.OBJECT_PUBLICATION,
        _Object.OBJECT_SUBSCRIPTION,
        _Object.OBJECT_EVENT_TRIGGER,
    ):
        old = node.object.sval if node.object is not None else node.subname
        if back.object is not None:
            back.object = ast.String(node.newname)
        else:
            back.subname = node.newname
        back.newname = old
        return [Undo([f"{printed(back)};"])]
    if kind == _Object.OBJECT_DOMCONSTRAINT:
        back.subname, back.newname = node.newname, node.subname
        return [Undo([f"{printed(back)};"])]
    names = back.object.objname if isinstance(back.object, ast.ObjectWithArgs) else back.object
    if kind in (_Object.OBJECT_ROLE, _Object.OBJECT_DATABASE, _Object.OBJECT_TABLESPACE) or names is None:
        raise CannotInvert("It is about the whole server, and not about this database.")
    old = names[-1].sval
    renamed = (*names[:-1], ast.String(node.newname))
    if isinstance(back.object, ast.ObjectWithArgs):
        back.object.objname = renamed
    else:
        back.object = renamed
    back.newname = old
    if kind in (_Object.OBJECT_TYPE, _Object.OBJECT_DOMAIN):
        scene.renamed("type", parts_of(names), (*parts_of(names)[:-1], node.newname))
    return [Undo([f"{printed(back)};"])]


def _rename_of_relation(scene: Scene, node: ast.RenameStmt, back: ast.RenameStmt) -> list[Undo]:
    name = name_of(node.relation)
    if scene.is_temporary(name):
        return []
    if node.missing_ok and not scene.is_born("relation", name) and scene.find("relation", name) is None:
        return []
    if node.renameType in (_Object.OBJECT_COLUMN, _Object.OBJECT_TABCONSTRAINT, _Object.OBJECT_ATTRIBUTE):
        back.subname, back.newname = node.newname, node.subname
        kind = "constraint" if node.renameType == _Object.OBJECT_TABCONSTRAINT else "column"
        about = scene.key(kind, name, node.newname)
        undo = Undo([f"{printed(back)};"], about=about, of=scene.key("relation", name))
        if not scene.is_born("relation", name):
            scene.renamed(kind, name, name, node.subname, node.newname)
            if kind == "constraint":
                scene._names[scene.key("column", name, node.newname)] = (node.subname,)
        return [undo]
    if node.renameType in _ON_TABLES:
        back.subname, back.newname = node.newname, node.subname
        return [Undo([f"{printed(back)};"], of=scene.key("relation", name))]
    to = (*name[:-1], node.newname)
    back.relation.relname, back.newname = node.newname, name[-1]
    undo = Undo([f"{printed(back)};"], about=scene.key("relation", to))
    scene.renamed("relation", name, to)
    return [undo]


def _set_schema(scene: Scene, node: ast.AlterObjectSchemaStmt) -> list[Undo]:
    back = copy.deepcopy(node)
    back.missing_ok = False
    if node.relation is not None:
        name = name_of(node.relation)
        if scene.is_temporary(name):
            return []
        if node.missing_ok and not scene.is_born("relation", name) and scene.find("relation", name) is None:
            return []
        # Where it was found on the search_path is not where that would make one.
        before = name[0] if len(name) > 1 else _schema_of(scene, "relation", name)
        to = (node.newschema, name[-1])
        back.relation.schemaname, back.newschema = node.newschema, before
        undo = Undo([f"{printed(back)};"], about=scene.key("relation", to))
        scene.renamed("relation", name if len(name) > 1 else (before, *name), to)
        return [undo]
    kind, name, args = address_of(node.objectType, node.object)
    if kind == "extension":
        facts = scene.find(kind, name)
        raise (
            CannotInvert("Write ALTER EXTENSION ... SET SCHEMA with the schema it was in.")
            if facts
            else CannotInvert(f"The database has no extension {quoted(*name)}.")
        )
    names = back.object.objname if isinstance(back.object, ast.ObjectWithArgs) else back.object
    if not isinstance(names, tuple):
        raise CannotInvert("The runbook does not know how to take this back.")
    parts = parts_of(names)
    facts = scene.find(kind, name, args)
    before = parts[0] if len(parts) > 1 else unquoted(facts["schema"]) if facts else scene.schema()
    moved = (ast.String(node.newschema), names[-1])
    if isinstance(back.object, ast.ObjectWithArgs):
        back.object.objname = moved
    else:
        back.object = moved
    back.newschema = before
    if kind == "type":
        scene.renamed("type", parts if len(parts) > 1 else (before, *parts), (node.newschema, parts[-1]))
    return [Undo([f"{printed(back)};"])]


def _schema_of(scene: Scene, kind: str, name: Name) -> str:
    if scene.is_born(kind, name):
        return scene.schema()
    return unquoted(scene.relation(name)["schema"])


def _owner(scene: Scene, node: ast.AlterOwnerStmt) -> list[Undo]:
    item = node.object if node.object is not None else node.relation
    kind, name, args = address_of(node.objectType, item)
    if _is_born(scene, kind, name, args):
        return []
    facts = scene.find(kind, name, args)
    if facts is None or facts["owner"] is None:
        raise CannotInvert(
            f"The database has no {kind} {quoted(*name)}, so that it is not known whose it was."
        )
    back = copy.deepcopy(node)
    back.newowner = role_of(facts["owner"])
    return [Undo([f"{printed(back)};"])]


# What is said of objects ---------------------------------------------------------------------------------------


def _described(scene: Scene, node: Any) -> Mapping[str, Any] | None:
    """The object that a comment or label is about, as the database has it; None where the script has made it.

    Raises:
        Unanswered, CannotInvert: the database has none.
    """
    objtype, item = node.objtype, node.object
    if objtype == _Object.OBJECT_COLUMN:
        *table, column = parts_of(item)
        if scene.is_temporary(tuple(table)) or scene.is_born("column", tuple(table), column):
            return None
        relation = scene.relation(tuple(table))
        live = scene.column_in_database(tuple(table), column)
        found = relation["columns"].get(quoted(live))
        if found is None:
            raise CannotInvert(f"The database has no column {quoted(live)} of {quoted(*table)}.")
        return {"comment": found["comment"], "labels": {}}
    if objtype in (_Object.OBJECT_ROLE, _Object.OBJECT_DATABASE, _Object.OBJECT_TABLESPACE):
        raise CannotInvert("It is about the whole server, and not about what is in this database.")
    kind, name, args = address_of(objtype, item)
    if kind == "relation" and scene.is_temporary(name):
        return None
    if _is_born(scene, kind, name, args):
        return None
    if kind == "table constraint" and scene.is_born("constraint", name[:-1], name[-1]):
        return None
    if kind in _ON_TABLES.values() and scene.is_born("relation", name[:-1]):
        return None
    if kind in ("table constraint", *_ON_TABLES.values()):
        names = [*scene.name_in_database("relation", name[:-1]), name[-1]]
        facts = scene.live.ask(kind, names, (), **({"path": scene.path} if scene.path is not None else {}))
    else:
        facts = scene.find(kind, name, args)
    if facts is None:
        raise CannotInvert(
            f"The database has no {kind} {quoted(*name)}, so that it is not known what was said of it."
        )
    return facts


def _comment(scene: Scene, node: ast.CommentStmt) -> list[Undo]:
    facts = _described(scene, node)
    if facts is None:
        return []
    back = copy.deepcopy(node)
    back.comment = "x"
    text = printed(back)
    # The printer's own constants know nothing of backslashes.
    head = text[: text.rindex(" IS ")]
    return [Undo([f"{head} IS {literal(facts['comment'])};"])]


def _label(scene: Scene, node: ast.SecLabelStmt) -> list[Undo]:
    facts = _described(scene, node)
    if facts is None:
        return []
    if node.objtype == _Object.OBJECT_COLUMN:
        raise CannotInvert("The label that the column had is not read: write it.")
    if not node.provider:
        raise CannotInvert("It names no provider: FOR <provider>.")
    back = copy.deepcopy(node)
    back.label = "x"
    text = printed(back)
    head = text[: text.rindex(" IS ")]
    return [Undo([f"{head} IS {literal(facts['labels'].get(node.provider))};"])]


# Other ALTERs --------------------------------------------------------------------------------------------------


def _enum(scene: Scene, node: ast.AlterEnumStmt) -> list[Undo]:
    name = parts_of(node.typeName)
    if scene.is_born("type", name):
        return []
    if node.oldVal:
        back = f"ALTER TYPE {quoted(*name)} RENAME VALUE {literal(node.newVal)} TO {literal(node.oldVal)};"
        return [Undo([back])]
    facts = scene.find("type", (quoted(*scene.name_in_database("type", name)),))
    if facts is None:
        raise CannotInvert(f"The database has no type {quoted(*name)}.")
    if node.skipIfNewValExists and node.newVal in (facts["labels of enum"] or ()):
        return []
    where = quoted(*name) if len(name) > 1 else f"{facts['schema']}.{quoted(*name)}"
    if where.startswith("public."):
        where = where[len("public.") :]
    return [
        Undo(
            leaves=[f"enum label {where}.{node.newVal}"],
            notes=[f"No statement takes label {node.newVal} out of {quoted(*name)}: it stays."],
        )
    ]


def _domain(scene: Scene, node: ast.AlterDomainStmt) -> list[Undo]:
    name = parts_of(node.typeName)
    if scene.is_born("type", name):
        return []
    facts = scene.find("type", (quoted(*scene.name_in_database("type", name)),))
    if facts is None or not facts.get("domain"):
        raise CannotInvert(f"The database has no domain {quoted(*name)}.")
    before, head = facts["domain"], f"ALTER DOMAIN {quoted(*name)}"
    kind = node.subtype if isinstance(node.subtype, str) else node.subtype.value
    if kind == "T":
        default = before["default"]
        return [Undo([f"{head} SET DEFAULT {default};" if default is not None else f"{head} DROP DEFAULT;"])]
    if kind in ("N", "O"):
        return [Undo([f"{head} {'SET' if before['not_null'] else 'DROP'} NOT NULL;"])]
    if kind == "C":
        if not node.def_.conname:
            raise CannotInvert(
                "The constraint has no name, so that it is not known what it will be called. Name it."
            )
        scene.make(scene.key("domain constraint", name, node.def_.conname))
        return [Undo([f"{head} DROP CONSTRAINT {quoted(node.def_.conname)};"])]
    constraint = before["constraints"].get(quoted(node.name))
    if before["nested"]:
        raise CannotInvert(
            f"Arrays or other types are made of domain {quoted(*name)}, so that PostgreSQL adds no valid"
            " constraint to it."
        )
    if scene.key("domain constraint", name, node.name) in scene.born and kind == "V":
        return []
    if constraint is None or kind not in ("X", "V"):
        raise CannotInvert(f"The database has no constraint {quoted(node.name or '')} of {quoted(*name)}.")
    if kind == "V" and constraint["validated"]:
        return []
    again = f"{head} ADD CONSTRAINT {quoted(node.name)} {constraint['definition']};"
    comment = constraint["comment"]
    said = (
        [f"COMMENT ON CONSTRAINT {quoted(node.name)} ON DOMAIN {quoted(*name)} IS {literal(comment)};"]
        if comment
        else []
    )
    dropped = [f"{head} DROP CONSTRAINT {quoted(node.name)};"] if kind == "V" else []
    return [Undo([*dropped, again, *said])]


def _sequence(scene: Scene, node: ast.AlterSeqStmt) -> list[Undo]:
    name = name_of(node.sequence)
    if scene.is_born("relation", name) or scene.is_temporary(name):
        return []
    if node.missing_ok and scene.find("relation", name) is None:
        return []
    facts = scene.relation(name)["sequence"]
    if facts is None:
        raise CannotInvert(f"{quoted(*name)} is no sequence in the database.")
    if any(item.defname == "restart" for item in node.options or ()):
        raise CannotInvert(
            "RESTART sets where the numbers go on; where they stood is not known when this is taken back."
        )
    changed = {item.defname for item in node.options or ()}
    words = []
    if changed - {"owned_by"}:
        words += [
            f"AS {facts['type']} INCREMENT BY {facts['increment']} MINVALUE {facts['minimum']}"
            f" MAXVALUE {facts['maximum']} START WITH {facts['start']} CACHE {facts['cache']}"
            f" {'' if facts['cycle'] else 'NO '}CYCLE"
        ]
    if "owned_by" in changed:
        words.append(f"OWNED BY {facts['owned_by'] or 'NONE'}")
    return [Undo([f"ALTER SEQUENCE {quoted(*name)} {' '.join(words)};"], about=scene.key("relation", name))]


def _function(scene: Scene, node: ast.AlterFunctionStmt) -> list[Undo]:
    kind, name, args = address_of(node.objtype, node.func)
    if scene.key("routine", name, ", ".join(args)) in scene.born:
        return []
    facts = scene.find(kind, name, args)
    if facts is None or not facts["definition"]:
        raise CannotInvert(
            f"The database has no {kind} {quoted(*name)}, so that it is not known what it was before."
        )
    return [Undo([facts["definition"].rstrip() + ";"], about=scene.key("routine", name, ", ".join(args)))]


def _event_trigger(scene: Scene, node: ast.AlterEventTrigStmt) -> list[Undo]:
    name = (node.trigname,)
    if ("event trigger", *name) in scene.born:
        return []
    facts = scene.find("event trigger", name)
    if facts is None:
        raise CannotInvert(f"The database has no event trigger {quoted(*name)}.")
    state = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}[facts["enabled"]]
    return [Undo([f"ALTER EVENT TRIGGER {quoted(*name)} {state};"])]


def _whole(word: str, kind: str, names: Callable[[Any], Name], on: bool = False) -> _Handler:
    """What holds nothing but its definition: dropped, and made again as it was."""

    def handler(scene: Scene, node: Any) -> list[Undo]:
        name = names(node)
        if _born_key(scene, kind, name, []) in scene.born or (on and scene.is_born("relation", name[:-1])):
            return []
        where = f"{quoted(name[-1])} ON {quoted(*name[:-1])}" if on else quoted(*name)
        undo = remade(scene, f"DROP {word} {where};", kind, name)
        undo.of = scene.key("relation", name[:-1]) if on else None
        return [undo]

    return handler


HANDLERS: Mapping[type, _Handler] = {
    ast.DropStmt: _drop,
    ast.RenameStmt: _rename,
    ast.AlterObjectSchemaStmt: _set_schema,
    ast.AlterOwnerStmt: _owner,
    ast.CommentStmt: _comment,
    ast.SecLabelStmt: _label,
    ast.AlterEnumStmt: _enum,
    ast.AlterDomainStmt: _domain,
    ast.AlterSeqStmt: _sequence,
    ast.AlterFunctionStmt: _function,
    ast.AlterEventTrigStmt: _event_trigger,
    ast.AlterPolicyStmt: _whole(
        "POLICY", "policy", lambda node: (*name_of(node.table), node.policy_name), on=True
    ),
    ast.AlterPublicationStmt: _whole("PUBLICATION", "publication", lambda node: (node.pubname,)),
    ast.AlterStatsStmt: _whole("STATISTICS", "statistics object", lambda node: parts_of(node.defnames)),
    ast.AlterTSConfigurationStmt: _whole(
        "TEXT SEARCH CONFIGURATION", "text search configuration", lambda node: parts_of(node.cfgname)
    ),
    ast.AlterTSDictionaryStmt: _whole(
        "TEXT SEARCH DICTIONARY", "text search dictionary", lambda node: parts_of(node.dictname)
    ),
}
