DROP VIEW turnover;
DROP TABLE purchase;
DROP TABLE customer;
DROP FUNCTION tidy();
DROP DOMAIN price;
DROP TYPE state;
