# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lines of the screen."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen.found import WORDS, found_by, megabytes
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen.lines import (
    Said,
    host_column,
    indented,
    step_line,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.screen.moving import (
    COMPACT_FROM,
    MovingLine,
    Screen,
    progress_in_words,
    waiting_for,
)


def test_lines_of_steps_stand_below_each_other() -> None:
    lines = [
        step_line("✓", "backup", 0.44, "27 tables"),
        step_line("✓", "emergency_rollback", 1234.5, "taken back: 009"),
    ]
    assert lines == [
        "  ✓ backup                 0.4 s  27 tables",
        "  ✓ emergency_rollback 1,234.5 s  taken back: 009",
    ]
    assert step_line("✗", "apply", None) == "  ✗ apply"


def test_a_command_within_a_reason_can_be_copied() -> None:
    command = "ansible-playbook deploy.yml -e migration=009 -e consent=" + "x" * 180
    lines = indented(f"Refused. Type: {command}\n\nSecond paragraph.")
    assert lines == [f"    Refused. Type: {command}", "", "    Second paragraph."]


@pytest.mark.parametrize(
    ("step", "outputs", "words"),
    [
        (
            "preflight",
            {"migrations": ["009"], "server_version": 180001, "database_bytes": 44 * 2**20},
            "to do: 009; PostgreSQL 18.1; 44 MB",
        ),
        ("preflight", {"migrations": []}, "nothing to do"),
        ("maintenance_window", {"window": None}, "always open"),
        (
            "maintenance_window",
            {"opening": {"closes_local": "Saturday 2026-01-03 05:00", "timezone": "Europe/Berlin"}},
            "open until Saturday 2026-01-03 05:00 (Europe/Berlin)",
        ),
        ("backup", {"tables": 1, "rows": 1204, "bytes": 400151}, "1 table with 1,204 rows; 0.4 MB on disk"),
        (
            "backup",
            {"tables": 2, "rows": 1, "bytes": 2**30, "encryption": "age"},
            "2 tables with 1 row; 1,024 MB on disk; encrypted with age",
        ),
        (
            "verify_restore",
            {"tables": 2, "rows": 1, "not_in_backup": [{"table": "public.own"}]},
            "restored; schema and 2 tables with 1 row equal production's; without rows of public.own, which no dump"
            " has",
        ),
        ("emergency_backup", {"folder": None, "kind": "salvage"}, "what the rollback keeps is the backup"),
        (
            "rehearse",
            {
                "migrations": [
                    {"version": "009", "schema_restored": True, "data_restored": False, "rows_compared": 3}
                ]
            },
            "applied, rolled back, applied again: the schema came back",
        ),
        (
            "rehearse",
            {"migrations": [{"version": "009", "schema_restored": True, "data_restored": True}]},
            "applied, rolled back, applied again: the schema came back, and no rows were compared",
        ),
        (
            "rehearse_from_empty",
            {"migrations": [{"version": "009"}], "generated_rows": {"filled": 2}},
            "each alone, from an empty database: 009; 2 tables with generated rows",
        ),
        ("apply", {"migrations": [{"version": "009"}, {"version": "010"}]}, "committed: 009, 010"),
        ("apply", {"migrations": []}, "nothing was pending"),
        ("emergency_rollback", {"migrations": [{"version": "009"}]}, "taken back: 009"),
        ("smoke_test", {"smoke_scripts": []}, "there are no smoke scripts"),
        ("a step of somebody's own", {"x": 1}, ""),
    ],
)
def test_what_a_step_found(step: str, outputs: dict[str, object], words: str) -> None:
    assert found_by(step, outputs) == words


@pytest.mark.parametrize("step", sorted(set(WORDS) - {"backup", "emergency_backup"}))
def test_a_step_that_had_nothing_to_do_breaks_no_line(step: str) -> None:
    found_by(step, {})


def test_sizes_are_read_at_a_glance() -> None:
    assert [megabytes(size) for size in (0, 2**19, 10 * 2**20, 1204 * 2**20)] == [
        "0.0 MB",
        "0.5 MB",
        "10 MB",
        "1,204 MB",
    ]


def test_a_failure_is_told_once() -> None:
    said = Said()
    said.add("Migration 010 is\nalready applied.")
    assert not said.is_new("Migration 010 is already applied.")
    assert said.repeats("refused: Migration 010 is already applied.")
    assert said.is_new("Migration 010 is already applied. The automatic rollback failed too: no lock.")
    assert said.without(["refused: 010", "Reason: Migration 010 is already applied.", "State: …"]) == [
        "refused: 010",
        "State: …",
    ]
    assert said.without(["Reason: another one"]) == ["Reason: another one"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, ""),
        ({"what": "reading tables", "done": 3, "total": 27, "seconds": 1}, "reading tables: 3 of 27"),
        (
            {"what": "restoring", "done": 2**20 * 100, "total": 2**20 * 400, "unit": "bytes", "seconds": 10},
            "restoring: 100 MB of 400 MB, 30 s left",
        ),
        (
            {
                "what": "001.sql: statements",
                "done": 1,
                "total": 2,
                "server": "CREATE INDEX building",
                "percent": 45,
            },
            "001.sql: statements: 1 of 2; CREATE INDEX building 45 %",
        ),
        (
            {"what": "x", "rows_copied": 1204, "waiting": 1},
            "x; 1,204 rows of the tables at work; 1 session waits behind it",
        ),
        ({"what": "x", "done": 3, "total": 0}, "x: 3"),
        ({"what": "x", "done": 2**20 * 163, "total": 2**20 * 161, "unit": "bytes"}, "x: 163 MB"),
        ({"waiting": 2}, "2 sessions wait behind it"),
        ({"waits_for": "pid 7"}, "waits for pid 7"),
        ({"waits_for": "pid 7", "what": "x", "waiting": 1}, "waits for pid 7; x; 1 session waits behind it"),
    ],
)
def test_counters_in_words(told: dict[str, object], words: str) -> None:
    assert progress_in_words(told) == words


class Printed:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str, newline: bool = True, **_: object) -> None:
        self.texts.append(text + ("\n" if newline else ""))


def test_on_a_terminal_the_line_is_written_over_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Screen, "moves", True)
    printed = Printed()
    line = MovingLine("backup", "books", printed)
    line.show('{"what": "reading tables", "done": 1, "total": 2}')
    line.show('{"what": "reading tables", "done": 2, "tot')  # half of a line
    line.clear()
    assert all(text.startswith("\r\x1b[K") and not text.endswith("\n") for text in printed.texts)
    assert "reading tables: 1 of 2" in printed.texts[0]
    assert printed.texts[-1] == "\r\x1b[K"


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Screen, "moves", False)
    printed = Printed()
    line = MovingLine("backup", "books", printed)
    line.show('{"what": "reading tables"}')
    assert printed.texts == [], "the first seconds are silent"
    line._next_line = 0
    line.show('{"what": "reading tables"}')
    line.show('{"what": "reading tables"}')
    line.clear()
    (text,) = printed.texts
    assert text.endswith("reading tables\n")
    assert "\x1b" not in text


@pytest.mark.parametrize("moves", [True, False])
def test_what_is_waited_for_is_named_at_once(monkeypatch: pytest.MonkeyPatch, moves: bool) -> None:
    monkeypatch.setattr(Screen, "moves", moves)
    printed = Printed()
    with waiting_for("the_command", "maintenance_window", "books", printed) as meanwhile:
        assert len(printed.texts) == 1
        meanwhile()
    assert "maintenance_window" in printed.texts[0]
    assert printed.texts[0].rstrip().endswith("waits for the_command")
    assert printed.texts[1:] == ([printed.texts[0], "\r\x1b[K"] if moves else []), "the next is not due"


# Several databases at work together -----------------------------------------------------------------------


def test_lines_of_several_databases_name_them_and_stand_below_each_other() -> None:
    hosts = ["db1", "db2.example.com", "x" * 60]
    lines = [step_line("✓", "backup", 0.44, "27 tables", host_column(host, hosts)) for host in hosts]
    assert lines == [
        f"  ✓ {'db1':<30}  backup                 0.4 s  27 tables",
        f"  ✓ {'db2.example.com':<30}  backup                 0.4 s  27 tables",
        f"  ✓ {'x' * 60}  backup                 0.4 s  27 tables",
    ]
    assert host_column("db1", []) == "db1  "


@pytest.mark.parametrize(("databases", "seconds"), [(1, 10), (3, 10), (4, 30)])
def test_of_a_few_a_line_comes_as_often_as_of_one(
    monkeypatch: pytest.MonkeyPatch, databases: int, seconds: int
) -> None:
    """A lock may be held by each of them."""
    monkeypatch.setattr(Screen, "moves", False)
    monkeypatch.setattr(Screen, "databases", databases)
    line = MovingLine("apply", "books", Printed())
    assert line._next_line - line._started == seconds


@pytest.mark.parametrize("terminal", [True, False])
def test_of_several_each_has_a_whole_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(Screen, "moves", terminal)
    monkeypatch.setattr(Screen, "databases", COMPACT_FROM)
    printed = Printed()
    line = MovingLine("backup", "books", printed)
    line.show("")
    assert printed.texts == [], "the first seconds are silent"
    line._next_line = 0
    line.show('{"what": "reading tables"}')
    line.clear()
    (text,) = printed.texts
    assert text.startswith("  · books  backup ")
    assert text.endswith("reading tables\n")


def test_of_very_many_none_has_a_line_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Screen, "databases", COMPACT_FROM + 1)
    printed = Printed()
    line = MovingLine("backup", "books", printed)
    line._next_line = 0
    line.show('{"what": "reading tables"}')
    line.clear()
    assert printed.texts == []
