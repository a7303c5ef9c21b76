# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/salvage.yml from the command line: it lists, and purges nothing that was not named."""

from __future__ import annotations

import contextlib

from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import TABLE, SalvageStore

from tests.integration.stories.application import Application, Run


def keep_rows(application: Application) -> int:
    """Two rows in the salvage, as a rollback of 003 leaves them; the item's number."""
    with (
        contextlib.closing(application.server.connect(application.databases[0])) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        store = SalvageStore(cursor)
        store.create()
        item = store.begin_item(
            "r1", "003", TABLE, ("public", "tag"), ["name"], ["name"], {"unique_key": True}
        )
        cursor.execute(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, held_back)"
            " VALUES (%(item)s, '(red)', 1, '(red)', 'a reason'), (%(item)s, '(blue)', 1, '(blue)', NULL)",
            {"item": item},
        )
        store.finish_item(item)
        cursor.execute("UPDATE runbook_salvage.manifest SET kept = kept - interval '100 days'")
    return item


def said(run: Run) -> str:
    """The output without the way in which it was wrapped."""
    assert "Traceback" not in run.output
    return " ".join(run.output.split())


def test_list_and_refused_purge(application: Application) -> None:
    item = keep_rows(application)
    before = application.contents()
    run = application.run("playbooks/salvage.yml")
    assert run.status == 0, run.output
    assert f"item {item}, run r1, migration 003: 2 rows of public.tag (dropped table" in said(run)
    assert "100 days old, 1 of them held back (1: a reason), 11 bytes" in said(run)

    purge = ["-e", "salvage_action=purge", "-e", "salvage_older_than_days=90"]
    run = application.run("playbooks/salvage.yml", *purge)
    assert run.status != 0
    command = " ".join(["ansible-playbook playbooks/salvage.yml", *purge, "-e salvage_confirm=2-"])
    assert command in said(run), "the person is told what to type"
    assert application.contents() == before
    assert not application.artifacts.exists(), "it is no run of the controller's"


def test_one_command_changes_one_database(application: Application) -> None:
    item = keep_rows(application)
    before = application.contents()
    (database,) = application.databases
    both = Application(application.server, application.folder, application.sql_dir, [database, "zz"])
    purge = ("-e", "salvage_action=purge", "-e", f"salvage_item={item}")
    run = both.run("playbooks/salvage.yml", *purge, "-e", "salvage_confirm=2-0")
    assert run.status != 0
    assert f"Name one: --limit {database}" in said(run)
    run = both.run("playbooks/salvage.yml", "--limit", database, *purge)
    assert f"playbooks/salvage.yml --limit {database} -e salvage_action=purge" in said(run)
    assert application.contents() == before
