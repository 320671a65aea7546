"""Quotation marks in what a shell gives as one text: names that hold its separators.

Lists such as ``maths=gsm8k,knowledge=mmlu`` are split at their commas and equals signs; a name that
holds one, such as ``acc,none``, is put between quotation marks.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r"""(?<![^\s,=:])("[^"]*"|'[^']*')""")
"""A quoted name; quotation marks inside a name, as in ``o'brien``, are letters."""


def split_quoted(text: str, separator: str) -> list[str]:
    """Split a text at a separator, except between quotation marks, which stay.

    Parameters
    ----------
    text : str
        The text. A quotation mark opens a quoted part at the text's beginning and behind a space, a
        comma, a colon or an equals sign; the same mark closes it.
    separator : str
        One character.

    Returns
    -------
    list of str
        At least one.

    Examples
    --------
    >>> split_quoted('a="acc,none",b=mmlu', ",")
    ['a="acc,none"', 'b=mmlu']
    """
    pieces = [""]
    for at, part in enumerate(_QUOTED.split(text)):
        if at % 2:  # what stood between quotation marks
            pieces[-1] += part
        else:
            first, *rest = part.split(separator)
            pieces[-1] += first
            pieces += rest
    return pieces


def unquoted(text: str) -> str:
    """Return a name without the spaces and the quotation marks around it.

    Examples
    --------
    >>> unquoted(' "acc,none" '), unquoted("o'brien")
    ('acc,none', "o'brien")
    """
    text = text.strip()
    quoted = len(text) > 1 and text[0] in "\"'" and text.find(text[0], 1) == len(text) - 1
    return text[1:-1] if quoted else text
