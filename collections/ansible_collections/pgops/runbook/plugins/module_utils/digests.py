# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Digests of values: SHA-256 over one canonical text."""

from __future__ import annotations

import hashlib
import json

__all__ = ["canonical_json", "digest_of", "named_for_run", "sha256_of_text"]


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted keys, no white space, so that equal values have equal digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256_of_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def digest_of(value: object) -> str:
    """SHA-256 (hex) over the canonical JSON of ``value``."""
    return sha256_of_text(canonical_json(value))


def named_for_run(prefix: str, run_id: str) -> str:
    """Name of what a run has alone, below the 63 bytes of an identifier however long the run's own name is.

    Args:
        prefix: of ours; at most 47 bytes.
    """
    return prefix + sha256_of_text(run_id)[:16]
