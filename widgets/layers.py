"""Layers: a picture of which most stays as it is when a slider moves.

Axes, numbers, names and contours take nearly all of the time that a picture takes, and seldom
change; what moves is a few lines and dots. So the lower layer is drawn once and kept as an image,
and each move draws the upper layer on a copy of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from lvkit.drawing import Picture, canvas

from .picture import DPI, DRAWING, PictureBox, encoded, image_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LayeredBox"]

Paint = Callable[["Axes"], object]


class LayeredBox(PictureBox):
    """A picture in two layers; see :class:`~lvkit.widgets.picture.PictureBox`.

    Examples
    --------
    >>> box = LayeredBox()
    >>> def ground(ax):
    ...     ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="drawn once")
    >>> for height in (0.2, 0.8):
    ...     box.show_layers(ground, lambda ax: ax.axhline(height), alt=f"{height}", keep="lines")
    >>> box.alt, box.png[1:4]
    ('0.8', b'PNG')
    """

    def clear(self) -> None:
        """Show nothing, and forget the lower layer."""
        super().clear()
        self._ground: _Ground | None = None

    def show_layers(
        self,
        ground: Paint,
        marks: Paint,
        *,
        alt: str,
        size: tuple[float, float] = (7.0, 4.0),
        keep: Hashable,
    ) -> None:
        """Show a picture in the place of the one before.

        Parameters
        ----------
        ground : callable
            Draws the lower layer on the axes it is given, and sets their limits.
        marks : callable
            Draws the upper layer on the same axes: it adds lines, areas, texts or a legend, and
            leaves the axes themselves alone.
        alt : str
            What is to be seen.
        size : (float, float)
            Width and height of the figure in inches.
        keep : hashable
            Names the lower layer: it is drawn anew when this changes.

        Raises
        ------
        Exception
            Whatever the drawing raises; the picture before stays.
        """
        with DRAWING:
            if self._ground is None or self._ground.shape != (keep, size):
                self._ground = _Ground(ground, size, (keep, size))
            image = self._ground.with_marks(marks)
        self.show(Picture(alt=alt, png=encoded(image), width=image.width))


class _Ground:
    """The lower layer, drawn, and its axes."""

    def __init__(self, paint: Paint, size: tuple[float, float], shape: Hashable) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.shape = shape
        self.ax = canvas(None, width=size[0], height=size[1])
        paint(self.ax)
        self.ax.minorticks_off()
        self.ax.set_autoscale_on(False)
        figure: Any = self.ax.figure
        figure.set_dpi(DPI)
        agg: Any = FigureCanvasAgg
        self.canvas = agg(figure)
        self.canvas.draw()
        figure.set_layout_engine("none")
        self.image = self.canvas.copy_from_bbox(figure.bbox)

    def with_marks(self, paint: Paint) -> Any:
        """Return the image with another layer on it, which leaves no trace on the axes."""
        before = set(self.ax.get_children())
        try:
            paint(self.ax)
        finally:
            new = [artist for artist in self.ax.get_children() if artist not in before]
            self.canvas.restore_region(self.image)
            for artist in sorted(new, key=lambda artist: artist.get_zorder()):
                self.ax.draw_artist(artist)
                artist.remove()
        return image_of(self.canvas)
