# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in the way of files on disk, asked of the pairs of a rehearsal, and who may say that nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.step_runs import StepRuns

HEADER = "-- Requires: 001\n-- Files: rename notes.body\n"
NAMES = ("a b.mid", "c d.mid", "e.mid")


class Library:
    """A deploy of a migration that renames files, rehearsed; real files for its rows."""

    def __init__(self, runs: StepRuns, folder: Path) -> None:
        self.runs, self.root, self.state = runs, folder / "library", folder / "state"
        self.root.mkdir()
        runs.library_hosts = ("media1",)
        runs.execute("TRUNCATE notes RESTART IDENTITY")
        for name in NAMES:
            runs.execute(f"INSERT INTO notes (body) VALUES ('{name}')")
            (self.root / name).write_text(name, encoding="utf-8")
        runs.write(
            migrations__002_author=f"{HEADER}UPDATE notes SET body = replace(body, ' ', '_');",
            rollback__002_author_rollback="UPDATE notes SET body = replace(body, '_', ' ');",
        )

    def options(self, **options: Any) -> dict:
        return {
            "library_host": "media1",
            "library_root": str(self.root),
            "library_state_dir": str(self.state),
            **options,
        }

    def check(self, **options: Any) -> dict:
        return self.runs.step("files_check", **self.options(**options))

    def names(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.root)): path.read_text(encoding="utf-8")
            for path in self.root.rglob("*")
            if path.is_file()
        }

    def stays_untouched(self) -> None:
        """Production cannot be changed by this run, and no file has moved."""
        before = self.runs.ask("SELECT * FROM notes ORDER BY id")
        files = self.names()
        answer = self.runs.step("apply")
        assert answer["outcome"] == "refused", answer
        assert "needs the receipt of step files_check for host media1" in answer["msg"]
        assert self.runs.ask("SELECT * FROM notes ORDER BY id") == before
        assert self.names() == files


@pytest.fixture
def library(runs: StepRuns, tmp_path: Path) -> Library:
    made = Library(runs, tmp_path)
    return made


def refused(library: Library, *words: str, **options: Any) -> None:
    library.runs.up_to("rehearse")
    before = library.names()
    answer = library.check(**options)
    assert (answer.get("failed"), answer["outcome"]) == (True, "refused"), answer
    for word in words:
        assert word in answer["msg"]
    assert library.names() == before
    library.stays_untouched()


def test_obstacles_are_found_and_apply_is_refused(library: Library) -> None:
    (library.root / "a_b.mid").write_text("of a user", encoding="utf-8")
    (library.root / "c d.mid").unlink()
    refused(
        library,
        "Obstacles (2)",
        "a_b.mid exists already, so a b.mid cannot get its name",
        "c d.mid is missing",
        "No file was renamed",
        "production's database is as it was",
        "deploy again",
    )


def test_a_row_without_a_file_that_is_not_renamed_is_found(library: Library) -> None:
    (library.root / "e.mid").unlink()
    refused(library, "Obstacles (1)", "e.mid is missing")


def test_a_link_out_of_the_library(library: Library, tmp_path: Path) -> None:
    (library.root / "a b.mid").unlink()
    (library.root / "a b.mid").symlink_to(tmp_path / "elsewhere.mid")
    refused(library, "a b.mid is a symbolic link")


def test_two_files_for_one_name(library: Library) -> None:
    (library.root / "a-b.mid").write_text("a-b.mid", encoding="utf-8")
    library.runs.execute("INSERT INTO notes (body) VALUES ('a-b.mid')")
    library.runs.write(
        migrations__002_author=f"{HEADER}UPDATE notes SET body = translate(body, ' -', '__');",
        rollback__002_author_rollback="UPDATE notes SET body = CASE id WHEN 4 THEN 'a-b.mid' ELSE"
        " replace(body, '_', ' ') END;",
    )
    refused(library, "a b.mid and a-b.mid would both become a_b.mid")


def test_paths_elsewhere(library: Library) -> None:
    library.runs.execute("INSERT INTO notes (body) VALUES ('/other/f g.mid')")
    refused(library, "1 changed paths do not lie below", "accept_paths_elsewhere=true")


def test_a_library_that_is_missing_or_a_file(library: Library, tmp_path: Path) -> None:
    refused(library, "library_root", "No such file or directory", library_root=str(tmp_path / "nowhere"))
    (tmp_path / "file").touch()
    answer = library.check(library_root=str(tmp_path / "file"))
    assert answer["outcome"] == "refused"
    assert "Not a directory" in answer["msg"]


def test_apply_needs_the_look_of_every_host(library: Library) -> None:
    library.runs.library_hosts = ("media1", "media2")
    library.runs.up_to("rehearse")
    answer = library.runs.step("apply")
    assert answer["outcome"] == "refused"
    assert "files_check for host media1, media2" in answer["msg"]
    library.runs.must("files_check", **library.options())
    # A task of its own that says there is no library cannot leave it out, either.
    library.runs.library_hosts = ()
    answer = library.runs.step("apply")
    assert "files_check for host media2" in answer["msg"]
    library.runs.must("files_check", **library.options(library_host="media2"))
    outputs = library.runs.must("apply")["outputs"]
    assert outputs["migrations"][0]["path_changes"] == 2


def test_an_obstacle_after_a_look_that_found_none(library: Library) -> None:
    library.runs.up_to("rehearse")
    library.runs.must("files_check", **library.options())
    (library.root / "a_b.mid").touch()
    assert library.check()["outcome"] == "refused"
    library.stays_untouched()


def test_the_look_leaves_nothing_and_shows_every_pair(library: Library) -> None:
    library.runs.up_to("rehearse")
    before = library.names()
    answer = library.runs.must("files_check", **library.options(_ansible_diff=True))
    assert answer["diff"]["before"] == "a b.mid\nc d.mid\n"
    assert answer["diff"]["after"] == "a_b.mid\nc_d.mid\n"
    assert (answer["outputs"]["renames"], answer["outputs"]["way"]) == (2, "renameat2")
    assert answer["changed"], "Ansible shows a difference of no other task"
    assert library.names() == before
    assert list(library.state.iterdir()) == []
    assert library.runs.must("files_check", **library.options())["changed"] is False
    library.runs.must("apply")
    library.runs.conclude()
    assert library.runs.ask("SELECT count(*) FROM runbook.path_change_set WHERE direction = 'rehearsed'") == [
        (0,)
    ]


def test_what_users_do_meanwhile_is_no_obstacle(library: Library) -> None:
    library.runs.up_to("rehearse")
    (library.root / "a b.mid").unlink()
    library.runs.execute("DELETE FROM notes WHERE body = 'a b.mid'")
    (library.root / "c d.mid").rename(library.root / "mine.mid")
    library.runs.execute("UPDATE notes SET body = 'mine.mid' WHERE body = 'c d.mid'")
    assert library.runs.must("files_check", **library.options())["outputs"]["renames"] == 0


def test_rehearsed_paths_that_the_ledger_has_lost(library: Library) -> None:
    library.runs.up_to("rehearse")
    library.runs.execute("DELETE FROM runbook.path_change", "DELETE FROM runbook.path_change_set")
    answer = library.check()
    assert answer["outcome"] == "refused"
    assert "Start a new run" in answer["msg"]
    library.stays_untouched()


def test_several_migrations_are_looked_at_as_one(library: Library) -> None:
    """Neither the names between two migrations nor a column that the first one makes is asked of the disk."""
    runs = library.runs
    runs.write(
        migrations__003_again="-- Requires: 002\n-- Files: rename notes.body\nUPDATE notes SET body = 'x-' || body;",
        rollback__003_again_rollback="UPDATE notes SET body = substr(body, 3);",
        migrations__004_songs="-- Requires: 003\nALTER TABLE notes RENAME TO songs;",
        rollback__004_songs_rollback="ALTER TABLE songs RENAME TO notes;",
    )
    (library.root / "a_b.mid").touch()
    runs.migration = "pending"
    runs.up_to("rehearse")
    answer = runs.must("files_check", **library.options(_ansible_diff=True))
    assert answer["diff"]["after"] == "x-a_b.mid\nx-c_d.mid\nx-e.mid\n"


def test_a_column_that_an_earlier_migration_of_the_run_makes(library: Library) -> None:
    runs = library.runs
    runs.write(
        migrations__002_author="-- Requires: 001\nCREATE TABLE songs AS SELECT id, body AS path FROM notes;"
        "\nALTER TABLE songs ADD PRIMARY KEY (id);",
        rollback__002_author_rollback="DROP TABLE songs;",
        migrations__003_again="-- Requires: 002\n-- Files: rename songs.path\nUPDATE songs SET path = 'x-' || path;",
        rollback__003_again_rollback="UPDATE songs SET path = substr(path, 3);",
    )
    runs.migration = "pending"
    runs.up_to("rehearse")
    (library.root / "e.mid").unlink()
    assert "Obstacles (1): e.mid is missing" in library.check()["msg"]
    (library.root / "e.mid").touch()
    assert runs.must("files_check", **library.options())["outputs"]["renames"] == 3


def test_a_migration_without_paths_is_not_asked_for(library: Library) -> None:
    library.runs.write(
        migrations__002_author="-- Requires: 001\nALTER TABLE notes ADD author text;",
        rollback__002_author_rollback="ALTER TABLE notes DROP author;",
    )
    library.runs.steps("preflight", "maintenance_window", "backup", "verify_restore", "rehearse", "apply")


def test_a_rehearsal_by_itself_keeps_no_path(library: Library) -> None:
    rehearsal = library.runs.another("rehearse")
    answer = rehearsal.steps("preflight", "backup", "verify_restore", "rehearse")
    assert answer["outputs"]["paths_changed"] == {}
    assert library.runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]
