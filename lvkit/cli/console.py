"""The console: how a command speaks, and with which code it ends.

A command's result goes to stdout, at its end and in one piece; everything else (warnings, progress,
errors) goes to stderr. With ``--json`` stdout holds exactly one JSON document, also when something
is wrong. Names from data can hold characters that steer a terminal; everything is printed with such
characters escaped. The exit code is 0, or 1 for what the user can mend in the data or settings, 2
for a command line that is not understood, and 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Literal, TextIO, get_args, get_origin, get_type_hints

import typer

from lvkit.cli.options import in_options, problem_in_options
from lvkit.errors import LvkitError, LvkitWarning, Problem
from lvkit.reports.as_json import plain

# Control characters other than tab and newline, separators of lines and paragraphs that not every
# program takes for such, and marks that change the direction of text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

# The root of what a command line can have wrong; typer exports only this one of its heirs.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


class InterruptError(Exception):
    """Ctrl-C, with what there is to say about what the command has left.

    A plain KeyboardInterrupt becomes an exit code on its way through typer.
    """


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run the command line `arguments` and return its exit code.

    Parameters
    ----------
    app : typer.Typer
        The commands.
    arguments : sequence of str
        What the user typed behind the program's name.

    Returns
    -------
    int
        0, 1 (the user's data or settings), 2 (usage) or 130 (interrupted).
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a sign is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    as_json = "--json" in arguments
    try:
        with _plain_warnings():
            code = app(list(arguments), prog_name="lvkit", standalone_mode=False) or 0
    except LvkitError as error:
        told = LvkitError.from_problems([problem_in_options(p) for p in error.problems])
        return _refuse(told.problems, str(told), as_json=as_json, code=1)
    except _UsageError as error:
        return _misunderstood(error, app, arguments, as_json=as_json)
    except InterruptError as stop:
        return _interrupted(str(stop), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted("", as_json=as_json)
    return _interrupted("", as_json=as_json) if code == 130 else int(code)


def printable(text: str) -> str:
    r"""Return a text in which control characters are escaped as JSON escapes them.

    Newlines and tabs stay. JSON whose strings hold such characters stays the same document.

    Examples
    --------
    >>> print(printable("a name\x1b[2J"))
    a name\u001b[2J
    """
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def say(text: str, *, stream: TextIO | None = None) -> None:
    """Print `text`, as :func:`printable` has it; print nothing once nobody reads (``| head``)."""
    to = sys.stdout if stream is None else stream
    try:
        to.write(printable(text) + "\n")
        to.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), to.fileno())


def result(document: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a command's result: the document for a program, or the text for a person."""
    say(json.dumps(plain(document), indent=2, allow_nan=False) if as_json else text)


def watching() -> bool:
    """Tell whether somebody sees stderr, so that a progress bar makes sense."""
    return sys.stderr.isatty()


def _refuse(problems: Sequence[Problem], text: str, *, as_json: bool, code: int) -> int:
    """Say what is wrong, to a person on stderr or to a program on stdout; return `code`."""
    if as_json:
        document = {"error": {"problems": [asdict(problem) for problem in problems]}}
        result(document, "", as_json=True)
    else:
        say(f"lvkit: {text}", stream=sys.stderr)
    return code


def _interrupted(left: str, *, as_json: bool) -> int:
    """Say that the user has stopped a command, and what it has left; return 130."""
    remedy = in_options(f"No file was left half written. {left}".strip())
    problem = Problem("interrupted", remedy=remedy)
    return _refuse([problem], str(problem), as_json=as_json, code=130)


def _misunderstood(
    error: Exception, app: typer.Typer, arguments: Sequence[str], *, as_json: bool
) -> int:
    """Say what in the command line was not understood, and where help is."""
    context = getattr(error, "ctx", None)
    names = {c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands}
    first = next((argument for argument in arguments if argument in names), "")
    command = context.command_path if context is not None else f"lvkit {first}".strip()
    remedy = f"'{command} --help' lists the options of the command."
    problem = _unreadable_value(error, arguments)
    if problem is None:
        message = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
        end = "" if message.endswith("?") else "."
        problem, text = Problem(message, where="command line"), f"{message}{end}"
    else:
        text = str(problem)
    return _refuse([replace(problem, remedy=remedy)], f"{text}\n{remedy}", as_json=as_json, code=2)


def _unreadable_value(error: Exception, arguments: Sequence[str]) -> Problem | None:
    """Return what is wrong with the value of an option; None where that is not the error.

    The framework's own sentences differ between its versions and name types of Python.
    """
    parameter, context = getattr(error, "param", None), getattr(error, "ctx", None)
    options = [option for option in getattr(parameter, "opts", ()) if option.startswith("--")]
    values = [value for option in options for value in _values_of(option, arguments)]
    if parameter is None or context is None or not values:
        return None
    expected = _expected(context, parameter.name)
    if not expected:
        return None
    return Problem(f"got '{values[-1]}'", where=options[0], expected=expected)


def _values_of(option: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the values that an option was given on the command line."""
    for argument, following in zip(arguments, (*arguments[1:], ""), strict=True):
        if argument == option:
            yield following
        elif argument.startswith(f"{option}="):
            yield argument.partition("=")[2]


def _expected(context: Any, name: str) -> str:
    """Return what an option of a command takes, in words; empty if any text will do."""
    hint = get_type_hints(context.command.callback).get(name, str)
    choices = [choice for part in (hint, *get_args(hint)) if get_origin(part) is Literal
               for choice in get_args(part)]  # fmt: skip
    kinds = {hint, *get_args(hint)}
    if choices:
        return f"one of {', '.join(map(str, choices))}"
    several = get_origin(hint) is list or list in {get_origin(part) for part in get_args(hint)}
    if several:
        kinds |= {kind for part in (hint, *get_args(hint)) for kind in get_args(part)}
    words = "a whole number" if int in kinds else "a number" if float in kinds else ""
    return f"{words} (repeat the option for several)" if words and several else words


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show lvkit's own warnings as sentences, not as lines of source code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", LvkitWarning)
        usual = warnings.showwarning

        def show(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, LvkitWarning):
                say(f"lvkit: {in_options(str(message))}", stream=sys.stderr)
            else:
                shown = printable(str(message))
                usual(message if shown == str(message) else shown, category, *rest, **more)

        warnings.showwarning = show
        yield
