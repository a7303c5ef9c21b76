# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/awx: what AWX is to import, by a schema, by the collection awx.awx, and by the variables that there are."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_collections
import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from docs.awx import LEFT_OUT, OF_THE_INVENTORY, TEMPLATES, options, roles_of, survey
from tests.playbook_documents import PROJECT
from tests.unit.test_argument_specs import COMMAND_LINE, first_roles, load

AWX = PROJECT / "docs" / "awx"
EXPORT = json.loads((AWX / "job_templates.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((AWX / "import.schema.json").read_text(encoding="utf-8"))

#: Variables that playbooks and roles set for each other.
OF_PLAYBOOKS = ("_automatic", "runbook_playbook", "skip_done")


def check(content: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(content)


def test_the_file_is_as_its_schema_says() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    check(EXPORT)


def _first(content: dict[str, Any]) -> dict[str, Any]:
    return content["job_templates"][0]


def _question(content: dict[str, Any], kind: str) -> dict[str, Any]:
    questions = [one for each in content["job_templates"] for one in _asked(each)]
    return next(one for one in questions if one["type"] == kind)


def _asked(template: dict[str, Any]) -> list[dict[str, Any]]:
    return template["related"].get("survey_spec", {"spec": []})["spec"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.clear(),
        lambda content: _first(content).pop("natural_key"),
        lambda content: _first(content).update(plybook="deploy.yml"),
        lambda content: _first(content)["inventory"].update(type="project"),
        lambda content: _first(content).update(job_slice_count=2),
        lambda content: _first(content)["related"].clear(),
        lambda content: _first(content)["related"]["survey_spec"].pop("name"),
        lambda content: _question(content, "text").update(type="string"),
        lambda content: _question(content, "text").update(choices=["a"]),
        lambda content: _question(content, "integer").update(default="0"),
        lambda content: _question(content, "multiplechoice").pop("choices"),
        lambda content: _question(content, "multiplechoice").update(choices=[True, False]),
        lambda content: _question(content, "multiplechoice").update(default=False),
    ],
)
def test_the_schema_sees_what_is_wrong(spoil: Callable[[dict[str, Any]], Any]) -> None:
    content = copy.deepcopy(EXPORT)
    spoil(content)
    with pytest.raises(jsonschema.ValidationError):
        check(content)


def _options_of_the_module() -> dict[str, Any]:
    """Options of awx.awx.job_template, which comes with Ansible; its authors know the API."""
    for folder in ansible_collections.__path__:
        path = Path(folder, "awx/awx/plugins/modules/job_template.py")
        if path.is_file():
            document = path.read_text(encoding="utf-8").split("DOCUMENTATION = '''")[1].split("'''")[0]
            return yaml.safe_load(document)["options"]
    raise AssertionError("the collection awx.awx is not installed")


@pytest.mark.parametrize("template", EXPORT["job_templates"], ids=lambda one: one["name"])
def test_each_field_is_one_of_a_job_template(template: dict[str, Any]) -> None:
    kinds = {"str": str, "bool": bool, "int": int}
    known = _options_of_the_module()
    for name, value in template.items():
        if name in ("natural_key", "related"):
            continue
        assert name in known
        # What the file names by its natural key, the module takes by its name.
        text = value["name"] if isinstance(value, dict) else value
        assert isinstance(text, kinds[known[name]["type"]]), name
        assert text in known[name].get("choices", [text])


def test_a_choice_that_is_left_as_it_is_is_one() -> None:
    for template in EXPORT["job_templates"]:
        variables = [one["variable"] for one in _asked(template)]
        assert len(set(variables)) == len(variables)
        for one in _asked(template):
            if one["type"] == "multiplechoice":
                assert one["default"] in one["choices"] or (one["default"] == "" and not one["required"])


def test_each_playbook_has_a_template_or_a_reason() -> None:
    playbooks = {
        str(path.relative_to(PROJECT))
        for path in [*PROJECT.glob("*.yml"), *(PROJECT / "playbooks").glob("*.yml")]
        if isinstance(load(path), list)
    }
    assert {one.playbook for one in TEMPLATES} | set(LEFT_OUT) == playbooks
    assert not {one.playbook for one in TEMPLATES} & set(LEFT_OUT)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_a_role_is_found_where_the_playbook_imports_it(template: Any) -> None:
    assert set(first_roles(load(PROJECT / template.playbook))) <= set(roles_of(template.playbook))


def test_an_answer_left_as_it_is_is_the_default() -> None:
    for template in TEMPLATES:
        for one in survey(template):
            default = options()[one["variable"]].get("default", "")
            if isinstance(default, str) and "{{" in default:
                default = ""
            assert one["default"] in (default, str(default).lower()), one["variable"]


def test_what_a_launch_can_say_is_asked_or_of_the_inventory() -> None:
    """A variable that is added has to be put in one place or the other."""
    asked = {question["variable"] for template in TEMPLATES for question in survey(template)}
    assert not asked & OF_THE_INVENTORY
    assert set(options()) >= OF_THE_INVENTORY
    left_out = {role for playbook in LEFT_OUT for role in roles_of(playbook)}
    undecided = {
        name
        for name, option in options().items()
        if (option.get("default") == "" or option.get("default") is False)
        and not option.get("no_log")
        and not name.endswith(OF_PLAYBOOKS)
        and not name.startswith(("announce_", "health_", *(f"{role}_" for role in left_out)))
    }
    # The first three are of playbooks that have no template; the last is the older word for salvage_prefer=kept.
    assert undecided - asked - OF_THE_INVENTORY == {"approval_comment", "from", "name", "salvage_overwrite"}


def test_what_is_only_on_the_command_line_is_known() -> None:
    assert set(options()) >= COMMAND_LINE
