# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rehearsal has shown of rollbacks, and on which rows, as lines of text."""

from __future__ import annotations

from typing import Any

from ...module_utils.sentences import listed

__all__ = ["generated_in_words", "proven_in_words", "rows_in_words"]


def proven_in_words(run: dict[str, Any]) -> list[str]:
    """What the rehearsal has shown of the rollback, in a line."""
    proof = run.get("proof") or {}
    rehearsed = proof.get("rehearsed") or []
    if not rehearsed or not proof.get("schema_restored"):
        return []
    back = "schema and rows came back" if proof.get("data_restored") else "the schema came back"
    # Records of older releases do not say how many rows there were.
    rows = proof.get("rows") or {version: {"rows": 1, "tables": {}} for version in rehearsed}
    proven = [version for version in rehearsed if rows[version]["rows"]]
    without = [version for version in rehearsed if version not in proven]
    lines = []
    if proven:
        from_empty = any(step["step"] == "rehearse_from_empty" for step in run["steps"])
        where = "in a database made from nothing" if from_empty else "on a copy of this database"
        names = listed(proven, separator=", ")
        lines.append(f"Proven: the rollback of {names}, {where}{_rows_of(rows)}: {back}")
    if without:
        lines.append(
            f"Rehearsed without any rows, and so not proven: the rollback of {listed(without, separator=', ')}; the"
            " schema came back"
        )
    return lines


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
