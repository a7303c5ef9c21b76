# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project of Django, imported, written where Django could not say it, deployed and taken back, as Django sees it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.report import import_report
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from tests.integration.importing.projects import (
    DJANGO,
    DJANGO_MIGRATIONS,
    django_migration,
    needs,
    said,
    write,
)
from tests.integration.step_runs import StepRuns

WORDS = "migrations/005_polls_0005_words.sql"
WORDS_BACK = "rollback/005_polls_0005_words_rollback.sql"
FOR_EVER_BACK = "rollback/006_polls_0006_for_ever_rollback.sql"


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> Path:
    needs("django", "Debian: python3-django")
    return write(tmp_path / "project", {**DJANGO, **DJANGO_MIGRATIONS})


def finish(path: Path, statement: str) -> None:
    """What a person does: write it, and take out the line."""
    text = re.sub(r"-- Unfinished: .*\n", "", path.read_text(encoding="utf-8"))
    path.write_text(text.replace("\nCOMMIT;", f"\n{statement};\nCOMMIT;"), encoding="utf-8")


def roll_back(runs: StepRuns, version: str) -> None:
    runs.another("emergency_rollback", version).roll_back()


def test_from_the_project_to_production_and_back(
    import_from: Any, deploying: Any, project: Path, tmp_path: Path
) -> None:
    found = import_from("django")
    library = read_sql_library(tmp_path / "sql")
    assert library.warnings == ()
    assert {one.version: one.requires for one in library.migrations} == {
        "001": (),
        **{f"00{number}": (f"00{number - 1}",) for number in range(2, 7)},
    }
    assert [one.rollback.name for one in library.migrations if one.rollback.header.unfinished] == [
        WORDS_BACK,
        FOR_EVER_BACK,
    ]
    assert import_report(found, "", True)[7:] == [
        "To be written by a person; until then a deploy of them is refused:",
        f"  {WORDS_BACK}: write as SQL what Django does in Python, where it says CANNOT BE WRITTEN AS SQL",
        f"  {WORDS}: write as SQL what Django does in Python, where it says CANNOT BE WRITTEN AS SQL",
        f"  {FOR_EVER_BACK}: write it: sqlmigrate --backwards ended with"
        " django.db.migrations.exceptions.IrreversibleError: Operation <RunSQL"
        " \"COMMENT ON TABLE polls_question IS 'x'\"> in polls.0006_for_ever is not reversible",
        "Not in one transaction (-- Transaction: none): 004_polls_0004_index",
        "So that Django knows what is applied, set in the inventory: version_table: django",
    ]

    runs = deploying("django")
    refused = runs.step("preflight")
    assert refused["reason_code"] == "script_unfinished"
    assert (
        f"{WORDS}, line 5, column 4: the script says that it is unfinished (write as SQL what"
        in refused["msg"]
    )
    finish(tmp_path / "sql" / WORDS, "UPDATE polls_question SET text = text || '!'")
    finish(tmp_path / "sql" / WORDS_BACK, "UPDATE polls_question SET text = rtrim(text, '!')")
    assert f"{FOR_EVER_BACK}, line 3" in runs.step("preflight")["msg"]
    finish(tmp_path / "sql" / FOR_EVER_BACK, "COMMENT ON TABLE polls_question IS NULL")

    for version in ("001", "pending"):
        run = runs.another("deploy", version)
        run.up_to("verify")
        run.conclude()
        runs.execute("INSERT INTO polls_question SELECT 1, 'why' WHERE NOT EXISTS (TABLE polls_question)")
    assert runs.ask("SELECT text, votes FROM polls_question") == [("why!", 1)]
    assert "No planned migration operations" in said(project, "manage.py", "migrate", "--plan")
    roll_back(runs, "006")
    planned = said(project, "manage.py", "migrate", "--plan")
    assert "polls.0006_for_ever" in planned
    assert "polls.0005_words" not in planned


def test_a_second_import_adds_what_is_new_and_leaves_what_was_edited(
    import_from: Any, own_database: str, project: Path, tmp_path: Path
) -> None:
    would = import_from("django", writes=False)
    assert len(would.new) == 6
    assert not (tmp_path / "sql").exists()
    import_from("django")
    sql = tmp_path / "sql"
    finish(sql / WORDS, "SELECT 1")
    (sql / "rollback/002_polls_0002_more_rollback.sql").unlink()
    before = {path: path.read_bytes() for path in sql.rglob("*.sql")}
    write(project, django_migration("0007_new", "0006_for_ever", "migrations.RunSQL('SELECT 7', '')"))
    (project / "polls/migrations/0006_for_ever.py").rename(project / "polls/migrations/0006_other.py")
    write(project, django_migration("0007_new", "0006_other", "migrations.RunSQL('SELECT 7', '')"))
    found = import_from("django")
    assert [(one.stem, one.apply is None) for one in found.new] == [
        ("007_polls_0006_other", False),
        ("008_polls_0007_new", False),
        ("002_polls_0002_more", True),
    ]
    assert found.edited == (WORDS,)
    assert found.gone == ("migrations/006_polls_0006_for_ever.sql",)
    assert list(found.unfinished) == [WORDS_BACK]
    after = {path: path.read_bytes() for path in sql.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 5
    again = import_from("django")
    assert again.new == ()
    assert import_report(again, "django", True)[0] == (
        f"{sql} has all migrations that Django lists (7); nothing was written"
    )


SQUASHED = django_migration(
    "0001_squashed_0002",
    "",
    "migrations.CreateModel('Question', [('id', models.BigAutoField(primary_key=True)),"
    " ('text', models.TextField()), ('votes', models.IntegerField(default=0))])",
    "    replaces = [('polls', '0001_initial'), ('polls', '0002_more')]\n",
)


def only(project: Path, *names: str) -> None:
    """Leave these migrations of the project alone."""
    for path in (project / "polls/migrations").glob("0*.py"):
        if path.stem not in names:
            path.unlink()


def test_a_squashed_migration_and_what_it_replaces_are_deployed_once(
    import_from: Any, deploying: Any, project: Path, tmp_path: Path
) -> None:
    only(project, "0001_initial", "0002_more")
    import_from("django")
    runs = deploying("django")
    runs.up_to("verify")
    runs.conclude()
    write(project, SQUASHED)
    write(
        project,
        django_migration("0003_new", "0001_squashed_0002", "migrations.RunSQL('SELECT 3', 'SELECT 3')"),
    )
    found = import_from("django")
    assert [one.stem for one in found.new] == ["003_polls_0001_squashed_0002", "004_polls_0003_new"]
    assert found.gone == ()
    run = runs.another("deploy", "pending")
    run.up_to("verify")
    run.conclude()
    assert [name for (name,) in runs.ask("SELECT name FROM django_migrations ORDER BY id")] == [
        *("0001_initial", "0002_more", "0001_squashed_0002", "0003_new")
    ]
    # The last act of squashing: what was replaced goes, and the squashed one no longer names it.
    only(project, "0001_squashed_0002", "0003_new")
    path = project / "polls/migrations/0001_squashed_0002.py"
    path.write_text(re.sub(r" *replaces = .*", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    assert "No planned migration operations" in said(project, "manage.py", "migrate", "--plan")
    assert import_from("django").new == ()


def test_a_squashed_migration_alone_is_recorded_as_django_does(
    import_from: Any, deploying: Any, project: Path
) -> None:
    only(project, "0001_initial", "0002_more")
    write(project, SQUASHED)
    assert [one.stem for one in import_from("django").new] == ["001_polls_0001_squashed_0002"]
    runs = deploying("django")
    runs.up_to("verify")
    runs.conclude()
    assert "[X] 0001_squashed_0002 (2 squashed migrations)" in said(project, "manage.py", "showmigrations")
    assert "No planned migration operations" in said(project, "manage.py", "migrate", "--plan")


def test_a_database_that_is_not_there_is_said_in_djangos_words(
    import_from: Any, own_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGHOST", "/nowhere")
    with pytest.raises(
        Refused, match=r"Django could not say what there is: .*OperationalError: .*/nowhere"
    ) as caught:
        import_from("django")
    assert caught.value.code == "import_tool_failed"
    assert not (tmp_path / "sql").exists()


def test_another_database_than_postgresql_is_refused(
    import_from: Any, own_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, project: Path
) -> None:
    monkeypatch.setenv("ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setenv("PGDATABASE", ":memory:")
    with pytest.raises(Refused, match="database of Django is one of sqlite, and not of PostgreSQL") as caught:
        import_from("django")
    assert caught.value.code == "import_not_postgresql"
    assert not (tmp_path / "sql").exists()
