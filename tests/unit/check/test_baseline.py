# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Old findings are accepted by what they are, wherever they have moved to; new ones are not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.baseline import (
    Accepted,
    Baseline,
    accept_all,
    baseline_text,
    read_baseline,
    sort_out,
    write_baseline,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.finding import Key, fingerprints

from tests.unit.check.folders import SOUND, seen, write

OLD = "SELECT 1;\nSELEC 1;\nSELEC 1;\nDROP TABL x;\n"


def folder(tmp_path: Path, text: str) -> Path:
    return write(tmp_path / "sql", {**SOUND, "migrations/001_notes.sql": text})


@pytest.mark.parametrize("name", ["baseline.json", "baseline.yml", "baseline.YAML", "baseline"])
def test_what_is_written_accepts_what_was_found_then(tmp_path: Path, name: str) -> None:
    found = seen(folder(tmp_path, OLD))
    path = str(tmp_path / "new" / name)
    baseline = accept_all(found, read_baseline(path, may_be_missing=True))
    assert write_baseline(baseline)
    read = read_baseline(path)
    assert read == baseline
    assert sort_out(found, read).counting == ()
    assert len(sort_out(found, read).accepted) == 3
    assert not write_baseline(baseline), "a second time nothing is to be written"
    text = Path(path).read_text(encoding="utf-8")
    assert (yaml.safe_load if "y" in name.lower() else json.loads)(text)["accepted"][1]["count"] == 2


def test_lines_above_change_nothing_and_another_of_the_kind_counts(tmp_path: Path) -> None:
    old = seen(folder(tmp_path, OLD))
    baseline = accept_all(old, Baseline("b"))
    moved = seen(folder(tmp_path, f"-- a comment\n\n  {OLD}"))
    assert [one.line for one in moved] == [one.line + 2 for one in old]
    assert sort_out(moved, baseline).counting == ()
    assert fingerprints(moved) == fingerprints(old)
    assert len(set(fingerprints(old))) == 3
    more = seen(folder(tmp_path, f"{OLD}SELEC  1;\n"))
    assert [one.line for one in sort_out(more, baseline).counting] == [5]
    assert [one.line for one in sort_out(seen(folder(tmp_path, f"{OLD}SELEC 2;\n")), baseline).counting] == [
        5
    ]


def test_of_a_file_without_a_place_the_name_alone_counts(tmp_path: Path) -> None:
    (old,) = seen(write(tmp_path, {"migrations/1.sql": "SELECT 1;\n"}))
    baseline = accept_all([old], Baseline("b"))
    assert sort_out(seen(write(tmp_path, {"migrations/1.sql": "SELECT 2;\n"})), baseline).counting == ()


def test_entries_that_match_nothing_any_more_are_told(tmp_path: Path) -> None:
    baseline = accept_all(seen(folder(tmp_path, OLD)), Baseline("b"))
    left = sort_out(seen(folder(tmp_path, "SELEC 1;\n")), baseline)
    assert left.counting == ()
    assert {key.text for key in left.stale} == {"SELEC 1;", "DROP TABL x;"}, "of two one is left"
    assert sort_out((), Baseline()).stale == ()


def test_what_hides_all_else_is_never_accepted(tmp_path: Path) -> None:
    found = seen(write(tmp_path, {"sqitch.plan": "%project=p\nno line\n"}))
    baseline = accept_all(found, Baseline("b"))
    assert baseline.entries == {}
    by_hand = Baseline("b", {found[0].key: Accepted(1)})
    assert sort_out(found, by_hand).counting == found


def test_reasons_that_people_wrote_stay(tmp_path: Path) -> None:
    (found,) = seen(folder(tmp_path, "SELEC 1;\n"))
    before = Baseline("b", {found.key: Accepted(7, "since 2019"), Key("a", "b", ""): Accepted(1, "gone")})
    after = accept_all([found], before)
    assert after.entries == {found.key: Accepted(1, "since 2019")}
    assert '"reason": "since 2019"' in baseline_text(after)
    assert "count" not in baseline_text(after)


GOOD = {"rule": "a", "file": "b", "text": "c"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no list 'accepted'"),
        ("[]", "no list 'accepted'"),
        ('{"accepted": {}}', "no list 'accepted'"),
        ('{"accepted": []}', "of version None"),
        ('{"version": 2, "accepted": []}', "of version 2"),
        ("{", "neither JSON nor YAML"),
        ("a: !!python/object/apply:os.system [id]", "neither JSON nor YAML"),
        (b"\xff\xfe", "is no UTF-8 text"),
        *(
            (
                json.dumps({"version": 1, "accepted": [GOOD, entry]}),
                "entry 2 is not made of rule, file and text",
            )
            for entry in (
                {},
                "a",
                {"rule": "a"},
                {**GOOD, "line": 3},
                {**GOOD, "count": 0},
                {**GOOD, "count": True},
                {**GOOD, "count": "2"},
                {**GOOD, "file": 1},
                {**GOOD, "reason": ["x"]},
            )
        ),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str | bytes, why: str) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(Refused, match=why) as refused:
        read_baseline(str(path))
    assert refused.value.code == "check_baseline_unusable"
    assert "\n" not in refused.value.reason


def test_a_baseline_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="check_write_baseline=true"):
        read_baseline(str(tmp_path / "none.json"))
    assert read_baseline("") == Baseline()
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(Refused, match="is no file"):
            read_baseline(str(tmp_path / name), may_be_missing=True)


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be written"):
        write_baseline(Baseline(str(tmp_path / "file" / "b.json")))


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert write_baseline(Baseline(str(tmp_path / "new" / "b.json")), writes=False)
    assert list(tmp_path.iterdir()) == []


def test_entries_of_one_key_are_added(tmp_path: Path) -> None:
    path = tmp_path / "b.yml"
    path.write_text(yaml.safe_dump({"version": 1, "accepted": [GOOD, {**GOOD, "count": 2, "reason": "x"}]}))
    assert read_baseline(str(path)).entries == {Key("a", "b", "c"): Accepted(3, "x")}
