-- A uuid for each row, by a default that gives each row another value: on the copy they are others than in production.
-- Verdict: deployed
--- before
CREATE TABLE devices (id bigserial PRIMARY KEY, name varchar);
INSERT INTO devices (name) VALUES ('phone'), ('tablet');
--- apply
ALTER TABLE "devices" ADD "token" uuid DEFAULT gen_random_uuid() NOT NULL;
CREATE UNIQUE INDEX "index_devices_on_token" ON "devices" ("token");
--- rollback
DROP INDEX "index_devices_on_token";
ALTER TABLE "devices" DROP COLUMN "token";
--- users
INSERT INTO devices (name) VALUES ('watch');
UPDATE devices SET token = '00000000-0000-4000-8000-000000000001' WHERE name = 'phone';
