# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The MIDI library: what users made of every migration survives its rollback and comes back with its next deploy."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from demo.local_server import LocalServer
from tests.integration.salvage.deployment import Deployment
from tests.integration.sql.midi_library import PROJECT, SAMPLE_FILES, STEMS, Databases, script

# Beyond the sample rows, which fill what a migration made: changes and deletions of what it brought or overwrote.
WRITES = {
    "007_enhanced_tags": """
        UPDATE tags SET priority = 1, category_id = NULL, usage_count = 9 WHERE name = 'house';
        DELETE FROM tags WHERE name = 'bongo';
        UPDATE tag_categories SET color = '#000000' WHERE name = 'mood';
        DELETE FROM tag_categories WHERE name = 'structure'
            AND NOT EXISTS (SELECT FROM tags t WHERE t.category_id = tag_categories.id);
        INSERT INTO tags (name, category_id) SELECT 'mine', id FROM tag_categories WHERE name = 'mood';""",
    "008_filename_metadata_fixed": "UPDATE files SET metadata_source = NULL WHERE id % 3 = 0;",
    "update_normalized_filenames": """
        UPDATE files SET filename = 'mine.mid', filepath = '/elsewhere/mine.mid' WHERE id = (SELECT min(file_id) FROM
        normalized_filenames.renamed_file);
        DELETE FROM files WHERE id = (SELECT max(file_id) FROM normalized_filenames.renamed_file);""",
}


@pytest.fixture(scope="module")
def databases(server: LocalServer) -> Iterator[Databases]:
    made = Databases(server)
    yield made
    made.drop_all()


def without_transaction(text: str) -> str:
    return re.sub(r"(?m)^(BEGIN|COMMIT);$", "", text)


@pytest.mark.parametrize("stem", STEMS)
def test_nothing_is_lost(databases: Databases, stem: str) -> None:
    sample = PROJECT / "sql" / "sample" / f"{stem}.sql"
    writes = sample.read_text(encoding="utf-8") if sample.exists() else ""
    with (
        databases.copy(databases.before(stem)) as name,
        contextlib.closing(databases.server.connect(name)) as connection,
    ):
        story = Deployment(
            connection,
            without_transaction(script("migrations", stem)),
            without_transaction(script("rollback", stem)),
        )
        kept, _ = story.round_trip(f"SET LOCAL sample.files = {SAMPLE_FILES};{writes};{WRITES.get(stem, '')}")
        assert kept, "users' rows were at stake"
        assert story.attempts == 1, "the rehearsal foresaw it"
