# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""fleet_batches: how many databases are at work together, batch after batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml
from ansible.utils.helpers import pct_to_int

from ...module_utils.errors import Refused

__all__ = ["ONE_BY_ONE", "batches_of", "members"]

#: What an empty setting means, and what runs had before there was one.
ONE_BY_ONE = (1,)

PERCENT = re.compile(r"(100|[1-9][0-9]?)%")


def batches_of(value: Any) -> list[int | str]:
    """The sizes of the batches, as Ansible's ``serial`` takes them: numbers of databases, and percentages of all.

    Args:
        value: the variable: a list, one size, or such a list as text, as a command line gives it.

    Raises:
        Refused: there is something else in it.
    """
    read = _read(value)
    parts = read if isinstance(read, (list, tuple)) else [read]
    sizes = [_size(part, value) for part in parts if part not in (None, "")]
    return sizes or list(ONE_BY_ONE)


def _read(value: Any) -> Any:
    """Text as what it says: ``[1, '10%']``, ``1, 10%`` and ``10`` are what a person types."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.startswith("["):
        return [part.strip() for part in text.split(",")]
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise _refusal(value) from None


def _size(part: Any, value: Any) -> int | str:
    if isinstance(part, str):
        part = part.strip()
        if PERCENT.fullmatch(part):
            return part
        if re.fullmatch(r"[0-9]{1,9}", part):
            part = int(part)
    if isinstance(part, int) and not isinstance(part, bool) and part > 0:
        return part
    raise _refusal(value)


def _refusal(value: Any) -> Refused:
    return Refused(
        "fleet_batches_invalid",
        f"fleet_batches is {value!r}. It is a list of sizes: numbers of databases from 1, and percentages of all from"
        """ 1% to 100%, the last of which is repeated. As: -e '{"fleet_batches": [1, "10%", "100%"]}'."""
        " Nothing was done.",
    )


def members(batches: Sequence[int | str], hosts: Sequence[str]) -> list[list[str]]:
    """The hosts of each batch, as Ansible makes them of ``serial``: the last size is repeated.

    Args:
        batches: see batches_of().
        hosts: all of the play, in its order.
    """
    sizes = [pct_to_int(size, len(hosts)) for size in batches]
    made: list[list[str]] = []
    begin = 0
    while begin < len(hosts):
        size = sizes[min(len(made), len(sizes) - 1)]
        made.append(list(hosts[begin : begin + size]))
        begin += size
    return made
