# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Functions of PostgreSQL that change no object and no row; some set something of the session, or tell others."""

from __future__ import annotations

__all__ = ["PURE"]

_NAMES = """
    abs age array_agg array_length array_remove array_to_string avg bool_and bool_or btrim cardinality ceil
    ceiling char_length clock_timestamp coalesce concat concat_ws count current_setting date_part date_trunc
    decode dense_rank encode extract first_value floor format gen_random_uuid generate_series initcap json_agg
    json_array_elements json_array_elements_text json_build_object jsonb_agg jsonb_array_elements
    jsonb_array_elements_text jsonb_build_object jsonb_each jsonb_each_text jsonb_object_agg jsonb_set lag
    last_value lead left length lower lpad ltrim make_date make_interval max md5 min now octet_length
    pg_advisory_lock pg_advisory_unlock pg_advisory_xact_lock pg_get_serial_sequence pg_notify pg_sleep random
    rank regexp_matches regexp_replace repeat replace reverse right round row_number row_to_json rpad rtrim
    set_config setweight sign split_part string_agg string_to_array strpos substr substring sum to_char to_date
    to_json to_jsonb to_number to_regclass to_regtype to_timestamp to_tsvector translate trim trunc unnest upper
    uuidv4 uuidv7 version
"""
PURE = frozenset(_NAMES.split())
