# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables that are numbers, and between what they have to be: looked at before anything is done.

Ansible takes ``.nan`` and ``.inf`` for numbers (YAML 1.1, "Floating-Point"), and a number below zero for a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ...module_utils.errors import Refused

__all__ = ["LIMITS", "check_numbers"]

# PostgreSQL counts its timeouts in milliseconds, in 32 bits (manual, "Setting Parameters").
TIMEOUT: float = 2147483
DAY: float = 86400
YEAR: float = 366 * DAY
MANY: float = 10**9

#: Variable -> the least and the greatest value.
LIMITS: dict[str, tuple[float, float]] = {
    "abort_blocked_seconds": (0, DAY),
    "abort_blocked_sessions": (0, MANY),
    "abort_replica_lag_mb": (0, MANY),
    "approval_max_age_hours": (0, 24 * 3660),
    "approvals_required": (0, 1000),
    "backup_after_timeout_seconds": (1, YEAR),
    "backup_max_age_minutes": (0, YEAR / 60),
    "batch_pause_seconds": (0, DAY),
    "db_port": (1, 65535),
    "drill_max_age_days": (0, 36600),
    "emergency_full_max_mb": (0, MANY),
    "health_delay_seconds": (0, DAY),
    "health_retries": (0, MANY),
    "health_timeout_seconds": (0.001, DAY),
    "large_table_mb": (0, MANY),
    "lock_attempts": (1, MANY),
    "lock_pause_seconds": (0, DAY),
    "lock_timeout_seconds": (0.001, TIMEOUT),
    "maintenance_grace_seconds": (0, DAY),
    "max_lock_seconds": (0, YEAR),
    "max_replica_lag_mb": (0, MANY),
    "precheck_timeout_seconds": (0, TIMEOUT),
    "rehearsal_rows": (0, MANY),
    "rehearsal_rows_seed": (-(2**31), 2**31 - 1),
    "replica_wait_seconds": (0, DAY),
    "statement_timeout_seconds": (0, TIMEOUT),
}

# What a rollback does not need keeps nobody from it.
OF_A_ROLLBACK = (
    "abort_blocked_seconds",
    "abort_blocked_sessions",
    "abort_replica_lag_mb",
    "db_port",
    "emergency_full_max_mb",
    "health_delay_seconds",
    "health_retries",
    "health_timeout_seconds",
    "lock_attempts",
    "lock_pause_seconds",
    "lock_timeout_seconds",
    "maintenance_grace_seconds",
    "replica_wait_seconds",
    "statement_timeout_seconds",
)


def check_numbers(playbook: str, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> None:
    """
    Args:
        playbook: of the run.
        variables: of the host, not yet templated.
        template: gives the value of what may be a template.

    Raises:
        Refused: setting_invalid; naming the first variable that cannot be used.
    """
    for name in OF_A_ROLLBACK if playbook == "emergency_rollback" else LIMITS:
        if variables.get(name) is None:
            continue
        value, (least, most) = template(variables[name]), LIMITS[name]
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        # Written so that nan, which is not equal to itself, is refused too.
        if isinstance(value, bool) or not least <= number <= most:
            raise Refused(
                "setting_invalid",
                f"{name} is {value!s:.40}; it has to be a number from {least:.15g} to {most:.15g}. Nothing was"
                " done. Correct it, and type the same command again.",
            )
