# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is put into sentences: a long list is cut, and says how many more there are; what steers a terminal is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["counted", "cut", "listed", "visible"]

# Control characters but line ends and tabs (ISO/IEC 6429, C0 and C1), and what turns a line's direction round (Unicode
# Standard Annex 9): in a value of the application's rows they would rewrite what the person on call reads.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""The text with each character that a terminal would act on written as Python writes it: \x1b, \u202e."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def cut(lines: Sequence[str], limit: int = 20, total: int | None = None) -> list[str]:
    """The first lines, and where there are more, a last one that counts the rest.

    Args:
        lines: all of them, or at least ``limit``.
        limit: how many are shown.
        total: how many there are, where ``lines`` does not hold them all.
    """
    left = (len(lines) if total is None else total) - limit
    return [*lines[:limit], f"and {left} more"] if left > 0 else list(lines)


def counted(number: int, one: str, many: str = "") -> str:
    """``1 table``, ``27 tables``, ``1,204 rows``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def listed(lines: Sequence[str], limit: int = 10, separator: str = "; ", total: int | None = None) -> str:
    """The lines of ``cut`` in one."""
    return separator.join(cut(lines, limit, total))
