# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A number that was recorded when one file had it, and that several files have by now."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ..errors import Refused
from ..ledger.bookkeeping import recorded_in
from ..ledger.receipts import in_force
from ..sentences import listed
from ..shapes import IndexEntry, Receipt

__all__ = ["refuse_shared_numbers"]


def refuse_shared_numbers(
    index: Sequence[IndexEntry], applied: Collection[str], receipts: Sequence[Receipt]
) -> None:
    """Refuse where a recorded version is the number of several files, none of which is called so.

    A file that has its number to itself is recorded by the number. With a second file of that number both are known by
    their full names, neither of them is recorded, and what was applied would be applied again.

    Args:
        index: the migrations of sql_dir.
        applied: recorded versions.
        receipts: the whole chain, oldest first.

    Raises:
        Refused: naming the files, and where the ledger knows it, the one that was applied.
    """
    names = {entry["version"] for entry in index}
    for recorded in sorted(set(applied) - names):
        sharing = [entry for entry in index if _leading_number(entry["stem"]) == recorded]
        if len(sharing) > 1:
            files = [entry["apply_name"] for entry in sharing]
            raise Refused(
                "version_means_several_files",
                f"{recorded_in()} records {recorded}, and {listed(files, 5, ', ')} have that number."
                f" {_which(recorded, sharing, receipts)} Nothing was changed. Give each file that is not applied a"
                " number of its own (its rollback and verify script too), then type the same command again.",
                version=recorded,
                files=files,
            )


def _leading_number(stem: str) -> str:
    return re.sub(r"\D.*", "", stem, flags=re.DOTALL)


def _which(recorded: str, sharing: Sequence[IndexEntry], receipts: Sequence[Receipt]) -> str:
    """What the ledger knows of the file that was applied."""
    for receipt in reversed(in_force(receipts)):
        if (
            receipt["migration"] == recorded
            and receipt["status"] == "ok"
            and receipt["step"] in ("apply", "adopt")
        ):
            digest = receipt["inputs"].get("apply")
            found = [entry["apply_name"] for entry in sharing if entry["apply_sha256"] == digest]
            if found:
                return f"By its digest {found[0]} is the one that was applied."
            return "By its digest none of them is the one that was applied."
    return "The ledger does not know which of them was applied."
