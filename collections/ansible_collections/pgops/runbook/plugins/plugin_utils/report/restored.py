# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore has replaced, carried over and left, as lines of text."""

from __future__ import annotations

from typing import Any

from ...module_utils.sentences import cut

__all__ = ["restored", "stays_behind"]


def restored(restore: dict[str, Any]) -> list[str]:
    """Where the replaced database is, and what became of the rows that it has more."""
    lines = [f"Replaced: database {restore['replaced']} holds what production was."]
    if restore.get("swapped_by"):
        return [
            *lines,
            f"The databases were swapped by run {restore['swapped_by']}, which was interrupted after it.",
        ]
    if restore.get("restored_to"):
        lines.append(
            f"Recovered to: restore point {restore['restored_to']}. NOT COMPARED: nobody took a fingerprint there."
        )
    lines.append(f"Kept out: the application, for {restore['held_off_seconds']:.1f} s.")
    rows = restore["rows"]
    for table, counts in rows["tables"].items():
        changes = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        lines.append(f"Since the backup: {table}: {changes}")
    if rows["tables"]:
        lines.append(
            "Those rows were carried over."
            if restore["carried_over"]
            else f"Those rows are only in {restore['replaced']}: carry_over was not given."
        )
    for table, count in restore["left"]["tables"].items():
        lines.append(f"NOT CARRIED OVER: {count} rows of {table}")
    left = [
        f"  {row['table']} {row['key'] or 'a row without a key'}: {row['reason']}"
        for row in restore["left"]["rows"]
    ]
    lines += cut(left, len(left), sum(restore["left"]["tables"].values()))
    only = rows["only_live"]
    lines += [f"Not in the backup: table {name}, {count} rows" for name, count in only["tables"].items()]
    lines += [f"Not in the backup: column {name}, in {count} rows" for name, count in only["columns"].items()]
    if rows["large_objects"]:
        lines.append(f"Not carried over: large objects, {rows['large_objects']} more than in the backup")
    lines += [
        f"Files on disk: NOT MOVED BACK, while {count} values of {column} are those of the backup again: they lie"
        " where the replaced database says"
        for column, count in rows.get("paths_changed", {}).items()
    ]
    lines += [f"For a superuser: {statement}" for statement in restore["not_carried"]]
    return lines + stays_behind(restore)


def stays_behind(restore: dict[str, Any]) -> list[str]:
    """What of logical replication did not come along."""
    lines = []
    if restore.get("slots"):
        lines.append(
            f"Replication slots {', '.join(restore['slots'])} belong to {restore['replaced']}: who reads from them"
            " needs new ones in the restored database; drop the old ones, they keep WAL."
        )
    for name in restore.get("subscriptions") or []:
        quoted = '"' + name.replace('"', '""') + '"'
        lines += [
            f"Subscription {name} is disabled. In {restore['replaced']}: ALTER SUBSCRIPTION {quoted} SET (slot_name ="
            f" NONE); then here: ALTER SUBSCRIPTION {quoted} ENABLE; ALTER SUBSCRIPTION {quoted} REFRESH PUBLICATION"
            " WITH (copy_data = false);",
        ]
    return lines
