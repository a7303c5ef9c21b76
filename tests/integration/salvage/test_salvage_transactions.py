# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollbacks and deploys that fail, and writers beside them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.keeper import SalvageKeeper

from demo.local_server import LocalServer
from tests.integration.salvage.deployment import Deployment
from tests.integration.salvage.star import STAR


def test_a_rollback_that_fails_leaves_no_salvage(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*STAR)
    story.deploy()
    story.execute("INSERT INTO star (book) VALUES (1)")
    story.rollback = "DROP TABLE star; SELECT 1 / 0"
    with pytest.raises(Exception, match="division by zero"):
        story.roll_back()
    assert story.ask("SELECT to_regclass('runbook_salvage.manifest')") == [(None,)]


def test_a_deploy_that_fails_keeps_the_salvage(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*STAR)
    story.deploy()
    story.execute("INSERT INTO star (book) VALUES (1)")
    story.roll_back()
    apply, story.apply = story.apply, story.apply + "; SELECT 1 / 0"
    with pytest.raises(Exception, match="division by zero"):
        story.deploy()
    assert story.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(2,)]
    story.apply = apply
    story.deploy()
    assert story.ask("SELECT id, book FROM star") == [(1, 1)]


def test_nobody_writes_between_keeping_and_dropping(
    deployment: Callable[[str, str], Deployment], server: LocalServer, database: str
) -> None:
    """The copy holds off writers, so that no row comes in that is dropped without having been kept."""
    story = deployment(*STAR)
    story.rehearse()
    story.deploy()
    writer = server.connect(database)
    story.rollback = "SELECT 1; " + story.rollback
    with writer, writer.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
        with story.connection.cursor() as own:
            SalvageKeeper(own, "run", "002", story.foreseen, story.written).before()
            with pytest.raises(Exception, match="lock timeout"):
                cursor.execute("INSERT INTO star (book) VALUES (1)")
        story.connection.rollback()
    writer.close()


def test_a_table_without_key_whose_column_changes_its_type(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment("ALTER TABLE note ALTER at TYPE text", "ALTER TABLE note ALTER at TYPE int USING 5")
    story.round_trip("UPDATE note SET at = 'mine' WHERE at = '2'")


def test_names_with_a_percent_sign(deployment: Callable[[str, str], Deployment]) -> None:
    """psycopg2 takes it for a placeholder in a query that has parameters."""
    story = deployment(
        """INSERT INTO "50%s" VALUES (3, 'seeded'), (4, 'seeded'); UPDATE "50%s" SET "a%(b" = 'x'""",
        """DELETE FROM "50%s" WHERE "i%d" > 2; UPDATE "50%s" SET "a%(b" = '' WHERE "i%d" = 1""",
    )
    story.execute(
        """CREATE TABLE "50%s" ("i%d" int PRIMARY KEY, "a%(b" text); INSERT INTO "50%s" VALUES (1), (2)"""
    )
    story.round_trip(
        """UPDATE "50%s" SET "a%(b" = 'mine' WHERE "i%d" < 4; DELETE FROM "50%s" WHERE "i%d" = 4"""
    )
