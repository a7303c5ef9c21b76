# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger: schema ``runbook`` of the target database, which holds runs, receipts and catalogs.

Every function takes a cursor, so that a receipt can be written in the same transaction as the change it is
about. Nothing here commits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from ..digests import canonical_json, digest_of
from ..errors import Refused
from ..postgres.answers import has_relation, one_row
from ..shapes import Catalog, Cursor, Identity, Json, Receipt
from .receipts import FIRST_PREVIOUS, make_receipt
from .upgrade import upgrade

__all__ = [
    "NEWEST_FIRST",
    "RUN_LOCK",
    "Ledger",
    "utc_text",
]

# Key of the session-level advisory lock "a step of a run is at work in this database"; PostgreSQL keeps
# advisory locks apart by database (manual, section "Advisory Locks"). The number spells "runbook" in ASCII.
RUN_LOCK = 0x72756E626F6F6B

# A run that is not heard of for so long no longer holds the database.
LEASE_MINUTES = 15

UTC_TEXT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def utc_text(cursor: Cursor) -> str:
    """The server's clock as ISO 8601 text in UTC, not the time at which the transaction began."""
    cursor.execute("SELECT " + UTC_TEXT.format("clock_timestamp()"))
    return one_row(cursor)[0]


def _receipt(document: str, digest: str) -> Receipt:
    return cast("Receipt", {**json.loads(document), "digest": digest})


#: In the order of the chain, which no clock turns round that is put right; runs without a receipt come last.
NEWEST_FIRST = (
    "(SELECT max(r.position) FROM runbook.receipt r WHERE r.run_id = n.run_id) DESC NULLS LAST,"
    " n.started DESC, n.run_id DESC"
)


class Ledger:
    """Runs and receipts in the database of the cursor that each method is given."""

    def exists(self, cursor: Cursor) -> bool:
        return has_relation(cursor, "runbook.receipt")

    def create(self, cursor: Cursor) -> bool:
        """Create the ledger where there is none, or bring it to the newest layout; returns whether it was created."""
        created = not self.exists(cursor)
        upgrade(cursor)
        return created

    # Runs ----------------------------------------------------------------------------------------------

    def unfinished_run(self, cursor: Cursor) -> Json | None:
        """The run that holds the database, or None.

        Returns:
            dict: run_id, playbook, migrations, operator, controller, started (text), lease_expired (bool).
        """
        if not self.exists(cursor):
            return None
        cursor.execute(
            "SELECT run_id, playbook, migrations, operator, controller, "
            + UTC_TEXT.format("started")
            + ", lease_until < clock_timestamp() FROM runbook.run WHERE finished IS NULL"
            " ORDER BY started DESC LIMIT 1"
        )
        row = cursor.fetchone()
        names = ("run_id", "playbook", "migrations", "operator", "controller", "started", "lease_expired")
        return dict(zip(names, row)) if row else None

    def unfinished_run_id(self, cursor: Cursor) -> str | None:
        run = self.unfinished_run(cursor)
        return run["run_id"] if run else None

    def session_at_work(self, cursor: Cursor) -> Json | None:
        """The other session that holds the lock of a step at work, or None.

        Returns:
            dict: pid, user, since (UTC text).
        """
        cursor.execute(
            "SELECT a.pid, a.usename::text, to_char(a.backend_start AT TIME ZONE 'UTC',"
            " 'YYYY-MM-DD HH24:MI:SS \"UTC\"')"
            " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND (l.classid::bigint << 32) + l.objid::bigint = %s AND l.database ="
            " (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
            " AND a.pid <> pg_catalog.pg_backend_pid()",
            (RUN_LOCK,),
        )
        row = cursor.fetchone()
        return dict(zip(("pid", "user", "since"), row)) if row else None

    def open_run(
        self,
        cursor: Cursor,
        run_id: str,
        playbook: str,
        migrations: Sequence[str],
        operator: str,
        controller: Json,
    ) -> None:
        cursor.execute(
            "INSERT INTO runbook.run (run_id, playbook, migrations, operator, controller, lease_until)"
            " VALUES (%s, %s, %s, %s, %s, clock_timestamp() + %s * interval '1 minute')",
            (run_id, playbook, list(migrations), operator, canonical_json(controller), LEASE_MINUTES),
        )

    def run(self, cursor: Cursor, run_id: str) -> Json | None:
        """One run as dict (run_id, playbook, migrations, operator, finished (bool), outcome, reason), or None."""
        if not self.exists(cursor):
            return None
        cursor.execute(
            "SELECT run_id, playbook, migrations, operator, finished IS NOT NULL, outcome, reason FROM"
            " runbook.run WHERE run_id = %s",
            (run_id,),
        )
        row = cursor.fetchone()
        names = ("run_id", "playbook", "migrations", "operator", "finished", "outcome", "reason")
        return dict(zip(names, row)) if row else None

    def last_run(self, cursor: Cursor) -> Json | None:
        """The newest run as dict, or None."""
        if not self.exists(cursor):
            return None
        cursor.execute(
            "SELECT run_id, playbook, migrations, operator, "
            + UTC_TEXT.format("started")
            + ", "
            + UTC_TEXT.format("finished")
            + f", outcome, reason FROM runbook.run AS n ORDER BY {NEWEST_FIRST} LIMIT 1"
        )
        row = cursor.fetchone()
        names = ("run_id", "playbook", "migrations", "operator", "started", "finished", "outcome", "reason")
        return dict(zip(names, row)) if row else None

    def extend_lease(self, cursor: Cursor, run_id: str) -> None:
        cursor.execute(
            "UPDATE runbook.run SET lease_until = clock_timestamp() + %s * interval '1 minute'"
            " WHERE run_id = %s AND finished IS NULL",
            (LEASE_MINUTES, run_id),
        )

    def finish_run(
        self, cursor: Cursor, run_id: str, outcome: str, reason: str, record_sha256: str = ""
    ) -> bool:
        """Close a run; returns whether it was open."""
        cursor.execute(
            "UPDATE runbook.run SET finished = clock_timestamp(), outcome = %s, reason = %s,"
            " record_sha256 = NULLIF(%s, '') WHERE run_id = %s AND finished IS NULL",
            (outcome, reason, record_sha256, run_id),
        )
        return cursor.rowcount == 1

    # Receipts ------------------------------------------------------------------------------------------

    def receipts(self, cursor: Cursor, run_id: str | None = None) -> list[Receipt]:
        """Receipts, oldest first: those of one run, or the whole chain."""
        if not self.exists(cursor):
            return []
        if run_id is None:
            cursor.execute("SELECT document, digest FROM runbook.receipt ORDER BY position")
        else:
            cursor.execute(
                "SELECT document, digest FROM runbook.receipt WHERE run_id = %s ORDER BY position", (run_id,)
            )
        return [_receipt(document, digest) for document, digest in cursor.fetchall()]

    def newest_position(self, cursor: Cursor) -> int:
        """Number of the newest receipt, 0 for none: it grows with each that is committed."""
        if not self.exists(cursor):
            return 0
        cursor.execute("SELECT coalesce(max(position), 0) FROM runbook.receipt")
        return one_row(cursor)[0]

    def chain_is_broken(self, cursor: Cursor, run_id: str) -> bool:
        """Whether a receipt of the run does not name the digest of the one before it in the ledger."""
        cursor.execute(
            "SELECT EXISTS (SELECT FROM runbook.receipt r LEFT JOIN runbook.receipt p ON p.position = r.position - 1"
            " WHERE r.run_id = %s AND r.document::json ->> 'previous' <> coalesce(p.digest, %s))",
            (run_id, FIRST_PREVIOUS),
        )
        return one_row(cursor)[0]

    def keep_signatures(self, cursor: Cursor, run_id: str, signed: Mapping[str, str]) -> None:
        """Write the controller's signatures (digest -> signature) beside the receipts of a run."""
        cursor.execute(
            "UPDATE runbook.receipt r SET signature = s.signature"
            " FROM unnest(%s::text[], %s::text[]) AS s(digest, signature)"
            " WHERE r.run_id = %s AND r.digest = s.digest AND r.signature IS DISTINCT FROM s.signature",
            (list(signed), list(signed.values()), run_id),
        )

    def signatures(self, cursor: Cursor) -> list[Json]:
        """position, run_id, step, digest, signature and ended of every receipt, oldest first."""
        if not has_relation(cursor, "runbook.chain_end"):
            return []
        cursor.execute(
            "SELECT r.position, r.run_id, r.step, r.digest, r.signature, n.finished IS NOT NULL"
            " FROM runbook.receipt r LEFT JOIN runbook.run n USING (run_id) ORDER BY r.position"
        )
        names = ("position", "run_id", "step", "digest", "signature", "ended")
        return [dict(zip(names, row)) for row in cursor.fetchall()]

    def runs(self, cursor: Cursor) -> dict[str, Json]:
        """run_id -> record_sha256, outcome, receipts (digests): the controller compares its artifacts with them."""
        runs: dict[str, Json] = {}
        for one in self.signatures(cursor):
            run = runs.setdefault(one["run_id"], {"record_sha256": None, "outcome": None, "receipts": []})
            run["receipts"].append(one["digest"])
        if runs:
            cursor.execute(
                "SELECT run_id, record_sha256, outcome FROM runbook.run WHERE record_sha256 IS NOT NULL"
            )
            for run_id, digest, outcome in cursor.fetchall():
                run = runs.setdefault(run_id, {"receipts": []})
                run.update(record_sha256=digest, outcome=outcome)
        return runs

    def cut_off(self, cursor: Cursor) -> str | None:
        """What is missing at the end of the chain, as a sentence, or None. Layouts before release 4 do not tell."""
        if not has_relation(cursor, "runbook.chain_end"):
            return None
        cursor.execute(
            "SELECT e.position, coalesce(max(r.position), 0),"
            " coalesce(bool_or(r.position = e.position AND r.digest = e.digest), false)"
            " FROM runbook.chain_end e LEFT JOIN runbook.receipt r ON true GROUP BY e.position"
        )
        row = cursor.fetchone()
        if row is None:
            return self._no_end_known(cursor)
        written, newest, is_whole = row
        if written == newest:
            return None if is_whole else f"receipt {newest}, the last one, is not the one that was written"
        if written > newest:
            return f"receipt {written} was the last one that was written, and the ledger ends with {newest}"
        # Written by runs that did not wait, or by hand.
        return f"receipt {written} was the end of the chain, and those up to {newest} do not follow from it"

    @staticmethod
    def _no_end_known(cursor: Cursor) -> str | None:
        """Each run that has ended had left a receipt, and with the first of them the end of the chain was known."""
        cursor.execute(
            "SELECT EXISTS (SELECT FROM runbook.run WHERE finished IS NOT NULL)"
            " OR EXISTS (SELECT FROM runbook.receipt)"
        )
        return "it is no longer known which receipt was the last one" if one_row(cursor)[0] else None

    def take_as_whole(self, cursor: Cursor) -> None:
        """Let the chain go on from the receipts that there are, whatever was written once."""
        cursor.execute("DELETE FROM runbook.chain_end")
        cursor.execute(
            "INSERT INTO runbook.chain_end (position, digest)"
            " (SELECT position, digest FROM runbook.receipt ORDER BY position DESC LIMIT 1)"
            " UNION ALL SELECT 0, %s WHERE NOT EXISTS (SELECT FROM runbook.receipt)",
            (FIRST_PREVIOUS,),
        )

    def applied_receipt(self, cursor: Cursor, version: str) -> Receipt | None:
        """The receipt of the apply that put ``version`` in place, or None when the ledger does not know."""
        if not self.exists(cursor):
            return None
        cursor.execute(
            "SELECT document, digest, step FROM runbook.receipt r WHERE migration = %s AND status = 'ok'"
            " AND step IN ('apply', 'emergency_rollback', 'adopt')"
            # See receipts.in_force.
            " AND NOT EXISTS (SELECT FROM runbook.receipt s WHERE s.step = 'swap' AND s.status = 'ok'"
            " AND s.position > r.position"
            " AND r.position > (s.document::json #>> '{outputs,receipts_in_backup}')::bigint)"
            " ORDER BY position DESC LIMIT 1",
            (version,),
        )
        row = cursor.fetchone()
        if row is None or row[2] != "apply":
            return None
        return _receipt(row[0], row[1])

    def makers(self, cursor: Cursor, keys: Iterable[str]) -> dict[str, str]:
        """Which deployed migration added which object to the schema.

        Args:
            keys: keys of catalogs.

        Returns:
            dict key -> version, for the keys that a migration in place has added.
        """
        if not self.exists(cursor):
            return {}
        cursor.execute(
            "WITH newest AS (SELECT DISTINCT ON (migration) migration, step, position,"
            " document::json #>> '{outputs,catalog_before}' AS before,"
            " document::json #>> '{outputs,catalog_after}' AS after FROM runbook.receipt WHERE status = 'ok'"
            " AND step IN ('apply', 'emergency_rollback', 'adopt') ORDER BY migration, position DESC)"
            " SELECT key, migration FROM newest JOIN runbook.catalog b ON b.digest = before"
            " JOIN runbook.catalog a ON a.digest = after CROSS JOIN unnest(%s::text[]) AS key"
            " WHERE step = 'apply' AND jsonb_exists(a.catalog, key) AND NOT jsonb_exists(b.catalog, key)"
            " ORDER BY position",
            (list(keys),),
        )
        return dict(cursor.fetchall())

    def append(
        self,
        cursor: Cursor,
        run_id: str,
        step: str,
        status: str,
        started: str,
        identity: Identity,
        migration: str | None = None,
        inputs: Json | None = None,
        outputs: Json | None = None,
    ) -> Receipt:
        """Write one receipt at the end of the chain; returns it with its digest."""
        # Two writers would both take the same predecessor; the table lock makes them queue.
        cursor.execute("LOCK TABLE runbook.receipt IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT position, digest FROM runbook.receipt ORDER BY position DESC LIMIT 1")
        position, previous = cursor.fetchone() or (0, FIRST_PREVIOUS)
        receipt = make_receipt(
            run_id,
            step,
            status,
            started,
            utc_text(cursor),
            identity,
            previous,
            migration=migration,
            inputs=inputs,
            outputs=outputs,
        )
        document = {key: value for key, value in receipt.items() if key != "digest"}
        cursor.execute(
            "INSERT INTO runbook.receipt (position, digest, document) VALUES (%s, %s, %s)",
            (position + 1, receipt["digest"], canonical_json(document)),
        )
        self._move_end(cursor, receipt, position)
        return receipt

    @staticmethod
    def _move_end(cursor: Cursor, receipt: Receipt, position: int) -> None:
        """The chain ends with this receipt; not where it was broken before: that stays to be seen.

        Args:
            position: of the receipt before it, 0 for none.
        """
        cursor.execute(
            "INSERT INTO runbook.chain_end (position, digest) SELECT %s, %s"
            " WHERE EXISTS (SELECT FROM runbook.chain_end)"
            " OR (SELECT count(*) FROM runbook.receipt) = 1 AND (SELECT count(*) FROM runbook.run) <= 1"
            " ON CONFLICT (one) DO UPDATE SET position = excluded.position, digest = excluded.digest"
            " WHERE chain_end.position = %s AND chain_end.digest = %s",
            (position + 1, receipt["digest"], position, receipt["previous"]),
        )

    # Catalogs ------------------------------------------------------------------------------------------

    def keep_catalog(self, cursor: Cursor, catalog: Catalog) -> str:
        """Store a catalog under its digest; returns the digest."""
        digest = digest_of(catalog)
        cursor.execute(
            "INSERT INTO runbook.catalog VALUES (%s, %s) ON CONFLICT (digest) DO NOTHING",
            (digest, canonical_json(catalog)),
        )
        return digest

    def catalog(self, cursor: Cursor, digest: str) -> Catalog:
        """The catalog with that digest.

        Raises:
            Refused: when the ledger has lost it or it was changed.
        """
        cursor.execute("SELECT catalog FROM runbook.catalog WHERE digest = %s", (digest,))
        row = cursor.fetchone()
        if row is None or digest_of(row[0]) != digest:
            raise Refused(
                "ledger_damaged",
                f"The ledger no longer holds the recorded schema {digest[:12]} unchanged. Start a new run, and find"
                " out who writes to schema runbook.",
            )
        return row[0]
