# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the content of a run.json is what the collection's schema says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
from jsonschema import ValidationError

__all__ = ["SCHEMA", "ValidationError", "check_record", "check_schema"]

SCHEMA: dict[str, Any] = json.loads(
    (
        Path(__file__).resolve().parents[1]
        / "collections/ansible_collections/pgops/runbook/plugins/plugin_utils/record/run.schema.json"
    ).read_text(encoding="utf-8")
)


def check_record(content: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError where it is not."""
    jsonschema.Draft202012Validator(SCHEMA).validate(content)


def check_schema() -> None:
    """Raises jsonschema.SchemaError where the schema is none."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
