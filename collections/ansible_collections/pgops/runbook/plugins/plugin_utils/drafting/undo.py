# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How one statement is taken back, and what a draft knows of the objects while it reads the statements in turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .live import Live
from .names import Name, quoted, unquoted

__all__ = ["CannotInvert", "Key", "Scene", "Undo", "part"]

#: Kind and name of an object: ("relation", schema, name), ("column", schema, table, column) ...
Key = tuple[str, ...]


class CannotInvert(Exception):
    """A statement that nothing takes back, or of which it is not known what would; says why, in one sentence."""


@dataclass
class Undo:
    """What takes one statement back.

    Attributes:
        statements: to send, in this order.
        about: the object that they are about; dropped later on in the script, it comes back as it was, without them.
        of: the relation that this object is part of, and with which it comes back likewise.
        loses: what of the rows of before is not given back, in sentences; somebody has to decide about it.
        cannot: why part of the statement is not taken back, in sentences.
        leaves: what the rollback leaves, as its header names it.
        destroys: what it destroys of what users wrote: "", "PARTIAL" or "COMPLETE".
        notes: sentences that a reader should know, and that ask for nothing.
        entries: of a dump of the database, which its statements make.
        only_indexes: they only drop an index that was built CONCURRENTLY.
    """

    statements: list[str] = field(default_factory=list)
    about: Key | None = None
    of: Key | None = None
    loses: list[str] = field(default_factory=list)
    cannot: list[str] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    destroys: str = ""
    notes: list[str] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)
    only_indexes: bool = False


class Scene:
    """What exists while the statements are read, as far as it is not as the database has it."""

    def __init__(self, live: Live, version: str = "") -> None:
        self.live = live
        self.version = version
        self.around = live.ask("context", ())
        self.path: list[str] | None = None
        self.undos: list[Undo] = []
        #: What the script has made, in its order.
        self.born: dict[Key, int] = {}
        self._count = 0
        #: Of the database, what the script has dropped, and whose name is free.
        self.gone: set[Key] = set()
        self.temporary: set[str] = set()
        self._names: dict[Key, Name] = {}
        #: Whose the objects are that the script makes, where it has said so.
        self.role: str | None = None
        #: Triggers whose state the script has set, as the catalogs have it; and whether it plays a replica.
        self.triggers: dict[Key, str] = {}
        self.replica = False
        #: Of the script's own: types under its domains, columns of its indexes, and what it has prepared.
        self.domains: dict[Key, Any] = {}
        self.indexed: dict[Key, list[str]] = {}
        self.prepared: dict[str, Any] = {}
        #: Columns that it makes identity columns; and queries of SQL functions that end with the session.
        self.identities: set[Key] = set()
        self.functions: dict[str, list[Any]] = {}

    # Names ---------------------------------------------------------------------------------------------------

    def schema(self) -> str:
        """Where an object is made that the script names without a schema."""
        schemas = self.path if self.path is not None else (self.around or {}).get("schemas") or ["public"]
        return schemas[0] if schemas else "public"

    def key(self, kind: str, name: Name, *parts: str) -> Key:
        """The key of an object in a schema, or of a part of it."""
        whole = name if len(name) > 1 else (self.schema(), *name)
        return (kind, *whole[-2:], *parts)

    def name_in_database(self, kind: str, name: Name, *parts: str) -> list[str]:
        """What the database calls it, which knows nothing of the script's renaming."""
        return list(self._names.get(self.key(kind, name, *parts), (*name, *parts)))

    def column_in_database(self, name: Name, column: str) -> str:
        return self._names.get(self.key("column", name, column), (column,))[-1]

    def renamed(self, kind: str, name: Name, to: Name, *parts: str) -> None:
        """An object has another name from here on."""
        old, new = self.key(kind, name, *parts[:-1]), self.key(kind, to, *parts[:-1])
        if parts:  # a part: its table stays, its last name changes
            old, new = self.key(kind, name, parts[0]), self.key(kind, name, parts[1])
        if old in self.born:
            self.born[new] = self.born.pop(old)
        else:
            self._names[new] = self._names.pop(old, (parts[0],) if parts else name)
        for undo in self.undos:
            undo.about = new if undo.about == old else undo.about
            undo.of = new if undo.of == old else undo.of
        if not parts:
            self._parts_go_along(old, new)

    def _parts_go_along(self, old: Key, new: Key) -> None:
        def moved(key: Key) -> Key:
            within = len(key) > 3 and key[1:3] == old[1:]
            return (key[0], *new[1:], *key[3:]) if within else key

        self.born = {moved(key): place for key, place in self.born.items()}
        self._names = {moved(key): name for key, name in self._names.items()}
        for undo in self.undos:
            undo.about = moved(undo.about) if undo.about else None

    def make(self, key: Key) -> None:
        """Note that the script makes it."""
        self._count += 1
        self.born.setdefault(key, self._count)

    def rests_on_later(self, table: Key, names: Iterable[Name]) -> bool:
        """Whether one of the names is of what the script makes after the table, and so takes back before it."""
        since = self.born.get(table, 0)
        return any(
            place > since and key[0] in ("relation", "routine", "type") and key[1:3] in _whole(self, names)
            for key, place in self.born.items()
        )

    # Objects -------------------------------------------------------------------------------------------------

    def is_born(self, kind: str, name: Name, *parts: str) -> bool:
        """Whether the script itself has made it, or what it is a part of."""
        return self.key(kind, name, *parts) in self.born or (
            bool(parts) and self.key("relation", name) in self.born
        )

    def is_routine_born(self, name: Name) -> bool:
        """Whether the script itself has made a routine of this name, whatever its arguments."""
        _, schema, called = self.key("routine", name)
        return any(
            (key[0], key[1], key[2]) == ("routine", schema, called) for key in self.born if len(key) > 2
        )

    def is_temporary(self, name: Name) -> bool:
        return name[0] == "pg_temp" or (len(name) == 1 and name[0] in self.temporary)

    def relation(self, name: Name) -> Mapping[str, Any]:
        """What the database has under the name that the script uses here.

        Raises:
            Unanswered, CannotInvert: there is none.
        """
        facts = self.find("relation", name)
        if facts is None:
            raise CannotInvert(
                f"The database has no {quoted(*name)}, so that it is not known what it was before."
            )
        return facts

    def find(
        self, kind: str, name: Name, args: Sequence[str] = (), **options: Any
    ) -> Mapping[str, Any] | None:
        """As relation(), of any kind; None where there is none."""
        if self.path is not None:
            options["path"] = self.path
        return self.live.ask(kind, self.name_in_database(kind, name), args, **options)

    def erase(self, key: Key) -> bool:
        """Forget what was noted of an object and its parts, which comes back as it was; says if the script made it."""
        for undo in self.undos:
            about = undo.about
            part_of_it = (
                about is not None and len(about) > 3 and about[1:3] == key[1:] and key[0] == "relation"
            )
            if about == key or undo.of == key or part_of_it:
                undo.statements, undo.leaves, undo.destroys = [], [], ""
                undo.loses, undo.cannot, undo.notes = [], [], []
        was_born = key in self.born
        self.born.pop(key, None)
        return was_born

    def taken(self) -> set[int]:
        """Entries of the dump that earlier statements make again."""
        return {entry for undo in self.undos for entry in undo.entries}


def _whole(scene: Scene, names: Iterable[Name]) -> set[tuple[str, ...]]:
    return {(name if len(name) > 1 else (scene.schema(), *name))[-2:] for name in names}


def part(facts: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any] | None:
    """A column, constraint, trigger or rule of a relation by its name, not quoted."""
    parts: Iterable[Mapping[str, Any]] = facts[kind].values()
    return next((one for one in parts if unquoted(one["name"]) == name), None)
