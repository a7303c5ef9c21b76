# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one ansible-playbook has compiled and parsed, for those that are forked later from the same process.

Hundreds of commands read the same roles and compile the same templates, which is a third of what a deploy of tests
takes of a core. What comes of a file follows from its name and text, and what comes of a template from its text and the
settings of its environment; so these are the keys, and a file that a test has written anew is read anew.
"""

from __future__ import annotations

import contextlib
import copy
import marshal
import pickle
import socket
from collections.abc import Callable
from types import CodeType, SimpleNamespace
from typing import Any

from ansible._internal._datatag._tags import TrustedAsTemplate
from ansible._internal._templating import _jinja_bits
from ansible.parsing import dataloader
from jinja2 import nodes
from jinja2.environment import Environment, TemplateExpression
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser

__all__ = ["KeptForLater"]

LONGEST = 1 << 17  # bytes; what is longer is made each time

SETTINGS = tuple(_jinja_bits._TEMPLATE_OVERRIDE_FIELD_NAMES)


class KeptForLater:
    """Has ansible-core look here before it compiles or parses, in this process and in those forked from it."""

    def __init__(self) -> None:
        self._known: dict[tuple, Any] = {}
        # Neither end waits: what finds no room is made once more, by the next that needs it.
        self._collected, self._found = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._collected.setblocking(False)
        self._found.setblocking(False)
        _keep_templates(self)
        _keep_files(self)

    def collect(self) -> None:
        """Take what forked processes have made since."""
        with contextlib.suppress(BlockingIOError):
            while True:
                key, value = pickle.loads(self._collected.recv(LONGEST))
                self._known[key] = marshal.loads(value) if isinstance(value, bytes) else value

    def get(self, key: tuple, make: Callable[[], Any]) -> Any:
        """What is known under the key; or what is made now, which those that come later will know.

        Args:
            key: strings, truths and numbers.
            make: gives code, or data without bytes.
        """
        if key in self._known:
            return self._known[key]
        value = make()
        self._known[key] = value
        message = pickle.dumps((key, marshal.dumps(value) if isinstance(value, CodeType) else value))
        if len(message) <= LONGEST:
            with contextlib.suppress(BlockingIOError):
                self._found.send(message)
        return value


def _keep_files(kept: KeptForLater) -> None:
    """Parse a file once, and copy what was parsed without copying what cannot change."""
    parse = dataloader.DataLoader.load

    def load(self: Any, data: str, file_name: str | None = None, *arguments: Any, **options: Any) -> Any:
        def make() -> Any:
            return parse(self, data, file_name, *arguments, **options)

        if not file_name:
            return make()
        # The text has a tag, and what is parsed from it has it too.
        trusted = TrustedAsTemplate.is_tagged_on(data)
        return kept.get(
            ("file", file_name, "".join([data]), trusted, arguments, tuple(options.items())), make
        )

    dataloader.DataLoader.load = load
    dataloader.copy = SimpleNamespace(deepcopy=_copied)


def _copied(value: Any) -> Any:
    """Dicts and lists anew, with their tags, down to what cannot change."""
    if isinstance(value, dict):
        made = copy.copy(value)
        for key in made:
            made[key] = _copied(made[key])
        return made
    if isinstance(value, list):
        made = copy.copy(value)
        made[:] = [_copied(one) for one in made]
        return made
    if isinstance(value, (str, int, float, type(None))):
        return value
    return copy.deepcopy(value)


def _keep_templates(kept: KeptForLater) -> None:
    """Compile a template once."""

    def get(environment: Environment, kind: str, source: str, make: Callable[[], Any]) -> Any:
        context = _jinja_bits._TemplateCompileContext.current(optional=True)
        settings = tuple(getattr(environment, name) for name in SETTINGS)
        return kept.get(
            (kind, "".join([source]), bool(context and context.escape_backslashes), settings), make
        )

    def compile_template(own: Environment, source: Any, *arguments: Any, **options: Any) -> Any:
        def make() -> Any:
            return Environment.compile(own, source, *arguments, **options)

        return (
            make()
            if arguments or options or not isinstance(source, str)
            else get(own, "template", source, make)
        )

    def compile_expression(
        own: Environment, source: str, undefined_to_none: bool = True
    ) -> TemplateExpression:
        code = get(own, "expression", source, lambda: _code_of_expression(own, source))
        template = own.template_class.from_code(own, code, own.make_globals(None))
        return TemplateExpression(template, undefined_to_none)

    environment: Any = _jinja_bits.AnsibleEnvironment
    environment.compile = compile_template
    environment.compile_expression = compile_expression


def _code_of_expression(environment: Environment, source: str) -> Any:
    """As Environment.compile_expression makes it, which gives no more than its template.

    Raises:
        TemplateSyntaxError: it is no expression.
    """
    parser = Parser(environment, source, state="variable")
    try:
        expression = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("chunk after expression", parser.stream.current.lineno)
    except TemplateSyntaxError:
        environment.handle_exception(source=source)
    expression.set_environment(environment)
    assignment = nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)
    return Environment.compile(environment, nodes.Template([assignment], lineno=1))
