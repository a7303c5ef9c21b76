# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Play a story through the chain, and compare what comes with the verdict, with pg_dump and with the rows.

A refusal must leave production as it was. What was deployed is taken back under users' rows: then the schema must be
the old one, as pg_dump writes it, and after the next deploy each row must be as users left it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.pgops.runbook.plugins.module_utils.postgres.answers import one_row
from psycopg2 import sql

from benchmarks.migration_stories.chain import Chain, Ended
from benchmarks.migration_stories.story import CONSENT, DEPLOYED, REFUSED, Story
from demo.local_server import LocalServer
from tests.integration.catalog.dump import schema_dump

__all__ = ["Played", "chain_for", "lacks", "play"]

Rows = dict[str, list[str]]

#: As an application has it that the runbook knows already.
RECORDED = """
    CREATE TABLE schema_migrations (version text PRIMARY KEY);
    INSERT INTO schema_migrations VALUES ('001');"""
TABLES = """
    SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|runbook)' AND n.nspname <> 'information_schema'
      AND c.relname <> 'schema_migrations' ORDER BY 1, 2"""


@dataclass
class Played:
    """What came of a story.

    Attributes:
        wrong: each thing that is other than it must be, in words; empty where the verdict is right.
        refused, deployed: whether a deploy that had to go through was refused, or one went through that must not.
    """

    story: Story
    wrong: list[str] = field(default_factory=list)
    refused: bool = False
    deployed: bool = False


def lacks(story: Story, server: LocalServer) -> bool:
    """Whether the server has not the extension that the story needs."""
    if not story.extension:
        return False
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = %s", (story.extension,))
        return not one_row(cursor)[0]


def play(server: LocalServer, story: Story, number: int) -> Played:
    """Play it in a database of its own, which is gone afterwards.

    Args:
        number: of the story, among those that are played on this server at once.
    """
    with chain_for(server, story, number) as chain:
        played = Played(story)
        _Stage(chain, played).play()
        return played


@contextlib.contextmanager
def chain_for(server: LocalServer, story: Story, number: int) -> Iterator[Chain]:
    """A chain in a database as the story has it before its migration, which is gone at the end."""
    with _database(server, number) as name, tempfile.TemporaryDirectory(prefix="story-") as folder:
        chain = Chain(server, name, Path(folder), story.migration, number)
        for path, text in story.files.items():
            chain.write(path, text)
        execute(server, name, f"{RECORDED}\n{story.before}")
        yield chain


def execute(server: LocalServer, database: str, statements: str) -> None:
    """Run statements in one transaction."""
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(f"{statements}\n;SELECT 1")
        connection.commit()


@contextlib.contextmanager
def _database(server: LocalServer, number: int) -> Iterator[str]:
    name = f"story_{number:03d}"
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(name)))
            try:
                yield name
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@dataclass
class _Stage:
    """One story in its database."""

    chain: Chain
    played: Played

    @property
    def server(self) -> LocalServer:
        return self.chain.server

    @property
    def database(self) -> str:
        return self.chain.database

    @property
    def story(self) -> Story:
        return self.played.story

    def play(self) -> None:
        verdict = self.story.verdict
        if verdict.kind in (REFUSED, CONSENT):
            self._refusal()
        if verdict.kind in (DEPLOYED, CONSENT) and not self.played.wrong:
            self._deploy_and_back()

    def _refusal(self) -> None:
        """Without consent it must be refused, for its reason and with production as it was."""
        verdict = self.story.verdict
        before = self._schema(), self._rows()
        ended = self.chain.deploy(self.story.policy)
        self.played.deployed = ended.outcome == "deployed"
        if (ended.outcome, ended.reason_code) != (verdict.outcome, verdict.reason_code):
            self._wrong(f"it must be {verdict.outcome} for {verdict.reason_code}, and it ended {ended}")
            return
        unnamed = [text for text in verdict.names if text not in ended.reason]
        if unnamed:
            self._wrong(f"the refusal does not name {', '.join(unnamed)}: {ended.reason}")
        if (self._schema(), self._rows()) != before:
            self._wrong("the refusal has changed production")

    def _deploy_and_back(self) -> None:
        """It must go through, and back without a loss, and through again."""
        policy = {**self.story.policy, **(self.story.verdict.consent or {})}
        before, rows_before = self._schema(), self._rows()
        if not self._goes(self.chain.deploy(policy), "deployed"):
            self.played.refused = True
            return
        deployed = self._schema()
        if self.story.users:
            execute(self.server, self.database, self.story.users)
        rows = self._rows()
        if not self._goes(self.chain.roll_back(), "rolled_back"):
            return
        self._compare_schema(before, self._schema())
        if not self.story.users and self._declares_no_loss():
            self._compare_rows("after the rollback", rows_before, self._rows())
        if not self._goes(self.chain.deploy(policy), "deployed"):
            return
        if not self.story.leaves_something and self._schema() != deployed:
            self._wrong(f"deployed again, the schema is another one: {_differing(deployed, self._schema())}")
        self._compare_rows("deployed again, after the rollback", rows, self._rows())

    def _declares_no_loss(self) -> bool:
        return "accept_data_loss" not in (self.story.verdict.consent or {})

    def _goes(self, ended: Ended, well: str) -> bool:
        if ended.outcome != well:
            self._wrong(f"it must be {well}, and it ended {ended}")
        return ended.outcome == well

    def _compare_schema(self, before: str, after: str) -> None:
        same = _same_lines(before, after) if self.story.leaves_something else before == after
        if not same:
            self._wrong(f"the rollback does not give back the schema: {_differing(before, after)}")

    def _compare_rows(self, when: str, expected: Rows, found: Rows) -> None:
        for table in sorted({*expected, *found}):
            if expected.get(table, []) != found.get(table, []):
                had = Counter(expected.get(table, [])) - Counter(found.get(table, []))
                has = Counter(found.get(table, [])) - Counter(expected.get(table, []))
                self._wrong(f"{when}, {table} lacks {sorted(had)} and has {sorted(has)}")

    def _wrong(self, sentence: str) -> None:
        self.played.wrong.append(sentence)

    def _schema(self) -> str:
        return schema_dump(self.server, self.database)

    def _rows(self) -> Rows:
        """Each row of the application's tables by the names of its columns, whatever their order."""
        with (
            contextlib.closing(self.server.connect(self.database)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(TABLES)
            found = {}
            for schema, table in cursor.fetchall():
                cursor.execute(
                    sql.SQL("SELECT pg_catalog.to_jsonb(t)::text FROM ONLY {} AS t").format(
                        sql.Identifier(schema, table)
                    )
                )
                found[f"{schema}.{table}"] = sorted(row for (row,) in cursor.fetchall())
            return {table: rows for table, rows in found.items() if rows}


def _lines(dump: str) -> Counter[str]:
    return Counter(line.rstrip(",") for line in dump.splitlines())


def _same_lines(before: str, after: str) -> bool:
    """Whether each line is there still, in whatever order, and nothing is new but labels of enums."""
    more = _lines(after) - _lines(before)
    return not _lines(before) - _lines(after) and all(line.strip().startswith("'") for line in more)


def _differing(before: str, after: str) -> str:
    gone = [f"-{line}" for line in _lines(before) - _lines(after)]
    return (
        "; ".join([*gone, *(f"+{line}" for line in _lines(after) - _lines(before))])[:600]
        or "the order of lines"
    )
