# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Encrypted backups, by the real programs: no row lies readable, and what cannot be decrypted is no backup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.backup.encryption import Encryption
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import (
    BackupFiles,
    remove_unencrypted,
)
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import back_up
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed

from demo.local_server import LocalServer
from tests.integration.backup.proving import restore_and_compare
from tests.integration.encryption_keys import METHODS, age_key, keys, needs_programs
from tests.integration.step_runs import target

pytestmark = needs_programs

WORD = "Rumpelstilzchen"


@pytest.fixture(params=METHODS)
def options(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    with keys(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def filled(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE secret (id serial PRIMARY KEY, word text);"
            f" INSERT INTO secret (word) SELECT '{WORD}' FROM generate_series(1, 500)"
        )
    connection.commit()
    return connection


@pytest.fixture
def copy(server: LocalServer, database: str) -> Iterator[CopyDatabase]:
    made = CopyDatabase(target(server, database), f"encryption-test-{database}")
    yield made
    made.drop()


def make(server: LocalServer, database: str, connection: Any, files: BackupFiles) -> tuple[Any, str]:
    manifest = back_up(connection, target(server, database), files, bindir=server.bindir)
    return manifest, files.write_manifest(manifest)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_it_is_proven_by_decrypting_and_restoring_it(
    server: LocalServer, database: str, filled: Any, copy: CopyDatabase, tmp_path: Path, options: Any
) -> None:
    files = BackupFiles(str(tmp_path / "backups"), "run-1", encryption=Encryption(**options))
    _, digest = make(server, database, filled, files)
    names = {path.name for path in Path(files.dump).iterdir()}
    assert names
    assert all(name.endswith(f".{options['method']}") for name in names)
    proof = restore_and_compare(files, files.read_manifest(digest), copy, bindir=server.bindir)
    assert (proof["data_equal"], proof["rows"]) == (True, 500)
    assert not Path(files.plain).exists()
    found = [path for path in Path(files.folder).rglob("*") if path.stat().st_mode & 0o077]
    assert found == [], "readable by their owner only"


def test_no_row_lies_readable(
    server: LocalServer, database: str, filled: Any, tmp_path: Path, options: Any
) -> None:
    plain = BackupFiles(str(tmp_path / "plain"), "run-1")
    # Of pg_dump's own accord the files are compressed, so that a word is not found anyway.
    assert plain.encryption.method == "none"
    make(server, database, filled, plain)
    toc = everything_in(Path(plain.dump))
    assert b"secret" in toc, "what is looked for can be found"
    files = BackupFiles(str(tmp_path / "backups"), "run-1", encryption=Encryption(**options))
    make(server, database, filled, files)
    encrypted = everything_in(Path(files.dump))
    assert b"secret" not in encrypted
    assert WORD.encode() not in encrypted


def test_what_a_method_of_earlier_made_is_read_as_it_is(
    server: LocalServer, database: str, filled: Any, copy: CopyDatabase, tmp_path: Path, options: Any
) -> None:
    """The manifest says how its files are encrypted, whatever the variable says by now."""
    files = BackupFiles(str(tmp_path / "backups"), "run-1", encryption=Encryption(**options))
    _, digest = make(server, database, filled, files)
    today = Encryption("none", options["recipients"], options["identity"])
    later = BackupFiles(str(tmp_path / "backups"), "run-1", encryption=today)
    assert restore_and_compare(later, later.read_manifest(digest), copy, bindir=server.bindir)["rows"] == 500


def test_one_that_cannot_be_decrypted_is_not_proven(
    server: LocalServer, database: str, filled: Any, copy: CopyDatabase, tmp_path: Path
) -> None:
    ours, other = age_key(tmp_path), age_key(tmp_path, "other.txt")
    files = BackupFiles(str(tmp_path / "backups"), "run-1", encryption=Encryption(**ours))
    manifest, _ = make(server, database, filled, files)
    for identity in (other["identity"], "", str(tmp_path / "nowhere")):
        lost = BackupFiles(
            str(tmp_path / "backups"), "run-1", encryption=Encryption(**{**ours, "identity": identity})
        )
        with pytest.raises(StepFailed) as failed:
            restore_and_compare(lost, manifest, copy, bindir=server.bindir)
        assert failed.value.code == "backup_encryption_unusable"
        assert not Path(lost.plain).exists()
        copy.drop()


def test_a_dump_that_fails_leaves_nothing_unencrypted(
    server: LocalServer, database: str, filled: Any, tmp_path: Path
) -> None:
    options = {**age_key(tmp_path), "recipients": ["nobody's key"]}
    files = BackupFiles(str(tmp_path / "backups"), "run-1", encryption=Encryption(**options))
    with pytest.raises(StepFailed) as failed:
        make(server, database, filled, files)
    assert failed.value.code == "backup_encryption_unusable"
    assert "could not encrypt" in failed.value.reason
    assert not Path(files.folder).exists()


def test_what_a_killed_step_left_is_removed(tmp_path: Path) -> None:
    backups = str(tmp_path / "backups")
    files = [BackupFiles(backups, "killed", name) for name in ("backup", "emergency_backup")]
    kept = BackupFiles(backups, "other")
    for each in (*files, kept):
        Path(each.plain).mkdir(parents=True)
        Path(each.dump).mkdir()
    remove_unencrypted(backups, ["killed"])
    assert [Path(each.plain).exists() for each in (*files, kept)] == [False, False, True]
    assert all(Path(each.dump).exists() for each in files)


def test_the_words_are_encrypted_and_decrypted_before_there_is_a_backup(options: Any) -> None:
    Encryption(**options).check()
    Encryption().check()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipients": []}, "backup_recipients is empty"),
        ({"recipients": ["age1nonsense"]}, "age could not encrypt"),
        ({"identity": ""}, "backup_identity is empty"),
        ({"identity": "/nowhere/key.txt"}, "age could not decrypt"),
    ],
)
def test_what_cannot_work_is_refused_before(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused) as refused:
        Encryption(**{**age_key(tmp_path), **change}).check()
    assert refused.value.code == "backup_encryption_unusable"
    assert words in refused.value.reason
    assert "Nothing was changed." in refused.value.reason


def test_a_program_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = age_key(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="The program age was not found on PATH"):
        Encryption(**options).check()
