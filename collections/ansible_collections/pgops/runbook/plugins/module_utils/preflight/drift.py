# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was changed outside of the runbook: the schema since its last change, and scripts since their deploy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ..catalog.application import read_schema
from ..catalog.difference import describe
from ..catalog.remade import difference_left
from ..consent import Consent
from ..digests import digest_of
from ..errors import Refused
from ..ledger.ledger import Ledger
from ..ledger.receipts import DEPLOYED_SCRIPTS, in_force
from ..sentences import cut, listed
from ..shapes import Catalog, Cursor, IndexEntry, Json, Receipt

__all__ = [
    "accept_or_refuse_drift",
    "edited_scripts",
    "recorded_schema",
    "refuse_applied_again",
    "refuse_edited_scripts",
    "schema_drift",
]


# The last one grants again what was granted.
STEPS_THAT_CHANGE_THE_SCHEMA = ("apply", "emergency_rollback", "adopt", "swap", "salvage_restore")


def recorded_schema(receipts: Sequence[Receipt]) -> str | None:
    """Digest of the schema that the database must have according to its ledger.

    Args:
        receipts: the whole chain, oldest first.

    Returns:
        str, or None where nothing was changed, adopted or accepted yet.
    """
    for receipt in reversed(receipts):
        outputs = receipt["outputs"]
        if receipt["status"] != "ok":
            continue
        if receipt["step"] in STEPS_THAT_CHANGE_THE_SCHEMA and outputs.get("catalog_after"):
            return outputs["catalog_after"]
        if receipt["step"] == "preflight" and outputs.get("accepted_drift"):
            return outputs["catalog"]
    return None


def schema_drift(cursor: Cursor, ledger: Ledger, receipts: Sequence[Receipt]) -> tuple[list[str], Catalog]:
    """How the schema differs from the recorded one.

    Returns:
        (lines, catalog): readable lines, empty where there is no difference or no record; the catalog now.
    """
    recorded = recorded_schema(receipts)
    current = read_schema(cursor)
    if recorded is None or digest_of(current) == recorded:
        return [], current
    return describe(difference_left(cursor, ledger.catalog(cursor, recorded), current)), current


def accept_or_refuse_drift(cursor: Cursor, ledger: Ledger, receipts: Sequence[Receipt], accept: bool) -> Json:
    """Refuse a schema that was changed outside of the runbook, unless that was accepted by name.

    Returns:
        dict for preflight's receipt: empty, or accepted_drift (lines) and catalog (digest, kept in the ledger).

    Raises:
        Refused: with the difference.
    """
    lines, current = schema_drift(cursor, ledger, receipts)
    if not lines:
        return {}
    if not accept:
        raise Refused(
            "schema_drifted",
            "The schema was changed outside of the runbook since its last run:"
            f" {listed(lines)}. Find out who changed it; if the change is right: -e accept_drift=true",
            difference=cut(lines),
        )
    return {"accepted_drift": cut(lines), "catalog": ledger.keep_catalog(cursor, current)}


def edited_scripts(entry: IndexEntry, receipts: Sequence[Receipt]) -> list[str]:
    """Kinds of scripts of an applied migration that are not those that were deployed or adopted.

    Args:
        entry: of the SQL folder's index.
        receipts: the whole chain, oldest first.
    """
    digests = {
        "apply": entry["apply_sha256"],
        "rollback": entry["rollback_sha256"],
        "verify": entry["verify_sha256"],
    }
    for receipt in reversed(in_force(receipts)):
        if receipt["migration"] != entry["version"] or receipt["status"] != "ok":
            continue
        if receipt["step"] in ("apply", "adopt"):
            return [kind for kind in DEPLOYED_SCRIPTS if receipt["inputs"].get(kind) != digests[kind]]
    return []


def refuse_applied_again(
    index: Iterable[IndexEntry],
    versions: Collection[str],
    applied: Collection[str],
    receipts: Sequence[Receipt],
    accept: Any,
) -> None:
    """Refuse a migration whose text is applied under another version: renumbered or copied, it would be applied twice.

    Args:
        versions: those that are to be applied.
        applied: recorded versions.
        receipts: the whole chain, oldest first.
        accept: for which of them that was accepted; see Consent.of().

    Raises:
        Refused: naming the file, and as what its text was applied.
    """
    meant = Consent.of(accept)
    texts = {
        receipt["inputs"].get("apply"): receipt["migration"]
        for receipt in in_force(receipts)
        if receipt["step"] in ("apply", "adopt")
        and receipt["status"] == "ok"
        and receipt["migration"] in applied
    }
    for entry in index:
        earlier = texts.get(entry["apply_sha256"])
        if entry["version"] not in versions or meant.given_for(entry["version"]):
            continue
        if earlier is not None and earlier != entry["version"]:
            raise Refused(
                "applied_under_another_version",
                f"{entry['apply_name']} has the very text that is applied as migration {earlier}: it would be applied"
                " once more. Nothing was changed. If it was renumbered, give it its old name again; if it is meant:"
                f" -e accept_applied_again={entry['version']}",
            )


def refuse_edited_scripts(
    index: Iterable[IndexEntry],
    versions: Collection[str],
    receipts: Sequence[Receipt],
    accept: Any,
    kinds: Collection[str] = DEPLOYED_SCRIPTS,
) -> None:
    """Refuse when a script of an applied migration was edited, unless that was accepted.

    Args:
        versions: applied ones to look at.
        accept: for which of them; see Consent.of().
        kinds: scripts that matter.

    Raises:
        Refused: naming the script.
    """
    right = Consent.of(accept)
    for entry in index:
        edited = [kind for kind in edited_scripts(entry, receipts) if kind in kinds]
        if edited and entry["version"] in versions and not right.given_for(entry["version"]):
            raise Refused(
                "deployed_script_edited",
                f"The {edited[0]} script of migration {entry['version']} was edited after its deploy, so that what the"
                " ledger says of it is not about this text. Bring the deployed text back, or if the edit is right:"
                f" -e accept_edited_scripts={entry['version']}",
            )
