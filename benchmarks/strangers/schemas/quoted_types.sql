-- Types that need their names quoted or bring modifiers, in casts within definitions.
CREATE SCHEMA "My Types"; CREATE TYPE "My Types"."Mood" AS ENUM ('a', 'b'); CREATE DOMAIN "My Types"."Code" AS varchar(4) CHECK (VALUE IN ('x', 'y'));
CREATE TABLE q (m "My Types"."Mood" DEFAULT 'a'::"My Types"."Mood" CHECK (m IN ('a', 'b')), c "My Types"."Code" DEFAULT 'x' CHECK (c IN ('x', 'y')), n "char" CHECK (n IN ('a', 'b')), i interval hour to minute DEFAULT '1:30', b bit(3) CHECK (b IN (B'101', B'111')), t time(3) with time zone CHECK (t IN ('10:00+01', '11:00+02')), f float4 CHECK (f IN (0.1, 2)), x xid);
INSERT INTO q DEFAULT VALUES;
-- Fault: ALTER TABLE q DROP CONSTRAINT q_c_check, ADD CONSTRAINT q_c_check CHECK (c IN ('x', 'z')) NOT VALID
-- Fault: ALTER TABLE q DROP CONSTRAINT q_n_check, ADD CONSTRAINT q_n_check CHECK (n IN ('a', 'c')) NOT VALID
