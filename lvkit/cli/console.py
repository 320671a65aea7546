"""Output, errors, exit codes and the names of options in messages.

A command's result goes to stdout, at its end and in one piece; everything else (warnings, progress,
errors) goes to stderr. With ``--json`` stdout holds exactly one JSON document, also when something
is wrong. Names from data can hold characters that steer a terminal; everything is printed with such
characters escaped. The exit code is 0, or 1 for what the user can fix in the data or settings, 2
for a command line that is not understood, and 130 after Ctrl-C.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal, TextIO, get_args, get_origin, get_type_hints

import typer

from lvkit.errors import LvkitError, LvkitWarning, Problem
from lvkit.reports.as_json import plain

if TYPE_CHECKING:
    from lvkit.data.read import CheckReport

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
        shown = LvkitError.from_problems([problem_in_options(p) for p in error.problems])
        return _refuse(shown.problems, str(shown), as_json=as_json, code=1)
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


_OPTIONS = {
    "attributes": "--with",
    "anchors": "--anchors",
    "benchmarks": "--benchmarks",
    "budgets": "--budget",
    "clip": "--clip",
    "drop_invalid": "--drop-invalid",
    "family": "--family",
    "family_slopes": "--family-slopes",
    "features": "--features",
    "floor": "--floor",
    "level": "--level",
    "max_params_b": "--max-params-b",
    "max_skills": "--max-skills",
    "max_tokens_per_param": "--max-tokens-per-param",
    "max_tokens_t": "--max-tokens-t",
    "min_params_b": "--min-params-b",
    "min_tokens_per_param": "--min-tokens-per-param",
    "min_tokens_t": "--min-tokens-t",
    "n_jobs": "--jobs",
    "n_skills": "--skills",
    "notebook": "--notebook",
    "output": "--output",
    "probability": "--probability",
    "resume": "--resume",
    "score": "--score",
    "seed": "--seed",
    "starts": "--starts",
    "target": "--target",
    "template": "--template",
    "timeout": "--timeout",
}
# Numbers of skills are given by --skills to one command, by --min and --max to another.
_PLACES = _OPTIONS | {"n_skills": "number of skills"}
_PHRASES = {
    " (lv.within_between tells them apart)": "",
    "(panel.select(benchmarks=...))": "(delete its column)",
    "fit.suggest_anchors() ranks them": "without --anchors lvkit chooses them",
    "Leave n_skills out": "Leave --skills out",
    "None for a new recipe": "no --family for a new recipe",
    "family={model: family}": "--family FILE (columns model and family)",
}
_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_VALUE = rf"""{_TEXT}|\{{[^{{}}]*\}}|True|\d+(?:\.\d+)?(?:e[+-]?\d+)?"""
_SETTING = re.compile(rf"\b({'|'.join(_OPTIONS)})=({_VALUE})")
_LIMIT = re.compile(
    rf"(?<![\w-])({'|'.join(name for name in _OPTIONS if name[:4] in {'min_', 'max_'})})\b"
)
_PLACE = re.compile(rf"^({'|'.join(_OPTIONS)})(?=$|[ ,:])")


def in_options(text: str) -> str:
    """Return a text with options in the place of Python's arguments.

    Examples
    --------
    >>> in_options("Use features='log_params * year'.")
    "Use --features 'log_params * year'."
    >>> in_options("Give its chance level: benchmarks={'chess': 0.25}.")
    "Give its chance level: --benchmarks FILE ('chess,0.25' under 'benchmark,chance')."
    """
    for phrase, said in _PHRASES.items():
        text = text.replace(phrase, said)
    text = _SETTING.sub(lambda match: _option(match[1], match[2]), text)
    return _LIMIT.sub(lambda match: _OPTIONS[match[1]], text)


def problem_in_options(problem: Problem) -> Problem:
    """Return a problem whose place and remedy name options.

    Examples
    --------
    >>> print(problem_in_options(Problem("got 'x'", where="family_slopes")))
    --family-slopes: got 'x'.
    """
    return Problem(
        in_options(problem.seen),
        in_options(_PLACE.sub(lambda match: _PLACES[match[1]], problem.where)),
        in_options(problem.expected),
        in_options(problem.remedy),
    )


def report_in_options(report: CheckReport) -> CheckReport:
    """Return the report on a file with the names of options."""
    return replace(
        report,
        problems=tuple(problem_in_options(problem) for problem in report.problems),
        notes=tuple(in_options(note) for note in report.notes),
    )


def _option(name: str, value: str) -> str:
    """Return an argument of Python's as an option."""
    option = _OPTIONS[name]
    if value == "True":
        return option
    plain = _literal(value)
    if name == "attributes":
        given = plain.items() if isinstance(plain, Mapping) else [("COLUMN", ...)]
        pairs = [f"{n}={'...' if cell is ... else cell}" for n, cell in given]
        return " ".join([option, *map(shlex.quote, pairs)])
    if value.startswith("{"):
        return f"{option} FILE{_lines(plain)}"
    return f"{option} {shlex.quote(plain) if isinstance(plain, str) else value}"


def _literal(value: str) -> object:
    """Return what a value in Python's words stands for; the text itself where it is none."""
    try:
        literal: object = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return value
    return literal


def _lines(chances: object) -> str:
    """Return the lines of a file that says the same as a mapping from benchmark to chance level."""
    if not isinstance(chances, Mapping):
        return ""
    lines = [f"'{n},{'none' if chance is None else chance}'" for n, chance in chances.items()]
    return f" ({', '.join(lines)} under 'benchmark,chance')"
