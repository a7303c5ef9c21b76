# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Large objects that a rollback unlinks are there again after the next deploy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.large_objects import TAKEN
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store import rows

from tests.integration.salvage.deployment import Deployment

Story = Callable[[str, str], Deployment]


PHOTO = (
    "ALTER TABLE book ADD photo oid",
    "SELECT lo_unlink(photo) FROM book WHERE photo IS NOT NULL; ALTER TABLE book DROP photo",
)


def test_large_objects_that_the_rollback_unlinks_are_there_again(deployment: Story) -> None:
    story = deployment(*PHOTO)
    story.rehearse()
    story.deploy()
    story.execute(
        r"UPDATE book SET photo = lo_from_bytea(0, '\x00ff5c') WHERE id = 1;"
        " UPDATE book SET photo = lo_create(0) WHERE id = 2;"
        " SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC;"
        " ALTER LARGE OBJECT 4711 OWNER TO pg_monitor;"
        " UPDATE book SET photo = 4711 WHERE id = 3"
    )
    facts = "SELECT oid, pg_get_userbyid(lomowner), lomacl::text, lo_get(oid) FROM pg_largeobject_metadata ORDER BY 1"
    before = story.ask(facts)
    kept = {item["kind"]: item["rows"] for item in story.roll_back()}
    assert kept == {"dropped columns": 3, "large objects": 3}
    assert story.ask(facts) == []
    returned = {item["kind"]: (item["returned"], item["held_back"]) for item in story.deploy()}
    assert returned == {"dropped columns": (3, 0), "large objects": (3, 0)}
    assert [(*row[:3], bytes(row[3])) for row in story.ask(facts)] == [
        (*row[:3], bytes(row[3])) for row in before
    ]
    assert story.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]


def test_a_large_object_whose_number_is_taken_waits(deployment: Story) -> None:
    story = deployment(*PHOTO)
    story.rehearse()
    story.deploy()
    story.execute(r"SELECT lo_from_bytea(4711, '\x01'); UPDATE book SET photo = 4711 WHERE id = 1")
    story.roll_back()
    story.execute(r"SELECT lo_from_bytea(4711, '\x02')")
    (item,) = [item for item in story.deploy() if item["held_back"]]
    assert item["kind"] == "large objects"
    assert list(item["reasons"]) == [TAKEN]
    assert bytes(story.ask("SELECT lo_get(4711)")[0][0]) == b"\x02"


def test_a_large_object_of_several_rows(deployment: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK", 1000)
    story = deployment(*PHOTO)
    story.rehearse()
    story.deploy()
    content = "convert_to(repeat('0123456789', 250), 'UTF8')"
    story.execute(f"UPDATE book SET photo = lo_from_bytea(0, {content}) WHERE id = 1")
    assert [item["rows"] for item in story.roll_back() if item["kind"] == "large objects"] == [3]
    story.deploy()
    assert story.ask(f"SELECT lo_get(photo) = {content} FROM book WHERE id = 1") == [(True,)]
