-- Collations, also nondeterministic ones and those of ICU.
-- Needs: icu
CREATE COLLATION plain (provider = libc, locale = 'C');
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION numeric_order (provider = icu, locale = 'en-u-kn-true');
CREATE TABLE sorted (a text COLLATE loose PRIMARY KEY, b text COLLATE plain, CHECK (b COLLATE "C" > 'a'));
CREATE INDEX sorted_b ON sorted (b COLLATE numeric_order);
INSERT INTO sorted VALUES ('A', 'b');
-- Fault: ALTER TABLE sorted ALTER b TYPE text COLLATE "C"
