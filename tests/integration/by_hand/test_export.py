# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writing an item to a file: whole or not at all, over no other file, and with every value as it was."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.by_hand.export import check_export, export_item
from ansible_collections.pgops.runbook.plugins.module_utils.by_hand.items import find_item
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection, Json

from tests.integration.by_hand.kept import keep_item

RECORDS = ['(1,"a ""b"" \\\\ c")', "(2,)", '(3,"")']
VALUES = [(1, 'a "b" \\ c'), (2, None), (3, "")]


def item(connection: Connection, kind: str = "dropped table", records: list[str] = RECORDS) -> Json:
    with connection.cursor() as cursor:
        number = keep_item(cursor, kind, [(f"({position})", one) for position, one in enumerate(records, 1)])
        return find_item(cursor, number)[0]


def exported(connection: Connection, item: Json, file_format: str, path: Path) -> Path:
    connection.set_client_encoding("UTF8")
    with connection.cursor() as cursor:
        export_item(cursor, item, file_format, str(path))
    return path


def test_rows_that_are_inserted_again_are_those_that_were_kept(
    connection: Connection, tmp_path: Path
) -> None:
    path = exported(connection, item(connection), "sql", tmp_path / "star.sql")
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE star (id int GENERATED ALWAYS AS IDENTITY, mark text)")
        connection.commit()
        connection.autocommit = True
        cursor.execute(path.read_text(encoding="utf-8"))
        cursor.execute("SELECT id, mark FROM star ORDER BY id")
        assert cursor.fetchall() == VALUES


def test_values_of_dropped_columns_become_updates(connection: Connection, tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        number = keep_item(
            cursor,
            "dropped columns",
            [("(1)", "(ada)"), ("(2)", "(o'hara)")],
            columns=("author",),
        )
        kept = find_item(cursor, number)[0]
    path = exported(connection, kept, "sql", tmp_path / "authors.sql")
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE star (id int, author text); INSERT INTO star VALUES (1), (2), (3)")
        connection.commit()
        connection.autocommit = True
        cursor.execute(path.read_text(encoding="utf-8"))
        cursor.execute("SELECT id, author FROM star ORDER BY id")
        assert cursor.fetchall() == [(1, "ada"), (2, "o'hara"), (3, None)]


def test_null_is_not_the_empty_string_in_csv(connection: Connection, tmp_path: Path) -> None:
    path = exported(connection, item(connection), "csv", tmp_path / "star.csv")
    text = path.read_text(encoding="utf-8")
    assert text.endswith('\n2,\n3,""\n')
    assert [tuple(row) for row in csv.reader(text.splitlines())][:2] == [("id", "mark"), ("1", VALUES[0][1])]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_appears_meanwhile_is_kept_and_no_half_of_ours_is_left(
    connection: Connection, tmp_path: Path
) -> None:
    kept = item(connection)
    path = tmp_path / "star.csv"
    check_export(kept, "csv", str(path))
    path.write_text("of a user")
    with pytest.raises(Refused, match="never overwrites a file"):
        exported(connection, kept, "csv", path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("star.csv", "of a user")]


@pytest.mark.parametrize(
    ("kind", "file_format", "name", "code", "words"),
    [
        ("dropped table", "csv", "", "export_file_unusable", "by its full path"),
        ("dropped table", "csv", "here.csv", "export_file_unusable", "by its full path"),
        ("dropped table", "csv", "{}/none/x.csv", "export_file_unusable", "There is no folder"),
        ("dropped table", "csv", "{}", "export_file_unusable", "never overwrites a file"),
        ("sequence", "sql", "{}/x.sql", "salvage_item_not_exportable", "salvage_format=csv"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    tmp_path: Path, kind: str, file_format: str, name: str, code: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        check_export({"item": 1, "kind": kind}, file_format, name.format(tmp_path))
    assert refused.value.code == code
    assert list(tmp_path.iterdir()) == []
