# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signatures of receipts: HMAC-SHA-256 (RFC 2104) over the digest, with a key that only the controller has.

The chain of digests shows what changed by accident. Whoever may write the table can make a whole chain anew; without
the key he cannot sign it. The controller signs what a step has returned, and the next step brings the signatures.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable

from ..errors import Refused
from ..shapes import Receipt

__all__ = ["check_signed", "is_signed", "signature_of", "signatures_of"]

# Another use of the same key would sign another text.
WHAT = "pgops.runbook receipt "


def signature_of(digest: str, key: str) -> str:
    """The signature (hex) of the receipt with this digest."""
    return hmac.new(key.encode("utf-8"), (WHAT + digest).encode("ascii"), hashlib.sha256).hexdigest()


def signatures_of(receipts: Iterable[Receipt], key: str) -> dict[str, str]:
    """digest -> signature of each receipt."""
    return {receipt["digest"]: signature_of(receipt["digest"], key) for receipt in receipts}


def is_signed(digest: str, signature: str | None, key: str) -> bool:
    """Whether the signature was made with the key."""
    return signature is not None and hmac.compare_digest(signature_of(digest, key), signature)


def check_signed(receipts: Iterable[Receipt], signed: Collection[str]) -> None:
    """Every receipt of a run was signed by its controller.

    Args:
        receipts: of the run, as they stand in the ledger.
        signed: digests whose signatures the controller has checked.

    Raises:
        Refused: naming the first that was not.
    """
    for receipt in receipts:
        if receipt["digest"] not in signed:
            raise Refused(
                "receipt_unsigned",
                f"The receipt of step {receipt['step']} in run {receipt['run_id']} was not signed by the controller of"
                " this run: somebody else wrote it, or the controller was stopped before it had it. Start a new run;"
                " if nobody stopped anything, find out who writes to schema runbook or to backup_dir.",
            )
