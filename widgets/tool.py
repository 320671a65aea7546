"""The frame of all widgets: a title, controls, a notice and a body, and one guard for callbacks.

A callback that fails must not be silent, must not kill the widget, and must not call itself: a
slider moved by a callback would fire the next one. So every callback goes through
:meth:`Tool.call`, which lets one run at a time, reports in the notice what lvkit warned of or
refused, and leaves the widget usable. Tests and notebooks under test set ``raise_on_exception`` and
have every error of a control that code sets raised as well. When a person uses a control on the
page, nobody can catch an error and a server would write its traceback to the log: what lvkit
refuses is then reported in the notice only.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets

from lvkit.errors import LvkitError, nearest

from .listening import listening
from .notice import Notice
from .number_slider import NumberSlider

Callback = Callable[[Any], object]


class Tool(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A widget with a title, controls, a notice and a body.

    Parameters
    ----------
    title : str
        What it is, in a few words.
    description : str
        What to do with it, in a sentence or two.
    raise_on_exception : bool
        Whether errors of callbacks are raised as well as reported in the notice. An `LvkitError`
        of a control used on the page is reported in the notice only.

    Attributes
    ----------
    controls : ipywidgets.Box
        A row of controls that wraps; set its ``children``.
    notice : Notice
        What happened, in words.
    body : ipywidgets.VBox
        All below; set its ``children``.
    raise_on_exception : bool
        As given; may be set later.

    Examples
    --------
    >>> tool = Tool("Halves", "Every even number is twice another.")
    >>> number = labelled(ipywidgets.IntText, "Number", "an even number")
    >>> def halve(change):
    ...     if change.new % 2:
    ...         raise LvkitError(f"got {change.new}", expected="an even number")
    ...     tool.notice.say(f"twice {change.new // 2}")
    >>> tool.on(number, "value", halve)
    >>> number.value = 6
    >>> tool.notice.text
    'twice 3'
    >>> number.value = 7
    >>> tool.notice.text
    'got 7; expected an even number.'

    Who uses a finished widget finds its controls by what is written beside them:

    >>> tool.controls.children = (number,)
    >>> tool.control("Number").value = 8
    >>> tool.notice.text
    'twice 4'
    """

    def __init__(
        self, title: str, description: str = "", *, raise_on_exception: bool = False
    ) -> None:
        self.raise_on_exception = raise_on_exception
        self._title = title
        self._lock = threading.RLock()
        self._busy = False
        self._clicks: dict[Any, Callback] = {}
        self.controls = ipywidgets.Box(layout={"flex_flow": "row wrap", "align_items": "center"})
        self.notice = Notice()
        self.body = ipywidgets.VBox()
        heading = ipywidgets.HTML(_heading(title, description))
        super().__init__(
            [heading, self.controls, self.notice, self.body],
            layout={"width": "100%", "max_width": "1000px"},
        )

    def __repr__(self) -> str:
        """Return what stands in the place of the widget on a page that cannot run it."""
        return f"<{self._title}: a widget, to be used by running this cell>"

    def on(self, widget: Any, trait: str, callback: Callback) -> None:
        """Call `callback` with the change whenever a trait of a control changes.

        A number outside the range of a :class:`NumberSlider` is refused, and the one before kept.
        """

        def checked(change: Any) -> None:
            if isinstance(widget, NumberSlider):
                widget.refuse_outside(change.old)
            callback(change)

        widget.observe(
            lambda change: self.call(checked, change, on_page=_set_on_page(change.owner)),
            names=trait,
        )

    def on_click(self, button: Any, callback: Callback) -> None:
        """Call `callback` with the button whenever it is pressed."""
        self._clicks[button] = callback
        button.on_click(lambda pressed: self.call(callback, pressed, on_page=True))

    def control(self, description: str) -> Any:
        """Return the control of a description, to set its ``value`` as a person would.

        Parameters
        ----------
        description : str
            What is written on it or beside it.

        Returns
        -------
        widget
            A slider, menu, box or button, wherever in the widget it is; those in closed parts too.

        Raises
        ------
        LvkitError
            If no control, or more than one, has that description.
        """
        held = settable(self)
        found = [part for part in held if part.description == description]
        if len(found) == 1:
            return found[0]
        place = f"the widget '{self._title}'"
        if found:
            raise LvkitError(
                f"{len(found)} controls are called '{description}'", where=place,
                expected="one", remedy="Take it from the widget's attributes.",
            )  # fmt: skip
        names = [part.description for part in held]
        raise LvkitError(
            f"no control '{description}'", where=place, expected=f"one of {', '.join(names)}",
            remedy=nearest(description, names).strip(),
        )  # fmt: skip

    def press(self, button: Any) -> None:
        """Press a button as a person would; errors come through if `raise_on_exception` is set.

        Raises
        ------
        LvkitError
            If the button is disabled, or is none of this widget's.
        """
        if button not in self._clicks:
            raise LvkitError(f"the widget does nothing on a press of '{button.description}'")
        if button.disabled:
            raise LvkitError(
                f"'{button.description}' cannot be pressed now",
                remedy=self.notice.text or "Wait until it is enabled.",
            )
        self.call(self._clicks[button], button)

    def call(self, callback: Callback, argument: Any, *, on_page: bool = False) -> None:
        """Run a callback behind the guard: nothing if one is running, and no error unheard.

        Called from another thread it waits for its turn. `on_page` states that a person used a
        control on the page, where an `LvkitError` is reported in the notice and never raised.
        """
        with self._lock:
            if self._busy:
                return
            self._busy = True
            self.notice.clear()
            try:
                with listening() as heard:
                    callback(argument)
                self._repeat(heard)
            except Exception as error:
                self.notice.fail(_in_words(error))
                expected = on_page and isinstance(error, LvkitError)
                if self.raise_on_exception and not expected:
                    raise
            finally:
                self._busy = False

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Set values of controls in a ``with`` block without calling back."""
        with self._lock:
            before, self._busy = self._busy, True
            try:
                yield
            finally:
                self._busy = before

    def _repeat(self, heard: list[str]) -> None:
        """Add what lvkit warned of to what the callback said."""
        if heard:
            self.notice.warn("\n".join([self.notice.text, *heard] if self.notice.text else heard))


def settable(widget: Any) -> list[Any]:
    """Return what a person can set or press in a widget, and its bars of progress.

    Parameters
    ----------
    widget : ipywidgets.Widget
        A widget with all that it holds, what closed parts hold too.

    Returns
    -------
    list of ipywidgets.Widget
        From top to bottom.
    """
    children = getattr(widget, "children", None)
    if children is not None and not isinstance(widget, NumberSlider):
        return [part for child in children for part in settable(child)]
    texts = (ipywidgets.HTML, ipywidgets.HTMLMath, ipywidgets.Label)
    return [] if isinstance(widget, texts) else [widget]


def labelled(kind: Callable[..., Any], description: str, tooltip: str, **traits: Any) -> Any:
    """Return a control whose description is never cut off, with a tooltip.

    Parameters
    ----------
    kind : class
        A class of ipywidgets, such as ``ipywidgets.Dropdown``, or a :class:`NumberSlider`.
    description, tooltip : str
        What it sets, in a word or two, and in a sentence.
    **traits
        What else the class takes.

    Examples
    --------
    >>> box = labelled(ipywidgets.FloatText, "Floor", "the score of guessing", value=0.25)
    >>> box.description, box.style.description_width, box.value
    ('Floor', 'initial', 0.25)
    """
    control = kind(description=description, tooltip=tooltip, **traits)
    if control.style.has_trait("description_width"):
        control.style.description_width = "initial"
    return control


def paragraph(text: str) -> str:
    """Return text as a paragraph of HTML, shown as it is, its lines kept.

    Examples
    --------
    >>> paragraph("a < b")
    '<p style="margin: 0; line-height: 1.4; white-space: pre-wrap">a &lt; b</p>'
    """
    style = "margin: 0; line-height: 1.4; white-space: pre-wrap"
    return f'<p style="{style}">{html.escape(text)}</p>'


def _heading(title: str, description: str) -> str:
    style = "font-weight: 600; font-size: 1.15em; margin: 4px 0"
    return (
        f'<div role="heading" aria-level="3" style="{style}">{html.escape(title)}</div>'
        f"{paragraph(description) if description else ''}"
    )


def _set_on_page(widget: Any) -> bool:
    """Return whether a change of a control is a message of the page, and not made by code."""
    return any(part._property_lock for part in (widget, *getattr(widget, "children", ())))


def _in_words(error: Exception) -> str:
    """Say what an error means to somebody who sees the widget only."""
    if isinstance(error, LvkitError):
        return str(error)
    return f"Something went wrong: {type(error).__name__}: {error}"
