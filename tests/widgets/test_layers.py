from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lvkit.widgets.layers import LayeredBox


class Ground:
    """A lower layer that counts how often it is drawn."""

    def __init__(self) -> None:
        self.drawn = 0
        self.ax: Any = None

    def __call__(self, ax: Any) -> None:
        self.drawn, self.ax = self.drawn + 1, ax
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="drawn once")
        ax.plot([0, 1], [0, 0], color="black")


@pytest.fixture
def ground() -> Ground:
    return Ground()


def show(box: LayeredBox, ground: Ground, height: float, keep: str = "a") -> Any:
    box.show_layers(
        ground, lambda ax: ax.axhline(height, color="red", lw=4), alt=f"at {height}", keep=keep
    )
    return np.asarray(Image.open(io.BytesIO(box.png)).convert("RGB"), dtype=int)


def red_rows(image: Any) -> Any:
    red = (image[..., 0] > 200) & (image[..., 1] < 60) & (image[..., 2] < 60)
    return np.flatnonzero(red.any(axis=1))


def test_the_upper_layer_is_on_the_lower_one_and_moves(ground: Ground) -> None:
    box = LayeredBox()
    low, high = show(box, ground, 0.2), show(box, ground, 0.8)
    assert red_rows(high).max() < red_rows(low).min()
    assert box.alt == "at 0.8"
    marked = np.concatenate([red_rows(low), red_rows(high)])
    unmarked = np.setdiff1d(np.arange(len(low)), marked[:, None] + np.arange(-2, 3))
    np.testing.assert_allclose(low[unmarked], high[unmarked], atol=24)


def test_the_lower_layer_is_drawn_once_until_its_name_changes(ground: Ground) -> None:
    box = LayeredBox()
    for height in (0.1, 0.5, 0.9):
        show(box, ground, height)
    assert ground.drawn == 1
    show(box, ground, 0.9, keep="b")
    assert ground.drawn == 2


def test_nothing_of_the_upper_layer_stays_on_the_axes(ground: Ground) -> None:
    box = LayeredBox()
    before = show(box, ground, 0.4)
    children = len(ground.ax.get_children())
    for height in (0.2, 0.6, 0.4):
        again = show(box, ground, height)
    assert len(ground.ax.get_children()) == children
    np.testing.assert_array_equal(again, before)


def test_a_legend_may_be_among_the_marks(ground: Ground) -> None:
    box = LayeredBox()
    plain = show(box, ground, 0.4)

    def marks(ax: Any) -> None:
        ax.axhline(0.4, color="red", lw=4, label="a line")
        ax.legend()

    box.show_layers(ground, marks, alt="x", keep="a")
    legend = np.asarray(Image.open(io.BytesIO(box.png)).convert("RGB"), dtype=int)
    assert (legend != plain).any()
    np.testing.assert_array_equal(show(box, ground, 0.4), plain)


def test_a_layer_that_fails_leaves_the_picture_before(ground: Ground) -> None:
    box = LayeredBox()
    show(box, ground, 0.4)
    before = box.png

    def fails(ax: Any) -> None:
        ax.axhline(0.9)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        box.show_layers(ground, fails, alt="x", keep="a")
    assert (box.png, box.alt) == (before, "at 0.4")
    show(box, ground, 0.4)
    assert box.png == before


def test_a_cleared_box_forgets_the_lower_layer(ground: Ground) -> None:
    box = LayeredBox()
    show(box, ground, 0.4)
    box.clear()
    assert (box.png, box.alt, box.value) == (b"", "", "")
    show(box, ground, 0.4)
    assert ground.drawn == 2


def test_what_is_written_along_an_axis_may_be_in_the_upper_layer() -> None:
    box = LayeredBox()

    def blank(ax: Any) -> None:
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel=" ")

    def shown(words: str) -> Any:
        box.show_layers(blank, lambda ax: ax.set_xlabel(words), alt="x", keep="a")
        return np.asarray(Image.open(io.BytesIO(box.png)).convert("L"), dtype=int)

    plain, some, more = shown(" "), shown("some"), shown("some more")
    changed = np.flatnonzero((some != plain).any(axis=1))
    assert len(changed)
    assert changed.min() > 0.9 * len(plain)
    assert (255 - more).sum() > (255 - some).sum()
    np.testing.assert_array_equal(shown(" "), plain)


def test_the_upper_layer_reaches_into_insets() -> None:
    box, insets = LayeredBox(), []

    def ground(ax: Any) -> None:
        ax.set(xlim=(0, 1), ylim=(0, 1))
        insets.append(ax.inset_axes((0.6, 0.0, 0.4, 1.0)))

    def shown(colour: str) -> Any:
        def marks(ax: Any) -> None:
            ax.child_axes[0].plot([0.5, 0.5], [0.2, 0.8], color=colour, lw=6)

        box.show_layers(ground, marks, alt="x", keep="a")
        return Image.open(io.BytesIO(box.png)).convert("RGB").getcolors(1 << 16)

    for colour, rgb in (("#ff0000", (255, 0, 0)), ("#0000ff", (0, 0, 255))):
        assert rgb in {found for _, found in shown(colour)}
    assert not insets[0].lines


def test_another_lower_layer_is_drawn_on_the_same_axes_with_room_made_anew() -> None:
    box = LayeredBox()
    seen: list[Any] = []

    def ground(name: str) -> Any:
        def paint(ax: Any) -> None:
            seen.append(ax)
            ax.set(xlim=(0, 1), ylim=(0, 1))
            ax.set_yticks([0.5], [name])

        return paint

    def left(name: str, room: int) -> float:
        box.show_layers(ground(name), lambda ax: None, alt="x", keep=(name, room), room=room)
        return float(seen[-1].get_position().x0)

    near = left("a", 1)
    assert left("a long, long name", 1) == near
    assert left("a long, long name", 17) > near
    assert len(set(seen)) == 1


def test_lower_layers_that_were_shown_before_are_not_drawn_again() -> None:
    box = LayeredBox()
    drawn: list[float] = []

    def shown(top: float) -> Any:
        def ground(ax: Any) -> None:
            drawn.append(top)
            ax.set(xlim=(0, 1), ylim=(0, top))

        box.show_layers(
            ground, lambda ax: ax.plot([0, 1], [0, 5], lw=3), alt="x", keep=top, room=top
        )
        return box.png

    first, second = shown(5.0), shown(50.0)
    assert first != second
    assert (shown(5.0), shown(50.0)) == (first, second)
    assert drawn == [5.0, 50.0]


def test_after_a_lower_layer_that_failed_all_is_drawn_anew(ground: Ground) -> None:
    box = LayeredBox()
    before = show(box, ground, 0.4)

    def fails(ax: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        box.show_layers(fails, lambda ax: None, alt="x", keep="b")
    np.testing.assert_array_equal(show(box, ground, 0.4), before)
    assert ground.drawn == 2
