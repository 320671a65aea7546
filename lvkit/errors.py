"""Errors and warnings of lvkit.

Every error that lvkit raises on purpose is an :class:`LvkitError`. It carries one or several
:class:`Problem` records, so that a person reads sentences and a program reads fields: what was
seen, where, what was expected instead, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in four short phrases.

    Attributes
    ----------
    seen : str
        What was found, with its value.
    where : str
        The place: file, row, column, model or argument; empty if there is only one.
    expected : str
        What would have been right.
    remedy : str
        What to do next.
    """

    seen: str
    where: str = ""
    expected: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.seen}" if self.where else self.seen
        if self.expected:
            text += f"; expected {self.expected}"
        text = f"{text}. {self.remedy}" if self.remedy else f"{text}."
        return text.replace("\n", "\n     ")  # a line in a name is not a line of its own


class LvkitError(ValueError):
    """The root of every error lvkit raises on purpose.

    Parameters
    ----------
    seen, where, expected, remedy : str
        The fields of the one :class:`Problem` that is reported.

    Attributes
    ----------
    problems : tuple of Problem
        All that is wrong; most often one, several when a whole table was checked.

    Examples
    --------
    >>> raise LvkitError("got 1.7", where="column 'mmlu', row 3", expected="a score from 0 to 1")
    Traceback (most recent call last):
    lvkit.errors.LvkitError: column 'mmlu', row 3: got 1.7; expected a score from 0 to 1.
    """

    def __init__(
        self, seen: str | Problem, *, where: str = "", expected: str = "", remedy: str = ""
    ) -> None:
        problem = seen if isinstance(seen, Problem) else Problem(seen, where, expected, remedy)
        self.problems: tuple[Problem, ...] = (problem,)
        super().__init__(str(problem))

    @classmethod
    def from_problems(cls, problems: Sequence[Problem]) -> LvkitError:
        """One error for several problems, listed a line each."""
        error = cls(problems[0])
        error.problems = tuple(problems)
        if len(problems) > 1:
            lines = "\n".join(f"  {number}. {p}" for number, p in enumerate(problems, start=1))
            error.args = (f"{len(problems)} problems:\n{lines}",)
        return error

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self).from_problems, (self.problems,))


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise one error for all problems, each listed once; do nothing if there are none.

    Examples
    --------
    >>> raise_problems([])
    """
    if each := list(dict.fromkeys(problems)):
        raise LvkitError.from_problems(each)


class LvkitWarning(UserWarning):
    """The root of every warning lvkit gives on purpose."""


def show_value(value: object, longest: int = 200) -> str:
    """Return any value as a message shows it: as Python writes it, cut where it is long.

    Examples
    --------
    >>> show_value("seven"), show_value(10**5000), show_value([1] * 99, 12)
    ("'seven'", 'an int too long to print', '[1, 1, 1, 1…')
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # more digits or more levels than Python prints
        kind = type(value).__name__
        return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} too long to print"
    return text if len(text) <= longest else text[: longest - 1] + "…"


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the choice most like `name`, or an empty string.

    The name itself is no choice: where it is not what was wanted, nobody meant it.

    Examples
    --------
    >>> nearest("hellaswg", ["mmlu", "hellaswag"])
    " Did you mean 'hellaswag'?"
    >>> nearest("zebra", ["mmlu"])
    ''
    """
    known = {str(choice).lower(): str(choice) for choice in choices if str(choice) != str(name)}
    close = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.6)
    return f" Did you mean '{known[close[0]]}'?" if close else ""


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular or the plural.

    Examples
    --------
    >>> count(1, "model"), count(2000, "model"), count(0, "family")
    ('1 model', '2,000 models', '0 families')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
