# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signatures of receipts, and the gate on them."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.signatures import (
    check_signed,
    is_signed,
    signature_of,
)

DIGEST = "a" * 64


def test_it_is_an_hmac_of_the_digest() -> None:
    expected = hmac.new(b"key", b"pgops.runbook receipt " + DIGEST.encode(), hashlib.sha256).hexdigest()
    assert signature_of(DIGEST, "key") == expected
    assert is_signed(DIGEST, expected, "key")


@pytest.mark.parametrize("signature", [None, "", "0" * 64, signature_of(DIGEST, "another key")])
def test_no_other_signature_will_do(signature: str | None) -> None:
    assert not is_signed(DIGEST, signature, "key")


def test_a_receipt_that_the_controller_has_not_signed_is_refused() -> None:
    receipts = [{"digest": digest, "step": digest, "run_id": "r"} for digest in ("backup", "rehearse")]
    check_signed(receipts, {"backup", "rehearse"})
    with pytest.raises(Refused) as refused:
        check_signed(receipts, {"backup"})
    assert refused.value.code == "receipt_unsigned"
    assert "step rehearse in run r" in refused.value.reason
