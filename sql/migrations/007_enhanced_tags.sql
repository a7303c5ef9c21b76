-- ============================================================================
-- Migration: 007_enhanced_tags.sql
-- Rollback: rollback/007_enhanced_tags_rollback.sql
-- Description: Adds tag categories, aliases, automatic rules and suggestions,
--              seven columns on tags, 10 categories and 62 tags to start with,
--              three views and two functions.
-- Risk Level: MEDIUM
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================

BEGIN;

-- ----------------------------------------------------------------------------
-- Categories
-- ----------------------------------------------------------------------------

CREATE TABLE tag_categories (
    id          serial      PRIMARY KEY,
    name        varchar(50) NOT NULL UNIQUE,
    description text,
    priority    integer     DEFAULT 50,
    color       varchar(7),
    created_at  timestamptz DEFAULT now()
);

INSERT INTO tag_categories (name, priority, color, description) VALUES
    ('genre',      10, '#3498db', 'Musical genres'),
    ('instrument', 20, '#2ecc71', 'Instruments and other sources of sound'),
    ('element',    30, '#e67e22', 'Building blocks of music'),
    ('key',        40, '#9b59b6', 'Keys and scales'),
    ('tempo',      50, '#e74c3c', 'Ranges of tempo'),
    ('mood',       60, '#f39c12', 'Feelings and atmospheres'),
    ('technical',  70, '#95a5a6', 'Attributes of the production'),
    ('structure',  80, '#1abc9c', 'Parts of a song'),
    ('library',    85, '#34495e', 'Manufacturers and sample libraries'),
    ('world',      90, '#d35400', 'Regions and cultures of the world');

-- ----------------------------------------------------------------------------
-- Tags
-- ----------------------------------------------------------------------------

-- Constant defaults: existing tags are not rewritten. The lock this takes lasts
-- until COMMIT, so no tag can come in between the two halves of the seed below.
ALTER TABLE tags
    ADD COLUMN category_id      integer       REFERENCES tag_categories (id),
    ADD COLUMN priority         integer       DEFAULT 50,
    ADD COLUMN auto_detected    boolean       DEFAULT false,
    ADD COLUMN confidence_score numeric(3, 2) DEFAULT 0.00 CHECK (confidence_score >= 0 AND confidence_score <= 1),
    ADD COLUMN detection_method varchar(50),
    ADD COLUMN parent_tag_id    integer       REFERENCES tags (id),
    ADD COLUMN is_active        boolean       DEFAULT true;

COMMENT ON COLUMN tags.detection_method IS
    'How the tag was found: pack_exact, folder_exact, filename_pattern, bpm_detection, key_detection, '
    'contextual or mood_inference';

-- A tag that exists keeps its id, category and usage_count and only gets values
-- in the new columns, so that dropping these columns undoes all of it. Update
-- first and insert the missing, instead of ON CONFLICT, which would use up a
-- value of tags_id_seq for each tag that is already there.
--
-- now() is the start of the transaction: the tags inserted here share their
-- created_at with the categories above. By that the rollback knows them.
WITH seed_group (ordinal, category, priority, confidence, names) AS (
    VALUES
        (1, 'genre', 10, 0.95, ARRAY['dubstep', 'house', 'deep-house', 'techno', 'trap', 'future-bass', 'dnb',
                                     'drum-and-bass', 'psy-trance', 'trance', 'glitch', 'ambient']),
        (2, 'genre', 10, 0.90, ARRAY['edm']),
        (3, 'genre', 10, 0.95, ARRAY['hip-hop', 'rap', 'rnb', 'pop', 'soul', 'jazz', 'rock', 'cinematic', 'classical']),
        (4, 'world', 10, 0.90, ARRAY['world', 'traditional']),
        (5, 'instrument', 20, 0.95, ARRAY['drums', 'kick', 'snare', 'hat', 'hihat', 'ride', 'tom', 'clap', 'percussion',
                                          'bass', 'synth', 'lead', 'pad', 'piano', 'strings', 'guitar', 'djembe',
                                          'tabla', 'darabuka', 'conga', 'bongo']),
        (6, 'element', 30, 0.90, ARRAY['chords', 'melody', 'bassline', 'loop', 'arpeggio', 'progression']),
        (7, 'structure', 80, 0.90, ARRAY['intro', 'verse', 'chorus', 'bridge', 'outro', 'breakdown']),
        (8, 'tempo', 50, 0.85, ARRAY['slow', 'mid-tempo', 'upbeat', 'fast', 'very-fast'])
), seed AS (
    SELECT g.ordinal, n.position, n.name, c.id AS category_id, g.priority, g.confidence
    FROM seed_group g
    JOIN tag_categories c ON c.name = g.category
    CROSS JOIN LATERAL unnest(g.names) WITH ORDINALITY AS n (name, position)
), known AS (
    UPDATE tags t
    SET category_id = s.category_id, priority = s.priority, auto_detected = true, confidence_score = s.confidence
    FROM seed s
    WHERE t.name = s.name
    RETURNING t.name
)
INSERT INTO tags (name, usage_count, category_id, priority, auto_detected, confidence_score)
SELECT s.name, 0, s.category_id, s.priority, true, s.confidence
FROM seed s
WHERE NOT EXISTS (SELECT FROM known k WHERE k.name = s.name)
ORDER BY s.ordinal, s.position;

CREATE INDEX idx_tags_category_id ON tags (category_id);
CREATE INDEX idx_tags_priority ON tags (priority);
CREATE INDEX idx_tags_auto_detected ON tags (auto_detected);
CREATE INDEX idx_file_tags_tag_id_file_id ON file_tags (tag_id, file_id);

-- ----------------------------------------------------------------------------
-- Aliases, rules and suggestions
-- ----------------------------------------------------------------------------

CREATE TABLE tag_aliases (
    id         serial       PRIMARY KEY,
    tag_id     integer      NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    alias      varchar(100) NOT NULL,
    created_at timestamptz  DEFAULT now(),
    UNIQUE (tag_id, alias)
);

CREATE INDEX idx_tag_aliases_alias ON tag_aliases (alias);
CREATE INDEX idx_tag_aliases_tag_id ON tag_aliases (tag_id);

CREATE TABLE auto_tagging_rules (
    id          serial        PRIMARY KEY,
    rule_name   varchar(100)  NOT NULL,
    rule_type   varchar(50)   NOT NULL,
    pattern     varchar(500)  NOT NULL,
    tags_to_add integer[]     NOT NULL,
    confidence  numeric(3, 2) DEFAULT 0.85,
    priority    integer       DEFAULT 50,
    is_active   boolean       DEFAULT true,
    created_at  timestamptz   DEFAULT now(),
    updated_at  timestamptz   DEFAULT now()
);

CREATE INDEX idx_auto_tagging_rules_type ON auto_tagging_rules (rule_type);
CREATE INDEX idx_auto_tagging_rules_active ON auto_tagging_rules (is_active);

COMMENT ON TABLE auto_tagging_rules IS 'Rules that put tags on files by the name of their pack, folder or file';

CREATE TABLE tag_suggestions (
    id               serial        PRIMARY KEY,
    file_id          bigint        NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    suggested_tag_id integer       NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    confidence       numeric(3, 2) NOT NULL,
    source           varchar(50)   NOT NULL,
    is_accepted      boolean,
    accepted_at      timestamptz,
    created_at       timestamptz   DEFAULT now(),
    UNIQUE (file_id, suggested_tag_id)
);

CREATE INDEX idx_tag_suggestions_file_id ON tag_suggestions (file_id);
CREATE INDEX idx_tag_suggestions_confidence ON tag_suggestions (confidence DESC);
CREATE INDEX idx_tag_suggestions_accepted ON tag_suggestions (is_accepted);

-- ----------------------------------------------------------------------------
-- Views
-- ----------------------------------------------------------------------------

CREATE VIEW tags_with_categories AS
SELECT t.id,
       t.name,
       t.usage_count,
       c.name AS category,
       c.color AS category_color,
       t.priority,
       t.auto_detected,
       t.confidence_score,
       t.detection_method,
       t.is_active,
       t.created_at
FROM tags t
LEFT JOIN tag_categories c ON c.id = t.category_id
WHERE t.is_active = true
ORDER BY c.priority, t.priority, t.usage_count DESC;

CREATE VIEW popular_tags_by_category AS
SELECT c.name AS category,
       c.color AS category_color,
       t.name AS tag_name,
       t.usage_count,
       t.auto_detected,
       t.confidence_score
FROM tags t
JOIN tag_categories c ON c.id = t.category_id
WHERE t.is_active = true AND t.usage_count > 0
ORDER BY c.priority, t.usage_count DESC;

CREATE VIEW pending_tag_suggestions AS
SELECT s.id,
       s.file_id,
       f.filename,
       t.name AS suggested_tag,
       c.name AS tag_category,
       s.confidence,
       s.source,
       s.created_at
FROM tag_suggestions s
JOIN files f ON f.id = s.file_id
JOIN tags t ON t.id = s.suggested_tag_id
LEFT JOIN tag_categories c ON c.id = t.category_id
WHERE s.is_accepted IS NULL
ORDER BY s.confidence DESC, s.created_at DESC;

-- ----------------------------------------------------------------------------
-- Functions
-- ----------------------------------------------------------------------------

-- The cast is needed: tags.name is text, and RETURN QUERY insists on the declared type.
CREATE FUNCTION get_tags_by_category(p_category varchar)
RETURNS TABLE (tag_id integer, tag_name varchar, usage_count integer, confidence numeric)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT t.id, t.name::varchar, t.usage_count, t.confidence_score
    FROM tags t
    JOIN tag_categories c ON c.id = t.category_id
    WHERE c.name = p_category AND t.is_active = true
    ORDER BY t.usage_count DESC, t.name;
END;
$$;

-- Every column is qualified: tag_id, tag_name and confidence are also names of
-- the result's columns, and an unqualified one would be ambiguous.
CREATE FUNCTION suggest_tags_from_similar_files(p_file_id bigint, p_limit integer DEFAULT 5)
RETURNS TABLE (tag_id integer, tag_name varchar, confidence numeric, usage_frequency bigint)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH similar_file AS (
        SELECT other.id
        FROM files given
        LEFT JOIN musical_metadata given_music ON given_music.file_id = given.id
        CROSS JOIN files other
        LEFT JOIN musical_metadata other_music ON other_music.file_id = other.id
        WHERE given.id = p_file_id
          AND other.id <> p_file_id
          AND (abs(other_music.bpm - given_music.bpm) < 5
               OR other_music.key_signature = given_music.key_signature
               OR abs(other.duration_seconds - given.duration_seconds) < 10)
        ORDER BY other.id
        LIMIT 100
    ), occurrence AS (
        SELECT ft.tag_id AS id, count(*) AS files
        FROM similar_file
        JOIN file_tags ft ON ft.file_id = similar_file.id
        WHERE NOT EXISTS (
            SELECT FROM file_tags own WHERE own.file_id = p_file_id AND own.tag_id = ft.tag_id
        )
        GROUP BY ft.tag_id
    )
    SELECT t.id, t.name::varchar, least(occurrence.files / 100.0, 0.95)::numeric(3, 2), occurrence.files
    FROM occurrence
    JOIN tags t ON t.id = occurrence.id
    WHERE t.is_active = true
    ORDER BY occurrence.files DESC, t.usage_count DESC, t.name
    LIMIT p_limit;
END;
$$;

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT '007', 'Tag categories, aliases, automatic rules and suggestions'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = '007')
ON CONFLICT (version) DO NOTHING;

COMMIT;
