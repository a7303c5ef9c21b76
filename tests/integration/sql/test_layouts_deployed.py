# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders as other tools lay them out, deployed and taken back: only what is meant runs, and both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns

UP = "CREATE TABLE notes (id int PRIMARY KEY, body text);"
DOWN = "DROP TABLE notes;"
CHECK = "SELECT to_regclass('notes') IS NOT NULL;"

FOLDERS: dict[str, tuple[str, dict[str, str]]] = {
    "flyway": ("1.2", {"V1_2__notes.sql": UP, "U1_2__notes.sql": DOWN, "verify/V1_2__notes.sql": CHECK}),
    "golang": ("000001", {"migrations/000001_notes.up.sql": UP, "migrations/000001_notes.down.sql": DOWN}),
    "yoyo": ("0001", {"migrations/0001.notes.sql": UP, "migrations/0001.notes.rollback.sql": DOWN}),
    "dbmate": (
        "20240101",
        {"migrations/20240101_notes.sql": f"-- migrate:up\n{UP}\n-- migrate:down\n{DOWN}\n"},
    ),
    "goose": (
        "00001",
        {
            "00001_notes.sql": "-- +goose NO TRANSACTION\n-- +goose Up\n"
            f"{UP}\nCREATE INDEX CONCURRENTLY notes_body ON notes (body);\n-- +goose Down\n{DOWN}\n"
        },
    ),
    "sqitch": (
        "notes",
        {
            "sqitch.plan": "%project=p\n\nnotes 2024-01-01T00:00:00Z A <a@example.com> # Notes\n",
            "deploy/notes.sql": f"-- Deploy p:notes to pg\n\nBEGIN;\n{UP}\nCOMMIT;\n",
            "revert/notes.sql": f"BEGIN;\n{DOWN}\nCOMMIT;\n",
            "verify/notes.sql": "BEGIN;\nINSERT INTO notes VALUES (1);\nSELECT 1/count(*) FROM notes;\nROLLBACK;\n",
        },
    ),
}


@pytest.mark.parametrize("layout", FOLDERS)
def test_a_migration_is_deployed_and_rolled_back(
    server: LocalServer, database: str, tmp_path: Path, layout: str
) -> None:
    version, files = FOLDERS[layout]
    for name, text in files.items():
        path = tmp_path / "sql" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    runs = StepRuns(server, database, tmp_path, migration=version)
    opened = runs.must("preflight")
    assert opened["outputs"]["sql_layout"] == layout
    assert f"sql_layout {layout}, by " in str(opened["warnings"])
    runs.steps("maintenance_window", "backup", "verify_restore", "rehearse", "apply", "verify")
    runs.conclude()
    assert runs.ask("SELECT count(*) FROM notes") == [(0,)], (
        "what a check writes is undone, the migration is not"
    )
    assert runs.ask("SELECT version FROM schema_migrations") == [(version,)]
    runs.another("emergency_rollback", version).roll_back()
    assert runs.ask("SELECT to_regclass('notes')") == [(None,)]
