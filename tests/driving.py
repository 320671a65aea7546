"""Widgets driven without a browser: controls found by their description, set, pressed, listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets

from lvkit.widgets.picture import PictureBox


def walk(widget: Any) -> Iterator[Any]:
    """A widget and all in it, those in closed tabs too."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def controls(widget: Any) -> list[Any]:
    """What a person can set or press, and bars of progress."""
    texts = (ipywidgets.HTML, ipywidgets.HTMLMath, ipywidgets.Label)
    every = [part for part in walk(widget) if not hasattr(part, "children")]
    return [part for part in every if not isinstance(part, texts)]


def control(widget: Any, description: str) -> Any:
    """The one control of that description."""
    found = [part for part in controls(widget) if part.description == description]
    assert len(found) == 1, [part.description for part in controls(widget)]
    return found[0]


def press(widget: Any, description: str) -> None:
    """Press the button of that description."""
    widget.press(control(widget, description))


def pictures(widget: Any) -> list[PictureBox]:
    """The pictures that show something."""
    return [part for part in walk(widget) if isinstance(part, PictureBox) and part.png]


def check_controls(widget: Any) -> None:
    """Every control says what it is, in words that are not cut off, and has a tooltip."""
    for part in controls(widget):
        assert part.description, part
        assert part.tooltip, part.description
        assert getattr(part.style, "description_width", "initial") == "initial", part.description
