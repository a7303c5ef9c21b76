# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The PostgreSQL server that integration tests run against: one a session, one fresh database a test."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator

import hypothesis
import pytest

from demo.local_server import LocalServer
from tests.fresh_database import fresh_database
from tests.left_out import LEFT_OUT
from tests.long_first import dealt
from tests.own_server import own_server
from tests.pairs import covering

# In CI a property test tries the same examples each time: a change is judged by what it changed. Everywhere else
# the examples are new ones, and what they find is mended.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
# Nor does a busy machine make an example wrong.
hypothesis.settings.register_profile("everywhere", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "everywhere")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-combination",
        action="store_true",
        default=bool(os.environ.get("EVERY_COMBINATION")),
        help="also what tests/left_out.py has, and all combinations of parameters of tests marked pairs",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deal the long tests; leave combinations out, unless all are asked for or a test is asked for by name."""
    _leave_out(config, items)
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        items[:] = dealt(items, worker["workercount"])


def _leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("every_combination") or any("[" in argument for argument in config.args):
        return
    beginnings = tuple(
        f"tests/integration/{file}::{test}" for file, tests in LEFT_OUT.items() for test in tests
    )
    left_out = {item for item in items if item.nodeid.startswith(beginnings)}
    together = defaultdict(list)
    for item in items:
        if item.get_closest_marker("pairs") and item not in left_out:
            together[item.nodeid.partition("[")[0]].append(item)
    for same in together.values():
        chosen = covering([_parameters(item) for item in same])
        left_out.update(item for place, item in enumerate(same) if place not in chosen)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def _parameters(item: pytest.Item) -> dict[str, str]:
    """Its parameters, by what pytest calls their values: those themselves need not be hashable."""
    specification = getattr(item, "callspec", None)
    return (
        {} if specification is None else {name: repr(value) for name, value in specification.params.items()}
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Start an embedded server for the session."""
    with own_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def database(server: LocalServer) -> Iterator[str]:
    """Create an empty database; it is dropped after the test, even if the test left connections open."""
    with fresh_database(server) as name:
        yield name


@pytest.fixture
def connection(server: LocalServer, database: str) -> Iterator:
    """Connect to a fresh database as the superuser."""
    with contextlib.closing(server.connect(database)) as connection:
        yield connection
