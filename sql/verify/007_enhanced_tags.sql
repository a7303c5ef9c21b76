-- Verifies 007_enhanced_tags: tables, columns of tags, indexes, views, functions and the seed.
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
        ('tag_categories', 'relation', ARRAY[
            'tag_categories table'
        ]),
        ('tag_categories', 'column', ARRAY[
            'name character varying(50) NOT NULL', 'description text', 'color character varying(7)',
            'id integer NOT NULL DEFAULT nextval(''tag_categories_id_seq''::regclass)', 'priority integer DEFAULT 50',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('tag_categories', 'constraint', ARRAY[
            'tag_categories_name_key UNIQUE (name)',
            'tag_categories_pkey PRIMARY KEY (id)'
        ]),
        ('tag_categories', 'index', ARRAY[
            'tag_categories_name_key UNIQUE USING btree (name)',
            'tag_categories_pkey UNIQUE USING btree (id)'
        ]),
        ('tag_categories_id_seq', 'relation', ARRAY[
            'tag_categories_id_seq sequence AS integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 OWNED BY tag_categories.id'
        ]),
        ('tag_aliases', 'relation', ARRAY[
            'tag_aliases table'
        ]),
        ('tag_aliases', 'column', ARRAY[
            'tag_id integer NOT NULL', 'alias character varying(100) NOT NULL',
            'id integer NOT NULL DEFAULT nextval(''tag_aliases_id_seq''::regclass)',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('tag_aliases', 'constraint', ARRAY[
            'tag_aliases_pkey PRIMARY KEY (id)',
            'tag_aliases_tag_id_alias_key UNIQUE (tag_id, alias)',
            'tag_aliases_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags(id) ON DELETE CASCADE'
        ]),
        ('tag_aliases', 'index', ARRAY[
            'idx_tag_aliases_alias USING btree (alias)',
            'idx_tag_aliases_tag_id USING btree (tag_id)',
            'tag_aliases_pkey UNIQUE USING btree (id)',
            'tag_aliases_tag_id_alias_key UNIQUE USING btree (tag_id, alias)'
        ]),
        ('tag_aliases_id_seq', 'relation', ARRAY[
            'tag_aliases_id_seq sequence AS integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 OWNED BY tag_aliases.id'
        ]),
        ('auto_tagging_rules', 'relation', ARRAY[
            'auto_tagging_rules table COMMENT ''Rules that put tags on files by the name of their pack, folder or file'''
        ]),
        ('auto_tagging_rules', 'column', ARRAY[
            'rule_name character varying(100) NOT NULL', 'rule_type character varying(50) NOT NULL',
            'pattern character varying(500) NOT NULL', 'tags_to_add integer[] NOT NULL',
            'id integer NOT NULL DEFAULT nextval(''auto_tagging_rules_id_seq''::regclass)',
            'confidence numeric(3,2) DEFAULT 0.85', 'priority integer DEFAULT 50', 'is_active boolean DEFAULT true',
            'created_at timestamp with time zone DEFAULT now()', 'updated_at timestamp with time zone DEFAULT now()'
        ]),
        ('auto_tagging_rules', 'constraint', ARRAY[
            'auto_tagging_rules_pkey PRIMARY KEY (id)'
        ]),
        ('auto_tagging_rules', 'index', ARRAY[
            'auto_tagging_rules_pkey UNIQUE USING btree (id)',
            'idx_auto_tagging_rules_active USING btree (is_active)',
            'idx_auto_tagging_rules_type USING btree (rule_type)'
        ]),
        ('auto_tagging_rules_id_seq', 'relation', ARRAY[
            'auto_tagging_rules_id_seq sequence AS integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 OWNED BY auto_tagging_rules.id'
        ]),
        ('tag_suggestions', 'relation', ARRAY[
            'tag_suggestions table'
        ]),
        ('tag_suggestions', 'column', ARRAY[
            'file_id bigint NOT NULL', 'suggested_tag_id integer NOT NULL', 'confidence numeric(3,2) NOT NULL',
            'source character varying(50) NOT NULL', 'is_accepted boolean', 'accepted_at timestamp with time zone',
            'id integer NOT NULL DEFAULT nextval(''tag_suggestions_id_seq''::regclass)',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('tag_suggestions', 'constraint', ARRAY[
            'tag_suggestions_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'tag_suggestions_file_id_suggested_tag_id_key UNIQUE (file_id, suggested_tag_id)',
            'tag_suggestions_pkey PRIMARY KEY (id)',
            'tag_suggestions_suggested_tag_id_fkey FOREIGN KEY (suggested_tag_id) REFERENCES tags(id) ON DELETE CASCADE'
        ]),
        ('tag_suggestions', 'index', ARRAY[
            'idx_tag_suggestions_accepted USING btree (is_accepted)',
            'idx_tag_suggestions_confidence USING btree (confidence DESC)',
            'idx_tag_suggestions_file_id USING btree (file_id)',
            'tag_suggestions_file_id_suggested_tag_id_key UNIQUE USING btree (file_id, suggested_tag_id)',
            'tag_suggestions_pkey UNIQUE USING btree (id)'
        ]),
        ('tag_suggestions_id_seq', 'relation', ARRAY[
            'tag_suggestions_id_seq sequence AS integer START 1 INCREMENT 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 OWNED BY tag_suggestions.id'
        ]),
        ('tags', 'column', ARRAY[
            'category_id integer', 'priority integer DEFAULT 50', 'auto_detected boolean DEFAULT false',
            'confidence_score numeric(3,2) DEFAULT 0.00',
            'detection_method character varying(50) COMMENT ''How the tag was found: pack_exact, folder_exact, filename_pattern, bpm_detection, key_detection, contextual or mood_inference''',
            'parent_tag_id integer', 'is_active boolean DEFAULT true'
        ]),
        ('tags', 'constraint', ARRAY[
            'tags_category_id_fkey FOREIGN KEY (category_id) REFERENCES tag_categories(id)',
            'tags_confidence_score_check CHECK (((confidence_score >= (0)::numeric) AND (confidence_score <= (1)::numeric)))',
            'tags_parent_tag_id_fkey FOREIGN KEY (parent_tag_id) REFERENCES tags(id)'
        ]),
        ('tags', 'index', ARRAY[
            'idx_tags_auto_detected USING btree (auto_detected)',
            'idx_tags_category_id USING btree (category_id)',
            'idx_tags_priority USING btree (priority)'
        ]),
        ('file_tags', 'index', ARRAY[
            'idx_file_tags_tag_id_file_id USING btree (tag_id, file_id)'
        ]),
        ('tags_with_categories', 'relation', ARRAY[
            'tags_with_categories view'
        ]),
        ('tags_with_categories', 'column', ARRAY[
            'id integer', 'name text', 'usage_count integer', 'category character varying(50)',
            'category_color character varying(7)', 'priority integer', 'auto_detected boolean',
            'confidence_score numeric(3,2)', 'detection_method character varying(50)', 'is_active boolean',
            'created_at timestamp with time zone'
        ]),
        ('popular_tags_by_category', 'relation', ARRAY[
            'popular_tags_by_category view'
        ]),
        ('popular_tags_by_category', 'column', ARRAY[
            'category character varying(50)', 'category_color character varying(7)', 'tag_name text',
            'usage_count integer', 'auto_detected boolean', 'confidence_score numeric(3,2)'
        ]),
        ('pending_tag_suggestions', 'relation', ARRAY[
            'pending_tag_suggestions view'
        ]),
        ('pending_tag_suggestions', 'column', ARRAY[
            'id integer', 'file_id bigint', 'filename text', 'suggested_tag text',
            'tag_category character varying(50)', 'confidence numeric(3,2)', 'source character varying(50)',
            'created_at timestamp with time zone'
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
    )
    SELECT string_agg(format('%s of %s: %s, found %s', e.kind, e.relation, wanted, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM expected e
    CROSS JOIN LATERAL unnest(e.definitions) AS wanted
    LEFT JOIN found f
        ON f.relation = to_regclass(e.relation) AND f.kind = e.kind AND f.name = split_part(wanted, ' ', 1)
    WHERE concat_ws(' ', f.name, f.definition) IS DISTINCT FROM wanted;

    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'Migration 007 is not in place as written; wanted and found:\n%', wrong;
    END IF;

    SELECT string_agg(format('%s: %s, found %s', e.signature, e.definition, coalesce(f.definition, 'none')), E'\n')
    INTO wrong
    FROM (VALUES
        ('get_tags_by_category(character varying)',
         '(p_category character varying) RETURNS TABLE(tag_id integer, tag_name character varying, usage_count integer, confidence numeric) plpgsql VOLATILE COST 100 BODY 1ee715594d6b3a0f'),
        ('suggest_tags_from_similar_files(bigint,integer)',
         '(p_file_id bigint, p_limit integer DEFAULT 5) RETURNS TABLE(tag_id integer, tag_name character varying, confidence numeric, usage_frequency bigint) plpgsql VOLATILE COST 100 BODY 3dbb3f90ffa8c32e')
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
        RAISE EXCEPTION E'Functions of migration 007 are not as written; wanted and found:\n%', wrong;
    END IF;

    -- Users may delete seeded tags and add their own, so single tags are not asked for.
    SELECT string_agg(name, ', ') INTO wrong
    FROM unnest(ARRAY['genre', 'instrument', 'element', 'key', 'tempo', 'mood', 'technical', 'structure', 'library',
                      'world']) AS needed (name)
    WHERE NOT EXISTS (SELECT FROM tag_categories c WHERE c.name = needed.name)
       OR (name IN ('genre', 'world', 'instrument', 'element', 'structure', 'tempo')
           AND NOT EXISTS (SELECT FROM tags t JOIN tag_categories c ON c.id = t.category_id WHERE c.name = needed.name));
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'Categories of migration 007 are missing or have no tags: %', wrong;
    END IF;

    -- PostgreSQL writes each as it is and as it was written, so that neither its version nor spaces matter.
    CREATE TEMPORARY VIEW as_written AS
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
    IF pg_get_viewdef(to_regclass('pg_temp.as_written')) IS DISTINCT FROM pg_get_viewdef(to_regclass('tags_with_categories')) THEN
        RAISE EXCEPTION E'View tags_with_categories is not as written, but:\n%', pg_get_viewdef(to_regclass('tags_with_categories'));
    END IF;
    DROP VIEW pg_temp.as_written;

    CREATE TEMPORARY VIEW as_written AS
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
    IF pg_get_viewdef(to_regclass('pg_temp.as_written')) IS DISTINCT FROM pg_get_viewdef(to_regclass('popular_tags_by_category')) THEN
        RAISE EXCEPTION E'View popular_tags_by_category is not as written, but:\n%', pg_get_viewdef(to_regclass('popular_tags_by_category'));
    END IF;
    DROP VIEW pg_temp.as_written;

    CREATE TEMPORARY VIEW as_written AS
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
    IF pg_get_viewdef(to_regclass('pg_temp.as_written')) IS DISTINCT FROM pg_get_viewdef(to_regclass('pending_tag_suggestions')) THEN
        RAISE EXCEPTION E'View pending_tag_suggestions is not as written, but:\n%', pg_get_viewdef(to_regclass('pending_tag_suggestions'));
    END IF;
    DROP VIEW pg_temp.as_written;

    -- plpgsql finds most mistakes only when the function runs.
    PERFORM FROM get_tags_by_category('genre');
    PERFORM FROM suggest_tags_from_similar_files((SELECT min(id) FROM files), 1);
    PERFORM FROM tags_with_categories LIMIT 1;
    PERFORM FROM popular_tags_by_category LIMIT 1;
    PERFORM FROM pending_tag_suggestions LIMIT 1;
END;
$$;
