"""The stage: axes that stay from one picture to the next, while what is drawn on them changes.

To make axes, with their ticks, and to work out where they go takes longer than to draw on them. A
stage is made for the first of several pictures of one kind; for each other its axes are cleared and
drawn on by the same function. What is drawn is what fresh axes would show.

Matplotlib is imported with this module: import it where a picture is drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from .rendering import QuickCanvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Pixels = npt.NDArray[np.uint8]

Paint = Callable[..., object]
"""Draws on axes and returns them; without any, on a figure of its own."""

DPI = 96

_MARGIN = 0.14
"""Inches of room for a tick label that grows by two digits."""


class Stage:
    """Axes on a figure that pyplot knows nothing of, and one picture after the other on them.

    Parameters
    ----------
    paint : callable
        Draws the first picture.
    size : (float, float) or None
        Width and height of the figure in inches; None for the size that `paint` takes by itself.

    Attributes
    ----------
    ax : matplotlib Axes
        The axes. Colour bars have axes of their own, which stay.
    canvas : QuickCanvas
        The figure's canvas, on which the first picture is drawn.

    Examples
    --------
    >>> stage = Stage(lambda ax: ax.plot([0, 1], [0, 1]), (3.0, 2.0))
    >>> stage.pixels().shape
    (192, 288, 3)
    >>> stage.redraw(lambda ax: ax.plot([0, 1], [1, 0]))
    >>> len(stage.ax.lines)
    1
    """

    def __init__(self, paint: Paint, size: tuple[float, float] | None) -> None:
        self.ax = _first(paint, size)
        figure: Any = self.ax.figure.canvas.figure
        self._figure = figure
        figure.set_dpi(DPI)
        self.canvas: Any = QuickCanvas(figure)
        self._engine = figure.get_layout_engine()
        self._draw()
        figure.set_layout_engine("none")
        self._bars = [
            artist.colorbar
            for artist in self.ax.collections
            if getattr(artist, "colorbar", None) is not None
        ]

    def redraw(self, paint: Paint, *, lay_out: bool = False) -> None:
        """Draw another picture in the place of the one before.

        Parameters
        ----------
        paint : callable
            The function that drew the first, or one that sets the same things about the axes.
        lay_out : bool
            Whether to make room anew for what is written around the axes.

        Raises
        ------
        Exception
            Whatever the drawing raises; the stage can be used again.
        """
        _clear(self.ax)
        with _kept_bars(self._figure, self._bars):
            paint(self.ax)
        if lay_out:
            self._without_small_ticks()
            self._engine.execute(self._figure)
        self._draw()

    def pixels(self) -> Pixels:
        """Return what is drawn, shape (height, width, 3)."""
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()

    def _without_small_ticks(self) -> None:
        """Take off the small ticks of logarithmic axes: a quarter of the time to draw."""
        for ax in self._figure.axes:
            ax.minorticks_off()

    def _draw(self) -> None:
        self._without_small_ticks()
        with legible():
            self.canvas.draw()


@contextmanager
def legible() -> Iterator[None]:
    """Draw signs that no font has as boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _first(paint: Paint, size: tuple[float, float] | None) -> Axes:
    """Draw for the first time and return the axes."""
    if size is None:
        made: Any = paint(None)
        return made  # type: ignore[no-any-return]
    layout = ConstrainedLayoutEngine(w_pad=_MARGIN, h_pad=_MARGIN)
    ax = Figure(figsize=size, layout=layout).add_subplot()
    paint(ax)
    return ax


def _clear(ax: Axes) -> None:
    """Take away all that was drawn on axes, and what it made of their limits and scales."""
    stays = {ax.patch, ax.xaxis, ax.yaxis, *ax.spines.values()}
    stays |= {child for child in ax.get_children() if child in _titles(ax)}
    for artist in [child for child in ax.get_children() if child not in stays]:
        if artist.axes is not None:  # some take others with them
            artist.remove()
    for axis, scale in (("x", ax.get_xscale()), ("y", ax.get_yscale())):
        if scale != "linear":
            ax.set(**{f"{axis}scale": "linear"})
    for tick in ax.xaxis.majorTicks:
        tick.label1.set(rotation=0.0, ha="center")  # names that are long are written aslant
    ax.set_prop_cycle(None)
    ax.set(xlabel="", ylabel="", title="", xlim=(0.0, 1.0), ylim=(0.0, 1.0), autoscale_on=True)
    ax.set(xmargin=rcParams["axes.xmargin"], ymargin=rcParams["axes.ymargin"])
    ax.dataLim = Bbox.null()
    ax.ignore_existing_data_limits = True


def _titles(ax: Axes) -> list[Any]:
    """Return the texts above axes, which belong to them."""
    return [getattr(ax, name) for name in ("title", "_left_title", "_right_title")]


@contextmanager
def _kept_bars(figure: Any, bars: list[Any]) -> Iterator[None]:
    """Give those who ask for colour bars the ones that are there, in their turn."""
    if not bars:
        yield
        return
    turn = iter(bars)

    def colorbar(mappable: Any, *_: Any, **__: Any) -> Any:
        bar = next(turn)
        old = bar.mappable
        if (old.get_clim(), old.get_cmap()) != (mappable.get_clim(), mappable.get_cmap()):
            bar.update_normal(mappable)
        return bar

    figure.colorbar = colorbar
    try:
        yield
    finally:
        del figure.colorbar
