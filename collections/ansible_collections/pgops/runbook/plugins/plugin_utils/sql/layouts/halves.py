# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that hold a migration and its rollback, each below a mark of its own.

A half is a script of its own: its digest is of that half, so that an edited rollback is no edited migration. Lines are
those of the file as people see it: what is not of the half is blank.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..folder import Script, read_folder, unusable
from ..found import Contents, Found, Remark, with_one_file_each
from ..header import Header, parse_header
from ..source import SqlScriptError, SqlText
from .beside import with_scripts_beside

__all__ = ["Mark", "read_halves", "split"]

_STEM = re.compile(r"(?P<version>\d+)_?(?P<words>.*)")


@dataclass(frozen=True)
class Mark:
    """A line that begins a half.

    Attributes:
        offset: where the line begins, in characters.
        half: "up" or "down".
        transaction: "none", where the tool would run the half outside of a transaction.
    """

    offset: int
    half: str
    transaction: str | None = None


#: Finds the marks of a text; raises SqlScriptError for what is wrong with them.
Marks = Callable[[SqlText], Sequence[Mark]]


def read_halves(
    root: Path, folder: str, tolerant: bool, marks: Marks, words: tuple[str, str], number_of_word: str
) -> Contents:
    """The migrations in ``folder`` of ``root``.

    Args:
        words: the lines that begin the halves, as people write them.
        number_of_word: what the tool calls the digits with which a name begins.

    Raises:
        SqlLibraryError: a folder or a file is unreadable, or files share a version.
        SqlScriptError: a script is not UTF-8 text, its marks are not as they have to be, or its header is wrong.
    """
    scripts = read_folder(root, folder, required=True, tolerant=tolerant, header=lambda text, path: Header())
    warnings, migrations = [], []
    for stem, script in scripts.items():
        match = _STEM.fullmatch(stem)
        if match is None:
            why = f"is not read: its name does not begin with a {number_of_word}"
            warnings.append(Remark(script.name, why, belongs=True))
            continue
        apply, rollback = split(script, marks, words, tolerant)
        migrations.append(
            Found(
                version=match["version"],
                stem=stem,
                rank=(int(match["version"]),),
                description=re.sub(r"[_.-]+", " ", match["words"]).strip(),
                apply=apply,
                rollback=rollback,
                rollback_place=f"'{words[1]}' in {script.name}",
            )
        )
    return with_scripts_beside(root, with_one_file_each(migrations, tolerant), warnings, tolerant)


def split(
    script: Script, marks: Marks, words: tuple[str, str], tolerant: bool
) -> tuple[Script, Script | None]:
    """The migration and its rollback, which is None where the file has none.

    Raises:
        SqlScriptError: there is no mark, one stands twice or in the wrong place, or a header is wrong.
    """
    if script.problem is not None:
        return script, script
    source = SqlText(script.text, script.path)
    try:
        up, down = _in_place(source, marks(source), words)
    except SqlScriptError as error:
        wrong = unusable(script, error, tolerant)
        return wrong, wrong
    end = down.offset if down else len(script.text)
    apply = _half(script, 0, end, up, words[0], tolerant)
    rollback = _half(script, end, len(script.text), down, words[1], tolerant) if down else None
    return apply, rollback


def _in_place(source: SqlText, marks: Sequence[Mark], words: tuple[str, str]) -> tuple[Mark, Mark | None]:
    ups, downs = ([mark for mark in marks if mark.half == half] for half in ("up", "down"))
    for word, marks_of_half in zip(words, (ups, downs), strict=True):
        if len(marks_of_half) > 1:
            first = source.place(marks_of_half[0].offset)[0]
            raise source.error(
                "layout_mark_wrong", marks_of_half[1].offset, f"'{word}' stands twice, first on line {first}"
            )
    if not ups:
        raise source.error("layout_mark_wrong", 0, f"the file has no line '{words[0]}'")
    if downs and downs[0].offset < ups[0].offset:
        raise source.error("layout_mark_wrong", downs[0].offset, f"'{words[1]}' stands before '{words[0]}'")
    before = re.compile(r"^(?![ \t]*(?:--|\r?$)).+", re.M).search(source.text, 0, ups[0].offset)
    if before:
        raise source.error(
            "layout_mark_wrong",
            before.start(),
            f"a statement stands before '{words[0]}', and would never run",
        )
    return ups[0], downs[0] if downs else None


def _half(script: Script, start: int, end: int, mark: Mark, word: str, tolerant: bool) -> Script:
    half = replace(
        script,
        text=re.sub(r"[^\r\n]", " ", script.text[:start]) + script.text[start:end],
        sha256=hashlib.sha256(script.text[start:end].encode()).hexdigest(),
        file_sha256=script.sha256,
        part=word,
    )
    try:
        header = parse_header(half.text, half.path)
    except SqlScriptError as error:
        return unusable(half, error, tolerant)
    return replace(half, header=replace(header, transaction=mark.transaction or header.transaction))
