# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What fails in a rehearsal, as a refusal: of one migration, or of all that failed from an empty database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from ..errors import Refused, RunbookError, StepFailed, Unchanged
from ..generation.evidence import rows_seen
from ..postgres.connection import psycopg2
from ..postgres.message import one_line
from ..sentences import listed
from ..shapes import Json

__all__ = ["TOLD", "RefusedAs", "refusal_of_all"]

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


class RefusedAs:
    """What fails on a copy is a refusal for production; the sentence says which migration it was."""

    def __init__(self, prefix: str, script: str) -> None:
        self.prefix = prefix
        self.script = script

    def __enter__(self) -> RefusedAs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (StepFailed, Unchanged)):
            raise Refused(
                error.code,
                f"{self.prefix}{error.reason.rstrip('.')}. Production was not touched.",
                **error.details,
            ) from None
        if isinstance(error, psycopg2.Error):
            # Not of a statement of the script, which would be named: of what follows it, up to COMMIT.
            raise Refused(
                "postgresql_error",
                f"{self.prefix}after the last statement of {self.script}: {one_line(error)}. Production was not"
                " touched.",
                script=self.script,
                sqlstate=error.pgcode,
            ) from None
