-- Verifies 007_enhanced_tags: tables, columns of tags, indexes, views, functions and the seed.
--
-- Fails with a list of what is missing or other than written: type, NOT NULL and default of a column, definition of a
-- constraint, definition and validity of an index. Names are looked up on the search path, as in the migration.
-- Objects of later migrations are no fault.
DO $$
DECLARE
    wrong text;
BEGIN
    WITH expected (relation, kind, definitions) AS (VALUES
        ('tag_categories', 'column', ARRAY[
            'id integer NOT NULL DEFAULT nextval(''tag_categories_id_seq''::regclass)',
            'name character varying(50) NOT NULL', 'description text', 'priority integer DEFAULT 50',
            'color character varying(7)', 'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('tag_categories', 'constraint', ARRAY[
            'tag_categories_pkey PRIMARY KEY (id)',
            'tag_categories_name_key UNIQUE (name)'
        ]),
        ('tag_aliases', 'column', ARRAY[
            'id integer NOT NULL DEFAULT nextval(''tag_aliases_id_seq''::regclass)', 'tag_id integer NOT NULL',
            'alias character varying(100) NOT NULL', 'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('tag_aliases', 'constraint', ARRAY[
            'tag_aliases_pkey PRIMARY KEY (id)',
            'tag_aliases_tag_id_alias_key UNIQUE (tag_id, alias)',
            'tag_aliases_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags(id) ON DELETE CASCADE'
        ]),
        ('tag_aliases', 'index', ARRAY[
            'idx_tag_aliases_alias USING btree (alias)',
            'idx_tag_aliases_tag_id USING btree (tag_id)'
        ]),
        ('auto_tagging_rules', 'column', ARRAY[
            'id integer NOT NULL DEFAULT nextval(''auto_tagging_rules_id_seq''::regclass)',
            'rule_name character varying(100) NOT NULL', 'rule_type character varying(50) NOT NULL',
            'pattern character varying(500) NOT NULL', 'tags_to_add integer[] NOT NULL',
            'confidence numeric(3,2) DEFAULT 0.85', 'priority integer DEFAULT 50', 'is_active boolean DEFAULT true',
            'created_at timestamp with time zone DEFAULT now()', 'updated_at timestamp with time zone DEFAULT now()'
        ]),
        ('auto_tagging_rules', 'constraint', ARRAY[
            'auto_tagging_rules_pkey PRIMARY KEY (id)'
        ]),
        ('auto_tagging_rules', 'index', ARRAY[
            'idx_auto_tagging_rules_active USING btree (is_active)',
            'idx_auto_tagging_rules_type USING btree (rule_type)'
        ]),
        ('tag_suggestions', 'column', ARRAY[
            'id integer NOT NULL DEFAULT nextval(''tag_suggestions_id_seq''::regclass)', 'file_id bigint NOT NULL',
            'suggested_tag_id integer NOT NULL', 'confidence numeric(3,2) NOT NULL',
            'source character varying(50) NOT NULL', 'is_accepted boolean', 'accepted_at timestamp with time zone',
            'created_at timestamp with time zone DEFAULT now()'
        ]),
        ('tag_suggestions', 'constraint', ARRAY[
            'tag_suggestions_pkey PRIMARY KEY (id)',
            'tag_suggestions_file_id_suggested_tag_id_key UNIQUE (file_id, suggested_tag_id)',
            'tag_suggestions_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE',
            'tag_suggestions_suggested_tag_id_fkey FOREIGN KEY (suggested_tag_id) REFERENCES tags(id) ON DELETE CASCADE'
        ]),
        ('tag_suggestions', 'index', ARRAY[
            'idx_tag_suggestions_accepted USING btree (is_accepted)',
            'idx_tag_suggestions_confidence USING btree (confidence DESC)',
            'idx_tag_suggestions_file_id USING btree (file_id)'
        ]),
        ('tags', 'column', ARRAY[
            'category_id integer', 'priority integer DEFAULT 50', 'auto_detected boolean DEFAULT false',
            'confidence_score numeric(3,2) DEFAULT 0.00', 'detection_method character varying(50)',
            'parent_tag_id integer', 'is_active boolean DEFAULT true'
        ]),
        ('tags', 'constraint', ARRAY[
            'tags_category_id_fkey FOREIGN KEY (category_id) REFERENCES tag_categories(id)',
            'tags_parent_tag_id_fkey FOREIGN KEY (parent_tag_id) REFERENCES tags(id)',
            'tags_confidence_score_check CHECK (((confidence_score >= (0)::numeric) AND (confidence_score <= (1)::numeric)))'
        ]),
        ('tags', 'index', ARRAY[
            'idx_tags_auto_detected USING btree (auto_detected)',
            'idx_tags_category_id USING btree (category_id)',
            'idx_tags_priority USING btree (priority)'
        ]),
        ('file_tags', 'index', ARRAY[
            'idx_file_tags_tag_id_file_id USING btree (tag_id, file_id)'
        ]),
        ('tags_with_categories', 'column', ARRAY[
            'id integer', 'name text', 'usage_count integer', 'category character varying(50)',
            'category_color character varying(7)', 'priority integer', 'auto_detected boolean',
            'confidence_score numeric(3,2)', 'detection_method character varying(50)', 'is_active boolean',
            'created_at timestamp with time zone'
        ]),
        ('popular_tags_by_category', 'column', ARRAY[
            'category character varying(50)', 'category_color character varying(7)', 'tag_name text',
            'usage_count integer', 'auto_detected boolean', 'confidence_score numeric(3,2)'
        ]),
        ('pending_tag_suggestions', 'column', ARRAY[
            'id integer', 'file_id bigint', 'filename text', 'suggested_tag text',
            'tag_category character varying(50)', 'confidence numeric(3,2)', 'source character varying(50)',
            'created_at timestamp with time zone'
        ])
    ), found AS (
        SELECT attrelid AS relation, 'column' AS kind, attname AS name,
               concat_ws(' ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
                         'DEFAULT ' || pg_get_expr(adbin, adrelid)) AS definition
        FROM pg_attribute
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attnum > 0 AND NOT attisdropped
        UNION ALL
        -- Says NOT VALID and NOT ENFORCED where a constraint is.
        SELECT conrelid, 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid <> 0
        UNION ALL
        SELECT indrelid, 'index', relname,
               concat_ws(' ', CASE WHEN indisunique THEN 'UNIQUE' END, substring(pg_get_indexdef(indexrelid) FROM 'USING .*'),
                         CASE WHEN NOT (indisvalid AND indisready AND indislive) THEN '(invalid)' END)
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
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

    SELECT string_agg(format('%s returning %s, found %s', e.signature, e.result,
                             coalesce(pg_get_function_arguments(p.oid) || ' returning ' || pg_get_function_result(p.oid)
                                      || ' ' || lower(l.lanname) || ' ' || p.provolatile::text, 'none')), E'\n')
    INTO wrong
    FROM (VALUES
        ('get_tags_by_category(varchar)',
         'p_category character varying',
         'TABLE(tag_id integer, tag_name character varying, usage_count integer, confidence numeric)',
         'v'),
        ('suggest_tags_from_similar_files(bigint,integer)',
         'p_file_id bigint, p_limit integer DEFAULT 5',
         'TABLE(tag_id integer, tag_name character varying, confidence numeric, usage_frequency bigint)',
         'v')
    ) AS e (signature, arguments, result, volatility)
    LEFT JOIN pg_proc p ON p.oid = to_regprocedure(e.signature)
    LEFT JOIN pg_language l ON l.oid = p.prolang
    WHERE (pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile::text, l.lanname::text)
        IS DISTINCT FROM (e.arguments, e.result, e.volatility, 'plpgsql');

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

    -- plpgsql finds most mistakes only when the function runs.
    PERFORM FROM get_tags_by_category('genre');
    PERFORM FROM suggest_tags_from_similar_files((SELECT min(id) FROM files), 1);
    PERFORM FROM tags_with_categories LIMIT 1;
    PERFORM FROM popular_tags_by_category LIMIT 1;
    PERFORM FROM pending_tag_suggestions LIMIT 1;
END;
$$;
