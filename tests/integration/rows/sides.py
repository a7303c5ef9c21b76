# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two databases that begin alike: the live one and the restored one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.rows.carry_over import RowComparison

SCHEMA = """
    CREATE TABLE author (id serial PRIMARY KEY, name text UNIQUE, boss int REFERENCES author);
    CREATE TABLE book (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author int NOT NULL REFERENCES author,
                       title varchar(10), words int[], double text GENERATED ALWAYS AS (title || title) STORED);
    CREATE TABLE line (book int REFERENCES book ON DELETE CASCADE, n int, text text, PRIMARY KEY (n, book));
    CREATE TABLE visit (at timestamptz, who text);
    CREATE TABLE schema_migrations (version text PRIMARY KEY);
    INSERT INTO schema_migrations VALUES ('001');
    INSERT INTO author (name) VALUES ('ada'), ('bob');
    INSERT INTO book (author, title, words) VALUES (1, 'one', '{1,2}'), (2, 'two', NULL);
    INSERT INTO line VALUES (1, 1, 'first'), (2, 1, 'other');
    INSERT INTO visit VALUES ('2026-01-01', 'ada'), ('2026-01-01', 'ada'), (NULL, NULL);
"""


@dataclass
class Sides:
    """The live database and the restored one; both begin with the same rows."""

    live: Any
    new: Any

    def write(self, statement: str, *, live: bool = True) -> None:
        connection = self.live if live else self.new
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def ask(self, query: str, *, live: bool = False) -> list[tuple]:
        connection = self.live if live else self.new
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def carry(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """(what was counted, what was left)."""
        with self.live, self.new, self.live.cursor() as live, self.new.cursor() as new:
            comparison = RowComparison(live, new)
            differences = comparison.differences()
            return comparison.report(differences), comparison.carry(differences)

    def check_equal(self, *tables: str) -> None:
        for table in tables:
            query = f"SELECT t::text FROM {table} t ORDER BY 1"
            assert self.ask(query) == self.ask(query, live=True), table
