-- create_join_table: two foreign keys and no primary key.
-- Verdict: deployed
--- before
CREATE TABLE parts (id bigserial PRIMARY KEY, name varchar);
CREATE TABLE assemblies (id bigserial PRIMARY KEY, name varchar);
INSERT INTO parts (name) VALUES ('bolt'), ('nut');
INSERT INTO assemblies (name) VALUES ('door');
--- apply
CREATE TABLE "assemblies_parts" ("assembly_id" bigint NOT NULL, "part_id" bigint NOT NULL);
ALTER TABLE "assemblies_parts" ADD CONSTRAINT "fk_rails_a1" FOREIGN KEY ("assembly_id") REFERENCES "assemblies" ("id");
ALTER TABLE "assemblies_parts" ADD CONSTRAINT "fk_rails_a2" FOREIGN KEY ("part_id") REFERENCES "parts" ("id");
CREATE INDEX "index_assemblies_parts" ON "assemblies_parts" ("assembly_id", "part_id");
--- rollback
DROP TABLE "assemblies_parts";
--- users
INSERT INTO assemblies_parts VALUES (1, 1), (1, 2), (1, 2);
