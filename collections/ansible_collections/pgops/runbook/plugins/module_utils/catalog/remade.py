# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether two definitions with different texts are one to PostgreSQL: it makes both of them anew, and is asked.

PostgreSQL writes some expressions in another way once it has read its own text (a list of varchar values is cast as a
whole, and afterwards word by word), and a dump puts inherited columns first. Which ones is its own affair, and changes
from release to release; so nothing here knows them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..postgres.connection import psycopg2
from ..postgres.session import pin_session, restore_session
from ..shapes import Catalog, Cursor
from .bookkeeping import without_bookkeeping
from .difference import Difference, difference
from .making import made_anew, may_be_nothing

__all__ = ["Remade", "difference_left"]


def difference_left(cursor: Cursor, before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """What differs between two catalogs of different histories, once PostgreSQL has made both texts anew.

    Args:
        cursor: in a transaction in a database that has the objects; what is made in it is undone.
        before, after: catalogs as read_catalog() returns them.

    Raises:
        ValueError: in autocommit mode outside a transaction.
        psycopg2.OperationalError: the connection was lost, or a statement cancelled.
    """
    return Remade().difference(cursor, before, after)


class Remade:
    """Compares catalogs of different histories, and remembers which texts turned out to be one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], bool] = {}

    def difference(self, cursor: Cursor, before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
        """See difference_left()."""
        found = difference(without_bookkeeping(before), without_bookkeeping(after))
        return Difference(found.added, found.removed, self._left_of(cursor, found.changed))

    def in_words_of(self, cursor: Cursor, catalog: Catalog, words: Mapping[str, Any]) -> Catalog:
        """The catalog with the texts of another one, where the two are one to PostgreSQL."""
        told = {key: dict(facts) for key, facts in catalog.items()}
        found = difference(words, catalog)
        left = self.difference(cursor, words, catalog).changed
        for key, facts in found.changed.items():
            for fact, (value, _) in facts.items():
                if fact in left.get(key, ()):
                    continue
                if value is None:
                    told[key].pop(fact, None)
                else:
                    told[key][fact] = value
        return told

    def difference_of_changes(self, cursor: Cursor, change: Difference, other: Difference) -> Difference:
        """What differs between two changes, each made in a database of its own: empty where they are the same.

        Args:
            cursor: see difference_left(); of the database where ``other`` was made, after it.
            change, other: from the catalog before a change to the one after it.
        """
        for first, second in (
            (change.removed, other.removed),
            (_side(change, 0), _side(other, 0)),
            (change.added, other.added),
            (_side(change, 1), _side(other, 1)),
        ):
            left = self.difference(cursor, first, second)
            if left:
                return left
        return Difference()

    def _left_of(
        self, cursor: Cursor, changed: Mapping[str, Mapping[str, tuple[Any, Any]]]
    ) -> dict[str, dict[str, tuple[Any, Any]]]:
        if not changed:
            return {}
        with cursor.connection.cursor(cursor_factory=psycopg2.extensions.cursor) as own:
            previous = pin_session(own, local=True)
            left = {
                key: {
                    fact: values
                    for fact, values in facts.items()
                    if not self._are_one(own, key, fact, *values)
                }
                for key, facts in changed.items()
            }
            restore_session(own, previous, local=True)
        return {key: facts for key, facts in left.items() if facts}

    def _are_one(self, cursor: Cursor, key: str, fact: str, was: Any, is_: Any) -> bool:
        if (was is None or is_ is None) and not may_be_nothing(key, fact):
            return False
        pair = (key, fact, *sorted((json.dumps(was), json.dumps(is_))))
        if pair not in self._known:
            ways = zip(made_anew(cursor, key, fact, was), made_anew(cursor, key, fact, is_))
            self._known[pair] = any(one is not None and one == other for one, other in ways)
        return self._known[pair]


def _side(change: Difference, side: int) -> dict[str, dict[str, Any]]:
    return {
        key: {fact: values[side] for fact, values in facts.items()} for key, facts in change.changed.items()
    }
