# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A migration that makes a table."""

from __future__ import annotations

STAR = (
    "CREATE TABLE star (id serial PRIMARY KEY, book int NOT NULL REFERENCES book ON DELETE CASCADE, mark text);",
    "DROP TABLE star;",
)
