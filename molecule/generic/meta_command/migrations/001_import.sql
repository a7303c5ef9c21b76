-- Loads a list of customers
CREATE TABLE customers (id bigint PRIMARY KEY);

\copy customers FROM 'customers.csv' CSV
