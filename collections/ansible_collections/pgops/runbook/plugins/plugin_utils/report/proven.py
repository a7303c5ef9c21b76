# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rehearsal has shown of rollbacks, and on which rows, as lines of text."""

from __future__ import annotations

from typing import Any

from ...module_utils.rehearsal.failures import TOLD
from ...module_utils.sentences import listed

__all__ = ["generated_in_words", "proven_in_words", "rows_in_words"]


def proven_in_words(run: dict[str, Any]) -> list[str]:
    """What the rehearsal has shown of the rollbacks, in a line; of those of one that failed also why they did."""
    proof = run.get("proof") or {}
    rehearsed = proof.get("rehearsed") or []
    if any(step["step"] == "rehearse_from_empty" for step in run["steps"]):
        return _each(proof, rehearsed)
    if not rehearsed or not proof.get("schema_restored"):
        return []
    # Records of older releases do not say how many rows there were.
    rows = proof.get("rows") or {version: {"rows": 1, "tables": {}} for version in rehearsed}
    proven = [version for version in rehearsed if rows[version]["rows"]]
    without = [version for version in rehearsed if version not in proven]
    lines = []
    if proven:
        names = listed(proven, separator=", ")
        lines.append(
            f"Proven: the rollback of {names}, on a copy of this database{_rows_of(rows)}: {_back(proof)}"
        )
    return lines + _without_rows(without)


def _each(proof: dict[str, Any], rehearsed: list[str]) -> list[str]:
    """From an empty database each is rehearsed on rows of its own: how many, and what failed."""
    # Records of older releases do not say how many rows there were.
    rows = {version: seen["rows"] for version, seen in (proof.get("rows") or {}).items()}
    proven = [version for version in rehearsed if rows.get(version, 1)]
    lines = [
        *(f"Failed: {one['migration']}: {one['reason']}" for one in _beyond_the_reason(proof)),
        *_proven_on(proven, rows, "" if proof.get("failures") else f": {_back(proof)}"),
    ]
    return lines + _without_rows([version for version in rehearsed if version not in proven])


def _beyond_the_reason(proof: dict[str, Any]) -> list[dict[str, str]]:
    """Those that failed and of which the reason of the run does not say why."""
    return (proof.get("failures") or [])[TOLD:]


def _back(proof: dict[str, Any]) -> str:
    return "schema and rows came back" if proof.get("data_restored") else "the schema came back"


def _proven_on(versions: list[str], rows: dict[str, int], back: str) -> list[str]:
    if not versions:
        return []
    names = [f"{version} ({rows[version]:,} rows)" if version in rows else version for version in versions]
    return [f"Proven: the rollback of {', '.join(names)}, in a database made from nothing{back}"]


def _without_rows(versions: list[str]) -> list[str]:
    if not versions:
        return []
    return [
        f"Rehearsed without rows to compare, and so not proven: the rollback of {listed(versions, separator=', ')}; the"
        " schema came back"
    ]


def _rows_of(rows: dict[str, Any]) -> str:
    """On which rows the rollback was rehearsed that had most of them."""
    most = max(rows.values(), key=lambda one: one["rows"])
    return f" with {most['rows']:,} rows ({_tables(most, 3)})" if most["tables"] else ""


def _tables(seen: dict[str, Any], limit: int) -> str:
    tables = [f"{name} {count:,}" for name, count in seen["tables"].items()]
    return listed(tables, limit, ", ", len(tables) + seen["more"])


def generated_in_words(proof: dict[str, Any]) -> list[str]:
    """What there is to know of rows that were generated for the rehearsal.

    Args:
        proof: of run.json.
    """
    generated = proof.get("generated_rows")
    if not generated:
        return []
    lines = [
        f"Generated rows: a rehearsal of their own, with up to {generated['rows']} rows (seed {generated['seed']}) in"
        f" {generated['filled']} {'table' if generated['filled'] == 1 else 'tables'} that had fewer"
    ]
    lines += [
        f"No rows could be generated for {table}: {why}" for table, why in generated["unfilled"].items()
    ]
    lines += [
        f"Rollback of {version} does not give back generated rows, as the header declares: {listed(words)}"
        for version, words in generated["not_given_back"].items()
    ]
    lines += [
        f"Migration {version} cannot be applied to generated rows, so its rollback was not rehearsed on them: {why}"
        for version, why in generated["not_applied"].items()
    ]
    lines += [
        f"The rollback of {version} does not go over generated rows that nobody had before it: {why}"
        for version, why in generated["refuses"].items()
    ]
    if generated["ended"]:
        lines.append(f"The rehearsal on generated rows ended early: {generated['ended']}")
    return lines


def rows_in_words(seen: dict[str, Any]) -> str:
    """How many rows of which tables were there when a rollback was rehearsed."""
    if not seen["rows"]:
        return "none, and so it is not proven"
    return f"{seen['rows']:,} ({_tables(seen, 10)})" if seen["tables"] else f"{seen['rows']:,}"
