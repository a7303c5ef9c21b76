# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts that tell how an object came to be what it is, and not what it is: left out where histories are compared.

A database that was restored, or whose rollback made an object anew, came to the same schema by other statements. No
statement could give these facts their earlier values, and none behaves otherwise for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["without_bookkeeping"]

# By the first word of the key.
_FACTS: Mapping[str, Mapping[str, str]] = {
    "constraint": {
        "connoinherit": "NO INHERIT stands in the definition; a key has it by having been attached to its parent's",
    },
    "trigger": {
        "tgconstraint": "of a constraint trigger, the name that it had when it was made",
    },
    "collation": {
        "collencoding": "that of the database or, of a copied collation, any: others cannot be seen in it",
    },
}
# A partition's constraint that its parent has as well goes with the parent's, however it came (manual, ALTER TABLE,
# ATTACH PARTITION); one that was made with PARTITION OF is noted as the partition's own besides.
_OF_PARTITIONS = ("conislocal", "coninhcount")

# CREATE OPERATOR sets the link of the other operator where that is there already, and not where it comes later.
_LINKS = ("oprcom", "oprnegate")


def without_bookkeeping(catalog: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The catalog as it would be whichever statements had made it.

    Args:
        catalog: as read_catalog() returns it; not changed.
    """
    partitions = {
        key.split(" table ")[-1] if key.startswith("foreign ") else key[len("table ") :]
        for key, facts in catalog.items()
        if "partition bound" in facts
    }
    plain = {
        key: _plain(key, facts, partitions)
        for key, facts in catalog.items()
        if not _is_of_trigger(key, facts)
    }
    for key, facts in catalog.items():
        if key.startswith("operator "):
            for link in _LINKS:
                other = plain.get(f"operator {facts.get(link)}")
                if other is not None:
                    other.setdefault(link, key[len("operator ") :])
    return plain


def _is_of_trigger(key: str, facts: Mapping[str, Any]) -> bool:
    """The constraint of a constraint trigger keeps the name that it was made with; the trigger says it all."""
    return key.startswith("constraint ") and facts.get("contype") == "t"


def _plain(key: str, facts: Mapping[str, Any], partitions: set[str]) -> dict[str, Any]:
    noun, _, identity = key.partition(" ")
    left_out = set(_FACTS.get(noun, ()))
    if noun == "constraint" and any(identity.startswith(f"{name}.") for name in partitions):
        left_out.update(_OF_PARTITIONS)
    return {fact: value for fact, value in facts.items() if fact not in left_out}
