# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A script is one file: what would take in another one is refused, so that a digest is of all that is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.choice import LAYOUTS
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.source import SqlScriptError

from tests.unit.sql.test_layouts import FOLDERS, write_all

INCLUDES = (
    "\\i common.sql",
    "\\ir common.sql",
    "\\include common.sql",
    "\\include_relative common.sql",
    "\\copy t FROM 'rows.csv'",
    "SELECT 7 \\i common.sql",
    "\\set rows `cat rows.csv`",
    "\\! psql -f common.sql",
    "SELECT 'SELECT 7' \\gexec",
)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("command", INCLUDES)
def test_no_layout_takes_in_another_file(tmp_path: Path, layout: str, command: str) -> None:
    files = {
        name: text.replace("SELECT 1;", f"{command}\n")
        .replace("SELECT 1", command)
        .replace("SELECT 2", command)
        for name, text in FOLDERS[layout].items()
    }
    (migration,) = read_sql_library(write_all(tmp_path, files), layout=layout).migrations
    for script in (migration.apply, migration.rollback):
        with pytest.raises(
            SqlScriptError, match="is a meta-command of psql, which is not used here"
        ) as refused:
            script.parse()
        assert refused.value.code == "script_not_plain_sql"


@pytest.mark.parametrize("folder", ["verify/001_a.sql", "sample/001_a.sql", "smoke/a.sql"])
def test_nor_do_the_scripts_beside_migrations(tmp_path: Path, folder: str) -> None:
    library = read_sql_library(write_all(tmp_path, {**FOLDERS["plain"], folder: "\\i common.sql\n"}))
    with pytest.raises(SqlScriptError, match=r"\\i is a meta-command of psql"):
        [library.payload(["001"]), library.smoke_payload()]
