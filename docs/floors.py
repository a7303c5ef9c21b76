# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The house: which rooms the code has and on which floor each is.

A file may import from its own room and from the floors below, never from its own floor's other rooms or from above.
``tests/unit/test_rooms.py`` checks the imports against this table, and the picture in architecture.md is made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["CONTROLLER_FLOORS", "DOORS", "FLOORS", "MAP", "floor_of", "picture", "with_picture"]

MAP = Path(__file__).resolve().parent / "architecture.md"
BEGIN, END = "<!-- floors -->", "<!-- /floors -->"

#: Lowest first: for each floor its rooms in plugins/module_utils (what runs on the target), with what each is for.
#: ``(top)`` stands for the files that are in no folder.
FLOORS: tuple[dict[str, str], ...] = (
    {
        "errors": "the ways to end, each with its code and its sentence",
        "reasons": "every reason code: what it means, what to do",
        "sentences": "lists in sentences",
        "digests": "one digest of a value",
        "durable": "files written whole or not at all",
        "own_files": "folders and files of ours where others may have planted theirs",
        "shapes": "the values that rooms hand to each other, as types",
        "activity": "what this process is doing, for whoever watches it",
    },
    {
        "postgres": "connections, sessions, the client programs, what the server says of tables and sequences",
        "consent": "for which migrations somebody has agreed that something may pass",
    },
    {
        "ledger": "runs, receipts, gates and the journal, in the database itself",
        "content": "the fingerprint of rows",
    },
    {
        "catalog": "the fingerprint of the schema, and how two of them differ",
        "definitions": "what single objects are, and the statements that make them again",
        "generation": "rows for the tables of a copy, made from the catalog",
        "rows": "comparing rows and bringing them into a living table",
        "step": "the frame of every step: gate, work, receipt",
    },
    {
        "salvage": "what a rollback keeps, and how it comes back",
        "library": "files on disk that follow the database",
    },
    {
        "impact": "locks, rewrites, rows and WAL, measured",
        "preflight": "everything that is checked before a run begins",
    },
    {
        "backup": "dump, manifest, the copy and its proof",
        "execution": "running a script, in one transaction or statement by statement",
    },
    {
        "production": "applying and rolling back where it counts",
        "rehearsal": "the same on the copy, with schema and data compared",
        "restore": "putting a proven backup in the place of the database",
        "status": "what is applied, drifted, proven",
    },
    {
        "by_hand": "listing, exporting, putting back and purging salvage",
        "retention": "which backups and artifacts go, and removing them",
        "drill": "a night played on a copy: its phases and runs, users' writes, and what is left behind",
    },
    {"steps": "one file a step: its options, and what it does within the frame"},
)

#: Rooms of plugins/plugin_utils, which run on the controller only: floors as above, with the lowest first.
CONTROLLER_FLOORS: tuple[dict[str, str], ...] = (
    {
        "bytecode": "the collection's own code, compiled once",
        "sql": "reading, parsing and ordering the scripts of sql_dir",
    },
    {"record": "run.json and its folder, and how a run ended"},
    {"report": "what a person reads of a run"},
    {"fleet": "one run over many databases: its batches, its record, and the gate before each database"},
    {"screen": "what a person sees while a run is at work"},
    {"run": "the controller's half of a step: its plan, its module, and what comes after it"},
    {
        "drafting": "a new migration's files, and the rollback and verify script drafted from one that is written",
        "importing": "scripts from what Django and Alembic say of their migrations",
        "check": "all that is wrong with the scripts of sql_dir, found at once and without a server",
    },
)

#: Rooms with one door: the file that others import, and the steps whose work is in the room itself.
DOORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "library": ("follow", ("files_check", "files_rename")),
}


def floor_of(room: str, floors: Iterable[Mapping[str, str]] = FLOORS) -> int:
    """Number of a room's floor, 1 for the lowest.

    Args:
        room: its name.
        floors: FLOORS or CONTROLLER_FLOORS.

    Raises:
        KeyError: the table has no such room.
    """
    for number, rooms in enumerate(floors, 1):
        if room in rooms:
            return number
    raise KeyError(room)


def picture() -> str:
    """Both houses as text, that of the controller above; of each the highest floor first, one line a room."""
    width = max(len(room) for floors in (FLOORS, CONTROLLER_FLOORS) for rooms in floors for room in rooms)
    return "\n".join(
        [
            "    on the controller (plugins/plugin_utils)",
            *_lines(CONTROLLER_FLOORS, width),
            "",
            "    on the target (plugins/module_utils)",
            *_lines(FLOORS, width),
        ]
    )


def _lines(floors: Sequence[Mapping[str, str]], width: int) -> Iterator[str]:
    for number, rooms in reversed(list(enumerate(floors, 1))):
        for position, (room, purpose) in enumerate(rooms.items()):
            yield f"{number if position == 0 else '':>2}  {room:<{width}}  {purpose}"


def with_picture(text: str) -> str:
    """The map's text with the picture as it is now between its two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    indented = "\n".join(f"    {line}".rstrip() for line in picture().splitlines())
    return f"{before}{BEGIN}\n\n{indented}\n\n{END}{after}"
