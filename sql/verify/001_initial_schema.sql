-- Verifies 001_initial_schema: tables, constraints, indexes, triggers, views, enumerations, extensions.
--
-- Fails with a list of what is missing or other than written, whatever PostgreSQL knows of it: definition, validity and
-- comment. Owners and privileges are the database's and not looked at. Names are looked up on the search path, as in the
-- migration.
-- Objects of later migrations are no fault.
DO $$
DECLARE
    wrong text;
BEGIN
    WITH expected (relation, kind, definitions) AS (VALUES
        ('files', 'relation', ARRAY[
            'files table COMMENT ''The MIDI files of the library; every other table hangs on this one'''
        ]),
        ('files', 'column', ARRAY[
            'filename text NOT NULL', 'filepath text NOT NULL', 'original_filename text NOT NULL',
            'content_hash bytea NOT NULL COMMENT ''SHA-256 of the bytes; equal digests are duplicates''',
            'file_size_bytes bigint NOT NULL', 'format smallint', 'ticks_per_quarter_note integer',
            'duration_seconds numeric(10,3)', 'duration_ticks bigint', 'parent_file_id bigint',
            'track_number smallint', 'total_tracks smallint', 'manufacturer text', 'collection_name text',
            'folder_tags text[] COMMENT ''Labels taken from the names of the enclosing folders''',
            'search_vector tsvector COMMENT ''Full-text search vector, always computed by a trigger''',
            'analyzed_at timestamp with time zone', 'import_batch_id uuid',
            'id bigint NOT NULL DEFAULT nextval(''files_id_seq''::regclass)',
            'num_tracks smallint NOT NULL DEFAULT 1', 'is_multi_track boolean DEFAULT false',
            'created_at timestamp with time zone DEFAULT now()', 'updated_at timestamp with time zone DEFAULT now()'
        ]),
        ('files', 'constraint', ARRAY[
            'files_filepath_key UNIQUE (filepath)',
            'files_format_check CHECK ((format = ANY (ARRAY[0, 1, 2])))',
            'files_parent_file_id_fkey FOREIGN KEY (parent_file_id) REFERENCES files(id) ON DELETE CASCADE',
            'files_pkey PRIMARY KEY (id)',
            'valid_multi_track CHECK ((((is_multi_track = false) AND (parent_file_id IS NULL)) OR ((is_multi_track = true) AND (parent_file_id IS NOT NULL))))'
        ]),
        ('files', 'index', ARRAY[
            'files_filepath_key UNIQUE USING btree (filepath)',
            'files_pkey UNIQUE USING btree (id)',
            'idx_files_batch USING btree (import_batch_id) WHERE (import_batch_id IS NOT NULL)',
            'idx_files_collection USING btree (collection_name) WHERE (collection_name IS NOT NULL)',
            'idx_files_content_hash UNIQUE USING btree (content_hash)',
            'idx_files_created USING btree (created_at DESC)',
            'idx_files_duration USING btree (duration_seconds) WHERE (duration_seconds IS NOT NULL)',
            'idx_files_filepath USING btree (filepath)',
            'idx_files_folder_tags USING gin (folder_tags)',
            'idx_files_format USING btree (format)',
            'idx_files_manufacturer USING btree (manufacturer) WHERE (manufacturer IS NOT NULL)',
            'idx_files_num_tracks USING btree (num_tracks)',
            'idx_files_parent USING btree (parent_file_id) WHERE (parent_file_id IS NOT NULL)',
            'idx_files_search USING gin (search_vector)'
        ]),
        ('files', 'trigger', ARRAY[
            'files_search_vector_trigger BEFORE INSERT OR UPDATE ON files FOR EACH ROW EXECUTE FUNCTION files_search_vector_update()',
            'files_updated_at_trigger BEFORE UPDATE ON files FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()'
        ]),
        ('files_id_seq', 'relation', ARRAY[
            'files_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY files.id'
        ]),
        ('musical_metadata', 'relation', ARRAY[
            'musical_metadata table COMMENT ''Tempo, key, meter and note statistics of a file'''
        ]),
        ('musical_metadata', 'column', ARRAY[
            'file_id bigint NOT NULL', 'bpm numeric(6,2)', 'bpm_confidence real',
            'tempo_changes jsonb COMMENT ''JSON array of objects {"tick": integer, "bpm": number}''',
            'key_signature musical_key', 'key_confidence real',
            'key_changes jsonb COMMENT ''JSON array of objects {"tick": integer, "key": text}''',
            'time_signature_changes jsonb', 'unique_pitches integer', 'pitch_range_min smallint',
            'pitch_range_max smallint', 'avg_velocity numeric(5,2)', 'note_density numeric(8,3)',
            'polyphony_max smallint', 'polyphony_avg numeric(5,2)', 'chord_complexity real', 'melodic_range smallint',
            'has_tempo_changes boolean DEFAULT false', 'has_key_changes boolean DEFAULT false',
            'time_signature_numerator smallint DEFAULT 4', 'time_signature_denominator smallint DEFAULT 4',
            'has_time_signature_changes boolean DEFAULT false', 'total_notes integer NOT NULL DEFAULT 0',
            'is_monophonic boolean DEFAULT false', 'is_polyphonic boolean DEFAULT true',
            'is_percussive boolean DEFAULT false', 'has_chords boolean DEFAULT false',
            'has_melody boolean DEFAULT false', 'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('musical_metadata', 'constraint', ARRAY[
            'musical_metadata_bpm_check CHECK (((bpm IS NULL) OR ((bpm >= (20)::numeric) AND (bpm <= (300)::numeric))))',
            'musical_metadata_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'musical_metadata_pitch_range_max_check CHECK (((pitch_range_max IS NULL) OR ((pitch_range_max >= 0) AND (pitch_range_max <= 127))))',
            'musical_metadata_pitch_range_min_check CHECK (((pitch_range_min IS NULL) OR ((pitch_range_min >= 0) AND (pitch_range_min <= 127))))',
            'musical_metadata_pkey PRIMARY KEY (file_id)'
        ]),
        ('musical_metadata', 'index', ARRAY[
            'idx_metadata_bpm USING btree (bpm) WHERE (bpm IS NOT NULL)',
            'idx_metadata_characteristics USING btree (is_percussive, is_monophonic, has_chords)',
            'idx_metadata_density USING btree (note_density DESC)',
            'idx_metadata_has_melody USING btree (has_melody) WHERE (has_melody = true)',
            'idx_metadata_key USING btree (key_signature) WHERE (key_signature <> ''UNKNOWN''::musical_key)',
            'idx_metadata_notes USING btree (total_notes DESC)',
            'idx_metadata_pitch_range USING btree (pitch_range_min, pitch_range_max)',
            'idx_metadata_polyphony USING btree (polyphony_max) WHERE (polyphony_max IS NOT NULL)',
            'idx_metadata_time_sig USING btree (time_signature_numerator, time_signature_denominator)',
            'musical_metadata_pkey UNIQUE USING btree (file_id)'
        ]),
        ('file_categories', 'relation', ARRAY[
            'file_categories table COMMENT ''Up to three different categories of a file'''
        ]),
        ('file_categories', 'column', ARRAY[
            'file_id bigint NOT NULL', 'primary_category file_category NOT NULL', 'secondary_category file_category',
            'tertiary_category file_category', 'confidence_score real', 'detected_from text',
            'is_manual boolean DEFAULT false', 'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('file_categories', 'constraint', ARRAY[
            'different_categories CHECK ((((secondary_category IS NULL) OR (secondary_category <> primary_category)) AND ((tertiary_category IS NULL) OR ((tertiary_category <> primary_category) AND (tertiary_category <> secondary_category)))))',
            'file_categories_confidence_score_check CHECK (((confidence_score IS NULL) OR ((confidence_score >= (0)::double precision) AND (confidence_score <= (1)::double precision))))',
            'file_categories_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'file_categories_pkey PRIMARY KEY (file_id)'
        ]),
        ('file_categories', 'index', ARRAY[
            'file_categories_pkey UNIQUE USING btree (file_id)',
            'idx_categories_confidence USING btree (confidence_score DESC)',
            'idx_categories_manual USING btree (is_manual) WHERE (is_manual = true)',
            'idx_categories_primary USING btree (primary_category)',
            'idx_categories_secondary USING btree (secondary_category) WHERE (secondary_category IS NOT NULL)',
            'idx_categories_tertiary USING btree (tertiary_category) WHERE (tertiary_category IS NOT NULL)'
        ]),
        ('file_instruments', 'relation', ARRAY[
            'file_instruments table COMMENT ''Instruments found in a file, one row for each channel and program'''
        ]),
        ('file_instruments', 'column', ARRAY[
            'file_id bigint NOT NULL', 'channel smallint NOT NULL', 'program_number smallint NOT NULL',
            'program_name text', 'instrument_family text', 'instrument_type text', 'avg_velocity numeric(5,2)',
            'pitch_range_low smallint', 'pitch_range_high smallint',
            'id bigint NOT NULL DEFAULT nextval(''file_instruments_id_seq''::regclass)',
            'note_count integer DEFAULT 0', 'is_primary boolean DEFAULT false',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('file_instruments', 'constraint', ARRAY[
            'file_instruments_channel_check CHECK (((channel >= 0) AND (channel <= 15)))',
            'file_instruments_file_id_channel_program_number_key UNIQUE (file_id, channel, program_number)',
            'file_instruments_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'file_instruments_pitch_range_high_check CHECK (((pitch_range_high IS NULL) OR ((pitch_range_high >= 0) AND (pitch_range_high <= 127))))',
            'file_instruments_pitch_range_low_check CHECK (((pitch_range_low IS NULL) OR ((pitch_range_low >= 0) AND (pitch_range_low <= 127))))',
            'file_instruments_pkey PRIMARY KEY (id)',
            'file_instruments_program_number_check CHECK (((program_number >= 0) AND (program_number <= 127)))'
        ]),
        ('file_instruments', 'index', ARRAY[
            'file_instruments_file_id_channel_program_number_key UNIQUE USING btree (file_id, channel, program_number)',
            'file_instruments_pkey UNIQUE USING btree (id)',
            'idx_instruments_channel USING btree (channel)',
            'idx_instruments_family USING btree (instrument_family) WHERE (instrument_family IS NOT NULL)',
            'idx_instruments_file USING btree (file_id)',
            'idx_instruments_primary USING btree (file_id, is_primary) WHERE (is_primary = true)',
            'idx_instruments_program USING btree (program_number)',
            'idx_instruments_type USING btree (instrument_type) WHERE (instrument_type IS NOT NULL)'
        ]),
        ('file_instruments_id_seq', 'relation', ARRAY[
            'file_instruments_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY file_instruments.id'
        ]),
        ('tags', 'relation', ARRAY[
            'tags table COMMENT ''The tags that can be put on files'''
        ]),
        ('tags', 'column', ARRAY[
            'name text NOT NULL', 'category text', 'id integer NOT NULL DEFAULT nextval(''tags_id_seq''::regclass)',
            'usage_count integer DEFAULT 0', 'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('tags', 'constraint', ARRAY[
            'tags_name_key UNIQUE (name)',
            'tags_pkey PRIMARY KEY (id)'
        ]),
        ('tags', 'index', ARRAY[
            'idx_tags_category USING btree (category) WHERE (category IS NOT NULL)',
            'idx_tags_name_trgm USING gin (name gin_trgm_ops)',
            'idx_tags_usage USING btree (usage_count DESC)',
            'tags_name_key UNIQUE USING btree (name)',
            'tags_pkey UNIQUE USING btree (id)'
        ]),
        ('tags_id_seq', 'relation', ARRAY[
            'tags_id_seq sequence AS integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 OWNED BY tags.id'
        ]),
        ('file_tags', 'relation', ARRAY[
            'file_tags table COMMENT ''Which file carries which tag'''
        ]),
        ('file_tags', 'column', ARRAY[
            'file_id bigint NOT NULL', 'tag_id integer NOT NULL', 'added_at timestamp with time zone DEFAULT now()',
            'added_by text DEFAULT ''system''::text'
        ]),
        ('file_tags', 'constraint', ARRAY[
            'file_tags_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'file_tags_pkey PRIMARY KEY (file_id, tag_id)',
            'file_tags_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags(id) ON DELETE CASCADE'
        ]),
        ('file_tags', 'index', ARRAY[
            'file_tags_pkey UNIQUE USING btree (file_id, tag_id)',
            'idx_file_tags_added_at USING btree (added_at DESC)',
            'idx_file_tags_file USING btree (file_id)',
            'idx_file_tags_tag USING btree (tag_id)'
        ]),
        ('file_tags', 'trigger', ARRAY[
            'file_tags_usage_trigger AFTER INSERT OR DELETE ON file_tags FOR EACH ROW EXECUTE FUNCTION update_tag_usage_count()'
        ]),
        ('file_embeddings', 'relation', ARRAY[
            'file_embeddings table COMMENT ''Embedding vectors of a file for similarity search with pgvector'''
        ]),
        ('file_embeddings', 'column', ARRAY[
            'file_id bigint NOT NULL',
            'overall_embedding vector(768) COMMENT ''The whole file as one vector of 768 dimensions''',
            'rhythmic_embedding vector(256)', 'harmonic_embedding vector(256)', 'melodic_embedding vector(256)',
            'model_version text', 'embedding_quality real', 'generated_at timestamp with time zone DEFAULT now()'
        ]),
        ('file_embeddings', 'constraint', ARRAY[
            'file_embeddings_embedding_quality_check CHECK (((embedding_quality IS NULL) OR ((embedding_quality >= (0)::double precision) AND (embedding_quality <= (1)::double precision))))',
            'file_embeddings_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'file_embeddings_pkey PRIMARY KEY (file_id)'
        ]),
        ('file_embeddings', 'index', ARRAY[
            'file_embeddings_pkey UNIQUE USING btree (file_id)',
            'idx_embeddings_harmonic USING ivfflat (harmonic_embedding vector_cosine_ops) WITH (lists=''100'')',
            'idx_embeddings_melodic USING ivfflat (melodic_embedding vector_cosine_ops) WITH (lists=''100'')',
            'idx_embeddings_overall USING ivfflat (overall_embedding vector_cosine_ops) WITH (lists=''100'')',
            'idx_embeddings_rhythmic USING ivfflat (rhythmic_embedding vector_cosine_ops) WITH (lists=''100'')'
        ]),
        ('file_compatibility', 'relation', ARRAY[
            'file_compatibility table COMMENT ''Computed scores of how well two files go together, each pair once'''
        ]),
        ('file_compatibility', 'column', ARRAY[
            'file_id_a bigint NOT NULL', 'file_id_b bigint NOT NULL',
            'overall_score numeric(3,2) COMMENT ''Total score from 0 to 1''', 'rhythmic_score numeric(3,2)',
            'harmonic_score numeric(3,2)', 'melodic_score numeric(3,2)', 'timbral_score numeric(3,2)',
            'key_compatible boolean', 'bpm_compatible boolean', 'time_signature_compatible boolean',
            'computed_at timestamp with time zone DEFAULT now()'
        ]),
        ('file_compatibility', 'constraint', ARRAY[
            'file_compatibility_file_id_a_fkey FOREIGN KEY (file_id_a) REFERENCES files(id) ON DELETE CASCADE',
            'file_compatibility_file_id_b_fkey FOREIGN KEY (file_id_b) REFERENCES files(id) ON DELETE CASCADE',
            'file_compatibility_overall_score_check CHECK (((overall_score IS NULL) OR ((overall_score >= (0)::numeric) AND (overall_score <= (1)::numeric))))',
            'file_compatibility_pkey PRIMARY KEY (file_id_a, file_id_b)',
            'ordered_pair CHECK ((file_id_a < file_id_b))'
        ]),
        ('file_compatibility', 'index', ARRAY[
            'file_compatibility_pkey UNIQUE USING btree (file_id_a, file_id_b)',
            'idx_compat_bpm USING btree (bpm_compatible) WHERE (bpm_compatible = true)',
            'idx_compat_file_a USING btree (file_id_a)',
            'idx_compat_file_b USING btree (file_id_b)',
            'idx_compat_key USING btree (key_compatible) WHERE (key_compatible = true)',
            'idx_compat_overall USING btree (overall_score DESC)'
        ]),
        ('duplicate_groups', 'relation', ARRAY[
            'duplicate_groups table COMMENT ''One row for each set of files with the same content'''
        ]),
        ('duplicate_groups', 'column', ARRAY[
            'content_hash bytea NOT NULL', 'canonical_file_id bigint', 'total_size_bytes bigint',
            'id integer NOT NULL DEFAULT nextval(''duplicate_groups_id_seq''::regclass)',
            'duplicate_count integer DEFAULT 1', 'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('duplicate_groups', 'constraint', ARRAY[
            'duplicate_groups_canonical_file_id_fkey FOREIGN KEY (canonical_file_id) REFERENCES files(id) ON DELETE SET NULL',
            'duplicate_groups_content_hash_key UNIQUE (content_hash)',
            'duplicate_groups_pkey PRIMARY KEY (id)'
        ]),
        ('duplicate_groups', 'index', ARRAY[
            'duplicate_groups_content_hash_key UNIQUE USING btree (content_hash)',
            'duplicate_groups_pkey UNIQUE USING btree (id)',
            'idx_dup_groups_canonical USING btree (canonical_file_id) WHERE (canonical_file_id IS NOT NULL)',
            'idx_dup_groups_count USING btree (duplicate_count DESC)',
            'idx_dup_groups_hash USING btree (content_hash)'
        ]),
        ('duplicate_groups_id_seq', 'relation', ARRAY[
            'duplicate_groups_id_seq sequence AS integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 OWNED BY duplicate_groups.id'
        ]),
        ('duplicate_files', 'relation', ARRAY[
            'duplicate_files table COMMENT ''The files of each set of duplicates'''
        ]),
        ('duplicate_files', 'column', ARRAY[
            'group_id integer NOT NULL', 'file_id bigint NOT NULL',
            'id bigint NOT NULL DEFAULT nextval(''duplicate_files_id_seq''::regclass)',
            'is_canonical boolean DEFAULT false', 'added_at timestamp with time zone DEFAULT now()'
        ]),
        ('duplicate_files', 'constraint', ARRAY[
            'duplicate_files_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'duplicate_files_file_id_key UNIQUE (file_id)',
            'duplicate_files_group_id_fkey FOREIGN KEY (group_id) REFERENCES duplicate_groups(id) ON DELETE CASCADE',
            'duplicate_files_pkey PRIMARY KEY (id)'
        ]),
        ('duplicate_files', 'index', ARRAY[
            'duplicate_files_file_id_key UNIQUE USING btree (file_id)',
            'duplicate_files_pkey UNIQUE USING btree (id)',
            'idx_dup_files_canonical USING btree (is_canonical) WHERE (is_canonical = true)',
            'idx_dup_files_file USING btree (file_id)',
            'idx_dup_files_group USING btree (group_id)'
        ]),
        ('duplicate_files', 'trigger', ARRAY[
            'duplicate_files_count_trigger AFTER INSERT OR DELETE ON duplicate_files FOR EACH ROW EXECUTE FUNCTION update_duplicate_group_count()'
        ]),
        ('duplicate_files_id_seq', 'relation', ARRAY[
            'duplicate_files_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY duplicate_files.id'
        ]),
        ('rhythm_patterns', 'relation', ARRAY[
            'rhythm_patterns table COMMENT ''Rhythms found in a file'''
        ]),
        ('rhythm_patterns', 'column', ARRAY[
            'file_id bigint NOT NULL', 'pattern_type text', 'pattern_signature bytea', 'onset_times integer[]',
            'inter_onset_intervals integer[]', 'swing_factor numeric(3,2)', 'groove_template vector(16)',
            'syncopation_score numeric(3,2)', 'pattern_length_beats integer', 'pattern_complexity real',
            'id bigint NOT NULL DEFAULT nextval(''rhythm_patterns_id_seq''::regclass)',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('rhythm_patterns', 'constraint', ARRAY[
            'rhythm_patterns_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'rhythm_patterns_file_id_pattern_type_key UNIQUE (file_id, pattern_type)',
            'rhythm_patterns_pkey PRIMARY KEY (id)'
        ]),
        ('rhythm_patterns', 'index', ARRAY[
            'idx_rhythm_file USING btree (file_id)',
            'idx_rhythm_groove USING ivfflat (groove_template vector_cosine_ops) WITH (lists=''50'')',
            'idx_rhythm_signature USING hash (pattern_signature)',
            'idx_rhythm_type USING btree (pattern_type) WHERE (pattern_type IS NOT NULL)',
            'rhythm_patterns_file_id_pattern_type_key UNIQUE USING btree (file_id, pattern_type)',
            'rhythm_patterns_pkey UNIQUE USING btree (id)'
        ]),
        ('rhythm_patterns_id_seq', 'relation', ARRAY[
            'rhythm_patterns_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY rhythm_patterns.id'
        ]),
        ('harmonic_patterns', 'relation', ARRAY[
            'harmonic_patterns table COMMENT ''Chord progressions found in a file'''
        ]),
        ('harmonic_patterns', 'column', ARRAY[
            'file_id bigint NOT NULL', 'chord_sequence text[]', 'chord_types text[]', 'chord_roots integer[]',
            'roman_numerals text[]', 'harmonic_rhythm integer[]', 'progression_length integer',
            'harmonic_complexity real', 'progression_hash bytea',
            'id bigint NOT NULL DEFAULT nextval(''harmonic_patterns_id_seq''::regclass)',
            'uses_seventh_chords boolean DEFAULT false', 'uses_extended_chords boolean DEFAULT false',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('harmonic_patterns', 'constraint', ARRAY[
            'harmonic_patterns_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'harmonic_patterns_pkey PRIMARY KEY (id)'
        ]),
        ('harmonic_patterns', 'index', ARRAY[
            'harmonic_patterns_pkey UNIQUE USING btree (id)',
            'idx_harmonic_complexity USING btree (harmonic_complexity) WHERE (harmonic_complexity IS NOT NULL)',
            'idx_harmonic_file USING btree (file_id)',
            'idx_harmonic_hash USING hash (progression_hash)',
            'idx_harmonic_length USING btree (progression_length)'
        ]),
        ('harmonic_patterns_id_seq', 'relation', ARRAY[
            'harmonic_patterns_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY harmonic_patterns.id'
        ]),
        ('melodic_patterns', 'relation', ARRAY[
            'melodic_patterns table COMMENT ''Melodies found in a file'''
        ]),
        ('melodic_patterns', 'column', ARRAY[
            'file_id bigint NOT NULL', 'pitch_sequence smallint[]', 'interval_sequence smallint[]',
            'contour_direction text[]', 'note_durations integer[]', 'rhythmic_motif text', 'motif_count integer',
            'sequence_count integer', 'repetition_score real', 'melodic_range smallint',
            'avg_interval_size numeric(4,2)', 'stepwise_motion_ratio numeric(3,2)', 'melodic_hash bytea',
            'id bigint NOT NULL DEFAULT nextval(''melodic_patterns_id_seq''::regclass)',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('melodic_patterns', 'constraint', ARRAY[
            'melodic_patterns_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'melodic_patterns_pkey PRIMARY KEY (id)'
        ]),
        ('melodic_patterns', 'index', ARRAY[
            'idx_melodic_file USING btree (file_id)',
            'idx_melodic_hash USING hash (melodic_hash)',
            'idx_melodic_motion USING btree (stepwise_motion_ratio)',
            'idx_melodic_range USING btree (melodic_range) WHERE (melodic_range IS NOT NULL)',
            'melodic_patterns_pkey UNIQUE USING btree (id)'
        ]),
        ('melodic_patterns_id_seq', 'relation', ARRAY[
            'melodic_patterns_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY melodic_patterns.id'
        ]),
        ('processing_jobs', 'relation', ARRAY[
            'processing_jobs table COMMENT ''Batch jobs such as imports and analyses'''
        ]),
        ('processing_jobs', 'column', ARRAY[
            'job_type text NOT NULL', 'source_directory text NOT NULL', 'error_message text',
            'started_at timestamp with time zone', 'completed_at timestamp with time zone',
            'estimated_completion timestamp with time zone', 'id uuid NOT NULL DEFAULT gen_random_uuid()',
            'total_files integer NOT NULL DEFAULT 0', 'processed_files integer NOT NULL DEFAULT 0',
            'failed_files integer NOT NULL DEFAULT 0', 'skipped_files integer NOT NULL DEFAULT 0',
            'status text DEFAULT ''pending''::text', 'settings jsonb DEFAULT ''{}''::jsonb',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('processing_jobs', 'constraint', ARRAY[
            'processing_jobs_pkey PRIMARY KEY (id)'
        ]),
        ('processing_jobs', 'index', ARRAY[
            'idx_jobs_created USING btree (created_at DESC)',
            'idx_jobs_started USING btree (started_at DESC) WHERE (started_at IS NOT NULL)',
            'idx_jobs_status USING btree (status)',
            'idx_jobs_type USING btree (job_type)',
            'processing_jobs_pkey UNIQUE USING btree (id)'
        ]),
        ('processing_errors', 'relation', ARRAY[
            'processing_errors table COMMENT ''What went wrong in a batch job, one row for each error'''
        ]),
        ('processing_errors', 'column', ARRAY[
            'job_id uuid NOT NULL', 'filepath text NOT NULL', 'error_type text', 'error_message text',
            'stack_trace text', 'id bigint NOT NULL DEFAULT nextval(''processing_errors_id_seq''::regclass)',
            'occurred_at timestamp with time zone DEFAULT now()'
        ]),
        ('processing_errors', 'constraint', ARRAY[
            'processing_errors_job_id_fkey FOREIGN KEY (job_id) REFERENCES processing_jobs(id) ON DELETE CASCADE',
            'processing_errors_pkey PRIMARY KEY (id)'
        ]),
        ('processing_errors', 'index', ARRAY[
            'idx_errors_job USING btree (job_id)',
            'idx_errors_occurred USING btree (occurred_at DESC)',
            'idx_errors_type USING btree (error_type)',
            'processing_errors_pkey UNIQUE USING btree (id)'
        ]),
        ('processing_errors', 'trigger', ARRAY[
            'processing_errors_count_trigger AFTER INSERT ON processing_errors FOR EACH ROW EXECUTE FUNCTION update_job_progress()'
        ]),
        ('processing_errors_id_seq', 'relation', ARRAY[
            'processing_errors_id_seq sequence AS bigint START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1 OWNED BY processing_errors.id'
        ]),
        ('schema_migrations', 'relation', ARRAY[
            'schema_migrations table'
        ]),
        ('schema_migrations', 'column', ARRAY[
            'version text NOT NULL', 'description text',
            'id integer NOT NULL DEFAULT nextval(''schema_migrations_id_seq''::regclass)',
            'applied_at timestamp with time zone DEFAULT now()'
        ]),
        ('schema_migrations', 'constraint', ARRAY[
            'schema_migrations_pkey PRIMARY KEY (id)',
            'schema_migrations_version_key UNIQUE (version)'
        ]),
        ('schema_migrations', 'index', ARRAY[
            'schema_migrations_pkey UNIQUE USING btree (id)',
            'schema_migrations_version_key UNIQUE USING btree (version)'
        ]),
        ('schema_migrations_id_seq', 'relation', ARRAY[
            'schema_migrations_id_seq sequence AS integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 OWNED BY schema_migrations.id'
        ]),
        ('duplicate_summary', 'relation', ARRAY[
            'duplicate_summary view'
        ]),
        ('duplicate_summary', 'column', ARRAY[
            'group_id integer', 'duplicate_count integer', 'total_size_bytes bigint', 'filepaths text[]'
        ]),
        ('files_with_metadata', 'relation', ARRAY[
            'files_with_metadata view'
        ]),
        ('files_with_metadata', 'column', ARRAY[
            'id bigint', 'filename text', 'filepath text', 'manufacturer text', 'collection_name text',
            'duration_seconds numeric(10,3)', 'bpm numeric(6,2)', 'key_signature musical_key',
            'time_signature_numerator smallint', 'time_signature_denominator smallint', 'total_notes integer',
            'is_percussive boolean', 'has_chords boolean', 'has_melody boolean', 'primary_category file_category',
            'secondary_category file_category', 'created_at timestamp with time zone'
        ]),
        ('files_with_tags', 'relation', ARRAY[
            'files_with_tags view'
        ]),
        ('files_with_tags', 'column', ARRAY[
            'id bigint', 'filename text', 'filepath text', 'tag_names text[]'
        ])
    ), named (relation) AS (
        SELECT DISTINCT to_regclass(relation)::oid FROM expected
    ), found AS (
        SELECT c.oid AS relation, 'relation' AS kind, relname AS name,
               concat_ws(' ', CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' END,
                         CASE WHEN relpersistence <> 'p' THEN 'UNLOGGED' END,
                         CASE WHEN relrowsecurity THEN 'ROW LEVEL SECURITY' END,
                         CASE WHEN relforcerowsecurity THEN 'FORCED' END,
                         CASE WHEN relkind = 'r' AND relreplident <> 'd' THEN 'REPLICA IDENTITY ' || relreplident::text END,
                         (SELECT format('AS %s START %s INCREMENT %s MINVALUE %s MAXVALUE %s CACHE %s',
                                        format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax, seqcache)
                                 || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END
                          FROM pg_sequence WHERE seqrelid = c.oid),
                         (SELECT format('OWNED BY %s.%s', refobjid::regclass, attname)
                          FROM pg_depend
                          JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
                          WHERE objid = c.oid AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
                            AND relkind = 'S' AND deptype IN ('a', 'i')),
                         'WITH ' || array_to_string(reloptions, ', '),
                         'COMMENT ' || quote_literal(obj_description(c.oid, 'pg_class'))) AS definition
        FROM pg_class c
        WHERE c.oid IN (TABLE named)
        UNION ALL
        SELECT attrelid, 'column', attname,
               concat_ws(' ', format_type(atttypid, atttypmod),
                         CASE WHEN attcollation <> typcollation THEN 'COLLATE ' || attcollation::regcollation END,
                         CASE WHEN attnotnull THEN 'NOT NULL' END,
                         CASE attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY' END,
                         CASE attgenerated WHEN '' THEN 'DEFAULT ' ELSE 'GENERATED ' END || pg_get_expr(adbin, adrelid),
                         CASE WHEN attstorage <> typstorage THEN 'STORAGE ' || attstorage::text END,
                         'COMPRESSION ' || nullif(attcompression::text, ''), 'STATISTICS ' || nullif(attstattarget, -1),
                         'WITH ' || array_to_string(attoptions, ', '),
                         'COMMENT ' || quote_literal(col_description(attrelid, attnum)))
        FROM pg_attribute
        JOIN pg_type ON pg_type.oid = atttypid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (TABLE named)
        UNION ALL
        -- Says NOT VALID and NOT ENFORCED where a constraint is.
        SELECT conrelid, 'constraint', conname,
               concat_ws(' ', pg_get_constraintdef(oid),
                         CASE WHEN EXISTS (SELECT FROM pg_trigger WHERE tgconstraint = o.oid AND tgenabled <> 'O')
                             THEN '(disabled)' END,
                         'COMMENT ' || quote_literal(obj_description(oid, 'pg_constraint')))
        FROM pg_constraint o
        WHERE conrelid IN (TABLE named)
        UNION ALL
        -- Those of keys too.
        SELECT indrelid, 'index', relname,
               concat_ws(' ', CASE WHEN indisunique THEN 'UNIQUE' END, substring(pg_get_indexdef(indexrelid) FROM 'USING .*'),
                         CASE WHEN NOT (indisvalid AND indisready AND indislive) THEN '(invalid)' END,
                         CASE WHEN indisclustered THEN 'CLUSTER' END, CASE WHEN indisreplident THEN 'REPLICA IDENTITY' END,
                         'COMMENT ' || quote_literal(obj_description(indexrelid, 'pg_class')))
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid IN (TABLE named)
        UNION ALL
        SELECT tgrelid, 'trigger', tgname,
               concat_ws(' ', substring(pg_get_triggerdef(oid, true) FROM '(?:BEFORE|AFTER) .*'),
                         CASE WHEN tgenabled <> 'O' THEN '(disabled)' END,
                         'COMMENT ' || quote_literal(obj_description(oid, 'pg_trigger')))
        FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid IN (TABLE named)
    )
    SELECT string_agg(format('%s of %s: %s, found %s', e.kind, e.relation, wanted, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM expected e
    CROSS JOIN LATERAL unnest(e.definitions) AS wanted
    LEFT JOIN found f
        ON f.relation = to_regclass(e.relation) AND f.kind = e.kind AND f.name = split_part(wanted, ' ', 1)
    WHERE concat_ws(' ', f.name, f.definition) IS DISTINCT FROM wanted;

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Migration 001 is not in place as written; wanted and found:\n%', wrong;
    END IF;

    SELECT string_agg(format('%s: %s, found %s', e.signature, e.definition, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM (VALUES
        ('files_search_vector_update()',
         '() RETURNS trigger plpgsql VOLATILE COST 100 BODY 11eb5753df55c940'),
        ('update_duplicate_group_count()',
         '() RETURNS trigger plpgsql VOLATILE COST 100 BODY 33b93c60b690e9f1'),
        ('update_job_progress()',
         '() RETURNS trigger plpgsql VOLATILE COST 100 BODY b1bc539e23caf2f8'),
        ('update_tag_usage_count()',
         '() RETURNS trigger plpgsql VOLATILE COST 100 BODY 5d912fb50d09a024'),
        ('update_updated_at_column()',
         '() RETURNS trigger plpgsql VOLATILE COST 100 BODY 0ad791a36683d71d')
    ) AS e (signature, definition)
    LEFT JOIN LATERAL (
        -- Of the body a digest: it is compared to the byte.
        SELECT concat_ws(' ', format('(%s) RETURNS %s', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)),
                         lanname, CASE provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
                         CASE WHEN proisstrict THEN 'STRICT' END, CASE WHEN prosecdef THEN 'SECURITY DEFINER' END,
                         CASE WHEN proleakproof THEN 'LEAKPROOF' END,
                         CASE proparallel WHEN 's' THEN 'PARALLEL SAFE' WHEN 'r' THEN 'PARALLEL RESTRICTED' END,
                         'COST ' || procost, 'SET ' || array_to_string(proconfig, ', '),
                         'COMMENT ' || quote_literal(obj_description(p.oid, 'pg_proc')),
                         'BODY ' || left(encode(sha256(convert_to(replace(prosrc, E'\r', ''), 'UTF8')), 'hex'), 16)
               ) AS definition
        FROM pg_proc p
        JOIN pg_language l ON l.oid = prolang
        WHERE p.oid = to_regprocedure(e.signature)
    ) f ON true
    WHERE f.definition IS DISTINCT FROM e.definition;

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Functions of migration 001 are not as written; wanted and found:\n%', wrong;
    END IF;

    IF enum_range(NULL::musical_key)::text[] <> ARRAY[
        'C', 'Cm', 'C#', 'C#m', 'Db', 'Dbm', 'D', 'Dm', 'D#', 'D#m', 'Eb', 'Ebm', 'E', 'Em', 'F', 'Fm', 'F#',
        'F#m', 'Gb', 'Gbm', 'G', 'Gm', 'G#', 'G#m', 'Ab', 'Abm', 'A', 'Am', 'A#', 'A#m', 'Bb', 'Bbm', 'B', 'Bm',
        'UNKNOWN'
    ] THEN
        RAISE EXCEPTION 'The values of musical_key are %', enum_range(NULL::musical_key);
    END IF;
    IF enum_range(NULL::file_category)::text[] <> ARRAY[
        'KICK', 'SNARE', 'HIHAT', 'CLAP', 'PERC', 'TOM', 'CYMBAL', 'DRUM_LOOP', 'DRUM_PATTERN', 'BASS',
        'SUB_BASS', 'BASS_LOOP', 'CHORD', 'PROGRESSION', 'STAB', 'PAD', 'TEXTURE', 'ATMOSPHERE', 'LEAD', 'MELODY',
        'HOOK', 'RIFF', 'ARP', 'SEQUENCE', 'PIANO', 'KEYS', 'ORGAN', 'STRING', 'BRASS', 'WOODWIND', 'FX', 'RISER',
        'IMPACT', 'SWEEP', 'TRANSITION', 'VOCAL', 'VOX', 'SAMPLE', 'MOTIF', 'THEME', 'FULL_MIX', 'STEM', 'UNKNOWN'
    ] THEN
        RAISE EXCEPTION 'The values of file_category are %', enum_range(NULL::file_category);
    END IF;

    SELECT string_agg(name, ', ') INTO wrong
    FROM unnest(ARRAY['musical_key', 'file_category']) AS name
    WHERE obj_description(to_regtype(name), 'pg_type') IS NOT NULL;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'Types of migration 001 have comments, and were written without: %', wrong;
    END IF;

    SELECT string_agg(name, ', ') INTO wrong
    FROM unnest(ARRAY['vector', 'pg_trgm']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = name);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'Extensions of migration 001 are missing: %', wrong;
    END IF;

    -- PostgreSQL writes each as it is and as it was written, so that neither its version nor spaces matter.
    CREATE TEMPORARY VIEW as_written AS
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
    IF pg_get_viewdef(to_regclass('pg_temp.as_written')) IS DISTINCT FROM pg_get_viewdef(to_regclass('files_with_metadata')) THEN
        RAISE EXCEPTION E'View files_with_metadata is not as written, but:\n%', pg_get_viewdef(to_regclass('files_with_metadata'));
    END IF;
    DROP VIEW pg_temp.as_written;

    CREATE TEMPORARY VIEW as_written AS
    SELECT f.id,
           f.filename,
           f.filepath,
           array_agg(t.name) FILTER (WHERE t.name IS NOT NULL) AS tag_names
    FROM files f
    LEFT JOIN file_tags ft ON ft.file_id = f.id
    LEFT JOIN tags t ON t.id = ft.tag_id
    GROUP BY f.id, f.filename, f.filepath;
    IF pg_get_viewdef(to_regclass('pg_temp.as_written')) IS DISTINCT FROM pg_get_viewdef(to_regclass('files_with_tags')) THEN
        RAISE EXCEPTION E'View files_with_tags is not as written, but:\n%', pg_get_viewdef(to_regclass('files_with_tags'));
    END IF;
    DROP VIEW pg_temp.as_written;

    CREATE TEMPORARY VIEW as_written AS
    SELECT g.id AS group_id,
           g.duplicate_count,
           g.total_size_bytes,
           array_agg(f.filepath) AS filepaths
    FROM duplicate_groups g
    JOIN duplicate_files d ON d.group_id = g.id
    JOIN files f ON f.id = d.file_id
    GROUP BY g.id, g.duplicate_count, g.total_size_bytes;
    IF pg_get_viewdef(to_regclass('pg_temp.as_written')) IS DISTINCT FROM pg_get_viewdef(to_regclass('duplicate_summary')) THEN
        RAISE EXCEPTION E'View duplicate_summary is not as written, but:\n%', pg_get_viewdef(to_regclass('duplicate_summary'));
    END IF;
    DROP VIEW pg_temp.as_written;

    PERFORM FROM files_with_metadata LIMIT 1;
    PERFORM FROM files_with_tags LIMIT 1;
    PERFORM FROM duplicate_summary LIMIT 1;
END;
$$;
