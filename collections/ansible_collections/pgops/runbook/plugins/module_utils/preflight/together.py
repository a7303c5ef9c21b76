# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether all pending migrations can be applied, and taken back, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from ..shapes import IndexEntry, Json

__all__ = ["TOGETHER_SPEC", "check_together"]

TOGETHER_SPEC: Json = {"together": {"type": "bool", "default": False}}

INSTEAD = "Production was not touched. Deploy without together, or leave it out: -e skip={}"


def check_together(index: Sequence[IndexEntry], versions: Sequence[str]) -> bool:
    """Whether there are several; one alone is in one transaction as it is, or says why not.

    Args:
        index: all migrations (see the SQL library's index).
        versions: those of the run.

    Raises:
        Refused: a script of one of them cannot run in a transaction.
    """
    if len(versions) < 2:
        return False
    for entry in (one for one in index if one["version"] in versions):
        for kind, name in (("apply", entry["apply_name"]), ("rollback", entry["rollback_name"])):
            facts = entry["one_by_one"][kind]
            instead = INSTEAD.format(entry["version"])
            if facts["statements"]:
                statement = facts["statements"][0]
                raise Refused(
                    "together_not_possible",
                    f"Migration {entry['version']} cannot be in one transaction with the others: {name} line"
                    f" {statement['line']} has {statement['command']}, which cannot run in a transaction. {instead}",
                    script=name,
                    line=statement["line"],
                )
            if facts["declared"] == "none":
                raise Refused(
                    "together_not_possible",
                    f"Migration {entry['version']} cannot be in one transaction with the others: the header of {name}"
                    f" says '-- {'Batches' if facts.get('batches') else 'Transaction: none'}'. {instead}",
                    script=name,
                )
    return True
