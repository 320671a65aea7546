"""Layers: a picture of which most stays as it is when a slider moves.

Axes, numbers, names and contours take nearly all of the time that a picture takes, and seldom
change; what moves is a few lines and dots. So the lower layer is drawn once and kept as an image,
and each move draws the upper layer on a copy of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from lvkit.plots.drawing import Picture

from .picture import DRAWING, PictureBox, encoded

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes


_MOST = 24
"""Lower layers that are kept, about a MB each: those of a slider that goes to and fro."""

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
        room: Hashable = None,
    ) -> None:
        """Show a picture in the place of the one before.

        Parameters
        ----------
        ground : callable
            Draws the lower layer on the axes it is given, and sets their limits.
        marks : callable
            Draws the upper layer on the same axes and the insets in them: it adds lines, areas,
            texts or a legend, may write along an axis where the lower layer left a blank, and
            leaves the axes themselves alone.
        alt : str
            What is to be seen.
        size : (float, float)
            Width and height of the figure in inches.
        keep : hashable
            Names the lower layer: each is drawn once, all on the same axes by the same function.
        room : hashable, optional
            Says how much room is needed for what is written around the axes: it is made anew when
            this changes.

        Raises
        ------
        Exception
            Whatever the drawing raises; the picture before stays.
        """
        with DRAWING:
            if self._ground is None or self._ground.size != size:
                self._ground = _Ground(size)
            self._ground.lay(ground, keep, room)
            pixels = self._ground.with_marks(marks)
        self.show(Picture(alt=alt, png=encoded(pixels), width=pixels.shape[1]))


class _Ground:
    """The lower layer, drawn, and its axes; some that were shown before are kept as images."""

    def __init__(self, size: tuple[float, float]) -> None:
        self.size = size
        self._stage: Any = None
        self._room: Hashable = None
        self._image: Any = None
        self._images: OrderedDict[Hashable, tuple[Any, dict[str, Any], Hashable]] = OrderedDict()

    def lay(self, paint: Paint, keep: Hashable, room: Hashable) -> None:
        """Draw the layer if it is none of those that are kept."""
        if self._stage is None or keep not in self._images:
            self._draw(paint, room)
            ax = self._stage.ax
            ends = {"xlim": ax.get_xlim(), "ylim": ax.get_ylim(), "position": ax.get_position()}
            ends["in_layout"] = True  # which a position would end
            image = self._stage.canvas.copy_from_bbox(ax.figure.bbox)
            self._images[keep] = image, ends, room
            while len(self._images) > _MOST:
                self._images.popitem(last=False)
        self._images.move_to_end(keep)
        self._image, ends, self._room = self._images[keep]
        self._stage.ax.set(**ends)

    def _draw(self, paint: Paint, room: Hashable) -> None:
        from .stage import Stage

        stage, self._stage = self._stage, None  # if it fails, its axes are of no use
        if stage is None:
            self._images.clear()
            stage = Stage(paint, self.size)
        else:
            stage.redraw(paint, lay_out=room != self._room)
        stage.ax.set_autoscale_on(False)
        self._stage = stage

    def with_marks(self, paint: Paint) -> npt.NDArray[np.uint8]:
        """Return the image with another layer on it, which leaves no trace on the axes."""
        stays = [_Stays(ax) for ax in (self._stage.ax, *self._stage.ax.child_axes)]
        self._stage.ax.set_prop_cycle(None)  # colours begin where they did
        try:
            paint(self._stage.ax)
        finally:
            self._stage.canvas.restore_region(self._image)
            for each in stays:
                each.draw_the_rest()
        pixels: npt.NDArray[np.uint8] = self._stage.pixels()
        return pixels


class _Stays:
    """What stays on axes; all that is added from now on is drawn and taken away again."""

    def __init__(self, ax: Any) -> None:
        self._ax, self._children = ax, set(ax.get_children())
        self._labels = {axis.label: axis.label.get_text() for axis in (ax.xaxis, ax.yaxis)}

    def draw_the_rest(self) -> None:
        from .stage import legible

        new = [artist for artist in self._ax.get_children() if artist not in self._children]
        written = [label for label, text in self._labels.items() if label.get_text() != text]
        with legible():
            for artist in sorted([*new, *written], key=lambda artist: artist.get_zorder()):
                self._ax.draw_artist(artist)
        for artist in new:
            artist.remove()
        for label in written:
            label.set_text(self._labels[label])
