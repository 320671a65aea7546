"""Names in any script: drawn with the fonts that are installed, or transliterated.

Matplotlib draws an empty box for a character that its fonts lack, so that no name in such a script
could be told from another. Here the user's own fonts come first, then well-known fonts with many
scripts where they are installed. A name that none of them can draw is written in Latin letters, and
the page gives the original beside the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FALLBACK_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans JP", "Noto Sans SC",
    "Noto Sans KR", "Source Han Sans", "IPAexGothic", "IPAGothic", "TakaoGothic", "VL Gothic",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "NanumGothic",
    "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Yu Gothic", "Meiryo", "MS Gothic",
    "Microsoft YaHei", "SimHei", "Malgun Gothic", "Arial Unicode MS", "Noto Sans",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Bengali",
    "Noto Sans Tamil", "Noto Sans Thai", "Noto Sans Georgian", "Noto Sans Armenian",
    "DejaVu Sans", "FreeSans", "Unifont",
)  # fmt: skip
"""Fonts tried after the user's own (``rcParams["font.family"]``), in this order."""

_originals: dict[str, str] = {}
"""The names that were transliterated in this process, by what stands for them in pictures."""


def drawable(text: str) -> str:
    """Return the text, or its transliteration where no installed font has its characters.

    Examples
    --------
    >>> drawable("café")
    'café'
    """
    if text.isascii():
        return text
    files = [file for family in (*_own_fonts(), *_fallback_fonts()) if (file := _file(family))]
    characters = {ord(character) for character in text if not character.isspace()}
    if not characters.difference(*map(_characters, files)):
        return text
    from anyascii import anyascii

    latin = " ".join(anyascii(text).split()) or " ".join(f"U+{ord(c):04X}" for c in text)
    _originals[latin] = text
    return latin


def transliterated_names(texts: Iterable[str]) -> dict[str, str]:
    """Return the original of each transliterated name that occurs in the texts of a picture."""
    written = "\n".join(texts).replace(r"\$", "$")
    return {latin: name for latin, name in _originals.items() if latin in written}


def make_drawable(figure: Figure) -> None:
    """Give the texts of a figure the fallback fonts, and transliterate what these cannot draw.

    Labels along an axis are written anew at each drawing, so that they have to be transliterated
    before they are set (:func:`drawable`).
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if isinstance(text, Text) and not text.get_text().isascii():
            own = text.get_fontfamily()
            more = [family for family in _fallback_fonts() if family not in own]
            text.set_fontfamily([*own, *more])
            text.set_text("\n".join(drawable(line) for line in text.get_text().split("\n")))


def _own_fonts() -> tuple[str, ...]:
    """Return the font families that matplotlib is set to use."""
    import matplotlib as mpl

    return tuple(mpl.rcParams["font.family"])


@lru_cache(maxsize=1)
def _fallback_fonts() -> tuple[str, ...]:
    """Return the fallback fonts that are installed."""
    return tuple(family for family in FALLBACK_FONTS if _file(family))


def _file(family: str) -> str:
    """Return the file of a font family; an empty string where it is not installed."""
    from matplotlib.font_manager import FontProperties, findfont

    try:
        return str(findfont(FontProperties(family=[family]), fallback_to_default=False))
    except ValueError:
        return ""


@lru_cache
def _characters(file: str) -> frozenset[int]:
    """Return the code points that a font file can draw."""
    from matplotlib.font_manager import get_font

    return frozenset(get_font(file).get_charmap())
