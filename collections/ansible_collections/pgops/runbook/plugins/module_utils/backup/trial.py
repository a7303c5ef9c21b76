# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a role that is no superuser may make extensions: tried in an empty database, which goes again at once.

A managed service lets its customers make some extensions which the catalogs call untrusted; only an attempt tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..postgres.lone_extensions import make_those_allowed
from ..preflight.rights import Tries
from ..sentences import listed
from ..shapes import Target
from ..step.step import Step
from .copy import CopyDatabase

__all__ = ["extensions_refused", "trial_of"]


def trial_of(step: Step) -> Tries:
    """What tells which extensions the role cannot make where a step's copy is made; in check mode nothing is tried."""

    def tries(names: Sequence[str]) -> Sequence[str]:
        if not step.module.check_mode:
            target = step.params["copy_target"] or step.params["target"]
            return extensions_refused(target, step.run_id, names)
        which = listed(names, separator=", ")
        step.module.warn(f"Whether role and server let the copy have {which} is tried without --check only.")
        return []

    return tries


def extensions_refused(target: Target, run_id: str, names: Sequence[str]) -> list[str]:
    """Which of these extensions the role cannot make on a server.

    Args:
        target: connection options of the server.
        run_id: of the run whose copy is not made yet: the database has its name.
    """
    trial = CopyDatabase(target, run_id)
    trial.drop()
    try:
        trial.create()
        connection = trial.connect()
        try:
            return make_those_allowed(connection, [[name, name, "public"] for name in names])
        finally:
            connection.close()
    finally:
        trial.drop()
