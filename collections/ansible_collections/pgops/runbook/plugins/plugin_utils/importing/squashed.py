# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations that replace others (Django: "Squashing migrations"): one of the two is imported, never both.

A folder without those that it replaces gets the squashed migration; recorded with it are all that it replaces, as by
Django. A folder that has them keeps them, and gets a script for the squashed migration that changes nothing: once it is
recorded, the project may remove what was replaced, and Django still knows what is applied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ...module_utils.errors import Refused
from ...module_utils.sentences import listed
from .told import Half, Listed, Squashed

__all__ = ["standing_for", "stems_of_replaced", "to_import", "without_replaced"]


def to_import(
    listing: Iterable[Listed],
    known: Collection[str],
    replaced: Collection[str],
    squashed: Mapping[str, Squashed],
) -> list[Listed]:
    """What sql_dir lacks.

    Args:
        listing: all that the tool lists, in its order.
        known: keys of what sql_dir has.
        replaced: keys of what those in sql_dir replace.
        squashed: by key, those of the project.

    Raises:
        Refused: sql_dir has some of what a squashed migration replaces, and the project no longer has the others.
    """
    lacking: list[Listed] = []
    for migration in listing:
        if migration.key in known or migration.key in replaced:
            continue
        squash = squashed.get(migration.key)
        if squash is None:
            lacking.append(migration)
        elif not any(key in known for key in squash.replaces):
            lacking.append(
                replace(
                    migration, recorded_as=f"{migration.recorded_as} replaces {', '.join(squash.replaces)}"
                )
            )
        else:
            lacking += _others_of(migration, squash, known)
            lacking.append(replace(migration, requires=squash.replaces, stands_for=squash.replaces))
    return lacking


def _others_of(migration: Listed, squash: Squashed, known: Collection[str]) -> Iterator[Listed]:
    """Those that it replaces and that sql_dir lacks, where it has some of them."""
    missing = [key for key in squash.replaces if key not in known]
    lost = [key for key in missing if key not in squash.there]
    if lost:
        raise Refused(
            "import_in_the_way",
            f"{migration.key} replaces {listed(squash.replaces, separator=', ')}. sql_dir has some of these, and"
            f" the project no longer has a file of {listed(lost, separator=', ')}. Nothing was written. Import once"
            " more from a commit of the project that has them, then from this one.",
        )
    return (squash.there[key] for key in missing)


def standing_for(migration: Listed, stems: Mapping[str, str]) -> Half:
    """The script, and its way back, of a squashed migration of which sql_dir has what it replaces."""
    names = listed([stems[key] for key in migration.stands_for if key in stems], separator=", ")
    return Half(f"-- What {migration.key} does, these have done: {names}")


def without_replaced(
    gone: Iterable[str], replaced: Collection[str], squashed: Mapping[str, Squashed]
) -> list[str]:
    """Of the keys that the tool no longer lists those that nothing else stands for.

    Args:
        replaced: keys of what those in sql_dir replace.
        squashed: by key, those of the project, whose squashed migrations the tool lists, or what they replace.
    """
    of_project = {key for squash in squashed.values() for key in squash.replaces} | set(squashed)
    return [key for key in gone if key not in of_project and key not in replaced]


def stems_of_replaced(replaces: Mapping[str, Sequence[str]], stems: Mapping[str, str]) -> dict[str, str]:
    """Key of each replaced migration -> what the files of the one are called that replaces it."""
    return {key: stems[squash] for squash, keys in replaces.items() if squash in stems for key in keys}
