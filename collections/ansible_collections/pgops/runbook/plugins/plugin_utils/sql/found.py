# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a layout finds in a folder of SQL: migrations by name, before their requirements are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .folder import Script, SqlLibraryError, unusable
from .source import SqlScriptError

__all__ = ["Contents", "Found", "Remark", "natural", "number_of", "rank_of_name", "with_one_file_each"]


@dataclass(frozen=True)
class Found:
    """One migration as a layout finds it.

    Attributes:
        version: how it is recorded and named in commands.
        stem: name of the migration, which its other files have too.
        rank: sort key among the migrations of the folder, where requirements leave the order open.
        description: what its name says.
        rollback_place: where its rollback is, or would be, in words.
        requires: versions, where the layout itself states them; None where the header may.
    """

    version: str
    stem: str
    rank: tuple[Any, ...]
    description: str
    apply: Script
    rollback: Script | None
    rollback_place: str
    verify: Script | None = None
    precheck: Script | None = None
    sample: Script | None = None
    requires: tuple[str, ...] | None = None


class Remark(str):
    """A sentence about a file that is not read, or belongs to no migration; it begins with the file's name.

    Args:
        name: of the file, relative to the SQL folder.
        what: the rest of the sentence.
        belongs: False where it is a script that should belong to a migration, and belongs to none.

    Attributes:
        name, what, belongs: likewise.
    """

    name: str
    what: str
    belongs: bool

    def __new__(cls, name: str, what: str, belongs: bool) -> Remark:
        remark = super().__new__(cls, f"{name} {what}")
        remark.name, remark.what, remark.belongs = name, what, belongs
        return remark


@dataclass(frozen=True)
class Contents:
    """What a layout has found, and what is to be said of other files: a Remark each."""

    found: tuple[Found, ...]
    warnings: tuple[Remark, ...] = ()


def number_of(stem: str) -> int | None:
    """The leading number of a file's stem (`009_text_metadata` -> 9), or None."""
    match = re.match(r"(\d+)(?=[_.-]|$)", stem)
    return int(match[1]) if match else None


def natural(text: str) -> tuple[Any, ...]:
    """Sort key by which numbers within names count as numbers: V2 before V10."""
    return (*(int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", text))), text)


def rank_of_name(stem: str) -> tuple[Any, ...]:
    """Sort key of a name: by its leading number, then those without one."""
    number = number_of(stem)
    return number is None, number or 0, natural(stem)


def with_one_file_each(migrations: Iterable[Found], tolerant: bool) -> tuple[Found, ...]:
    """Refuse a version that several files have, which no tool that numbers files allows.

    Args:
        tolerant: each of them becomes unusable instead, under its full name.

    Raises:
        SqlLibraryError: naming the files.
    """
    by_rank: dict[tuple[Any, ...], list[Found]] = {}
    for one in migrations:
        by_rank.setdefault(one.rank, []).append(one)  # to such tools 1 and 01 are one version
    return tuple(kept for several in by_rank.values() for kept in _alone(several, tolerant))


def _alone(several: list[Found], tolerant: bool) -> list[Found]:
    if len(several) == 1:
        return several
    names = " and ".join(one.apply.name for one in several)
    what = f"version {several[0].version} is that of several files: {names}; give each a version of its own"
    if not tolerant:
        raise SqlLibraryError("version_not_unique", what)
    return [
        replace(
            one,
            version=one.stem,
            apply=unusable(one.apply, SqlScriptError("version_not_unique", what, one.apply.path, 1, 1), True),
        )
        for one in several
    ]
