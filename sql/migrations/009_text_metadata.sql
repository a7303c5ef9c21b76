-- ============================================================================
-- Migration: 009_text_metadata.sql
-- Rollback: rollback/009_text_metadata_rollback.sql
-- Description: Adds five columns to files for the text events of a MIDI file,
--              five indexes, a search function, a statistics function and a view.
-- Risk Level: LOW
-- Data Loss: NONE
-- Requires: 001
-- Transaction: one
-- ============================================================================

BEGIN;

-- Constant defaults: existing rows read as empty arrays without being rewritten.
ALTER TABLE files
    ADD COLUMN track_names           text[] DEFAULT '{}',
    ADD COLUMN copyright             text,
    ADD COLUMN instrument_names_text text[] DEFAULT '{}',
    ADD COLUMN markers               text[] DEFAULT '{}',
    ADD COLUMN lyrics                text[] DEFAULT '{}';

COMMENT ON COLUMN files.track_names IS 'Texts of the track name events';
COMMENT ON COLUMN files.copyright IS 'Text of the copyright event';
COMMENT ON COLUMN files.instrument_names_text IS 'Texts of the instrument name events (not the program changes)';
COMMENT ON COLUMN files.markers IS 'Texts of the marker events, such as names of sections';
COMMENT ON COLUMN files.lyrics IS 'Texts of the lyric events';

CREATE INDEX idx_files_copyright ON files (copyright) WHERE copyright IS NOT NULL;
CREATE INDEX idx_files_track_names ON files USING gin (track_names)
    WHERE track_names IS NOT NULL AND array_length(track_names, 1) > 0;
CREATE INDEX idx_files_instrument_names_text ON files USING gin (instrument_names_text)
    WHERE instrument_names_text IS NOT NULL AND array_length(instrument_names_text, 1) > 0;
CREATE INDEX idx_files_markers ON files USING gin (markers)
    WHERE markers IS NOT NULL AND array_length(markers, 1) > 0;
CREATE INDEX idx_files_copyright_trgm ON files USING gin (copyright gin_trgm_ops) WHERE copyright IS NOT NULL;

-- array_length() of an empty array is NULL, which is neither true nor false. With
-- coalesce, has_lyrics is never NULL and p_has_lyrics => false finds the ordinary
-- file without lyrics, whose column holds the default, an empty array.
CREATE FUNCTION search_files_by_text_metadata(
    p_track_name       text    DEFAULT NULL,
    p_copyright_search text    DEFAULT NULL,
    p_instrument_name  text    DEFAULT NULL,
    p_marker           text    DEFAULT NULL,
    p_has_lyrics       boolean DEFAULT NULL,
    p_limit            integer DEFAULT 100,
    p_offset           integer DEFAULT 0
)
RETURNS TABLE (
    id                    bigint,
    filename              text,
    path                  text,
    track_names           text[],
    copyright             text,
    instrument_names_text text[],
    markers               text[],
    has_lyrics            boolean,
    created_at            timestamptz
)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT f.id,
           f.filename,
           f.filepath,
           f.track_names,
           f.copyright,
           f.instrument_names_text,
           f.markers,
           coalesce(array_length(f.lyrics, 1), 0) > 0,
           f.created_at
    FROM files f
    WHERE (p_track_name IS NULL OR p_track_name = ANY (f.track_names))
      AND (p_copyright_search IS NULL OR f.copyright ILIKE '%' || p_copyright_search || '%')
      AND (p_instrument_name IS NULL OR p_instrument_name = ANY (f.instrument_names_text))
      AND (p_marker IS NULL OR p_marker = ANY (f.markers))
      AND (p_has_lyrics IS NULL OR p_has_lyrics = (coalesce(array_length(f.lyrics, 1), 0) > 0))
    ORDER BY f.created_at DESC
    LIMIT p_limit OFFSET p_offset;
END;
$$;

COMMENT ON FUNCTION search_files_by_text_metadata IS
    'Files whose text events meet all criteria given; NULL means any. Newest first';

-- One pass over the table; the ordinal keeps the seven lines in their order.
CREATE FUNCTION get_text_metadata_stats()
RETURNS TABLE (metric text, count bigint, percentage numeric)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH flag AS (
        SELECT array_length(f.track_names, 1) > 0 AS track_name,
               f.copyright IS NOT NULL AS copyright,
               array_length(f.instrument_names_text, 1) > 0 AS instrument,
               array_length(f.markers, 1) > 0 AS marker,
               array_length(f.lyrics, 1) > 0 AS lyric
        FROM files f
    ), total AS (
        SELECT count(*) AS files,
               count(*) FILTER (WHERE track_name) AS track_names,
               count(*) FILTER (WHERE copyright) AS copyrights,
               count(*) FILTER (WHERE instrument) AS instruments,
               count(*) FILTER (WHERE marker) AS markers,
               count(*) FILTER (WHERE lyric) AS lyrics,
               count(*) FILTER (WHERE track_name OR copyright OR instrument OR marker OR lyric) AS anything
        FROM flag
    )
    SELECT line.label, line.files, round(line.files * 100.0 / greatest(total.files, 1), 2)
    FROM total
    CROSS JOIN LATERAL (VALUES
        (1, 'Total Files', total.files),
        (2, 'Files with Track Names', total.track_names),
        (3, 'Files with Copyright', total.copyrights),
        (4, 'Files with Instrument Names (Text)', total.instruments),
        (5, 'Files with Markers', total.markers),
        (6, 'Files with Lyrics', total.lyrics),
        (7, 'Files with Any Text Metadata', total.anything)
    ) AS line (ordinal, label, files)
    ORDER BY line.ordinal;
END;
$$;

COMMENT ON FUNCTION get_text_metadata_stats IS 'How many files have each kind of text event, and their share in percent';

CREATE VIEW files_with_text_metadata AS
SELECT f.id,
       f.filename,
       f.filepath AS path,
       f.track_names,
       f.copyright,
       f.instrument_names_text,
       f.markers,
       f.lyrics,
       array_length(f.track_names, 1) AS track_count,
       array_length(f.instrument_names_text, 1) AS instrument_count,
       array_length(f.markers, 1) AS marker_count,
       array_length(f.lyrics, 1) AS lyric_line_count,
       f.created_at
FROM files f
WHERE f.copyright IS NOT NULL
   OR array_length(f.track_names, 1) > 0
   OR array_length(f.instrument_names_text, 1) > 0
   OR array_length(f.markers, 1) > 0
   OR array_length(f.lyrics, 1) > 0;

COMMENT ON VIEW files_with_text_metadata IS 'Files in which at least one text event was found';

-- The test before the insert keeps an existing row from using up a sequence value.
INSERT INTO schema_migrations (version, description)
SELECT '009', 'Text events of the MIDI files, with search and statistics'
WHERE NOT EXISTS (SELECT FROM schema_migrations WHERE version = '009')
ON CONFLICT (version) DO NOTHING;

COMMIT;
