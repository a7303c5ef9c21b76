# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Transcripts are put between their marks, and compared without what differs from run to run, but for nothing else."""

from __future__ import annotations

import pytest

from demo.transcripts import TranscriptError, as_shown, normalised, rewritten, shown_in

README = """Before.

<!-- transcript one (made by: make transcripts) -->

    $ old
    old output

<!-- end of transcript -->

Between.

<!-- transcript two -->
<!-- end of transcript -->
After.
"""
TEXTS = {"one": "$ new\n\n  indented\n\\1 as it is", "two": "second"}

PRINTED = """Deploy a migration: midi_library
  ✓ preflight              0.2 s  to do: 009\x20
  · backup                  11 s  reading and dumping tables: 3 of 22
  ✓ backup                12.4 s

deployed: 009
"""


def test_a_text_stands_between_its_marks_and_nothing_else_changes() -> None:
    new = rewritten(README, TEXTS)
    assert shown_in(new) == {name: f"\n{text}\n\n" for name, text in TEXTS.items()}
    assert [line for line in new.splitlines() if line and not line.startswith(" ")] == [
        line for line in README.splitlines() if line and not line.startswith(" ")
    ]
    assert rewritten(new, TEXTS) == new


@pytest.mark.parametrize("texts", [{"one": "x"}, {**TEXTS, "three": "x"}])
def test_a_story_without_a_place_and_a_place_without_a_story_are_refused(texts: dict[str, str]) -> None:
    with pytest.raises(TranscriptError, match="there are places for"):
        rewritten(README, texts)


def test_what_is_shown_has_nothing_that_only_a_slow_machine_is_told() -> None:
    assert as_shown(PRINTED).splitlines() == [
        "Deploy a migration: midi_library",
        "  ✓ preflight              0.2 s  to do: 009",
        "  ✓ backup                12.4 s",
        "",
        "deployed: 009",
    ]


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("Steps: backup ok 1.0 s, apply ok 12.3 s", "Steps: backup ok 22.0 s, apply ok 0.0 s"),
        (
            "artifacts/20261122T114007Z-midi_library-942a/run.json",
            "artifacts/20270101T000000Z-midi_library-0000/run.json",
        ),
        (" 7 | 2026-11-23 02:41:37.556151+00", "      7 | 2026-11-23 02:41:37+00"),
        ("----+-----", "------+--------"),
        ("(the database has 44 MB, at most 10240", "(the database has 9 MB, at most 10240"),
        ("0.2 s  to do: 009; PostgreSQL 18.1; 44 MB", "13.7 s  to do: 009; PostgreSQL 18.1; 1,044 MB"),
        ("22 tables with 73,052 rows", "22 tables with 7,413 rows"),
        ("7 rows; 6.1 MB on disk", "7 rows; 5 MB on disk"),
        ("1724 WAL records in 1.3 MB, up to 1.3 MB of", "652 WAL records in 0.1 MB, up to 0.1 MB of"),
    ],
)
def test_what_differs_from_run_to_run_is_not_compared(one: str, another: str) -> None:
    assert normalised(one) == normalised(another)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("Kept: 403 rows of public.favorites", "Kept: 402 rows of public.favorites"),
        ("committed: 009", "committed: 010"),
        ("Steps: backup ok 1.0 s", "Steps: backup refused 1.0 s"),
        ("a\nb", "b\na"),
        ("a\n", "a\nb\n"),
    ],
)
def test_everything_else_is(one: str, another: str) -> None:
    assert normalised(one) != normalised(another)
