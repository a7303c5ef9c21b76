# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A number that was recorded when one file had it, and that several files have by now."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Optional

from ..errors import Refused
from ..ledger.bookkeeping import recorded_in
from ..ledger.receipts import in_force
from ..sentences import listed
from ..shapes import IndexEntry, Json, Receipt

__all__ = [
    "SharedNumber",
    "call_as_deployed",
    "refuse_shared_numbers",
    "shared_numbers",
    "warn_of_shared_numbers",
]


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
) -> None:
    """Refuse where a recorded version is the number of several files.

    Args:
        index, applied, receipts: see shared_numbers().

    Raises:
        Refused: naming the files, and where the ledger knows it, the one that was applied.
    """
    for shared in shared_numbers(index, applied, receipts):
        files = [entry["apply_name"] for entry in shared.sharing]
        raise Refused(
            "version_means_several_files",
            f"{shared.sentence} Nothing was changed. Give each file that is not applied a number of its own (its"
            " rollback and verify script too), then type the same command again.",
            version=shared.recorded,
            files=files,
        )


def call_as_deployed(plan: Json, run: Json, applied: Collection[str], receipts: Sequence[Receipt]) -> None:
    """Give a file of a shared number, in plan and run, the version by which it was recorded when it was deployed.

    Its identity is its file, of which the ledger has the digest: it can be taken back whatever lies beside it.
    A number of which the ledger does not know whose it is stays as it is. Done twice, the second time does nothing.

    Args:
        plan: of preflight; ``deployed_files`` in it is recorded version -> the one that the file has beside the others.
        run: options of the run; ``migration`` in it is a version, or what stands for several.
        applied, receipts: see shared_numbers().

    Raises:
        Refused: a number is named that several files have, and that is recorded of none.
    """
    for found in list(shared_numbers(plan["index"], applied, receipts)):
        one = next((entry for entry in found.sharing if entry["apply_name"] == found.deployed), None)
        if one is not None:
            _rename(plan, run, one["version"], found.recorded)
    named = plan.get("down_to") or run["migration"]
    sharing = [entry["stem"] for entry in plan["index"] if _leading_number(entry["stem"]) == named]
    if len(sharing) > 1 and named not in {*applied, *(entry["version"] for entry in plan["index"])}:
        raise Refused(
            "migration_ambiguous",
            f"migration {named} is ambiguous: {' and '.join(sharing)}; give the full name",
            migrations=sharing,
        )


def _rename(plan: Json, run: Json, version: str, recorded: str) -> None:
    def name(one: str) -> str:
        return recorded if one == version else one

    plan["index"] = [
        {**entry, "version": name(entry["version"]), "requires": [name(one) for one in entry["requires"]]}
        for entry in plan["index"]
    ]
    plan["migrations"] = [{**one, "version": name(one["version"])} for one in plan["migrations"]]
    plan["exactly"] = [name(one) for one in plan.get("exactly") or []]
    plan["down_to"] = name(plan.get("down_to") or "")
    plan["deployed_files"] = {**(plan.get("deployed_files") or {}), recorded: version}
    run["migration"] = name(run["migration"])


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


def warn_of_shared_numbers(deployed: Mapping[str, str], warn: Callable[[str], object]) -> None:
    """Say which file is taken for the one that was deployed.

    Args:
        deployed: recorded number -> version of that file, which has its digest.
    """
    for recorded, version in deployed.items():
        warn(
            f"{recorded_in()} records {recorded}, and several files of sql_dir have that number: by its digest"
            f" {version} is the one that was deployed. The others are left alone."
        )
