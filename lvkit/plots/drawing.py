"""What all figures share: colours, labels, axes and the one-call form.

Plots are drawn on a bare figure that nobody else holds, so that nothing leaks into the next picture
and nothing pops up. Names come from users' files: here they become text that a plot can show,
whatever signs are in them. And a :class:`Picture` is a drawn plot together with the sentence that
says what is to be seen in it, for those who listen to a page instead of looking at it.
"""

from __future__ import annotations

import base64
import html
import inspect
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
import numpy.typing as npt

from lvkit.plots.fonts import drawable, make_drawable, transliterated_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure


P = ParamSpec("P")

GREY = "#9a9a9a"
INK = "#222222"

_DPI = 120
_CSS_DPI = 96


def canvas(
    ax: Axes | None,
    *,
    width: float = 7.0,
    height: float = 4.0,
    xlabel: str = "",
    ylabel: str = "",
) -> Axes:
    """Return `ax`, or an empty set of axes on a figure of its own, with its labels.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where the user wants the plot; None makes a figure that pyplot knows nothing of.
    width, height : float
        Its size in inches.
    xlabel, ylabel : str
        What to write along the axes, unless they have labels already: the user's stay.

    Examples
    --------
    >>> canvas(None).figure.axes  # doctest: +ELLIPSIS
    [<Axes: >]
    """
    from matplotlib.figure import Figure

    if ax is None:
        ax = Figure(figsize=(width, height), layout="constrained").add_subplot()
    ax.set_xlabel(ax.get_xlabel() or xlabel)
    ax.set_ylabel(ax.get_ylabel() or ylabel)
    return ax


def shown(name: object, most: int = 28) -> str:
    r"""Return a name as a plot can show it: on one line, not too long, and never as mathematics.

    Characters that no installed font has are transliterated (:mod:`lvkit.plots.fonts`). For several
    names side by side use :func:`shown_apart`.

    Examples
    --------
    >>> shown("cheap_$_model")
    'cheap_\\$_model'
    >>> shown("a-name-that-goes-on-and-on-and-on-and-on", most=16)
    'a-name-t…-and-on'
    >>> shown("_hidden")  # matplotlib leaves out what begins with an underscore
    ' _hidden'
    """
    return _escaped(_cut(_drawn(name), most))


def shown_apart(names: Iterable[object], most: int = 28) -> list[str]:
    """Return names as :func:`shown` does, but cut so that different names stay different.

    Where cutting out the middle makes two names alike, what they begin with in common is cut out,
    and where that is not enough they are numbered.

    Examples
    --------
    >>> shown_apart(["hendrycksTest-clinical_medicine", "hendrycksTest-nautical_medicine"], 20)
    ['hen…clinical_medicine', 'hen…nautical_medicine']
    """
    originals = [str(name) for name in names]
    texts = [_drawn(name) for name in originals]
    labels = [_cut(text, most) for text in texts]
    for alike in _groups(labels, originals):
        letters = zip(*(texts[at] for at in alike), strict=False)
        common = sum(1 for _ in takewhile(lambda column: len({*column}) == 1, letters))
        for at in alike:
            text = texts[at]
            labels[at] = _cut(f"{text[:3]}…{text[common:]}" if common > 4 else text, most + 1)
    for alike in _groups(labels, originals):
        numbers = {name: n for n, name in enumerate(dict.fromkeys(originals[i] for i in alike), 1)}
        for at in alike:
            labels[at] = f"{labels[at]} ({numbers[originals[at]]})"
    return [_escaped(label) for label in labels]


def _groups(labels: list[str], names: list[str]) -> list[list[int]]:
    """Return the positions of labels that stand for more than one name."""
    places: dict[str, list[int]] = {}
    for at, label in enumerate(labels):
        places.setdefault(label, []).append(at)
    return [alike for alike in places.values() if len({names[at] for at in alike}) > 1]


def _drawn(name: object) -> str:
    return drawable(" ".join(str(name).split()))


def _cut(text: str, most: int) -> str:
    """Cut the middle out of a text that is too long."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[-tail:]}"


def _escaped(text: str) -> str:
    """Write dollars and a leading underscore so that matplotlib shows them."""
    return (f" {text}" if text.startswith("_") else text).replace("$", r"\$")


def palette() -> list[Any]:
    """Return eight colours that can be distinguished, and from the grey of what stays behind."""
    import seaborn as sns

    colours = list(sns.color_palette("colorblind", 10))
    return [colours[i] for i in (0, 1, 2, 3, 4, 5, 6, 9)]


def tidy(ax: Axes, *, spines: bool = True, grid: str | None = None) -> None:
    """Take away the lines that carry nothing; add a faint grid."""
    import seaborn as sns

    sns.despine(ax=ax, left=not spines, bottom=not spines)
    if grid is not None:
        ax.grid(axis=grid, color="#e4e4e4", lw=0.8)  # type: ignore[arg-type]
        ax.set_axisbelow(True)


def legend_above(ax: Axes, keys: list[Any]) -> None:
    """Write a legend in one line above the axes, where it hides nothing."""
    place: dict[str, Any] = {
        "loc": "lower left",
        "bbox_to_anchor": (0.0, 1.0),
        "borderaxespad": 0.2,
    }
    ax.legend(handles=keys, frameon=False, fontsize=8, ncols=len(keys), **place)


def plain_ticks(ax: Axes) -> None:
    """Write 0.5, 7 and 70 on a logarithmic axis, not powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def heat_map(
    ax: Axes | None,
    table: pd.DataFrame,
    words: Any,
    *,
    most: float,
    bar: str,
    cell: tuple[float, float],
    margins: tuple[float, float],
    xlabel: str = "skill",
    ylabel: str = "skill",
) -> Axes:
    """Draw a table as an annotated heat map that parts at zero.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where to draw; None makes a figure.
    table : DataFrame
        The numbers; index and columns are written along the axes.
    words : array of str
        What to write in each cell.
    most : float
        Where the colours end, at -`most` and `most`.
    bar : str
        What the colours mean.
    cell, margins : (float, float)
        Width and height of a cell, and of all around the cells, in inches.
    xlabel, ylabel : str
        What the columns and rows are.

    Returns
    -------
    matplotlib Axes
    """
    import seaborn as sns

    (rows, columns), (wide, high) = table.shape, cell
    size = {"width": margins[0] + wide * columns, "height": margins[1] + high * rows}
    ax = canvas(ax, **size, xlabel=xlabel, ylabel=ylabel)
    colours = {"cmap": sns.color_palette("vlag", as_cmap=True), "vmin": -most, "vmax": most}
    mesh = ax.pcolormesh(table.to_numpy(), edgecolors="white", lw=0.6, **colours)
    _write_cells(ax, mesh, words)
    names = shown_apart(table.columns)
    turn: dict[str, Any] = {"rotation": 30, "ha": "right"} if max(map(len, names)) > 12 else {}
    ax.set_xticks(np.arange(columns) + 0.5, names, **turn)
    ax.set_yticks(np.arange(rows) + 0.5, shown_apart(table.index))
    ax.set(xlim=(0, columns), ylim=(rows, 0))
    ax.tick_params(length=0, labelsize=9)
    ax.spines[:].set_visible(False)
    ticks = [-most, -0.5 * most, 0.0, 0.5 * most, most]
    colour_bar = mesh.figure.colorbar(mesh, ax=ax, label=bar, format="%.2g", ticks=ticks)
    colour_bar.outline.set_visible(False)
    colour_bar.ax.tick_params(labelsize=8)
    colour_bar.ax.yaxis.label.set_fontsize(9)
    return ax


def luminance(colours: Any) -> npt.NDArray[np.float64]:
    """Return the relative luminance of colours, as the guidelines for readable pages define it.

    Examples
    --------
    >>> luminance(["black", "white"])
    array([0., 1.])
    """
    from matplotlib.colors import to_rgba_array

    parts = to_rgba_array(colours)[:, :3]
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return np.round(linear @ (0.2126, 0.7152, 0.0722), 12)


def _write_cells(ax: Axes, mesh: QuadMesh, words: Any) -> None:
    """Write black on light cells and white on dark ones: contrast is 4.5 to 1 or better."""
    mesh.update_scalarmappable()
    inks = np.where(luminance(mesh.get_facecolor()) > 0.179, "black", "white")
    for (row, column), ink in zip(np.ndindex(words.shape), inks, strict=True):
        x, y, word = column + 0.5, row + 0.5, words[row, column]
        ax.text(x, y, word, color=ink, fontsize=8, ha="center", va="center")


def cell_texts(table: pd.DataFrame, *, digits: int = 2, zeros: Any = None) -> Any:
    """Return each number as text; a dot for a zero that is one by definition."""
    words = np.array([[f"{x:.{digits}f}" for x in row] for row in table.to_numpy()], dtype=object)
    words[words == f"-{0:.{digits}f}"] = f"{0:.{digits}f}"
    if zeros is not None:
        words[zeros] = "·"
    return words


def frame_cell(ax: Axes, row: Any, column: int) -> None:
    """Draw a frame around a cell of a heat map."""
    from matplotlib.patches import Rectangle

    frame = Rectangle((column, row), 1, 1, fill=False, ec=INK, lw=1.8, clip_on=False)
    ax.add_artist(frame)  # not add_patch: the limits are set, and to look at them again takes time


def spaced_labels(order: pd.Series[str], edges: list[int]) -> tuple[list[float], list[str]]:
    """Return where to name a family, largest families first, and none on top of another."""
    ends = [*edges[1:], len(order)]
    blocks = sorted(zip(edges, ends, strict=True), key=lambda block: (block[0] - block[1], block))
    room = len(order) / 62
    centres: list[float] = []
    names: list[str] = []
    labels = dict(zip(families := order.unique(), shown_apart(families, 20), strict=True))
    for start, end in blocks:
        centre = (start + end) / 2
        if all(abs(centre - other) >= room for other in centres):
            centres.append(centre)
            names.append(labels[order.iloc[start]])
    return centres, names


@dataclass(frozen=True)
class Picture:
    """A drawn plot that shows itself in notebooks, with its description.

    Make one with :func:`picture`.

    Attributes
    ----------
    alt : str
        One or two sentences that say what is to be seen.
    png : bytes
        The image.
    width : int
        Its width on a page, in CSS pixels; the image itself is finer.
    originals : dict of str to str
        The names that the image shows transliterated, since no installed font has their
        characters, by what it shows.
    """

    alt: str
    png: bytes = field(repr=False)
    width: int = field(repr=False)
    originals: dict[str, str] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode("ascii")
        alt = html.escape(self.alt, quote=True)
        image = (
            f'<img alt="{alt}" width="{self.width}" style="max-width: 100%; height: auto" '
            f'src="data:image/png;base64,{data}">'
        )
        if not self.originals:
            return image
        names = "; ".join(f"{latin} = {name}" for latin, name in self.originals.items())
        return (
            f"{image}<p><small>No installed font has the characters of some names, so the figure "
            f"shows them in Latin letters: {html.escape(names)}.</small></p>"
        )


def picture(ax: Axes, alt: str) -> Picture:
    """Return the figure that `ax` belongs to as a picture.

    Parameters
    ----------
    ax : matplotlib Axes
        What a function of :mod:`lvkit.plots` returned.
    alt : str
        What is to be seen, most often from the function of that name in
        :mod:`lvkit.plots`.

    Returns
    -------
    Picture
        A PNG with at most 128 colours, which is small, and the description. The colours are chosen
        to cover all that occur, so that a scale's rare end keeps its own.

    Examples
    --------
    >>> picture(canvas(None), "Empty axes.")
    Picture(alt='Empty axes.')
    """
    from matplotlib.text import Text
    from PIL import Image

    drawn: Any = ax.figure.canvas.figure  # of a subfigure, the whole
    make_drawable(drawn)
    raw, small = io.BytesIO(), io.BytesIO()
    drawn.savefig(raw, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.08)
    image = Image.open(raw).convert("RGB").quantize(128, method=Image.Quantize.MAXCOVERAGE)
    image.save(small, format="png", optimize=True)
    width = round(image.width * _CSS_DPI / _DPI)
    texts = [text.get_text() for text in drawn.findobj(Text)]
    return Picture(alt, small.getvalue(), width, transliterated_names(texts))


@dataclass(frozen=True, eq=False)
class Plot:
    """A drawn figure with its description; it displays itself in notebooks and is never saved.

    Attributes
    ----------
    ax : matplotlib Axes
        What the figure is drawn on, to change it or to draw more.
    alt : str
        One or two sentences that say what the figure shows, for readers who cannot see it.

    Examples
    --------
    >>> Plot(canvas(None), "Empty axes.")
    Plot(alt='Empty axes.')
    """

    ax: Axes = field(repr=False)
    alt: str

    @property
    def figure(self) -> Figure:
        """The whole figure, which has ``savefig``."""
        figure: Figure = self.ax.figure.canvas.figure  # of a subfigure, the whole
        return figure

    def picture(self) -> Picture:
        """Return the figure as it is now, as an image with its description."""
        return picture(self.ax, self.alt)

    def _repr_html_(self) -> str:
        return self.picture()._repr_html_()


def one_call(draw: Callable[P, Axes], describe: Callable[..., str]) -> Callable[P, Plot]:
    """Return a function that draws a figure and describes it.

    Parameters
    ----------
    draw : callable
        Draws and returns the axes; named ``plot_`` and the name of the new function.
    describe : callable
        Returns the description. Takes those arguments of `draw` that it depends on, by name.

    Returns
    -------
    callable
        Takes the same arguments as `draw` and returns a :class:`Plot`.
    """
    signature, used = inspect.signature(draw), inspect.signature(describe).parameters

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Plot:
        ax = draw(*args, **kwargs)
        values = signature.bind(*args, **kwargs).arguments
        return Plot(ax, describe(**{name: values[name] for name in used if name in values}))

    drawn.__name__ = drawn.__qualname__ = draw.__name__.removeprefix("plot_")
    text = inspect.getdoc(draw) or ""  # without the indentation, which Python 3.13 removes itself
    drawn.__doc__ = text.replace(
        "-------\nmatplotlib Axes", "-------\nPlot\n    With ``ax``, ``figure`` and ``alt``.", 1
    )
    drawn.__signature__ = signature.replace(return_annotation="Plot")  # type: ignore[attr-defined]
    return drawn
