# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder without sample rows is rehearsed: a rollback that loses rows is refused, and the report says on which."""

from __future__ import annotations

from pathlib import Path

from demo.local_server import LocalServer
from tests.integration.stories.application import SCRIPTS, Application, prepare

ALL = ("playbooks/rehearse.yml", "-e", "migration=all", "-e", "rehearse_generated_rows=5")


def write(folder: Path, **scripts: str) -> None:
    for name, text in scripts.items():
        path = folder / f"{name.replace('__', '/')}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_all_rollbacks_of_a_folder_are_rehearsed_on_generated_rows(
    server: LocalServer, database: str, tmp_path: Path
) -> None:
    folder = tmp_path / "sql"
    write(
        folder,
        migrations__001_notes=SCRIPTS["migrations/001_notes.sql"],
        rollback__001_notes_rollback=SCRIPTS["rollback/001_notes_rollback.sql"],
        migrations__018_upper=SCRIPTS["migrations/018_upper.sql"],
        rollback__018_upper_rollback=SCRIPTS["rollback/018_upper_rollback.sql"],
    )
    prepare(server, database)
    application = Application(server, tmp_path, folder, [database])
    before = application.contents()
    run = application.run(*ALL)
    assert run.status != 0
    assert run.record["reason_code"] == "rollback_loses_generated_rows"
    assert "With 5 generated rows a table (seed 1), among them public.notes (5)" in run.record["reason"]
    assert [one["migration"] for one in run.record["proof"]["failures"]] == ["018"]
    assert "Proven: the rollback of 001 (5 rows), in a database made from nothing" in run.output

    write(folder, migrations__018_upper="-- Requires: 001\nALTER TABLE notes ADD COLUMN upper text;\n")
    write(folder, rollback__018_upper_rollback="ALTER TABLE notes DROP COLUMN upper;\n")
    run = application.run(*ALL)
    assert run.status == 0, run.output
    assert run.record["proof"]["rows"]["018"] == {"rows": 10, "tables": {"public.notes": 10}, "more": 0}
    said = " ".join(run.output.split())
    proven = "the rollback of 001 (10 rows), 018 (10 rows), in a database made from nothing"
    assert f"{proven}: schema and rows came back" in said
    assert (
        "Generated rows: a rehearsal of their own, with up to 5 rows (seed 1) in 1 table that had fewer"
        in said
    )
    assert "Proven: 2 of 2." in (folder / "ROLLBACK_STATUS.md").read_text(encoding="utf-8")
    assert application.contents() == before, "production was only read"
