# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a name to a migration that is rehearsed: begun, refused while it is unfinished, drafted, deployed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.stories.application import Application

PLAYBOOK = "playbooks/new_migration.yml"


@pytest.fixture
def own(application: Application, tmp_path: Path) -> Application:
    """The application with an SQL folder of its own, which a test may write to."""
    folder = tmp_path / "own_sql"
    shutil.copytree(application.sql_dir, folder)
    return replace(application, sql_dir=folder)


def test_begun_drafted_and_rehearsed(own: Application) -> None:
    begun = own.run(PLAYBOOK, "-e", "name=add_tags", "-e", "new_migration_author=Ada")
    assert begun.status == 0, begun.output
    assert "Migration 019_add_tags is begun" in begun.output
    files = [own.sql_dir / name for name in FILES]
    before = {path: path.read_bytes() for path in files}
    assert b"-- Author: Ada" in before[files[0]]

    again = own.run(PLAYBOOK, "-e", "name=add_tags")
    assert again.status == 0, again.output
    assert "Migration 019_add_tags is there already. Nothing was written." in again.output
    assert {path: path.read_bytes() for path in files} == before

    files[0].write_text(before[files[0]].decode().replace("Requires: 018", "Requires: 001"), encoding="utf-8")
    refused = own.run("deploy.yml", "-e", "migration=019")
    assert refused.record["reason_code"] == "script_unfinished"
    assert "migrations/019_add_tags.sql, line 7, column 4: " in refused.record["reason"]

    files[0].write_text(WRITTEN, encoding="utf-8")
    for path in files[1:]:
        path.unlink()
    drafted = own.run(PLAYBOOK, "-e", "migration=019")
    assert drafted.status == 0, drafted.output
    assert "takes back each of the 4 statements" in drafted.output, drafted.output
    deployed = own.run("playbooks/rehearse.yml", "-e", "migration=019")
    assert deployed.record["outcome"] == "rehearsed", deployed.record["reason"]
    assert deployed.record["proof"]["schema_restored"]
    assert deployed.record["proof"]["data_restored"]


FILES = (
    "migrations/019_add_tags.sql",
    "rollback/019_add_tags_rollback.sql",
    "verify/019_add_tags.sql",
)

WRITTEN = """\
-- Requires: 001
CREATE TABLE tags (id serial PRIMARY KEY, name varchar(50) NOT NULL UNIQUE);
ALTER TABLE notes ADD COLUMN tag_id integer REFERENCES tags, ALTER COLUMN body DROP NOT NULL;
CREATE INDEX ON notes (tag_id);
INSERT INTO notes (id, body) VALUES (1000, 'seed');
"""


def test_what_nobody_can_take_back_is_said_and_check_mode_writes_nothing(own: Application) -> None:
    looked = own.run(PLAYBOOK, "-e", "migration=011", "--check")
    assert looked.status == 0, looked.output
    assert not (own.sql_dir / FILES[1].replace("019_add_tags", "011_no_rollback")).exists()
    (own.sql_dir / "rollback" / "018_upper_rollback.sql").unlink()
    run = own.run(PLAYBOOK, "-e", "migration=018")
    assert run.status == 0, run.output
    assert "line 2, UPDATE notes SET body = upper(body): UPDATE changes rows" in run.output
    refused = own.run("playbooks/rehearse.yml", "-e", "migration=018")
    assert refused.record["reason_code"] == "script_unfinished"
