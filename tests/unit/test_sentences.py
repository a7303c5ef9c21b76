# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A list in a sentence is cut in one place only, and says how many more there are; so is PostgreSQL's reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.sentences import cut, listed, visible

PLUGINS = Path(__file__).resolve().parents[2] / "collections/ansible_collections/pgops/runbook/plugins"

# What else is cut to a fixed length: text, digests, records of known shape, work that is bounded, and rows of a report
# that counts them beside it.
NOT_LISTS_OF_A_SENTENCE = {
    "''.join((letter if letter.isalnum() and letter.isascii() else '_' for letter in target))[:40]",
    "commit['commit'][:12]",
    "digest[:12]",
    "drill['finished'][:19]",
    "digest[:8]",
    "hashlib.sha256(file.encode('utf-8')).hexdigest()[:32]",
    "hashlib.sha256(run_id.encode('utf-8')).hexdigest()[:12]",
    "sha256_of_text(run_id)[:16]",
    "left[:LEFT_SHOWN]",
    "line[:97]",
    "line[:LONGEST]",
    "lines[:LIMIT]",  # of a report, which says how many more there are
    "text[:LONGEST_DEFINITION]",
    "(step.get('receipt') or '')[:12]",
    "migration.apply.sha256[:DIGEST_LENGTH]",
    "migration.rollback.sha256[:DIGEST_LENGTH]",
    "migration.description[:200]",  # Flyway's column has that length
    "names[:TABLES_LOOKED_AT]",
    "facts['receipt'][:DIGEST_SHOWN]",
    "moment[:19]",
    "record[:5]",
    "row.as_column()[:2]",
    "run['started'][:19]",
    "statement['sql'][:2000]",
    "states[:TAGS_SHOWN]",  # the history has all
    "text[:200]",
    "text[:77]",
    "text[:18]",
    "sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:TABLES_NAMED]",
}


def cuts(tree: ast.Module) -> Iterator[str]:
    """Slices from the beginning to a fixed length."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Slice):
            continue
        end = node.slice.upper
        fixed = isinstance(end, ast.Constant) and isinstance(end.value, int) and end.value > 1
        if node.slice.lower is None and (fixed or (isinstance(end, ast.Name) and end.id.isupper())):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    ("lines", "limit", "shown"),
    [
        ([], 2, []),
        (["a", "b"], 2, ["a", "b"]),
        (["a", "b", "c"], 2, ["a", "b", "and 1 more"]),
        (["a", "b", "c", "d", "e"], 2, ["a", "b", "and 3 more"]),
    ],
)
def test_what_is_left_out_is_counted(lines: list[str], limit: int, shown: list[str]) -> None:
    assert cut(lines, limit) == shown
    assert listed(lines, limit) == "; ".join(shown)


def test_what_was_never_kept_is_counted_too() -> None:
    assert listed(["a", "b"], 2, total=7) == "a; b; and 5 more"
    assert listed(["a", "b"], 2, total=2) == "a; b"
    assert listed(["a", "b", "c"], 1, ", ") == "a, and 2 more"


def test_a_sentence_has_ten_and_a_list_twenty() -> None:
    lines = [str(number) for number in range(21)]
    assert listed(lines).endswith("; 9; and 11 more")
    assert cut(lines)[-2:] == ["19", "and 1 more"]


def test_no_other_place_cuts_a_list() -> None:
    found = {
        text
        for path in sorted(PLUGINS.rglob("*.py"))
        for text in cuts(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == NOT_LISTS_OF_A_SENTENCE


def test_no_other_place_counts_the_rest() -> None:
    places = [
        str(path.relative_to(PLUGINS))
        for path in sorted(PLUGINS.rglob("*.py"))
        if re.search(r"and \{.*\} more", path.read_text(encoding="utf-8"))
    ]
    assert places == ["module_utils/sentences.py"]


def test_a_list_that_is_cut_is_seen() -> None:
    planted = "'; '.join(lines[:10]); names[:SHOWN]; whole[:]; part[2:5]; first[:1]; half[:middle]"
    assert list(cuts(ast.parse(planted))) == ["names[:SHOWN]", "lines[:10]"]


def test_postgresql_is_quoted_in_one_place() -> None:
    places = [
        str(path.relative_to(PLUGINS))
        for path in sorted(PLUGINS.rglob("*.py"))
        if "message_primary" in path.read_text(encoding="utf-8")
    ]
    assert places == ["module_utils/postgres/message.py"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2K\x1b[1A\rdeployed: 002", r"\x1b[2K\x1b[1A\rdeployed: 002"),
        ("\x9b8m after \x07", r"\x9b8m after \x07"),
        ("user\u202egpj.exe", r"user\u202egpj.exe"),
        ("two lines\n\tof Łukasz's Flügel, ✓", "two lines\n\tof Łukasz's Flügel, ✓"),
    ],
)
def test_what_would_steer_a_terminal_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
