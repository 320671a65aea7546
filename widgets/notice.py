"""The notice: the line of a widget that says what happened, in words.

What went well, what to beware of and what failed differ by a word and a sign, not by colour alone,
and a screen reader is told of them as they come. A notice shows text as it is: names from a user's
file are never taken for HTML.
"""

from __future__ import annotations

import html
from typing import NamedTuple

import ipywidgets


class _Kind(NamedTuple):
    role: str
    sign: str
    colour: str


_SAID = _Kind("status", "", "#5b7083")
_WARNED = _Kind("status", "⚠ Note: ", "#b36b00")
_FAILED = _Kind("alert", "✖ ", "#b3261e")


class Notice(ipywidgets.HTML):  # type: ignore[misc]  # ipywidgets has no types
    """A line of text that says what happened; empty at first.

    Attributes
    ----------
    text : str
        What it says, plain.

    Examples
    --------
    >>> notice = Notice()
    >>> notice.fail("no benchmark '<b>' in the panel")
    >>> notice.text
    "no benchmark '<b>' in the panel"
    >>> notice.clear()
    >>> notice.text, notice.value
    ('', '')
    """

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def say(self, text: str) -> None:
        """Say what was done."""
        self._write(_SAID, text)

    def warn(self, text: str) -> None:
        """Say what to beware of."""
        self._write(_WARNED, text)

    def fail(self, text: str) -> None:
        """Say what went wrong; a screen reader says it at once."""
        self._write(_FAILED, text)

    def clear(self) -> None:
        """Say nothing."""
        self.text = self.value = ""

    def _write(self, kind: _Kind, text: str) -> None:
        self.text = text
        self.value = (
            f'<div role="{kind.role}" style="border-left: 4px solid {kind.colour}; '
            "padding: 2px 8px; margin: 4px 0; line-height: 1.4; white-space: pre-wrap; "
            f'overflow-wrap: anywhere">{kind.sign}{html.escape(text)}</div>'
        )
