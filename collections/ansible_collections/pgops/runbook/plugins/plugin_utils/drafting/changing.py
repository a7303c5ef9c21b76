# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which statement takes back which; and the ALTERs beside those of tables and of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pglast import ast

from .addresses import address_of, born_key
from .again import remade
from .describing import comment, label
from .dropping import drop
from .names import Name, literal, name_of, parts_of, quoted
from .renaming import owner, rename, set_schema
from .undo import CannotInvert, Scene, Undo

__all__ = ["HANDLERS"]

_Handler = Callable[[Scene, Any], "list[Undo]"]


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
        _goes_with_its_column(scene, name, node)
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


def _goes_with_its_column(scene: Scene, name: Name, node: ast.AlterSeqStmt) -> None:
    """A sequence of the script's own need not be dropped where what owns it is: nor could it, beside its default."""
    for option in node.options or ():
        if option.defname != "owned_by":
            continue
        owner = [part.sval for part in option.arg]
        if len(owner) > 1 and scene.is_born("column", tuple(owner[:-1]), owner[-1]):
            for undo in scene.undos:
                if undo.about == scene.key("relation", name):
                    undo.statements = []


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
        if born_key(scene, kind, name, []) in scene.born or (on and scene.is_born("relation", name[:-1])):
            return []
        where = f"{quoted(name[-1])} ON {quoted(*name[:-1])}" if on else quoted(*name)
        undo = remade(scene, f"DROP {word} {where};", kind, name)
        undo.of = scene.key("relation", name[:-1]) if on else None
        return [undo]

    return handler


HANDLERS: Mapping[type, _Handler] = {
    ast.DropStmt: drop,
    ast.RenameStmt: rename,
    ast.AlterObjectSchemaStmt: set_schema,
    ast.AlterOwnerStmt: owner,
    ast.CommentStmt: comment,
    ast.SecLabelStmt: label,
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
