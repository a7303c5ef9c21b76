-- ============================================================================
-- Migration: 007_enhanced_tags.sql
-- Rollback: rollback/007_enhanced_tags_rollback.sql
-- Description: Drops the views, functions, tables and columns of the enhanced tags,
--              and takes back the tags that the migration brought.
-- Risk Level: HIGH
-- Data Loss: PARTIAL
-- Requires: 001
-- Transaction: one
-- ============================================================================
--
-- Lost: categories, aliases, rules and suggestions, and the seven columns of tags.
-- Tags that were there before 007 get their old selves back, for 007 wrote only to
-- its own columns of them.
--
-- Which tags 007 brought. Those with a name of its seed and the created_at of its
-- categories: both were written by one transaction. A tag of such a name that was
-- there before has another created_at and is not touched; one that a user renamed
-- has become his.
--
-- Which of them stay. Those that any row refers to: a file (file_tags), a
-- suggestion, an alias, a rule, or a parent tag at either end. Their file_tags
-- stay with them. Rows that go with their table here refer to the tag by its id,
-- and whoever keeps them aside to bring them back needs that id to mean the same
-- tag. Every foreign key on tags is asked, those of tables unknown here too, so
-- that no deletion cascades into rows of others.

BEGIN;

-- Everything that 007 makes must be here and be what it made.
DO $$
DECLARE
    strange text;
BEGIN
    SELECT string_agg(format('%s.%s is %s, not %s', expected.relation, expected.name,
                             coalesce(format_type(a.atttypid, a.atttypmod), 'missing'), expected.type), '; ')
    INTO strange
    FROM (VALUES
        ('tags', 'category_id', 'integer'),
        ('tags', 'priority', 'integer'),
        ('tags', 'auto_detected', 'boolean'),
        ('tags', 'confidence_score', 'numeric(3,2)'),
        ('tags', 'detection_method', 'character varying(50)'),
        ('tags', 'parent_tag_id', 'integer'),
        ('tags', 'is_active', 'boolean'),
        ('tag_categories', 'name', 'character varying(50)'),
        ('tag_categories', 'created_at', 'timestamp with time zone'),
        ('tag_aliases', 'alias', 'character varying(100)'),
        ('auto_tagging_rules', 'tags_to_add', 'integer[]'),
        ('tag_suggestions', 'suggested_tag_id', 'integer')
    ) AS expected (relation, name, type)
    LEFT JOIN pg_attribute a
        ON a.attrelid = to_regclass(expected.relation) AND a.attname = expected.name AND NOT a.attisdropped
    WHERE format_type(a.atttypid, a.atttypmod) IS DISTINCT FROM expected.type;

    IF strange IS NOT NULL THEN
        RAISE EXCEPTION 'Migration 007 is not in place: %', strange;
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_index
        WHERE indexrelid = to_regclass('idx_file_tags_tag_id_file_id') AND indrelid = to_regclass('file_tags')
    ) THEN
        RAISE EXCEPTION 'Index idx_file_tags_tag_id_file_id of migration 007 is missing or not on file_tags';
    END IF;
END;
$$;

-- Nobody may put a tag to use between looking and deleting.
LOCK TABLE tags, file_tags, tag_categories, tag_aliases, auto_tagging_rules, tag_suggestions IN ACCESS EXCLUSIVE MODE;

DROP VIEW pending_tag_suggestions;
DROP VIEW popular_tags_by_category;
DROP VIEW tags_with_categories;
DROP FUNCTION suggest_tags_from_similar_files(bigint, integer);
DROP FUNCTION get_tags_by_category(varchar);

-- While tag_categories is there: afterwards nothing tells a seeded tag from another.
DO $$
DECLARE
    seeded    integer[];
    in_use    integer[] := '{}';
    found     integer[];
    reference record;
    first_id  integer;
    removed   bigint;
BEGIN
    SELECT coalesce(array_agg(t.id), '{}'), min(t.id)
    INTO seeded, first_id
    FROM tags t
    WHERE t.created_at IN (
              SELECT c.created_at
              FROM tag_categories c
              WHERE c.name IN ('genre', 'instrument', 'element', 'key', 'tempo', 'mood', 'technical', 'structure',
                               'library', 'world')
          )
      AND t.name IN ('dubstep', 'house', 'deep-house', 'techno', 'trap', 'future-bass', 'dnb', 'drum-and-bass',
                     'psy-trance', 'trance', 'glitch', 'ambient', 'edm', 'hip-hop', 'rap', 'rnb', 'pop', 'soul',
                     'jazz', 'rock', 'cinematic', 'classical', 'world', 'traditional', 'drums', 'kick', 'snare', 'hat',
                     'hihat', 'ride', 'tom', 'clap', 'percussion', 'bass', 'synth', 'lead', 'pad', 'piano', 'strings',
                     'guitar', 'djembe', 'tabla', 'darabuka', 'conga', 'bongo', 'chords', 'melody', 'bassline', 'loop',
                     'arpeggio', 'progression', 'intro', 'verse', 'chorus', 'bridge', 'outro', 'breakdown', 'slow',
                     'mid-tempo', 'upbeat', 'fast', 'very-fast');

    FOR reference IN
        SELECT c.conrelid::regclass AS relation, mine.attname AS referring, theirs.attname AS referred
        FROM pg_constraint c
        JOIN pg_attribute mine ON mine.attrelid = c.conrelid AND mine.attnum = c.conkey[1]
        JOIN pg_attribute theirs ON theirs.attrelid = c.confrelid AND theirs.attnum = c.confkey[1]
        WHERE c.contype = 'f' AND c.confrelid = 'tags'::regclass
    LOOP
        EXECUTE format('SELECT array_agg(t.id) FROM tags t WHERE t.id = ANY ($1) '
                       'AND EXISTS (SELECT FROM %s r WHERE r.%I = t.%I)',
                       reference.relation, reference.referring, reference.referred)
        INTO found USING seeded;
        in_use := in_use || found;
    END LOOP;

    in_use := in_use
        || ARRAY(SELECT unnest(tags_to_add) FROM auto_tagging_rules)
        || ARRAY(SELECT t.id FROM tags t WHERE t.parent_tag_id IS NOT NULL);

    DELETE FROM tags WHERE id = ANY (seeded) AND id <> ALL (in_use);
    -- In the same block as the DELETE: the count is gone with the block.
    GET DIAGNOSTICS removed = ROW_COUNT;
    RAISE NOTICE 'Removed % tag(s) that migration 007 brought; kept % that are in use',
        removed, cardinality(seeded) - removed;

    -- Back to the value that stood before the seed, unless a tag from there on remains: an id that
    -- stands for a kept tag, or stood for one between two that are kept, is never given out again.
    IF first_id > ALL (SELECT id FROM tags) AND first_id <= (SELECT last_value FROM tags_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE tags_id_seq RESTART WITH %s', first_id);
    END IF;
END;
$$;

DROP INDEX idx_file_tags_tag_id_file_id;

-- Without CASCADE: each refuses while anything of others depends on it.
DROP TABLE tag_suggestions;
DROP TABLE auto_tagging_rules;
DROP TABLE tag_aliases;

-- Checks, foreign keys, indexes and comments go with the columns.
ALTER TABLE tags
    DROP COLUMN is_active,
    DROP COLUMN parent_tag_id,
    DROP COLUMN detection_method,
    DROP COLUMN confidence_score,
    DROP COLUMN auto_detected,
    DROP COLUMN priority,
    DROP COLUMN category_id;

DROP TABLE tag_categories;

-- The version row goes, and the sequence goes back to where it stood if nothing
-- was recorded after it: the next value is then the one it was before. ALTER
-- SEQUENCE is undone by a ROLLBACK, setval() would not be; the lock keeps writers
-- of the table away between looking and setting.
DO $$
DECLARE
    freed integer;
BEGIN
    LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM schema_migrations WHERE version = '007' RETURNING id INTO freed;
    IF freed > ALL (SELECT id FROM schema_migrations)
       AND freed <= (SELECT last_value FROM schema_migrations_id_seq) THEN
        EXECUTE format('ALTER SEQUENCE schema_migrations_id_seq RESTART WITH %s', freed);
    END IF;
END;
$$;

COMMIT;
