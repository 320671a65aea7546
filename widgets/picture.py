"""The picture of a widget: drawn on a bare figure, shown as an image with a description.

A figure that lives in an Output widget flickers, leaks and cannot be read out. Here each move of a
slider draws a fresh figure that pyplot knows nothing of, and replaces the image and its description
in one step. Where everything goes in a figure takes half of the time to draw it, so that is kept
from one move to the next as long as the picture says it keeps its shape.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import ipywidgets

from lvkit.drawing import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DPI", "DRAWING", "PictureBox", "encoded", "image_of"]

DPI = 96
_COLOURS = 128
_MARGIN = 0.08  # inches: room for a tick label that grows by a digit in a kept shape
DRAWING = threading.Lock()  # matplotlib's caches are for one thread at a time

Places = list[Any]


class PictureBox(ipywidgets.HTML):  # type: ignore[misc]  # ipywidgets has no types
    """An image that can be replaced, with its description.

    Attributes
    ----------
    alt : str
        What is to be seen, plain; empty where nothing is shown.
    png : bytes
        The image; empty where nothing is shown.

    Examples
    --------
    >>> box = PictureBox()
    >>> box.show(lambda ax: ax.plot([0, 1], [0, 1]), alt="A line that rises.", size=(3, 2))
    >>> box.alt, box.png[1:4], 'alt="A line that rises."' in box.value
    ('A line that rises.', b'PNG', True)
    """

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def __repr__(self) -> str:
        return f"<PictureBox: {self.alt}>"

    def show(
        self,
        what: Picture | Callable[[Axes], object] | Callable[[], Axes],
        *,
        alt: str = "",
        size: tuple[float, float] | None = (7.0, 4.0),
        keep: Hashable = None,
    ) -> None:
        """Show a picture in the place of the one before.

        Parameters
        ----------
        what : Picture or callable
            A drawn picture; or a function that draws on the axes it is given, such as
            ``lambda ax: plots.plot_scores(panel, "bbh", ax=ax)``; or, with ``size=None``, a
            function without arguments that returns the axes it drew on a figure of its own.
        alt : str
            What is to be seen, for those who listen to a page; of a `Picture` it is its own.
        size : (float, float) or None
            Width and height of the figure in inches; None for a figure that has its own.
        keep : hashable, optional
            Names the shape of the picture: what goes where is worked out anew when it changes, and
            kept otherwise. None works it out each time, which takes twice as long.

        Raises
        ------
        Exception
            Whatever the drawing raises; the picture before stays.
        """
        if not isinstance(what, Picture):
            shape = None if keep is None else (keep, size)
            what = self._drawn(what, alt, size, shape)
        self.alt, self.png = what.alt, what.png
        self.value = what._repr_html_()

    def clear(self) -> None:
        """Show nothing."""
        self.alt, self.png, self.value = "", b"", ""
        self._shape: Hashable = None
        self._places: Places = []

    def _drawn(self, paint: Any, alt: str, size: Any, shape: Hashable) -> Picture:
        """Draw a picture, with everything where it was if its shape is the same."""
        with DRAWING:
            if size is None:
                figure = paint().figure.canvas.figure
            else:
                figure = _blank(size)
                paint(figure.axes[0])
            known = shape is not None and shape == self._shape
            known = known and len(figure.axes) == len(self._places)
            if known:
                _put(figure, self._places)
            image = _rendered(figure)
            if not known:
                self._shape, self._places = shape, [ax.get_position() for ax in figure.axes]
        return Picture(alt=alt, png=encoded(image), width=image.width)


def _blank(size: tuple[float, float]) -> Figure:
    """Return a figure with one set of axes that pyplot knows nothing of."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=_MARGIN, h_pad=_MARGIN))
    figure.add_subplot()
    return figure


def _put(figure: Figure, places: Places) -> None:
    """Put all axes where they were in an earlier picture."""
    figure.set_layout_engine("none")
    for ax, place in zip(figure.axes, places, strict=True):
        ax.set_position(place)


def _rendered(figure: Figure) -> Any:
    """Return the figure as an image of few colours, which is small and quick to write."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(DPI)
    for ax in figure.axes:
        ax.minorticks_off()  # the small ticks of a logarithmic axis take a quarter of the time
    canvas: Any = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.draw()
    return image_of(canvas)


def image_of(canvas: Any) -> Any:
    """Return what is drawn on a canvas as an image of few colours."""
    from PIL import Image

    image = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
    return image.convert("RGB").quantize(_COLOURS, method=Image.Quantize.FASTOCTREE)


def encoded(image: Any) -> bytes:
    """Return an image as PNG."""
    stream = io.BytesIO()
    image.save(stream, format="png", compress_level=4)
    return stream.getvalue()
