-- Description: Invoices of accounts
-- Requires: 001
CREATE TABLE invoices (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts (id));
