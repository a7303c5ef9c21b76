# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Privileges taken apart into single rights, so that two changes of the same role's are not one conflict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Tuple

__all__ = ["Right", "Rights", "only", "privileges_of", "rights_changed", "rights_of", "without"]

Right = Tuple[str, str, str]  # grantee and grantor as PostgreSQL quotes them, letter
Rights = Mapping[Right, bool]  # whether the grantee may grant it on

# "role=arw*/grantor"; a quoted name may hold any of these signs (src/backend/utils/adt/acl.c, aclitemout).
_ITEM = re.compile(r'(?P<grantee>"(?:[^"]|"")*"|[^"=]*)=(?P<letters>[a-zA-Z*]*)/(?P<grantor>.*)', re.DOTALL)

# In this order PostgreSQL writes them (src/include/utils/acl.h, ACL_ALL_RIGHTS_STR).
_LETTERS = "arwdDxtXUCTcsAm"


def rights_of(privileges: Iterable[str] | None) -> dict[Right, bool]:
    """Single rights of privileges as PostgreSQL writes them (``role=arw*/grantor``).

    Raises:
        ValueError: that is none.
    """
    rights = {}
    for item in privileges or ():
        parts = _ITEM.fullmatch(item)
        if parts is None:
            raise ValueError(f"{item!r} is no privilege")
        for letter, star in re.findall(r"([a-zA-Z])(\*?)", parts["letters"]):
            rights[parts["grantee"], parts["grantor"], letter] = bool(star)
    return rights


def privileges_of(rights: Rights) -> list[str]:
    """Sorted privileges, as the catalog has them."""
    letters: dict[tuple[str, str], str] = {}
    for grantee, grantor, letter in sorted(rights, key=lambda right: _LETTERS.find(right[2])):
        written = letter + ("*" if rights[grantee, grantor, letter] else "")
        letters[grantee, grantor] = letters.get((grantee, grantor), "") + written
    return sorted(f"{grantee}={written}/{grantor}" for (grantee, grantor), written in letters.items())


def rights_changed(before: Rights, after: Rights) -> set[Right]:
    """Those that came, went, or may be granted on by one side only."""
    return {right for right in before.keys() | after.keys() if before.get(right) != after.get(right)}


def without(privileges: Iterable[str], was: Iterable[str] | None, made: Iterable[str] | None) -> list[str]:
    """Privileges without the change from ``was`` to ``made``; what anybody else changed stands."""
    rights, old = rights_of(privileges), rights_of(was)
    for right in rights_changed(old, rights_of(made)):
        rights.pop(right, None)
        if right in old:
            rights[right] = old[right]
    return privileges_of(rights)


def only(rights: Rights, chosen: Iterable[Right]) -> list[str]:
    """Privileges of the chosen rights, as far as they are there."""
    return privileges_of({right: rights[right] for right in chosen if right in rights})
