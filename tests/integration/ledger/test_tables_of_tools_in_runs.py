# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploys and rollbacks that keep another tool's books, seen with that tool's own eyes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns

PYTHON = "/usr/bin/python3"


@pytest.fixture
def project(server: LocalServer, database: str, tmp_path: Path) -> Callable[..., StepRuns]:
    """A database and a folder with these files, whose versions a tool records."""

    def make(version_table: Any, migration: str, files: dict[str, str]) -> StepRuns:
        for name, text in files.items():
            path = tmp_path / "sql" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return StepRuns(server, database, tmp_path, migration=migration, version_table=version_table)

    return make


def deploy(runs: StepRuns, *versions: str) -> None:
    for version in versions:
        run = runs.another("deploy", version)
        run.up_to("verify")
        run.conclude()


def roll_back(runs: StepRuns, version: str) -> None:
    runs.another("emergency_rollback", version).roll_back()


def tool(runs: StepRuns, *command: str, **environment: str) -> str:
    """What a program says of the database."""
    server = runs.server
    answer = subprocess.run(
        command,
        cwd=runs.folder / "sql",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(runs.folder),
            "PGHOST": str(server.host),
            "PGPORT": str(server.port),
            "PGUSER": server.user,
            "PGDATABASE": runs.database,
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr + answer.stdout
    return answer.stdout + answer.stderr


def needs(program: str, package: str) -> None:
    """Skip where a program is missing (.ci/packages installs it)."""
    if shutil.which(program) is None:
        pytest.skip(f"needs {program} ({package})")


def needs_python(module: str, package: str) -> None:
    """Skip where the system's Python does not have a package (.ci/packages installs it)."""
    if subprocess.run(
        [PYTHON, "-c", f"import {module}, psycopg2"], capture_output=True, check=False
    ).returncode:
        pytest.skip(f"needs {module} of the system's Python ({package})")


def test_golangs_one_number_moves_with_what_is_deployed(project: Callable[..., StepRuns]) -> None:
    runs = project(
        "golang",
        "000002",
        {
            f"00000{number}_{name}.{half}.sql": text
            for number, name in ((1, "one"), (2, "two"))
            for half, text in (("up", f"CREATE TABLE {name} (id int)"), ("down", f"DROP TABLE {name}"))
        },
    )
    runs.execute(
        "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)",
        "INSERT INTO schema_migrations VALUES (1, false)",
        "CREATE TABLE one (id int)",
    )
    deploy(runs, "000002")
    assert runs.ask("SELECT version, dirty FROM schema_migrations") == [(2, False)]
    states = {one["version"]: one["state"] for one in runs.must("status")["outputs"]["migrations"]}
    assert states == {"000001": "applied", "000002": "applied"}
    refused = runs.another("emergency_rollback", "000001").step("preflight")
    assert "000002 depend on it" in refused["msg"]
    roll_back(runs, "000002")
    assert runs.ask("SELECT version, dirty FROM schema_migrations") == [(1, False)]


def test_dbmate_shows_what_was_deployed(project: Callable[..., StepRuns]) -> None:
    needs("dbmate", "npm: dbmate")
    runs = project(
        "dbmate",
        "20240102",
        {
            f"migrations/2024010{number}_{name}.sql": f"-- migrate:up\nCREATE TABLE {name} (id int);\n"
            f"-- migrate:down\nDROP TABLE {name};\n"
            for number, name in ((1, "one"), (2, "two"))
        },
    )
    url = f"postgres://{runs.server.user}@/{runs.database}?host={runs.server.host}&port={runs.server.port}"
    dbmate = (
        "dbmate",
        "--url",
        f"{url}&sslmode=disable",
        "--migrations-dir",
        "migrations",
        "--no-dump-schema",
    )
    deploy(runs, "20240101")
    assert "[X] 20240101_one.sql\n[ ] 20240102_two.sql" in tool(runs, *dbmate, "status")
    tool(runs, *dbmate, "up")
    assert runs.ask("SELECT count(*) FROM two") == [(0,)]
    roll_back(runs, "20240102")
    assert "[X] 20240101_one.sql\n[ ] 20240102_two.sql" in tool(runs, *dbmate, "status")
    deploy(runs, "20240102")
    assert "Pending: 0" in tool(runs, *dbmate, "status")


SQITCH_PLAN = """%syntax-version=1.0.0
%project=flipr
%uri=https://example.com/flipr

schema 2024-01-01T00:00:00Z Marge O'Vera <marge@example.com> # Adds a schema.
users [schema !other] 2024-01-02T00:00:00Z Marge <marge@example.com> # Adds users.\\nIn two lines.
@v1 2024-01-03T00:00:00Z Marge <marge@example.com> # Tags it.

users [users@v1] 2024-01-04T00:00:00Z Marge <marge@example.com> # Adds a name.
other 2024-01-05T00:00:00Z Marge <marge@example.com> # Is not used any more.
"""
SQITCH = {
    "sqitch.plan": SQITCH_PLAN,
    "sqitch.conf": "[core]\n\tengine = pg\n[user]\n\tname = Marge\n\temail = marge@example.com\n",
    "deploy/schema.sql": "BEGIN;\nCREATE SCHEMA flipr;\nCOMMIT;\n",
    "revert/schema.sql": "BEGIN;\nDROP SCHEMA flipr;\nCOMMIT;\n",
    "verify/schema.sql": "BEGIN;\nSELECT has_schema_privilege('flipr', 'usage');\nROLLBACK;\n",
    "deploy/users@v1.sql": "BEGIN;\nCREATE TABLE flipr.users (id int);\nCOMMIT;\n",
    "revert/users@v1.sql": "BEGIN;\nDROP TABLE flipr.users;\nCOMMIT;\n",
    "verify/users@v1.sql": "BEGIN;\nSELECT id FROM flipr.users WHERE FALSE;\nROLLBACK;\n",
    "deploy/other.sql": "BEGIN;\nCREATE TABLE flipr.other ();\nCOMMIT;\n",
    "revert/other.sql": "BEGIN;\nDROP TABLE flipr.other;\nCOMMIT;\n",
    "deploy/users.sql": "BEGIN;\nALTER TABLE flipr.users ADD COLUMN name text;\nCOMMIT;\n",
    "revert/users.sql": "BEGIN;\nALTER TABLE flipr.users DROP COLUMN name;\nCOMMIT;\n",
}
REGISTRY = """
    SELECT change_id, script_hash, change, note, planned_at::text, planner_name, planner_email,
           (SELECT array_agg(concat_ws(' ', type, dependency, dependency_id) ORDER BY dependency)
            FROM sqitch.dependencies d WHERE d.change_id = c.change_id),
           (SELECT array_agg(concat_ws(' ', tag_id, tag, note, planned_at))
            FROM sqitch.tags t WHERE t.change_id = c.change_id)
    FROM sqitch.changes c ORDER BY planned_at"""
EVENTS = "SELECT event, change_id, requires, conflicts, tags FROM sqitch.events ORDER BY committed_at"


def test_sqitch_finds_its_registry_as_it_would_have_written_it(project: Callable[..., StepRuns]) -> None:
    needs("sqitch", "Debian: sqitch, libdbd-pg-perl")
    runs = project("sqitch", "users", SQITCH)
    uri = f"db:pg://{runs.server.user}@/{runs.database}"
    tool(runs, "sqitch", "deploy", uri)
    by_sqitch = runs.ask(REGISTRY), runs.ask(EVENTS)
    tool(runs, "sqitch", "revert", "-y", "--to", "schema", uri)
    deploy(runs, "users@v1", "users", "other")
    deployed = [event for event in runs.ask(EVENTS) if event[0] == "deploy"]
    assert (runs.ask(REGISTRY), deployed[-3:]) == (by_sqitch[0], by_sqitch[1][-3:])
    assert "Nothing to deploy (up-to-date)" in tool(runs, "sqitch", "status", uri)
    assert "Verify successful" in tool(runs, "sqitch", "verify", uri)
    roll_back(runs, "other")
    assert "Undeployed change:" in tool(runs, "sqitch", "status", uri)
    last = runs.ask(EVENTS)[-1]
    assert (last[0], last[1]) == ("revert", by_sqitch[0][3][0])
    tool(runs, "sqitch", "deploy", uri)
    assert runs.ask("SELECT name FROM flipr.users") == []
    tool(runs, "sqitch", "revert", "-y", uri)
    assert runs.ask("SELECT count(*) FROM sqitch.changes") == [(0,)]


DJANGO = {
    "manage.py": "import os, sys\nfrom django.core.management import execute_from_command_line\n"
    "os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\nexecute_from_command_line(sys.argv)\n",
    "settings.py": "import os\nSECRET_KEY = 'x'\nINSTALLED_APPS = ['polls']\nDATABASES = {'default': {\n"
    "    'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['PGDATABASE'],\n"
    "    'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT'], 'USER': os.environ['PGUSER']}}\n"
    "USE_TZ = True\nDEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n",
    "polls/__init__.py": "",
    "polls/models.py": "from django.db import models\n\n\nclass Question(models.Model):\n"
    "    text = models.CharField(max_length=200)\n    votes = models.IntegerField(default=0)\n",
    "polls/migrations/__init__.py": "",
    "polls/migrations/0001_initial.py": "from django.db import migrations, models\n\n\n"
    "class Migration(migrations.Migration):\n    operations = [migrations.CreateModel('Question', [\n"
    "        ('id', models.BigAutoField(primary_key=True)), ('text', models.CharField(max_length=200))])]\n",
    "polls/migrations/0002_votes.py": "from django.db import migrations, models\n\n\n"
    "class Migration(migrations.Migration):\n    dependencies = [('polls', '0001_initial')]\n"
    "    operations = [migrations.AddField('question', 'votes', models.IntegerField(default=0))]\n",
}


def test_django_plans_what_is_left(project: Callable[..., StepRuns]) -> None:
    needs_python("django", "Debian: python3-django")
    runs = project("django", "polls.0002_votes", DJANGO)
    for name in ("0001_initial", "0002_votes"):
        forward = tool(runs, PYTHON, "manage.py", "sqlmigrate", "polls", name)
        back = tool(runs, PYTHON, "manage.py", "sqlmigrate", "--backwards", "polls", name)
        runs.write(**{f"migrations__polls.{name}": forward, f"rollback__polls.{name}_rollback": back})
    deploy(runs, "polls.0001_initial")
    planned = tool(runs, PYTHON, "manage.py", "migrate", "--plan")
    assert "polls.0002_votes" in planned
    assert "polls.0001_initial" not in planned
    tool(runs, PYTHON, "manage.py", "migrate")
    roll_back(runs, "polls.0002_votes")
    assert " [X] 0001_initial\n [ ] 0002_votes" in tool(runs, PYTHON, "manage.py", "showmigrations", "polls")
    deploy(runs, "polls.0002_votes")
    assert "No planned migration operations" in tool(runs, PYTHON, "manage.py", "migrate", "--plan")
    tool(runs, PYTHON, "manage.py", "migrate", "polls", "zero")
    assert runs.ask("SELECT to_regclass('polls_question')") == [(None,)]


ALEMBIC = {
    "alembic.ini": "[alembic]\nscript_location = alembic\n",
    "alembic/env.py": "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\n"
    "if context.is_offline_mode():\n    context.configure(dialect_name='postgresql')\n"
    "    with context.begin_transaction():\n        context.run_migrations()\nelse:\n"
    "    with create_engine('postgresql+psycopg2://').connect() as connection:\n"
    "        context.configure(connection=connection)\n"
    "        with context.begin_transaction():\n            context.run_migrations()\n",
    **{
        f"alembic/versions/{revision}.py": "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = {revision!r}\ndown_revision = {revises!r}\n"
        f"def upgrade():\n    op.create_table({table!r}, sa.Column('id', sa.Integer))\n"
        f"def downgrade():\n    op.drop_table({table!r})\n"
        for revision, revises, table in (("aa11", None, "one"), ("bb22", "aa11", "two"))
    },
}


def test_alembic_knows_where_it_is(project: Callable[..., StepRuns]) -> None:
    needs_python("alembic", "Debian: alembic")
    runs = project("alembic", "001", ALEMBIC)
    alembic = (PYTHON, "-m", "alembic.config")

    def sql(*command: str) -> str:
        said = tool(runs, *alembic, *command, "--sql")
        return said[said.index("BEGIN;") : said.rindex("COMMIT;") + 8]

    runs.write(
        migrations__001_one=sql("upgrade", "aa11"),
        rollback__001_one_rollback=sql("downgrade", "aa11:base"),
        migrations__002_two=sql("upgrade", "aa11:bb22"),
        rollback__002_two_rollback=sql("downgrade", "bb22:aa11"),
    )
    deploy(runs, "001")
    assert tool(runs, *alembic, "current").splitlines()[0] == "aa11"
    tool(runs, *alembic, "upgrade", "head")
    roll_back(runs, "002")
    assert tool(runs, *alembic, "current").splitlines()[0] == "aa11"
    deploy(runs, "002")
    assert "bb22 (head)" in tool(runs, *alembic, "current")
    tool(runs, *alembic, "downgrade", "base")
    assert runs.ask("SELECT to_regclass('one')") == [(None,)]


YOYO = {
    f"migrations/{name}.sql": text
    for name, text in (
        ("0001.first", "CREATE TABLE one (id int);\n"),
        ("0001.first.rollback", "DROP TABLE one;\n"),
        ("0002.second", "-- depends: 0001.first\nCREATE TABLE two (id int);\n"),
        ("0002.second.rollback", "DROP TABLE two;\n"),
    )
}


def test_yoyo_lists_what_was_deployed(project: Callable[..., StepRuns]) -> None:
    needs("yoyo", "PyPI: yoyo-migrations; Debian: yoyo")
    runs = project("yoyo", "0001", YOYO)
    url = f"postgresql://{runs.server.user}@/{runs.database}?host={runs.server.host}&port={runs.server.port}"

    def yoyo(command: str, *options: str) -> str:
        said = tool(
            runs, "yoyo", command, "--no-config-file", "--batch", *options, f"--database={url}", "migrations"
        )
        return " ".join(said.split())

    deploy(runs, "0001")
    assert "A 0001.first" in yoyo("list")
    assert "U 0002.second" in yoyo("list")
    yoyo("apply")
    assert runs.ask("SELECT count(*) FROM two") == [(0,)]
    assert {one["state"] for one in runs.must("status")["outputs"]["migrations"]} == {"applied"}
    roll_back(runs, "0002")
    assert "U 0002.second" in yoyo("list")
    deploy(runs, "0002")
    assert "U 000" not in yoyo("list")
    yoyo("rollback", "--all")
    assert runs.ask("SELECT to_regclass('one'), to_regclass('two')") == [(None, None)]
    log = runs.ask("SELECT operation, migration_id FROM _yoyo_log ORDER BY created_at_utc")
    assert log == [
        ("apply", "0001.first"),
        ("apply", "0002.second"),
        ("rollback", "0002.second"),
        ("apply", "0002.second"),
        ("rollback", "0002.second"),
        ("rollback", "0001.first"),
    ]
