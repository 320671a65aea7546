from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from lvkit.plots import drawing
from lvkit.widgets.picture import PictureBox


@pytest.fixture
def box() -> PictureBox:
    return PictureBox()


def line(slope: float) -> Any:
    return lambda ax: ax.plot([0, 1], [0, slope])


def pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


def test_a_picture_is_drawn_as_large_as_asked_for(box: PictureBox) -> None:
    box.show(line(1), alt="A line.", size=(4, 2))
    assert Image.open(io.BytesIO(box.png)).size == (384, 192)
    assert "max-width: 100%" in box.value


def test_a_box_is_told_by_what_it_shows(box: PictureBox) -> None:
    box.show(line(1), alt="A line.")
    assert repr(box) == "<PictureBox: A line.>"


def test_the_image_that_is_shown_is_the_one_that_was_drawn(box: PictureBox) -> None:
    box.show(line(1), alt="A line.")
    assert base64.b64encode(box.png).decode() in box.value


def test_the_description_is_shown_as_it_is(box: PictureBox) -> None:
    box.show(line(1), alt='a "family" <b>')
    assert box.alt == 'a "family" <b>'
    assert 'alt="a &quot;family&quot; &lt;b&gt;"' in box.value


def test_another_picture_takes_the_place_of_the_first(box: PictureBox) -> None:
    box.show(line(1), alt="One.")
    first = box.png
    box.show(line(2), alt="Two.")
    assert box.png != first
    assert box.value.count("<img") == 1


def test_pyplot_holds_no_figure_after_twenty_pictures(box: PictureBox) -> None:
    for slope in range(20):
        box.show(line(slope), alt="A line.", size=(2, 1), keep="lines")
    assert plt.get_fignums() == []


def test_a_kept_shape_gives_the_same_picture(box: PictureBox) -> None:
    box.show(line(1), alt="A line.", keep="a")
    first = box.png
    box.show(line(1), alt="A line.", keep="a")
    assert box.png == first


def test_another_shape_is_laid_out_anew(box: PictureBox) -> None:
    def high(ax: Any) -> None:
        ax.plot([0, 1], [0, 1])
        ax.set_title("one\ntwo\nthree\nfour", fontsize=20)

    fresh = PictureBox()
    fresh.show(high, alt="With a title.")
    box.show(line(1), alt="A line.", keep="plain")
    box.show(high, alt="With a title.", keep="titled")
    assert box.png == fresh.png


def test_axes_of_the_last_few_kinds_are_kept(box: PictureBox) -> None:
    seen: list[Any] = []

    def shown(kind: str) -> bytes:
        def paint(ax: Any) -> None:
            seen.append(ax)
            ax.plot([0, 1], [0, len(kind)])

        box.show(paint, alt=kind, keep=kind)
        return box.png

    first, second = shown("a"), shown("bb")
    assert (shown("a"), shown("bb")) == (first, second)
    assert len({id(ax) for ax in seen}) == 2
    for kind in ("c", "d", "e", "f"):
        shown(kind)
    shown("a")
    assert len({id(ax) for ax in seen}) == 7


def test_room_is_made_anew_when_it_is_said_to_change(box: PictureBox) -> None:
    def named(name: str) -> Any:
        return lambda ax: ax.set_yticks([0.5], [name])

    def left_edge() -> int:
        inked = (pixels(box.png) < 128).sum(axis=0)
        return int(np.argmax(inked > 200))  # the spine

    box.show(named("short"), alt="x", keep="a", room=5)
    near = left_edge()
    box.show(named("a long, long name"), alt="x", keep="a", room=5)
    assert left_edge() == near
    box.show(named("a long, long name"), alt="x", keep="a", room=17)
    assert left_edge() > near + 50


def test_pale_colours_stay_apart_and_as_they_are(box: PictureBox) -> None:
    greys = [f"#{level:02x}{level:02x}{level:02x}" for level in (0xE4, 0xE8, 0xF2, 0xFB)]

    def bands(ax: Any) -> None:
        for at, grey in enumerate(greys):
            ax.axhspan(at, at + 1, color=grey, lw=0)

    box.show(bands, alt="Four greys.")
    colours = Image.open(io.BytesIO(box.png)).convert("RGB").getcolors(1 << 16)
    many = {colour for count, colour in colours if count > 5_000}
    assert {(0xE4,) * 3, (0xE8,) * 3, (0xF2,) * 3, (0xFB,) * 3} <= many


def test_a_figure_of_its_own_keeps_its_size(box: PictureBox) -> None:
    box.show(lambda ax: drawing.canvas(ax, width=3.0, height=2.0), alt="Empty axes.", size=None)
    assert Image.open(io.BytesIO(box.png)).size == (288, 192)


def test_colour_bars_stay_in_their_places(box: PictureBox) -> None:
    def heat(ax: Any) -> None:
        mesh = ax.pcolormesh(np.arange(4.0).reshape(2, 2))
        ax.figure.colorbar(mesh, ax=ax)

    box.show(heat, alt="Four cells.", keep="heat")
    first = box.png
    box.show(heat, alt="Four cells.", keep="heat")
    assert box.png == first


def test_a_drawn_picture_can_be_shown(box: PictureBox) -> None:
    picture = drawing.picture(drawing.canvas(None), "Empty axes.")
    box.show(picture)
    assert (box.alt, box.png) == ("Empty axes.", picture.png)


def test_what_drawing_raises_comes_through_and_the_picture_before_stays(box: PictureBox) -> None:
    box.show(line(1), alt="A line.")
    before = (box.alt, box.png, box.value)
    with pytest.raises(ZeroDivisionError):
        box.show(lambda ax: 1 / 0, alt="Nothing.")
    assert (box.alt, box.png, box.value) == before


def test_signs_that_no_font_has_are_drawn_without_a_warning(box: PictureBox) -> None:
    box.show(lambda ax: ax.set_title("日本"), alt="A title.")
    assert box.alt == "A title."


def test_a_cleared_box_shows_nothing(box: PictureBox) -> None:
    box.show(line(1), alt="A line.")
    box.clear()
    assert (box.alt, box.png, box.value) == ("", b"", "")
