# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One migration of a folder of SQL, whatever its layout."""

from __future__ import annotations

from dataclasses import dataclass

from .folder import Script
from .header import DATA_LOSSES, RISK_LEVELS

__all__ = ["Migration"]


@dataclass(frozen=True)
class Migration:
    """One migration: its script and those that belong to it.

    Attributes:
        version: how it is recorded and named in commands.
        number: the leading number of the stem, where the layout numbers its files so.
        rollback_place: where its rollback is, or would be, in words.
        requires: versions, in the order of the library. Without a `-- Requires:` line all earlier migrations.
    """

    version: str
    stem: str
    number: int | None
    apply: Script
    rollback: Script | None
    verify: Script | None
    precheck: Script | None
    sample: Script | None
    requires: tuple[str, ...]
    requires_declared: bool
    description: str
    rollback_place: str

    @property
    def risk_level(self) -> str | None:
        """The graver of what the script and its rollback declare."""
        return self._gravest(RISK_LEVELS, "risk_level")

    @property
    def data_loss(self) -> str | None:
        """The graver of what the script and its rollback declare."""
        return self._gravest(DATA_LOSSES, "data_loss")

    def _gravest(self, scale: tuple[str, ...], fact: str) -> str | None:
        scripts = [script for script in (self.apply, self.rollback) if script]
        stated = [value for script in scripts if (value := getattr(script.header, fact))]
        return max(stated, key=scale.index, default=None)
