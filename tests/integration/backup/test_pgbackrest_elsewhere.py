# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups by pgbackrest into a repository that is not on the database's host: over SSH, and in an object store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns
from tests.pgbackrest_repositories import Repository, S3Repository, ssh_repository
from tests.pgbackrest_server import ArchivingServer, archiving_server, whats_missing
from tests.s3_server import s3_server, why_no_s3
from tests.ssh_hosts import SshUnusable

pytestmark = pytest.mark.skipif(bool(whats_missing()), reason=whats_missing() or "")


@contextlib.contextmanager
def over_ssh(folder: Path) -> Iterator[Repository]:
    try:
        with ssh_repository() as repository:
            yield repository
    except SshUnusable as error:
        pytest.skip(str(error))


@contextlib.contextmanager
def in_an_object_store(folder: Path) -> Iterator[Repository]:
    if why_no_s3():
        pytest.skip(why_no_s3() or "")
    with s3_server(folder / "store", "backups") as store:
        yield S3Repository(store)


@pytest.fixture(scope="module", params=[over_ssh, in_an_object_store], ids=["over SSH", "in S3"])
def archiving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ArchivingServer]:
    folder = tmp_path_factory.mktemp("archiving")
    with request.param(folder) as repository, archiving_server(folder / "state", repository) as made:
        yield made


@pytest.fixture
def shop(archiving: ArchivingServer, tmp_path: Path) -> Iterator[StepRuns]:
    """A database with a table, and a migration to deploy."""
    admin = StepRuns(archiving.server, "postgres", tmp_path)
    admin.execute("CREATE DATABASE shop")
    made = StepRuns(archiving.server, "shop", tmp_path, engine=archiving.engine())
    made.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text DEFAULT 'nobody';",
        rollback__002_author_rollback="ALTER TABLE notes DROP COLUMN author;",
    )
    made.execute(
        "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
        "INSERT INTO schema_migrations VALUES ('001')",
        "CREATE TABLE notes (id serial PRIMARY KEY, body text)",
        "INSERT INTO notes (body) SELECT 'note ' || n FROM generate_series(1, 1000) AS n",
    )
    yield made
    drop_what_restores_left(admin, "shop")
    admin.execute("DROP DATABASE shop WITH (FORCE)")


def test_it_is_proven_by_what_only_the_repository_has(shop: StepRuns, archiving: ArchivingServer) -> None:
    """A full backup, then an incremental one that is restored over what the first one's proof has left."""
    assert not (archiving.place / "repo").exists()
    shop.engine = archiving.engine(keep_scratch=True)
    shop.must("preflight")
    backup = shop.steps("maintenance_window", "backup")["outputs"]
    assert (backup["type"], backup["rows"]) == ("full", 1001)
    proof = shop.must("verify_restore")["outputs"]
    assert (proof["schema_equal"], proof["data_equal"], proof["rows"]) == (True, True, 1001)
    shop.conclude("failed")
    (first,) = archiving.scratches()
    whole = (archiving.scratch / first / "run/data/PG_VERSION").stat().st_ino

    shop.execute("UPDATE notes SET body = 'another' WHERE id <= 10", "DELETE FROM notes WHERE id > 990")
    again = shop.another()
    again.must("preflight")
    backup = again.steps("maintenance_window", "backup")["outputs"]
    assert (backup["type"], backup["rows"]) == ("incr", 991)
    proof = again.must("verify_restore")["outputs"]
    assert (proof["schema_equal"], proof["data_equal"], proof["rows"]) == (True, True, 991)
    (now,) = archiving.scratches()
    assert (archiving.scratch / now / "run/data/PG_VERSION").stat().st_ino == whole, (
        "only what differs is copied"
    )
    again.engine = archiving.engine()
    again.conclude("failed")
    assert archiving.scratches() == []

    shop.execute("DELETE FROM notes")
    Restore(again).steps("preflight", "restore", "count_rows", "swap")
    assert shop.ask("SELECT count(*), count(*) FILTER (WHERE body = 'another') FROM notes") == [(990, 10)]
    assert archiving.scratches() == []


@pytest.mark.parametrize("archiving", [in_an_object_store], ids=["in S3"], indirect=True)
def test_a_repository_that_cannot_be_read_is_not_taken_for_an_empty_one(
    shop: StepRuns, archiving: ArchivingServer
) -> None:
    """Nobody is told to make a stanza where the way to it is what is broken."""
    sound = archiving.config.read_text(encoding="utf-8")
    archiving.config.write_text(sound.replace("authority.crt", "pgbackrest.conf"), encoding="utf-8")
    answer = shop.step("preflight")
    archiving.config.write_text(sound, encoding="utf-8")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "backup_engine_unusable"), answer["msg"]
    assert "cannot be read: [CryptoError] unable to set user-defined CA certificate" in answer["msg"]
    assert "Nothing was changed" in answer["msg"]
    assert "stanza-create" not in answer["msg"]


@pytest.mark.parametrize("archiving", [over_ssh], ids=["over SSH"], indirect=True)
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ("Production is as it was", "on host repository", "pgbackrest_backup_command", '"pgbackrest"')),
        (["{ssh}", "nowhere", "pgbackrest"], ("Nothing was changed", "pgbackrest_backup_command", "nowhere")),
        (["{ssh}", "repository", "pgbackrest"], ("pgbackrest_backup_command", "stanza")),
        (["/nowhere/ssh"], ("pgbackrest_backup_command", "/nowhere/ssh")),
    ],
)
def test_a_way_that_does_not_lead_to_the_repository_is_found_before_anything(
    shop: StepRuns, archiving: ArchivingServer, command: list[str], words: tuple[str, ...]
) -> None:
    way = [word.format(ssh=archiving.place / "ssh" / "ssh") for word in command]
    answer = shop.step("preflight", engine=archiving.engine(backup_command=way))
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "backup_engine_unusable"), answer["msg"]
    for one in words:
        assert one in answer["msg"]
    assert shop.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'runbook'") == [(0,)]


@pytest.mark.parametrize("archiving", [over_ssh], ids=["over SSH"], indirect=True)
def test_a_backup_that_cannot_be_made_here_leaves_nothing(shop: StepRuns, archiving: ArchivingServer) -> None:
    """Where preflight was not told that the repository is elsewhere, pgbackrest itself refuses."""
    shop.steps("preflight", "maintenance_window")
    answer = shop.step("backup", engine=archiving.engine(backup_command=[]))
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "backup_engine_unusable"), answer["msg"]
    assert "is on another host" in answer["msg"]
    assert "pgbackrest_backup_command" in answer["msg"]
    assert not list(shop.backups.glob("*/*"))
    shop.conclude("refused")
