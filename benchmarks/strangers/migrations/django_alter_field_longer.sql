-- AlterField to a longer varchar; whoever wrote the way back thought of longer texts that people write meanwhile.
-- Verdict: deployed
--- before
CREATE TABLE shop_order (id bigint PRIMARY KEY, note varchar(10) NOT NULL);
INSERT INTO shop_order VALUES (1, 'short'), (2, 'also short');
--- apply
ALTER TABLE "shop_order" ALTER COLUMN "note" TYPE varchar(40);
--- rollback
ALTER TABLE "shop_order" ALTER COLUMN "note" TYPE varchar(10) USING left("note", 10);
--- users
UPDATE shop_order SET note = 'something that ten letters do not hold' WHERE id = 2;
INSERT INTO shop_order VALUES (3, 'also longer than ten letters');
