# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The smallest application that can lose something: its scripts, its rows, and what users write."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DATABASE", "MIGRATION", "PREPARED", "SCRIPTS", "WRITTEN_SINCE", "write_scripts"]

DATABASE = "shop"

MIGRATION = "002"

SCRIPTS = {
    "migrations/001_notes.sql": "CREATE TABLE notes (id int PRIMARY KEY, body text);\n",
    "rollback/001_notes_rollback.sql": "DROP TABLE notes;\n",
    "migrations/002_author.sql": "-- Requires: 001\nALTER TABLE notes ADD COLUMN author text DEFAULT 'nobody';\n",
    "rollback/002_author_rollback.sql": "ALTER TABLE notes DROP COLUMN author;\n",
    "verify/002_author.sql": "SELECT count(*) = count(author) FROM notes;\n",
    "smoke/notes.sql": "SELECT count(*) > 0 FROM notes;\n",
}

# As the application's owner left it, with 001 in place.
PREPARED = """
    CREATE TABLE schema_migrations (version text PRIMARY KEY);
    INSERT INTO schema_migrations VALUES ('001');
    CREATE TABLE notes (id int PRIMARY KEY, body text);
    INSERT INTO notes VALUES (1, 'first'), (2, E'zwei\\nZeilen äöü'), (3, NULL), (4, 'it''s "quoted" $(x) {{ y }}');
"""

# After the deploy, and so in no backup of before it.
WRITTEN_SINCE = "INSERT INTO notes VALUES (5, 'since', 'ann')"


def write_scripts(folder: Path) -> Path:
    """Write the SQL folder; returns it."""
    for name, text in SCRIPTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
