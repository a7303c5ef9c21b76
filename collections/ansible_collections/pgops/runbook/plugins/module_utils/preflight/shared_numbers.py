# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A number that was recorded when one file had it, and that several files have by now."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Optional

from ..errors import Refused
from ..ledger.bookkeeping import recorded_in
from ..ledger.receipts import in_force
from ..sentences import listed
from ..shapes import IndexEntry, Receipt

__all__ = ["SharedNumber", "refuse_shared_numbers", "shared_numbers"]


class SharedNumber(NamedTuple):
    """A recorded version that is the number of several files, none of which is called so.

    Attributes:
        recorded: the version.
        sharing: entries of the index.
        deployed: name of the script that was applied, where the ledger knows it.
        sentence: all that in words.
    """

    recorded: str
    sharing: Sequence[IndexEntry]
    deployed: Optional[str]
    sentence: str


def shared_numbers(
    index: Sequence[IndexEntry], applied: Collection[str], receipts: Sequence[Receipt]
) -> Iterator[SharedNumber]:
    """Each of them.

    A file that has its number to itself is recorded by the number. With a second file of that number both are known by
    their full names, neither of them is recorded, and what was applied would be applied again.

    Args:
        index: the migrations of sql_dir.
        applied: recorded versions.
        receipts: the whole chain, oldest first.
    """
    names = {entry["version"] for entry in index}
    for recorded in sorted(set(applied) - names):
        sharing = [entry for entry in index if _leading_number(entry["stem"]) == recorded]
        if len(sharing) > 1:
            files = [entry["apply_name"] for entry in sharing]
            deployed, which = _which(recorded, sharing, receipts)
            sentence = (
                f"{recorded_in()} records {recorded}, and {listed(files, 5, ', ')} have that number. {which}"
            )
            yield SharedNumber(recorded, sharing, deployed, sentence)


def refuse_shared_numbers(
    index: Sequence[IndexEntry],
    applied: Collection[str],
    receipts: Sequence[Receipt],
    rolls_back: bool = False,
) -> None:
    """Refuse where a recorded version is the number of several files.

    Args:
        index, applied, receipts: see shared_numbers().
        rolls_back: whether this is an emergency rollback, which cannot wait until people agree on a number.

    Raises:
        Refused: naming the files, and where the ledger knows it, the one that was applied.
    """
    for shared in shared_numbers(index, applied, receipts):
        files = [entry["apply_name"] for entry in shared.sharing]
        others = [name for name in files if name != shared.deployed]
        way = "Give each file that is not applied a number of its own (its rollback and verify script too)"
        if rolls_back and shared.deployed is not None:
            way = f"To roll {shared.recorded} back now, move {listed(others, 5, ', ')} out of sql_dir for the time"
        raise Refused(
            "version_means_several_files",
            f"{shared.sentence} Nothing was changed. {way}, then type the same command again.",
            version=shared.recorded,
            files=files,
        )


def _leading_number(stem: str) -> str:
    return re.sub(r"\D.*", "", stem, flags=re.DOTALL)


def _which(
    recorded: str, sharing: Sequence[IndexEntry], receipts: Sequence[Receipt]
) -> tuple[str | None, str]:
    """The script that was applied, where the ledger knows it, and what it knows in words."""
    for receipt in reversed(in_force(receipts)):
        if (
            receipt["migration"] == recorded
            and receipt["status"] == "ok"
            and receipt["step"] in ("apply", "adopt")
        ):
            digest = receipt["inputs"].get("apply")
            found = [entry["apply_name"] for entry in sharing if entry["apply_sha256"] == digest]
            if found:
                return found[0], f"By its digest {found[0]} is the one that was applied."
            return None, "By its digest none of them is the one that was applied."
    return None, "The ledger does not know which of them was applied."
