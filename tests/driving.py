"""Widgets driven without a browser: controls found by their description, set, pressed, listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lvkit.widgets.picture import PictureBox
from lvkit.widgets.tool import settable


def walk(widget: Any) -> Iterator[Any]:
    """A widget and all in it, those in closed tabs too."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def control(widget: Any, description: str) -> Any:
    """The one control of that description."""
    return widget.control(description)


def press(widget: Any, description: str) -> None:
    """Press the button of that description."""
    widget.press(control(widget, description))


def pictures(widget: Any) -> list[PictureBox]:
    """The pictures that show something."""
    return [part for part in walk(widget) if isinstance(part, PictureBox) and part.png]


def check_controls(widget: Any) -> None:
    """Every control says what it is, in words that are not cut off, and has a tooltip."""
    for part in settable(widget):
        assert part.description, part
        assert part.tooltip, part.description
        assert getattr(part.style, "description_width", "initial") == "initial", part.description
