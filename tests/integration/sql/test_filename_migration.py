# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The migration of file names: its rule, collisions by full path, and a rollback that keeps what was done since."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.sql.midi_library import script

STEM = "update_normalized_filenames"
AWKWARD = " \t\n\u00a0\u3000\u200b\ufeff\u202e\u00ad_-./\\?!#'\"%aAemidMID0é\u0301ﬁ日ж🎹"


@pytest.fixture
def library(databases: Any) -> Iterator[Any]:
    """An empty table of files, in a transaction that is rolled back."""
    with databases.undone(databases.stage(1)) as transaction:
        transaction.execute("DELETE FROM files")
        yield transaction


def add(library: Any, *files: tuple[str, str], first: int = 1) -> None:
    for number, (filename, filepath) in enumerate(files, first):
        library.cursor.execute(
            "INSERT INTO files (id, filename, filepath, original_filename, content_hash, file_size_bytes, updated_at)"
            " VALUES (%s, %s, %s, %s, sha256(%s), 1, '2020-02-02')",
            (number, filename, filepath, filename, str(number).encode()),
        )


def names(library: Any) -> dict[int, tuple[str, str]]:
    return {
        number: (name, path)
        for number, name, path in library.query("SELECT id, filename, filepath FROM files")
    }


def rule(library: Any, name: str) -> str:
    library.cursor.execute("SELECT normalized_filenames.normalized(%s)", (name,))
    return library.cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My Song.mid", "My_Song.mid"),
        ("x.MID ", "x.mid"),
        ("six .mid", "six.mid"),
        ("-_lead_-.mid", "lead.mid"),
        ("a  _ b--c.MiDi", "a_b-c.mid"),
        ("tab\there\u00a0no-break\u3000wide.mid", "tab_here_no-break_wide.mid"),
        ("zero\u200bwidth\ufeff.mid", "zerowidth.mid"),
        ("Cafe\u0301.mid", "Café.mid"),
        ("Cafe\u200b\u0301.mid", "Café.mid"),
        ("ﬁnal.mid", "ﬁnal.mid"),
        ("日本語.mid", "日本語.mid"),
        ("русский.mid", "русский.mid"),
        ("👩\u200d🎤.mid", "👩\u200d🎤.mid"),
        ("Pad C#.mid", "Pad_C#.mid"),
        ("???", "???"),
        ("!!!.mid", "!!!.mid"),
        ("___.mid", "_.mid"),
        ("_.", "_."),
        ("_..", "_.."),
        (" .mid", "_.mid"),
        (".mid", ".mid"),
        ("\u200b", "\u200b"),
        (".\x1f", ".\x1f"),
        ("..\u200b", "..\u200b"),
        ("no extension ", "no_extension"),
        ("song.mid.MID", "song.mid.mid"),
    ],
)
def test_the_rule(library: Any, name: str, expected: str) -> None:
    library.execute(script("migrations", STEM))
    assert rule(library, name) == expected
    assert rule(library, expected) == expected


@pytest.fixture(scope="module")
def migrated(databases: Any) -> Iterator[Any]:
    with databases.undone(databases.stage(10)) as transaction:
        yield transaction


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(AWKWARD, max_size=14),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9),
    )
)
def test_the_rule_holds_for_any_name(migrated: Any, name: Any) -> None:
    once = rule(migrated, name)

    assert rule(migrated, once) == once
    assert (once == "") == (name == "")
    assert once not in (".", "..") or name in (".", "..")
    assert once == name or not re.search(r"\s|__|--", once)
    assert skeleton(once) == skeleton(name)


def skeleton(name: str) -> str:
    """What must tell two names apart: all but separators, invisible characters, spelling and extension."""
    seen = (
        c for c in name if not c.isspace() and c not in "_-" and unicodedata.category(c) not in ("Cc", "Cf")
    )
    return re.sub(r"(?i)\.midi?$", ".mid", unicodedata.normalize("NFC", "".join(seen)))


def test_one_name_in_two_folders_is_no_collision(library: Any) -> None:
    add(
        library,
        ("kick.mid", "/a/kick.mid"),
        ("kick.mid", "/b/kick.mid"),
        ("My Song.mid", "/a/My Song.mid"),
        ("My_Song.mid", "/b/My_Song.mid"),
    )
    library.execute(script("migrations", STEM))
    assert [path for _, path in names(library).values()] == [
        "/a/kick.mid",
        "/b/kick.mid",
        "/b/My_Song.mid",
        "/a/My_Song.mid",
    ]


@pytest.mark.parametrize(
    "files",
    [
        [("My Song.mid", "/a/My Song.mid"), ("My_Song.mid", "/a/My_Song.mid")],
        [("My Song.mid", "/a/My Song.mid"), ("My  Song.mid", "/a/My  Song.mid")],
        [("A B.mid", "/a/A B.mid"), ("other.mid", "/a/A_B.mid")],
        [("three.MID ", "/a/three.MID "), ("three.MID", "/a/three.MID")],
        [("Cafe\u0301.mid", "/a/Cafe\u0301.mid"), ("Café.mid", "/a/Café.mid")],
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_collision_stops_it_and_names_the_pair(library: Any, files: list[Any], order: int) -> None:
    add(library, *files[::order])
    before = names(library)
    error = library.refusal(script("migrations", STEM))

    assert "1 pair(s) of files would have the same path" in error
    assert all(path in error for _, path in files)
    assert names(library) == before


@pytest.mark.parametrize("order", [1, -1])
def test_a_path_that_looks_taken_on_the_way_is_no_collision(library: Any, order: int) -> None:
    files = [
        ("a b.mid", "/x/a b.mid"),
        ("a b .mid", "/x/a_b/a b .mid"),
        ("two.MID ", "/x/two.MID "),
        ("tw o.MID", "/x/tw o.MID"),
    ]
    add(library, *files[::order])
    library.execute(script("migrations", STEM))
    assert {path for _, path in names(library).values()} == {
        "/x/a_b.mid",
        "/x/a_b/a_b.mid",
        "/x/two.mid",
        "/x/tw_o.mid",
    }
    library.execute(script("rollback", STEM))
    assert {path for _, path in names(library).values()} == {path for _, path in files}


def test_names_that_differ_in_case_stay_apart_and_are_counted(library: Any) -> None:
    add(library, ("a b.mid", "/x/a b.mid"), ("A_B.mid", "/x/A_B.mid"))
    notices = library.execute(script("migrations", STEM))
    assert {path for _, path in names(library).values()} == {"/x/a_b.mid", "/x/A_B.mid"}
    assert any(notice.startswith("WARNING:  1 renamed file(s)") for notice in notices)


def test_folders_keep_every_byte(library: Any) -> None:
    add(
        library,
        ("My Song.mid", "/lib/My Song.mid stems/My Song.mid"),
        ("a b", "/x/a b c/a b"),
        ("c d.mid", "C:\\a b\\c d.mid"),
        ("bare name.mid", "bare name.mid"),
        ("e f.mid", "/Cafe\u0301 x/e f.mid"),
    )
    library.execute(script("migrations", STEM))
    assert [path for _, (_, path) in sorted(names(library).items())] == [
        "/lib/My Song.mid stems/My_Song.mid",
        "/x/a b c/a_b",
        "C:\\a b\\c_d.mid",
        "bare_name.mid",
        "/Cafe\u0301 x/e_f.mid",
    ]


def test_rows_whose_path_and_name_disagree_are_left_alone_and_counted(library: Any) -> None:
    add(
        library,
        ("a b.mid", "/x/other.mid"),
        ("a b.mid", "/x/xa b.mid"),
        ("c/d e.mid", "/x/c/d e.mid"),
        ("f\\g h.mid", "/x/f\\g h.mid"),
    )
    before = names(library)
    notices = library.execute(script("migrations", STEM))
    assert names(library) == before
    assert any("Renamed 0 file(s); left 4 alone" in notice for notice in notices)


def test_only_renamed_rows_are_written_and_updated_at_stays(library: Any) -> None:
    add(library, ("plain.mid", "/x/plain.mid"), ("a b.mid", "/x/a b.mid"))
    versions = dict(library.query("SELECT id, ctid::text FROM files"))
    notices = library.execute(script("migrations", STEM))
    after = {
        number: (ctid, when, found)
        for number, ctid, when, found in library.query(
            "SELECT id, ctid::text, updated_at = '2020-02-02', search_vector @@ to_tsquery('a_b.mid') FROM files"
        )
    }

    assert after[1][0] == versions[1]
    assert after[2] != versions[2]
    assert [when for _, when, _ in after.values()] == [True, True]
    assert after[2][2], "the search does not know the new name"
    assert any("Renamed 1 file(s)" in notice for notice in notices)
    library.execute(script("rollback", STEM))
    assert library.query("SELECT DISTINCT updated_at = '2020-02-02' FROM files") == [(True,)]


def test_the_rollback_keeps_renames_made_since_and_takes_no_path_from_another_file(library: Any) -> None:
    add(library, *((f"file {n}.mid", f"/x/file {n}.mid") for n in range(1, 7)))
    library.execute(script("migrations", STEM))
    library.execute(
        "UPDATE files SET filename = 'mine.mid', filepath = '/x/mine.mid' WHERE id = 2;"
        "UPDATE files SET filepath = '/y/file_3.mid' WHERE id = 3;"
        "DELETE FROM files WHERE id = 4;"
        "UPDATE files SET filepath = '/x/swap' WHERE id = 5;"
    )
    add(library, ("file 6.mid", "/x/file 6.mid"), first=7)  # imported at the old path of file 6
    notices = library.execute(script("rollback", STEM))

    assert names(library) == {
        1: ("file 1.mid", "/x/file 1.mid"),
        2: ("mine.mid", "/x/mine.mid"),
        3: ("file_3.mid", "/y/file_3.mid"),
        5: ("file_5.mid", "/x/swap"),
        6: ("file_6.mid", "/x/file_6.mid"),
        7: ("file 6.mid", "/x/file 6.mid"),
    }
    assert any(
        "Restored 1 of 6 name(s); 3 renamed since, 1 with the old path taken, 1 deleted" in n for n in notices
    )


def test_names_swapped_since_stay_swapped(library: Any) -> None:
    add(library, ("a b.mid", "/x/a b.mid"), ("c d.mid", "/x/c d.mid"))
    library.execute(script("migrations", STEM))
    library.execute(
        "UPDATE files SET filepath = '/x/tmp' WHERE id = 1;"
        "UPDATE files SET filename = 'a_b.mid', filepath = '/x/a_b.mid' WHERE id = 2;"
        "UPDATE files SET filename = 'c_d.mid', filepath = '/x/c_d.mid' WHERE id = 1"
    )
    library.execute(script("rollback", STEM))
    assert names(library) == {1: ("c_d.mid", "/x/c_d.mid"), 2: ("a_b.mid", "/x/a_b.mid")}


def test_a_second_cycle_works_on_fresh_names(library: Any) -> None:
    """Old names are recorded anew in each cycle; a backup column filled once would give back those of the first."""
    add(library, ("a b.mid", "/x/a b.mid"), ("c d.mid", "/x/c d.mid"))
    library.execute(script("migrations", STEM))
    library.execute(script("rollback", STEM))
    library.execute("UPDATE files SET filename = 'new name.mid', filepath = '/x/new name.mid' WHERE id = 1")
    library.execute(script("migrations", STEM))
    library.execute(script("rollback", STEM))
    assert names(library) == {1: ("new name.mid", "/x/new name.mid"), 2: ("c d.mid", "/x/c d.mid")}


def test_readers_are_not_locked_out(library: Any) -> None:
    library.execute(script("migrations", STEM))
    held = library.query("SELECT DISTINCT mode FROM pg_locks WHERE relation = 'files'::regclass AND granted")
    assert ("AccessExclusiveLock",) not in held


def test_files_of_another_schema_are_not_mistaken(library: Any) -> None:
    library.execute(
        "CREATE SCHEMA other; CREATE TABLE other.files (filename text, filepath text);"
        "ALTER TABLE files RENAME TO renamed"
    )
    assert "files_updated_at_trigger is missing" in library.refusal(script("migrations", STEM))
