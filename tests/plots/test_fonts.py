from __future__ import annotations

import matplotlib as mpl
import pytest

from lvkit.plots import fonts

MISSING = "\U0001d5d4\u6a21\u578b\u4e03"
"""Characters that the fonts shipped with matplotlib lack."""


@pytest.fixture
def only_shipped_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_fallback_fonts", lambda: ("DejaVu Sans",))


@pytest.mark.parametrize("text", ["plain", "café", "модель", "β-one", ""])
def test_text_that_the_fonts_can_draw_stays(text: str, only_shipped_fonts: None) -> None:
    assert fonts.drawable(text) == text


@pytest.mark.parametrize(
    "text", ["\u77e5\u8b58", "\ubaa8\ub378", "m\u6a21-7b", "\u0e41\u0e1a\u0e1a"]
)
def test_text_that_no_font_can_draw_becomes_latin(text: str, only_shipped_fonts: None) -> None:
    latin = fonts.drawable(text)
    assert latin.isascii()
    assert latin.strip()
    assert fonts.transliterated_names([f"rank 1: {latin}"]) == {latin: text}


def test_a_character_without_a_transliteration_is_written_as_its_code(
    only_shipped_fonts: None,
) -> None:
    assert fonts.drawable("\U000f0000") == "U+F0000"


def test_a_fallback_font_draws_what_the_users_font_lacks(only_shipped_fonts: None) -> None:
    from lvkit.plots.drawing import canvas

    latin_only = {"font.family": ["cmr10"], "axes.formatter.use_mathtext": True}
    with mpl.rc_context(latin_only):
        assert fonts.drawable("модель") == "модель"
        ax = canvas(None)
        title = ax.set_title("модель")
        fonts.make_drawable(ax.figure)
    assert title.get_fontfamily() == ["cmr10", "DejaVu Sans"]
    assert title.get_text() == "модель"


def test_fonts_that_are_not_installed_are_left_out() -> None:
    assert fonts._file("No Such Font") == ""
    assert "DejaVu Sans" in fonts._fallback_fonts()
