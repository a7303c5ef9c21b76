# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that failed in a rehearsal from an empty database, as one refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Refused, RunbookError
from ..generation.evidence import rows_seen
from ..sentences import listed
from ..shapes import Json

__all__ = ["TOLD", "refusal_of_all"]

#: Of how many the sentence itself says what is wrong; the others stand in the record.
TOLD = 5


def refusal_of_all(
    failures: Mapping[str, RunbookError],
    untried: Mapping[str, Sequence[str]],
    evidence: Mapping[str, Json],
) -> Refused:
    """
    Args:
        failures: by version, at least one.
        untried: by version, those that it requires and that could not be applied.
        evidence: by version, of those that passed.

    Returns:
        Refused: with the code of the one failure, or that of several; its details have ``failures`` (version,
            reason_code and reason), ``untried``, and for each that passed ``proven_on`` (see RowsSeen).
    """
    details: dict[str, Any] = {
        "failures": [
            {"migration": version, "reason_code": error.code, "reason": error.reason}
            for version, error in failures.items()
        ],
        "untried": {version: list(missing) for version, missing in untried.items()},
        "proven_on": {version: rows_seen(proof)._asdict() for version, proof in evidence.items()},
    }
    left = [f"{version} (it requires {listed(missing, 3, ', ')})" for version, missing in untried.items()]
    rest = f" Not tried: {listed(left, separator=', ')}." if left else ""
    if len(failures) == 1:
        (error,) = failures.values()
        return Refused(error.code, f"{error.reason}{rest}", **{**error.details, **details})
    total = len(failures) + len(untried) + len(evidence)
    told = listed([f"{version}: {error.reason.rstrip('.')}" for version, error in failures.items()], TOLD)
    return Refused(
        "rehearsal_failed_for_several",
        f"{len(failures)} of {total} migrations fail the rehearsal: {', '.join(failures)}. {told}.{rest}",
        **details,
    )
