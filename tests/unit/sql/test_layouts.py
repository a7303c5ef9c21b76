# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders of SQL as other tools lay them out: each is known for what it is, and yields the same migrations."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.folder import SqlLibraryError
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts import (
    dbmate,
    flyway,
    goose,
    numbered,
    plain,
    sqitch,
    yoyo,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.beside import with_scripts_beside
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.choice import LAYOUTS, layout_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.halves import Mark
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.marks import (
    layout_of_name,
    layout_of_text,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.sqitch_conf import top_dir
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.sqitch_plan import read_plan
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.migration import Migration
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.source import SqlScriptError, SqlText

DBMATE = "-- Description: Users\n-- migrate:up\nCREATE TABLE users (id int);\n\n-- migrate:down\nDROP TABLE users;\n"
GOOSE = """-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION one();
"""


def write_all(root: Path, files: dict[str, str]) -> Path:
    """Path below root -> text."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def read(root: Path, files: dict[str, str], layout: str = "auto", tolerant: bool = False) -> list[Migration]:
    """The migrations of these files."""
    return list(read_sql_library(write_all(root, files), tolerant, layout).migrations)


def statements(script: Any) -> list[tuple[int, str]]:
    """(line, SQL) of each statement of a script."""
    return [(one.line, one.sql) for one in script.parse().statements]


# Which layout it is


def test_each_layout_has_a_reader() -> None:
    assert {
        "plain": plain.read,
        "flyway": flyway.read,
        "golang": numbered.read,
        "dbmate": dbmate.read,
        "goose": goose.read,
        "sqitch": sqitch.read,
        "rails-sql": numbered.read_rails,
        "yoyo": yoyo.read,
    } == LAYOUTS


@pytest.mark.parametrize(
    ("name", "text", "layout"),
    [
        ("V1_2__x.sql", "", "flyway"),
        ("R__x.sql", "", "flyway"),
        ("001_x.up.sql", "", "golang"),
        ("0001.x.rollback.sql", "", "yoyo"),
        ("001_x.sql", DBMATE, "dbmate"),
        ("001_x.sql", GOOSE.upper(), "goose"),
        ("V1.sql", "SELECT '-- migrate:up'", None),
        ("001_up.sql", "-- migrated", None),
    ],
)
def test_a_file_is_known_by_its_name_or_by_a_line(name: str, text: str, layout: str | None) -> None:
    assert (layout_of_text(text) or layout_of_name(name)) == layout


FOLDERS: dict[str, dict[str, str]] = {
    "plain": {"migrations/001_a.sql": "SELECT 1", "rollback/001_a_rollback.sql": "SELECT 2"},
    "flyway": {"V1__a.sql": "SELECT 1", "U1__a.sql": "SELECT 2"},
    "golang": {"migrations/000001_a.up.sql": "SELECT 1", "migrations/000001_a.down.sql": "SELECT 2"},
    "dbmate": {"migrations/20240101_a.sql": "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n"},
    "goose": {"00001_a.sql": "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n"},
    "sqitch": {
        "sqitch.plan": "%project=p\n\na 2024-01-01T00:00:00Z A <a@example.com> # A\n",
        "deploy/a.sql": "BEGIN;\nSELECT 1;\nCOMMIT;",
        "revert/a.sql": "SELECT 2",
    },
    "yoyo": {"migrations/0001.a.sql": "SELECT 1", "migrations/0001.a.rollback.sql": "SELECT 2"},
    "rails-sql": {
        "migrate/20240101000000_a.up.sql": "SELECT 1",
        "migrate/20240101000000_a.down.sql": "SELECT 2",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("named", [True, False])
def test_each_layout_is_found_by_looking_and_yields_both_scripts(
    tmp_path: Path, layout: str, named: bool
) -> None:
    found = read_sql_library(write_all(tmp_path, FOLDERS[layout]), layout=layout if named else "auto")
    assert found.layout.name == layout
    (migration,) = found.migrations
    assert [sql for _line, sql in statements(migration.apply)] == ["SELECT 1"]
    assert [sql for _line, sql in statements(migration.rollback)] == ["SELECT 2"]


def test_it_is_said_which_one_was_found_and_by_what(tmp_path: Path) -> None:
    root = write_all(tmp_path, FOLDERS["golang"])
    assert (
        layout_of(root, "auto")
        .in_words()
        .startswith("The SQL is read as sql_layout golang, by migrations/000001_a.down.sql.")
    )
    assert layout_of(root, "golang").in_words() == "The SQL is read as sql_layout golang."
    assert layout_of(write_all(tmp_path / "p", FOLDERS["plain"]), "auto").in_words() == ""


def test_a_folder_of_several_layouts_is_refused_and_a_rollback_goes_on(tmp_path: Path) -> None:
    root = write_all(
        tmp_path, {**FOLDERS["golang"], "migrations/002_b.sql": DBMATE, "migrations/003_c.sql": DBMATE}
    )
    with pytest.raises(
        SqlLibraryError, match=r"000001_a\.down\.sql of golang, migrations/002_b\.sql of dbmate"
    ) as caught:
        read_sql_library(root)
    assert caught.value.code == "sql_layout_ambiguous"
    assert read_sql_library(root, tolerant=True).layout.name in ("golang", "dbmate")
    assert read_sql_library(root, layout="golang").layout.name == "golang"


def test_a_layout_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(SqlLibraryError, match="'liquibase'; there are auto, plain, flyway") as caught:
        read_sql_library(tmp_path, layout="liquibase")
    assert caught.value.code == "sql_layout_unknown"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("001_a", DBMATE),
        ("001_a", GOOSE),
        ("000001_a.up", "SELECT 1"),
        ("U1__a", "SELECT 1"),
        ("R__a", "SELECT 1"),
    ],
)
def test_a_file_of_another_layout_never_runs_as_if_it_were_plain(
    tmp_path: Path, name: str, text: str
) -> None:
    files = {f"migrations/{name}.sql": text}
    with pytest.raises(SqlScriptError, match="the layout here is plain") as caught:
        read(tmp_path, files, "plain")
    assert caught.value.code == "layout_foreign"
    (migration,) = read(tmp_path, files, "plain", tolerant=True)
    with pytest.raises(SqlScriptError, match="the layout here is plain"):
        migration.apply.payload()


def test_a_rollback_with_the_marks_of_another_layout_does_not_run_either(tmp_path: Path) -> None:
    with pytest.raises(SqlScriptError, match=r"rollback/001_a_rollback\.sql, line 1.*sql_layout dbmate"):
        read(tmp_path, {"migrations/001_a.sql": "SELECT 1", "rollback/001_a_rollback.sql": DBMATE})


def test_whoever_has_rollbacks_of_the_plain_kind_may_call_files_as_flyway_does(tmp_path: Path) -> None:
    names = ("V2__b", "V10__c", "V1__a")
    files = {f"migrations/{name}.sql": "SELECT 1" for name in names}
    files |= {f"rollback/{name}_rollback.sql": "SELECT 2" for name in names}
    assert [one.stem for one in read(tmp_path, files)] == ["V1__a", "V2__b", "V10__c"]


# One file with both halves


def test_halves_are_scripts_of_their_own_with_the_lines_of_the_file(tmp_path: Path) -> None:
    (one,) = read(tmp_path, {"migrations/20240101120000_add_users.sql": DBMATE})
    assert (one.version, one.stem, one.description) == ("20240101120000", "20240101120000_add_users", "Users")
    assert statements(one.apply) == [(3, "CREATE TABLE users (id int)")]
    assert statements(one.rollback) == [(6, "DROP TABLE users")]
    assert one.rollback_place == "'-- migrate:down' in migrations/20240101120000_add_users.sql"


def test_the_digest_is_of_the_half_and_that_of_the_file_is_kept(tmp_path: Path) -> None:
    name = "migrations/1_a.sql"
    (before,) = read(tmp_path, {name: DBMATE})
    (after,) = read(tmp_path, {name: DBMATE + "SELECT 1;"})
    assert before.apply.sha256 == after.apply.sha256
    assert before.rollback.sha256 != after.rollback.sha256
    for migration, text in ((before, DBMATE), (after, DBMATE + "SELECT 1;")):
        for script in (migration.apply, migration.rollback):
            assert script.payload()["file_sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_an_error_in_a_half_names_the_line_of_the_file(tmp_path: Path) -> None:
    (one,) = read(
        tmp_path, {"migrations/1_a.sql": "-- migrate:up\nSELECT 1;\n-- migrate:down\n\n  SELEC 2;\n"}
    )
    assert one.apply.parse().statements
    with pytest.raises(SqlScriptError, match=r"1_a\.sql, line 5, column 3"):
        one.rollback.parse()


def test_each_half_has_its_header_and_its_transaction(tmp_path: Path) -> None:
    text = (
        "-- Requires: none\n-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON t (a);\n"
        "-- migrate:down\n-- Leaves: column order t\nDROP INDEX i;\n"
    )
    (one,) = read(tmp_path, {"1_a.sql": text})
    assert (one.requires_declared, one.apply.header.transaction) == (True, "none")
    assert (one.rollback.header.transaction, one.rollback.header.leaves) == (None, ("column order t",))


def test_goose_says_no_transaction_for_both_and_marks_of_statements_are_comments(tmp_path: Path) -> None:
    (one,) = read(tmp_path, {"00012_fn.sql": GOOSE})
    assert [line for line, _sql in statements(one.apply)] == [3]
    assert statements(one.rollback) == [(7, "DROP FUNCTION one()")]
    (one,) = read(tmp_path, {"00012_fn.sql": "-- +goose NO TRANSACTION\n" + GOOSE})
    assert (one.apply.header.transaction, one.rollback.header.transaction) == ("none", "none")


def test_a_file_without_a_way_back_says_where_it_would_be(tmp_path: Path) -> None:
    (one,) = read(tmp_path, {"00001_a.sql": "-- +goose Up\nSELECT 1;\n"})
    assert (one.rollback, one.rollback_place) == (None, "'-- +goose Down' in 00001_a.sql")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-- migrate:down\nSELECT 1;\n-- migrate:up\nSELECT 2;", "line 1.*stands before '-- migrate:up'"),
        ("-- migrate:up\n-- migrate:down\n\n-- migrate:down\n", "line 4.*stands twice, first on line 2"),
        ("SELECT 1;\n-- migrate:up\n", "line 1.*a statement stands before"),
        ("-- migrate:down\n", "has no line '-- migrate:up'"),
        ("-- migrate:up transaktion:false\n", "'transaktion:false' is no option"),
    ],
)
def test_marks_that_are_wrong_are_named_with_their_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(SqlScriptError, match=what) as caught:
        read(tmp_path, {"migrations/1_a.sql": text}, "dbmate")
    assert caught.value.code == "layout_mark_wrong"
    (one,) = read(tmp_path, {}, "dbmate", tolerant=True)
    with pytest.raises(SqlScriptError, match=what):
        one.rollback.parse()


def test_marks_are_found_with_what_they_say_of_transactions() -> None:
    text = DBMATE.replace("up\n", "up transaction:false\n")
    assert dbmate.marks(SqlText(text, "x")) == [
        Mark(text.index("-- migrate:up"), "up", "none"),
        Mark(text.index("-- migrate:down"), "down", None),
    ]
    assert [mark.half for mark in goose.marks(SqlText(GOOSE, "x"))] == ["up", "down"]


def test_a_file_without_marks_among_those_of_dbmate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SqlScriptError, match=r"2_b\.sql.*no line '-- migrate:up'"):
        read(tmp_path, {"migrations/1_a.sql": DBMATE, "migrations/2_b.sql": "DROP TABLE users"})


def test_variables_of_the_environment_are_not_put_in(tmp_path: Path) -> None:
    with pytest.raises(SqlScriptError, match=r"line 1.*variables of the environment") as caught:
        read(tmp_path, {"1_a.sql": "-- +goose ENVSUB ON\n" + GOOSE})
    assert caught.value.code == "script_has_placeholders"


# Two files


def test_numbers_are_ordered_as_numbers_and_found_as_written(tmp_path: Path) -> None:
    files = {
        f"{number}_x.{half}.sql": "SELECT 1" for number in ("9", "10", "000001") for half in ("up", "down")
    }
    files["notes.sql"] = "DROP TABLE users"
    found = read_sql_library(write_all(tmp_path, files))
    assert [one.version for one in found.migrations] == ["000001", "9", "10"]
    assert found.find("000001").rollback.name == "000001_x.down.sql"
    assert found.warnings == (
        "notes.sql is not read: files of this layout are called <number>_<name>.up.sql and .down.sql",
    )


def test_two_files_of_one_version_are_refused_and_a_rollback_of_another_goes_on(tmp_path: Path) -> None:
    files = {
        "1_a.up.sql": "SELECT 1",
        "01_b.up.sql": "SELECT 1",
        "2_c.up.sql": "SELECT 1",
        "2_c.down.sql": "SELECT 2",
    }
    with pytest.raises(SqlLibraryError, match=r"01_b\.up\.sql and 1_a\.up\.sql") as caught:
        read(tmp_path, files)
    assert caught.value.code == "version_not_unique"
    library = read_sql_library(tmp_path, tolerant=True)
    assert statements(library.find("2").rollback) == [(1, "SELECT 2")]
    with pytest.raises(SqlScriptError, match="is that of several files"):
        library.find("1_a").apply.parse()


def test_a_down_file_alone_and_ruby_without_sql_are_said(tmp_path: Path) -> None:
    files = {
        "migrate/1_a.up.sql": "SELECT 1",
        "migrate/2_b.down.sql": "SELECT 1",
        "migrate/3_c.rb": "class C; end",
    }
    found = read_sql_library(write_all(tmp_path, files))
    assert found.layout.name == "rails-sql"
    assert [one.version for one in found.migrations] == ["1"]
    assert found.warnings[0] == "migrate/2_b.down.sql belongs to no migration (no .up.sql has its number)"
    assert found.warnings[1].startswith("migrate/3_c.rb is not read: it is Ruby")


def in_top_dir(tmp_path: Path, setting: str, folder: str = "db/changes") -> Path:
    files = {f"{folder}/{name}": text for name, text in FOLDERS["sqitch"].items()}
    return write_all(tmp_path, {**files, "sqitch.conf": setting, f"{folder}/verify/a.sql": "SELECT true"})


@pytest.mark.parametrize(
    "setting",
    [
        "[core]\n\tengine = pg\n\ttop_dir = db/changes\n",
        '[ CORE ]\nTop_Dir="./db//changes/"  # here\n[other]\ntop_dir = nowhere\n',
        "[core]\ntop_dir = nowhere\n[core]\n# top_dir = x\ntop_dir = db/changes ; last\n",
    ],
)
@pytest.mark.parametrize("layout", ["auto", "sqitch"])
def test_sqitchs_plan_is_where_its_settings_say(tmp_path: Path, setting: str, layout: str) -> None:
    library = read_sql_library(in_top_dir(tmp_path, setting), layout=layout)
    assert library.layout.name == "sqitch"
    (found,) = library.migrations
    assert [one.name for one in (found.apply, found.rollback, found.verify)] == [
        f"db/changes/{kind}/a.sql" for kind in ("deploy", "revert", "verify")
    ]
    assert found.version == "a"
    assert found.rollback_place == "db/changes/revert/a.sql"


@pytest.mark.parametrize("setting", ["", "[core]\n", "[core]\ntop_dir = .\n", '[engine "pg"]\ntop_dir = x\n'])
def test_without_a_setting_sqitchs_plan_is_in_the_folder_itself(tmp_path: Path, setting: str) -> None:
    assert top_dir(tmp_path) == ""
    assert top_dir(write_all(tmp_path, {"sqitch.conf": setting})) == ""


def test_a_script_that_sqitchs_plan_has_and_its_folder_has_not_is_named(tmp_path: Path) -> None:
    root = in_top_dir(tmp_path, "[core]\ntop_dir = db/changes\n")
    (root / "db/changes/deploy/a.sql").unlink()
    with pytest.raises(SqlScriptError, match=r"there is no db/changes/deploy/a\.sql"):
        read_sql_library(root)


@pytest.mark.parametrize("value", ["/srv/changes", "../changes", "db/../../changes"])
def test_a_plan_outside_of_the_folder_is_refused(tmp_path: Path, value: str) -> None:
    root = write_all(tmp_path, {"sqitch.conf": f"[core]\ntop_dir = {value}\n"})
    with pytest.raises(
        SqlLibraryError, match=r"has its plan in .*set sql_dir to a folder that holds both"
    ) as caught:
        read_sql_library(root)
    assert caught.value.code == "sql_dir_unusable"


# Flyway


def test_flyway_versions_are_compared_part_by_part(tmp_path: Path) -> None:
    files = {f"V{version}__x.sql": "SELECT 1" for version in ("1_10", "1.9", "10", "2", "1")}
    assert [one.version for one in read(tmp_path, files)] == ["1", "1.9", "1.10", "2", "10"]
    with pytest.raises(SqlLibraryError, match="is that of several files"):
        read(tmp_path, {"V2.0__y.sql": "SELECT 1"})


def test_flyway_undo_and_description(tmp_path: Path) -> None:
    (one,) = read(tmp_path, {"V1_2__add_users.sql": "SELECT 1", "U1.2__take_them_away.sql": "SELECT 2"})
    assert (one.version, one.description, one.rollback.name) == (
        "1.2",
        "add users",
        "U1.2__take_them_away.sql",
    )
    assert one.rollback_place == "U1_2__add_users.sql"


NESTED = {
    "2024/V1__a.sql": "SELECT 1",
    "2024/deep/V3__c.sql": "SELECT 3",
    "2024/deep/V3__c.sql.conf": "executeInTransaction=false",
    "2025/V2__b.sql": "SELECT 2",
    "undo/U2__b.sql": "SELECT -2",
    "2025/R__views.sql": "SELECT 4",
    "2025/.hidden/V8__h.sql": "SELECT 8",
    "2025/notes.txt": "",
}


@pytest.mark.parametrize("folder", ["", "migrations/"])
@pytest.mark.parametrize("layout", ["auto", "flyway"])
def test_flyway_looks_into_the_folders_in_its_own(tmp_path: Path, folder: str, layout: str) -> None:
    files = {f"{folder}{name}": text for name, text in NESTED.items()}
    beside = {
        "precheck/V2__b.sql": "SELECT 1",
        "verify/V2__b.sql": "SELECT true",
        "smoke/V9__s.sql": "SELECT true",
    }
    root = write_all(tmp_path, {**files, **beside})
    (root / folder / "2025/round").symlink_to(root / folder, target_is_directory=True)
    found = read_sql_library(root, layout=layout)
    assert found.layout.name == "flyway"
    assert [(one.version, one.apply.name) for one in found.migrations] == [
        ("1", f"{folder}2024/V1__a.sql"),
        ("2", f"{folder}2025/V2__b.sql"),
        ("3", f"{folder}2024/deep/V3__c.sql"),
    ]
    first, second, third = found.migrations
    assert (first.rollback, first.rollback_place) == (None, f"{folder}2024/U1__a.sql")
    assert (second.rollback.name, second.verify.name) == (f"{folder}undo/U2__b.sql", "verify/V2__b.sql")
    assert second.precheck.name == "precheck/V2__b.sql"
    assert third.apply.header.transaction == "none"
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(f"{folder}2025/R__views.sql is not deployed: it is repeatable")


def test_files_of_one_version_in_two_folders_are_refused(tmp_path: Path) -> None:
    root = write_all(tmp_path, {"a/V1__x.sql": "SELECT 1", "b/V1__x.sql": "SELECT 1"})
    with pytest.raises(SqlLibraryError, match=r"several files: a/V1__x\.sql and b/V1__x\.sql"):
        read_sql_library(root)


def test_a_plain_folder_stays_plain_whatever_is_in_folders_of_it(tmp_path: Path) -> None:
    root = write_all(tmp_path, {**FOLDERS["plain"], "migrations/old/V1__x.sql": "SELECT 1"})
    assert [one.version for one in read_sql_library(root).migrations] == ["001"]


def test_repeatable_and_baseline_migrations_are_named_and_not_deployed(tmp_path: Path) -> None:
    files = {
        "V1__a.sql": "SELECT 1",
        "R__views.sql": "SELECT 2",
        "B1__all.sql": "SELECT 3",
        "U7__b.sql": "SELECT 4",
    }
    found = read_sql_library(write_all(tmp_path, files))
    assert [one.stem for one in found.migrations] == ["V1__a"]
    said = "\n".join(found.warnings)
    assert "R__views.sql is not deployed: it is repeatable" in said
    assert "B1__all.sql is not deployed: it is a baseline" in said
    assert "U7__b.sql belongs to no migration" in said


def test_settings_of_one_script_and_placeholders(tmp_path: Path) -> None:
    files = {
        "V1__a.sql": "CREATE INDEX CONCURRENTLY i ON t (a)",
        "V1__a.sql.conf": "executeInTransaction=false\n",
    }
    (one,) = read(tmp_path, files)
    assert one.apply.header.transaction == "none"
    with pytest.raises(SqlScriptError, match=r"line 1, column 9: .*\$\{name\}") as caught:
        read(tmp_path, {"V1__a.sql": "SELECT '${name}'"})
    assert caught.value.code == "script_has_placeholders"
    (one,) = read(tmp_path, {"V1__a.sql.conf": "placeholderReplacement=false"})
    assert statements(one.apply) == [(1, "SELECT '${name}'")]


def test_scripts_beside_that_belong_to_none_are_said(tmp_path: Path) -> None:
    write_all(tmp_path, {"verify/V9__x.sql": "SELECT true"})
    assert with_scripts_beside(tmp_path, (), ("first",), False).warnings == (
        "first",
        "verify/V9__x.sql belongs to no migration (there is none called V9__x)",
    )
    (one,) = read(tmp_path, {"V9__x.sql": "SELECT 1"})
    assert one.verify.name == "verify/V9__x.sql"


# Sqitch


PLAN = """%syntax-version=1.0.0
%project=flipr
%uri=https://example.com/flipr

zeta 2024-01-01T00:00:00Z Marge N. Vera <marge@example.com> # Add schema.
alpha [zeta flipr:zeta !other] 2024-01-02T00:00:00Z Marge <marge@example.com> # Add users.
@v1 2024-01-03T00:00:00Z Marge <marge@example.com> # Tag it.

beta 2024-01-04T00:00:00Z Marge <marge@example.com>
alpha [alpha@v1] 2024-01-05T00:00:00Z Marge <marge@example.com> # Again.
"""
SQITCH = {
    "sqitch.plan": PLAN,
    **{f"deploy/{name}.sql": "BEGIN;\nSELECT 1;\nCOMMIT;" for name in ("zeta", "alpha@v1", "beta", "alpha")},
    **{f"revert/{name}.sql": "SELECT 2;" for name in ("zeta", "alpha@v1", "beta", "alpha")},
}


def test_a_plan_keeps_notes_tags_and_conflicts() -> None:
    plan = read_plan(PLAN, "sqitch.plan")
    assert (plan.project, plan.uri) == ("flipr", "https://example.com/flipr")
    assert (plan.changes[1].conflicts, [tag.name for tag in plan.changes[1].tags]) == (("other",), ["v1"])
    assert (plan.changes[0].planner, plan.changes[0].email) == ("Marge N. Vera", "marge@example.com")
    assert [one.line for one in plan.changes] == [5, 6, 9, 10]


def test_the_plan_gives_order_requirements_and_names(tmp_path: Path) -> None:
    found = read(tmp_path, SQITCH)
    assert [one.version for one in found] == ["zeta", "alpha@v1", "beta", "alpha"]
    assert [one.requires for one in found] == [(), ("zeta",), ("zeta", "alpha@v1"), ("alpha@v1",)]
    assert [one.requires_declared for one in found] == [False, True, False, True]
    assert [one.description for one in found] == ["Add schema.", "Add users.", "beta", "Again."]
    assert found[1].rollback.name == "revert/alpha@v1.sql"


def test_a_verify_script_may_end_in_rollback_and_no_other(tmp_path: Path) -> None:
    check = "BEGIN;\nSELECT 1/count(*) FROM t;\nROLLBACK;"
    (one, *_) = read(tmp_path, {**SQITCH, "verify/zeta.sql": check, "precheck/zeta.sql": check})
    assert one.precheck.parse().statements
    assert statements(one.verify) == [(2, "SELECT 1/count(*) FROM t")]
    assert one.verify.parse().notes == ()
    (one, *_) = read(tmp_path, {"deploy/zeta.sql": check})
    with pytest.raises(SqlScriptError, match=r"line 3.*undoes itself with ROLLBACK"):
        one.apply.parse()
    (one, *_) = read(tmp_path, {"verify/zeta.sql": "ROLLBACK; SELECT 1;"})
    with pytest.raises(SqlScriptError, match=r"line 1.*undoes itself"):
        one.verify.parse()


def test_lines_that_sqitch_writes_into_new_scripts_are_no_header(tmp_path: Path) -> None:
    text = "-- Deploy flipr:beta to pg\n-- requires: zeta\n-- requires: alpha\n\nBEGIN;\nSELECT 1;\nCOMMIT;"
    found = read(tmp_path, {**SQITCH, "deploy/beta.sql": text})
    assert not found[2].requires_declared


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        ("%project=p\n@v1 2024-01-01T00:00:00Z A <a@b>\n", "line 2"),
        ("%project=p\na\n", "line 2.*'a'"),
        ("%project=p\n\ngone 2024-01-01T00:00:00Z A <a@b>\n", r"line 3.*no deploy/gone\.sql"),
    ],
)
def test_a_wrong_plan_names_the_line(tmp_path: Path, plan: str, what: str) -> None:
    with pytest.raises(SqlScriptError, match=what) as caught:
        read(tmp_path, {"sqitch.plan": plan})
    assert caught.value.code == "sqitch_plan_wrong"


def test_a_change_that_another_project_has_is_not_known_here(tmp_path: Path) -> None:
    plan = "%project=p\na [other:x] 2024-01-01T00:00:00Z A <a@b>\n"
    with pytest.raises(SqlScriptError, match="requires other:x, which is no migration of this folder"):
        read(tmp_path, {"sqitch.plan": plan, "deploy/a.sql": "SELECT 1"})


# yoyo


def test_yoyo_says_what_a_migration_depends_on_and_whether_it_runs_in_a_transaction(tmp_path: Path) -> None:
    contents = yoyo.read(
        write_all(
            tmp_path,
            {
                "migrations/0001.first.sql": "SELECT 1",
                "migrations/0001.first.rollback.sql": "SELECT 2",
                "migrations/0002.second.sql": "-- words\n-- depends: 0001.first\n--transactional: FALSE\nSELECT 1\n"
                "-- depends: nothing",
                "migrations/20240101_01_aB-x.sql": "-- depends:  0002.second\n-- depends: 0001.first\nSELECT 1",
                "migrations/20240101_02_cD-y.sql": "SELECT 1",
            },
        ),
        "migrations",
        False,
    )
    found = {one.version: one for one in contents.found}
    assert {version: one.requires for version, one in found.items()} == {
        "0001": None,
        "0002": ("0001",),
        "20240101_01_aB-x": ("0002", "0001"),
        "20240101_02_cD-y": None,
    }
    assert [one.apply.header.transaction for one in contents.found] == [None, "none", None, None]
    assert (found["0001"].rollback is None, found["0002"].rollback) == (False, None)
    assert found["0002"].rollback_place == "migrations/0002.second.rollback.sql"
    assert contents.warnings == ()


def test_of_yoyo_only_sql_is_read_and_the_rest_is_said(tmp_path: Path) -> None:
    contents = yoyo.read(
        write_all(
            tmp_path,
            {
                "migrations/0001.a.sql": "SELECT 1",
                "migrations/0002.b.py": "steps = []",
                "migrations/0003.c.rollback.sql": "SELECT 1",
                "migrations/post-apply.sql": "SELECT 1",
            },
        ),
        "migrations",
        False,
    )
    assert [one.version for one in contents.found] == ["0001"]
    said = {remark.name: (remark.belongs, remark.what) for remark in contents.warnings}
    assert said["migrations/0002.b.py"][1].startswith("is not read: it is Python")
    assert said["migrations/0003.c.rollback.sql"] == (
        False,
        "belongs to no migration (there is no 0003.c.sql)",
    )
    assert said["migrations/post-apply.sql"][0] is True


def test_a_rollback_of_yoyos_is_no_plain_migration(tmp_path: Path) -> None:
    root = write_all(
        tmp_path, {"migrations/0001.a.sql": "SELECT 1", "migrations/0001.a.rollback.sql": "SELECT 2"}
    )
    with pytest.raises(SqlScriptError) as caught:
        read_sql_library(root, layout="plain")
    assert caught.value.code == "layout_foreign"
