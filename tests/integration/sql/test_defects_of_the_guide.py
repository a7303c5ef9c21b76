# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""None of the defects measured in the scripts of the rollback guide is in ours.

In the order of the guide's scripts: all of them, 001, 007, the column migrations, the templates. Those of the
filename migration are in test_filename_migration.py, one test for each; round trips are in test_rollbacks.py.
"""

from __future__ import annotations

import re
from typing import Any

import pglast
import pytest
from pglast import ast

from tests.integration.sql.database_state import state_within
from tests.integration.sql.midi_library import PROJECT, STEMS, script

LATER = STEMS[1:]
SEEDED = "t.created_at IN (SELECT created_at FROM tag_categories WHERE name = 'genre')"


def code(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("--"))


# ---- all scripts


@pytest.mark.parametrize("stem", STEMS)
def test_a_rollback_names_only_what_the_migration_made(stem: Any) -> None:
    text = code(script("rollback", stem))

    assert "CASCADE" not in text
    assert "setval" not in text
    assert "pg_sleep" not in text
    guarded = re.findall(r"IF EXISTS", text)
    assert guarded == [] or (
        stem[:3] in ("010", "011") and set(re.findall(r"(\w+ \w+) IF EXISTS", text)) == {"DROP COLUMN"}
    )


@pytest.mark.parametrize("stem", STEMS)
def test_every_transaction_statement_is_outside_and_nothing_follows_commit(stem: Any) -> None:
    """The guide writes a row before BEGIN, waits there, and checks after COMMIT, where nothing can be taken back."""
    for kind in ("migrations", "rollback"):
        statements = [s.stmt for s in pglast.parse_sql(script(kind, stem))]
        assert isinstance(statements[0], ast.TransactionStmt)
        assert isinstance(statements[-1], ast.TransactionStmt)


@pytest.mark.parametrize("stem", STEMS)
def test_a_rollback_of_what_is_not_in_place_refuses_and_changes_nothing(databases: Any, stem: Any) -> None:
    """The guide's template says 'Nothing to rollback', and then rolls back all the same."""
    with databases.undone(databases.before(stem)) as transaction:
        before = state_within(transaction)
        error = transaction.refusal(script("rollback", stem))
        assert "is not in place" in error
        assert before.differences(state_within(transaction)) == []


@pytest.mark.parametrize("stem", LATER)
def test_it_is_the_catalog_that_says_what_is_applied(databases: Any, stem: Any) -> None:
    """Of the real library only 001 and 003 are recorded; the others must be rolled back as well."""
    with databases.undone(databases.before(stem)) as transaction:
        before = state_within(transaction)
        transaction.execute(script("migrations", stem))
        transaction.execute("DELETE FROM schema_migrations WHERE version <> '001'")
        transaction.execute(script("rollback", stem))
        assert state_within(transaction).schema == before.schema


@pytest.mark.parametrize("stem", LATER)
def test_schema_migrations_holds_versions_and_nothing_else(databases: Any, stem: Any) -> None:
    """Every migration records itself, its rollback takes that back, and no row 009_rollback_start stays."""
    versions = "SELECT version FROM schema_migrations ORDER BY id"
    with databases.undone(databases.before(stem)) as transaction:
        before = transaction.query(versions)
        transaction.execute(script("migrations", stem))
        own = stem.split("_")[0] if stem[0].isdigit() else stem
        assert transaction.query(versions) == [*before, (own,)]
        transaction.execute(script("rollback", stem))
        assert transaction.query(versions) == before


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("kind", ["migrations", "rollback"])
def test_headers_tell_the_facts(stem: Any, kind: str) -> None:
    facts = dict(
        re.findall(
            r"^-- (Migration|Rollback|Risk Level|Data Loss|Requires|Transaction): (.*)$",
            script(kind, stem),
            re.M,
        )
    )

    assert facts["Migration"] == f"{stem}.sql"
    assert facts["Rollback"] == f"rollback/{stem}_rollback.sql"
    assert facts["Risk Level"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL")
    assert facts["Data Loss"] in ("NONE", "PARTIAL", "COMPLETE")
    assert facts["Requires"] == ("none" if stem == STEMS[0] else "001")
    assert facts["Transaction"] == "one"


@pytest.mark.parametrize(
    ("stem", "earlier", "still_there"),
    [
        (
            "002_add_parent_folder",
            "ALTER TABLE files ADD parent_folder varchar(9)",
            "SELECT parent_folder FROM files",
        ),
        ("003_favorites", "CREATE TABLE favorites (file_id bigint)", "SELECT file_id FROM favorites"),
        ("006_track_splits", "CREATE TABLE track_splits (id integer)", "SELECT id FROM track_splits"),
        ("007_enhanced_tags", "CREATE TABLE tag_aliases (id integer)", "SELECT id FROM tag_aliases"),
        (
            "008_filename_metadata_fixed",
            "ALTER TABLE files ADD metadata_source text",
            "SELECT metadata_source FROM files",
        ),
        ("009_text_metadata", "ALTER TABLE files ADD lyrics text", "SELECT lyrics FROM files"),
        (
            "010_harmonic_analysis",
            "CREATE INDEX idx_chord_types ON harmonic_patterns (chord_types)",
            "SELECT 1",
        ),
        (
            "011_enhanced_analysis_json",
            "ALTER TABLE musical_metadata ADD structure_data text",
            "SELECT structure_data FROM musical_metadata",
        ),
        ("update_normalized_filenames", "CREATE SCHEMA normalized_filenames", "SELECT 1"),
    ],
)
def test_a_foreign_object_of_the_same_name_is_neither_adopted_nor_dropped(
    databases: Any, stem: str, earlier: str, still_there: str
) -> None:
    with databases.undone(databases.before(stem)) as transaction:
        transaction.execute(earlier)
        before = state_within(transaction)
        assert "already exists" in transaction.refusal(script("migrations", stem))
        assert transaction.refusal(script("rollback", stem)) is not None
        transaction.query(still_there)
        assert before.schema == state_within(transaction).schema


# ---- 001


@pytest.mark.parametrize("count", range(2, len(STEMS) + 1), ids=LATER)
def test_001_refuses_under_later_migrations_even_unrecorded(databases: Any, count: Any) -> None:
    with databases.undone(databases.stage(count)) as transaction:
        transaction.execute("DELETE FROM schema_migrations WHERE version <> '001'")
        before = state_within(transaction)
        error = transaction.refusal(script("rollback", STEMS[0]))

        assert "cannot be rolled back under later migrations" in error
        assert before.differences(state_within(transaction)) == []


@pytest.mark.parametrize("stem", LATER)
def test_001_refuses_under_any_single_later_migration_and_names_it(databases: Any, stem: Any) -> None:
    with databases.undone(databases.stage(1)) as transaction:
        transaction.execute(script("migrations", stem))
        transaction.execute("DELETE FROM schema_migrations WHERE version <> '001'")
        own = stem.split("_")[0] if stem[0].isdigit() else stem
        assert f"under later migrations: {own}\n" in transaction.refusal(script("rollback", STEMS[0]))


def test_001_leaves_extensions_that_were_there_before(databases: Any) -> None:
    with databases.undone(databases.stage(0)) as transaction:
        transaction.execute(
            "CREATE SCHEMA other; CREATE EXTENSION vector; CREATE EXTENSION pg_trgm;"
            "CREATE TABLE other.emb (name text, v vector(3)); CREATE INDEX ON other.emb USING gin (name gin_trgm_ops)"
        )
        before = state_within(transaction)
        transaction.execute(script("migrations", STEMS[0]))
        transaction.execute(script("rollback", STEMS[0]))
        assert before.differences(state_within(transaction)) == []


@pytest.mark.parametrize("present", ["vector", "pg_trgm"])
def test_001_leaves_the_one_extension_that_was_there_and_unused(databases: Any, present: str) -> None:
    with databases.undone(databases.stage(0)) as transaction:
        transaction.execute(f"CREATE EXTENSION {present}")
        before = state_within(transaction)
        transaction.execute(script("migrations", STEMS[0]))
        transaction.execute(script("rollback", STEMS[0]))
        assert before.differences(state_within(transaction)) == []


def test_001_leaves_an_extension_that_others_have_come_to_use(databases: Any) -> None:
    with databases.undone(databases.stage(1)) as transaction:
        transaction.execute(
            "CREATE SCHEMA other; CREATE TABLE other.emb (v vector(3)); INSERT INTO other.emb VALUES ('[1,2,3]')"
        )
        notices = transaction.execute(script("rollback", STEMS[0]))

        assert transaction.query("SELECT v::text FROM other.emb") == [("[1,2,3]",)]
        assert transaction.query(
            "SELECT extname FROM pg_extension WHERE extname IN ('vector', 'pg_trgm')"
        ) == [("vector",)]
        assert any("Extension vector stays" in notice and "other.emb" in notice for notice in notices)


def test_001_after_a_dump_and_a_restore_still_knows_its_extensions(databases: Any) -> None:
    """A trace in transaction ids would be lost; the version row is data and travels along."""
    with databases.undone(databases.stage(0)) as transaction:
        transaction.execute(script("migrations", STEMS[0]))
        [(description,)] = transaction.query("SELECT description FROM schema_migrations")
    assert description.endswith("extensions created: pg_trgm, vector")


# ---- 007


def tags(transaction: Any) -> set[str]:
    return {name for (name,) in transaction.query("SELECT name FROM tags")}


def test_007_takes_back_exactly_the_tags_it_brought(databases: Any) -> None:
    with databases.undone(databases.before("007_enhanced_tags")) as transaction:
        before = state_within(transaction)
        transaction.execute(script("migrations", "007_enhanced_tags"))
        brought = transaction.query(f"SELECT count(*) FROM tags t WHERE {SEEDED}")
        assert brought == [(53,)]  # 62 names, of which the sample rows have nine already
        notices = transaction.execute(script("rollback", "007_enhanced_tags"))
        assert before.differences(state_within(transaction)) == []
        assert any("Removed 53 tag(s) that migration 007 brought; kept 0" in notice for notice in notices)


@pytest.mark.parametrize(
    "use",
    [
        "INSERT INTO file_tags (file_id, tag_id) SELECT 1, id FROM tags WHERE name = 'techno'",
        "INSERT INTO tag_suggestions (file_id, suggested_tag_id, confidence, source) "
        "SELECT 1, id, 1, '' FROM tags WHERE name = 'techno'",
        "INSERT INTO tag_aliases (tag_id, alias) SELECT id, 'tekno' FROM tags WHERE name = 'techno'",
        "INSERT INTO auto_tagging_rules (rule_name, rule_type, pattern, tags_to_add) "
        "SELECT '', '', '', ARRAY[id] FROM tags WHERE name = 'techno'",
        "UPDATE tags SET parent_tag_id = (SELECT id FROM tags WHERE name = 'techno') WHERE name = 'jazz'",
        "UPDATE tags SET parent_tag_id = (SELECT id FROM tags WHERE name = 'jazz') WHERE name = 'techno'",
        "CREATE TABLE later (tag text REFERENCES tags (name) ON DELETE CASCADE); INSERT INTO later VALUES ('techno')",
    ],
)
def test_007_keeps_a_seeded_tag_that_a_row_refers_to(databases: Any, use: str) -> None:
    with databases.undone(databases.before("007_enhanced_tags")) as transaction:
        before = tags(transaction)
        transaction.execute(script("migrations", "007_enhanced_tags"))
        transaction.execute(use)
        [(number,)] = transaction.query("SELECT id FROM tags WHERE name = 'techno'")
        used = transaction.query("SELECT * FROM file_tags ORDER BY 1, 2")
        notices = transaction.execute(script("rollback", "007_enhanced_tags"))

        assert tags(transaction) == before | {"techno"}
        assert transaction.query("SELECT * FROM file_tags ORDER BY 1, 2") == used
        assert any("Removed 52 tag(s) that migration 007 brought; kept 1" in notice for notice in notices)
        # A new tag must not get the id of the kept one, nor an id that stood for a removed one.
        assert transaction.query("INSERT INTO tags (name) VALUES ('next') RETURNING id")[0][0] > number

        # In one transaction now() stands still; the second cycle is to be a later one.
        transaction.execute(
            "UPDATE tags SET created_at = created_at - interval '1 day' WHERE name = 'techno'"
        )
        transaction.execute(script("migrations", "007_enhanced_tags"))
        transaction.execute(script("verify", "007_enhanced_tags"))
        assert transaction.query("SELECT id, priority FROM tags WHERE name = 'techno'") == [(number, 10)]
        transaction.execute(script("rollback", "007_enhanced_tags"))
        assert tags(transaction) == before | {"techno", "next"}, (
            "a tag kept once was there before the second time"
        )


def test_007_leaves_tags_of_users_alone(databases: Any) -> None:
    with databases.undone(databases.after("007_enhanced_tags")) as transaction:
        transaction.execute(
            "UPDATE tags SET name = 'my rock' WHERE name = 'rock'; INSERT INTO tags (name) VALUES ('new one')"
        )
        transaction.execute(script("rollback", "007_enhanced_tags"))
        assert {"my rock", "new one", "acid techno", "my favourites"} <= tags(transaction)


def test_007_does_not_use_up_numbers_for_tags_that_exist(databases: Any) -> None:
    with databases.undone(databases.before("007_enhanced_tags")) as transaction:
        first = state_within(transaction).next_values["public.tags_id_seq"]
        transaction.execute(script("migrations", "007_enhanced_tags"))
        assert state_within(transaction).next_values["public.tags_id_seq"] == first + 53


def test_007_functions_answer(databases: Any) -> None:
    with databases.undone(databases.after("007_enhanced_tags")) as transaction:
        assert transaction.query("SELECT tag_name FROM get_tags_by_category('my own')") == [("acid techno",)]
        assert transaction.query("SELECT count(*) FROM get_tags_by_category(NULL)") == [(0,)]
        rows = transaction.query(
            "SELECT tag_id, tag_name, confidence, usage_frequency FROM suggest_tags_from_similar_files(8, 3)"
        )
        assert 0 < len(rows) <= 3
        own = transaction.query("SELECT tag_id FROM file_tags WHERE file_id = 8")
        assert {tag for tag, *_ in rows}.isdisjoint(tag for (tag,) in own)
        assert [round(float(c), 2) for _, _, c, _ in rows] == [min(n / 100, 0.95) for *_, n in rows]
        assert transaction.query("SELECT count(*) FROM suggest_tags_from_similar_files(-5)") == [(0,)]


# ---- 009, 010, 002, 006, 011


def test_009_parts_files_with_lyrics_from_files_without(databases: Any) -> None:
    count = "SELECT count(*), count(has_lyrics) FROM search_files_by_text_metadata(p_has_lyrics => {}, p_limit => NULL)"
    with databases.undone(databases.after("009_text_metadata")) as transaction:
        [(everything, known)] = transaction.query(count.format("NULL"))
        [(without, _)] = transaction.query(count.format("false"))
        [(with_lyrics, _)] = transaction.query(count.format("true"))
        assert everything == known == without + with_lyrics == 60
        empty = transaction.query("SELECT count(*) FROM files WHERE lyrics = '{}'")
        assert without > empty[0][0] > 0
        assert with_lyrics > 0


def test_009_takes_view_and_functions_along(databases: Any) -> None:
    with databases.undone(databases.after("009_text_metadata")) as transaction:
        transaction.execute(script("rollback", "009_text_metadata"))
        left = (
            "SELECT proname FROM pg_proc WHERE proname ~ 'text_metadata' "
            "UNION SELECT relname FROM pg_class WHERE relname ~ 'text_metadata'"
        )
        assert transaction.query(left) == []


def test_010_leaves_an_index_of_that_name_on_another_table(databases: Any) -> None:
    with databases.undone(databases.after("010_harmonic_analysis")) as transaction:
        transaction.execute(
            "DROP INDEX idx_chord_types; CREATE INDEX idx_chord_types ON harmonic_patterns USING gin (chord_types)"
        )
        transaction.execute(script("rollback", "010_harmonic_analysis"))
        assert transaction.query(
            "SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = 'idx_chord_types'::regclass"
        ) == [("harmonic_patterns",)]


@pytest.mark.parametrize(
    ("stem", "half"),
    [
        ("002_add_parent_folder", "DROP INDEX idx_files_parent_folder"),
        ("006_track_splits", "DROP INDEX idx_track_splits_instrument, idx_track_splits_split_file_id"),
        (
            "010_harmonic_analysis",
            "ALTER TABLE musical_metadata DROP chord_change_rate, DROP chord_complexity_score",
        ),
        ("011_enhanced_analysis_json", "ALTER TABLE musical_metadata DROP structure_data"),
    ],
)
def test_a_migration_that_once_stopped_half_way_can_be_rolled_back(
    databases: Any, stem: str, half: str
) -> None:
    """002, 006, 010 and 011 used to run without a transaction, so an adopted database may have half of one."""
    with databases.undone(databases.before(stem)) as transaction:
        before = state_within(transaction)
        transaction.execute(script("migrations", stem))
        transaction.execute(half)
        transaction.execute(script("rollback", stem))
        assert state_within(transaction).schema == before.schema


# ---- filenames: what is left


def test_the_filename_migration_leaves_neither_columns_nor_function_behind(databases: Any) -> None:
    stem = "update_normalized_filenames"
    with databases.undone(databases.before(stem)) as transaction:
        before = state_within(transaction)
        transaction.execute(script("migrations", stem))
        public = {
            name: facts
            for name, facts in state_within(transaction).schema.items()
            if "normalized_filenames" not in name
        }
        assert public == before.schema
        transaction.execute(script("rollback", stem))
        assert state_within(transaction).schema == before.schema


def test_every_script_of_the_guide_is_there() -> None:
    folders = {
        folder: {file.name for file in (PROJECT / "sql" / folder).glob("*.sql")}
        for folder in ("migrations", "rollback", "verify")
    }
    assert folders["migrations"] == folders["verify"] == {f"{stem}.sql" for stem in STEMS}
    assert folders["rollback"] == {f"{stem}_rollback.sql" for stem in STEMS}
