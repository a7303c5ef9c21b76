# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Split an SQL script into the statements that the runbook executes one by one.

PostgreSQL's own parser does the work (pglast), so that quotes, dollar quotes, nested comments and the bodies
of `BEGIN ATOMIC` functions are understood as the server understands them. Pure: text in, values out.

Decisions where psql and the runbook differ:

* The script's own BEGIN, START TRANSACTION, COMMIT and END are dropped, their isolation level with them;
  several blocks become one transaction. COMMIT without BEGIN is tolerated as psql does, BEGIN without
  COMMIT too (psql would undo it on leaving); `ParsedScript.notes` mentions all three.
* `SET LOCAL search_path` or `role` in a block with statements after its COMMIT is refused: in one transaction
  it would hold on, and the later objects would land in another schema or belong to another role.
* A check may end with ROLLBACK, as verify scripts do that are written for psql: what it does is undone anyway.
* The lines `\\restrict` and `\\unrestrict`, with which pg_dump begins and ends what it writes, say something to psql
  alone, and are passed over.
* Only what the server's grammar rejects is looked at as psql syntax. `a[1:n]` is an array slice for the
  server, although psql would put in its variable n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError

from ...module_utils.shapes import InBatches
from .batches import in_batches
from .diagnosis import COPY_DATA, diagnose, end_without_comments
from .footprint import Footprint, footprint_of
from .header import Header, header_lines, parse_header
from .row_changes import may_change_rows
from .shared_objects import changes_shared_objects
from .source import SqlScriptError, SqlText, clean_text, decode_script, without_restriction
from .transaction_limits import (
    ADD_VALUE_USED_LATER,
    object_of,
    outside_transaction_only,
    unusable_enum_values,
)

__all__ = [
    "Footprint",
    "Header",
    "ParsedScript",
    "SqlScriptError",
    "Statement",
    "decode_script",
    "header_lines",
    "parse_header",
    "parse_script",
]

_Kind = enums.TransactionStmtKind
_OPENS = (_Kind.TRANS_STMT_BEGIN, _Kind.TRANS_STMT_START)
_SAVEPOINTS = (_Kind.TRANS_STMT_SAVEPOINT, _Kind.TRANS_STMT_RELEASE, _Kind.TRANS_STMT_ROLLBACK_TO)
_LOCALS_THAT_NAME = ("search_path", "role", "session_authorization")


@dataclass(frozen=True)
class Statement:
    """One statement, without its semicolon and the comments around it, and where it begins.

    Attributes:
        outside_transaction: name of the command when it cannot run in a transaction block.
        object: what such a command is about; see object_of.
        changes_rows: whether it may change or remove rows, columns or tables; see may_change_rows.
        batches: its parts, where it is carried out in batches; see in_batches.
    """

    sql: str
    line: int
    column: int
    kind: str
    outside_transaction: str | None = None
    object: dict[str, Any] | None = field(default=None, hash=False)
    changes_rows: bool = True
    batches: InBatches | None = field(default=None, hash=False)


@dataclass(frozen=True)
class ParsedScript:
    """A script ready to be executed.

    Attributes:
        statements: without the outer transaction control.
        transaction_blocks: how many BEGIN ... COMMIT the script itself had.
        forbids_transaction: (line, command) of each statement that cannot run in a transaction block.
        creates: what it creates at top level; see footprint.footprint_of.
        shared: (line, command) of each statement that changes what all databases of a server share.
        notes: sentences about what runs differently than in psql.
    """

    statements: tuple[Statement, ...]
    transaction_blocks: int
    forbids_transaction: tuple[tuple[int, str], ...]
    creates: Footprint = field(hash=False)
    shared: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing but comments, white space and transaction control."""
        return not self.statements


def parse_script(
    text: str, path: str, may_undo_itself: bool = False, batch_rows: int | None = None
) -> ParsedScript:
    """Parse a script and check that the runbook can execute it in a transaction of its own.

    Args:
        text: the file's text; see decode_script for bytes.
        path: names the file in errors.
        may_undo_itself: its last statement may be ROLLBACK.
        batch_rows: how many rows a batch is to change, where the header says that there are any.

    Raises:
        SqlScriptError: a syntax error; psql's meta-commands, variables or COPY data; a statement that would
            undo the script, end the runbook's transaction, or change the server's configuration; one that is to be
            carried out in batches and cannot be, or none that could.
    """
    source, raw = _parsed(SqlText(clean_text(text, path), path))

    control = _TransactionControl(source)
    kept: list[tuple[Statement, ast.Node]] = []
    if may_undo_itself and raw and _is_rollback(raw[-1].stmt):
        raw = raw[:-1]
        control.undone()
    for item in raw:
        node, start = item.stmt, item.stmt_location
        _refuse(source, node, start)
        if control.takes(node, start):
            continue
        end = start + item.stmt_len if item.stmt_len else len(source.text)
        sql = source.text[start : end_without_comments(source.text, start, end)]
        statement = Statement(
            sql,
            *source.place(start),
            type(node).__name__,
            changes_rows=may_change_rows(node),
            batches=_batches(source, start, node, sql, batch_rows),
        )
        kept.append((statement, node))
    if batch_rows is not None and not any(statement.batches for statement, _ in kept):
        raise source.error(
            "batches_not_possible",
            0,
            'the header says "Batches:", and the script has no UPDATE and no DELETE that could be carried out in any',
        )

    nodes = [node for _statement, node in kept]
    enum_values = set(unusable_enum_values(nodes))
    statements = []
    for position, (statement, node) in enumerate(kept):
        command = ADD_VALUE_USED_LATER if position in enum_values else outside_transaction_only(node)
        statements.append(
            replace(statement, outside_transaction=command, object=object_of(node)) if command else statement
        )
    return ParsedScript(
        statements=tuple(statements),
        transaction_blocks=control.blocks,
        forbids_transaction=tuple(
            (one.line, one.outside_transaction) for one in statements if one.outside_transaction
        ),
        creates=footprint_of(nodes),
        shared=tuple(
            (statement.line, command)
            for statement, node in kept
            if (command := changes_shared_objects(node)) is not None
        ),
        notes=control.notes(),
    )


def _parsed(source: SqlText) -> tuple[SqlText, Sequence[ast.RawStmt]]:
    """The statements, and the text in which their places are."""
    while True:
        try:
            return source, parse_sql(source.text)
        except ParseError as error:
            text = without_restriction(source.text, error.args[1] if len(error.args) > 1 else None)
            if text is None:
                raise diagnose(source, error) from None
            source = SqlText(text, source.path)


def _batches(
    source: SqlText, start: int, node: ast.Node, sql: str, batch_rows: int | None
) -> InBatches | None:
    if batch_rows is None:
        return None
    try:
        return in_batches(node, sql, batch_rows)
    except ValueError as error:
        raise source.error("batches_not_possible", start, str(error)) from None


class _TransactionControl:
    """Follows the script's own BEGIN and COMMIT, which are not executed."""

    def __init__(self, source: SqlText) -> None:
        self.source = source
        self.blocks = 0
        self._open_at: int | None = None
        self._local: tuple[int, str] | None = None
        self._ended: tuple[int, str] | None = None
        self._notes: list[str] = []
        self._undone = False

    def takes(self, node: ast.Node, start: int) -> bool:
        """True when the statement is transaction control and must not be executed.

        Raises:
            SqlScriptError: a setting of an earlier block would leak into this statement.
        """
        if not isinstance(node, ast.TransactionStmt) or node.kind in _SAVEPOINTS:
            if self._ended:
                offset, name = self._ended
                line = self.source.place(start)[0]
                raise self.source.error(
                    "statement_forbidden",
                    offset,
                    f"SET LOCAL {name} ends at COMMIT for psql, but the runbook runs the script as one "
                    f"transaction, in which it would reach line {line}; qualify names, or split the script",
                )
            if isinstance(node, ast.VariableSetStmt) and node.is_local and node.name in _LOCALS_THAT_NAME:
                self._local = (start, node.name)
            return False
        line = self.source.place(start)[0]
        if node.kind in _OPENS:
            if self._open_at is None:
                self.blocks += 1
                self._open_at = start
            if node.options:
                self._notes.append(f"line {line}: the isolation level or access mode of BEGIN is not used")
            return True
        if self._open_at is None:
            self._notes.append(f"line {line}: COMMIT without BEGIN")
        self._ended, self._local = (self._local or self._ended), None
        self._open_at = None
        if node.chain:
            self._open_at = start
            self.blocks += 1
        return True

    def undone(self) -> None:
        """The last block is closed by a ROLLBACK of the script's own."""
        self._undone = True

    def notes(self) -> tuple[str, ...]:
        notes = list(self._notes)
        if self._open_at is not None and not self._undone:
            line = self.source.place(self._open_at)[0]
            notes.append(f"line {line}: BEGIN without COMMIT; the runbook commits it all the same")
        return tuple(notes)


def _is_rollback(node: ast.Node) -> bool:
    return isinstance(node, ast.TransactionStmt) and node.kind == _Kind.TRANS_STMT_ROLLBACK and not node.chain


def _refuse(source: SqlText, node: ast.Node, start: int) -> None:
    """Raise for statements that break the promise of one transaction under the runbook's control."""
    if isinstance(node, ast.TransactionStmt):
        if node.kind == _Kind.TRANS_STMT_ROLLBACK:
            raise source.error(
                "statement_forbidden",
                start,
                "the script undoes itself with ROLLBACK; leave it out (in a test, use SAVEPOINT and "
                "ROLLBACK TO)",
            )
        if node.kind in (
            _Kind.TRANS_STMT_PREPARE,
            _Kind.TRANS_STMT_COMMIT_PREPARED,
            _Kind.TRANS_STMT_ROLLBACK_PREPARED,
        ):
            raise source.error(
                "statement_forbidden", start, "two-phase commit (PREPARE TRANSACTION ...) is not supported"
            )
    if isinstance(node, ast.AlterSystemStmt):
        raise source.error(
            "statement_forbidden", start, "ALTER SYSTEM changes the whole server and cannot be undone"
        )
    if isinstance(node, ast.CopyStmt) and node.filename is None and not node.is_program:
        raise source.error(
            "script_not_plain_sql", start, COPY_DATA if node.is_from else "COPY TO STDOUT has no reader here"
        )
