# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deleting salvage: never without naming what goes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from ..errors import Refused
from ..postgres.connection import transaction
from ..salvage.store.items import SalvageStore
from ..sentences import counted
from ..shapes import Cursor, Json
from ..step.step import Step
from .items import COMMAND, enter_run, find_item, kept_items, refuse_beside_a_run

__all__ = ["confirm_purge", "purge", "to_purge"]


def to_purge(cursor: Cursor, number: int = 0, older_than_days: int = -1, of_run: str = "") -> list[Json]:
    """The items that are meant, as SalvageStore.summary() gives them, each with the ``digest`` of its rows.

    Args:
        number: of an item; 0 for none.
        older_than_days: whole days; -1 where age does not choose.
        of_run: name of a run; empty for none.

    Raises:
        Refused: when none or several of the three ways to name them were given, or a named item or run has none.
    """
    given = [number > 0, older_than_days >= 0, bool(of_run)]
    if sum(given) != 1:
        raise Refused(
            "purge_not_named",
            "What to purge has to be named in exactly one of three ways: -e salvage_item=<number>,"
            " -e salvage_older_than_days=<days> or -e salvage_of_run=<run_id>. Nothing was purged.",
        )
    items = kept_items(cursor)
    if number > 0:
        items = [find_item(cursor, number)[1]]
    elif of_run:
        items = [item for item in items if item["run_id"] == of_run]
    else:
        items = [item for item in items if item["age_days"] >= older_than_days]
    store = SalvageStore(cursor)
    return [{**item, "digest": store.measure(item["item"])[2]} for item in items]


def purge_word(items: Sequence[Json]) -> str:
    """What is typed to confirm: the number of rows and the beginning of a digest of exactly these items and rows.

    Args:
        items: of to_purge().
    """
    named = sorted((item["item"], item["digest"]) for item in items)
    digest = hashlib.sha256(json.dumps(named).encode()).hexdigest()
    return f"{sum(item['rows'] for item in items)}-{digest[:8]}"


def confirm_purge(items: Sequence[Json], confirmed: str, named: str) -> None:
    """Refuse to purge what was not confirmed as it is now.

    Args:
        items: of to_purge().
        confirmed: what was typed, empty for nothing.
        named: the options that select these items, as they are typed behind the playbook.

    Raises:
        Refused: naming what would go, and the command that lets it go.
    """
    rows = sum(item["rows"] for item in items)
    word = purge_word(items)
    if confirmed == word:
        return
    what = "; ".join(
        f"item {item['item']}: {counted(item['rows'], 'row')} of {item['table']} ({item['kind']}, migration"
        f" {item['migration']}, run {item['run_id']}, {item['age_days']} days old)"
        for item in items
    )
    wrong = f"salvage_confirm={confirmed} does not confirm what would be deleted now. " if confirmed else ""
    raise Refused(
        "purge_not_confirmed",
        f"{wrong}Nothing was purged. {counted(rows, 'row')} would be deleted for good: {what}."
        f" To delete exactly these: {COMMAND} {named} -e salvage_confirm={word}",
        items=list(items),
        rows=rows,
    )


def purge(
    step: Step, select: Callable[[Cursor], list[Json]], confirm: Callable[[list[Json]], None]
) -> list[Json]:
    """Delete items, and write into the ledger what went.

    Args:
        step: connected.
        select: gives the items.
        confirm: refuses what was not confirmed.

    Returns:
        The items that went, each with its digest.

    Raises:
        Refused: not confirmed, or a run is in progress.
    """
    step.take_run_lock()
    with transaction(step.connection) as cursor:
        refuse_beside_a_run(step, cursor)
        items = select(cursor)
        if not items:
            return []
        confirm(items)
        numbers = [item["item"] for item in items]
        SalvageStore(cursor).purge(numbers)
        rows = sum(item["rows"] for item in items)
        migrations = sorted({item["migration"] for item in items})
        enter_run(
            step,
            cursor,
            "salvage_purge",
            migrations,
            {"items": items, "rows": rows},
            "salvage purged",
            f"purged {rows} rows of items {', '.join(map(str, numbers))}",
        )
    return items
