# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between two content fingerprints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["difference"]


def difference(
    before: Mapping[str, Any], after: Mapping[str, Any], sequences: bool = False
) -> list[dict[str, Any]]:
    """Compare two results of content_fingerprint().

    Args:
        before: the earlier fingerprint, or production's.
        after: the later one, or the copy's; restricted to the columns of `before` where columns were added.
        sequences: compare next values too. A rollback does not set sequences back, and they run on outside
            of any snapshot, hence not by default.

    Returns:
        one {"table", "problem", "rows_before", "rows_after"} for each difference; "table" names the sequence
        or is "large objects" where it is about these. Empty when nothing differs.
    """
    return [
        *_tables(before["tables"], after["tables"]),
        *(_sequences(before["sequences"], after["sequences"]) if sequences else ()),
        *_large_objects(before["large_objects"], after["large_objects"]),
    ]


def _problem(table: str, problem: str, before: int | None, after: int | None) -> dict[str, Any]:
    return {"table": table, "problem": problem, "rows_before": before, "rows_after": after}


def _tables(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield _problem(name, "the table is missing", before[name]["rows"], None)
        elif name not in before:
            yield _problem(name, "the table was not there before", None, after[name]["rows"])
        else:
            problem = _table_problem(before[name], after[name])
            if problem:
                yield _problem(name, problem, before[name]["rows"], after[name]["rows"])


def _table_problem(was: Mapping[str, Any], is_: Mapping[str, Any]) -> str | None:
    missing = sorted(set(was["columns"]) - set(is_["columns"]))
    if missing:
        return "columns are missing: " + ", ".join(missing)
    new = sorted(set(is_["columns"]) - set(was["columns"]))
    if new:
        return "columns were not there before: " + ", ".join(new)
    if was.get("populated", True) != is_.get("populated", True):
        return "populated before, not now" if was.get("populated", True) else "populated now, not before"
    if was["rows"] != is_["rows"]:
        count = is_["rows"] - was["rows"]
        return f"{abs(count)} rows {'more' if count > 0 else 'fewer'}"
    if was["digest"] != is_["digest"]:
        return "as many rows, with other values"
    return None


def _sequences(before: Mapping[str, int], after: Mapping[str, int]) -> Iterable[dict[str, Any]]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            words = ["does not exist" if side.get(name) is None else side[name] for side in (before, after)]
            yield _problem(name, f"next value was {words[0]}, is {words[1]}", None, None)


def _large_objects(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    if before != after:
        count = after["count"] - before["count"]
        problem = (
            f"{abs(count)} {'more' if count > 0 else 'fewer'}" if count else "as many, with other content"
        )
        yield _problem("large objects", problem, before["count"], after["count"])
