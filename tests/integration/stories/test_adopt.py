# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a folder of another tool to the first proven rollback, as docs/adopt says it."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

from demo.local_server import LocalServer
from tests.adopt_pages import page
from tests.integration.stories.application import Application


def test_the_commands_of_a_page_do_what_it_says(server: LocalServer, database: str, tmp_path: Path) -> None:
    found = page("golang")
    folder = found.write(tmp_path / "db")
    application = Application(
        server, tmp_path, folder, [database], {"version_table": found.settings["version_table"]}
    )
    with (
        contextlib.closing(server.connect(database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(found.files["migrations/000001_users.up.sql"])
        cursor.execute(
            "INSERT INTO users VALUES (1, 'ada');"
            "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);"
            "INSERT INTO schema_migrations VALUES (1, false)"
        )
    outputs = []
    for command in found.commands:
        _ansible, *arguments = shlex.split(command)
        run = application.run(*arguments)
        assert run.status == 0, run.output
        outputs.append(run.output)
    status, rehearsal, deploy, rollback = outputs
    assert "The SQL is read as sql_layout golang, by migrations/000001_users.down.sql." in status
    assert "000001_users  applied" in status
    assert "rehearsed: 000002" in rehearsal
    assert "deployed: 000002" in deploy
    assert "rolled_back: 000002" in rollback
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT version, dirty FROM schema_migrations")
        assert cursor.fetchall() == [(1, False)]
