# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""README.md shows what the commands print today.  After a change of what is printed: make transcripts."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
import yaml
from psycopg2 import sql

from demo import transcripts as made
from demo.load_library import DATABASE, load
from demo.local_server import LocalServer

FEW_FILES = 1000  # the story puts a favorite on file 1000
STORIES = ("deploy", "rollback", "favorites", "conflict")


def _favorites(files: int) -> str:
    """What the story says of the favorites: a sample of every 25th file, and the three that are typed."""
    return f"{files // 25 + 3} rows"


@pytest.fixture(scope="module")
def runs(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The stories, run on a small library."""
    folder = tmp_path_factory.mktemp("transcripts")
    demo = made.Demo(
        server, folder / "artifacts", folder / "backups", ("-i", str(_inventory(server, folder)))
    )
    load(server, made.PROJECT / "sql", FEW_FILES, io.StringIO())
    try:
        texts = made.transcripts(demo)
    finally:
        with contextlib.closing(server.connect()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
    return texts


def _inventory(server: LocalServer, folder: Path) -> Path:
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "db_host": server.host,
        "db_port": server.port,
        "db_name": DATABASE,
        "db_user": server.user,
        "pg_bindir": server.bindir,
        "backup_dir": str(folder / "backups"),
        "artifacts_dir": str(folder / "artifacts"),
    }
    inventory = folder / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"databases": {"hosts": {DATABASE: variables}}}), encoding="utf-8")
    return inventory


@pytest.mark.parametrize("name", STORIES)
def test_the_readme_shows_what_is_printed_today(runs: dict[str, str], name: str) -> None:
    shown = made.shown_in(made.README.read_text(encoding="utf-8"))[name]
    today = runs[name].replace(_favorites(FEW_FILES), _favorites(made.FILES))
    assert made.normalised(shown).splitlines() == made.normalised(today).splitlines(), (
        "type: make transcripts"
    )


def test_reports_are_lines_and_not_json(runs: dict[str, str]) -> None:
    lines = [line.strip() for line in runs["deploy"].splitlines()]
    assert "deployed: 009 on midi_library (database midi_library)" in lines
    assert "State: Production has the migration." in lines
    assert '"msg"' not in runs["deploy"]


def test_the_favorites_come_back_as_they_were(runs: dict[str, str]) -> None:
    assert f"Put back: {_favorites(FEW_FILES)} of public.favorites" in runs["favorites"]
    assert "(3 rows)" in runs["favorites"]


def test_the_readme_has_a_place_for_each_story() -> None:
    assert set(made.shown_in(made.README.read_text(encoding="utf-8"))) == set(STORIES)
