# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands that are told to a person, as they have to be typed here: for this database, of this inventory.

A sentence names playbook and migration. Typed like that beside a second database, the command would change that one
too; and without the inventory of this command it would go to another application's.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible.parsing.splitter import parse_kv

__all__ = ["options_of_here", "typed_here"]

# As the checkout has the playbooks, and as the installed collection does.
COMMAND = re.compile(r"ansible-playbook (?P<playbook>pgops\.runbook\.\w+|(?:\w+/)?\w+\.yml)")

# What they do is done on the controller, whichever databases there are.
OF_NO_DATABASE = ("check", "import", "new_migration")

# Where things are. What is to be done is said by each sentence itself; of secrets nothing is shown.
PLACES = (
    "artifacts_dir",
    "backup_dir",
    "db_host",
    "db_name",
    "db_port",
    "db_service",
    "db_user",
    "sql_dir",
    "sql_layout",
    "version_table",
)

# Digests are of what stands there.
AS_WRITTEN = ("receipts", "signed")


def options_of_here(
    target: str, databases: Collection[str], command_line: Mapping[str, Any], default_inventory: Any
) -> tuple[str, str]:
    """What a command needs to be about the same as the one that was typed.

    Args:
        target: the inventory's name of the database.
        databases: all that the inventory has.
        command_line: ansible-playbook's own: inventory and extra_vars.
        default_inventory: what is taken where none is typed.

    Returns:
        the options for a command that is about no database, and those for one that is.
    """
    words: list[str] = []
    inventories = command_line.get("inventory") or []
    if inventories and list(inventories) != list(_as_list(default_inventory)):
        for one in inventories:
            words += ["-i", str(one)]
    for one in _places(command_line.get("extra_vars") or []):
        words += ["-e", one]
    several = target in databases and len(databases) > 1
    return _typed(words), _typed([*words, *(["--limit", target] if several else [])])


def typed_here(told: Any, options: tuple[str, str]) -> Any:
    """Strings, in lists and dicts as well, with each command as it has to be typed here.

    Args:
        options: of options_of_here().
    """
    if not any(options):
        return told
    if isinstance(told, str):
        return COMMAND.sub(lambda found: _with(options, found), told) if COMMAND.search(told) else told
    if isinstance(told, Mapping):
        return {
            key: value if key in AS_WRITTEN else typed_here(value, options) for key, value in told.items()
        }
    if isinstance(told, (list, tuple)):
        return [typed_here(one, options) for one in told]
    return told


def _with(options: tuple[str, str], command: re.Match[str]) -> str:
    places, here = options[0], options[_has_database(command["playbook"])]
    rest = command.string[command.end() :]
    if places and rest.startswith(places):
        return command[0]  # told already, as the answer of a step whose run ends with it
    # Some sentences name the databases that they mean.
    return command[0] + (places if rest.startswith(" --limit ") else here)


def _has_database(playbook: str) -> bool:
    return re.split(r"[./]", playbook.removesuffix(".yml"))[-1] not in OF_NO_DATABASE


def _typed(words: Sequence[str]) -> str:
    return "".join(f" {shlex.quote(one)}" for one in words)


def _as_list(inventory: Any) -> list[str]:
    return [inventory] if isinstance(inventory, str) else list(inventory or [])


def _places(extra_vars: Sequence[Any]) -> Iterator[str]:
    """Values for -e: the files as they were given, and of the rest what says where things are."""
    for given in map(str, extra_vars):
        if given.startswith("@"):
            yield given
            continue
        for name, value in _variables(given).items():
            if name in PLACES and isinstance(value, (str, int)):
                yield f"{name}={value}"


def _variables(text: str) -> Mapping[str, Any]:
    if not text.startswith(("{", "[")):
        return parse_kv(text)
    try:
        found = json.loads(text)
    except ValueError:
        return {}  # YAML on one line, which nobody types for a folder
    return found if isinstance(found, dict) else {}
