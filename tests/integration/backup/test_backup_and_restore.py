# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backup and its proof: made under load, and damage of any kind is found."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import back_up
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import content_fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.content.workers import content_of_snapshot
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, RunbookError, StepFailed

from demo.local_server import LocalServer
from tests.integration.backup.proving import restore_and_compare
from tests.integration.step_runs import target

SCHEMA = """
    CREATE TABLE account (id bigserial PRIMARY KEY, name text, balance numeric NOT NULL DEFAULT 0);
    CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account bigint REFERENCES account, n int);
    INSERT INTO account (name, balance) SELECT chr(96 + i % 26) || i, i / 7.0 FROM generate_series(1, 2000) i;
    INSERT INTO entry (account, n) SELECT id, 1 FROM account;
    CREATE MATERIALIZED VIEW total AS SELECT count(*) FROM entry;
"""


@pytest.fixture
def filled(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
    connection.commit()
    return connection


@pytest.fixture
def files(tmp_path: Path) -> Any:
    return BackupFiles(str(tmp_path / "backups"), "run-1")


@pytest.fixture
def copy(server: LocalServer, database: str) -> Iterator[Any]:
    made = CopyDatabase(target(server, database), f"backup-test-{database}")
    yield made
    made.drop()


def make(server: LocalServer, database: str, connection: Any, files: Any, **options: Any) -> Any:
    return back_up(connection, target(server, database), files, bindir=server.bindir, **options)


def test_a_sound_backup_is_proven(
    server: LocalServer, database: str, filled: Any, files: Any, copy: Any
) -> None:
    manifest = make(server, database, filled, files)
    digest = files.write_manifest(manifest)
    proof = restore_and_compare(files, files.read_manifest(digest), copy, bindir=server.bindir)
    assert (proof["schema_equal"], proof["data_equal"]) == (True, True)
    assert proof["rows"] == 4001, "both tables and the materialized view"
    assert filled.info.transaction_status == 0, "no transaction is left open"
    with filled.cursor() as cursor:
        cursor.execute("CREATE TABLE writes_again ()")


def test_a_backup_under_a_writing_load_is_proven(
    server: LocalServer, database: str, filled: Any, files: Any, copy: Any
) -> None:
    stop, written = threading.Event(), []

    def write() -> None:
        with contextlib.closing(server.connect(database)) as own:
            own.autocommit = True
            with own.cursor() as cursor:
                while not stop.is_set():
                    cursor.execute("INSERT INTO account (name) VALUES ('new') RETURNING id")
                    cursor.execute("INSERT INTO entry (account, n) VALUES (%s, 2)", (cursor.fetchone()[0],))
                    cursor.execute("UPDATE account SET balance = balance + 1 WHERE id = 98")
                    cursor.execute("DELETE FROM entry WHERE id = (SELECT min(id) FROM entry)")
                    written.append(1)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        while len(written) < 20:
            time.sleep(0.01)
        begun = len(written)
        manifest = make(server, database, filled, files)
        during = len(written) - begun
        proof = restore_and_compare(files, manifest, copy, bindir=server.bindir)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert during > 5, "the application wrote while the backup was made"
    assert proof["data_equal"]


def test_a_stale_materialized_view_is_no_difference(
    server: LocalServer, database: str, filled: Any, files: Any, copy: Any
) -> None:
    """A dump does not hold its rows; pg_restore refreshes it."""
    with filled.cursor() as cursor:
        cursor.execute("DELETE FROM entry WHERE id < 10")
    filled.commit()
    manifest = make(server, database, filled, files)
    assert restore_and_compare(files, manifest, copy, bindir=server.bindir)["data_equal"]


def test_a_bit_flipped_in_any_file_is_found(
    server: LocalServer, database: str, filled: Any, files: Any
) -> None:
    digest = files.write_manifest(make(server, database, filled, files))
    paths = sorted(Path(files.dump).iterdir())
    assert len(paths) >= 3
    for path in paths:
        sound = path.read_bytes()
        for place in (0, len(sound) // 2, len(sound) - 1):
            damaged = bytearray(sound)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(StepFailed, match=rf"damaged after it was made: .*/{path.name} is changed"):
                files.read_manifest(digest)
        path.write_bytes(sound)
    files.read_manifest(digest)


def test_a_missing_and_a_new_file_are_found(
    server: LocalServer, database: str, filled: Any, files: Any
) -> None:
    digest = files.write_manifest(make(server, database, filled, files))
    added = Path(files.dump, "9999.dat.gz")
    added.write_bytes(b"")
    with pytest.raises(StepFailed, match=r"9999\.dat\.gz is new"):
        files.read_manifest(digest)
    added.rename(Path(files.dump, "toc.dat"))
    with pytest.raises(StepFailed, match=r"toc\.dat is changed"):
        files.read_manifest(digest)
    Path(files.dump, "toc.dat").unlink()
    with pytest.raises(StepFailed, match=r"toc\.dat is missing"):
        files.read_manifest(digest)


def test_a_changed_manifest_is_found(server: LocalServer, database: str, filled: Any, files: Any) -> None:
    manifest = make(server, database, filled, files)
    digest = files.write_manifest(manifest)
    manifest["content"]["tables"]["public.account"]["rows"] = 1
    files.write_manifest(manifest)
    with pytest.raises(StepFailed, match="was changed after it was written"):
        files.read_manifest(digest)
    Path(files.manifest_path).unlink()
    with pytest.raises(StepFailed, match=r"manifest .* cannot be read"):
        files.read_manifest(digest)


def test_a_run_makes_one_backup(server: LocalServer, database: str, filled: Any, files: Any) -> None:
    make(server, database, filled, files)
    with pytest.raises(Refused, match="has already made its backup"):
        make(server, database, filled, files)


# What the manifest promises and the copy has ---------------------------------------------------------------


def falsified(manifest: Any, change: Any) -> Any:
    changed = json.loads(json.dumps(manifest))
    change(changed)
    return changed


def test_a_copy_with_one_other_value_is_found(
    server: LocalServer, database: str, filled: Any, files: Any, copy: Any
) -> None:
    """The value changes after the snapshot of the fingerprint and before a dump of its own snapshot."""
    manifest = make(server, database, filled, files)
    with filled.cursor() as cursor:
        cursor.execute("UPDATE account SET name = name || ' ' WHERE id = 1234")
    filled.commit()
    later = BackupFiles(str(Path(files.folder).parents[1]), "run-2")
    make(server, database, filled, later)
    with pytest.raises(
        StepFailed,
        match=r"rows of the restored backup are not those of production: public\.account: as many rows",
    ):
        restore_and_compare(later, manifest, copy, bindir=server.bindir)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "DELETE FROM entry WHERE id = 77",
            r"rows of the restored backup are not those of production: public\.entry: 1 rows fewer",
        ),
        (
            "UPDATE account SET name = NULL WHERE id = 5",
            r"rows of the restored backup are not those of production: public\.account",
        ),
        (
            "REFRESH MATERIALIZED VIEW total WITH NO DATA",
            r"rows of the restored backup are not those of production: public\.total: populated",
        ),
        (
            "ALTER TABLE account ALTER name SET DEFAULT ''",
            r"schema of the restored backup is not that of production: .*public\.account\.name",
        ),
        (
            "CREATE INDEX extra ON account (name)",
            r"schema of the restored backup is not that of production: .*public\.extra",
        ),
        (
            "COMMENT ON TABLE entry IS 'x'",
            r"schema of the restored backup is not that of production: .*public\.entry",
        ),
        (
            "SELECT setval('account_id_seq', 9000)",
            r"Sequence public\.account_id_seq stands at 9001 in the restored backup",
        ),
        (
            "SELECT lo_from_bytea(0, 'x')",
            r"rows of the restored backup are not those of production: large objects",
        ),
    ],
)
def test_every_kind_of_difference_is_found(
    server: LocalServer, database: str, filled: Any, files: Any, copy: Any, statement: str, reason: str
) -> None:
    manifest = make(server, database, filled, files)
    with filled.cursor() as cursor:
        cursor.execute(statement)
    filled.commit()
    later = BackupFiles(str(Path(files.folder).parents[1]), "run-2")
    make(server, database, filled, later)
    with pytest.raises(StepFailed, match=reason):
        restore_and_compare(later, manifest, copy, bindir=server.bindir)


def test_a_dump_that_cannot_be_restored_is_found(
    server: LocalServer, database: str, filled: Any, files: Any, copy: Any
) -> None:
    manifest = make(server, database, filled, files)
    data = max(Path(files.dump).glob("*.dat*"), key=lambda path: path.stat().st_size)
    data.write_bytes(data.read_bytes()[:200])
    with pytest.raises(StepFailed, match="pg_restore failed with exit status 1"):
        restore_and_compare(files, manifest, copy, bindir=server.bindir)


# Rights and locks ------------------------------------------------------------------------------------------


def test_row_security_never_hides_rows_from_a_backup(
    server: LocalServer, database: str, filled: Any, files: Any
) -> None:
    """A role that sees only some rows gets an error, and never a backup of the rows it sees."""
    with filled.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS clerk")
        cursor.execute("CREATE ROLE clerk LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk")
        cursor.execute("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO clerk")
        cursor.execute(
            "ALTER TABLE account ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON account USING (id < 10)"
        )
    filled.commit()
    options = {**target(server, database), "login_user": "clerk"}
    try:
        with (
            contextlib.closing(
                psycopg2.connect(host=server.host, port=server.port, user="clerk", dbname=database)
            ) as own,
            pytest.raises((psycopg2.Error, StepFailed), match=r"row-level security|row security"),
        ):
            back_up(own, options, files, bindir=server.bindir)
    finally:
        with filled.cursor() as cursor:
            cursor.execute("DROP OWNED BY clerk; DROP ROLE clerk")
        filled.commit()


def test_a_table_that_is_being_changed_ends_the_backup_soon_and_says_so(
    server: LocalServer, database: str, filled: Any, files: Any
) -> None:
    with contextlib.closing(server.connect(database)) as other, other.cursor() as cursor:
        cursor.execute("ALTER TABLE entry ADD COLUMN later int")
        with pytest.raises(StepFailed, match=r"waited 0\.3 s for a table that another session holds"):
            make(server, database, filled, files, lock_timeout_seconds=0.3)
    assert filled.info.transaction_status == 0


def test_a_table_cannot_be_rewritten_while_the_backup_is_made(
    server: LocalServer, database: str, filled: Any, files: Any, copy: Any
) -> None:
    """A rewrite between export and dump would give a dump without rows and no error."""
    results = []

    def rewrite() -> None:
        with contextlib.closing(server.connect(database)) as own, own.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
            own.commit()
            while not results:
                try:
                    cursor.execute("ALTER TABLE entry ALTER n TYPE bigint USING n + 0")
                    cursor.execute("ALTER TABLE entry ALTER n TYPE int USING n + 0")
                    own.commit()
                except Exception:
                    own.rollback()

    thread = threading.Thread(target=rewrite)
    thread.start()
    try:
        # More jobs would make pg_dump's workers give up, loudly, when they meet the waiting ALTER TABLE.
        manifest = make(server, database, filled, files, jobs=1)
    finally:
        results.append("done")
        thread.join()
    assert restore_and_compare(files, manifest, copy, bindir=server.bindir)["rows"] == 4001


class FilesWithVisitor(BackupFiles):
    """Backup files; another session does something between the export of the snapshot and the dump."""

    visit = staticmethod(lambda: None)

    def make_dump(self, *arguments: Any) -> Any:
        self.visit()
        return super().make_dump(*arguments)


def test_between_snapshot_and_dump_no_table_can_be_rewritten(
    server: LocalServer, database: str, filled: Any, tmp_path: Path, copy: Any
) -> None:
    files = FilesWithVisitor(str(tmp_path / "backups"), "run-1")
    refused = []

    def rewrite() -> None:
        with contextlib.closing(server.connect(database)) as own, own.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute("ALTER TABLE entry ALTER n TYPE bigint")
            refused.append(True)

    files.visit = rewrite
    manifest = make(server, database, filled, files)
    assert refused
    assert restore_and_compare(files, manifest, copy, bindir=server.bindir)["rows"] == 4001


def test_without_a_lock_pg_dump_would_write_a_rewritten_table_empty_and_report_success(
    server: LocalServer, database: str, filled: Any
) -> None:
    """What the locks are for: an older snapshot sees no row of the table's new file."""
    filled.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with filled.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        with contextlib.closing(server.connect(database)) as own, own.cursor() as other:
            other.execute("ALTER TABLE entry ALTER n TYPE bigint")
            own.commit()
        dump = subprocess.run(
            [
                str(Path(server.bindir, "pg_dump")),
                *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"),
                *("--data-only", "--inserts", "--table=entry", f"--snapshot={snapshot}", database),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert dump.count("INSERT INTO") == 0


def test_a_sequence_used_between_snapshot_and_dump_is_no_difference(
    server: LocalServer, database: str, filled: Any, tmp_path: Path, copy: Any
) -> None:
    """Sequences are not transactional: the dump has the later value, whatever its snapshot."""
    files = FilesWithVisitor(str(tmp_path / "backups"), "run-1")

    def use() -> None:
        with contextlib.closing(server.connect(database)) as own, own.cursor() as cursor:
            cursor.execute("SELECT nextval('account_id_seq') FROM generate_series(1, 5)")
            own.commit()

    files.visit = use
    manifest = make(server, database, filled, files)
    before, after = (
        sequences["public.account_id_seq"]
        for sequences in (manifest["content"]["sequences"], manifest["sequences_after"])
    )
    assert before != after
    assert restore_and_compare(files, manifest, copy, bindir=server.bindir)["data_equal"]
    with contextlib.closing(copy.connect()) as restored, restored.cursor() as cursor:
        cursor.execute("SELECT last_value FROM public.account_id_seq")
        assert cursor.fetchone() == (2005,)


def test_tables_of_every_name_are_backed_up(
    server: LocalServer, database: str, connection: Any, files: Any, copy: Any
) -> None:
    with connection.cursor() as cursor:
        cursor.execute('CREATE SCHEMA "Odd; Schema"; CREATE TABLE "Odd; Schema"."t""a,b" ("c d" int)')
        cursor.execute('INSERT INTO "Odd; Schema"."t""a,b" VALUES (1)')
        cursor.execute("CREATE TABLE parent (a int) PARTITION BY LIST (a)")
        cursor.execute(
            "CREATE TABLE child PARTITION OF parent FOR VALUES IN (1); INSERT INTO parent VALUES (1)"
        )
        cursor.execute("CREATE UNLOGGED TABLE fast (a int); INSERT INTO fast VALUES (7)")
    connection.commit()
    manifest = make(server, database, connection, files)
    assert restore_and_compare(files, manifest, copy, bindir=server.bindir)["rows"] == 3


def test_a_backup_that_fails_leaves_nothing_behind(
    server: LocalServer, database: str, filled: Any, files: Any
) -> None:
    with pytest.raises(RunbookError, match="there is no such database"):
        back_up(
            filled,
            {**target(server, database), "login_db": "there is no such database"},
            files,
            bindir=server.bindir,
        )
    assert not Path(files.folder).exists()


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_that_share_a_snapshot_see_what_it_saw(
    server: LocalServer, database: str, filled: Any, workers: int
) -> None:
    with contextlib.closing(server.connect(database)) as holder, holder.cursor() as cursor:
        holder.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        expected = content_fingerprint(cursor)
        with filled.cursor() as writer:
            writer.execute("UPDATE account SET balance = balance + 1 WHERE id = 7")
        filled.commit()
        found = content_of_snapshot(cursor, target(server, database), snapshot, workers)
    assert found == expected
    with contextlib.closing(server.connect(database)) as later, later.cursor() as cursor:
        assert content_fingerprint(cursor)["tables"] != expected["tables"]
