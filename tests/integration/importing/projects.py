# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Projects of Django and Alembic as people have them, and the tools of the system's Python."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"

DJANGO = {
    "manage.py": "import os, sys\nfrom django.core.management import execute_from_command_line\n"
    "os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\nprint('a project that talks')\n"
    "execute_from_command_line(sys.argv)\n",
    "settings.py": "import os\nSECRET_KEY = 'x'\nINSTALLED_APPS = ['polls']\nDATABASES = {'default': {\n"
    "    'ENGINE': os.environ.get('ENGINE', 'django.db.backends.postgresql'), 'NAME': os.environ['PGDATABASE'],\n"
    "    'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT'], 'USER': os.environ['PGUSER']}}\n"
    "USE_TZ = True\nDEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n",
    "polls/__init__.py": "",
    "polls/models.py": "",
    "polls/migrations/__init__.py": "",
}


def django_migration(name: str, parent: str, operations: str, more: str = "") -> dict[str, str]:
    """A migration of application polls, as a file."""
    dependencies = f"    dependencies = [('polls', '{parent}')]\n" if parent else ""
    text = (
        "from django.contrib.postgres.operations import AddIndexConcurrently\n"
        "from django.db import migrations, models\n\n\ndef work(apps, editor): ...\n\n\n"
        f"class Migration(migrations.Migration):\n{more}{dependencies}    operations = [{operations}]\n"
    )
    return {f"polls/migrations/{name}.py": text}


DJANGO_MIGRATIONS = {
    **django_migration(
        "0001_initial",
        "",
        "migrations.CreateModel('Question', [('id', models.BigAutoField(primary_key=True)),"
        " ('text', models.CharField(max_length=200))])",
    ),
    **django_migration(
        "0002_more",
        "0001_initial",
        "migrations.AlterField('question', 'text', models.TextField()),"
        " migrations.AddField('question', 'votes', models.IntegerField(default=0)),"
        " migrations.AddIndex('question', models.Index(fields=['votes'], name='by_votes'))",
    ),
    **django_migration(
        "0003_label", "0002_more", "migrations.AlterField('question', 'text', models.TextField('Words'))"
    ),
    **django_migration(
        "0004_index",
        "0003_label",
        "AddIndexConcurrently('question', models.Index(fields=['text'], name='by_text'))",
        "    atomic = False\n",
    ),
    **django_migration(
        "0005_words",
        "0004_index",
        "migrations.RunPython(work, work),"
        " migrations.RunSQL('-- Requires: nobody\\nUPDATE polls_question SET votes = 1',"
        " 'UPDATE polls_question SET votes = 0')",
    ),
    **django_migration(
        "0006_for_ever", "0005_words", "migrations.RunSQL(\"COMMENT ON TABLE polls_question IS 'x'\")"
    ),
}

ALEMBIC = {
    "alembic.ini": "[alembic]\nscript_location = scripts\n",
    "scripts/env.py": "from alembic import context\nfrom sqlalchemy import create_engine\n"
    "print('a project that talks')\n"
    "settings = {'version_table': 'revisions', 'version_table_schema': 'public'}\n"
    "if context.is_offline_mode():\n"
    "    context.configure(dialect_name='postgresql', dialect_opts={'paramstyle': 'named'}, **settings)\n"
    "    with context.begin_transaction():\n        context.run_migrations()\nelse:\n"
    "    with create_engine('postgresql+psycopg2://').connect() as connection:\n"
    "        context.configure(connection=connection, **settings)\n"
    "        with context.begin_transaction():\n            context.run_migrations()\n",
}


def alembic_revision(
    revision: str, revises: object, upgrade: str, downgrade: str, message: str
) -> dict[str, str]:
    """A revision, as a file."""
    text = (
        f'"""{message}"""\nimport sqlalchemy as sa\nfrom alembic import op\n'
        f"revision = {revision!r}\ndown_revision = {revises!r}\n"
        f"def upgrade():\n    {upgrade}\ndef downgrade():\n    {downgrade}\n"
    )
    return {f"scripts/versions/{revision}.py": text}


# Two branches and what merges them.
ALEMBIC_REVISIONS = {
    **alembic_revision(
        "aa11",
        None,
        "op.create_table('one', sa.Column('id', sa.Integer), sa.Column('words', sa.Text))",
        "op.drop_table('one')",
        "Make one\n\nRev: is no entry, and this: is no fact.\n",
    ),
    **alembic_revision(
        "bb22",
        "aa11",
        "op.execute(\"COMMENT ON TABLE one IS '100%'\")",
        "op.execute('COMMENT ON TABLE one IS NULL')",
        "percent",
    ),
    **alembic_revision(
        "cc33",
        "aa11",
        "with op.get_context().autocommit_block():\n"
        "        op.create_index('by_words', 'one', ['words'], postgresql_concurrently=True)",
        "op.drop_index('by_words')",
        "index",
    ),
    **alembic_revision("dd44", ("bb22", "cc33"), "pass", "pass", "merge"),
}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def needs(module: str, package: str) -> None:
    """Skip where the system's Python does not have a package (.ci/packages installs it)."""
    command = [PYTHON, "-c", f"import {module}, psycopg2"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"needs {module} of the system's Python ({package})")


def said(project: Path, *words: str) -> str:
    """What a command of the project prints."""
    answer = subprocess.run(
        [PYTHON, *words], cwd=project, env=os.environ, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr + answer.stdout
    return answer.stdout
