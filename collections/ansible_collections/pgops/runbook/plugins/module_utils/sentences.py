# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists in sentences: a long one is cut, and says how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cut", "listed"]


def cut(lines: Sequence[str], limit: int = 20, total: int | None = None) -> list[str]:
    """The first lines, and where there are more, a last one that counts the rest.

    Args:
        lines: all of them, or at least ``limit``.
        limit: how many are shown.
        total: how many there are, where ``lines`` does not hold them all.
    """
    left = (len(lines) if total is None else total) - limit
    return [*lines[:limit], f"and {left} more"] if left > 0 else list(lines)


def listed(lines: Sequence[str], limit: int = 10, separator: str = "; ", total: int | None = None) -> str:
    """The lines of ``cut`` in one."""
    return separator.join(cut(lines, limit, total))
