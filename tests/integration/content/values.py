# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""For each type, values that must count as different, however alike they are."""

from __future__ import annotations

__all__ = ["DEFINITIONS", "VALUES"]

DEFINITIONS = """
CREATE EXTENSION hstore;
CREATE EXTENSION vector;
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('calm', 'tense');
CREATE TYPE pair AS (x int, y text);
CREATE DOMAIN share AS numeric CHECK (VALUE >= 0);
"""

VALUES: dict[str, list[str]] = {
    "boolean": ["true", "false", "NULL"],
    "int": ["0", "1", "-1", "2147483647", "NULL"],
    "bigint": ["0", "9223372036854775807", "-9223372036854775808"],
    "numeric": ["0", "1.0", "1.00", "1", "'NaN'", "'Infinity'", "1e-20", "NULL"],
    "float8": ["0", "'-0'", "'NaN'", "'Infinity'", "'-Infinity'", "0.1", "0.30000000000000004", "0.3"],
    "float4": ["0", "'-0'", "0.1", "'0.10000001'", "'NaN'"],
    "money": ["1", "1.01", "-1", "NULL"],
    "text": [
        "''",
        "NULL",
        "'NULL'",
        "' '",
        "'a'",
        "'A'",
        "'a '",
        "'\"'",
        "'\\'",
        "'a,b'",
        "'(a)'",
        "U&'\\00E9'",
        "U&'e\\0301'",
    ],
    "citext": ["'a'", "'A'", "''"],
    "varchar(9)": ["''", "'a'", "'a '"],
    "char(3)": ["''", "'a'", "'b'", "NULL"],
    "text[]": [
        "'{}'",
        "NULL",
        "'{NULL}'",
        "'{\"NULL\"}'",
        "'{\"\"}'",
        "'{a,b}'",
        "'{{a},{b}}'",
        "'[0:1]={a,b}'",
    ],
    "int[]": ["'{1,2}'", "'{2,1}'", "'{1,NULL}'", "'{}'"],
    "bytea": ["''", "'\\x00'", "'\\x0000'", "'\\xff'", "NULL"],
    "json": ["'{}'", "'{ }'", "'{\"a\": 1}'", "'{\"a\":1}'", "'null'", "NULL"],
    "jsonb": ["'{}'", "'[]'", "'{\"a\": 1}'", "'{\"a\": 1.0}'", '\'{"a": "1"}\'', "'null'", "NULL"],
    "date": ["'2020-01-02'", "'2020-02-01'", "'infinity'", "'0044-03-15 BC'", "NULL"],
    "timestamp": ["'2020-01-02 03:04:05'", "'2020-01-02 03:04:05.000001'", "'-infinity'"],
    "timestamptz": ["'2020-01-02 03:04:05+00'", "'2020-01-02 03:04:05+01'", "'infinity'"],
    "timetz": ["'03:04+00'", "'04:04+01'", "'03:04+01'"],
    "interval": ["'1 mon'", "'30 days'", "'720 hours'", "'0'", "'-1 mon +1 day'"],
    "int4range": ["'[1,2)'", "'[1,2]'", "'empty'", "'(,)'", "NULL"],
    "tstzrange": ["'[2020-01-01,2020-01-02)'", "'[2020-01-01,2020-01-02]'", "'empty'"],
    "int4multirange": ["'{}'", "'{[1,2),[5,6)}'", "'{[1,6)}'"],
    "tsvector": ["''", "'a'", "'a:1'", "'a:1A'", "'a b'"],
    "tsquery": ["'a & b'", "'a | b'", "'b & a'"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'"],
    "inet": ["'10.0.0.1'", "'10.0.0.1/8'", "'::1'"],
    "cidr": ["'10.0.0.0/8'", "'10.0.0.0/9'"],
    "macaddr": ["'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"],
    "bit(3)": ["B'000'", "B'001'", "NULL"],
    "bit varying": ["B''", "B'0'", "B'00'"],
    "point": ["'(0,0)'", "'(-0,0)'", "'(0,1)'", "'(0.1,1)'"],
    "polygon": ["'((0,0),(1,1),(1,0))'", "'((0,0),(1,0),(1,1))'"],
    "hstore": ["''", "'a=>1'", "'a=>NULL'", "'a=>\"NULL\"'", "'b=>1'"],
    "vector(3)": ["'[0,0,0]'", "'[0,0,1e-30]'", "'[0.1,0,0]'", "NULL"],
    "mood": ["'calm'", "'tense'", "NULL"],
    "pair": ["'(1,a)'", "'(1,)'", "'(1,\"\")'", "'(,a)'", "'(,)'", "NULL"],
    "pair[]": ["'{}'", "'{\"(1,a)\"}'", "'{\"(1,a)\",NULL}'"],
    "share": ["0", "0.0", "1", "NULL"],
    "regclass": ["'pg_class'", "'pg_type'", "NULL"],
    '"char"': ["'a'", "'b'", "''"],
    "pg_lsn": ["'0/0'", "'0/1'"],
    "xid8": ["'1'", "'2'"],
    "jsonpath": ["'$.a'", "'$.b'"],
}
