# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The part of a catalog that a change may have touched: what is compared while locks are held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from ..shapes import Catalog
from .difference import Difference, without_last_name

__all__ = ["keys_of", "limited_to", "with_change"]


def keys_of(change: Difference) -> set[str]:
    """Keys of all that differs."""
    return {*change.added, *change.removed, *change.changed}


def limited_to(catalog: Mapping[str, Any], keys: Set[str] | None) -> Catalog:
    """What a catalog has under the keys, and of the relations whose constraints are among them.

    Which of a constraint's facts count is told by its table (see bookkeeping).

    Args:
        catalog: not changed.
        keys: None for all.
    """
    if keys is None:
        return dict(catalog)
    return {key: catalog[key] for key in {*keys, *_relations_of(keys)} if key in catalog}


def _relations_of(keys: Iterable[str]) -> Iterable[str]:
    for key in keys:
        noun, _, identity = key.partition(" ")
        if noun == "constraint":
            relation = without_last_name(identity)
            yield f"table {relation}"
            yield f"foreign table {relation}"


def with_change(catalog: Catalog, change: Difference) -> Catalog:
    """The catalog as it is after a change that was seen elsewhere.

    Args:
        catalog: not changed.
        change: from the catalog before it to the one after it.
    """
    made = {key: facts for key, facts in catalog.items() if key not in change.removed}
    made.update(change.added)
    for key, facts in change.changed.items():
        entry = dict(made.get(key, {}))
        for fact, (_, value) in facts.items():
            if value is None:
                entry.pop(fact, None)
            else:
                entry[fact] = value
        made[key] = entry
    return made
