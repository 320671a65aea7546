from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lvkit.widgets import rendering
from lvkit.widgets.rendering import QuickCanvas


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_texts", "_renderers"):
        monkeypatch.setattr(rendering, name, type(rendering._texts)())


def figure(text: str = "Qqy 0.25", **more: Any) -> Figure:
    made = Figure(figsize=(2, 2), dpi=96)
    made.text(0.5, 0.5, text, **more)
    return made


def drawn(canvas: Any) -> Any:
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def centre(image: Any) -> Any:
    """The middle of what is drawn, and how much there is of it."""
    ink = 255 - image.min(axis=2)
    rows, columns = np.indices(ink.shape)
    return np.array([(ink * rows).sum(), (ink * columns).sum()]) / ink.sum(), ink.sum()


@pytest.mark.parametrize("angle", [0, 30, 90])
@pytest.mark.parametrize("ha", ["left", "center", "right"])
def test_text_is_where_matplotlib_puts_it_within_a_pixel(angle: float, ha: str) -> None:
    how = {"rotation": angle, "ha": ha, "color": "#225588"}
    quick, plain = drawn(QuickCanvas(figure(**how))), drawn(FigureCanvasAgg(figure(**how)))
    (at, ink), (expected, all_ink) = centre(quick), centre(plain)
    assert np.abs(at - expected).max() <= 1.0
    assert ink == pytest.approx(all_ink, rel=0.05)


def test_text_drawn_again_is_the_same_picture_and_not_shaped_again() -> None:
    first = drawn(QuickCanvas(figure()))
    assert len(rendering._texts) == 1
    np.testing.assert_array_equal(drawn(QuickCanvas(figure())), first)
    assert len(rendering._texts) == 1


@pytest.mark.parametrize("more", [{"color": "red"}, {"fontsize": 14}, {"weight": "bold"}])
def test_text_that_looks_different_is_drawn_differently(more: dict[str, Any]) -> None:
    plain = drawn(QuickCanvas(figure()))
    assert (drawn(QuickCanvas(figure(**more))) != plain).any()
    assert len(rendering._texts) == 2


@pytest.mark.parametrize(("text", "more"), [("$x^2$", {}), ("pale", {"alpha": 0.4})])
def test_mathematics_and_pale_text_are_matplotlibs(text: str, more: dict[str, Any]) -> None:
    quick, plain = (
        drawn(canvas(figure(text, **more))) for canvas in (QuickCanvas, FigureCanvasAgg)
    )
    np.testing.assert_array_equal(quick, plain)


def test_text_at_the_edge_is_cut_there() -> None:
    made = Figure(figsize=(1, 1), dpi=96)
    made.text(-0.2, 0.95, "across the corner")
    assert centre(drawn(QuickCanvas(made)))[1] > 0


def test_blank_text_is_drawn_as_nothing() -> None:
    assert (drawn(QuickCanvas(figure("  "))) == 255).all()


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_MOST_TEXTS", 3)
    monkeypatch.setattr(rendering, "_MOST_SIZES", 2)
    for number in range(5):
        made = figure(f"text {number}")
        made.set_size_inches(1 + number, 1)
        drawn(QuickCanvas(made))
    assert len(rendering._texts) == 3
    assert len(rendering._renderers) == 2


def test_figures_of_one_size_share_a_renderer() -> None:
    canvases = [QuickCanvas(figure()) for _ in range(2)]
    assert canvases[0].get_renderer() is canvases[1].get_renderer()
    canvases[1].figure.set_dpi(120)
    assert canvases[0].get_renderer() is not canvases[1].get_renderer()
