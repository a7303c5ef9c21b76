# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verify and smoke scripts pass where all is well, at each stage, and fail on each planted fault."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.sql.midi_library import PROJECT, STEMS, script

SMOKE = sorted((PROJECT / "sql" / "smoke").glob("*.sql"))

FAULTS = {
    "001_initial_schema": [
        "DROP INDEX idx_files_search",
        "ALTER TABLE files ALTER duration_ticks TYPE integer USING 1",
        "ALTER TABLE musical_metadata DROP CONSTRAINT musical_metadata_bpm_check",
        "ALTER TABLE files DISABLE TRIGGER files_search_vector_trigger",
        "ALTER TABLE files ENABLE ALWAYS TRIGGER files_updated_at_trigger",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_tags_usage'::regclass",
        "ALTER TABLE files ALTER num_tracks SET DEFAULT 2",
        "ALTER TABLE files ALTER num_tracks DROP NOT NULL",
        "ALTER TABLE tags ALTER id DROP DEFAULT",
        "ALTER TABLE file_tags DROP CONSTRAINT file_tags_tag_id_fkey, ADD CONSTRAINT file_tags_tag_id_fkey "
        "FOREIGN KEY (tag_id) REFERENCES tags",
        "ALTER TYPE musical_key ADD VALUE 'H'",
        "DROP INDEX idx_embeddings_overall; CREATE INDEX idx_embeddings_overall ON file_embeddings "
        "USING ivfflat (overall_embedding vector_l2_ops)",
        "DROP VIEW duplicate_summary; CREATE VIEW duplicate_summary AS SELECT 1 AS group_id",
        "DROP TRIGGER processing_errors_count_trigger ON processing_errors",
        "ALTER FUNCTION update_job_progress() STABLE",
        "DROP TABLE melodic_patterns",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'files_pkey'::regclass",
        "ALTER TABLE tags ENABLE ROW LEVEL SECURITY",
        "ALTER SEQUENCE tags_id_seq CACHE 50",
        "COMMENT ON COLUMN files.content_hash IS 'some bytes'",
        "ALTER TABLE files DISABLE TRIGGER ALL; ALTER TABLE files ENABLE TRIGGER USER",
        "CREATE OR REPLACE VIEW files_with_tags AS SELECT id, filename, filepath, NULL::text[] AS tag_names FROM files",
    ],
    "002_add_parent_folder": [
        "ALTER TABLE files DROP COLUMN parent_folder",
        "ALTER TABLE files ALTER parent_folder TYPE varchar",
        "DROP INDEX idx_files_parent_folder",
        "DROP INDEX idx_files_parent_folder; CREATE INDEX idx_files_parent_folder ON files (parent_folder)",
        "DROP INDEX idx_files_parent_folder; CREATE INDEX idx_files_parent_folder ON tags (name)",
    ],
    "003_favorites": [
        "ALTER TABLE favorites DROP CONSTRAINT favorites_file_id_fkey",
        "ALTER TABLE favorites DROP CONSTRAINT favorites_file_id_key",
        "DROP INDEX idx_favorites_created_at; CREATE INDEX idx_favorites_created_at ON favorites (created_at)",
        "ALTER TABLE favorites ALTER created_at TYPE timestamp",
    ],
    "006_track_splits": [
        "ALTER TABLE track_splits DROP CONSTRAINT chk_track_number_positive",
        "ALTER TABLE track_splits DROP CONSTRAINT chk_note_count_positive, "
        "ADD CONSTRAINT chk_note_count_positive CHECK (note_count IS NULL OR note_count >= 0) NOT VALID",
        "ALTER TABLE track_splits ALTER created_at TYPE timestamptz",
        "ALTER TABLE track_splits ALTER created_at DROP DEFAULT",
        "DROP INDEX idx_track_splits_parent_track_number",
    ],
    "007_enhanced_tags": [
        "ALTER TABLE tags DROP CONSTRAINT tags_confidence_score_check",
        "ALTER TABLE tags ALTER is_active SET DEFAULT false",
        "DROP INDEX idx_file_tags_tag_id_file_id; "
        "CREATE INDEX idx_file_tags_tag_id_file_id ON file_tags (file_id, tag_id)",
        "DROP FUNCTION get_tags_by_category(varchar)",
        "CREATE OR REPLACE FUNCTION suggest_tags_from_similar_files(p_file_id bigint, p_limit integer DEFAULT 5) "
        "RETURNS TABLE (tag_id integer, tag_name varchar, confidence numeric, usage_frequency bigint) LANGUAGE plpgsql "
        "AS 'BEGIN RETURN QUERY SELECT tag_id, NULL::varchar, NULL::numeric, 1::bigint FROM file_tags; END'",
        "CREATE OR REPLACE FUNCTION suggest_tags_from_similar_files(p_file_id bigint, p_limit integer DEFAULT 9) "
        "RETURNS TABLE (tag_id integer, tag_name varchar, confidence numeric, usage_frequency bigint) LANGUAGE plpgsql "
        "AS 'BEGIN RETURN; END'",
        "UPDATE tag_categories SET name = 'kind' WHERE name = 'genre'",
        "UPDATE tags SET category_id = NULL",
        "DROP VIEW pending_tag_suggestions",
        "ALTER FUNCTION suggest_tags_from_similar_files SECURITY DEFINER",
        "ALTER VIEW tags_with_categories SET (security_barrier = true)",
    ],
    "008_filename_metadata_fixed": [
        "ALTER TABLE files ALTER metadata_source DROP DEFAULT",
        "ALTER TABLE files DROP CONSTRAINT files_filename_key_check",
        "DROP INDEX idx_files_filename_genres; "
        "CREATE INDEX idx_files_filename_genres ON files USING gin (filename_genres)",
        "ALTER TABLE files ALTER filename_bpm TYPE double precision",
    ],
    "009_text_metadata": [
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_files_copyright_trgm'::regclass",
        "DROP INDEX idx_files_copyright_trgm; CREATE INDEX idx_files_copyright_trgm ON files (copyright) "
        "WHERE copyright IS NOT NULL",
        "ALTER TABLE files ALTER lyrics DROP DEFAULT",
        "ALTER TABLE files ALTER markers SET NOT NULL",
        "DROP FUNCTION get_text_metadata_stats()",
        "CREATE OR REPLACE FUNCTION get_text_metadata_stats() "
        "RETURNS TABLE (metric text, count bigint, percentage numeric) "
        "LANGUAGE plpgsql STABLE AS 'BEGIN RETURN; END'",
        "ALTER FUNCTION search_files_by_text_metadata VOLATILE",
        "ALTER FUNCTION get_text_metadata_stats() SET search_path = public",
        "DROP VIEW files_with_text_metadata; CREATE VIEW files_with_text_metadata AS SELECT id, filename FROM files",
    ],
    "010_harmonic_analysis": [
        "ALTER TABLE musical_metadata DROP CONSTRAINT musical_metadata_chord_complexity_score_check",
        "ALTER TABLE musical_metadata ALTER chord_complexity_score TYPE numeric(5, 3)",
        "DROP INDEX idx_chord_types; CREATE INDEX idx_chord_types ON harmonic_patterns USING gin (chord_types)",
        "ALTER TABLE musical_metadata ALTER has_seventh_chords SET DEFAULT true",
    ],
    "011_enhanced_analysis_json": [
        "ALTER TABLE musical_metadata ALTER controller_data TYPE text",
        "DROP INDEX idx_musical_metadata_structure_data",
        "DROP INDEX idx_musical_metadata_articulation_data; CREATE INDEX idx_musical_metadata_articulation_data "
        "ON musical_metadata USING gin (articulation_data jsonb_path_ops)",
    ],
    "update_normalized_filenames": [
        "ALTER TABLE files DISABLE TRIGGER files_updated_at_trigger",
        "DROP TABLE normalized_filenames.renamed_file",
        "UPDATE normalized_filenames.renamed_file SET new_filename = 'a b.mid' WHERE file_id = 1",
        "UPDATE normalized_filenames.renamed_file SET new_filepath = '/elsewhere/' || new_filename WHERE file_id = 1",
        "CREATE OR REPLACE FUNCTION normalized_filenames.normalized(name text) "
        "RETURNS text LANGUAGE sql IMMUTABLE STRICT "
        "AS 'SELECT replace(name, '' '', ''_'')'",
        "ALTER TABLE files DISABLE TRIGGER USER; "
        "UPDATE files SET filename = 'a b.mid', filepath = 'a b.mid' WHERE id = 1; "
        "ALTER TABLE files ENABLE TRIGGER USER",
        "ALTER TABLE normalized_filenames.renamed_file DROP CONSTRAINT renamed_file_pkey",
        "ALTER FUNCTION normalized_filenames.normalized(text) CALLED ON NULL INPUT",
    ],
}
FAULTS["011_enhanced_analysis_json"][0] = (
    "DROP INDEX idx_musical_metadata_controller_data; " + FAULTS["011_enhanced_analysis_json"][0]
)

# (fault, the first stage at which it can be planted); each must be seen by one of the smoke scripts.
SMOKE_FAULTS = [
    ("ALTER TABLE files DISABLE TRIGGER files_search_vector_trigger", 1),
    ("ALTER TABLE files DISABLE TRIGGER files_updated_at_trigger", 1),
    ("ALTER TABLE file_tags DISABLE TRIGGER file_tags_usage_trigger", 1),
    ("ALTER TABLE duplicate_files DISABLE TRIGGER duplicate_files_count_trigger", 1),
    ("ALTER TABLE processing_errors DISABLE TRIGGER processing_errors_count_trigger", 1),
    ("UPDATE tags SET usage_count = usage_count + 1 WHERE id = (SELECT min(tag_id) FROM file_tags)", 1),
    (
        "ALTER TABLE files DISABLE TRIGGER USER; "
        "UPDATE files SET search_vector = NULL; ALTER TABLE files ENABLE TRIGGER USER",
        1,
    ),
    ("ALTER TABLE musical_metadata DROP CONSTRAINT musical_metadata_bpm_check", 1),
    ("ALTER TABLE file_tags DROP CONSTRAINT file_tags_file_id_fkey", 1),
    (
        "CREATE OR REPLACE VIEW files_with_tags AS SELECT id, filename, filepath, NULL::text[] AS tag_names FROM files",
        1,
    ),
    ("ALTER TABLE favorites DROP CONSTRAINT favorites_file_id_key", 3),
    ("ALTER TABLE favorites DROP CONSTRAINT favorites_file_id_fkey", 3),
    ("ALTER TABLE track_splits DROP CONSTRAINT chk_track_number_positive", 4),
    ("DROP FUNCTION get_tags_by_category(varchar)", 5),
    ("DROP VIEW pending_tag_suggestions", 5),
    ("ALTER TABLE files ALTER metadata_source DROP DEFAULT", 6),
    ("ALTER TABLE files DROP CONSTRAINT files_metadata_source_check", 6),
    ("DROP FUNCTION search_files_by_text_metadata", 7),
    ("DROP VIEW files_with_text_metadata", 7),
    ("ALTER TABLE musical_metadata ALTER has_extended_chords SET DEFAULT true", 8),
    ("ALTER TABLE musical_metadata DROP COLUMN controller_data", 9),
]


def failure(transaction: Any, text: str) -> str | None:
    """Why a verify or smoke script fails: its error, or a row whose first column is false; undone again."""
    transaction.cursor.execute("SAVEPOINT check_script")
    error = transaction.refusal(text)
    if (
        error is None
        and transaction.cursor.description is not None
        and any(row[0] is False for row in transaction.cursor)
    ):
        error = "a row says false"
    transaction.cursor.execute("ROLLBACK TO check_script")
    return error


@pytest.mark.parametrize("count", range(len(STEMS) + 1), ids=["empty", *STEMS])
def test_verify_and_smoke_pass_at_each_stage(databases: Any, count: Any) -> None:
    """Of each migration so far: a later one must not make an earlier verify script fail."""
    with databases.undone(databases.stage(count)) as transaction:
        for stem in STEMS[:count]:
            assert failure(transaction, script("verify", stem)) is None, stem
        for smoke in SMOKE:
            assert failure(transaction, smoke.read_text(encoding="utf-8")) is None, smoke.name


@pytest.mark.parametrize("count", range(1, len(STEMS) + 1), ids=STEMS)
def test_verify_and_smoke_pass_on_an_empty_library(databases: Any, count: Any) -> None:
    with databases.undone(databases.stage(0)) as transaction:
        for stem in STEMS[:count]:
            transaction.execute(script("migrations", stem))
            assert failure(transaction, script("verify", stem)) is None
        for smoke in SMOKE:
            assert failure(transaction, smoke.read_text(encoding="utf-8")) is None, smoke.name


@pytest.mark.parametrize("stem", STEMS)
def test_verify_fails_where_the_migration_is_not_in_place(databases: Any, stem: Any) -> None:
    with databases.undone(databases.before(stem)) as transaction:
        assert failure(transaction, script("verify", stem)) is not None


@pytest.mark.parametrize(("stem", "fault"), [(stem, fault) for stem in STEMS for fault in FAULTS[stem]])
def test_verify_fails_on_a_fault(databases: Any, stem: Any, fault: Any) -> None:
    with databases.undone(databases.stage(len(STEMS))) as transaction:
        transaction.execute(fault)
        assert failure(transaction, script("verify", stem)) is not None


@pytest.mark.parametrize(("fault", "count"), SMOKE_FAULTS)
def test_smoke_fails_on_a_fault(databases: Any, fault: Any, count: Any) -> None:
    with databases.undone(databases.stage(count)) as transaction:
        transaction.execute(fault)
        assert any(failure(transaction, smoke.read_text(encoding="utf-8")) for smoke in SMOKE)


def test_smoke_scripts_move_no_sequence(databases: Any) -> None:
    """What nextval() gives is not given back by a rollback, so the scripts bring their own numbers."""
    values = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"
    with databases.undone(databases.stage(len(STEMS))) as transaction:
        before = transaction.query(values)
        for smoke in SMOKE:
            assert failure(transaction, smoke.read_text(encoding="utf-8")) is None
        assert transaction.query(values) == before
