-- ============================================================================
-- Migration: 001_initial_schema.sql
-- Rollback: rollback/001_initial_schema_rollback.sql
-- Description: The base schema of the MIDI library: 2 extensions, 2 enums,
--              16 tables, 72 named indexes, 5 trigger functions with their
--              triggers and 3 views.
-- Risk Level: LOW
-- Data Loss: NONE
-- Requires: none
-- Transaction: one
-- ============================================================================
--
-- Everything is created plainly, without IF NOT EXISTS or OR REPLACE: on a
-- database that already holds an object of one of these names the script stops
-- instead of building on something it did not make.

BEGIN;

-- ----------------------------------------------------------------------------
-- Record of applied migrations, and the extensions
-- ----------------------------------------------------------------------------

CREATE TABLE schema_migrations (
    id          serial      PRIMARY KEY,
    version     text        NOT NULL UNIQUE,
    description text,
    applied_at  timestamptz DEFAULT now()
);

-- Written before CREATE EXTENSION, so that the row can say which extensions
-- this migration brought: only those may its rollback take away again. The row
-- travels with a dump and a restore, which no catalog trace would.
INSERT INTO schema_migrations (version, description)
SELECT '001',
       'Initial schema: tables, indexes, triggers and views of the MIDI library'
       || coalesce('; extensions created: ' || string_agg(wanted, ', ' ORDER BY wanted), '')
FROM unnest(ARRAY['pg_trgm', 'vector']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = wanted);

-- An extension belongs to the database, not to this application: it may well be there.
CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- ----------------------------------------------------------------------------
-- Enumerations
-- ----------------------------------------------------------------------------

CREATE TYPE file_category AS ENUM (
    'KICK', 'SNARE', 'HIHAT', 'CLAP', 'PERC', 'TOM', 'CYMBAL', 'DRUM_LOOP', 'DRUM_PATTERN',
    'BASS', 'SUB_BASS', 'BASS_LOOP',
    'CHORD', 'PROGRESSION', 'STAB', 'PAD', 'TEXTURE', 'ATMOSPHERE',
    'LEAD', 'MELODY', 'HOOK', 'RIFF', 'ARP', 'SEQUENCE',
    'PIANO', 'KEYS', 'ORGAN', 'STRING', 'BRASS', 'WOODWIND',
    'FX', 'RISER', 'IMPACT', 'SWEEP', 'TRANSITION',
    'VOCAL', 'VOX', 'SAMPLE', 'MOTIF', 'THEME', 'FULL_MIX', 'STEM', 'UNKNOWN'
);

CREATE TYPE musical_key AS ENUM (
    'C', 'Cm', 'C#', 'C#m', 'Db', 'Dbm', 'D', 'Dm', 'D#', 'D#m', 'Eb', 'Ebm', 'E', 'Em',
    'F', 'Fm', 'F#', 'F#m', 'Gb', 'Gbm', 'G', 'Gm', 'G#', 'G#m', 'Ab', 'Abm', 'A', 'Am',
    'A#', 'A#m', 'Bb', 'Bbm', 'B', 'Bm', 'UNKNOWN'
);

-- ----------------------------------------------------------------------------
-- Files
-- ----------------------------------------------------------------------------

CREATE TABLE files (
    id                     bigserial      PRIMARY KEY,
    filename               text           NOT NULL,
    filepath               text           NOT NULL UNIQUE,
    original_filename      text           NOT NULL,
    content_hash           bytea          NOT NULL,
    file_size_bytes        bigint         NOT NULL,
    format                 smallint       CHECK (format IN (0, 1, 2)),
    num_tracks             smallint       NOT NULL DEFAULT 1,
    ticks_per_quarter_note integer,
    duration_seconds       numeric(10, 3),
    duration_ticks         bigint,
    is_multi_track         boolean        DEFAULT false,
    parent_file_id         bigint         REFERENCES files (id) ON DELETE CASCADE,
    track_number           smallint,
    total_tracks           smallint,
    manufacturer           text,
    collection_name        text,
    folder_tags            text[],
    search_vector          tsvector,
    created_at             timestamptz    DEFAULT now(),
    updated_at             timestamptz    DEFAULT now(),
    analyzed_at            timestamptz,
    import_batch_id        uuid,
    CONSTRAINT valid_multi_track CHECK (
        (is_multi_track = false AND parent_file_id IS NULL)
        OR (is_multi_track = true AND parent_file_id IS NOT NULL)
    )
);

CREATE UNIQUE INDEX idx_files_content_hash ON files (content_hash);
CREATE INDEX idx_files_filepath ON files (filepath);
CREATE INDEX idx_files_manufacturer ON files (manufacturer) WHERE manufacturer IS NOT NULL;
CREATE INDEX idx_files_collection ON files (collection_name) WHERE collection_name IS NOT NULL;
CREATE INDEX idx_files_parent ON files (parent_file_id) WHERE parent_file_id IS NOT NULL;
CREATE INDEX idx_files_search ON files USING gin (search_vector);
CREATE INDEX idx_files_folder_tags ON files USING gin (folder_tags);
CREATE INDEX idx_files_created ON files (created_at DESC);
CREATE INDEX idx_files_batch ON files (import_batch_id) WHERE import_batch_id IS NOT NULL;
CREATE INDEX idx_files_format ON files (format);
CREATE INDEX idx_files_num_tracks ON files (num_tracks);
CREATE INDEX idx_files_duration ON files (duration_seconds) WHERE duration_seconds IS NOT NULL;

COMMENT ON TABLE files IS 'The MIDI files of the library; every other table hangs on this one';
COMMENT ON COLUMN files.content_hash IS 'SHA-256 of the bytes; equal digests are duplicates';
COMMENT ON COLUMN files.folder_tags IS 'Labels taken from the names of the enclosing folders';
COMMENT ON COLUMN files.search_vector IS 'Full-text search vector, always computed by a trigger';

-- ----------------------------------------------------------------------------
-- What the analysis finds in a file
-- ----------------------------------------------------------------------------

CREATE TABLE musical_metadata (
    file_id                    bigint        PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
    bpm                        numeric(6, 2) CHECK (bpm IS NULL OR (bpm >= 20 AND bpm <= 300)),
    bpm_confidence             real,
    has_tempo_changes          boolean       DEFAULT false,
    tempo_changes              jsonb,
    key_signature              musical_key,
    key_confidence             real,
    has_key_changes            boolean       DEFAULT false,
    key_changes                jsonb,
    time_signature_numerator   smallint      DEFAULT 4,
    time_signature_denominator smallint      DEFAULT 4,
    has_time_signature_changes boolean       DEFAULT false,
    time_signature_changes     jsonb,
    total_notes                integer       NOT NULL DEFAULT 0,
    unique_pitches             integer,
    pitch_range_min            smallint      CHECK (pitch_range_min IS NULL OR (pitch_range_min >= 0 AND pitch_range_min <= 127)),
    pitch_range_max            smallint      CHECK (pitch_range_max IS NULL OR (pitch_range_max >= 0 AND pitch_range_max <= 127)),
    avg_velocity               numeric(5, 2),
    note_density               numeric(8, 3),
    polyphony_max              smallint,
    polyphony_avg              numeric(5, 2),
    is_monophonic              boolean       DEFAULT false,
    is_polyphonic              boolean       DEFAULT true,
    is_percussive              boolean       DEFAULT false,
    has_chords                 boolean       DEFAULT false,
    chord_complexity           real,
    has_melody                 boolean       DEFAULT false,
    melodic_range              smallint,
    created_at                 timestamptz   DEFAULT now()
);

CREATE INDEX idx_metadata_bpm ON musical_metadata (bpm) WHERE bpm IS NOT NULL;
CREATE INDEX idx_metadata_key ON musical_metadata (key_signature) WHERE key_signature <> 'UNKNOWN';
CREATE INDEX idx_metadata_time_sig ON musical_metadata (time_signature_numerator, time_signature_denominator);
CREATE INDEX idx_metadata_notes ON musical_metadata (total_notes DESC);
CREATE INDEX idx_metadata_density ON musical_metadata (note_density DESC);
CREATE INDEX idx_metadata_characteristics ON musical_metadata (is_percussive, is_monophonic, has_chords);
CREATE INDEX idx_metadata_polyphony ON musical_metadata (polyphony_max) WHERE polyphony_max IS NOT NULL;
CREATE INDEX idx_metadata_pitch_range ON musical_metadata (pitch_range_min, pitch_range_max);
CREATE INDEX idx_metadata_has_melody ON musical_metadata (has_melody) WHERE has_melody = true;

COMMENT ON TABLE musical_metadata IS 'Tempo, key, meter and note statistics of a file';
COMMENT ON COLUMN musical_metadata.tempo_changes IS 'JSON array of objects {"tick": integer, "bpm": number}';
COMMENT ON COLUMN musical_metadata.key_changes IS 'JSON array of objects {"tick": integer, "key": text}';

CREATE TABLE file_categories (
    file_id            bigint        PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
    primary_category   file_category NOT NULL,
    secondary_category file_category,
    tertiary_category  file_category,
    confidence_score   real          CHECK (confidence_score IS NULL OR (confidence_score >= 0 AND confidence_score <= 1)),
    is_manual          boolean       DEFAULT false,
    detected_from      text,
    created_at         timestamptz   DEFAULT now(),
    CONSTRAINT different_categories CHECK (
        (secondary_category IS NULL OR secondary_category <> primary_category)
        AND (
            tertiary_category IS NULL
            OR (tertiary_category <> primary_category AND tertiary_category <> secondary_category)
        )
    )
);

CREATE INDEX idx_categories_primary ON file_categories (primary_category);
CREATE INDEX idx_categories_secondary ON file_categories (secondary_category) WHERE secondary_category IS NOT NULL;
CREATE INDEX idx_categories_tertiary ON file_categories (tertiary_category) WHERE tertiary_category IS NOT NULL;
CREATE INDEX idx_categories_confidence ON file_categories (confidence_score DESC);
CREATE INDEX idx_categories_manual ON file_categories (is_manual) WHERE is_manual = true;

COMMENT ON TABLE file_categories IS 'Up to three different categories of a file';

CREATE TABLE file_instruments (
    id                bigserial     PRIMARY KEY,
    file_id           bigint        NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    channel           smallint      NOT NULL CHECK (channel >= 0 AND channel <= 15),
    program_number    smallint      NOT NULL CHECK (program_number >= 0 AND program_number <= 127),
    program_name      text,
    instrument_family text,
    instrument_type   text,
    note_count        integer       DEFAULT 0,
    is_primary        boolean       DEFAULT false,
    avg_velocity      numeric(5, 2),
    pitch_range_low   smallint      CHECK (pitch_range_low IS NULL OR (pitch_range_low >= 0 AND pitch_range_low <= 127)),
    pitch_range_high  smallint      CHECK (pitch_range_high IS NULL OR (pitch_range_high >= 0 AND pitch_range_high <= 127)),
    created_at        timestamptz   DEFAULT now(),
    UNIQUE (file_id, channel, program_number)
);

CREATE INDEX idx_instruments_file ON file_instruments (file_id);
CREATE INDEX idx_instruments_program ON file_instruments (program_number);
CREATE INDEX idx_instruments_family ON file_instruments (instrument_family) WHERE instrument_family IS NOT NULL;
CREATE INDEX idx_instruments_primary ON file_instruments (file_id, is_primary) WHERE is_primary = true;
CREATE INDEX idx_instruments_channel ON file_instruments (channel);
CREATE INDEX idx_instruments_type ON file_instruments (instrument_type) WHERE instrument_type IS NOT NULL;

COMMENT ON TABLE file_instruments IS 'Instruments found in a file, one row for each channel and program';

-- ----------------------------------------------------------------------------
-- Tags
-- ----------------------------------------------------------------------------

CREATE TABLE tags (
    id          serial      PRIMARY KEY,
    name        text        NOT NULL UNIQUE,
    category    text,
    usage_count integer     DEFAULT 0,
    created_at  timestamptz DEFAULT now()
);

CREATE INDEX idx_tags_name_trgm ON tags USING gin (name gin_trgm_ops);
CREATE INDEX idx_tags_category ON tags (category) WHERE category IS NOT NULL;
CREATE INDEX idx_tags_usage ON tags (usage_count DESC);

COMMENT ON TABLE tags IS 'The tags that can be put on files';

CREATE TABLE file_tags (
    file_id  bigint      NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    tag_id   integer     NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    added_at timestamptz DEFAULT now(),
    added_by text        DEFAULT 'system',
    PRIMARY KEY (file_id, tag_id)
);

CREATE INDEX idx_file_tags_tag ON file_tags (tag_id);
CREATE INDEX idx_file_tags_file ON file_tags (file_id);
CREATE INDEX idx_file_tags_added_at ON file_tags (added_at DESC);

COMMENT ON TABLE file_tags IS 'Which file carries which tag';

-- ----------------------------------------------------------------------------
-- Similarity and duplicates
-- ----------------------------------------------------------------------------

CREATE TABLE file_embeddings (
    file_id            bigint      PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
    overall_embedding  vector(768),
    rhythmic_embedding vector(256),
    harmonic_embedding vector(256),
    melodic_embedding  vector(256),
    model_version      text,
    generated_at       timestamptz DEFAULT now(),
    embedding_quality  real        CHECK (embedding_quality IS NULL OR (embedding_quality >= 0 AND embedding_quality <= 1))
);

-- Built on an empty table the lists are poor (the server says so); REINDEX after the first load.
CREATE INDEX idx_embeddings_overall ON file_embeddings
    USING ivfflat (overall_embedding vector_cosine_ops) WITH (lists = 100);
CREATE INDEX idx_embeddings_rhythmic ON file_embeddings
    USING ivfflat (rhythmic_embedding vector_cosine_ops) WITH (lists = 100);
CREATE INDEX idx_embeddings_harmonic ON file_embeddings
    USING ivfflat (harmonic_embedding vector_cosine_ops) WITH (lists = 100);
CREATE INDEX idx_embeddings_melodic ON file_embeddings
    USING ivfflat (melodic_embedding vector_cosine_ops) WITH (lists = 100);

COMMENT ON TABLE file_embeddings IS 'Embedding vectors of a file for similarity search with pgvector';
COMMENT ON COLUMN file_embeddings.overall_embedding IS 'The whole file as one vector of 768 dimensions';

CREATE TABLE file_compatibility (
    file_id_a                 bigint        NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    file_id_b                 bigint        NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    overall_score             numeric(3, 2) CHECK (overall_score IS NULL OR (overall_score >= 0 AND overall_score <= 1)),
    rhythmic_score            numeric(3, 2),
    harmonic_score            numeric(3, 2),
    melodic_score             numeric(3, 2),
    timbral_score             numeric(3, 2),
    key_compatible            boolean,
    bpm_compatible            boolean,
    time_signature_compatible boolean,
    computed_at               timestamptz   DEFAULT now(),
    PRIMARY KEY (file_id_a, file_id_b),
    CONSTRAINT ordered_pair CHECK (file_id_a < file_id_b)
);

CREATE INDEX idx_compat_file_a ON file_compatibility (file_id_a);
CREATE INDEX idx_compat_file_b ON file_compatibility (file_id_b);
CREATE INDEX idx_compat_overall ON file_compatibility (overall_score DESC);
CREATE INDEX idx_compat_key ON file_compatibility (key_compatible) WHERE key_compatible = true;
CREATE INDEX idx_compat_bpm ON file_compatibility (bpm_compatible) WHERE bpm_compatible = true;

COMMENT ON TABLE file_compatibility IS 'Computed scores of how well two files go together, each pair once';
COMMENT ON COLUMN file_compatibility.overall_score IS 'Total score from 0 to 1';

CREATE TABLE duplicate_groups (
    id                serial      PRIMARY KEY,
    content_hash      bytea       NOT NULL UNIQUE,
    canonical_file_id bigint      REFERENCES files (id) ON DELETE SET NULL,
    duplicate_count   integer     DEFAULT 1,
    total_size_bytes  bigint,
    created_at        timestamptz DEFAULT now()
);

CREATE INDEX idx_dup_groups_hash ON duplicate_groups (content_hash);
CREATE INDEX idx_dup_groups_canonical ON duplicate_groups (canonical_file_id) WHERE canonical_file_id IS NOT NULL;
CREATE INDEX idx_dup_groups_count ON duplicate_groups (duplicate_count DESC);

COMMENT ON TABLE duplicate_groups IS 'One row for each set of files with the same content';

CREATE TABLE duplicate_files (
    id           bigserial   PRIMARY KEY,
    group_id     integer     NOT NULL REFERENCES duplicate_groups (id) ON DELETE CASCADE,
    file_id      bigint      NOT NULL UNIQUE REFERENCES files (id) ON DELETE CASCADE,
    is_canonical boolean     DEFAULT false,
    added_at     timestamptz DEFAULT now()
);

CREATE INDEX idx_dup_files_group ON duplicate_files (group_id);
CREATE INDEX idx_dup_files_file ON duplicate_files (file_id);
CREATE INDEX idx_dup_files_canonical ON duplicate_files (is_canonical) WHERE is_canonical = true;

COMMENT ON TABLE duplicate_files IS 'The files of each set of duplicates';

-- ----------------------------------------------------------------------------
-- Patterns
-- ----------------------------------------------------------------------------

CREATE TABLE rhythm_patterns (
    id                    bigserial     PRIMARY KEY,
    file_id               bigint        NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    pattern_type          text,
    pattern_signature     bytea,
    onset_times           integer[],
    inter_onset_intervals integer[],
    swing_factor          numeric(3, 2),
    groove_template       vector(16),
    syncopation_score     numeric(3, 2),
    pattern_length_beats  integer,
    pattern_complexity    real,
    created_at            timestamptz   DEFAULT now(),
    UNIQUE (file_id, pattern_type)
);

CREATE INDEX idx_rhythm_file ON rhythm_patterns (file_id);
CREATE INDEX idx_rhythm_type ON rhythm_patterns (pattern_type) WHERE pattern_type IS NOT NULL;
CREATE INDEX idx_rhythm_signature ON rhythm_patterns USING hash (pattern_signature);
CREATE INDEX idx_rhythm_groove ON rhythm_patterns
    USING ivfflat (groove_template vector_cosine_ops) WITH (lists = 50);

COMMENT ON TABLE rhythm_patterns IS 'Rhythms found in a file';

CREATE TABLE harmonic_patterns (
    id                   bigserial   PRIMARY KEY,
    file_id              bigint      NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    chord_sequence       text[],
    chord_types          text[],
    chord_roots          integer[],
    roman_numerals       text[],
    harmonic_rhythm      integer[],
    progression_length   integer,
    harmonic_complexity  real,
    uses_seventh_chords  boolean     DEFAULT false,
    uses_extended_chords boolean     DEFAULT false,
    progression_hash     bytea,
    created_at           timestamptz DEFAULT now()
);

CREATE INDEX idx_harmonic_file ON harmonic_patterns (file_id);
CREATE INDEX idx_harmonic_hash ON harmonic_patterns USING hash (progression_hash);
CREATE INDEX idx_harmonic_length ON harmonic_patterns (progression_length);
CREATE INDEX idx_harmonic_complexity ON harmonic_patterns (harmonic_complexity) WHERE harmonic_complexity IS NOT NULL;

COMMENT ON TABLE harmonic_patterns IS 'Chord progressions found in a file';

CREATE TABLE melodic_patterns (
    id                    bigserial     PRIMARY KEY,
    file_id               bigint        NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    pitch_sequence        smallint[],
    interval_sequence     smallint[],
    contour_direction     text[],
    note_durations        integer[],
    rhythmic_motif        text,
    motif_count           integer,
    sequence_count        integer,
    repetition_score      real,
    melodic_range         smallint,
    avg_interval_size     numeric(4, 2),
    stepwise_motion_ratio numeric(3, 2),
    melodic_hash          bytea,
    created_at            timestamptz   DEFAULT now()
);

CREATE INDEX idx_melodic_file ON melodic_patterns (file_id);
CREATE INDEX idx_melodic_hash ON melodic_patterns USING hash (melodic_hash);
CREATE INDEX idx_melodic_range ON melodic_patterns (melodic_range) WHERE melodic_range IS NOT NULL;
CREATE INDEX idx_melodic_motion ON melodic_patterns (stepwise_motion_ratio);

COMMENT ON TABLE melodic_patterns IS 'Melodies found in a file';

-- ----------------------------------------------------------------------------
-- Batch jobs
-- ----------------------------------------------------------------------------

CREATE TABLE processing_jobs (
    id                   uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    job_type             text        NOT NULL,
    source_directory     text        NOT NULL,
    total_files          integer     NOT NULL DEFAULT 0,
    processed_files      integer     NOT NULL DEFAULT 0,
    failed_files         integer     NOT NULL DEFAULT 0,
    skipped_files        integer     NOT NULL DEFAULT 0,
    status               text        DEFAULT 'pending',
    error_message        text,
    started_at           timestamptz,
    completed_at         timestamptz,
    estimated_completion timestamptz,
    settings             jsonb       DEFAULT '{}',
    created_at           timestamptz DEFAULT now()
);

CREATE INDEX idx_jobs_status ON processing_jobs (status);
CREATE INDEX idx_jobs_type ON processing_jobs (job_type);
CREATE INDEX idx_jobs_created ON processing_jobs (created_at DESC);
CREATE INDEX idx_jobs_started ON processing_jobs (started_at DESC) WHERE started_at IS NOT NULL;

COMMENT ON TABLE processing_jobs IS 'Batch jobs such as imports and analyses';

CREATE TABLE processing_errors (
    id            bigserial   PRIMARY KEY,
    job_id        uuid        NOT NULL REFERENCES processing_jobs (id) ON DELETE CASCADE,
    filepath      text        NOT NULL,
    error_type    text,
    error_message text,
    stack_trace   text,
    occurred_at   timestamptz DEFAULT now()
);

CREATE INDEX idx_errors_job ON processing_errors (job_id);
CREATE INDEX idx_errors_type ON processing_errors (error_type);
CREATE INDEX idx_errors_occurred ON processing_errors (occurred_at DESC);

COMMENT ON TABLE processing_errors IS 'What went wrong in a batch job, one row for each error';

-- ----------------------------------------------------------------------------
-- Trigger functions and triggers
-- ----------------------------------------------------------------------------

-- A vector given by the caller is always replaced, so that it cannot go stale.
CREATE FUNCTION files_search_vector_update() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_vector :=
        setweight(to_tsvector('english', coalesce(NEW.filename, '')), 'A')
        || setweight(to_tsvector('english', coalesce(NEW.manufacturer, '')), 'B')
        || setweight(to_tsvector('english', coalesce(NEW.collection_name, '')), 'B')
        || setweight(to_tsvector('english', coalesce(array_to_string(NEW.folder_tags, ' '), '')), 'C');
    RETURN NEW;
END;
$$;

CREATE TRIGGER files_search_vector_trigger
    BEFORE INSERT OR UPDATE ON files
    FOR EACH ROW EXECUTE FUNCTION files_search_vector_update();

CREATE FUNCTION update_updated_at_column() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;

CREATE TRIGGER files_updated_at_trigger
    BEFORE UPDATE ON files
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE FUNCTION update_tag_usage_count() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE tags SET usage_count = usage_count + 1 WHERE id = NEW.tag_id;
    ELSE
        UPDATE tags SET usage_count = usage_count - 1 WHERE id = OLD.tag_id;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER file_tags_usage_trigger
    AFTER INSERT OR DELETE ON file_tags
    FOR EACH ROW EXECUTE FUNCTION update_tag_usage_count();

CREATE FUNCTION update_duplicate_group_count() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE duplicate_groups SET duplicate_count = duplicate_count + 1 WHERE id = NEW.group_id;
    ELSE
        UPDATE duplicate_groups SET duplicate_count = duplicate_count - 1 WHERE id = OLD.group_id;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER duplicate_files_count_trigger
    AFTER INSERT OR DELETE ON duplicate_files
    FOR EACH ROW EXECUTE FUNCTION update_duplicate_group_count();

CREATE FUNCTION update_job_progress() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE processing_jobs SET failed_files = failed_files + 1 WHERE id = NEW.job_id;
    RETURN NULL;
END;
$$;

CREATE TRIGGER processing_errors_count_trigger
    AFTER INSERT ON processing_errors
    FOR EACH ROW EXECUTE FUNCTION update_job_progress();

-- ----------------------------------------------------------------------------
-- Views
-- ----------------------------------------------------------------------------

CREATE VIEW files_with_metadata AS
SELECT f.id,
       f.filename,
       f.filepath,
       f.manufacturer,
       f.collection_name,
       f.duration_seconds,
       m.bpm,
       m.key_signature,
       m.time_signature_numerator,
       m.time_signature_denominator,
       m.total_notes,
       m.is_percussive,
       m.has_chords,
       m.has_melody,
       c.primary_category,
       c.secondary_category,
       f.created_at
FROM files f
LEFT JOIN musical_metadata m ON m.file_id = f.id
LEFT JOIN file_categories c ON c.file_id = f.id;

-- The filter makes tag_names NULL, not {NULL}, for a file without tags.
CREATE VIEW files_with_tags AS
SELECT f.id,
       f.filename,
       f.filepath,
       array_agg(t.name) FILTER (WHERE t.name IS NOT NULL) AS tag_names
FROM files f
LEFT JOIN file_tags ft ON ft.file_id = f.id
LEFT JOIN tags t ON t.id = ft.tag_id
GROUP BY f.id, f.filename, f.filepath;

CREATE VIEW duplicate_summary AS
SELECT g.id AS group_id,
       g.duplicate_count,
       g.total_size_bytes,
       array_agg(f.filepath) AS filepaths
FROM duplicate_groups g
JOIN duplicate_files d ON d.group_id = g.id
JOIN files f ON f.id = d.file_id
GROUP BY g.id, g.duplicate_count, g.total_size_bytes;

COMMIT;
