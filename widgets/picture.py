"""The picture of a widget: drawn on a bare figure, shown as an image with a description.

A figure that lives in an Output widget flickers, leaks and cannot be read out. Here each move of a
slider replaces an image and its description in one step. The figure is one that pyplot knows
nothing of; its axes stay from one move to the next as long as the picture says that it is of the
same kind.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from lvkit.plots.drawing import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .stage import Stage


DRAWING = threading.Lock()  # matplotlib's caches are for one thread at a time

Pixels = npt.NDArray[np.uint8]

_MOST = 4
"""Kinds of pictures whose axes are kept."""


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
        self._stages: OrderedDict[Hashable, tuple[Stage, Hashable]] = OrderedDict()
        self.clear()

    def __repr__(self) -> str:
        return f"<PictureBox: {self.alt}>"

    def show(
        self,
        what: Picture | Callable[[Axes], object] | Callable[[Axes | None], Axes],
        *,
        alt: str = "",
        size: tuple[float, float] | None = (7.0, 4.0),
        keep: Hashable = None,
        room: Hashable = None,
    ) -> None:
        """Show a picture in the place of the one before.

        Parameters
        ----------
        what : Picture or callable
            A drawn picture; or a function that draws on the axes it is given, such as
            ``lambda ax: plots.plot_scores(panel, "bbh", ax=ax)``.
        alt : str
            What is to be seen, for those who listen to a page; of a `Picture` it is its own.
        size : (float, float) or None
            Width and height of the figure in inches. None for the size that the function takes by
            itself: it is given None first, and returns the axes it drew on.
        keep : hashable, optional
            Names the kind of the picture: those of one kind are drawn by one function, on axes that
            are kept, for the last few kinds. None makes axes each time, which takes three times as
            long.
        room : hashable, optional
            Says how much room is needed for what is written around the axes of that kind: it is
            made anew when this changes.

        Raises
        ------
        Exception
            Whatever the drawing raises; the picture before stays.
        """
        if not isinstance(what, Picture):
            with DRAWING:
                pixels = self._drawn(what, size, keep, room)
            what = Picture(alt=alt, png=encoded(pixels), width=pixels.shape[1])
        self.alt, self.png = what.alt, what.png
        self.value = what._repr_html_()

    def clear(self) -> None:
        """Show nothing, until the next picture."""
        self.alt, self.png, self.value = "", b"", ""

    def _drawn(self, paint: Any, size: Any, keep: Hashable, room: Hashable) -> Pixels:
        """Draw a picture, on the axes of one before if there was one of its kind."""
        from .stage import Stage

        if keep is None:
            return Stage(paint, size).pixels()
        kind = (keep, size)
        stage, made = self._stages.pop(kind, (None, room))
        if stage is None:
            stage = Stage(paint, size)
        else:
            stage.redraw(paint, lay_out=room != made)
        self._stages[kind] = stage, room
        while len(self._stages) > _MOST:
            self._stages.popitem(last=False)
        return stage.pixels()


def encoded(pixels: Pixels) -> bytes:
    """Return an image of shape (height, width, 3) as PNG, quickly and with all its colours.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> rainbow = np.arange(90, dtype=np.uint8).reshape(5, 6, 3)
    >>> bool((np.asarray(Image.open(io.BytesIO(encoded(rainbow)))) == rainbow).all())
    True
    """
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG", compress_level=1)
    return target.getvalue()
