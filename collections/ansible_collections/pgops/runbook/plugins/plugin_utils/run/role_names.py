# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names with which the modules of community.postgresql do what was meant, or are not called.

They write some of them into SQL as they are, in the session of a superuser: a quote ends the name there, a percent sign
begins a placeholder, and a comma ends one name of several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...module_utils.errors import Refused

__all__ = ["OPTIONS", "check_names"]

#: Those of the module role_names.
OPTIONS: dict[str, Any] = {"names": {"type": "dict", "required": True}}

REFUSED = "\"'%,"

# Without regard to case, these are taken for what PostgreSQL means by them.
IMPLICIT = ("PUBLIC", "CURRENT_ROLE", "CURRENT_USER", "SESSION_USER")


def check_names(names: Mapping[str, object]) -> None:
    """
    Args:
        names: what has it (a variable), and a name or a list of names.

    Raises:
        Refused: one cannot be used.
    """
    for source, name in _each(names):
        found = sorted({letter for letter in name if letter in REFUSED})
        if found:
            what = f"has {' and '.join(found)} in it"
        elif not name.isprintable():
            what = "has a character in it that cannot be seen"
        elif name.upper() in IMPLICIT:
            what = "is another role's to PostgreSQL"
        elif not name:
            what = "is empty"
        else:
            continue
        raise Refused(
            "name_unusable",
            f"{source}: the name {name!r} {what}, with which the modules of community.postgresql that make roles and"
            " grant rights do something else than was meant. Nothing was changed. Take another name, or type the"
            " statements yourself: README.md, Rights of the deploy role.",
        )


def _each(names: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for source, value in names.items():
        for name in value if isinstance(value, (list, tuple)) else [value]:
            yield source, str(name)
