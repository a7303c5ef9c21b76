-- goose's layout, with a function between its marks.
-- Verdict: deployed
-- Migration: 20260102030405
--- before
CREATE TABLE post (id serial PRIMARY KEY, title text, updated_at timestamptz);
INSERT INTO post (title) VALUES ('a');
--- 20260102030405_touch.sql
-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION touch() RETURNS trigger AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER post_touch BEFORE UPDATE ON post FOR EACH ROW EXECUTE FUNCTION touch();

-- +goose Down
DROP TRIGGER post_touch ON post;
DROP FUNCTION touch();
--- users
UPDATE post SET title = 'b';
