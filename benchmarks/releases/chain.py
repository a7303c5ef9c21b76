# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The main chain with whole playbooks: migrations of a shop are deployed, rolled back, deployed again; a restore."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement
from demo.local_server import SUPERUSER, LocalServer
from tests.integration.stories.application import Application, Run

__all__ = [
    "BEFORE_THE_RESTORE",
    "CUSTOMERS",
    "DATABASE",
    "DEPLOYER",
    "ON_THE_NEW_SCHEMA",
    "ON_THE_OLD_SCHEMA",
    "ROLES",
    "SHOP",
    "ShopChain",
]

SHOP = Path(__file__).resolve().parent / "shop"
DATABASE = "shop"
OWNER, DEPLOYER = "shop_owner", "shop_deployer"
#: Whom the server has to let in over its socket.
ROLES = (SUPERUSER, OWNER, DEPLOYER)

RECORDED = """
    CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz DEFAULT now());
    INSERT INTO schema_migrations VALUES ('001');
    INSERT INTO customer (name, mail) VALUES ('Ada', 'ADA@example.org'), ('Grace', NULL);
    INSERT INTO purchase (customer_id, bought, amount) VALUES (1, '2025-12-31', 12.50), (2, '2026-02-01', 3);
"""
# What only the new schema can hold, and what both can.
ON_THE_NEW_SCHEMA = """
    UPDATE customer SET points = 7 WHERE id = 1;
    INSERT INTO customer (name, email, points) VALUES ('Barbara', ' B@example.org ', 3);
    INSERT INTO reward (customer_id, words) VALUES (1, 'thank you'), (2, 'welcome back'), (3, 'öäü "quoted"');
    INSERT INTO purchase (customer_id, bought, state, amount) VALUES (3, '2027-03-01', 'paid', 99.99);
"""
ON_THE_OLD_SCHEMA = "INSERT INTO customer (name) VALUES ('Edsger')"
BEFORE_THE_RESTORE = "INSERT INTO customer (name) VALUES ('Margaret')"

CUSTOMERS = "SELECT name FROM customer ORDER BY id"
NOTHING_WAITS = "no rollback has kept rows that have not gone back"

ROWS = {
    "customers": "SELECT id, name, email, points FROM customer WHERE name <> 'Edsger' ORDER BY id",
    "rewards": "SELECT id, customer_id, given, words, length FROM reward ORDER BY id",
    "purchases": "SELECT id, customer_id, bought, state, amount FROM purchase ORDER BY id",
    "turnover": "SELECT customer_id, amount, purchases FROM turnover ORDER BY 1",
}


class Unexpected(Exception):
    """A command that ended in another way than it should, or left other rows."""


@dataclass
class ShopChain:
    """One database ``shop`` on a server of its own.

    Args:
        server: with no other database of that name, that lets in ROLES.
        folder: for inventory, artifacts and backups.
        by_superuser: whether the superuser deploys, or the role that playbooks/bootstrap_roles.yml makes.
    """

    server: LocalServer
    folder: Path
    by_superuser: bool
    _source: str = field(default="", init=False)
    _before: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict, init=False)

    def measure(self, what: str) -> Measurement:
        """Type the commands until one ends otherwise than it should; a row of the table."""
        commands = self._commands()
        done = 0
        notes = []
        self.prepare()
        for name, command in commands.items():
            try:
                command()
            except Unexpected as error:
                notes.append(f"{name}: {error}")
                break
            done += 1
        self._drop()
        return Measurement(what, len(commands), done, len(commands), notes=notes)

    def _commands(self) -> dict[str, Callable[[], None]]:
        first = {} if self.by_superuser else {"bootstrap_roles": self._make_role_twice}
        return {
            **first,
            "deploy": self._deploy,
            "emergency rollback": self._roll_back,
            "second deploy": self._deploy_again,
            "salvage": self._look_at_salvage,
            "restore": self._restore,
            "status": self._status,
        }

    def make_role(self) -> Run:
        """The deploy role, by playbooks/bootstrap_roles.yml.

        Raises:
            Unexpected: it fails, or makes a superuser.
        """
        run = self._application.run("playbooks/bootstrap_roles.yml")
        _expect(run)
        facts = self.execute(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{DEPLOYER}'")
        if facts != [(False,)]:
            raise Unexpected(f"the role is a superuser, or is not there: {facts}")
        return run

    def _make_role_twice(self) -> None:
        self.make_role()
        run = self.make_role()
        if "changed=0" not in run.output:
            raise Unexpected(f"the second time it changes something: {run.output}")

    def _deploy(self) -> None:
        _expect(self._application.deploy("pending"), "deployed")
        self.execute(ON_THE_NEW_SCHEMA)
        self._before = self.rows()

    def _roll_back(self) -> None:
        run = self._application.run("emergency_rollback.yml", "-e", "migration=002", "-e", "cascade=true")
        _expect(run, "rolled_back")
        kept = {item["table"] for item in run.record["salvage"]}
        wanted = {"public.customer", "public.reward", "public.purchase"}
        if not wanted <= kept:
            raise Unexpected(f"of {sorted(wanted)} it kept rows of {sorted(kept)} only")
        self.execute(ON_THE_OLD_SCHEMA)

    def _deploy_again(self) -> None:
        run = self._application.deploy("pending")
        _expect(run, "deployed")
        self._source = run.record["run_id"]
        held_back = [item for item in run.record["salvage_returned"] if item["held_back"]]
        if held_back:
            raise Unexpected(f"rows wait that nothing stands in the way of: {held_back}")
        self._compare(self._before)

    def _look_at_salvage(self) -> None:
        run = self._application.run("playbooks/salvage.yml")
        _expect(run)
        if NOTHING_WAITS not in run.output:
            raise Unexpected(f"it does not say that nothing waits: {run.output}")

    def _restore(self) -> None:
        self.execute(BEFORE_THE_RESTORE)
        run = self._application.run(
            "playbooks/restore.yml", "-e", f"run_id={self._source}", "-e", "carry_over=true"
        )
        _expect(run, "restored")
        names = self.execute(CUSTOMERS)
        if names != [("Ada",), ("Grace",), ("Barbara",), ("Edsger",), ("Margaret",)]:
            raise Unexpected(f"afterwards there are the customers {names}")

    def _status(self) -> None:
        run = self._application.run("playbooks/status.yml")
        _expect(run)
        if "the chain is whole" not in run.output:
            raise Unexpected(f"the chain of receipts is broken: {run.output}")

    @property
    def _application(self) -> Application:
        role = {} if self.by_superuser else {"db_user": DEPLOYER}
        variables = {**role, "bootstrap_roles_admin": self.server.user, "bootstrap_roles_owners": [OWNER]}
        return Application(self.server, self.folder, SHOP, [DATABASE], variables)

    def prepare(self) -> None:
        """The database as its owner left it: 001 in place, and rows in it."""
        self.execute(f"CREATE ROLE {OWNER}", database="postgres")
        self.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}", database="postgres")
        first = (SHOP / "migrations" / "001_shop.sql").read_text(encoding="utf-8")
        self.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}; SET ROLE {OWNER}; {first}; {RECORDED}")

    def _drop(self) -> None:
        names = self.execute(
            f"SELECT datname FROM pg_database WHERE datname ~ '^({DATABASE}|runbook_)'", database="postgres"
        )
        for (name,) in names:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)', database="postgres")
        for role in (DEPLOYER, OWNER):
            self.execute(f"DROP ROLE IF EXISTS {role}", database="postgres")

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the new schema holds, by what it is."""
        return {name: self.execute(query) for name, query in ROWS.items()}

    def _compare(self, before: dict[str, list[tuple[Any, ...]]]) -> None:
        for name, rows in self.rows().items():
            if rows != before[name]:
                raise Unexpected(f"{name} were {before[name]} and are {rows}")

    def execute(self, statements: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """The rows of the last of some statements, as the superuser."""
        with contextlib.closing(self.server.connect(database)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statements)
            return cursor.fetchall() if cursor.description else []


def _expect(run: Run, outcome: str | None = None) -> None:
    """Fail unless a command ended well.

    Raises:
        Unexpected: with what it has printed.
    """
    if run.status != 0:
        raise Unexpected(f"it ended with exit status {run.status}: {run.output}")
    if outcome and run.record["outcome"] != outcome:
        raise Unexpected(f"its outcome is {run.record['outcome']} instead of {outcome}")
