# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How other tools know a migration, read from its files."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.books import books_of, flyway_checksum
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.sqitch_ids import change_ids
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.sqitch_plan import read_plan
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import NO_LIBRARY, read_sql_library


def entries(root: Path, tool: Any, files: dict[str, str]) -> dict[str, Any]:
    """What a tool knows the migrations of these files by."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return books_of(tool, read_sql_library(root))["entries"]


def test_without_the_setting_nothing_is_said() -> None:
    assert books_of("", NO_LIBRARY) == books_of(None, NO_LIBRARY) == books_of({}, NO_LIBRARY) == {}


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("liquibase", "knows no tool 'liquibase'; there are alembic, dbmate"),
        ({"columns": "x"}, "has no columns"),
    ],
)
def test_a_wrong_setting_is_refused(setting: Any, what: str) -> None:
    with pytest.raises(Refused, match=what) as caught:
        books_of(setting, NO_LIBRARY)
    assert caught.value.code == "setting_invalid"


def test_a_table_of_ones_own_is_handed_on(tmp_path: Path) -> None:
    setting = {"table": "ops.changes", "version": "number"}
    assert books_of(setting, NO_LIBRARY) == {**setting, "tool": "", "entries": {}}


def test_numbers_are_numbers(tmp_path: Path) -> None:
    assert entries(tmp_path, "golang", {"000012_a.up.sql": "SELECT 1"}) == {"000012": 12}
    with pytest.raises(
        Refused, match=r"migrations/a\.sql does not say .*a number.*-- Recorded as:"
    ) as caught:
        entries(tmp_path / "b", "goose", {"migrations/a.sql": "SELECT 1"})
    assert caught.value.code == "version_key_unknown"
    assert entries(tmp_path / "b", "goose", {"migrations/a.sql": "-- Recorded as: 7\nSELECT 1"}) == {"a": 7}


def test_a_rollback_does_not_wait_for_what_another_file_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    for name in ("001_a", "x"):
        (tmp_path / f"migrations/{name}.sql").write_text("SELECT 1")
    library = read_sql_library(tmp_path)
    assert books_of("goose", library, tolerant=True)["entries"] == {"001": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("polls.0001_initial", ""),
        ("007_polls.0001_initial", ""),
        ("001_x", "-- Recorded as: polls.0001_initial\n"),
        ("001_x", "-- Recorded as: polls 0001_initial\n"),
        ("001_other.0001_name", "-- Recorded as: polls.0001_initial\n"),
    ],
)
def test_django_knows_application_and_name(tmp_path: Path, name: str, text: str) -> None:
    (found,) = entries(tmp_path, "django", {f"migrations/{name}.sql": f"{text}SELECT 1"}).values()
    assert found == {"app": "polls", "name": "0001_initial"}


def test_what_a_header_says_to_django_need_not_have_its_numbers(tmp_path: Path) -> None:
    files = {"migrations/001_x.sql": "-- Recorded as: polls.first-of.all\nSELECT 1"}
    assert entries(tmp_path, "django", files) == {"001": {"app": "polls", "name": "first-of.all"}}


def test_django_knows_what_a_squashed_migration_replaces(tmp_path: Path) -> None:
    files = {"migrations/001_x.sql": "-- Recorded as: polls.s replaces polls.0001_a, other.0002_b\nSELECT 1"}
    assert entries(tmp_path, "django", files) == {
        "001": {"app": "polls", "name": "s", "replaces": [["polls", "0001_a"], ["other", "0002_b"]]}
    }
    wrong = {"migrations/001_x.sql": "-- Recorded as: polls.s replaces 0001_a\nSELECT 1"}
    with pytest.raises(Refused, match=r"what it replaces as in polls\.0001_initial"):
        entries(tmp_path, "django", wrong)


def test_alembic_says_its_revision_in_what_it_writes(tmp_path: Path) -> None:
    files = {
        "migrations/001_a.sql": "BEGIN;\n-- Running upgrade  -> 1975ea83b712\nSELECT 1;\nCOMMIT;",
        "migrations/002_b.sql": "-- Running upgrade 1975ea83b712 -> ae1027a6acf4, add a column\nSELECT 1;",
        "migrations/003_c.sql": "-- Recorded as: c0ffee revises ae1027a6acf4\nSELECT 1;",
        "migrations/004_d.sql": "-- Running upgrade ae1027a6acf4, c0ffee -> dd\nSELECT 1;",
        "migrations/005_e.sql": "-- Recorded as: e.5 revises dd, c0ffee,ae1027a6acf4\nSELECT 1;",
    }
    assert entries(tmp_path, "alembic", files) == {
        "001": {"revision": "1975ea83b712", "revises": []},
        "002": {"revision": "ae1027a6acf4", "revises": ["1975ea83b712"]},
        "003": {"revision": "c0ffee", "revises": ["ae1027a6acf4"]},
        "004": {"revision": "dd", "revises": ["ae1027a6acf4", "c0ffee"]},
        "005": {"revision": "e.5", "revises": ["dd", "c0ffee", "ae1027a6acf4"]},
    }


def test_flyway_keeps_name_and_checksum_of_the_file(tmp_path: Path) -> None:
    text = "CREATE TABLE t ();\n"
    assert entries(tmp_path, "flyway", {"V1_2__add_t.sql": text}) == {
        "1.2": {"description": "add t", "script": "V1_2__add_t.sql", "checksum": flyway_checksum(text)}
    }


@pytest.mark.parametrize("folder", ["", "migrations/"])
def test_flyway_records_a_file_by_its_path(tmp_path: Path, folder: str) -> None:
    (found,) = entries(tmp_path, "flyway", {f"{folder}2024/deep/V1__a.sql": "SELECT 1"}).values()
    assert found["script"] == "2024/deep/V1__a.sql"
    (found,) = entries(tmp_path / "plain", "flyway", {"migrations/1_a.sql": "SELECT 1"}).values()
    assert found["script"] == "1_a.sql"


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\r\n", "\ufeffa\rb\n"])
def test_flyways_checksum_does_not_see_how_lines_end(text: str) -> None:
    assert flyway_checksum(text) & 0xFFFFFFFF == zlib.crc32(b"ab")


def test_flyways_checksum_is_signed_and_sees_each_character() -> None:
    # CRC-32 of "123456789" is 0xCBF43926, the check value by which the algorithm is known.
    assert flyway_checksum("1234\n56789\n") == 0xCBF43926 - (1 << 32)
    assert flyway_checksum("1234\n56789\n") != flyway_checksum("1234\n\f56789\n")


def test_sqitchs_registry_is_the_same_wherever_its_plan_is(tmp_path: Path) -> None:
    files = {
        "sqitch.plan": "%project=p\n\na 2024-01-01T00:00:00Z A <a@example.com> # A\n",
        "deploy/a.sql": "SELECT 1;",
    }
    below = {f"db/{name}": text for name, text in files.items()} | {"sqitch.conf": "[core]\ntop_dir = db\n"}
    plain, in_db = entries(tmp_path / "one", "sqitch", files), entries(tmp_path / "two", "sqitch", below)
    assert plain["a"]["script_hash"]
    assert in_db == plain


def test_an_identity_of_sqitch_stands_for_all_of_the_plan_up_to_it() -> None:
    line = "{} 2024-01-01T00:00:00Z A <a@example.com> # {}\n"
    plans = [
        read_plan(f"%project=p\n{line.format('a', first)}{line.format('b', 'note')}", "sqitch.plan")
        for first in ("one", "another")
    ]
    one, another = map(change_ids, plans)
    assert one[0] != another[0]
    assert one[1] != another[1]
    assert all(len(found) == 40 for found in (*one, *another))


def test_yoyo_knows_a_migration_by_its_files_name(tmp_path: Path) -> None:
    files = {"migrations/0001.first.sql": "SELECT 1", "migrations/0001.first.rollback.sql": "SELECT 2"}
    assert entries(tmp_path / "a", "yoyo", files) == {"0001": "0001.first"}
    plain = {"migrations/001_x.sql": "-- Recorded as: 20240101_01_aB3dE-x\nSELECT 1"}
    assert entries(tmp_path / "b", "yoyo", plain) == {"001": "20240101_01_aB3dE-x"}
