-- Security labels of a provider that is loaded for it.
-- Needs: label provider
CREATE TABLE labelled (id int, s text); SECURITY LABEL FOR dummy ON TABLE labelled IS 'classified'; SECURITY LABEL FOR dummy ON COLUMN labelled.s IS 'secret';
-- Fault: SECURITY LABEL FOR dummy ON TABLE labelled IS 'unclassified'
