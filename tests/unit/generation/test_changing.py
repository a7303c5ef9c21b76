# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which columns may have another value while the row stays the one that it is."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.generation.changing import changeable
from ansible_collections.pgops.runbook.plugins.module_utils.generation.partitions import Bound
from ansible_collections.pgops.runbook.plugins.module_utils.generation.tables import (
    Column,
    ForeignKey,
    Rule,
    Table,
)
from ansible_collections.pgops.runbook.plugins.module_utils.generation.types import DataType


def column(name: str, default: str | None = None, identity: bool = False) -> Column:
    return Column(name, DataType("text", "base"), -1, False, default, identity)


def test_what_a_row_is_known_by_stays_as_it_is() -> None:
    table = Table(1, ("public", "notes"), "public.notes", True, False)
    table.columns = [
        column("id", "nextval('notes_id_seq'::regclass)"),
        column("number", identity=True),
        column("code"),
        column("room"),
        column("author"),
        column("month"),
        column("body"),
        column("state", "'new'::text"),
    ]
    table.unique = [Rule("notes_code_key", ("code",))]
    table.others = [Rule("notes_room_excl", ("room",))]
    table.foreign_keys = [ForeignKey("notes_author_fkey", ("author",), 2, ("public", "people"), ("id",))]
    table.partitions = [[Bound(("month",), "FOR VALUES IN ('1')")]]
    assert changeable(table) == ["body", "state"]
