# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ALTER TABLE taken back, subcommand by subcommand: each setting as the database had it before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pglast import ast, enums

from . import columns, constraints
from .altering import Altered, settings
from .names import Name, name_of, printed, quoted, unquoted
from .undo import CannotInvert, Scene, Undo, part

__all__ = ["alter_table"]

_At = enums.AlterTableType

# As PostgreSQL orders them within one statement (src/backend/commands/tablecmds.c, AlterTablePass).
_FIRST = (_At.AT_DropColumn, _At.AT_DropConstraint)
_SECOND = (_At.AT_AlterColumnType,)

_WORDS = {
    enums.ObjectType.OBJECT_INDEX: "INDEX",
    enums.ObjectType.OBJECT_VIEW: "VIEW",
    enums.ObjectType.OBJECT_MATVIEW: "MATERIALIZED VIEW",
    enums.ObjectType.OBJECT_SEQUENCE: "SEQUENCE",
    enums.ObjectType.OBJECT_FOREIGN_TABLE: "FOREIGN TABLE",
    enums.ObjectType.OBJECT_TYPE: "TYPE",
}


def alter_table(scene: Scene, node: ast.AlterTableStmt) -> list[Undo]:
    """What takes each of its subcommands back, in the order in which PostgreSQL carries them out.

    Raises:
        Unanswered: something has yet to be asked of the database.
    """
    name = name_of(node.relation)
    if scene.is_temporary(name):
        return []
    word = _WORDS.get(node.objtype, "TABLE")
    altered = Altered(scene, name, f"ALTER {word} {'' if node.relation.inh else 'ONLY '}{quoted(*name)}")
    if node.missing_ok and not altered.born and scene.find("relation", name) is None:
        return []
    undos = []
    for command in sorted(node.cmds, key=_turn):
        try:
            undo = _take_back(altered, command)
        except CannotInvert as reason:
            undo = Undo(cannot=[str(reason)])
        if undo is not None:
            undo.of = undo.of or altered.key
            scene.undos.append(undo)
            undos.append(undo)
    return undos


def _turn(command: ast.AlterTableCmd) -> int:
    return 0 if command.subtype in _FIRST else 1 if command.subtype in _SECOND else 2


def _take_back(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    if altered.born and command.subtype not in _ABOUT_OTHERS:
        return None
    handler = _HANDLERS.get(command.subtype)
    if handler is None:
        raise CannotInvert("The runbook does not know how to take this subcommand of ALTER TABLE back.")
    return handler(altered, command)


def _owner(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    return altered.undo(f"OWNER TO {altered.facts['owner']}")


def _options(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    wanted = [
        (f"{item.defnamespace}." if item.defnamespace else "") + item.defname for item in command.def_ or ()
    ]
    had = [
        *altered.facts["options"],
        *(f"toast.{option}" for option in altered.facts["toast_options"]),
    ]
    return altered.undo(*settings(wanted, had))


def _generic_options(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    return altered.undo(foreign_options(command.def_, altered.facts["foreign_options"]))


def foreign_options(items: Iterable[ast.DefElem], had: Sequence[str]) -> str:
    return columns.foreign_options(items, had)


def _cluster(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    index = altered.facts["clustered"]
    return altered.undo(f"CLUSTER ON {index}" if index else "SET WITHOUT CLUSTER")


def _persistence(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    return altered.undo("SET UNLOGGED" if altered.facts["persistence"] == "u" else "SET LOGGED")


def _tablespace(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    return altered.undo(f"SET TABLESPACE {altered.facts['tablespace']}")


def _access_method(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    return altered.undo(f"SET ACCESS METHOD {altered.facts['access_method'] or 'DEFAULT'}")


def _row_security(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    return altered.undo(f"{'ENABLE' if altered.facts['row_security'] else 'DISABLE'} ROW LEVEL SECURITY")


def _force_row_security(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    return altered.undo(f"{'' if altered.facts['force_row_security'] else 'NO '}FORCE ROW LEVEL SECURITY")


_IDENTITIES = {"d": "DEFAULT", "f": "FULL", "n": "NOTHING"}


def _replica_identity(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    kind = altered.facts["replica_identity"]
    index = altered.facts["replica_index"]
    return altered.undo(f"REPLICA IDENTITY {f'USING INDEX {index}' if kind == 'i' else _IDENTITIES[kind]}")


_STATES = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


#: What a subcommand makes of a trigger, as the catalogs have it.
_NEW_STATES = {
    _At.AT_EnableTrig: "O",
    _At.AT_EnableAlwaysTrig: "A",
    _At.AT_EnableReplicaTrig: "R",
    _At.AT_DisableTrig: "D",
    _At.AT_EnableTrigAll: "O",
    _At.AT_EnableTrigUser: "O",
    _At.AT_DisableTrigAll: "D",
    _At.AT_DisableTrigUser: "D",
}


def _note_state(altered: Altered, command: ast.AlterTableCmd, name: str) -> None:
    key = altered.scene.key("trigger", altered.name, name)
    altered.scene.triggers[key] = _NEW_STATES[command.subtype]


def _trigger(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    _note_state(altered, command, command.name)
    if altered.scene.key("trigger", altered.name, command.name) in altered.scene.born:
        return None
    return _state(altered, "triggers", "TRIGGER", command.name)


def _rule(altered: Altered, command: ast.AlterTableCmd) -> Undo | None:
    if altered.scene.key("rule", altered.name, command.name) in altered.scene.born:
        return None
    return _state(altered, "rules", "RULE", command.name)


def _state(altered: Altered, kind: str, word: str, name: str) -> Undo:
    before = part(altered.facts, kind, name)
    if before is None:
        raise CannotInvert(f"The database has no {word.lower()} {quoted(name)} on {quoted(*altered.name)}.")
    return altered.undo(f"{_STATES[before['enabled']]} {word} {quoted(name)}")


def _all_triggers(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    for trigger in altered.facts["triggers"].values():
        _note_state(altered, command, unquoted(trigger["name"]))
    whose = "ALL" if command.subtype in (_At.AT_EnableTrigAll, _At.AT_DisableTrigAll) else "USER"
    others = [
        f"{_STATES[trigger['enabled']]} TRIGGER {trigger['name']}"
        for trigger in altered.facts["triggers"].values()
        if trigger["enabled"] != "O"
    ]
    return altered.undo(f"ENABLE TRIGGER {whose}", *others)


def _inherit(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    return altered.undo(f"NO INHERIT {printed(command.def_)}")


def _no_inherit(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    raise CannotInvert(
        "NO INHERIT makes columns the table's own, for which there is no statement the other way round. INHERIT gives"
        " the rows back to the parent, and not that."
    )


def _of(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    kind = altered.facts["of_type"]
    return altered.undo(f"OF {kind}" if kind else "NOT OF")


def _attach(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    scene, child = altered.scene, name_of(command.def_.name)
    if node_is_index(altered):
        if altered.born and scene.is_born("relation", child):
            # It goes with the index of the parent, and no more without it.
            for undo in scene.undos:
                if undo.about == scene.key("relation", child):
                    undo.statements = []
            return Undo()
        raise CannotInvert("An index that is attached cannot be detached: write how both of them come back.")
    if altered.born and scene.is_born("relation", child):
        return Undo()  # goes with its parent; noted, so that nobody drops it alone
    if not scene.is_born("relation", child):
        parent = None if altered.born else altered.facts
        facts = scene.relation(child)
        # A partition has to have the checks of its parent before, and keeps them.
        gets = parent is None or parent["indexed"] or _keys(parent) or parent["triggers"]
        if facts["kind"] in ("i", "I") or gets:
            raise CannotInvert(
                f"ATTACH PARTITION gives {quoted(*child)} indexes, keys and triggers of its parent, and after DETACH"
                " PARTITION it keeps some of them: write which have to go."
            )
    return altered.undo(f"DETACH PARTITION {quoted(*child)}")


def _keys(facts: Mapping[str, Any]) -> list[str]:
    """Constraints of a table that are neither checks nor NOT NULL."""
    return [name for name, one in facts["constraints"].items() if one["type"] not in ("c", "n")]


def node_is_index(altered: Altered) -> bool:
    return altered.head.startswith("ALTER INDEX")


def _detach(altered: Altered, command: ast.AlterTableCmd) -> Undo:
    child = name_of(command.def_.name)
    facts = altered.scene.relation(child)
    undo = altered.undo(f"ATTACH PARTITION {quoted(*child)} {facts['bound']}")
    if command.def_.concurrent:
        check = _check_of_bounds(altered, child, facts)
        if check is None:
            undo.cannot.append(
                f"DETACH PARTITION CONCURRENTLY leaves {quoted(*child)} a check of its bounds: write the DROP"
                " CONSTRAINT for it."
            )
        else:
            gone = f"ALTER TABLE {quoted(*child)} DROP CONSTRAINT IF EXISTS {quoted(check)};"
            undo.statements.insert(0, gone)
    return undo


def _check_of_bounds(altered: Altered, child: Name, facts: Mapping[str, Any]) -> str | None:
    """What PostgreSQL calls the check that it leaves (tablecmds.c, DetachAddConstraintIfNeeded).

    Where a check that is there says as much already it leaves none.
    """
    columns = altered.facts["partition_columns"]
    if altered.facts["partition"] or len(columns) != 1 or columns[0] is None:
        return None
    taken = {unquoted(name) for name in facts["constraints"]}
    return constraints.chosen_name(altered.scene, child, columns, "check", taken)


_HANDLERS: Mapping[Any, Callable[[Altered, ast.AlterTableCmd], Undo | None]] = {
    **columns.HANDLERS,
    **constraints.HANDLERS,
    _At.AT_ChangeOwner: _owner,
    _At.AT_SetRelOptions: _options,
    _At.AT_ResetRelOptions: _options,
    _At.AT_GenericOptions: _generic_options,
    _At.AT_ClusterOn: _cluster,
    _At.AT_DropCluster: _cluster,
    _At.AT_SetLogged: _persistence,
    _At.AT_SetUnLogged: _persistence,
    _At.AT_SetTableSpace: _tablespace,
    _At.AT_SetAccessMethod: _access_method,
    _At.AT_EnableRowSecurity: _row_security,
    _At.AT_DisableRowSecurity: _row_security,
    _At.AT_ForceRowSecurity: _force_row_security,
    _At.AT_NoForceRowSecurity: _force_row_security,
    _At.AT_ReplicaIdentity: _replica_identity,
    _At.AT_EnableTrig: _trigger,
    _At.AT_EnableAlwaysTrig: _trigger,
    _At.AT_EnableReplicaTrig: _trigger,
    _At.AT_DisableTrig: _trigger,
    _At.AT_EnableTrigAll: _all_triggers,
    _At.AT_DisableTrigAll: _all_triggers,
    _At.AT_EnableTrigUser: _all_triggers,
    _At.AT_DisableTrigUser: _all_triggers,
    _At.AT_EnableRule: _rule,
    _At.AT_EnableAlwaysRule: _rule,
    _At.AT_EnableReplicaRule: _rule,
    _At.AT_DisableRule: _rule,
    _At.AT_AddInherit: _inherit,
    _At.AT_DropInherit: _no_inherit,
    _At.AT_AddOf: _of,
    _At.AT_DropOf: _of,
    _At.AT_AttachPartition: _attach,
    _At.AT_DetachPartition: _detach,
}

# Subcommands that reach beyond a table that the script itself has made: it would take a partition with it.
_ABOUT_OTHERS = (_At.AT_AttachPartition, _At.AT_AddConstraint, _At.AT_AddColumn, _At.AT_ColumnDefault)
