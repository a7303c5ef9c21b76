# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs, playbooks/salvage.yml and status say about the rows that rollbacks kept."""

from __future__ import annotations

from typing import Any

from ...module_utils.sentences import counted, cut

__all__ = ["salvage_line", "salvage_of_run", "salvage_report"]

LIST = "ansible-playbook playbooks/salvage.yml"

# Salvage in which nobody wrote anything: it goes back without a word.
OF_NO_USER = ("sequence",)


def salvage_of_run(run: dict[str, Any], restores_salvage: bool) -> list[str]:
    """What a run has kept and put back, a line each.

    Args:
        run: content of run.json.
        restores_salvage: whether deploys put back what rollbacks keep.
    """
    lines = [
        _kept(item, restores_salvage) for item in run.get("salvage") or [] if item["kind"] not in OF_NO_USER
    ]
    return lines + [
        _returned(item)
        for item in run.get("salvage_returned") or []
        if item["kind"] not in OF_NO_USER or item["held_back"]
    ]


def _kept(item: dict[str, Any], restores_salvage: bool) -> str:
    """One line: what a rollback took out of the application's tables, and how it comes back.

    Nobody knows yet what people will write meanwhile: more than this is not promised.
    """
    of = f", column {', '.join(item['columns'])}" if item["kind"] == "dropped columns" else ""
    comes_back = (
        f"the next deploy of {item['migration']} puts back what it can, and says what waits"
        if restores_salvage
        else f"no deploy puts them back, because restore_salvage is false; once {item['migration']} is applied again:"
        f" ansible-playbook playbooks/salvage.yml -e salvage_action=put_back -e salvage_item={item['item']}"
    )
    return f"Kept: {counted(item['rows'], 'row')} of {item['table']} ({item['kind']}{of}); {comes_back}"


def _returned(item: dict[str, Any]) -> str:
    """One line: what came back, and what did not for which reason."""
    line = f"Put back: {counted(item['returned'], 'row')} of {item['table']} ({item['kind']})"
    if item["held_back"]:
        reasons = "; ".join(f"{rows}: {reason}" for reason, rows in item["reasons"].items())
        stay = "stays" if item["held_back"] == 1 else "stay"
        line += f", and {item['held_back']} {stay} in schema runbook_salvage ({reasons})"
    return line


def salvage_line(item: dict[str, Any]) -> str:
    """One item: of which migration, how much, how old, and what keeps it from going back.

    Args:
        item: as SalvageStore.summary() gives it.
    """
    line = (
        f"{item['migration']}: {counted(item['rows'], 'row')} of {item['table']} ({item['kind']},"
        f" {item['bytes'] / 2**20:.1f} MB), kept {item['kept']}, {counted(item['age_days'], 'day')} old"
    )
    if item["held_back"]:
        reasons = "; ".join(f"{rows}: {reason}" for reason, rows in sorted(item["reasons"].items()))
        line += f", {item['held_back']} of them held back ({reasons})"
    return line


def salvage_report(outputs: dict[str, Any], target: str) -> list[str]:
    """What the module found or did.

    Args:
        outputs: of the module: action, items, and what the action adds.
        target: name of the inventory host.
    """
    action = outputs["action"]
    if action == "export":
        done = "Would write" if outputs["check_mode"] else "Wrote"
        return [
            f"{target}: {done} {counted(outputs['rows'], 'row')} of item {outputs['item']} to {outputs['file']}"
        ]
    if action == "put_back":
        return [f"{target}: {_restored(outputs)}"]
    if action == "purge":
        if not outputs["items"]:
            return [f"{target}: nothing to purge"]
        done = "Would purge" if outputs["check_mode"] else "Purged"
        return [
            f"{target}: {done} {counted(outputs['rows'], 'row')}:",
            *(f"  item {item['item']}, {salvage_line(item)}" for item in outputs["items"]),
        ]
    if not outputs["items"]:
        return [f"{target}: no salvage: no rollback has kept rows that have not gone back"]
    return [
        f"{target}:",
        *(
            f"  item {item['item']}, run {item['run_id']}, migration {salvage_line(item)},"
            f" {item['bytes']} bytes"
            for item in outputs["items"]
        ),
        *(_rows_of_item(outputs["items"][0], outputs["rows"]) if "rows" in outputs else ()),
    ]


def _rows_of_item(item: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Each row with what was kept of it and what is there now, and how to settle it."""
    settle = f"{LIST} -e salvage_action=put_back -e salvage_item={item['item']} -e salvage_prefer="
    texts = [
        *cut(["\n".join(_beside(row)) for row in rows], len(rows), total=item["rows"]),
        f"To let what was kept win: {settle}kept",
        f"To let what is there now win: {settle}now",
    ]
    return [f"    {line}" for text in texts for line in text.split("\n")]


def _beside(row: dict[str, Any]) -> list[str]:
    lines = [f"row {row['key']}: {row['reason'] or 'goes back with the next deploy'}"]
    for name, value in row["kept"].items():
        now = f", now {_value(row['now'].get(name))}" if row["there"] else ""
        lines.append(f"  {name}: kept {_value(value)}{now}")
    if row["deleted"]:
        lines.append("  kept: users had deleted it")
    if not row["there"]:
        lines.append("  now: there is no such row")
    return lines


def _value(value: str | None) -> str:
    return "NULL" if value is None else value


def _restored(outputs: dict[str, Any]) -> str:
    what = f"item {outputs['item']} ({outputs['kind']} of {outputs['table']})"
    if outputs["check_mode"]:
        return f"Would try to put back {counted(outputs['rows'], 'row')} of {what}"
    line = f"Put back {counted(outputs['returned'], 'row')} of {what}"
    if outputs["held_back"]:
        reasons = "; ".join(f"{rows}: {reason}" for reason, rows in sorted(outputs["reasons"].items()))
        stay = "stays" if outputs["held_back"] == 1 else "stay"
        line += f"; {outputs['held_back']} {stay} in schema runbook_salvage ({reasons})"
    if outputs.get("overwritten"):
        kept = "is kept" if outputs["overwritten"] == 1 else "are kept"
        overwritten = counted(outputs["overwritten"], "row")
        line += f"; {overwritten} that it overwrote {kept} as item {outputs['overwritten_kept_in']}"
    for one in outputs.get("overwritten_besides") or []:
        rows = counted(one["rows"], "row")
        line += f"; of {one['table']}, to which it refers, {rows} overwritten, kept as item {one['item']}"
    return line
