"""Options: lvkit's advice as somebody in a shell can follow it.

The library tells what to do in Python's words, ``features='log_params'``, because most of its users
stand in Python. In a terminal the same advice is ``--features log_params``. The two are tied by one
table of names, so that an error need not know where it will be read.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lvkit.errors import Problem

if TYPE_CHECKING:
    from lvkit.data.read import CheckReport


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
    """Return a problem whose place and remedy are told in options.

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
    """Return what was found in a file, told in options."""
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
