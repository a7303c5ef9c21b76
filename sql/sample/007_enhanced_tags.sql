-- Sample of what users and the analysis do with the enhanced tags. Tags are named by name: ids differ.

-- Seeded tags in use: these must outlive a rollback of 007.
INSERT INTO file_tags (file_id, tag_id, added_at, added_by)
SELECT f.id, t.id, timestamptz '2024-12-01 00:00:00+00' + f.place * interval '1 minute', 'user'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
JOIN tags t ON t.name = (ARRAY['techno', 'drum-and-bass', 'deep-house'])[1 + f.place % 3]
WHERE f.place % 30 = 2
ORDER BY f.id;

INSERT INTO tag_categories (name, description, priority, color, created_at) VALUES
    ('my own', 'A category of a user', -2147483648, NULL, '2024-12-02 00:00:00+00'),
    ('Ünïcode ''quoted''', NULL, 2147483647, '#000000', NULL);

INSERT INTO tags (name, category, created_at, category_id, confidence_score, detection_method, parent_tag_id)
SELECT 'acid techno', NULL, timestamptz '2024-12-03 00:00:00+00', c.id, 1, 'contextual', t.id
FROM tags t
CROSS JOIN tag_categories c
WHERE t.name = 'techno' AND c.name = 'my own';

UPDATE tags SET is_active = false WHERE name = 'slow';
UPDATE tags SET is_active = NULL, confidence_score = NULL, priority = NULL, auto_detected = NULL WHERE name = 'my favourites';
UPDATE tags SET priority = 1, detection_method = 'folder_exact' WHERE name = 'house';

INSERT INTO tag_aliases (tag_id, alias, created_at)
SELECT t.id, a.alias, timestamptz '2024-12-04 00:00:00+00'
FROM (VALUES ('drum-and-bass', 'd''n''b'), ('drum-and-bass', 'ドラムンベース'), ('house', ''), ('hihat', repeat('h', 100))) AS a (tag, alias)
JOIN tags t ON t.name = a.tag
ORDER BY a.tag, a.alias;

INSERT INTO auto_tagging_rules (rule_name, rule_type, pattern, tags_to_add, confidence, priority, is_active, created_at, updated_at)
SELECT r.name, r.type, r.pattern, ARRAY(SELECT id FROM tags WHERE name = ANY (r.tags) ORDER BY name), r.confidence, r.priority,
       r.active, '2024-12-05 00:00:00+00', '2024-12-05 00:00:00+00'
FROM (VALUES
    ('Vengeance packs', 'pack', 'Vengeance%', ARRAY['trance', 'edm'], 0.85, 50, true),
    ('nothing yet', 'folder', '^C:\\Music\\', ARRAY[]::text[], -9.99, -2147483648, false),
    (repeat('r', 100), repeat('t', 50), repeat('p', 500), ARRAY['my favourites'], 9.99, 2147483647, NULL)
) AS r (name, type, pattern, tags, confidence, priority, active)
ORDER BY r.name;

INSERT INTO tag_suggestions (file_id, suggested_tag_id, confidence, source, is_accepted, accepted_at, created_at)
SELECT f.id, t.id, CASE f.place WHEN 1 THEN -9.99 WHEN 16 THEN 9.99 ELSE (f.place % 100) / 100.0 END,
       (ARRAY['similar files', 'file name', ''])[1 + f.place % 3], (ARRAY[NULL, true, false])[1 + f.place % 3],
       CASE WHEN f.place % 3 = 1 THEN timestamptz '2024-12-06 12:00:00+00' + f.place * interval '1 second' END,
       timestamptz '2024-12-06 00:00:00+00' + f.place * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM files) f
JOIN tags t ON t.name = (ARRAY['ambient', 'pad', 'cinematic', 'my favourites'])[1 + f.place % 4]
WHERE f.place % 15 = 1
ORDER BY f.id;
