# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fault planted in any rollback is seen: by an error, by a state that is not the one before, or by a lost refusal.

Planted are: each statement left out, each column of an ALTER TABLE left out, and the faults in FAULTS, which change
a name, forget a row or drop a condition within a statement.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg2
import pytest
from pglast import split

from tests.integration.sql.database_state import State, contents, state_within
from tests.integration.sql.midi_library import STEMS, script

# Left out, these change nothing that one session could see.
EQUIVALENT = {
    "BEGIN": "the test runs everything in a transaction; test_each_script_is_one_transaction asks for it",
    "COMMIT": "as BEGIN",
    "LOCK TABLE": "keeps other sessions out; test_a_rollback_keeps_writers_out asks for it",
}

# What each rollback must refuse, or keep its hands off: SQL run on the stage of the migration with its sample rows.
# After it the rollback must fail.
REFUSALS = {
    "001_initial_schema": [
        "ALTER TABLE files ADD COLUMN parent_folder text",
        "ALTER TABLE rhythm_patterns ADD COLUMN of_others text",
        "INSERT INTO schema_migrations (version) VALUES ('002')",
        "CREATE TABLE favorites (id integer)",
        "CREATE VIEW of_others AS SELECT id FROM files",
        "CREATE TABLE of_others (kind musical_key)",
        "CREATE TABLE of_others (file bigint REFERENCES files)",
        "CREATE TABLE of_others (updated_at timestamptz); CREATE TRIGGER mine BEFORE UPDATE ON of_others "
        "FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()",
    ],
    "002_add_parent_folder": [
        "ALTER TABLE files ALTER parent_folder TYPE varchar(9) USING left(parent_folder, 9)",
        "ALTER TABLE files DROP COLUMN parent_folder",
        "CREATE VIEW of_others AS SELECT parent_folder FROM files",
    ],
    "003_favorites": [
        "ALTER TABLE favorites ADD COLUMN note text",
        "ALTER TABLE favorites DROP CONSTRAINT favorites_file_id_fkey",
        "ALTER TABLE favorites RENAME TO of_others",
        "CREATE VIEW of_others AS SELECT * FROM favorites",
    ],
    "006_track_splits": [
        "ALTER TABLE track_splits ALTER note_count TYPE bigint",
        "ALTER TABLE track_splits DROP CONSTRAINT track_splits_parent_file_id_fkey, "
        "DROP CONSTRAINT track_splits_split_file_id_fkey",
        "ALTER TABLE track_splits RENAME TO of_others",
        "CREATE TABLE of_others (split bigint REFERENCES track_splits)",
    ],
    "007_enhanced_tags": [
        "ALTER TABLE auto_tagging_rules ALTER tags_to_add TYPE bigint[]",
        "DROP INDEX idx_file_tags_tag_id_file_id; CREATE INDEX idx_file_tags_tag_id_file_id ON tags (name)",
        "CREATE VIEW of_others AS SELECT is_active FROM tags",
        "CREATE TABLE of_others (category integer REFERENCES tag_categories)",
        "CREATE VIEW of_others AS SELECT * FROM pending_tag_suggestions",
    ],
    "008_filename_metadata_fixed": [
        "ALTER TABLE files ALTER filename_bpm TYPE double precision",
        "ALTER TABLE files DROP COLUMN structure_tags",
        "CREATE VIEW of_others AS SELECT metadata_source FROM files",
    ],
    "009_text_metadata": [
        "DROP VIEW files_with_text_metadata; ALTER TABLE files ALTER copyright TYPE varchar; "
        "CREATE VIEW files_with_text_metadata AS SELECT 1",
        "CREATE VIEW of_others AS SELECT lyrics FROM files",
        "CREATE VIEW of_others AS SELECT * FROM files_with_text_metadata",
    ],
    "010_harmonic_analysis": [
        "ALTER TABLE musical_metadata ALTER chord_change_rate TYPE numeric",
        "ALTER TABLE musical_metadata DROP chord_progression, DROP chord_types, DROP has_seventh_chords, "
        "DROP has_extended_chords, DROP chord_change_rate, DROP chord_complexity_score",
        "CREATE VIEW of_others AS SELECT chord_types FROM musical_metadata",
    ],
    "011_enhanced_analysis_json": [
        "ALTER TABLE musical_metadata ALTER structure_data TYPE json USING structure_data::json",
        "ALTER TABLE musical_metadata DROP controller_data, DROP articulation_data, DROP structure_data",
        "CREATE VIEW of_others AS SELECT structure_data FROM musical_metadata",
    ],
    "update_normalized_filenames": [
        "ALTER TABLE files DISABLE TRIGGER files_updated_at_trigger",
        "DROP TABLE normalized_filenames.renamed_file",
        "CREATE TABLE normalized_filenames.of_others (id integer)",
    ],
}
REFUSALS["011_enhanced_analysis_json"][0] = (
    "DROP INDEX idx_musical_metadata_structure_data; " + REFUSALS["011_enhanced_analysis_json"][0]
)

# What people and the analysis did after the migration, beyond the sample rows.
USED = {
    "001_initial_schema": [
        # An extension that was there before, and one that others have come to use.
        "UPDATE schema_migrations SET description = 'extensions created: vector'",
        "CREATE TABLE of_others (name text); CREATE INDEX ON of_others USING gin (name gin_trgm_ops)",
    ],
    "007_enhanced_tags": [
        "CREATE TABLE of_others (tag integer REFERENCES tags ON DELETE CASCADE); "
        "INSERT INTO of_others SELECT id FROM tags WHERE name = 'very-fast'",
        "DELETE FROM tag_suggestions; DELETE FROM tag_aliases; DELETE FROM auto_tagging_rules; "
        "UPDATE tags SET parent_tag_id = NULL; "
        "DELETE FROM file_tags USING tags WHERE tags.id = tag_id AND tags.name <> 'house'; "
        "DELETE FROM tags WHERE name = 'acid techno'",
        "UPDATE tags SET parent_tag_id = (SELECT id FROM tags WHERE name = 'kick') WHERE name = 'rap'",
        "UPDATE tags SET name = 'polka' WHERE name = 'rock'; INSERT INTO tags (name) VALUES ('rock')",
    ],
    "update_normalized_filenames": [
        "UPDATE files SET filename = 'mine.mid', filepath = '/mine.mid' WHERE id = 1",
        "UPDATE files SET filepath = '/moved/' || filename WHERE id = 2",
        "UPDATE files f SET filepath = r.old_filepath FROM normalized_filenames.renamed_file r "
        "WHERE f.id = 12 AND r.file_id = 3",
        "DELETE FROM files WHERE id = 4",
    ],
}

# (stem, what is in the script, what is planted instead)
FAULTS = [
    *((stem, "WHERE version = '", "WHERE version = 'x") for stem in STEMS[1:]),
    *((stem, "IF freed > ALL (SELECT id FROM schema_migrations)", "IF freed < 0") for stem in STEMS[1:]),
    ("001_initial_schema", "'extensions created: (.*)$'", "'extensions: (.*)$'"),
    ("001_initial_schema", "IN ('pg_trgm', 'vector') AND", "IN ('vector') AND"),
    ("001_initial_schema", " AND extname = ANY (string_to_array(created, ', '))", ""),
    (
        "001_initial_schema",
        "format('DROP EXTENSION %I', extension)",
        "format('DROP EXTENSION %I CASCADE', extension)",
    ),
    (
        "001_initial_schema",
        "EXCEPTION WHEN dependent_objects_still_exist THEN",
        "EXCEPTION WHEN no_data THEN",
    ),
    ("001_initial_schema", "IF later IS NOT NULL", "IF false"),
    ("001_initial_schema", "IF grown IS NOT NULL", "IF false"),
    (
        "001_initial_schema",
        "SELECT version FROM schema_migrations WHERE version <> '001'",
        "SELECT NULL WHERE false",
    ),
    ("001_initial_schema", "DROP TYPE musical_key;", "DROP TYPE musical_key CASCADE;"),
    ("001_initial_schema", "DROP TABLE files;", "DROP TABLE files CASCADE;"),
    (
        "001_initial_schema",
        "DROP FUNCTION update_updated_at_column();",
        "DROP FUNCTION update_updated_at_column() CASCADE;",
    ),
    *(
        (stem, "IF strange IS NOT NULL", "IF false")
        for stem in STEMS
        if stem[:3] in ("002", "007", "008", "009", "010", "011")
    ),
    *((stem, "IF found <> expected", "IF false") for stem in ("003_favorites", "006_track_splits")),
    *(
        (stem, "conrelid = to_regclass(", "oid > 0 OR conrelid = to_regclass(")
        for stem in ("003_favorites", "006_track_splits")
    ),
    ("003_favorites", "DROP TABLE favorites;", "DROP TABLE favorites CASCADE;"),
    ("006_track_splits", "DROP TABLE track_splits;", "DROP TABLE track_splits CASCADE;"),
    ("002_add_parent_folder", "DROP COLUMN parent_folder;", "DROP COLUMN parent_folder CASCADE;"),
    ("008_filename_metadata_fixed", "DROP COLUMN metadata_source,", "DROP COLUMN metadata_source CASCADE,"),
    ("009_text_metadata", "DROP COLUMN lyrics,", "DROP COLUMN lyrics CASCADE,"),
    (
        "009_text_metadata",
        "DROP VIEW files_with_text_metadata;",
        "DROP VIEW files_with_text_metadata CASCADE;",
    ),
    (
        "010_harmonic_analysis",
        "DROP COLUMN IF EXISTS chord_types,",
        "DROP COLUMN IF EXISTS chord_types CASCADE,",
    ),
    ("010_harmonic_analysis", "IF present = 0", "IF false"),
    (
        "011_enhanced_analysis_json",
        "DROP COLUMN IF EXISTS structure_data,",
        "DROP COLUMN IF EXISTS structure_data CASCADE,",
    ),
    ("011_enhanced_analysis_json", "IF present = 0", "IF false"),
    ("007_enhanced_tags", "'hihat', 'ride', 'tom'", "'hihat', 'tom'"),
    ("007_enhanced_tags", "'techno', ", ""),
    (
        "007_enhanced_tags",
        "DELETE FROM tags WHERE id = ANY (seeded) AND id <> ALL (in_use)",
        "DELETE FROM tags WHERE false",
    ),
    ("007_enhanced_tags", " AND id <> ALL (in_use)", ""),
    ("007_enhanced_tags", "in_use := in_use || found", "in_use := in_use"),
    ("007_enhanced_tags", "|| ARRAY(SELECT unnest(tags_to_add) FROM auto_tagging_rules)", ""),
    ("007_enhanced_tags", "|| ARRAY(SELECT t.id FROM tags t WHERE t.parent_tag_id IS NOT NULL)", ""),
    ("007_enhanced_tags", "WHERE t.created_at IN (", "WHERE t.created_at NOTNULL OR t.created_at IN ("),
    ("007_enhanced_tags", "IF first_id > ALL (SELECT id FROM tags)", "IF first_id > 0"),
    (
        "007_enhanced_tags",
        "EXECUTE format('ALTER SEQUENCE tags_id_seq",
        "PERFORM format('ALTER SEQUENCE tags_id_seq",
    ),
    ("007_enhanced_tags", "DROP VIEW pending_tag_suggestions;", "DROP VIEW pending_tag_suggestions CASCADE;"),
    ("007_enhanced_tags", "DROP COLUMN is_active,", "DROP COLUMN is_active CASCADE,"),
    ("007_enhanced_tags", "DROP TABLE tag_categories;", "DROP TABLE tag_categories CASCADE;"),
    (
        "update_normalized_filenames",
        "AND f.filename = r.new_filename AND f.filepath = r.new_filepath\n      AND NOT",
        "AND NOT",
    ),
    ("update_normalized_filenames", "filename = r.old_filename, filepath", "filepath"),
    (
        "update_normalized_filenames",
        "\n      AND NOT EXISTS (SELECT FROM files other WHERE other.filepath = r.old_filepath)",
        "",
    ),
    (
        "update_normalized_filenames",
        "DROP SCHEMA normalized_filenames;",
        "DROP SCHEMA normalized_filenames CASCADE;",
    ),
    ("update_normalized_filenames", "AND tgenabled = 'O'", ""),
]


def mutants(stem: str) -> list[tuple[str, str]]:
    """Each fault of a rollback with the script that has it."""
    text = script("rollback", stem)
    found = []
    statements = split(text)
    for number, statement in enumerate(statements):
        code = _code(statement)
        if not any(code.startswith(start) for start in EQUIVALENT):
            rest = ";\n".join([*statements[:number], *statements[number + 1 :]]) + ";\n"
            found.append((f"without {' '.join(code.split())[:60]}", rest))
        actions = re.findall(r"^ +DROP COLUMN .*$", statement, re.M)
        for action in actions if len(actions) > 1 else ():
            without = re.sub(
                r",(\s*)$", r"\1", statement.replace(f"{action}\n" if "," in action else action, "")
            )
            found.append((f"without {action.strip()}", text.replace(statement, without)))
    for owner, old, new in FAULTS:
        if owner == stem:
            assert old in text, f"{stem} no longer has {old!r}"
            found.append((f"{new or 'nothing'} for {old}", text.replace(old, new)))
    return found


def _code(statement: str) -> str:
    return "\n".join(line for line in statement.split("\n") if not line.startswith("--")).strip()


def outcome(transaction: Any, text: str, right: State | str | None = None) -> State | str | None:
    """The state that a script leads to, or the class of the error that it ends with; undone again.

    None when it is another than the right one before the catalog is read, which takes longer than the rest.
    """
    transaction.cursor.execute("SAVEPOINT start")
    try:
        transaction.execute(text)
        if isinstance(right, str):
            return None
        if isinstance(right, State) and contents(transaction.cursor) != (right.rows, right.next_values):
            return None
        return state_within(transaction)
    except psycopg2.Error as error:
        transaction.cursor.execute("ROLLBACK TO start")
        return type(error).__name__
    finally:
        transaction.cursor.execute("ROLLBACK TO start")


@pytest.mark.parametrize("stem", STEMS)
def test_the_rollback_refuses_what_it_must(databases: Any, stem: Any) -> None:
    for fault in REFUSALS[stem]:
        with databases.undone(databases.after(stem)) as transaction:
            transaction.execute(fault)
            assert isinstance(outcome(transaction, script("rollback", stem)), str), fault


@pytest.mark.parametrize(
    ("stem", "table", "mode"),
    [
        ("007_enhanced_tags", "tags", "AccessExclusiveLock"),
        ("007_enhanced_tags", "file_tags", "AccessExclusiveLock"),
        ("007_enhanced_tags", "schema_migrations", "ShareRowExclusiveLock"),
        ("update_normalized_filenames", "files", "ShareRowExclusiveLock"),
    ],
)
def test_a_rollback_keeps_writers_out(databases: Any, stem: str, table: str, mode: str) -> None:
    """The lock is there before the first statement that changes rows, or with it in one block."""
    changing = f"DELETE FROM {table}" if table == "schema_migrations" else "GET DIAGNOSTICS"
    held = (
        f"SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND mode = '{mode}' AND granted"
    )
    with databases.undone(databases.after(stem)) as transaction:
        for statement in split(script("rollback", stem)):
            locks_itself = f"LOCK TABLE {table}" in statement
            if changing in statement and not locks_itself:
                assert transaction.query(held) == [(1,)]
            if _code(statement) not in ("BEGIN", "COMMIT"):
                transaction.execute(statement)
            if changing in statement:
                assert transaction.query(held) == [(1,)]
                return
    pytest.fail(f"{changing} is not in the script")


@pytest.mark.parametrize("stem", STEMS)
def test_every_fault_is_caught(databases: Any, stem: Any) -> None:
    planted = mutants(stem)
    survivors = dict(planted)

    def judge(database: str, prepare: list[str], wanted: State | None = None) -> None:
        """Run the faulty scripts that nothing has caught yet; they are caught when they differ from the right one."""
        with databases.undone(database) as transaction:
            for text in prepare:
                transaction.execute(text)
            right = wanted or outcome(transaction, script("rollback", stem))
            for label, text in list(survivors.items()):
                result = outcome(transaction, text, right)
                both_refuse = isinstance(result, str) and isinstance(right, str)
                both_right = (
                    isinstance(result, State) and isinstance(right, State) and not right.differences(result)
                )
                if not (both_refuse or both_right):
                    del survivors[label]

    with databases.undone(databases.before(stem)) as transaction:
        before = state_within(transaction)
    judge(databases.before(stem), [script("migrations", stem)], before)
    judge(databases.after(stem), [])
    for used in USED.get(stem, []):
        judge(databases.after(stem), [used])
    for refused in REFUSALS[stem]:
        judge(databases.after(stem), [refused])

    assert len(planted) > 3
    assert list(survivors) == []
