# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""RENAME, SET SCHEMA and OWNER TO taken back."""

from __future__ import annotations

import copy

from pglast import ast, enums

from .addresses import ON_TABLES, address_of, is_born
from .names import Name, name_of, parts_of, printed, quoted, role_of, unquoted
from .undo import CannotInvert, Scene, Undo

__all__ = ["owner", "rename", "set_schema"]

_Object = enums.ObjectType


def rename(scene: Scene, node: ast.RenameStmt) -> list[Undo]:
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
    if node.renameType in ON_TABLES:
        back.subname, back.newname = node.newname, node.subname
        return [Undo([f"{printed(back)};"], of=scene.key("relation", name))]
    to = (*name[:-1], node.newname)
    back.relation.relname, back.newname = node.newname, name[-1]
    undo = Undo([f"{printed(back)};"], about=scene.key("relation", to))
    scene.renamed("relation", name, to)
    return [undo]


def set_schema(scene: Scene, node: ast.AlterObjectSchemaStmt) -> list[Undo]:
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


def owner(scene: Scene, node: ast.AlterOwnerStmt) -> list[Undo]:
    item = node.object if node.object is not None else node.relation
    kind, name, args = address_of(node.objectType, item)
    if is_born(scene, kind, name, args):
        return []
    facts = scene.find(kind, name, args)
    if facts is None or facts["owner"] is None:
        raise CannotInvert(
            f"The database has no {kind} {quoted(*name)}, so that it is not known whose it was."
        )
    back = copy.deepcopy(node)
    back.newowner = role_of(facts["owner"])
    return [Undo([f"{printed(back)};"])]
