# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of mutations: each is one place in the code that is made wrong, and what that would mean.

They stand in ``mutations/<room>.toml``, by anchors of text, so that one whose place was rewritten is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from docs.floors import CONTROLLER_FLOORS, FLOORS

__all__ = [
    "LIST",
    "PLUGINS",
    "PROJECT",
    "Mutation",
    "StaleMutation",
    "mutated",
    "read_mutations",
    "room_tests",
]

PROJECT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).resolve().parent / "mutations"
PLUGINS = "collections/ansible_collections/pgops/runbook/plugins"
ROOMS = tuple(room for floor in (*FLOORS, *CONTROLLER_FLOORS) for room in floor)


class StaleMutation(ValueError):
    """The code is no longer as the mutation expects it."""


@dataclass(frozen=True)
class Mutation:
    """One wrong place.

    Attributes:
        room: whose code it is in, and whose tests have to find it.
        file: path below ``plugins``.
        before, after: what stands there, exactly once, and what is put in its place.
        means: what goes wrong then, in a few words.
        tests: paths below the project, fast ones first.
        survives: why no test can find it; empty where one has to.
    """

    room: str
    file: str
    before: str
    after: str
    means: str
    tests: tuple[str, ...]
    survives: str = ""

    @property
    def path(self) -> str:
        """The file's path below the project."""
        return f"{PLUGINS}/{self.file}"


def room_tests(room: str, project: Path = PROJECT) -> tuple[str, ...]:
    """Folders and files of a room's tests, the fast ones first."""
    places = [
        f"tests/{kind}/{name}" for kind in ("unit", "integration") for name in (room, f"test_{room}.py")
    ]
    return tuple(place for place in places if (project / place).exists())


def read_mutations(folder: Path = LIST, rooms: Sequence[str] = ROOMS) -> list[Mutation]:
    """All mutations of some rooms, from the lowest floor to the highest.

    Raises:
        OSError, tomllib.TOMLDecodeError: a list cannot be read.
        TypeError, KeyError: an entry lacks something, or has something else.
    """
    found = []
    for room in rooms:
        path = folder / f"{room}.toml"
        if not path.exists():
            continue
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        usual = content.get("tests", room_tests(room))
        for entry in content["mutation"]:
            found.append(Mutation(room=room, **{**entry, "tests": tuple(entry.get("tests", usual))}))
    return found


def mutated(mutation: Mutation, project: Path = PROJECT) -> str:
    """The text of the file with the mutation in it.

    Raises:
        StaleMutation: the place is not there exactly once, the change is none, or the result is no Python.
    """
    text = (project / mutation.path).read_text(encoding="utf-8")
    where = f"{mutation.file}, {mutation.means!r}"
    found = text.count(mutation.before)
    if found != 1:
        raise StaleMutation(f"{where}: its text is there {found} times, and has to be there once")
    if mutation.before.split() == mutation.after.split():
        raise StaleMutation(f"{where}: it changes nothing")
    changed = text.replace(mutation.before, mutation.after)
    try:
        compile(changed, mutation.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise StaleMutation(f"{where}: the result is no Python: {error}") from None
    return changed
