-- Description: Payments of invoices
-- Requires: 002
CREATE TABLE payments (invoice_id bigint PRIMARY KEY REFERENCES invoices (id), cents bigint NOT NULL);
