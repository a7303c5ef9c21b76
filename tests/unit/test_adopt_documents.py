# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/adopt: the files of each page are what it says they are, and its commands are those of the page that is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.bookkeeping import TOOLS
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.work import (
    TOOLS as TOOLS_TO_IMPORT_FROM,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.plan import plan_for
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.books import books_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from tests.adopt_pages import PAGES, Page, page

LAYOUTS = {"alembic": "plain", "django": "plain"}


def test_there_is_a_page_for_each_tool() -> None:
    # Rails' table is that of dbmate, and its SQL files are laid out as golang-migrate's.
    assert sorted({name for name in TOOLS if name} - {"rails"}) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_files_are_deployable_migrations_whose_books_the_tool_keeps(name: str, tmp_path: Path) -> None:
    found: Page = page(name)
    library = read_sql_library(found.write(tmp_path))
    assert library.layout.name == LAYOUTS.get(name, name)
    assert library.warnings == ()
    first, second = library.migrations
    assert second.version == found.migration
    assert second.requires == (first.version,)
    plan = plan_for("rehearse", library, [first.version, second.version])
    assert all(one["apply"]["statements"] and one["rollback"]["statements"] for one in plan["migrations"])
    assert found.settings["version_table"] == name
    assert list(books_of(name, library)["entries"]) == [first.version, second.version]


@pytest.mark.parametrize("name", PAGES)
def test_the_tools_that_can_be_imported_say_how(name: str) -> None:
    project = f"-e from={name} -e import_project=/srv/app -e import_python=/srv/app/.venv/bin/python"
    command = f"ansible-playbook playbooks/import.yml {project}"
    assert page(name).imports == ([command] if name in TOOLS_TO_IMPORT_FROM else [])


@pytest.mark.parametrize("name", PAGES)
def test_its_commands_are_those_of_the_page_that_is_run(name: str) -> None:
    found, run = page(name), page("golang")
    assert [line.replace(found.migration, run.migration) for line in found.commands] == run.commands
