"""Phrases that the descriptions of figures and the text of reports share.

Names come from users' files: in a :class:`Prose` they are text, whatever signs are in them. The
rest are the phrases that more than one sentence needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_MARKUP = {ord(sign): f"&#{ord(sign)};" for sign in "\\`*_[]<>#|~$&"}


@dataclass(frozen=True)
class Prose:
    """Paragraphs of plain words, each with a few words that say what it is about.

    Shown as Markdown in notebooks; whatever signs the names in it have, they are read as text.

    Attributes
    ----------
    paragraphs : tuple of (str, str)
        Subject and text.

    Examples
    --------
    >>> prose = Prose((("Scores", "The family *x* has two."),))
    >>> print(prose)
    Scores: The family *x* has two.
    >>> prose._repr_markdown_()
    '**Scores.** The family &#42;x&#42; has two.'
    """

    paragraphs: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return "\n\n".join(f"{subject}: {text}" for subject, text in self.paragraphs)

    def _repr_markdown_(self) -> str:
        parts = [
            f"**{subject.translate(_MARKUP)}.** {text.translate(_MARKUP)}"
            for subject, text in self.paragraphs
        ]
        return "\n\n".join(parts)


def listed(items: Iterable[object], word: str = "and") -> str:
    """Return ``a, b and c``."""
    *first, last = [str(item) for item in items] or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def first_few(items: Iterable[object], most: int = 6) -> str:
    """Return a few names, and how many more there are.

    Examples
    --------
    >>> first_few("abcd", most=2)
    'a, b and 2 more'
    """
    every = [str(item) for item in items]
    more = len(every) - most
    return listed([*every[:most], f"{more} more"] if more > 0 else every)


def signed(value: float) -> str:
    """Return a standing with its sign, and none before a zero.

    Examples
    --------
    >>> signed(1.23), signed(-0.04)
    ('+1.2', '0.0')
    """
    rounded = round(float(value), 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def span(low: str, high: str) -> str:
    """Return ``125 million to 66 billion parameters``: the unit once, and one of two that agree."""
    number, _, unit = low.rpartition(" ")
    return high if low == high else f"{number if high.endswith(unit) else low} to {high}"
