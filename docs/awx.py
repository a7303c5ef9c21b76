# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Job templates and surveys of AWX, made from the roles' argument_specs and README's table of variables.

docs/awx/job_templates.json is what `awx import` reads, docs/awx/README.md the page about it; `make documents` writes
both. The form is that of `awx export` of awxkit 24.6.1 (``ApiV2.import_assets`` says what it reads), that of a survey
the one which the API checks: a question has a name, a variable, a type and whether an answer is required.

An answer is an extra variable, and those stand above an inventory's. So a survey asks only for what is of one launch,
and each question that is left as it is answers what the runbook takes where nobody says anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "LEFT_OUT",
    "OF_THE_INVENTORY",
    "TEMPLATES",
    "Template",
    "awx_page",
    "export",
    "options",
    "roles_of",
    "survey",
]

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "awx" / "README.md"
BEGIN, END = "<!-- templates -->", "<!-- end of templates -->"

ORGANIZATION = {"name": "Default", "type": "organization"}
PROJECT_IN_AWX = "pgops runbook"
INVENTORY_IN_AWX = "databases"
CONSENT = "accept_"
# AWX takes no more characters in an answer (the length of its own text fields).
LONGEST_ANSWER = 1024


@dataclass(frozen=True)
class Template:
    """One job template.

    Attributes:
        playbook: path below the project.
        about: what it does, in a line.
        asked: variables that its survey asks for, in this order; consents follow by themselves.
        on_databases: whether it runs on hosts of the inventory, which can then be limited at the launch.
    """

    playbook: str
    about: str
    asked: tuple[str, ...] = ()
    on_databases: bool = True

    @property
    def name(self) -> str:
        """As AWX lists it; together they stand beside each other."""
        return f"pgops runbook: {Path(self.playbook).stem.replace('_', ' ')}"


TEMPLATES = (
    Template(
        "deploy.yml",
        "Backup, proof, rehearsal and deploy of migrations; or resumes a deploy that was approved.",
        ("migration", "until", "skip", "together", "tag", "run_id", "take_over"),
    ),
    Template(
        "emergency_rollback.yml",
        "Takes deployed migrations back, and keeps what users wrote.",
        ("migration", "to", "cascade", "take_over"),
    ),
    Template(
        "playbooks/rehearse.yml",
        "Proves migrations and rollbacks on a copy; production is only read.",
        ("migration", "until", "skip", "together", "take_over"),
    ),
    Template(
        "playbooks/restore.yml",
        "Puts the proven backup of a run in the place of the database.",
        ("run_id", "restore_to", "carry_over", "take_over"),
    ),
    Template("playbooks/status.yml", "What is applied, pending, edited, drifted and proven.", ("adopt",)),
    Template(
        "playbooks/history.yml",
        "The runs of each database, from its ledger.",
        ("history_migration", "history_outcome", "history_limit"),
    ),
    Template(
        "playbooks/salvage.yml",
        "What rollbacks have kept: lists it, exports it, puts it back or purges it.",
        (
            "salvage_action",
            "salvage_item",
            "salvage_prefer",
            "salvage_format",
            "salvage_file",
            "salvage_older_than_days",
            "salvage_of_run",
            "salvage_confirm",
        ),
    ),
    Template(
        "playbooks/drill.yml",
        "A night on a copy: deploy, users' writes, rollback and restore, each timed.",
        ("migration", "take_over"),
    ),
    Template("playbooks/cleanup.yml", "Removes backups and artifacts that are no longer kept."),
    Template(
        "playbooks/check.yml",
        "All that is wrong with the scripts, found at once and without a server.",
        ("check_fail_on", "check_rehearse"),
        on_databases=False,
    ),
)

#: Playbook -> why there is no template of it.
LEFT_OUT = {
    "playbooks/approve.yml": "counts logins, and all jobs have the same: approve from a machine of your own",
    "playbooks/bootstrap_roles.yml": "needs a superuser, once: type it where you have one",
    "playbooks/import.yml": "writes scripts into the checkout, and that of a job is removed with the job",
    "playbooks/new_migration.yml": "writes scripts into the checkout, and that of a job is removed with the job",
}

#: What could be asked by its kind, a text that may be empty or a yes or no, and is of a database or of a checkout: an
#: answer, even one that nobody has given, would stand above the inventory.
OF_THE_INVENTORY = frozenset({
    *("db_host", "db_name", "db_user", "db_password_file", "db_sslrootcert", "db_sslcert", "db_sslkey", "db_service"),
    *("db_options", "pg_bindir", "version_table", "backup_identity", "pgbackrest_stanza", "pgbackrest_config"),
    *("pgbackrest_scratch_dir", "pgbackrest_keep_scratch", "library_root", "library_path_prefix", "rollback_batch"),
    *("fail_on_held_back", "auto_restore", "check_baseline", "check_write_baseline", "consents_need_reason"),
})  # fmt: skip


def export() -> str:
    """The text of docs/awx/job_templates.json."""
    return json.dumps({"job_templates": [_job_template(one) for one in TEMPLATES]}, indent=2) + "\n"


def survey(template: Template) -> list[dict[str, Any]]:
    """The questions of a template."""
    return [_question(name, template) for name in (*template.asked, *_consents(template))]


@cache
def options() -> dict[str, dict[str, Any]]:
    """Variable -> option of the roles' argument_specs; those of the command line alone as README.md has them."""
    found = dict(_of_the_command_line())
    for path in sorted((PROJECT / "roles").glob("*/meta/argument_specs.yml")):
        found |= yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    return found


def roles_of(playbook: str) -> list[str]:
    """Roles that the tasks of a playbook import, without what these need."""
    text = (PROJECT / playbook).read_text(encoding="utf-8")
    return list(dict.fromkeys(re.findall(r"import_role:\n +name: (\w+)", text)))


def awx_page() -> str:
    """The text of docs/awx/README.md, with the templates as they are now between its two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n\n{_table()}\n\n{END}{after}"


def _table() -> str:
    lines = ["| job template | playbook | asks for |", "| --- | --- | --- |"]
    for one in TEMPLATES:
        asked = ", ".join(f"`{question['variable']}`" for question in survey(one))
        lines.append(f"| {one.name} | `{one.playbook}` | {asked} |")
    lines += ["", "There is none for:", ""]
    return "\n".join([*lines, *(f"- `{playbook}`, which {why}" for playbook, why in LEFT_OUT.items())])


def _job_template(template: Template) -> dict[str, Any]:
    return {
        "name": template.name,
        "description": template.about,
        "job_type": "run",
        "inventory": _named("inventory", INVENTORY_IN_AWX),
        "project": _named("project", PROJECT_IN_AWX),
        "playbook": template.playbook,
        # A step ends by its own limits; what is killed from outside is only known afterwards.
        "timeout": 0,
        # Two databases do not wait for each other; the ledger of each sees to it that it has one run.
        "allow_simultaneous": True,
        # Slices would be commands that know nothing of each other.
        "job_slice_count": 1,
        "ask_job_type_on_launch": True,
        "ask_diff_mode_on_launch": True,
        "ask_verbosity_on_launch": True,
        "ask_limit_on_launch": template.on_databases,
        "ask_variables_on_launch": True,
        "survey_enabled": bool(survey(template)),
        "natural_key": _named("job_template", template.name),
        "related": {"survey_spec": {"name": "", "description": "", "spec": survey(template)}}
        if survey(template)
        else {},
    }


def _named(kind: str, name: str) -> dict[str, Any]:
    """How awxkit finds an object by its name."""
    return {"organization": ORGANIZATION, "name": name, "type": kind}


def _question(name: str, template: Template) -> dict[str, Any]:
    option = options()[name]
    asked = {
        "question_name": name,
        "question_description": _plain(option["description"]),
        "variable": name,
    }
    default, choices = _default_of(option), [one for one in option.get("choices", []) if one != ""]
    if option["type"] == "bool":
        # AWX knows no yes or no; a word is what a command line gives as well.
        return {
            **asked,
            "type": "multiplechoice",
            "choices": ["false", "true"],
            "default": "false",
            "required": True,
        }
    if option["type"] == "raw" and name.startswith(CONSENT):
        # false, true, or the migrations for which the consent is given.
        return {
            **asked,
            "type": "text",
            "min": 0,
            "max": LONGEST_ANSWER,
            "default": "false",
            "required": True,
        }
    if choices:
        return {
            **asked,
            "type": "multiplechoice",
            "choices": choices,
            "default": default,
            "required": default != "",
        }
    if option["type"] == "int":
        return {
            **asked,
            "type": "integer",
            "min": min(0, default),
            "max": 2**31 - 1,
            "default": default,
            "required": True,
        }
    longest = {"min": 0, "max": LONGEST_ANSWER}
    return {**asked, "type": "text", **longest, "default": default, "required": name in _needed(template)}


def _needed(template: Template) -> tuple[str, ...]:
    """Texts without which there is nothing to do; a deploy and a rollback have two ways to say it."""
    return ("migration",) if template.playbook == "playbooks/rehearse.yml" else ()


def _default_of(option: dict[str, Any]) -> Any:
    """What the runbook takes where nobody says anything; what takes another variable's is empty without that."""
    default = option.get("default", "")
    return "" if isinstance(default, str) and "{{" in default else default


def _consents(template: Template) -> Iterator[str]:
    """Those that one of the playbook's roles looks at, in the order of the specification."""
    tasks = "".join(
        path.read_text(encoding="utf-8")
        for role in roles_of(template.playbook)
        for path in sorted((PROJECT / "roles" / role / "tasks").glob("*.yml"))
    )
    used = set(re.findall(rf"\b(?:{CONSENT}\w+|consent_reason)", tasks))
    yield from (name for name in options() if name in used)


def _plain(text: str | list[str]) -> str:
    """A description without the marks of Ansible's documentation."""
    lines = [text] if isinstance(text, str) else text
    return re.sub(r"\b[COVI]\(([^)]*)\)", r"\1", " ".join(" ".join(lines).split()))


def _of_the_command_line() -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of README.md's table "What to do"; what the specifications have stands above."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    part = text[text.index("\nWhat to do:\n") : text.index("\nHow long, how large, when:\n")]
    for name, default, meaning in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", part, re.MULTILINE):
        kind = "bool" if default == "false" else "str"
        without_links = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", meaning).replace("`", "")
        sentence = f"{without_links[:1].upper()}{without_links[1:]}."
        yield name, {"type": kind, "default": "" if kind == "str" else False, "description": sentence}
