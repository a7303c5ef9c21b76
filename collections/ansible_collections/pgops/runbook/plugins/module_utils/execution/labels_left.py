# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ALTER TYPE ... ADD VALUE once more, where an earlier rollback has left the label: it is there, which is no error.

PostgreSQL has no statement that takes a label from an enum. A script that says ADD VALUE without IF NOT EXISTS, as most
do, could be deployed once only, and not at all where it is rehearsed, applied twice. Of a label that is there for any
other reason PostgreSQL's error stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ..catalog.residue import ENUM_LABEL
from ..ledger.ledger import Ledger
from ..ledger.residue import residue_left
from ..shapes import Cursor, Migration, Statement

__all__ = ["if_not_exists", "with_labels_left"]

# Up to the label, which may be followed by BEFORE or AFTER another one.
ADDS_LABEL = re.compile(
    r"(?is)^(?P<before>(?:\s|--[^\n]*\n|/\*.*?\*/)*ALTER\s+TYPE\b.*?\bADD\s+VALUE\s+)(?P<label>'(?:[^']|'')*')"
)


def if_not_exists(statement: str) -> str:
    """The statement with IF NOT EXISTS, where it adds a label to an enum and does not say so; else as it is."""
    return ADDS_LABEL.sub(r"\g<before>IF NOT EXISTS \g<label>", statement, count=1)


def with_labels_left(cursor: Cursor, migration: Migration, left: Collection[str]) -> Migration:
    """The migration as it can be applied where its rollback has left labels.

    Args:
        left: residue that is known beside what the ledger says (see catalog.residue).
    """
    statements = migration["apply"]["statements"]
    if not any(ADDS_LABEL.match(one["sql"]) for one in statements):
        return migration
    left = {*left, *residue_left(Ledger().receipts(cursor)).get(migration["version"], [])}
    labels = [name for name in left if name.startswith(f"{ENUM_LABEL} ")]

    def is_left(statement: str) -> bool:
        match = ADDS_LABEL.match(statement)
        label = match["label"][1:-1].replace("''", "'") if match else ""
        return any(name.endswith(f".{label}") for name in labels)

    again: list[Statement] = [
        {**one, "sql": if_not_exists(one["sql"])} if is_left(one["sql"]) else one for one in statements
    ]
    return {**migration, "apply": {**migration["apply"], "statements": again}}
