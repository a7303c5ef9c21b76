# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A look at a folder finds at once all that a deploy of one migration after the other would be refused for."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, RunbookError
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.checks import check_scripts_to_apply
from ansible_collections.pgops.runbook.plugins.plugin_utils.check import linted, naming, scripts
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.look import look
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.plan import check_smoke, plan_for
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql import lint
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.books import books_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from tests.unit.check.folders import GATING, SOUND, places, seen, write

UP, DOWN = "-- migrate:up\n", "-- migrate:down\n"
PLAN = "%syntax-version=1.0.0\n%project=p\n\n"
CHANGE = " 2026-01-01T00:00:00Z A <a@b.c> # x\n"
GOOSE = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"
TWO = {
    "migrations/002_b.sql": "CREATE TABLE b (id bigint);\n",
    "rollback/002_b_rollback.sql": "DROP TABLE b;\n",
}

#: Files with one fault -> where it is: file, line, rule; and what a deploy of all is refused for.
FAULTS: dict[str, tuple[dict[str, str | bytes], tuple[str, int, str]]] = {
    "no rollback": (
        {"migrations/002_b.sql": "SELECT 1;\n"},
        ("migrations/002_b.sql", 1, "rollback_script_missing"),
    ),
    "empty rollback": (
        {**TWO, "rollback/002_b_rollback.sql": "-- later\n"},
        ("rollback/002_b_rollback.sql", 1, "rollback_script_empty"),
    ),
    "empty migration": (
        {**TWO, "migrations/002_b.sql": "-- later\n"},
        ("migrations/002_b.sql", 1, "migration_empty"),
    ),
    "header": (
        {**TWO, "migrations/002_b.sql": "-- Data Loss: SOME\nSELECT 1;\n"},
        ("migrations/002_b.sql", 1, "header_invalid"),
    ),
    "header of a rollback": (
        {**TWO, "rollback/002_b_rollback.sql": "-- Leaves: dust\nSELECT 1;\n"},
        ("rollback/002_b_rollback.sql", 1, "header_invalid"),
    ),
    "syntax": (
        {**TWO, "migrations/002_b.sql": "SELECT 1;\nSELEC 1;\n"},
        ("migrations/002_b.sql", 2, "script_syntax_error"),
    ),
    "psql": (
        {**TWO, "rollback/002_b_rollback.sql": "\\i a.sql\n"},
        ("rollback/002_b_rollback.sql", 1, "script_not_plain_sql"),
    ),
    "verify script": (
        {**TWO, "verify/002_b.sql": "SELEC 1;\n"},
        ("verify/002_b.sql", 1, "script_syntax_error"),
    ),
    "precheck script": (
        {**TWO, "precheck/002_b.sql": "SELECT 1;\nSELEC 1;\n"},
        ("precheck/002_b.sql", 2, "script_syntax_error"),
    ),
    "smoke script": ({"smoke/all.sql": "\nSELEC 1;\n"}, ("smoke/all.sql", 2, "script_syntax_error")),
    "header of a sample": (
        {**TWO, "sample/002_b.sql": "-- Risk Level: ?\nSELECT 1;\n"},
        ("sample/002_b.sql", 1, "header_invalid"),
    ),
    "not text": ({**TWO, "migrations/002_b.sql": b"\0"}, ("migrations/002_b.sql", 1, "script_unreadable")),
    "a name": ({"migrations/a b.sql": "SELECT 1;\n"}, ("migrations/a b.sql", 1, "script_name_unusable")),
    "a name in capitals": ({"smoke/A.SQL": "SELECT 1;\n"}, ("smoke/A.SQL", 1, "script_name_unusable")),
    "a word of the command": (
        {"migrations/pending.sql": "SELECT 1;\n", "rollback/pending_rollback.sql": "SELECT 1;\n"},
        ("migrations/pending.sql", 1, "script_name_unusable"),
    ),
    "an unknown requirement": (
        {**TWO, "migrations/002_b.sql": "\n-- Requires: 077\nSELECT 1;\n"},
        ("migrations/002_b.sql", 2, "requirement_unknown"),
    ),
    "a circle": (
        {
            **TWO,
            "migrations/002_b.sql": "-- Description: x\n-- Requires: 003\nSELECT 1;\n",
            "migrations/003_c.sql": "-- Requires: 002\nSELECT 1;\n",
            "rollback/003_c_rollback.sql": "SELECT 1;\n",
        },
        ("migrations/002_b.sql", 2, "requirements_circular"),
    ),
    "beyond the database": (
        {**TWO, "migrations/002_b.sql": "SELECT 1;\nCREATE DATABASE b;\n"},
        ("migrations/002_b.sql", 2, "statement_not_resumable"),
    ),
    "BEGIN beside CONCURRENTLY": (
        {**TWO, "migrations/002_b.sql": "BEGIN;\nSELECT 1;\nCOMMIT;\nVACUUM;\n"},
        ("migrations/002_b.sql", 1, "script_must_be_split"),
    ),
    "files that cannot follow": (
        {
            **TWO,
            "migrations/002_b.sql": "-- Files: rename b.path\n-- Transaction: none\nUPDATE b SET path = '';\n",
        },
        ("migrations/002_b.sql", 1, "script_must_be_split"),
    ),
    "rows in two places": (
        {**TWO, "rollback/002_b_rollback.sql": "DELETE FROM b;\nVACUUM;\nDROP TABLE b;\n"},
        ("rollback/002_b_rollback.sql", 1, "rollback_changes_rows_apart"),
    ),
    "a linter's rule": (
        {**TWO, "migrations/002_b.sql": "SELECT 1;\nTRUNCATE notes CASCADE;\n"},
        ("migrations/002_b.sql", 2, "ban-truncate-cascade"),
    ),
}

#: Layout -> files with one fault, and where it is.
OF_LAYOUTS = {
    "dbmate": (
        {"1_a.sql": f"{UP}SELECT 1;\n{DOWN}SELECT 1;\n", "2_b.sql": f"{UP}SELECT 1;\n{DOWN}SELEC 1;\n"},
        ("2_b.sql", 4, "script_syntax_error"),
    ),
    "dbmate, no half": (
        {"1_a.sql": f"{UP}SELECT 1;\n"},
        ("1_a.sql", 1, "rollback_script_missing"),
    ),
    "dbmate, twice": (
        {"1_a.sql": f"{UP}SELECT 1;\n{UP}SELECT 1;\n"},
        ("1_a.sql", 3, "layout_mark_wrong"),
    ),
    "goose": ({"1_a.sql": GOOSE, "a b.sql": "SELECT 1;\n"}, ("a b.sql", 1, "script_name_unusable")),
    "golang": (
        {"1_a.up.sql": "SELECT 1;\n", "1_a.down.sql": "SELECT 1;\n", "2_b.up.sql": "SELECT 1;\n"},
        ("2_b.up.sql", 1, "rollback_script_missing"),
    ),
    "flyway": (
        {"V1__a.sql": "SELECT '${x}';\n", "U1__a.sql": "SELECT 1;\n"},
        ("V1__a.sql", 1, "script_has_placeholders"),
    ),
    "sqitch": (
        {"sqitch.plan": f"{PLAN}a{CHANGE}", "revert/a.sql": "SELECT 1;\n"},
        ("sqitch.plan", 4, "sqitch_plan_wrong"),
    ),
    "sqitch's plan": ({"sqitch.plan": f"{PLAN}a{CHANGE}no line\n"}, ("sqitch.plan", 5, "sqitch_plan_wrong")),
}


def refused_for(folder: Path) -> str | None:
    """The code for which a deploy of all is refused first, as far as files alone decide; None where it is not."""
    try:
        library = read_sql_library(folder)
        plan = plan_for("preflight", library, [])
        check_smoke(plan)
        versions = [one.version for one in library.migrations]
        check_scripts_to_apply(plan["index"], versions)
    except RunbookError as error:
        return error.code
    rules = {one["rule"] for entry in plan["index"] for one in entry["lint"]}
    return next(iter(rules.intersection(GATING)), None)


def errors(folder: Path) -> list[tuple[str, int, str]]:
    return places(tuple(one for one in seen(folder) if one.level == "error"))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_at_its_place_and_is_what_a_deploy_is_refused_for(
    tmp_path: Path, fault: str
) -> None:
    files, place = FAULTS[fault]
    assert errors(write(tmp_path, {**SOUND, **files})) == [place]
    assert refused_for(tmp_path) == place[2]


@pytest.mark.parametrize("name", OF_LAYOUTS)
def test_likewise_in_every_layout(tmp_path: Path, name: str) -> None:
    files, place = OF_LAYOUTS[name]
    assert errors(write(tmp_path, files)) == [place]
    assert refused_for(tmp_path) == place[2]


def test_a_sound_folder_has_no_findings(tmp_path: Path) -> None:
    looked = look(str(write(tmp_path, SOUND)), "auto", "", GATING)
    assert (looked.layout, looked.migrations, looked.findings, looked.notes) == ("plain", 1, (), ())
    assert refused_for(tmp_path) is None


def test_all_faults_of_a_folder_at_once(tmp_path: Path) -> None:
    """Those that do not take each other's place, in one folder."""
    files: dict[str, str | bytes] = dict(SOUND)
    wanted = []
    for number, fault in enumerate(
        ("no rollback", "header", "syntax", "psql", "rows in two places", "a linter's rule", "not text"), 10
    ):
        for name, content in FAULTS[fault][0].items():
            files[name.replace("002", f"{number:03}")] = content
        file, line, rule = FAULTS[fault][1]
        wanted.append((file.replace("002", f"{number:03}"), line, rule))
    assert errors(write(tmp_path, files)) == sorted(wanted)


def test_rollbacks_and_checks_of_no_migration(tmp_path: Path) -> None:
    strays = ("rollback/009_x_rollback.sql", "sample/9.sql", "verify/9.sql")
    found = seen(write(tmp_path, {**SOUND, **dict.fromkeys(strays, "SELECT 1;\n")}))
    assert places(found) == [(name, 1, "script_without_migration") for name in strays]
    assert found[0].message == "belongs to no migration (there is no migrations/009_x.sql)"


@pytest.mark.parametrize(
    ("files", "stray", "level"),
    [
        ({"1_a.up.sql": "SELECT 1;\n", "1_a.down.sql": "SELECT 1;\n"}, "notes.sql", "warning"),
        ({"1_a.up.sql": "SELECT 1;\n", "1_a.down.sql": "SELECT 1;\n"}, "2_b.down.sql", "error"),
        ({"V1__a.sql": "SELECT 1;\n", "U1__a.sql": "SELECT 1;\n"}, "R__x.sql", "warning"),
        ({"V1__a.sql": "SELECT 1;\n", "U1__a.sql": "SELECT 1;\n"}, "U2__x.sql", "error"),
        ({"1_a.sql": GOOSE}, "x.sql", "warning"),
    ],
)
def test_files_that_are_passed_over(tmp_path: Path, files: dict[str, str], stray: str, level: str) -> None:
    (one,) = seen(write(tmp_path, {**files, stray: "SELECT 1;\n"}))
    assert (one.file, one.level) == (stray, level)


def test_versions_that_two_files_have(tmp_path: Path) -> None:
    files = {f"{name}.{half}.sql": "SELECT 1;\n" for name in ("1_a", "01_b") for half in ("up", "down")}
    assert places(seen(write(tmp_path, files))) == [
        ("01_b.up.sql", 1, "version_not_unique"),
        ("1_a.up.sql", 1, "version_not_unique"),
    ]
    assert refused_for(tmp_path) == "version_not_unique"


def test_what_is_wrong_in_files_of_one_version_is_found_too(tmp_path: Path) -> None:
    files = {f"{name}.{half}.sql": "SELECT 1;\n" for name in ("1_a", "01_b") for half in ("up", "down")}
    files["1_a.up.sql"] = "-- Data Loss: ?\nSELEC 1;\n"
    assert places(seen(write(tmp_path, files)))[1:] == [
        ("1_a.up.sql", 1, "version_not_unique"),
        ("1_a.up.sql", 1, "header_invalid"),
        ("1_a.up.sql", 2, "script_syntax_error"),
    ]


def test_a_number_that_two_files_share_is_a_warning_where_the_full_name_is_a_version(tmp_path: Path) -> None:
    found = seen(
        write(
            tmp_path,
            {**SOUND, "migrations/001_b.sql": "SELECT 1;\n", "rollback/001_b_rollback.sql": "SELECT 1;\n"},
        )
    )
    assert {(one.file, one.level, one.code) for one in found} == {
        (f"migrations/001_{name}.sql", "warning", "version_means_several_files") for name in ("b", "notes")
    }


def test_two_circles(tmp_path: Path) -> None:
    pairs = {"1": "2", "2": "1", "3": "4", "4": "3"}
    files = {f"migrations/{one}.sql": f"-- Requires: {other}\nSELECT 1;\n" for one, other in pairs.items()}
    files |= {f"rollback/{one}_rollback.sql": "SELECT 1;\n" for one in pairs}
    assert places(seen(write(tmp_path, files))) == [
        ("migrations/1.sql", 1, "requirements_circular"),
        ("migrations/3.sql", 1, "requirements_circular"),
    ]


def test_files_of_several_layouts(tmp_path: Path) -> None:
    files = {**SOUND, **TWO, "migrations/003_c.sql": f"{UP}SELECT 1;\n{DOWN}SELECT 1;\n"}
    assert [rule for _, _, rule in places(seen(write(tmp_path, files)))] == [
        "sql_layout_ambiguous",
        "rollback_script_missing",
        "layout_foreign",
    ]
    assert refused_for(tmp_path) == "sql_layout_ambiguous"
    assert places(seen(tmp_path, layout="plain"))[1:] == [("migrations/003_c.sql", 1, "layout_foreign")]


def test_migrations_of_which_the_tool_would_not_know(tmp_path: Path) -> None:
    files = {**SOUND, **TWO, "migrations/002_b.sql": "-- Recorded as: b.0001_x\nSELECT 1;\n"}
    assert places(seen(write(tmp_path, files), version_table="django")) == [
        ("migrations/001_notes.sql", 1, "version_key_unknown")
    ]
    with pytest.raises(Refused, match="does not say how"):
        books_of("django", read_sql_library(tmp_path))


@pytest.mark.parametrize(
    ("layout", "version_table", "code"),
    [
        ("cobol", "", "sql_layout_unknown"),
        ("auto", "cobol", "setting_invalid"),
        ("auto", {"x": 1}, "setting_invalid"),
    ],
)
def test_a_wrong_setting_is_no_finding(tmp_path: Path, layout: str, version_table: object, code: str) -> None:
    with pytest.raises(Refused) as refused:
        look(str(write(tmp_path, SOUND)), layout, version_table, GATING)
    assert refused.value.code == code


@pytest.mark.parametrize("files", [{}, {"rollback/1_rollback.sql": "SELECT 1;\n"}])
def test_nor_is_a_folder_that_is_not_there(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        seen(write(tmp_path, files) / ("" if files else "missing"))
    assert refused.value.code == "sql_dir_unusable"


def test_a_folder_without_a_migration_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (one,) = seen(tmp_path)
    assert (one.level, one.code, one.file) == ("warning", "no_migration", "")


def test_what_cannot_be_looked_past_cannot_be_accepted(tmp_path: Path) -> None:
    (one,) = seen(write(tmp_path, {"sqitch.plan": "%project=p\nno line\n"}))
    assert (one.code, one.file, one.hides) == ("sqitch_plan_wrong", "sqitch.plan", True)


def test_without_a_linter_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "find_squawk", lambda: None)
    looked = look(str(write(tmp_path, SOUND)), "auto", "", GATING)
    assert looked.notes == (linted.LINT_IS_MISSING,)


def test_lints_that_gate_are_errors_and_others_are_not(tmp_path: Path) -> None:
    write(tmp_path, {**SOUND, "migrations/001_notes.sql": "TRUNCATE notes CASCADE;\nDROP TABLE notes;\n"})
    library = read_sql_library(tmp_path)
    found = linted.findings_of_lint(library, ("ban-truncate-cascade",))
    assert found is not None
    assert [(one.level, one.code, one.rule) for one in found] == [
        ("error", "lint_rule_broken", "ban-truncate-cascade"),
        ("warning", "lint", "ban-drop-table"),
    ]
    relaxed = linted.findings_of_lint(library, ())
    assert relaxed is not None
    # That a rule gates makes no other finding of it.
    assert relaxed[0].key == found[0].key


def test_nothing_is_said_of_this_machine(tmp_path: Path) -> None:
    for files, _ in FAULTS.values():
        write(tmp_path, files)
    assert not [one for one in seen(tmp_path) if str(tmp_path) in f"{one.message}{one.file}{one.text}"]


def test_each_part_of_the_look_by_itself(tmp_path: Path) -> None:
    library = read_sql_library(
        write(tmp_path, {**SOUND, "migrations/002_b.sql": "SELEC 1;\n"}), tolerant=True
    )
    assert [one.code for one in scripts.faults_of_all(library)] == ["script_syntax_error"]
    assert [one.code for one in scripts.faults_of_pairs(library)] == ["rollback_script_missing"]
    assert list(naming.circles(library)) == list(naming.shared_numbers(library)) == []
