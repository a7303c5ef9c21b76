# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project of Alembic with branches and a table of its own name, imported and deployed, as Alembic sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.report import import_report
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.books import books_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from tests.integration.importing.projects import (
    ALEMBIC,
    ALEMBIC_REVISIONS,
    alembic_revision,
    needs,
    said,
    write,
)

VERSION_TABLE = {"tool": "alembic", "table": "public.revisions"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> Path:
    needs("alembic", "Debian: alembic")
    return write(tmp_path / "project", {**ALEMBIC, **ALEMBIC_REVISIONS})


def heads(project: Path) -> set[str]:
    """What Alembic takes for the newest of the database."""
    lines = said(project, "-m", "alembic.config", "current").splitlines()
    return {line.split(" ")[0] for line in lines} - {"a"}


def test_branches_and_their_merge_are_deployed_and_taken_back(
    import_from: Any, deploying: Any, project: Path, tmp_path: Path
) -> None:
    found = import_from("alembic")
    stems = {one.one.key: one.stem for one in found.new}
    branches = sorted([stems["bb22"], stems["cc33"]])
    assert sorted(stems.values()) == ["001_aa11_Make_one", *branches, "004_dd44_merge"]
    assert import_report(found, "", True)[5:] == [
        f"Not in one transaction (-- Transaction: none): {stems['cc33']}",
        "So that Alembic knows what is applied, set in the inventory: version_table: {tool: alembic, table:"
        " public.revisions}",
    ]
    assert import_report(found, VERSION_TABLE, True)[5:] == [
        f"Not in one transaction (-- Transaction: none): {stems['cc33']}"
    ]
    library = read_sql_library(tmp_path / "sql")
    assert set(library.find("004").requires) == {library.find(stems[key]).version for key in ("bb22", "cc33")}
    entries = books_of("alembic", library)["entries"]
    assert entries["001"] == {"revision": "aa11", "revises": []}
    assert sorted(entries["004"]["revises"]) == ["bb22", "cc33"]
    everything = "".join(path.read_text() for path in (tmp_path / "sql").rglob("*.sql"))
    assert "version_num" not in everything
    assert "IS '100%'" in everything

    runs = deploying(VERSION_TABLE)
    run = runs.another("deploy", "pending")
    run.up_to("verify")
    run.conclude()
    assert heads(project) == {"dd44"}
    runs.another("emergency_rollback", "004").roll_back()
    assert heads(project) == {"bb22", "cc33"}
    said(project, "-m", "alembic.config", "upgrade", "head")
    assert {one["state"] for one in runs.must("status")["outputs"]["migrations"]} == {"applied"}
    assert import_from("alembic").new == ()


def test_what_alembic_cannot_say_is_left_to_a_person(import_from: Any, project: Path, tmp_path: Path) -> None:
    ini = "[alembic]\nscript_location = scripts\n"
    env = ALEMBIC["scripts/env.py"].replace(", dialect_opts={'paramstyle': 'named'}", "")
    for path in (project / "scripts/versions").iterdir():
        path.unlink()
    python = "op.get_bind().execute(sa.text('SELECT 1')).fetchall()"
    write(
        project,
        {
            "alembic.ini": ini,
            "scripts/env.py": env,
            **alembic_revision("a1", None, python, "raise NotImplementedError('no way')", "python"),
            **alembic_revision("b2", "a1", "op.execute(\"UPDATE t SET a = '5%'\")", "pass", "percent"),
            **alembic_revision(
                "c3",
                "b2",
                "op.execute(sa.text('SELECT :a').bindparams(a=1))",
                "op.execute('SELECT 1')",
                "bound",
            ),
        },
    )
    found = import_from("alembic")
    unfinished = {path: half.unfinished for one in found.new for path, half in one.files().items()}
    assert {path.partition("/")[2]: " ".join(what) for path, what in unfinished.items()} == {
        "001_a1_python.sql": "write it: alembic upgrade base:a1 --sql ended with AttributeError: 'NoneType' object has"
        " no attribute 'fetchall'",
        "001_a1_python_rollback.sql": "write it: alembic downgrade a1:base --sql ended with NotImplementedError:"
        " no way",
        "002_b2_percent.sql": "look at each %%, which may have to be %: Alembic doubles them unless env.py gives"
        " context.configure dialect_opts={'paramstyle': 'named'}",
        "002_b2_percent_rollback.sql": "write the way back, for which Alembic prints nothing",
        "003_c3_bound.sql": 'correct what PostgreSQL does not understand: syntax error at or near "%"',
        "003_c3_bound_rollback.sql": "",
    }
    library = read_sql_library(tmp_path / "sql")
    for one in library.migrations:
        with pytest.raises(Refused, match="the script says that it is unfinished") as caught:
            one.apply.parse()
        assert caught.value.code == "script_unfinished"
    assert "SELECT %(a)s" in library.find("003").apply.text


def test_a_project_that_is_none_is_said_in_alembics_words(import_from: Any, project: Path) -> None:
    (project / "alembic.ini").unlink()
    with pytest.raises(
        Refused, match=r"Alembic could not say what there is: FAILED: No config file"
    ) as caught:
        import_from("alembic")
    assert caught.value.code == "import_tool_failed"


def test_the_sql_of_another_database_is_refused(import_from: Any, project: Path, tmp_path: Path) -> None:
    env = "import logging\nlogging.basicConfig(level=logging.INFO)\n" + ALEMBIC["scripts/env.py"]
    write(project, {"scripts/env.py": env.replace("dialect_name='postgresql'", "dialect_name='sqlite'")})
    with pytest.raises(Refused, match=r"of aa11: it is that of SQLite") as caught:
        import_from("alembic")
    assert caught.value.code == "import_not_postgresql"
    assert not (tmp_path / "sql").exists()
