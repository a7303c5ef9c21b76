# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names that a shell, a template engine or a driver would take apart, wherever names come from; all of it must work."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from psycopg2 import sql

from benchmarks.fault_stories.application import DATABASE, MIGRATION
from benchmarks.fault_stories.judge import AFTER, BEFORE, Command, Verdict, judge
from benchmarks.fault_stories.kills import Case
from benchmarks.fault_stories.names import names
from benchmarks.fault_stories.stage import PROJECT, Play, Stage, Unsafe
from benchmarks.fault_stories.truth import OWNED, left_behind, state_of

__all__ = ["HostileName", "HostileValue", "hostile_names", "names_by_chance"]

TOUCH = f"touch {OWNED}"

#: For what people name themselves, in the inventory too, where Ansible reads {{ }} before anybody.
NAMES = (
    "it's",
    'say "no"',
    "two  words ",
    "-rf",
    f"$({TOUCH})",
    f"`{TOUCH}`; {TOUCH} #",
    "x=1 dbname=postgres",
    "ünï→日本",
    "per%scent%(name)s",
    "two\nlines",
)

#: For what is inside of files and databases, too.
TEXTS = (
    *NAMES,
    "{{ 1 / 0 }}",
    "{{ lookup('pipe', 'touch " + OWNED + "') }}",
    "{% raw",
    "back\\slash",
    "tab\there",
)


@dataclass(frozen=True)
class HostileName(Case):
    """A deploy in which something has such a name.

    Attributes:
        where: database, backup_dir, artifacts_dir, sql_dir, object, header or file.
        text: the name.
    """

    where: str
    text: str

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        stage.begin("pristine")
        if self.where == "database":
            self._rename_database(stage)
        elif self.where in ("backup_dir", "artifacts_dir"):
            stage.variables[self.where] = str(stage.work / self.where / self.text)
            (stage.work / self.where).mkdir()
        else:
            command = self._write_sql(stage, command)
        roles = [name for (name,) in stage.ask("SELECT rolname FROM pg_catalog.pg_roles", "postgres")]
        play = stage.play(*command.arguments)
        say(f"{self.name}: exit {play.status}")
        if self.where == "file" and (play.record or {}).get("reason_code") == "script_name_unusable":
            changed = state_of(stage) != command.states[BEFORE]
            return Verdict(["refused, and changed something"] * changed, left_behind(stage, roles))
        verdict = judge(stage, command, play, say)
        if play.status != 0:
            verdict.untrue.append(
                f"it was not deployed: {(play.record or {}).get('reason') or play.words[-600:]}"
            )
        return verdict

    def _rename_database(self, stage: Stage) -> None:
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        connection = stage.server.connect("postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(rename.format(sql.Identifier(DATABASE), sql.Identifier(self.text)))
        connection.close()
        stage.database = self.text

    def _write_sql(self, stage: Stage, command: Command) -> Command:
        """Scripts of the case's own; returns the command with the states that follow from them."""
        folder = stage.work / ("sql " + self.text if self.where == "sql_dir" else "sql")
        shutil.copytree(stage.sql_dir, folder)
        stage.variables["sql_dir"] = str(folder)
        if self.where == "file":
            for path in (*folder.glob(f"*/{MIGRATION}_*.sql"),):
                path.rename(path.with_name(path.name.replace("author", self.text.replace("/", "-"))))
        if self.where == "header":
            (migration,) = (folder / "migrations").glob(f"{MIGRATION}_*.sql")
            one_line = " ".join(self.text.split())
            migration.write_text(
                f"-- Description: {one_line}\n{migration.read_text('utf-8')}", encoding="utf-8"
            )
        if self.where != "object":
            return command
        apply = self._with_objects(stage, folder)
        before = state_of(stage)
        stage.ask(apply)
        stage.ask(f"INSERT INTO schema_migrations VALUES ('{MIGRATION}')")
        after = state_of(stage)
        variables = stage.variables
        stage.begin("pristine")
        shutil.copytree(stage.sql_dir, folder)
        self._with_objects(stage, folder)
        stage.variables = variables
        return dataclasses.replace(command, states={BEFORE: before, AFTER: after})

    def _with_objects(self, stage: Stage, folder: Path) -> str:
        """Write a migration that makes a table, a column, a comment and a row so named; returns its statements."""
        (migration,) = (folder / "migrations").glob(f"{MIGRATION}_*.sql")
        (rollback,) = (folder / "rollback").glob(f"{MIGRATION}_*.sql")
        for path in (folder / "verify").glob("*.sql"):
            path.unlink()
        connection = stage.server.connect("postgres")
        with connection.cursor() as cursor:
            name, text = sql.Identifier(self.text), sql.Literal(self.text)
            apply = sql.SQL(
                "CREATE TABLE {0} ({0} text PRIMARY KEY, other int);\nINSERT INTO {0} VALUES ({1}, 1);\n"
                "COMMENT ON TABLE {0} IS {1};\nUPDATE notes SET body = {1} WHERE id = 1;\n"
            ).format(name, text)
            undo = sql.SQL("DROP TABLE {};\nUPDATE notes SET body = 'first' WHERE id = 1;\n").format(name)
            found = apply.as_string(cursor)
            migration.write_text(f"-- Requires: 001\n{found}", encoding="utf-8")
            rollback.write_text(undo.as_string(cursor), encoding="utf-8")
        connection.close()
        return found


def hostile_names() -> list[Case]:
    """All cases of this room."""
    found: list[Case] = []
    for where, texts in (
        ("database", NAMES),
        ("backup_dir", NAMES),
        ("artifacts_dir", NAMES),
        ("sql_dir", NAMES),
        ("file", TEXTS),
        ("object", TEXTS),
        ("header", TEXTS),
    ):
        found += [
            HostileName("hostile name", "deploy", f"deploy, {where} {text!r}", where, text)
            for text in texts
            if not (where == "file" and "\n" in text)
        ]
    return found


#: Of variables and options, by the name that they have in an inventory.
VARIABLES = (
    *("db_host", "db_name", "db_user", "db_password", "db_sslmode", "pg_bindir", "sql_dir", "backup_dir"),
    *(
        "artifacts_dir",
        "migration",
        "run_id",
        "take_over",
        "backup_encryption",
        "emergency_backup",
        "backup_identity",
    ),
    *("library_path_prefix",),
)

#: Reason codes of what nobody had foreseen.
UNFORESEEN = ("step_crashed", "step_could_not_run", "step_killed")


@dataclass(frozen=True)
class HostileValue(Case):
    """A deploy in which a variable, a file, a header or an object has such a name: done, or refused in a sentence.

    Attributes:
        where: name of the variable, or file, header or object.
        text: the name.
    """

    where: str
    text: str

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        stage.begin("pristine")
        roles = [name for (name,) in stage.ask("SELECT rolname FROM pg_catalog.pg_roles", "postgres")]
        if self.where in ("file", "header", "object"):
            try:
                command = self._write_sql(stage, command)
            except (OSError, ValueError):
                return None  # no disk has such a name
        else:
            stage.variables[self.where] = Unsafe(self._value(stage))
        arguments = command.arguments if self.where != "migration" else ("deploy.yml",)
        play = stage.play(*arguments)
        stage.variables = {}
        say(f"{self.name}: exit {play.status}")
        return Verdict(self._untrue(stage, command, play), [*left_behind(stage, roles), *_executed(stage)])

    def _value(self, stage: Stage) -> str:
        if self.where not in ("sql_dir", "backup_dir", "artifacts_dir"):
            return self.text
        return f"{stage.work}/{self.where}/{self.text}"

    def _untrue(self, stage: Stage, command: Command, play: Play) -> list[str]:
        now = state_of(stage)
        state = next((name for name, known in command.states.items() if known == now), "neither")
        record = play.record or {}
        code, reason = record.get("reason_code"), record.get("reason")
        if play.status == 0:
            return [] if state == AFTER else [f"exit status 0, and the state is {state}"]
        found = [] if state == BEFORE else [f"refused ({reason}), and the state is {state}"]
        if "Traceback" in play.output or code in UNFORESEEN:
            found.append(f"no sentence, but what nobody had foreseen: {code}: {reason or play.words[-600:]}")
        if not record and "fatal:" not in play.words and "ERROR" not in play.words:
            found.append(f"refused without a reason: {play.words[-600:]}")
        return found

    def _write_sql(self, stage: Stage, command: Command) -> Command:
        folder = stage.work / "sql"
        shutil.copytree(stage.sql_dir, folder)
        stage.variables["sql_dir"] = str(folder)
        (migration,) = (folder / "migrations").glob(f"{MIGRATION}_*.sql")
        text = migration.read_text(encoding="utf-8")
        if self.where == "file":
            for path in (*folder.glob(f"*/{MIGRATION}_*.sql"),):
                path.rename(path.with_name(path.name.replace("author", self.text)))
        elif self.where == "header":
            migration.write_text(f"-- Description: {self.text}\n{text}", encoding="utf-8")
        else:
            name = '"' + self.text.replace('"', '""') + '"'
            migration.write_text(f"{text}CREATE TABLE {name} ({name} text);\nDROP TABLE {name};\n", "utf-8")
        return command


def _executed(stage: Stage) -> list[str]:
    """Where a name was taken for a command."""
    places = (PROJECT, Path.home(), Path("/"), Path("/tmp"), stage.folder)  # noqa: S108 - looked at, not written
    found = [place / OWNED for place in places if (place / OWNED).exists()]
    for path in found:
        path.unlink()
    return [f"a command was executed: {path}" for path in found]


def names_by_chance(seed: int, many: int) -> list[Case]:
    """So many names, each in one place, the places by turns."""
    places = cycle((*VARIABLES, "file", "header", "object"))
    return [
        HostileValue(f"hostile {where}", "deploy", f"deploy, {where} {text!r}", where, text)
        for text, where in zip(names(seed, many), places, strict=False)
    ]
