# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a verify script asks of the catalogs: the conditions that several kinds of statements share."""

from __future__ import annotations

from .names import Name, literal, quoted

__all__ = ["Check", "Checks", "attribute", "exists", "forget", "regclass", "relation"]

#: What is said where it does not hold, and the condition.
Check = tuple[str, str]
#: Kind and name of an object -> its check; in the order in which they are made.
Checks = dict[tuple[str, ...], Check]


def regclass(name: Name) -> str:
    return f"to_regclass({literal(quoted(*name))})"


def exists(catalog: str, *conditions: str) -> str:
    return f"EXISTS (SELECT FROM {catalog} WHERE {' AND '.join(conditions)})"


def attribute(table: Name, column: str, words: str, condition: str) -> Check:
    return (
        f"column {quoted(*table, column)} {words}",
        exists(
            "pg_attribute",
            f"attrelid = {regclass(table)}",
            f"attname = {literal(column)}",
            "NOT attisdropped",
            condition,
        ),
    )


def relation(checks: Checks, word: str, kinds: str, name: Name) -> None:
    listed = ", ".join(literal(kind) for kind in kinds)
    checks.pop(("gone", *name), None)
    checks["relation", *name] = (
        f"{word} {quoted(*name)}",
        exists("pg_class", f"oid = {regclass(name)}", f"relkind IN ({listed})"),
    )


def forget(checks: Checks, name: Name, kind: str = "") -> None:
    """Drop the checks of an object and its parts; of any kind where none is given."""
    for key in [key for key in checks if kind in ("", key[0]) and key[1 : 1 + len(name)] == name]:
        del checks[key]
