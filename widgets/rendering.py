"""Rendering: letters and axes that are drawn again and again, drawn once.

Half of the time that a picture takes goes into its letters, which are shaped one by one, and most
of the rest into making axes and their ticks. Moves of a slider change little of either. Here a
piece of text is kept as an image, at whole pixels, and a renderer is kept for each size of figure;
:mod:`lvkit.widgets.stage` keeps axes.

Matplotlib is imported with this module: import it where a picture is drawn.
"""

from __future__ import annotations

from collections import OrderedDict
from math import ceil, hypot
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg

Pixels = npt.NDArray[np.uint8]

_MOST_TEXTS = 2_000
"""Pieces of text that are kept, a few kB each."""

_MOST_SIZES = 12
"""Sizes of figures whose renderers are kept, some MB each."""

_MARGIN = 3
"""Pixels around a piece of text, for strokes that leave its box."""

_texts: OrderedDict[tuple[Any, ...], tuple[Pixels, int, int]] = OrderedDict()
"""Images of text, upside down, each with how far its lower left corner is from where it begins."""

_renderers: OrderedDict[tuple[float, float, float], QuickRenderer] = OrderedDict()


class QuickRenderer(RendererAgg):
    """A renderer that keeps images of text; see :class:`QuickCanvas`."""

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        """Draw text that begins at x, y; mathematics and what shines through as matplotlib does."""
        if ismath or gc.get_alpha() != 1.0:
            plain: Any = super()
            plain.draw_text(gc, x, y, s, prop, angle, ismath=ismath, mtext=mtext)
            return
        key = (s, hash(prop), angle, gc.get_rgb(), gc.get_antialiased(), self.dpi)
        if key not in _texts:
            _texts[key] = self._drawn(gc, s, prop, angle, mtext)
            _trim(_texts, _MOST_TEXTS)
        image, right, up = _texts[key]
        if image.size:
            self.draw_image(gc, round(x) + right, round(self.height) - round(y) + up, image)

    def _drawn(
        self, gc: Any, s: str, prop: Any, angle: float, mtext: Any
    ) -> tuple[Pixels, int, int]:
        """Return text as an image, and how far right and up of its beginning that lies."""
        measure: Any = self.get_text_width_height_descent
        wide, high, below = measure(s, prop, False)
        middle = ceil(hypot(wide, high) + abs(below)) + _MARGIN
        plain: Any = RendererAgg
        scratch = plain(2 * middle, 2 * middle, self.dpi)
        pen = scratch.new_gc()
        pen.set_foreground(gc.get_rgb())
        pen.set_antialiased(gc.get_antialiased())
        scratch.draw_text(pen, middle, middle, s, prop, angle, mtext=mtext)
        image = np.asarray(scratch.buffer_rgba())
        inked = image[..., 3] > 0
        rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
        if not len(rows):
            return image[:0, :0], 0, 0
        (top, bottom), (left, right) = (ends[[0, -1]] for ends in (rows, columns))
        cut = image[top : bottom + 1, left : right + 1]
        return np.ascontiguousarray(cut[::-1]), int(left) - middle, middle - int(bottom) - 1


class QuickCanvas(FigureCanvasAgg):
    """A canvas whose renderer is kept for all figures of its size, with what it has measured.

    Two figures of one size are not to be drawn at once. One that is drawn loses the picture of the
    other, so take what was drawn before the next.
    """

    def get_renderer(self) -> QuickRenderer:
        """Return the renderer of the figure's size."""
        figure, new = self.figure, cast("Any", QuickRenderer)
        key = (float(figure.bbox.width), float(figure.bbox.height), float(figure.dpi))
        if key not in _renderers:
            _renderers[key] = new(*key)
            _trim(_renderers, _MOST_SIZES)
        _renderers.move_to_end(key)
        self.renderer = found = _renderers[key]
        return found


def _trim(kept: OrderedDict[Any, Any], most: int) -> None:
    """Forget what was kept first."""
    while len(kept) > most:
        kept.popitem(last=False)
