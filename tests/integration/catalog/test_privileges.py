# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""GRANT and REVOKE on objects of the system and of extensions are the application's, though the objects are not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.privileges import privileges_beyond_schema
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.rows import CatalogReader
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import pin_session


def beyond(cursor: Any) -> dict[str, list[str]]:
    pin_session(cursor, local=True)
    reader = CatalogReader(cursor)
    reader.read_all()
    return {key: facts["privileges"] for key, facts in privileges_beyond_schema(cursor, reader).items()}


def test_a_new_database_and_a_new_extension_have_those_that_they_were_born_with(connection: Any) -> None:
    with connection.cursor() as cursor:
        assert beyond(cursor) == {}
        cursor.execute("CREATE EXTENSION hstore SCHEMA public; CREATE EXTENSION file_fdw SCHEMA public")
        assert beyond(cursor) == {}


@pytest.mark.parametrize(
    ("statement", "key", "grantees"),
    [
        (
            "REVOKE ALL ON FUNCTION pg_sleep FROM PUBLIC",
            "function pg_catalog.pg_sleep(double precision)",
            set(),
        ),
        (
            "GRANT SELECT (rolpassword) ON pg_authid TO PUBLIC",
            "table column pg_catalog.pg_authid.rolpassword",
            {""},
        ),
        ("GRANT UPDATE ON pg_class TO PUBLIC", "table pg_catalog.pg_class", {""}),
        ("REVOKE ALL ON FUNCTION public.akeys FROM PUBLIC", "function public.akeys(public.hstore)", set()),
        ("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC", "language plpgsql", set()),
    ],
)
def test_what_was_granted_or_revoked_since(
    connection: Any, statement: str, key: str, grantees: set[str]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE EXTENSION hstore; {statement}")
        found = beyond(cursor)
        assert set(found) == {f"privileges of {key}"}
        (privileges,) = found.values()
        cursor.execute("SELECT current_user::text")
        owner = cursor.fetchone()[0]
        assert {one.split("=")[0] for one in privileges} - {owner} == grantees


def test_a_right_that_was_taken_and_given_again_is_no_difference(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "REVOKE ALL ON FUNCTION pg_sleep FROM PUBLIC; GRANT EXECUTE ON FUNCTION pg_sleep TO PUBLIC"
        )
        assert beyond(cursor) == {}


def test_rights_on_the_applications_own_objects_are_not_told_twice(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE own (id int); GRANT SELECT ON own TO PUBLIC")
        assert beyond(cursor) == {}
