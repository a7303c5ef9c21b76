# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which layout a folder of SQL has: as somebody says, or as its files show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..folder import SqlLibraryError, names_in
from ..found import Contents
from . import dbmate, flyway, goose, numbered, plain, sqitch, yoyo
from .marks import layout_of_name, layout_of_text
from .sqitch_conf import top_dir

__all__ = ["AUTO", "LAYOUTS", "Layout", "layout_of"]

AUTO = "auto"

#: Reads root and the folder of migrations in it, strictly or tolerant.
Reader = Callable[[Path, str, bool], Contents]

LAYOUTS: dict[str, Reader] = {
    "plain": plain.read,
    "flyway": flyway.read,
    "golang": numbered.read,
    "dbmate": dbmate.read,
    "goose": goose.read,
    "sqitch": sqitch.read,
    "rails-sql": numbered.read_rails,
    "yoyo": yoyo.read,
}

# Where tools keep their migrations below a project's folder of SQL; else it is that folder itself.
_FOLDERS = ("migrations", "migration", "migrate")


@dataclass(frozen=True)
class Layout:
    """A layout, and how it was found.

    Attributes:
        folder: of the migrations, relative to the folder of SQL; empty for that itself.
        evidence: the file by which it was known; empty where somebody named it, or there was none.
    """

    name: str
    folder: str
    evidence: str = ""
    _read: Reader = field(default=plain.read, repr=False)

    def read(self, root: Path, tolerant: bool) -> Contents:
        """See the reader's file, also for what is raised."""
        return self._read(root, self.folder, tolerant)

    def in_words(self) -> str:
        """A sentence for a person; empty for the runbook's own layout, of which nothing is to be said."""
        if self.name == "plain":
            return ""
        if not self.evidence:
            return f"The SQL is read as sql_layout {self.name}."
        return (
            f"The SQL is read as sql_layout {self.name}, by {self.evidence}. If that is wrong, name another one:"
            " -e sql_layout=plain"
        )


def layout_of(root: Path, wanted: str, tolerant: bool = False) -> Layout:
    """The layout to read ``root`` with.

    Args:
        wanted: name of a layout, or AUTO.
        tolerant: where files are of several layouts, that of most of them.

    Raises:
        SqlLibraryError: there is no such layout, or files are of several ones.
    """
    folder = next((name for name in _FOLDERS if (root / name).is_dir()), "")
    if wanted != AUTO:
        if wanted not in LAYOUTS:
            raise SqlLibraryError(
                "sql_layout_unknown",
                f"there is no sql_layout {wanted!r}; there are {AUTO}, {', '.join(LAYOUTS)}",
            )
        return Layout(wanted, folder, _read=LAYOUTS[wanted])
    plan = Path(top_dir(root)) / sqitch.PLAN
    if (root / plan).exists():
        return Layout("sqitch", "", plan.as_posix(), sqitch.read)
    evidence = _evidence(root, folder)
    if len(evidence) > 1 and not tolerant:
        shown = ", ".join(f"{files[0]} of {name}" for name, files in evidence.items())
        raise SqlLibraryError(
            "sql_layout_ambiguous",
            f"{root} holds files of several layouts ({shown}). Nothing was read: a file of one would run wrongly as"
            " one of another. Keep one layout in a folder, or say which it is: -e sql_layout=<one of these>",
        )
    name = max(evidence, key=lambda name: len(evidence[name]), default="plain")
    return Layout(name, folder, evidence.get(name, [""])[0], LAYOUTS[name])


def _evidence(root: Path, folder: str) -> dict[str, list[str]]:
    """Layout -> the files that are known to be of it."""
    evidence: dict[str, list[str]] = {}
    try:
        names = names_in(root, folder)
        if (root / folder).is_dir() and not any(name.endswith((".sql", ".rb")) for name in names):
            # Only Flyway looks into the folders in it, too.
            below = flyway.names_below(root, folder)
            names = [name for name in below if layout_of_name(Path(name).name) == "flyway"]
    except SqlLibraryError:
        return {}  # its reader says so
    for name in names:
        layout = _layout_of_file(root, folder, name)
        if layout:
            evidence.setdefault(layout, []).append((Path(folder) / name).as_posix())
    return evidence


def _layout_of_file(root: Path, folder: str, name: str) -> str | None:
    if folder == "migrate" and name.endswith(".rb"):
        return "rails-sql"
    path = root / folder / name
    if path.suffix != ".sql" or not path.is_file():
        return None
    # Whoever writes rollback/V1__x_rollback.sql numbers files so for this runbook.
    if (root / "rollback" / f"{path.stem}_rollback.sql").exists():
        return layout_of_text(_text(path)) or "plain"
    by_name = layout_of_name(path.name)
    return (
        "rails-sql" if folder == "migrate" and by_name == "golang" else layout_of_text(_text(path)) or by_name
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # its reader says so
